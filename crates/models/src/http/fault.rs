//! What can be wrong with the answer of a server that accepted the request.

use super::refusal;
use agent::Failure;

/// Why an answer is not a reply. The words of servers in it are neither masked nor shortened yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// A line, an event or a whole answer is too long.
    #[error("sent more than {limit} bytes in one piece, which is over the limit event_bytes")]
    EventTooLong {
        /// The limit.
        limit: usize,
    },
    /// The stream is too long.
    #[error("sent more than {limit} bytes, which is over the limit stream_bytes")]
    StreamTooLong {
        /// The limit.
        limit: usize,
    },
    /// There are too many calls.
    #[error("asked for more than {limit} tools at once, which is over the limit calls")]
    TooManyCalls {
        /// The limit.
        limit: usize,
    },
    /// Bytes that are no text.
    #[error("sent bytes that are not UTF-8, so nothing of this answer can be trusted")]
    NotUtf8,
    /// An event that is not of the dialect.
    #[error("sent something that is not of the chat dialect ({reason}); check that base_url names a chat server")]
    NotTheDialect {
        /// Why.
        reason: String,
    },
    /// A web page in place of an answer.
    #[error("answered with a web page; check base_url, and whether a proxy or a login stands between")]
    WebPage,
    /// The server says that something went wrong.
    #[error("broke the answer off: {message}")]
    Said {
        /// Its words.
        message: String,
        /// What kind of failure its code or words name, if they do.
        kind: Option<Failure>,
    },
    /// The answer ended before the model did.
    #[error("ended the answer before the model had finished; this was a crash, a proxy's timeout or a lost connection")]
    Cut,
    /// The model finished a call that cannot be run.
    #[error("finished a call of the tool {name:?} whose arguments are not a JSON object")]
    MalformedCall {
        /// The tool.
        name: String,
    },
}

impl Fault {
    /// The failure as the brain distinguishes it. An error in the middle of an answer is a broken stream whatever it
    /// says; before the first word it is what it says it is.
    pub(crate) fn failure(&self, anything_said: bool) -> Failure {
        match self {
            Fault::Said { kind: Some(kind), .. } if !anything_said => *kind,
            _ => Failure::Broken,
        }
    }

    /// An error object, or whatever a server sent in its place.
    pub(crate) fn said(error: &serde_json::Value) -> Fault {
        let refusal = refusal::read(error);
        Fault::Said { kind: refusal.kind(), message: refusal.message }
    }
}
