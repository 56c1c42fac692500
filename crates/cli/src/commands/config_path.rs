//! `config path`: where the configuration file is.

use crate::error::Error;
use crate::run::{Context, Exit};

/// Prints where the configuration file is, whether or not it is there
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  $EDITOR \"$(tinkerbell config path)\"")]
pub(crate) struct Path {}

impl Path {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let file = context.places()?.config_file;
        if context.globals.json {
            let answer = serde_json::json!({ "config_file": file.display().to_string(), "found": file.exists() });
            return context.print_json(answer.to_string().as_bytes());
        }
        let out = context.screen.out();
        out.put_bytes(std::os::unix::ffi::OsStrExt::as_bytes(file.as_os_str()))?;
        out.put("\n")?;
        Ok(Exit::GOOD)
    }
}
