//! Errors as every door tells them: one table of stable codes with their HTTP status, gRPC status and exit code.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$m:meta])* $name:ident = $code:literal, $http:literal, $grpc:literal, $exit:literal, $title:literal;)*) => {
        /// What went wrong, in a word that never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$m])* #[serde(rename = $code)] $name),* }

        impl Code {
            /// All of them.
            pub const ALL: &[Code] = &[$(Code::$name),*];
            /// The word.
            pub fn name(self) -> &'static str { match self { $(Code::$name => $code),* } }
            /// The HTTP status.
            pub fn http(self) -> u16 { match self { $(Code::$name => $http),* } }
            /// The gRPC status.
            pub fn grpc(self) -> &'static str { match self { $(Code::$name => $grpc),* } }
            /// The exit code of the command line.
            pub fn exit(self) -> u8 { match self { $(Code::$name => $exit),* } }
            /// What it means, in a few words.
            pub fn title(self) -> &'static str { match self { $(Code::$name => $title),* } }
        }
    };
}

codes! {
    /// The request cannot be read or says something that makes no sense.
    InvalidRequest = "invalid_request", 400, "INVALID_ARGUMENT", 2, "The request is not valid";
    /// No such session, path, approval, operation.
    NotFound = "not_found", 404, "NOT_FOUND", 3, "There is no such thing";
    /// It cannot be done in the present state.
    Conflict = "conflict", 409, "FAILED_PRECONDITION", 4, "The present state does not allow this";
    /// The same idempotency key came with another request.
    KeyReused = "key_reused", 422, "INVALID_ARGUMENT", 2, "This idempotency key was used for another request";
    /// The configuration knows no such model.
    UnknownModel = "unknown_model", 422, "INVALID_ARGUMENT", 5, "There is no such model";
    /// The workspace cannot be used.
    BadWorkspace = "bad_workspace", 422, "INVALID_ARGUMENT", 5, "The workspace cannot be used";
    /// Somebody who may not enter.
    Forbidden = "forbidden", 403, "PERMISSION_DENIED", 6, "This is not allowed";
    /// A named limit was reached.
    LimitReached = "limit_reached", 429, "RESOURCE_EXHAUSTED", 7, "A limit was reached";
    /// The request's body is too large.
    TooLarge = "too_large", 413, "RESOURCE_EXHAUSTED", 2, "The request is too large";
    /// No room on disk; nothing was lost, writing goes on when there is room.
    StorageFull = "storage_full", 507, "RESOURCE_EXHAUSTED", 8, "There is no room left on the disk";
    /// The disk failed; nobody knows whether the write happened. Ask again with the same idempotency key.
    OutcomeUnknown = "outcome_unknown", 503, "UNAVAILABLE", 9, "It is not known whether this happened";
    /// The store takes no writes until the daemon is restarted.
    ReadOnly = "read_only", 503, "UNAVAILABLE", 9, "The store takes no writes";
    /// The daemon is shutting down.
    Draining = "draining", 503, "UNAVAILABLE", 10, "The daemon is shutting down";
    /// The daemon hands over to another binary; nothing was done, and the same request a moment later is answered.
    Upgrading = "upgrading", 503, "UNAVAILABLE", 10, "The daemon is being upgraded";
    /// No daemon runs.
    NoDaemon = "no_daemon", 503, "UNAVAILABLE", 10, "The daemon is not running";
    /// A fault of ours.
    Internal = "internal", 500, "INTERNAL", 70, "Something went wrong inside tinkerbell";
}

/// An RFC 9457 problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, to what.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Problem {
    /// A problem with its words.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem { code, title: code.title().to_owned(), status: code.http(), detail: detail.into(), remedy: None }
    }

    /// Adds the way out.
    pub fn remedy(self, remedy: impl Into<String>) -> Problem {
        Problem { remedy: Some(remedy.into()), ..self }
    }
}
