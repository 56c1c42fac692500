//! `snapshot show`: what a snapshot is and what is in it.

use super::snapshot_ls::{find, reason};
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::HEAD;
use crate::words;
use wire::operation;
use wire::rest::SnapshotView;
use wire::snapshot::{Portable, Why};

/// Shows what a snapshot is and what is in it
///
/// That is what its manifest says; `snapshot verify` proves it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell snapshot show 0a1b2c3d
  tinkerbell snapshot show /mnt/usb/bell.tar --json")]
pub(crate) struct Show {
    /// The snapshot: its name, the beginning or end of it, or a file (with a / in it)
    #[arg(value_name = "ID|FILE")]
    pub(crate) what: String,
}

impl Show {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let id = find(&mut client, &self.what)?;
        let view = client.call(&Request::new(&operation::SNAPSHOT_GET)?.at("snapshot", id))?.read()?;
        tell(context, &view)?;
        Ok(Exit::GOOD)
    }
}

/// Prints what a snapshot says of itself.
pub(crate) fn tell(context: &mut Context, view: &SnapshotView) -> Result<(), Error> {
    if context.globals.json {
        let document = serde_json::to_vec(view).expect("what a snapshot says is plain data");
        return context.print_json(&document).map(drop);
    }
    let SnapshotView { row, manifest } = view;
    let out = context.screen.out();
    let heading = out.paint(HEAD, &format!("{} of {}", row.id, wire::time::write(row.created_at)));
    out.line(&heading)?;
    let note = row.note.as_deref().map_or_else(|| "-".to_owned(), |note| plain::first_line(note, usize::MAX));
    let mut lines = vec![
        ("file", plain::name(&row.file.display().to_string())),
        ("size", words::bytes(row.bytes)),
        ("why", reason(row.reason).to_owned()),
        ("note", note),
        ("encrypted", if row.sealed { "yes" } else { "no" }.to_owned()),
        ("noted", if row.noted { "yes" } else { "no: the journal does not know it" }.to_owned()),
        ("sessions", words::number(row.sessions)),
        ("head", format!("{}, link {} of state {}", manifest.head, manifest.links, manifest.state)),
        ("made by", format!("tinkerbell {}, tables {}", plain::name(&manifest.tinkerbell), manifest.schema)),
    ];
    lines.extend(
        manifest.files.iter().map(|file| {
            ("holds", format!("{}, {}, {}", plain::name(&file.name), words::bytes(file.bytes), file.sha256))
        }),
    );
    lines.extend(manifest.portable.iter().flat_map(portable));
    lines.extend(manifest.left_out.iter().map(|left| {
        let why = match left.why {
            Why::Damaged => "it is damaged or gone",
            Why::Rebuilt => "it is made anew from the journal",
            Why::Secret => "it is a secret",
        };
        ("left out", format!("{}: {why}", plain::name(&left.name)))
    }));
    lines.iter().try_for_each(|(name, value)| out.line(&format!("  {name:10} {value}")))
}

/// What a portable one says of the machine that it comes from.
fn portable(portable: &Portable) -> Vec<(&'static str, String)> {
    let home = portable.home.as_deref().unwrap_or("-");
    let mut lines = vec![("portable", format!("yes, from the home directory {}", plain::name(home)))];
    lines.extend(portable.workspaces.iter().map(|workspace| {
        ("works in", format!("{}, {}", plain::name(&workspace.path), words::count(workspace.sessions, "session")))
    }));
    if portable.more_workspaces > 0 {
        lines.push(("works in", format!("{} more", words::number(portable.more_workspaces))));
    }
    lines.extend(portable.secrets.iter().map(|secret| ("set again", plain::name(&secret.how()))));
    lines
}
