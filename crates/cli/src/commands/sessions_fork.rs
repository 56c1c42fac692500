//! `sessions fork`: a session that begins as a copy of another one.

use crate::current::{self, Which};
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use agent::Seq;
use wire::operation;
use wire::rest::{ForkRequest, Forked};

/// Opens a session that begins as a copy of another one
///
/// Both share what happened up to the fork, and then go their own ways; what runs stays with the parent. The fork is the
/// newest session, so it is the current one of the workspace.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions fork
  tinkerbell sessions fork 0a1b2c3d --at 14
  tinkerbell sessions fork --title \"the other way\"")]
pub(crate) struct Fork {
    /// The session: its id, or the beginning or end of it [default: the current one]
    #[arg(value_name = "ID", conflicts_with = "session")]
    id: Option<String>,

    /// The last update that both share (see `tinkerbell sessions show --events`) [default: all of them]
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,

    /// What to call the fork [default: as its parent]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,

    #[command(flatten)]
    which: Which,
}

impl Fork {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.or(self.id).find_id(&mut client)?;
        let body = ForkRequest { at_seq: self.at.map(Seq), title: self.title };
        let answer = client.call(&Request::new(&operation::SESSION_FORK)?.at("session", session).json(&body))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let forked: Forked = answer.read()?;
        context.screen.out().line(&forked.session.to_string())?;
        let short = current::short(forked.session);
        let next = format!(
            "a copy of {} up to {}; next: tinkerbell ask -s {short} \"…\"",
            current::short(forked.parent),
            forked.at_seq
        );
        context.screen.remark(FAINT, &next)?;
        Ok(Exit::GOOD)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn a_fork_is_named_and_its_parent_too() {
        let other = "ses_01kav9ft000000000000000009";
        let answer = serde_json::json!({"session": other, "seq": 15, "parent": SESSION, "at_seq": 14}).to_string();
        let fake = daemon(&[&answer]);
        let got = run(fake, &["sessions", "fork", SESSION, "--at", "14", "--title", "b"]);
        assert_eq!(got.out, format!("{other}\n"));
        assert_eq!(got.aside, "a copy of 00000007 up to 14; next: tinkerbell ask -s 00000009 \"…\"\n");
        assert!(got.heard[0].starts_with(&format!("POST /v1/sessions/{SESSION}/fork ")), "{:?}", got.heard);
        assert!(got.heard[0].ends_with("{\"at_seq\":14,\"title\":\"b\"}"), "{:?}", got.heard);
    }
}
