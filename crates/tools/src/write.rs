//! `write_file`: a whole file, new or in place of one that the session has seen.

use crate::hands::Hands;
use crate::output::Output;
use crate::refusal::Refusal;
use crate::text;
use wire::{Contents, Mode, RelPath};

/// Puts `content` at `path`. An existing file keeps its mode; its bytes must be those that the session last saw.
pub(crate) fn write_file(hands: &Hands<'_>, path: &RelPath, content: &str) -> Result<Output, Refusal> {
    hands.limits.content().admit("content", content.len() as u64)?;
    let shown = text::path(path);
    let found = hands.file(path)?;
    let mode = found.as_ref().map_or(Mode::Regular, |file| file.mode);
    let after = Contents { bytes: content.as_bytes().to_vec(), mode };
    let kind = match &found {
        // To say the same again harms nothing, seen or not.
        Some(file) if *file == after => {
            let text = format!("{shown} already holds exactly this ({}); nothing to write", text::size(&after));
            return Ok(Output::done(text).saw(path, Some(after.state())));
        }
        Some(file) if hands.files.seen(path).is_none() => {
            return Err(Refusal::NotSeen { path: shown.into_owned(), size: text::size(file) });
        }
        Some(file) => format!("was {}{}", text::size(file), line_ends_change(file, content)),
        None => "new file".to_owned(),
    };
    hands.unchanged(path, found.as_ref())?;
    let text = format!("wrote {shown}: {} ({kind})", text::size(&after));
    Ok(Output::done(text).change(path, found, Some(after)))
}

/// A word of warning where a file with CRLF line ends gets LF: what is written is what was asked, but the model may not
/// have meant it.
fn line_ends_change(before: &Contents, after: &str) -> &'static str {
    let had = text::of(&before.bytes).is_some_and(|text| text.contains("\r\n"));
    if had && after.contains('\n') && !after.contains("\r\n") { "; its line ends were CRLF and are now LF" } else { "" }
}
