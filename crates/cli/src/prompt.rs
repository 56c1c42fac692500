//! What is said to a session: words, standard input and files, made into one text, and the images that go with it.
//!
//! A word `@path` that names a file means the file: a text is put below the words, an image or a PDF goes along. A word
//! that is itself the path of an image or a PDF sends it too. Everything else stays a word.

use crate::error::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::media::MediaType;
use wire::rest::AttachmentRequest;
use wire::{Code, Problem};

/// The most that one file or standard input may add, in bytes. The daemon has a limit of its own for the whole.
const MAX_PART_BYTES: u64 = 4 * 1024 * 1024;
/// The largest image or document that is sent, in bytes.
const MAX_ATTACHMENT_BYTES: u64 = 20 * 1024 * 1024;
/// The most images and documents that go with one prompt.
const MAX_ATTACHMENTS: usize = 16;
/// How the names of files end that are sent where they are only named.
const ATTACHED_ENDINGS: [&str; 6] = [".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf"];
/// After this long without a word on standard input we say that we read it.
const QUIET: Duration = Duration::from_secs(1);

/// Where the words come from.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    /// Words of the command line; a single `-` means standard input.
    pub(crate) words: &'a [String],
    /// Files to append.
    pub(crate) files: &'a [PathBuf],
    /// Images and documents to send along.
    pub(crate) attached: &'a [PathBuf],
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// In words.
    pub(crate) text: String,
    /// And what goes with them.
    pub(crate) attachments: Vec<AttachmentRequest>,
}

impl Sources<'_> {
    /// The prompt: the words with what they mention, then what stands on standard input, then the files.
    pub(crate) fn read(&self) -> Result<Said, Error> {
        let asks_for_input = self.words.len() == 1 && self.words[0] == "-";
        let words = if asks_for_input { String::new() } else { self.words.join(" ") };
        let input = if asks_for_input || is_piped() { read_input()? } else { String::new() };
        let mut files = Vec::new();
        for path in self.files {
            files.push((path.clone(), read_file(path)?));
        }
        let mentioned = mentions(&words, Path::new(""))?;
        let mut attachments = mentioned.attachments;
        for path in self.attached {
            attachments.push(attachment(path)?);
        }
        few_enough(&attachments)?;
        let text = compose(&mentioned.text, &input, &files);
        if text.trim().is_empty() { Err(nothing_said().into()) } else { Ok(Said { text, attachments }) }
    }
}

/// The words with the files that they mention; relative paths are below `base`.
pub(crate) fn mentions(words: &str, base: &Path) -> Result<Said, Error> {
    let (mut said, mut files, mut seen) = (Said::default(), Vec::new(), BTreeSet::new());
    for word in parted(words) {
        let Some((path, is_marked)) = mentioned(word, base) else { continue };
        if !seen.insert(path.clone()) {
            continue;
        }
        if media_of(&path)?.is_some() {
            said.attachments.push(attachment(&path)?);
        } else if is_marked {
            let shown = path.strip_prefix(base).unwrap_or(&path).to_owned();
            files.push((shown, read_file(&path)?));
        }
    }
    few_enough(&said.attachments)?;
    said.text = compose(words, "", &files);
    Ok(said)
}

/// The file that a word mentions, and whether by an `@`.
fn mentioned(word: &str, base: &Path) -> Option<(PathBuf, bool)> {
    let marked = word.strip_prefix('@');
    let name = marked.unwrap_or(word);
    // A mark that ends a sentence does not belong to the name.
    let bare = name.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
    let file = [name, bare].iter().filter(|name| !name.is_empty()).find_map(|name| {
        let path = base.join(unescaped(name));
        path.is_file().then_some(path)
    })?;
    let is_known = |path: &Path| {
        let name = path.to_string_lossy().to_lowercase();
        ATTACHED_ENDINGS.iter().any(|ending| name.ends_with(ending))
    };
    (marked.is_some() || is_known(&file)).then_some((file, marked.is_some()))
}

