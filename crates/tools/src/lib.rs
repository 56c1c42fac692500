//! The hands: the table of tools that a model is offered, the check of what it asks, and the built-in file tools.
//!
//! A call goes through two doors. [`check`] reads a model's arguments and either gives a [`Checked`] call or says, in
//! words the model can repair itself from, what is wrong with them. [`run`] performs the call over a view of the
//! session's [`Files`] and gives an [`Output`]: what to tell the model, what would change, and what was seen.
//!
//! # What a result looks like
//!
//! The first line says what was done or found. Then comes the body, bounded by [`Limits`]. Lines in square brackets at
//! the end say what is left out and how to read on. `read_file` keeps to one exact form, which programs may parse:
//!
//! ```text
//! PATH: lines A-B of N, M bytes
//! the lines themselves, verbatim and without numbers
//! [… K more lines; read on with offset L]
//! ```
//!
//! The last line is there only where lines follow. An empty file has `lines 0-0 of 0, 0 bytes`; a file that is not
//! UTF-8 text is told as `PATH: binary, M bytes` and not shown, unless it is an image or a PDF: then the line is
//! `PATH: image/png, M bytes, WxH` (the size in pixels where the file says it) and the bytes are attached. `M` counts the whole file. A single line that is longer
//! than the bound is cut, and the last line then begins with `[… line A is cut`. In all results a path that
//! holds control characters is written as a JSON string, so that a name cannot pretend to be a line.
//!
//! `edit_file` begins with `edited PATH: ` and `apply_patch` with `applied the patch: `; below stand the changed lines
//! with their numbers, or what became of each file.
//!
//! # Rules that hold for every tool
//!
//! * A file has one name: a path that leads through a symbolic link is refused, with the path it stands for. So what
//!   permissions judged is what is touched, and no change ends up behind a link.
//! * Bytes that the session has not seen are not overwritten, and what changed since it was seen is read again first.
//! * Walks skip `.git` and what `.gitignore` and `.ignore` files exclude, follow no links and go in the order of names.
//!
//! Deliberately absent: writing (a tool returns changes, the canvas keeps them), opening files (only the view behind
//! [`Files`] does), git's global and per-repository excludes (they are not part of the workspace), threads and clocks.

mod call;
mod edit;
mod files;
mod find;
mod hands;
mod ignored;
mod indent;
mod limits;
mod lines;
mod list;
mod matching;
mod nearest;
mod output;
mod patch;
mod picture;
mod pieces;
mod read;
mod refusal;
mod relocate;
mod search;
mod table;
mod text;
mod walk;
mod write;

pub use call::{CallError, Checked, MAX_ARGUMENTS_BYTES, check};
pub use files::{Files, FilesError};
pub use hands::run;
pub use limits::Limits;
pub use output::{Attached, FileChange, Output};
pub use patch::PatchError;
pub use table::table;
