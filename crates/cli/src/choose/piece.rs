//! What a hunk falls into: its runs of changed lines, each with the unchanged lines around it.

use std::ops::Range;

/// A hunk, or a part of one, that is decided as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Which file of the list.
    pub(crate) file: usize,
    /// Which hunk of the file, by its place in the list.
    pub(crate) hunk: usize,
    /// Which runs of changes of that hunk.
    pub(crate) runs: Range<usize>,
    /// What is shown above it.
    pub(crate) header: String,
    /// What is shown of it.
    pub(crate) lines: String,
    /// What was decided.
    pub(crate) decision: Option<bool>,
}

/// How many runs of changed lines a hunk has; at least one, since what has no lines is one change.
pub(crate) fn runs(lines: &str) -> usize {
    spans(lines).len().max(1)
}

impl Piece {
    /// Its parts, one for each run of changes.
    pub(crate) fn split(&self) -> Vec<Piece> {
        let lines: Vec<&str> = self.lines.split_inclusive('\n').collect();
        let spans = spans(&self.lines);
        let mut parts = Vec::new();
        for (at, _) in spans.iter().enumerate() {
            // Unchanged lines between two runs are shown with both.
            let from = at.checked_sub(1).map_or(0, |before| spans[before].end);
            let to = spans.get(at + 1).map_or(lines.len(), |after| after.start);
            let header = header(&self.header, &lines[..from], &lines[from..to]);
            let run = self.runs.start + at;
            parts.push(Piece { runs: run..run + 1, header, lines: lines[from..to].concat(), ..self.clone() });
        }
        parts
    }
}

/// The runs of changed lines, as ranges of lines.
fn spans(lines: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for (at, line) in lines.lines().enumerate() {
        // A remark on the end of the file belongs to the line before it.
        let is_changed = line.starts_with(['+', '-']);
        let is_remark = line.starts_with('\\') && spans.last().is_some_and(|span| span.end == at);
        match spans.last_mut() {
            Some(span) if (is_changed || is_remark) && span.end == at => span.end = at + 1,
            _ if is_changed => spans.push(at..at + 1),
            _ => {}
        }
    }
    spans
}

/// The header of a part, told from that of the whole and from what comes before the part.
fn header(whole: &str, before: &[&str], part: &[&str]) -> String {
    let Some((old, new)) = starts(whole) else { return whole.to_owned() };
    let (old_before, new_before) = sizes(before);
    let (old_lines, new_lines) = sizes(part);
    format!("@@ -{},{old_lines} +{},{new_lines} @@", old + old_before, new + new_before)
}

/// The first lines that `@@ -1,3 +1,4 @@` names.
fn starts(header: &str) -> Option<(usize, usize)> {
    let mut words = header.strip_prefix("@@ -")?.split(' ');
    let start = |word: &str| word.split(',').next()?.parse().ok();
    Some((start(words.next()?)?, start(words.next()?.strip_prefix('+')?)?))
}

/// How many lines there are before and after the change.
fn sizes(lines: &[&str]) -> (usize, usize) {
    let count = |signs: [char; 2]| lines.iter().filter(|line| line.starts_with(signs)).count();
    (count([' ', '-']), count([' ', '+']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = " one\n+new\n two\n-three\n+drei\n\\ No newline at end of file\n four\n";

    fn whole() -> Piece {
        let header = "@@ -10,4 +10,5 @@ fn go()".to_owned();
        Piece { file: 0, hunk: 2, runs: 0..2, header, lines: LINES.into(), decision: None }
    }

    #[test]
    fn each_run_of_changes_is_a_part_with_what_stands_around_it() {
        assert_eq!((runs(LINES), runs(""), runs(" a\n b\n")), (2, 1, 1));
        let parts = whole().split();
        let shown: Vec<(&str, &str)> = parts.iter().map(|part| (&part.header[..], &part.lines[..])).collect();
        assert_eq!(
            shown,
            [
                ("@@ -10,2 +10,3 @@", " one\n+new\n two\n"),
                ("@@ -11,3 +12,3 @@", " two\n-three\n+drei\n\\ No newline at end of file\n four\n"),
            ]
        );
        assert_eq!(parts.iter().map(|part| (part.hunk, part.runs.clone())).collect::<Vec<_>>(), [(2, 0..1), (2, 1..2)]);
    }

    #[test]
    fn what_is_no_patch_keeps_its_header() {
        assert_eq!(starts("mode 100644 becomes 100755"), None);
        assert_eq!(starts("@@ -3 +4,2 @@"), Some((3, 4)));
        assert_eq!(starts("@@ -x +4,2 @@"), None);
    }
}
