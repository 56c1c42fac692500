//! Quantities, times and lists of files as people read them.

use crate::columns;
use crate::error::Error;
use crate::plain;
use crate::screen::{BAD, GOOD, NOTE, Sink};
use crate::terminal;
use agent::{Micros, Money, Usage};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::rest::{FileRow, FileStatus};

/// What a line of a list of files has beside the path: the letter, and lines added and removed.
const DIFFSTAT_COLUMNS: usize = 20;
/// No path is shortened to less than this.
const MIN_PATH_COLUMNS: usize = 16;

/// The wall clock.
pub(crate) fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// How long ago something was, such as `3 min ago`; the date once it is more than a week.
pub(crate) fn ago(at: Micros, now: Micros) -> String {
    let seconds = now.0.saturating_sub(at.0) / 1_000_000;
    match seconds {
        ..5 => "just now".to_owned(),
        5..604_800 => format!("{} ago", lasting(seconds)),
        _ => wire::time::day(at),
    }
}

/// A length of time in its largest unit, such as `3 min`.
pub(crate) fn lasting(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Money, with as many digits as small sums need.
pub(crate) fn dollars(money: Money) -> String {
    let (whole, rest) = (money.0 / 1_000_000, money.0 % 1_000_000);
    if rest.is_multiple_of(10_000) {
        format!("${whole}.{:02}", rest / 10_000)
    } else {
        format!("${whole}.{rest:06}").trim_end_matches('0').to_owned()
    }
}

/// Bytes in the unit that suits them.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(count) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}

/// A number with its thousands apart.
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things.
pub(crate) fn count(number_of: u64, thing: &str) -> String {
    format!("{} {thing}{}", number(number_of), if number_of == 1 { "" } else { "s" })
}

/// Tokens and money, such as `1,234 tokens in, 56 out, $0.0012`.
pub(crate) fn usage(usage: &Usage, cost: Money) -> String {
    let about = if usage.estimated { "about " } else { "" };
    let (input, output) = (number(usage.input_tokens.0), number(usage.output_tokens.0));
    let cached = match usage.cached_tokens.0 {
        0 => String::new(),
        tokens => format!(" ({} cached)", number(tokens)),
    };
    format!("{about}{input} tokens in{cached}, {output} out, {}", dollars(cost))
}

/// The letter for what happened to a file, as git has it.
fn letter(status: FileStatus) -> &'static str {
    match status {
        FileStatus::Added => "A",
        FileStatus::Modified => "M",
        FileStatus::Deleted => "D",
    }
}

/// Lists files with their lines added and removed, and a sum below.
pub(crate) fn diffstat(sink: &mut Sink, files: &[FileRow]) -> Result<(), Error> {
    let terminal = terminal::size().filter(|_| sink.is_for_people());
    let room = terminal.map_or(usize::MAX, |size| size.columns.saturating_sub(DIFFSTAT_COLUMNS).max(MIN_PATH_COLUMNS));
    let names: Vec<String> =
        files.iter().map(|file| columns::shorten_front(&plain::name(file.path.as_str()), room)).collect();
    let width = names.iter().map(|name| columns::width(name)).max().unwrap_or(0);
    for (file, name) in files.iter().zip(&names) {
        let style = match file.status {
            FileStatus::Added => GOOD,
            FileStatus::Modified => NOTE,
            FileStatus::Deleted => BAD,
        };
        let mark = sink.paint(style, letter(file.status));
        let lines = lines_changed(sink, file);
        sink.line(&format!(" {mark} {}  {lines}", columns::pad(name, width)))?;
    }
    let (added, removed) =
        files.iter().fold((0, 0), |(a, r), file| (a + u64::from(file.added), r + u64::from(file.removed)));
    let files = count(files.len() as u64, "file");
    sink.line(&format!(" {files}, {} added, {removed} removed", count(added, "line")))
}

fn lines_changed(sink: &Sink, file: &FileRow) -> String {
    if file.binary {
        return "not text".to_owned();
    }
    let mut parts = Vec::new();
    if file.added > 0 {
        parts.push(sink.paint(GOOD, &format!("+{}", file.added)));
    }
    if file.removed > 0 {
        parts.push(sink.paint(BAD, &format!("-{}", file.removed)));
    }
    if parts.is_empty() {
        parts.push(if file.status == FileStatus::Modified { "mode".to_owned() } else { "empty".to_owned() });
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;
    use wire::RelPath;

    #[test]
    fn quantities_have_their_units() {
        assert_eq!(
            (dollars(Money(0)), dollars(Money(1_234)), dollars(Money(2_500_000))),
            ("$0.00".into(), "$0.001234".into(), "$2.50".into())
        );
        assert_eq!((bytes(12), bytes(1536), bytes(5 << 30)), ("12 B".into(), "1.5 KiB".into(), "5.0 GiB".into()));
        assert_eq!((number(999), number(1_000), number(1_234_567)), ("999".into(), "1,000".into(), "1,234,567".into()));
        assert_eq!((count(1, "file"), count(2, "file")), ("1 file".into(), "2 files".into()));
    }

    #[test]
    fn times_are_told_from_now() {
        let now = Micros(1_763_888_400_000_000);
        let before = |seconds: i64| ago(Micros(now.0 - seconds * 1_000_000), now);
        assert_eq!(
            [before(-9), before(59), before(190), before(90_000)],
            ["just now", "59 s ago", "3 min ago", "1 day ago"]
        );
        assert_eq!(before(700_000), "2025-11-15");
    }

    #[test]
    fn a_diffstat_names_each_file_and_sums_up() {
        let row = |path: &str, status, added, removed| FileRow {
            path: RelPath::new(path).unwrap(),
            status,
            added,
            removed,
            binary: false,
            mode: None,
        };
        let files = [row("README.md", FileStatus::Modified, 3, 1), row("a", FileStatus::Added, 1, 0)];
        let (mut screen, out, _) = testing::screen(false);
        diffstat(screen.out(), &files).unwrap();
        assert_eq!(out.text(), " M README.md  +3 -1\n A a          +1\n 2 files, 4 lines added, 1 removed\n");
    }
}
