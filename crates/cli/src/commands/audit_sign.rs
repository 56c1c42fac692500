//! `audit sign`: signs the chain as it stands now.

use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use wire::operation;
use wire::rest::Signed;

/// Signs the chain of all sessions as it stands now, and prints what was signed
///
/// The daemon signs by itself: when it begins and ends, after every thousand appends, and a minute after the last ones.
/// What this prints can be written down elsewhere: as long as `audit verify` finds that link with that hash, nothing
/// before it was changed, whatever became of the key.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell audit sign
  tinkerbell audit sign --json >> /mnt/elsewhere/signed.jsonl")]
pub(crate) struct Sign {}

impl Sign {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let answer = client.call(&Request::new(&operation::AUDIT_SIGN)?)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let signed: Signed = answer.read()?;
        let at = wire::time::write(signed.at);
        context.screen.out().line(&format!("link {} {} signed {at}", signed.link, signed.hash))?;
        context.screen.remark(FAINT, &format!("key {}", signed.key))?;
        Ok(Exit::GOOD)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};

    #[test]
    fn it_prints_what_can_be_written_down() {
        let (hash, state, key) = ("02".repeat(32), "01".repeat(32), "a7".repeat(32));
        let signed = format!(
            "{{\"link\":57,\"hash\":\"{hash}\",\"at\":\"2026-11-23T09:00:00.000000Z\",\"state\":\"{state}\",\"key\":\"{key}\"}}"
        );
        let done = run(daemon(&[&signed]), &["audit", "sign"]);
        assert_eq!(done.out, format!("link 57 {hash} signed 2026-11-23T09:00:00.000000Z\n"));
        assert!(done.aside.contains(&key) && done.heard[0].starts_with("POST /v1/audit/sign "), "{done:?}");
    }
}
