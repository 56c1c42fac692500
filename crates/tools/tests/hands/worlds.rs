//! Two worlds that tools can be run in: a map in memory and a real directory. A test is written once, against
//! [`World`], and must not be able to tell which one it is in.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;
use tools::{Checked, FileChange, Files, FilesError, Limits, Output};
use wire::{BlobHash, Contents, Entry, EntryKind, Found, Mode, RelPath};

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

pub(crate) fn regular(bytes: impl AsRef<[u8]>) -> Contents {
    Contents { bytes: bytes.as_ref().to_vec(), mode: Mode::Regular }
}

pub(crate) fn executable(bytes: impl AsRef<[u8]>) -> Contents {
    Contents { bytes: bytes.as_ref().to_vec(), mode: Mode::Executable }
}

pub(crate) fn link(target: &str) -> Contents {
    Contents { bytes: target.as_bytes().to_vec(), mode: Mode::Symlink }
}

/// Where the bytes of a world are.
pub(crate) trait Place: Sync {
    fn read(&self, path: &RelPath) -> Result<Found, FilesError>;
    fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, FilesError>;
    /// Puts contents at a path, or takes them away.
    fn set(&mut self, path: &RelPath, contents: Option<&Contents>);
    fn make_directory(&mut self, path: &RelPath);
    fn make_pipe(&mut self, path: &RelPath);
    /// A file whose name is the byte 0xff, which is not UTF-8.
    fn make_unreachable(&mut self);
}

/// A session in a place: what it has seen, and what its tools do.
pub(crate) struct World {
    pub(crate) place: Box<dyn Place>,
    pub(crate) seen: BTreeMap<RelPath, Option<BlobHash>>,
    pub(crate) limits: Limits,
}

impl Files for World {
    fn read(&self, path: &RelPath) -> Result<Found, FilesError> {
        self.place.read(path)
    }

    fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, FilesError> {
        self.place.list(directory)
    }

    fn seen(&self, path: &RelPath) -> Option<Option<BlobHash>> {
        self.seen.get(path).copied()
    }
}

impl World {
    /// Both kinds, empty.
    pub(crate) fn both() -> [(&'static str, World); 2] {
        let disk = Box::new(Disk { root: TempDir::new().unwrap() });
        [("in memory", World::in_memory()), ("on disk", World { place: disk, ..World::in_memory() })]
    }

    /// The quicker kind, empty, for tests of many trials.
    pub(crate) fn in_memory() -> World {
        World { place: Box::<Memory>::default(), seen: BTreeMap::new(), limits: Limits::default() }
    }

    pub(crate) fn with(mut self, files: &[(&str, &str)]) -> World {
        for (name, content) in files {
            self.place.set(&path(name), Some(&regular(content)));
        }
        self
    }

    /// Runs a call and keeps nothing of it.
    pub(crate) fn run(&self, tool: &str, arguments: serde_json::Value) -> Output {
        tools::run(&checked(tool, &arguments), self, &|| false, &self.limits)
    }

    /// Runs a call and keeps what it says, as the session would.
    pub(crate) fn call(&mut self, tool: &str, arguments: serde_json::Value) -> Output {
        let output = self.run(tool, arguments);
        for FileChange { path, before, after } in &output.changes {
            let found = match self.place.read(path).unwrap() {
                Found::File(contents) => Some(contents),
                Found::Absent => None,
                other => panic!("a change of {path}, which is {other:?}"),
            };
            assert_eq!(*before, found, "before {path}");
            self.place.set(path, after.as_ref());
        }
        for (path, state) in &output.seen {
            self.seen.insert(path.clone(), state.map(|state| state.blob));
        }
        output
    }
}

pub(crate) fn checked(tool: &str, arguments: &serde_json::Value) -> Checked {
    tools::check(tool, &arguments.to_string()).unwrap_or_else(|error| panic!("{tool} {arguments}: {error}"))
}

#[derive(Default)]
struct Memory {
    nodes: BTreeMap<RelPath, Found>,
    unreachable: bool,
}

impl Place for Memory {
    fn read(&self, path: &RelPath) -> Result<Found, FilesError> {
        Ok(self.nodes.get(path).cloned().unwrap_or(Found::Absent))
    }

    fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, FilesError> {
        if let Some(directory) = directory
            && self.nodes.get(directory) != Some(&Found::Directory)
        {
            return Err(FilesError::NotADirectory(directory.clone()));
        }
        let inside = self.nodes.iter().filter(|(path, _)| path.parent().as_ref() == directory);
        let mut entries: Vec<Entry> = inside
            .map(|(path, found)| {
                let kind = match found {
                    Found::Directory => EntryKind::Directory,
                    Found::File(contents) if contents.mode == Mode::Symlink => EntryKind::Symlink,
                    Found::File(contents) => EntryKind::File(contents.bytes.len() as u64),
                    Found::Absent | Found::Other(_) => EntryKind::Other,
                };
                Entry { name: path.name().to_owned(), kind, reachable: true }
            })
            .collect();
        if self.unreachable && directory.is_none() {
            entries.push(Entry { name: "\u{fffd}".to_owned(), kind: EntryKind::File(1), reachable: false });
        }
        // A view need not sort, so this one takes care not to.
        entries.reverse();
        Ok(entries)
    }

    fn set(&mut self, path: &RelPath, contents: Option<&Contents>) {
        if let Some(parent) = path.parent().filter(|_| contents.is_some()) {
            self.make_directory(&parent);
        }
        match contents {
            Some(contents) => self.nodes.insert(path.clone(), Found::File(contents.clone())),
            None => self.nodes.remove(path),
        };
    }

    fn make_directory(&mut self, path: &RelPath) {
        for directory in std::iter::successors(Some(path.clone()), RelPath::parent) {
            self.nodes.insert(directory, Found::Directory);
        }
    }

    fn make_pipe(&mut self, path: &RelPath) {
        self.nodes.insert(path.clone(), Found::Other("pipe"));
    }

    fn make_unreachable(&mut self) {
        self.unreachable = true;
    }
}

struct Disk {
    root: TempDir,
}

impl Disk {
    fn at(&self, path: &RelPath) -> std::path::PathBuf {
        self.root.path().join(path)
    }
}

impl Place for Disk {
    fn read(&self, path: &RelPath) -> Result<Found, FilesError> {
        let place = self.at(path);
        let io = |source| FilesError::Io { path: path.to_string(), source };
        let meta = match place.symlink_metadata() {
            Ok(meta) => meta,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Absent),
            Err(error) => return Err(io(error)),
        };
        let (bytes, mode) = if meta.is_symlink() {
            (std::fs::read_link(&place).map_err(io)?.into_os_string().into_vec(), Mode::Symlink)
        } else if meta.is_dir() {
            return Ok(Found::Directory);
        } else if meta.file_type().is_fifo() {
            return Ok(Found::Other("pipe"));
        } else {
            let executable = meta.permissions().mode() & 0o100 != 0;
            (std::fs::read(&place).map_err(io)?, if executable { Mode::Executable } else { Mode::Regular })
        };
        Ok(Found::File(Contents { bytes, mode }))
    }

    fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, FilesError> {
        let place = directory.map_or(self.root.path().to_owned(), |directory| self.at(directory));
        let io = |source| FilesError::Io { path: place.display().to_string(), source };
        let entry = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.map_err(io)?;
            let (kind, name) = (entry.file_type().map_err(io)?, entry.file_name());
            let kind = match kind {
                kind if kind.is_dir() => EntryKind::Directory,
                kind if kind.is_symlink() => EntryKind::Symlink,
                kind if kind.is_file() => EntryKind::File(entry.metadata().map_err(io)?.len()),
                _ => EntryKind::Other,
            };
            Ok(Entry { name: name.to_string_lossy().into_owned(), kind, reachable: name.to_str().is_some() })
        };
        std::fs::read_dir(&place).map_err(io)?.map(entry).collect()
    }

    fn set(&mut self, path: &RelPath, contents: Option<&Contents>) {
        let place = self.at(path);
        if place.symlink_metadata().is_ok() {
            std::fs::remove_file(&place).unwrap();
        }
        let Some(contents) = contents else { return };
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        match contents.mode {
            Mode::Symlink => symlink(std::str::from_utf8(&contents.bytes).unwrap(), &place).unwrap(),
            mode => {
                std::fs::write(&place, &contents.bytes).unwrap();
                let permissions = if mode == Mode::Executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&place, std::fs::Permissions::from_mode(permissions)).unwrap();
            }
        }
    }

    fn make_directory(&mut self, path: &RelPath) {
        std::fs::create_dir_all(self.at(path)).unwrap();
    }

    fn make_pipe(&mut self, path: &RelPath) {
        let made = std::process::Command::new("mkfifo").arg(self.at(path)).status().unwrap();
        assert!(made.success());
    }

    fn make_unreachable(&mut self) {
        let name = std::ffi::OsString::from_vec(vec![0xff]);
        std::fs::write(self.root.path().join(Path::new(&name)), "x").unwrap();
    }
}
