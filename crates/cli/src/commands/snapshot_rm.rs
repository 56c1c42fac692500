//! `snapshot rm`: removes snapshots.

use super::snapshot_ls::find;
use crate::confirm::confirm;
use crate::error::Error;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use wire::operation;

/// Removes snapshots; this cannot be taken back
///
/// Their files are deleted. What a session said and was removed since may still have stood in them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell snapshot rm 0a1b2c3d\n  tinkerbell snapshot rm --yes 0a1b2c3d 4e5f6a7b"
)]
pub(crate) struct Remove {
    /// The snapshots: their names, or the beginnings or ends of them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Remove {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let mut ids = Vec::new();
        for typed in &self.ids {
            let id = find(&mut client, typed)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        if !confirm(&mut context.screen, &format!("Remove {} for good?", names.join(", ")), self.yes)? {
            return Ok(Exit::BAD);
        }
        for id in &ids {
            client.call(&Request::new(&operation::SNAPSHOT_REMOVE)?.at("snapshot", id))?;
            if !context.globals.json {
                context.screen.out().line(&format!("removed {id}"))?;
            }
        }
        if context.globals.json {
            return context.print_json(serde_json::json!({ "removed": names }).to_string().as_bytes());
        }
        Ok(Exit::GOOD)
    }
}
