//! `move_file` and `delete_file`: what becomes of a file as a whole, text or not. A symbolic link is moved or deleted
//! itself, never what it leads to.

use crate::hands::Hands;
use crate::output::Output;
use crate::refusal::Refusal;
use crate::text;
use wire::RelPath;

/// Moves a file to a path where nothing is. Mode and bytes stay.
pub(crate) fn move_file(hands: &Hands<'_>, from: &RelPath, to: &RelPath) -> Result<Output, Refusal> {
    let Some(file) = hands.file_or_link(from)? else { return Err(Refusal::Absent(text::path(from).into_owned())) };
    hands.unchanged(from, Some(&file))?;
    if hands.file_or_link(to)?.is_some() {
        return Err(Refusal::Exists(text::path(to).into_owned()));
    }
    hands.unchanged(to, None)?;
    let text = format!("moved {} to {}: {}", text::path(from), text::path(to), text::size(&file));
    Ok(Output::done(text).change(from, Some(file.clone()), None).change(to, None, Some(file)))
}

/// Deletes a file.
pub(crate) fn delete_file(hands: &Hands<'_>, path: &RelPath) -> Result<Output, Refusal> {
    let Some(file) = hands.file_or_link(path)? else { return Err(Refusal::Absent(text::path(path).into_owned())) };
    hands.unchanged(path, Some(&file))?;
    let text = format!("deleted {}: {}", text::path(path), text::size(&file));
    Ok(Output::done(text).change(path, Some(file), None))
}
