//! `keys rm`: removes a key that the daemon keeps.

use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;

/// Removes a key that tinkerbell keeps, or that it put into the keyring
///
/// Keys in the environment or in files of your own stay where they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell keys rm anthropic")]
pub(crate) struct Remove {
    /// Whose key (see `tinkerbell keys ls`)
    #[arg(value_name = "NAME")]
    name: String,
}

impl Remove {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let answer = client.call(&Request::new(&operation::KEY_REMOVE)?.at("name", &self.name))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        context.screen.out().line(&format!("the key {} is removed", plain::name(&self.name)))?;
        Ok(Exit::GOOD)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};

    #[test]
    fn a_key_is_removed_by_its_name() {
        let got = run(daemon(&["{\"keys\":[]}"]), &["keys", "rm", "work"]);
        assert_eq!(got.out, "the key work is removed\n");
        assert!(got.heard[0].starts_with("DELETE /v1/keys/work "), "{:?}", got.heard);
    }
}
