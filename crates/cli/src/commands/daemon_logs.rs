//! `daemon logs`: the daemon's log for people. Read from the file, so that it is there when the daemon is not.

use crate::error::Error;
use crate::plain;
use crate::run::{Context, Exit};
use crate::screen::{BAD, FAINT, NOTE, Sink};
use anstyle::Style;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use wire::{Code, Problem};

/// How much is read at once, in bytes.
const BLOCK_BYTES: u64 = 64 * 1024;
/// The most of the file that is searched for the last lines, in bytes.
const MAX_TAIL_BYTES: u64 = 64 * 1024 * 1024;
/// How often a followed file is looked at.
const FOLLOW_PAUSE: Duration = Duration::from_millis(200);

/// Shows the daemon's log
///
/// It is read from its file, so it is there when the daemon is not. Words of prompts and replies are never in it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tinkerbell daemon logs\n  tinkerbell daemon logs -f\n  tinkerbell daemon logs -n 1000 --json"
)]
pub(crate) struct Logs {
    /// Wait for more
    #[arg(short, long)]
    follow: bool,

    /// How many lines from the end
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    lines: usize,
}

/// A log file that is being read.
struct LogFile<'a> {
    path: &'a Path,
    file: File,
    /// Bytes of a line that has no end yet.
    partial: Vec<u8>,
}

impl Logs {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let path = context.places()?.log_file();
        let unreadable = |error: io::Error| unreadable(&path, &error);
        let mut log = LogFile::open(&path).map_err(unreadable)?;
        let tail = log.tail(self.lines).map_err(unreadable)?;
        self.print(context, &tail)?;
        if !self.follow {
            return Ok(Exit::GOOD);
        }
        loop {
            context.screen.flush()?;
            let fresh = log.read_on().map_err(unreadable)?;
            if fresh.is_empty() {
                std::thread::sleep(FOLLOW_PAUSE);
            }
            self.print(context, &fresh)?;
        }
    }

    fn print(&self, context: &mut Context, lines: &[u8]) -> Result<(), Error> {
        if context.globals.json {
            return context.screen.out().put_bytes(lines);
        }
        String::from_utf8_lossy(lines).lines().try_for_each(|line| print_line(context.screen.out(), line))
    }
}

