//! What is said to a session: words, standard input and files, made into one text.

use crate::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::{Code, Problem};

/// The most that one file or standard input may add, in bytes. The daemon has a limit of its own for the whole.
const MAX_PART_BYTES: u64 = 4 * 1024 * 1024;
/// After this long without a word on standard input we say that we read it.
const QUIET: Duration = Duration::from_secs(1);

/// Where the words come from.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    /// Words of the command line; a single `-` means standard input.
    pub(crate) words: &'a [String],
    /// Files to append.
    pub(crate) files: &'a [PathBuf],
}

impl Sources<'_> {
    /// The prompt: the words, then what stands on standard input, then the files.
    pub(crate) fn read(&self) -> Result<String, Error> {
        let asks_for_input = self.words.len() == 1 && self.words[0] == "-";
        let words = if asks_for_input { String::new() } else { self.words.join(" ") };
        let input = if asks_for_input || is_piped() { read_input()? } else { String::new() };
        let mut files = Vec::new();
        for path in self.files {
            files.push((path.as_path(), read_file(path)?));
        }
        let text = compose(&words, &input, &files);
        if text.trim().is_empty() { Err(nothing_said().into()) } else { Ok(text) }
    }
}

/// Puts the parts together. Input that stands alone is the prompt itself; beside words it is a marked block.
fn compose(words: &str, input: &str, files: &[(&Path, String)]) -> String {
    let mut parts = Vec::new();
    let input = input.trim_end_matches('\n');
    match (words.trim().is_empty(), input.is_empty()) {
        (true, false) => parts.push(input.to_owned()),
        (false, false) => {
            parts.push(words.to_owned());
            parts.push(format!("<stdin>\n{input}\n</stdin>"));
        }
        (false, true) => parts.push(words.to_owned()),
        (true, true) => {}
    }
    for (path, text) in files {
        parts.push(format!("<file path={:?}>\n{}\n</file>", path.display().to_string(), text.trim_end_matches('\n')));
    }
    parts.join("\n\n")
}

/// Whether something was piped or redirected into us. A terminal has nothing to say yet, and neither `/dev/null` nor
/// the socket that some service managers give is meant as a prompt.
fn is_piped() -> bool {
    use rustix::fs::FileType;
    let Ok(about) = rustix::fs::fstat(io::stdin().as_fd()) else { return false };
    matches!(FileType::from_raw_mode(about.st_mode), FileType::Fifo | FileType::RegularFile)
}

fn read_input() -> Result<String, Error> {
    let stdin = io::stdin();
    let waits = crate::wait::readable([Some(stdin.as_fd())], Some(QUIET)).is_ok_and(|[ready]| !ready);
    if waits {
        crate::screen::progress("reading the prompt from standard input (Ctrl-D ends it)…");
    }
    read_bounded(stdin.lock(), "standard input")
}

fn read_file(path: &Path) -> Result<String, Error> {
    let file = File::open(path).map_err(|error| unreadable(&path.display().to_string(), &error.to_string()))?;
    read_bounded(file, &path.display().to_string())
}

fn read_bounded(source: impl Read, name: &str) -> Result<String, Error> {
    let mut bytes = Vec::new();
    source.take(MAX_PART_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error.to_string()))?;
    if bytes.len() as u64 > MAX_PART_BYTES {
        let detail = format!("{name} is longer than {MAX_PART_BYTES} bytes, which is too much for a prompt");
        return Err(Problem::new(Code::TooLarge, detail)
            .remedy("name the file in the prompt and let the session read the parts it needs")
            .into());
    }
    String::from_utf8(bytes).map_err(|_| unreadable(name, "it is not UTF-8 text").into())
}

fn unreadable(name: &str, why: &str) -> Problem {
    Problem::new(Code::InvalidRequest, format!("cannot take {name} into the prompt: {why}"))
        .remedy("check the path and that it is a text file")
}

fn nothing_said() -> Problem {
    Problem::new(Code::InvalidRequest, "the prompt is empty")
        .remedy("tinkerbell ask \"what this repository does\", or pipe the prompt into `tinkerbell ask -`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_alone_is_the_prompt_and_beside_words_it_is_a_block() {
        assert_eq!(compose("fix this", "", &[]), "fix this");
        assert_eq!(compose("", "from a pipe\n", &[]), "from a pipe");
        assert_eq!(compose("explain", "a\nb\n", &[]), "explain\n\n<stdin>\na\nb\n</stdin>");
        let file = (Path::new("a.txt"), "text\n".to_owned());
        assert_eq!(compose("read", "", &[file]), "read\n\n<file path=\"a.txt\">\ntext\n</file>");
    }

    #[test]
    fn what_cannot_be_said_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("binary");
        std::fs::write(&binary, [0xff, 0xfe]).unwrap();
        let large = dir.path().join("large");
        std::fs::File::create(&large).unwrap().set_len(MAX_PART_BYTES + 1).unwrap();
        for (path, code) in
            [(dir.path().join("gone"), Code::InvalidRequest), (binary, Code::InvalidRequest), (large, Code::TooLarge)]
        {
            let Err(Error::Problem(problem)) = read_file(&path) else { panic!("{} was read", path.display()) };
            assert_eq!(problem.code, code);
            assert!(problem.detail.contains(&path.display().to_string()), "{problem}");
        }
    }
}
