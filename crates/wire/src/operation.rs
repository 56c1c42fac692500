//! The table of operations: each thing the daemon can do, once. REST routes, commands and, later, gRPC methods are
//! checked against it, so that parity of the doors is not remembered but tested.

/// What may be done with an operation; tokens will carry these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody who reaches the door: health, without secrets.
    Open,
    /// Looks only.
    Read,
    /// Talks to sessions.
    Write,
    /// Changes the user's files, or takes away what cannot be brought back.
    Accept,
    /// Rules the daemon.
    Admin,
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name, `noun.verb`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The route, with `{parameters}`; `{*path}` takes the rest.
    pub path: &'static str,
    /// The command that does it, if one does.
    pub command: Option<&'static str>,
    /// Who may.
    pub access: Access,
    /// What it does, in a sentence.
    pub summary: &'static str,
}

macro_rules! operations {
    ($($konst:ident $name:literal $method:literal $path:literal $command:expr, $access:ident, $summary:literal;)*) => {
        $(#[doc = $summary] pub const $konst: Operation = Operation {
            name: $name, method: $method, path: $path, command: $command, access: Access::$access, summary: $summary,
        };)*
        /// All operations.
        pub const ALL: &[Operation] = &[$($konst),*];
    };
}

operations! {
    HEALTH "daemon.health" "GET" "/healthz" None, Open, "Whether the process answers.";
    READY "daemon.ready" "GET" "/readyz" None, Open, "Whether the daemon takes prompts.";
    STATUS "daemon.status" "GET" "/v1/daemon" Some("status"), Read, "What the daemon is and how it fares.";
    STOP "daemon.stop" "POST" "/v1/daemon/stop" Some("daemon stop"), Admin, "Stops the daemon in good order.";
    EVENTS "daemon.events" "GET" "/v1/events" Some("events"), Read, "What belongs to no session: the daemon's own updates, as pages of JSON or a stream with replay (text/event-stream).";
    CONFIG_GET "config.get" "GET" "/v1/config" Some("config get"), Read, "The configuration in force, with who said so of each key; keys are only pointed at.";
    CONFIG_RELOAD "config.reload" "POST" "/v1/config/reload" Some("config reload"), Admin, "Reads the configuration anew and puts all of it in force, or nothing.";
    CONFIG_CHECK "config.check" "POST" "/v1/config/check" Some("config check"), Admin, "Says what a reload would do with the file, or with a text, and does nothing.";
    GC "daemon.gc" "POST" "/v1/daemon/gc" Some("daemon gc"), Admin, "Tidies up now, and says what went: free pages, expired answers, unused pictures; with `dry_run=true` what would go.";
    SNAPSHOT_CREATE "snapshots.create" "POST" "/v1/snapshots" Some("snapshot create"), Admin, "Makes a snapshot: a copy of the whole state in one file, while turns run.";
    SNAPSHOT_LIST "snapshots.list" "GET" "/v1/snapshots" Some("snapshot ls"), Read, "The snapshots, newest first.";
    SNAPSHOT_GET "snapshots.get" "GET" "/v1/snapshots/{snapshot}" Some("snapshot show"), Read, "One snapshot with its manifest.";
    SNAPSHOT_VERIFY "snapshots.verify" "POST" "/v1/snapshots/{snapshot}/verify" Some("snapshot verify"), Admin, "Reads a snapshot wholly and checks every hash.";
    SNAPSHOT_REMOVE "snapshots.remove" "DELETE" "/v1/snapshots/{snapshot}" Some("snapshot rm"), Admin, "Removes a snapshot.";
    UPGRADE "daemon.upgrade" "POST" "/v1/daemon/upgrade" Some("daemon upgrade"), Admin, "Hands everything over to another binary; clients notice a reconnect at most.";
    MODELS "models.list" "GET" "/v1/models" Some("models ls"), Read, "The models that can be called, routes, servers found on this machine, and keys on offer.";
    MODEL_TEST "models.test" "POST" "/v1/models/{model}/test" Some("models test"), Write, "Tries what a model can do, with a few small calls.";
    KEYS "keys.list" "GET" "/v1/keys" Some("keys ls"), Read, "Where keys are and whether they are there; never a key.";
    KEY_SET "keys.set" "PUT" "/v1/keys/{name}" Some("keys set"), Admin, "Keeps a key, and uses it from now on.";
    KEY_REMOVE "keys.remove" "DELETE" "/v1/keys/{name}" Some("keys rm"), Admin, "Removes a kept key.";
    SESSION_CREATE "sessions.create" "POST" "/v1/sessions" Some("ask"), Write, "Opens a session, with its first prompt if one is given.";
    SESSION_LIST "sessions.list" "GET" "/v1/sessions" Some("sessions ls"), Read, "The sessions, newest first, a page at a time.";
    SESSION_SEARCH "sessions.search" "GET" "/v1/sessions/search" Some("sessions search"), Read, "Sessions in whose titles, prompts or replies words stand.";
    SESSION_GET "sessions.get" "GET" "/v1/sessions/{session}" Some("sessions show"), Read, "One session.";
    SESSION_UPDATE "sessions.update" "PATCH" "/v1/sessions/{session}" Some("sessions title"), Write, "Gives a session another title.";
    SESSION_REMOVE "sessions.remove" "DELETE" "/v1/sessions/{session}" Some("sessions rm"), Accept, "Removes a session with all its words.";
    SESSION_REDACT "sessions.redact" "POST" "/v1/sessions/{session}/redact" Some("sessions redact"), Accept, "Takes the words of events out of the journal, and out of the forks that copied them.";
    SESSION_FORK "sessions.fork" "POST" "/v1/sessions/{session}/fork" Some("sessions fork"), Write, "Opens a session that begins as a copy of another one.";
    SESSION_EXPORT "sessions.export" "GET" "/v1/sessions/{session}/export" Some("sessions export"), Read, "A session as a file: journal, blobs, open questions.";
    SESSION_IMPORT "sessions.import" "POST" "/v1/sessions/import" Some("sessions import"), Write, "Takes a session in from the file that another daemon made of it.";
    SESSION_ARCHIVE "sessions.archive" "POST" "/v1/sessions/{session}/archive" Some("sessions archive"), Write, "Puts a session away: its events leave the journal for a file of their own.";
    SESSION_UNARCHIVE "sessions.unarchive" "POST" "/v1/sessions/{session}/unarchive" Some("sessions unarchive"), Write, "Brings an archived session back into the journal, with the same id, events and hashes.";
    SESSION_REPLAY "sessions.replay" "POST" "/v1/sessions/{session}/replay" Some("sessions replay"), Write, "Runs a recorded session again, offline, and says where it would go another way.";
    SESSION_CONTEXT "sessions.context" "GET" "/v1/sessions/{session}/context" Some("context show"), Read, "What the next model call would be given.";
    SESSION_PROMPT "sessions.prompt" "POST" "/v1/sessions/{session}/prompts" Some("ask"), Write, "Says something to a session.";
    SESSION_EVENTS "sessions.events" "GET" "/v1/sessions/{session}/events" Some("sessions show"), Read, "The session's updates: pages of JSON, or a stream with replay (text/event-stream).";
    SESSION_BLOB "sessions.blob" "GET" "/v1/sessions/{session}/blobs/{blob}" None, Read, "A long text or a file that an update refers to.";
    SESSION_CANCEL "sessions.cancel" "POST" "/v1/sessions/{session}/cancel" Some("cancel"), Write, "Cancels the running turn.";
    SESSION_ANSWER "sessions.answer" "POST" "/v1/sessions/{session}/approvals/{approval}" Some("approve"), Accept, "Answers a question.";
    AUDIT_VERIFY "audit.verify" "GET" "/v1/audit/verify" Some("audit verify"), Read, "Computes all chains anew and checks signatures and blobs: an answer in JSON, or a stream with progress (text/event-stream).";
    AUDIT_EXPORT "audit.export" "GET" "/v1/audit/export" Some("audit export"), Read, "A bundle of JSON lines with which somebody else can check the chains without tinkerbell.";
    AUDIT_SIGN "audit.sign" "POST" "/v1/audit/sign" Some("audit sign"), Write, "Signs the chain of heads as it stands now.";
    SCHEDULE_CREATE "schedules.create" "POST" "/v1/schedules" Some("schedule add"), Write, "Makes a schedule: a prompt that is said by itself, when it is due.";
    SCHEDULE_LIST "schedules.list" "GET" "/v1/schedules" Some("schedule ls"), Read, "The schedules, with their next and last runs.";
    SCHEDULE_GET "schedules.get" "GET" "/v1/schedules/{schedule}" Some("schedule show"), Read, "One schedule, with what became of its last occurrences.";
    SCHEDULE_REMOVE "schedules.remove" "DELETE" "/v1/schedules/{schedule}" Some("schedule rm"), Write, "Removes a schedule and forgets its words.";
    SCHEDULE_PAUSE "schedules.pause" "POST" "/v1/schedules/{schedule}/pause" Some("schedule pause"), Write, "Lets a schedule rest.";
    SCHEDULE_RESUME "schedules.resume" "POST" "/v1/schedules/{schedule}/resume" Some("schedule resume"), Write, "Lets a schedule go on.";
    SCHEDULE_RUN "schedules.run" "POST" "/v1/schedules/{schedule}/run" Some("schedule run"), Write, "Says a schedule's prompt now, beside its times.";
    CANVAS_GET "canvas.get" "GET" "/v1/sessions/{session}/canvas" Some("diff --stat"), Read, "What the canvas holds that is not accepted.";
    CANVAS_DIFF "canvas.diff" "GET" "/v1/sessions/{session}/canvas/diff" Some("diff"), Read, "The canvas as a patch.";
    CANVAS_HUNKS "canvas.hunks" "GET" "/v1/sessions/{session}/canvas/hunks" Some("accept --patch"), Read, "The canvas in hunks, for choosing among them.";
    CANVAS_LOG "canvas.log" "GET" "/v1/sessions/{session}/canvas/log" Some("log"), Read, "The micro-commits.";
    CANVAS_SHOW "canvas.show" "GET" "/v1/sessions/{session}/canvas/steps/{seq}" Some("show"), Read, "One micro-commit as a patch.";
    CANVAS_FILE "canvas.file" "GET" "/v1/sessions/{session}/canvas/files/{*path}" Some("show"), Read, "A file as the session sees it.";
    CANVAS_ACCEPT "canvas.accept" "POST" "/v1/sessions/{session}/canvas/accept" Some("accept"), Accept, "Writes the canvas, or some of its paths or hunks, into the work tree, and makes a commit of it if asked.";
    CANVAS_KEEP "canvas.keep" "POST" "/v1/sessions/{session}/canvas/keep" Some("accept --overwrite"), Accept, "Settles a conflict for the canvas: what it holds is what accept will write.";
    CANVAS_UNDO "canvas.undo" "POST" "/v1/sessions/{session}/canvas/undo" Some("accept --undo"), Accept, "Takes the last accept back.";
    CANVAS_REJECT "canvas.reject" "POST" "/v1/sessions/{session}/canvas/reject" Some("reject"), Write, "Drops changes from the canvas.";
    CANVAS_REWIND "canvas.rewind" "POST" "/v1/sessions/{session}/canvas/rewind" Some("rewind"), Write, "Steps back to a micro-commit.";
    CANVAS_REDO "canvas.redo" "POST" "/v1/sessions/{session}/canvas/redo" Some("redo"), Write, "Steps forward again after a rewind.";
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_routes_are_unique() {
        let names: BTreeSet<_> = ALL.iter().map(|op| op.name).collect();
        let routes: BTreeSet<_> = ALL.iter().map(|op| (op.method, op.path)).collect();
        assert_eq!((names.len(), routes.len()), (ALL.len(), ALL.len()));
    }

    #[test]
    fn nothing_changes_by_get() {
        assert!(
            ALL.iter().all(|op| op.method != "GET" || matches!(op.access, super::Access::Open | super::Access::Read))
        );
    }
}
