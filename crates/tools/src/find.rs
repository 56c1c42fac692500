//! `find_files`: paths by a glob or by a part of their name.

use crate::hands::Hands;
use crate::output::{Body, Output};
use crate::refusal::Refusal;
use crate::text;
use crate::walk::{Visit, walk};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::ops::ControlFlow;
use wire::{EntryKind, RelPath};

/// Lists the files of the workspace that a pattern matches.
pub(crate) fn find_files(hands: &Hands<'_>, pattern: &str) -> Result<Output, Refusal> {
    hands.limits.pattern().admit("pattern", pattern.len() as u64)?;
    let wanted = Pattern::read(pattern)?;
    let mut body = Body::new(hands.limits.output_bytes);
    let (mut found, mut cut) = (0, false);
    let walked = walk(hands, None, u64::MAX, |visit| {
        let Visit::At(path, EntryKind::File(_) | EntryKind::Symlink) = visit else {
            return Ok(ControlFlow::Continue(()));
        };
        if !wanted.matches(path) {
            return Ok(ControlFlow::Continue(()));
        }
        if found == hands.limits.entries_listed || !body.push(&text::path(path)) {
            cut = true;
            return Ok(ControlFlow::Break(()));
        }
        found += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    let mut notes = walked.notes(hands);
    if cut {
        notes.insert(0, format!("… more than {}; use a narrower pattern", text::count(found, "file", "files")));
    }
    if found == 0 && walked.ignored > 0 {
        notes.push("ignored files were not looked at".to_owned());
    }
    let first = format!("{}: {}", text::quoted(pattern), text::count(found, "file", "files"));
    Ok(Output::done(body.finish(&first, &notes)))
}

/// What a pattern asks for.
enum Pattern {
    /// A word that the name contains, in lower case.
    Word(String),
    /// A glob that the name matches, in any directory.
    Name(GlobSet),
    /// A glob that the whole path matches.
    Path(GlobSet),
}

impl Pattern {
    /// Reads a pattern as those who write it mean it: without a slash it is about names, with one about paths, and a
    /// directory stands for all that is in it.
    fn read(pattern: &str) -> Result<Pattern, Refusal> {
        let refused = |reason: &str| Refusal::Glob { pattern: text::quoted(pattern), reason: reason.to_owned() };
        let mut glob = pattern.trim_start_matches("./").to_owned();
        if glob.starts_with('/') {
            return Err(refused("patterns are relative to the workspace, so it must not begin with a slash"));
        }
        if glob.split('/').any(|part| part == "..") {
            return Err(refused("only the workspace is searched, so it must not hold .."));
        }
        if glob.ends_with('/') {
            glob.push_str("**");
        }
        if !glob.contains(['/', '*', '?', '[', ']', '{', '}', '\\']) {
            return Ok(Pattern::Word(glob.to_lowercase()));
        }
        let parsed =
            GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).empty_alternates(true).build();
        let parsed = parsed.map_err(|error| refused(&error.kind().to_string()))?;
        // A set, though of one, because only sets tell an error where a pattern is too deep or too large.
        let set = GlobSetBuilder::new().add(parsed).build().map_err(|_| refused("it is too complicated"))?;
        Ok(if glob.contains('/') { Pattern::Path(set) } else { Pattern::Name(set) })
    }

    fn matches(&self, path: &RelPath) -> bool {
        match self {
            Pattern::Word(word) => path.name().to_lowercase().contains(word),
            Pattern::Name(glob) => glob.is_match(path.name()),
            Pattern::Path(glob) => glob.is_match(path.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_those_who_write_it_mean() {
        for (pattern, path, expected) in [
            ("*.rs", "src/deep/a.rs", true),
            ("*.rs", "a.rsx", false),
            ("readme", "docs/README.md", true),
            ("docs", "docs/a.md", false),
            ("a.b", "axb", false),
            ("src/**", "src/deep/a.rs", true),
            ("src/", "src/deep/a.rs", true),
            ("src/*.rs", "src/deep/a.rs", false),
            ("./src/*.rs", "src/a.rs", true),
            ("src/*.rs", "lib/src/a.rs", false),
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("**/src/**/*.rs", "crates/tools/src/a.rs", true),
            ("**/*", ".hidden", true),
            ("*.{rs,toml}", "crates/tools/Cargo.toml", true),
            ("a?.txt", "ab.txt", true),
            ("[ab].txt", "c.txt", false),
            ("\\*.rs", "a.rs", false),
            ("src/main.rs", "src/main.rs", true),
        ] {
            let matches = Pattern::read(pattern).unwrap().matches(&RelPath::new(path).unwrap());
            assert_eq!(matches, expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_and_never_a_panic() {
        let deep = format!("{}a{}", "{b,".repeat(400), "}".repeat(400));
        for pattern in ["/etc/*", "../*", "a/../b*", "[a", "{a", "a}*", deep.as_str()] {
            assert!(matches!(Pattern::read(pattern), Err(Refusal::Glob { .. })), "{pattern}");
        }
    }
}
