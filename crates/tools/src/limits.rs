//! Bounds of everything a tool reads, writes or says.

use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};

/// What a tool may at most take and give. Where a part of the answer is of use it is given, with a line that says what
/// is left out; where it is not, the call is refused with the limit's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Size of a file that is read, searched or edited, and of what an edit makes of it. A larger one is refused; a
    /// search leaves it out and says so.
    pub file_bytes: u64,
    /// Size of what `write_file` and `edit_file` are given to write. More is refused.
    pub content_bytes: u64,
    /// Size of the body of a result; its first line and its notes come on top. More is cut.
    pub output_bytes: usize,
    /// Lines that one `read_file` shows. More is cut.
    pub lines_per_read: u64,
    /// Length of a line that `search_text` shows; a longer one is cut around the match.
    pub line_bytes: usize,
    /// Lines that `list_directory` and `find_files` show. More is cut.
    pub entries_listed: u64,
    /// Depth that `list_directory` may be asked for. More is refused.
    pub list_depth: u64,
    /// Names that one walk looks at. The walk ends there and says so.
    pub entries_walked: u64,
    /// Bytes that one search reads. The search ends there and says so.
    pub bytes_searched: u64,
    /// Matching lines that one search shows. The search ends there and says so.
    pub matches: u64,
    /// Lines around a match that `search_text` may be asked for. More is refused.
    pub context_lines: u64,
    /// Length of a pattern. A longer one is refused.
    pub pattern_bytes: usize,
    /// Files that one patch may change, one that it changes twice counted twice. More is refused.
    pub patch_files: u64,
    /// Lines that one edit or patch compares while it looks for its places. A text against which that is not enough
    /// is hostile, and the call is refused.
    pub lines_compared: u64,
    /// Size of an image or a document that is shown to the model. A larger one is refused.
    pub attachment_bytes: u64,
    /// Memory of a compiled regular expression. A larger one is refused.
    pub regex_bytes: usize,
    /// Size of all ignore files that one walk reads. Later ones are not honoured, and the result says so.
    pub ignore_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            file_bytes: 10 << 20,
            content_bytes: 2 << 20,
            output_bytes: 64 << 10,
            lines_per_read: 2_000,
            line_bytes: 500,
            entries_listed: 1_000,
            list_depth: 8,
            entries_walked: 50_000,
            bytes_searched: 512 << 20,
            matches: 500,
            context_lines: 20,
            pattern_bytes: 1_000,
            patch_files: 200,
            lines_compared: 50_000_000,
            attachment_bytes: 5 << 20,
            regex_bytes: 512 << 10,
            ignore_bytes: 256 << 10,
        }
    }
}

/// A limit over which a call is refused.
pub(crate) struct Bound {
    limit: u64,
    unit: &'static str,
    name: &'static str,
    remedy: &'static str,
}

impl Bound {
    /// Refuses what is over the limit; `what` says what it is that has this size.
    pub(crate) fn admit(&self, what: impl Into<String>, asked: u64) -> Result<(), Refusal> {
        let Bound { limit, unit, name, remedy } = *self;
        if asked > limit {
            return Err(Refusal::OverLimit { what: what.into(), asked, unit, limit, name, remedy });
        }
        Ok(())
    }
}

impl Limits {
    /// Bounds a file.
    pub(crate) fn file(&self) -> Bound {
        Bound { limit: self.file_bytes, unit: "bytes", name: "file_bytes", remedy: "larger files are left alone" }
    }

    /// Bounds what is given to write.
    pub(crate) fn content(&self) -> Bound {
        let remedy = "write a part first and add to it with edit_file";
        Bound { limit: self.content_bytes, unit: "bytes", name: "content_bytes", remedy }
    }

    /// Bounds a pattern.
    pub(crate) fn pattern(&self) -> Bound {
        let limit = self.pattern_bytes as u64;
        Bound { limit, unit: "bytes", name: "pattern_bytes", remedy: "use a shorter one" }
    }

    /// Bounds the depth of a listing.
    pub(crate) fn depth(&self) -> Bound {
        let remedy = "list a directory further down";
        Bound { limit: self.list_depth, unit: "levels", name: "list_depth", remedy }
    }

    /// Bounds the lines around a match.
    pub(crate) fn context(&self) -> Bound {
        let remedy = "read the file to see more";
        Bound { limit: self.context_lines, unit: "lines", name: "context_lines", remedy }
    }

    /// Bounds a patch.
    pub(crate) fn patch(&self) -> Bound {
        let remedy = "make several smaller ones";
        Bound { limit: self.content_bytes, unit: "bytes", name: "content_bytes", remedy }
    }

    /// Bounds the files of a patch.
    pub(crate) fn patched_files(&self) -> Bound {
        let remedy = "make several smaller patches";
        Bound { limit: self.patch_files, unit: "files", name: "patch_files", remedy }
    }

    /// Bounds the search for lines.
    pub(crate) fn comparisons(&self) -> Bound {
        let remedy = "the text is too repetitive; give fewer and more telling lines";
        Bound { limit: self.lines_compared, unit: "comparisons", name: "lines_compared", remedy }
    }

    /// Bounds an attachment.
    pub(crate) fn attachment(&self) -> Bound {
        let remedy = "it cannot be shown; a smaller one can";
        Bound { limit: self.attachment_bytes, unit: "bytes", name: "attachment_bytes", remedy }
    }
}