impl<'a> LogFile<'a> {
    fn open(path: &'a Path) -> io::Result<LogFile<'a>> {
        Ok(LogFile { path, file: File::open(path)?, partial: Vec::new() })
    }

    /// The last whole lines; what is written after them comes by [`LogFile::read_on`].
    fn tail(&mut self, lines: usize) -> io::Result<Vec<u8>> {
        let end = self.file.seek(SeekFrom::End(0))?;
        let mut start = end;
        let mut held: Vec<u8> = Vec::new();
        // One line feed more than lines, because the last one ends the last line.
        while start > 0 && line_feeds(&held) <= lines && end - start < MAX_TAIL_BYTES {
            let length = BLOCK_BYTES.min(start);
            start -= length;
            let mut block = vec![0; usize::try_from(length).expect("a block fits the memory")];
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(&mut block)?;
            block.append(&mut held);
            held = block;
        }
        self.file.seek(SeekFrom::Start(end))?;
        let whole = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.partial = held.split_off(whole);
        let extra = line_feeds(&held).saturating_sub(lines);
        if extra > 0 {
            let mut ends = held.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
            let cut = ends.nth(extra - 1).unwrap_or(0);
            held.drain(..cut);
        }
        Ok(held)
    }

    /// Whole lines that were written since, in the next file too if the log was begun anew.
    fn read_on(&mut self) -> io::Result<Vec<u8>> {
        let mut held = std::mem::take(&mut self.partial);
        self.file.read_to_end(&mut held)?;
        if held.is_empty() && self.was_replaced()? {
            self.file = File::open(self.path)?;
            self.file.read_to_end(&mut held)?;
        }
        let whole = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.partial = held.split_off(whole);
        Ok(held)
    }

    fn was_replaced(&mut self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        let was_cut = ours.len() < self.file.stream_position()?;
        match std::fs::metadata(self.path) {
            Ok(theirs) => Ok(was_cut || theirs.ino() != ours.ino() || theirs.dev() != ours.dev()),
            // Between two files; the next one will be there soon.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn line_feeds(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let detail = format!("cannot read the log {}: {error}", path.display());
    if error.kind() == io::ErrorKind::NotFound {
        return Problem::new(Code::NotFound, detail)
            .remedy("it is there once a daemon has run in the background: tinkerbell daemon start");
    }
    Problem::new(Code::Internal, detail).remedy("`tinkerbell doctor` looks at the directory")
}

/// Prints a line of the log: time, level, message, and the rest as `name=value`. What is no JSON is printed as it is.
fn print_line(out: &mut Sink, line: &str) -> Result<(), Error> {
    let Ok(Value::Object(record)) = serde_json::from_str(line) else {
        return out.line(&plain::strip(line));
    };
    let text = |name: &str| plain::name(record.get(name).and_then(Value::as_str).unwrap_or_default());
    let level = text("level");
    let style = match level.as_str() {
        "ERROR" => BAD,
        "WARN" => NOTE,
        "DEBUG" | "TRACE" => FAINT,
        _ => Style::new(),
    };
    let (time, level) = (out.paint(FAINT, &text("timestamp")), out.paint(style, &format!("{level:5}")));
    out.line(format!("{time} {level} {}{}", text("message"), others(&record)).trim_end())
}

/// The fields that say what the message is about.
fn others(record: &Map<String, Value>) -> String {
    const SAID: [&str; 4] = ["timestamp", "level", "message", "target"];
    let mut out = String::new();
    for (name, value) in record.iter().filter(|(name, _)| !SAID.contains(&name.as_str())) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.push_str(&format!(" {}={}", plain::name(name), plain::name(&value)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;
    use std::io::Write;

    #[test]
    fn the_tail_is_the_last_lines_however_long_the_file_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let all: Vec<String> = (0..20_000).map(|n| format!("line {n}\n")).collect();
        for (lines, kept) in [(0, 0), (1, 1), (3, 3), (19_999, 19_999), (20_000, 20_000), (50_000, 20_000)] {
            std::fs::write(&path, all.concat() + "half a li").unwrap();
            let mut log = LogFile::open(&path).unwrap();
            let tail = String::from_utf8(log.tail(lines).unwrap()).unwrap();
            assert_eq!(tail, all[all.len() - kept..].concat(), "{lines} lines");
            File::options().append(true).open(&path).unwrap().write_all(b"ne\n").unwrap();
            assert_eq!(log.read_on().unwrap(), b"half a line\n");
        }
    }

    #[test]
    fn following_goes_on_in_the_next_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "one\n").unwrap();
        let mut log = LogFile::open(&path).unwrap();
        assert_eq!(log.tail(10).unwrap(), b"one\n");
        std::fs::rename(&path, dir.path().join("log.1")).unwrap();
        assert_eq!(log.read_on().unwrap(), b"");
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(log.read_on().unwrap(), b"two\n");
    }

    #[test]
    fn a_record_is_one_harmless_line() {
        let record = r#"{"timestamp":"2025-11-23T09:00:00Z","level":"INFO","message":"turn \u001b[2Jdone","turn":"trn_1","steps":3,"target":"daemon"}"#;
        let (mut screen, out, _) = testing::screen(false);
        print_line(screen.out(), record).unwrap();
        print_line(screen.out(), "panicked at src/main.rs").unwrap();
        assert_eq!(
            out.text(),
            "2025-11-23T09:00:00Z INFO  turn ^[[2Jdone turn=trn_1 steps=3\npanicked at src/main.rs\n"
        );
    }
}
