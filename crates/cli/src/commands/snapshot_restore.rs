//! `snapshot restore`: a snapshot in the place of the state, or elsewhere. Done by the daemon's own code, without one.

use crate::passphrase::PassphraseFrom;
use std::path::PathBuf;

/// Puts a snapshot in the place of the state, or elsewhere
///
/// It is read to its last bit before anything is touched. A daemon that runs is stopped, and started again afterwards.
/// What was there is kept beside the new state under a name that is told, and --undo puts it back; the last three such
/// are kept, and --undo=NAME puts an earlier one back. Ctrl-C before the new state counts leaves the old one as it was. The configuration file stays as it is. Your own files are never touched. A turn that ran when the snapshot
/// was made goes on, as after a crash.
///
/// Sessions of another machine work here where --root says. Those of a portable snapshot (`snapshot create --portable`)
/// that worked below another home directory work below yours, unless a --root says otherwise: the longest OLD counts, and
/// one that leads to itself stays. What is not there is told, and so are the secrets that are to be set again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell snapshot restore 0a1b2c3d
  tinkerbell snapshot restore --undo
  tinkerbell snapshot restore --undo=before-restore-20261130T101500123456Z
  tinkerbell snapshot restore /mnt/usb/bell.tar --to ~/elsewhere
  TINKERBELL_HOME=~/elsewhere tinkerbell sessions ls
  tinkerbell snapshot restore ./bell.tar --root /home/ada/engine=/srv/engine")]
pub(crate) struct Restore {
    /// The snapshot: its name, the beginning or end of it, or a file (with a / in it)
    #[arg(value_name = "ID|FILE", required_unless_present = "undo", conflicts_with = "undo")]
    pub(crate) what: Option<String>,

    /// Unpack it into this new directory, for TINKERBELL_HOME, and leave the state alone
    #[arg(long, value_name = "DIR", conflicts_with = "undo")]
    pub(crate) to: Option<PathBuf>,

    /// Sessions that worked in OLD or below work in NEW from now on; both are absolute paths
    #[arg(long = "root", value_name = "OLD=NEW", conflicts_with = "undo")]
    pub(crate) roots: Vec<String>,

    /// Put a replaced state back: the last one, or the one kept as NAME; an unknown NAME lists those that are kept
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    pub(crate) undo: Option<Option<String>>,

    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) from: PassphraseFrom,
}
