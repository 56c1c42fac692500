//! `apply_patch`: changes of several files in one, in the two forms that models know. [`unified`] reads what `diff -u`
//! and git write, [`envelope`] what begins with `*** Begin Patch`; both become the same [`Patch`], which [`apply`]
//! performs wholly or not at all.
//!
//! A model's line numbers are a hint and its white space is nearly right; its words must be those of the file. So a
//! hunk is found by its lines, which may differ in white space as in `edit_file`, and where they stand several times
//! only by a right number or an anchor. Deliberately absent: leaving out context lines that do not fit (the fuzz of
//! `patch`), binary patches, copies, and making symbolic links.

mod apply;
mod cursor;
mod envelope;
mod error;
mod names;
mod place;
mod steps;
mod unified;

pub(crate) use apply::apply_patch;
pub use error::PatchError;
pub(crate) use steps::Patch;