/// The words of a text; a space behind a backslash parts nothing.
pub(crate) fn parted(text: &str) -> Vec<&str> {
    let (mut words, mut from, mut escaped) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        if character.is_whitespace() && !escaped {
            words.push(&text[from..at]);
            from = at + character.len_utf8();
        }
        escaped = character == '\\' && !escaped;
    }
    words.push(&text[from..]);
    words.retain(|word| !word.is_empty());
    words
}

/// A path as it was meant, without the backslashes that keep it one word.
pub(crate) fn unescaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        out.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    out
}

/// An image or a document, to be sent along.
pub(crate) fn attachment(path: &Path) -> Result<AttachmentRequest, Error> {
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    open(path)?
        .take(MAX_ATTACHMENT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&shown, &error.to_string()))?;
    if bytes.len() as u64 > MAX_ATTACHMENT_BYTES {
        let detail = format!("{shown} is larger than {MAX_ATTACHMENT_BYTES} bytes, which is too much to be sent along");
        return Err(Problem::new(Code::TooLarge, detail).remedy("make it smaller").into());
    }
    if MediaType::of(&bytes).is_none() {
        let detail = format!("{shown} is neither an image (PNG, JPEG, GIF, WebP) nor a PDF");
        return Err(Problem::new(Code::InvalidRequest, detail)
            .remedy("a text file goes into the prompt as `@path`")
            .into());
    }
    let name = path.file_name().map_or_else(|| shown.clone(), |name| name.to_string_lossy().into_owned());
    Ok(AttachmentRequest { name, data: STANDARD.encode(bytes) })
}

/// What a file is, by its first bytes.
fn media_of(path: &Path) -> Result<Option<MediaType>, Error> {
    let shown = path.display().to_string();
    let mut first = Vec::new();
    open(path)?.take(16).read_to_end(&mut first).map_err(|error| unreadable(&shown, &error.to_string()))?;
    Ok(MediaType::of(&first))
}

fn few_enough(attachments: &[AttachmentRequest]) -> Result<(), Error> {
    if attachments.len() <= MAX_ATTACHMENTS {
        return Ok(());
    }
    let detail = format!("{} images and documents are too many for one prompt", attachments.len());
    Err(Problem::new(Code::TooLarge, detail).remedy(format!("send at most {MAX_ATTACHMENTS}")).into())
}

/// Puts the parts together. Input that stands alone is the prompt itself; beside words it is a marked block.
fn compose(words: &str, input: &str, files: &[(PathBuf, String)]) -> String {
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
    read_bounded(open(path)?, &path.display().to_string())
}

fn open(path: &Path) -> Result<File, Problem> {
    File::open(path).map_err(|error| unreadable(&path.display().to_string(), &error.to_string()))
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
        let file = (PathBuf::from("a.txt"), "text\n".to_owned());
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

    #[test]
    fn files_that_are_mentioned_go_along() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.txt"), "text\n").unwrap();
        std::fs::write(dir.path().join("my picture.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
        std::fs::write(dir.path().join("no.png"), "not a picture").unwrap();
        let said = |words: &str| mentions(words, dir.path()).unwrap();
        assert_eq!(said("see @a.txt, please").text, "see @a.txt, please\n\n<file path=\"a.txt\">\ntext\n</file>");
        assert_eq!(said("a.txt and me@a.txt and @nobody and no.png").text, "a.txt and me@a.txt and @nobody and no.png");
        for words in ["what is my\\ picture.png?", "@my\\ picture.png and my\\ picture.png"] {
            let said = said(words);
            assert_eq!((said.text.as_str(), said.attachments.len()), (words, 1));
            assert_eq!(said.attachments[0].name, "my picture.png");
            assert_eq!(STANDARD.decode(&said.attachments[0].data).unwrap(), b"\x89PNG\r\n\x1a\nrest");
        }
        let Err(Error::Problem(problem)) = attachment(&dir.path().join("no.png")) else { panic!("it was sent") };
        assert_eq!(problem.code, Code::InvalidRequest);
    }
}
