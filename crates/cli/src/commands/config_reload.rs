//! `config reload`: has the daemon read its configuration anew.

use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, NOTE};
use std::time::Duration;
use wire::operation;
use wire::rest::{ReloadRequest, Reloaded};

/// A server that does not answer is waited for, some seconds and several at a time.
const LIMIT: Duration = Duration::from_secs(60);

/// Has the daemon read its configuration anew: all of it counts, or nothing
///
/// The daemon notices by itself when the file changes; this is for where it cannot (some network file systems), and for
/// scripts that want to know how it went. A changed key, address or socket is tried before it takes the place of one that
/// works. What a running model call began with stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell config reload\n  tinkerbell config reload --force")]
pub(crate) struct Reload {
    /// Take it also where a key or an address does not work
    #[arg(long)]
    force: bool,
}

impl Reload {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::Never)?;
        client.wait_for("trying what changed".to_owned(), LIMIT);
        let request = ReloadRequest { force: self.force };
        let answer = client.call(&Request::new(&operation::CONFIG_RELOAD)?.json(&request))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let Reloaded { file, found, changed, warnings } = answer.read()?;
        let what = match (found, changed.is_empty()) {
            (false, _) => "there is no file, so all defaults count".to_owned(),
            (true, true) => "nothing says anything else than before".to_owned(),
            (true, false) => format!("another value counts for {}", plain::name(&changed.join(", "))),
        };
        context.screen.out().line(&format!("{}: {what}", plain::name(&file.display().to_string())))?;
        for warning in warnings {
            context.screen.remark(NOTE, &format!("note: {}", plain::name(&warning)))?;
        }
        if found && !changed.is_empty() {
            context.screen.remark(FAINT, "it counts from now on; what runs keeps what it began with")?;
        }
        Ok(Exit::GOOD)
    }
}

#[cfg(test)]
mod tests {
    use crate::run::Exit;
    use crate::testing::{daemon, run};

    #[test]
    fn what_changed_is_said() {
        let answer =
            r#"{"file":"/c","found":true,"changed":["limits.steps","daemon.log"],"warnings":["models.x: no"]}"#;
        let ran = run(daemon(&[answer]), &["config", "reload", "--force"]);
        assert_eq!(
            (ran.exit, ran.out.as_str()),
            (Some(Exit::GOOD), "/c: another value counts for limits.steps, daemon.log\n")
        );
        assert!(ran.aside.contains("note: models.x: no"), "{}", ran.aside);
        assert!(ran.heard[0].starts_with("POST /v1/config/reload ") && ran.heard[0].ends_with("{\"force\":true}"));
    }
}
