//! Runs a checked call, and what all tools need: finding a path, and telling whether the session knows what is there.

use crate::call::{Call, Checked};
use crate::files::Files;
use crate::limits::Limits;
use crate::output::Output;
use crate::refusal::Refusal;
use crate::{edit, find, list, patch, read, relocate, search, text, write};
use agent::ToolOutcome;
use wire::{BlobHash, Contents, Found, Mode, RelPath};

/// Runs a call. Blocks for as long as it reads; `stop` is asked often, and once it says yes the call ends as
/// cancelled. Nothing is written: what would change is in the output.
pub fn run(checked: &Checked, files: &dyn Files, stop: &dyn Fn() -> bool, limits: &Limits) -> Output {
    let hands = Hands { files, stop, limits };
    let result = match &checked.call {
        Call::ReadFile { path, offset, limit } => read::read_file(&hands, path, *offset, *limit),
        Call::WriteFile { path, content } => write::write_file(&hands, path, content),
        Call::EditFile { path, old, new, all } => edit::edit_file(&hands, path, old, new, *all),
        Call::ApplyPatch { patch } => patch::apply_patch(&hands, patch),
        Call::MoveFile { from, to } => relocate::move_file(&hands, from, to),
        Call::DeleteFile { path } => relocate::delete_file(&hands, path),
        Call::ListDirectory { path, depth } => list::list_directory(&hands, path.as_ref(), *depth),
        Call::FindFiles { pattern } => find::find_files(&hands, pattern),
        Call::SearchText { wanted, path } => search::search_text(&hands, wanted, path.as_ref()),
    };
    result.unwrap_or_else(|refusal| match refusal {
        Refusal::Cancelled => Output { outcome: ToolOutcome::Cancelled, ..Output::done(refusal.to_string()) },
        refusal => Output::failed(refusal.to_string()),
    })
}

/// A session's files, and the bounds of the call that touches them.
pub(crate) struct Hands<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) limits: &'a Limits,
    stop: &'a dyn Fn() -> bool,
}

impl Hands<'_> {
    /// Ends the call if somebody wants it to end.
    pub(crate) fn go_on(&self) -> Result<(), Refusal> {
        if (self.stop)() { Err(Refusal::Cancelled) } else { Ok(()) }
    }

    /// What is at a path, which is refused where it leads through a link or a file. Nothing else may read a path that
    /// came from a model: this is what makes a file have one name.
    pub(crate) fn locate(&self, path: &RelPath) -> Result<Found, Refusal> {
        self.go_on()?;
        let mut above: Vec<RelPath> = std::iter::successors(path.parent(), RelPath::parent).collect();
        while let Some(directory) = above.pop() {
            match self.files.read(&directory)? {
                Found::Directory => {}
                Found::Absent => return Ok(Found::Absent),
                Found::File(link) if link.mode == Mode::Symlink => return Err(link_refused(&directory, &link, path)),
                Found::File(_) => {
                    let (path, file) = (text::path(path).into_owned(), text::path(&directory).into_owned());
                    return Err(Refusal::BelowFile { path, file });
                }
                Found::Other(what) => return Err(Refusal::Other { path: text::path(&directory).into_owned(), what }),
            }
        }
        let found = self.files.read(path)?;
        if let Found::File(contents) = &found {
            let what = format!("{}: a file", text::path(path));
            self.limits.file().admit(what, contents.bytes.len() as u64)?;
        }
        Ok(found)
    }

    /// The file or the symbolic link at a path, or `None` where there is nothing.
    pub(crate) fn file_or_link(&self, path: &RelPath) -> Result<Option<Contents>, Refusal> {
        match self.locate(path)? {
            Found::Absent => Ok(None),
            Found::File(contents) => Ok(Some(contents)),
            Found::Directory => Err(Refusal::Directory(text::path(path).into_owned())),
            Found::Other(what) => Err(Refusal::Other { path: text::path(path).into_owned(), what }),
        }
    }

    /// The file at a path, or `None` where there is nothing. A symbolic link is refused.
    pub(crate) fn file(&self, path: &RelPath) -> Result<Option<Contents>, Refusal> {
        match self.file_or_link(path)? {
            Some(link) if link.mode == Mode::Symlink => Err(link_refused(path, &link, path)),
            found => Ok(found),
        }
    }

    /// Makes sure that there is a directory at a path.
    pub(crate) fn directory(&self, path: &RelPath) -> Result<(), Refusal> {
        let shown = || text::path(path).into_owned();
        match self.locate(path)? {
            Found::Directory => Ok(()),
            Found::Absent => Err(Refusal::Absent(shown())),
            Found::File(link) if link.mode == Mode::Symlink => Err(link_refused(path, &link, path)),
            Found::File(_) => Err(Refusal::NotADirectory(shown())),
            Found::Other(what) => Err(Refusal::Other { path: shown(), what }),
        }
    }

    /// Makes sure that what is at a path is what the session last saw there, if it ever looked.
    pub(crate) fn unchanged(&self, path: &RelPath, found: Option<&Contents>) -> Result<(), Refusal> {
        let Some(seen) = self.files.seen(path) else { return Ok(()) };
        let shown = || text::path(path).into_owned();
        match (seen, found.map(|contents| BlobHash::of(&contents.bytes))) {
            (seen, found) if seen == found => Ok(()),
            (None, _) => Err(Refusal::Appeared(shown())),
            (Some(_), None) => Err(Refusal::Gone(shown())),
            (Some(_), Some(_)) => Err(Refusal::Changed(shown())),
        }
    }
}

/// Says where a link leads, and which path stands for the one that was asked.
fn link_refused(link: &RelPath, contents: &Contents, asked: &RelPath) -> Refusal {
    let below = &asked.as_str()[link.as_str().len()..];
    let real = std::str::from_utf8(&contents.bytes).ok().filter(|target| !target.starts_with('/')).and_then(|target| {
        let parent = link.parent().map_or(String::new(), |parent| format!("{parent}/"));
        RelPath::new(&format!("{parent}{target}{below}")).ok()
    });
    let remedy = match real {
        Some(real) => format!("use {} instead", text::path(&real)),
        None => "its target is no relative path in the workspace".to_owned(),
    };
    Refusal::Link { path: text::path(link).into_owned(), target: text::target(contents), remedy }
}
