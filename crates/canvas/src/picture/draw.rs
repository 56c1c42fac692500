//! From frames to commits.

use super::frame::{Frame, frames};
use crate::blobs::{BlobError, Blobs};
use crate::fold::{Fold, Older, Step};
use crate::git::{self, Leaf, edit_tree};
use agent::{Micros, Seq, SessionId};
use git2::{Buf, ErrorCode, ObjectType, Odb, Oid, Repository, RepositoryInitOptions};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use wire::{BlobHash, FileState};

/// Up to this many commits are written as single objects, more of them as one pack.
const LOOSE_COMMITS: usize = 8;
/// The file that says that a repository is ours, so that nothing else is ever thrown away.
const MARK: &str = "tinkerbell-picture";
const PERSON: &str = "tinkerbell <tinkerbell@localhost>";
const MEMORY_PRIORITY: i32 = 1000;

/// The repository of one workspace. Drawings of its sessions wait for each other.
#[derive(Debug)]
pub struct Picture {
    directory: PathBuf,
    gate: Mutex<()>,
}

/// A commit of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The event that it shows.
    pub seq: Seq,
    /// Its id in git, in hexadecimal.
    pub id: String,
    /// What it is: `base`, or the word of the step's kind.
    pub kind: &'static str,
    /// Its first line.
    pub title: String,
    /// When the event was.
    pub at: Micros,
    /// How many files it is about.
    pub files: usize,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The directory holds something else.
    #[error("{0:?} is not a picture of ours and is left alone; move it away")]
    Foreign(PathBuf),
    /// Git failed, and failed again on a new repository.
    #[error("drawing into {at:?} failed: {source}")]
    Git {
        /// The repository.
        at: PathBuf,
        /// Why.
        source: git2::Error,
    },
    /// The directory cannot be written.
    #[error("the picture in {at:?} cannot be written: {source}")]
    Io {
        /// The repository.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Bytes could not be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The fold no longer has all steps.
    #[error(transparent)]
    Older(#[from] Older),
}

/// A commit stands upon all before it, so that only a fold that has every step can be drawn.
fn all_steps(fold: &Fold) -> Result<&[Step], Fault> {
    if fold.older_steps() == 0 { Ok(fold.steps()) } else { Err(Fault::Other(Older.into())) }
}

/// What can go wrong while the gate is held; an error of git means that the repository is drawn anew.
enum Fault {
    Git(git2::Error),
    Other(PictureError),
}

impl Picture {
    /// The picture in `directory`, which is made when it is first drawn into.
    pub fn new(directory: PathBuf) -> Picture {
        git::prepare();
        Picture { directory, gate: Mutex::new(()) }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name of a session's branch.
    pub fn branch(session: SessionId) -> String {
        format!("refs/heads/{session}")
    }

    /// Draws what is missing of a session and returns the commits that were made, in order.
    pub fn draw(&self, session: SessionId, fold: &Fold, blobs: &Blobs) -> Result<Vec<Commit>, PictureError> {
        self.guarded(|| {
            let frames = frames(all_steps(fold)?);
            let (repository, drawn) = self.open(session, &frames)?;
            Ok(draw(&repository, session, &frames, drawn, blobs)?.0)
        })
    }

    /// All commits of a session, in order, after drawing what is missing.
    pub fn log(&self, session: SessionId, fold: &Fold, blobs: &Blobs) -> Result<Vec<Commit>, PictureError> {
        self.guarded(|| {
            let frames = frames(all_steps(fold)?);
            let (repository, drawn) = self.open(session, &frames)?;
            let (_, tip) = draw(&repository, session, &frames, drawn, blobs)?;
            Ok(walk(&repository, tip, &frames)?)
        })
    }

    /// Throws the picture away, as after an unclean end of the machine: what was not synced may be broken.
    pub fn erase(&self) -> Result<(), PictureError> {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.erase_inside()
    }

    fn guarded<T>(&self, mut work: impl FnMut() -> Result<T, Fault>) -> Result<T, PictureError> {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let again = match work() {
            Err(Fault::Git(error)) => {
                tracing::warn!(at = %self.directory.display(), %error, "the picture is broken and is drawn again");
                self.erase_inside()?;
                work()
            }
            settled => settled,
        };
        again.map_err(|fault| match fault {
            Fault::Git(source) => self.git(source),
            Fault::Other(error) => error,
        })
    }

    fn erase_inside(&self) -> Result<(), PictureError> {
        self.check_ours()?;
        self.remove_all().map_err(|error| self.io(error))
    }

    /// The mark goes last, so that what is left after a kill is still known as ours.
    fn remove_all(&self) -> io::Result<()> {
        let gone = |removed: io::Result<()>| match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        let names = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            names => names?,
        };
        for entry in names {
            let entry = entry?;
            if entry.file_name() == MARK {
                continue;
            }
            let is_directory = entry.file_type()?.is_dir();
            let path = entry.path();
            gone(if is_directory { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) })?;
        }
        gone(std::fs::remove_file(self.directory.join(MARK)))?;
        gone(std::fs::remove_dir(&self.directory))
    }

    /// A directory that is not there, is empty, or bears our mark.
    fn check_ours(&self) -> Result<(), PictureError> {
        let mut names = match std::fs::read_dir(&self.directory) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.io(error)),
        };
        let ours = names.next().is_none() || self.directory.join(MARK).is_file();
        if ours { Ok(()) } else { Err(PictureError::Foreign(self.directory.clone())) }
    }

    /// Git says only in words that the disk is full or takes no writes.
    fn git(&self, source: git2::Error) -> PictureError {
        let disks = [
            ("No space left on device", io::ErrorKind::StorageFull),
            ("Disk quota exceeded", io::ErrorKind::QuotaExceeded),
            ("Read-only file system", io::ErrorKind::ReadOnlyFilesystem),
        ];
        match disks.into_iter().find(|(words, _)| source.message().contains(words)) {
            Some((_, kind)) => self.io(io::Error::new(kind, source.message().to_owned())),
            None => PictureError::Git { at: self.directory.clone(), source },
        }
    }

    fn io(&self, source: io::Error) -> PictureError {
        PictureError::Io { at: self.directory.clone(), source }
    }

    /// The repository, made when it is not there, and how far the session is drawn.
    fn open(&self, session: SessionId, frames: &[Frame]) -> Result<(Repository, Drawn), Fault> {
        self.check_ours().map_err(Fault::Other)?;
        if !self.directory.join(MARK).is_file() {
            std::fs::create_dir_all(&self.directory).map_err(|error| Fault::Other(self.io(error)))?;
            std::fs::write(self.directory.join(MARK), "").map_err(|error| Fault::Other(self.io(error)))?;
        }
        let repository = match Repository::open_bare(&self.directory) {
            Err(error) if error.code() == ErrorCode::NotFound => {
                let mut options = RepositoryInitOptions::new();
                options.bare(true).external_template(false).no_reinit(true);
                Repository::init_opts(&self.directory, &options)?
            }
            opened => opened?,
        };
        let drawn = Drawn::find(&repository, session, frames)?;
        Ok((repository, drawn))
    }
}

impl From<git2::Error> for Fault {
    fn from(error: git2::Error) -> Fault {
        Fault::Git(error)
    }
}

/// How far a session is drawn.
#[derive(Debug, Clone, Copy, Default)]
struct Drawn {
    /// Frames that are commits already.
    frames: usize,
    /// What the branch names, ours or not.
    branch: Option<Oid>,
    /// The last commit of ours and its tree.
    tip: Option<(Oid, Oid)>,
}

impl Drawn {
    /// The tip says by its trailer which frame it is; a tip that is none of ours is drawn over.
    fn find(repository: &Repository, session: SessionId, frames: &[Frame]) -> Result<Drawn, git2::Error> {
        let branch = match repository.refname_to_id(&Picture::branch(session)) {
            Ok(branch) => branch,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(Drawn::default()),
            Err(error) => return Err(error),
        };
        let commit = repository.find_commit(branch)?;
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        let place = frames.iter().rposition(|frame| frame.message() == message);
        let ours = place.map(|place| (place + 1, (branch, commit.tree_id())));
        let (frames, tip) = ours.map_or((0, None), |(frames, tip)| (frames, Some(tip)));
        Ok(Drawn { frames, branch: Some(branch), tip })
    }
}

/// Makes the missing commits and moves the branch, in this order, so that a kill in between loses nothing.
fn draw(
    repository: &Repository,
    session: SessionId,
    frames: &[Frame],
    drawn: Drawn,
    blobs: &Blobs,
) -> Result<(Vec<Commit>, Option<Oid>), Fault> {
    let missing = &frames[drawn.frames..];
    if missing.is_empty() {
        return Ok((Vec::new(), drawn.tip.map(|(commit, _)| commit)));
    }
    let odb = repository.odb()?;
    let memory = (missing.len() > LOOSE_COMMITS).then(|| odb.add_new_mempack_backend(MEMORY_PRIORITY)).transpose()?;
    let mut brush = Brush { odb: &odb, blobs, known: BTreeMap::new(), tip: drawn.tip };
    let commits: Vec<Commit> = missing.iter().map(|frame| brush.commit(frame)).collect::<Result<_, _>>()?;
    let tip = brush.tip.map(|(commit, _)| commit);
    if let Some(memory) = memory {
        let mut pack = Buf::new();
        memory.dump(repository, &mut pack)?;
        let mut writer = odb.packwriter()?;
        writer.write_all(&pack).map_err(|error| git2::Error::from_str(&error.to_string()))?;
        writer.commit()?;
    }
    if let Some(tip) = tip {
        let name = Picture::branch(session);
        match drawn.branch {
            Some(current) => repository.reference_matching(&name, tip, true, current, "drawn")?,
            // So that a plain `git log` in the picture shows the newest session.
            None => {
                repository.set_head(&name)?;
                repository.reference(&name, tip, false, "drawn")?
            }
        };
    }
    Ok((commits, tip))
}

/// The commits from `tip` back to the first, which are the frames in order.
fn walk(repository: &Repository, tip: Option<Oid>, frames: &[Frame]) -> Result<Vec<Commit>, git2::Error> {
    let mut commits = Vec::with_capacity(frames.len());
    let mut next = tip;
    for frame in frames.iter().rev() {
        let id = next.ok_or_else(|| git2::Error::from_str("the branch has fewer commits than the canvas has steps"))?;
        let commit = repository.find_commit(id)?;
        if commit.message_bytes() != frame.message().as_bytes() {
            return Err(git2::Error::from_str("a commit of the branch is not the one that the canvas has there"));
        }
        next = commit.parent_ids().next();
        commits.push(commit_of(frame, id));
    }
    if next.is_some() {
        return Err(git2::Error::from_str("the branch has more commits than the canvas has steps"));
    }
    commits.reverse();
    Ok(commits)
}

fn commit_of(frame: &Frame, id: Oid) -> Commit {
    let Frame { seq, at, kind, title, files, .. } = frame;
    Commit { seq: *seq, id: id.to_string(), kind, title: title.clone(), at: *at, files: *files }
}

/// Writes objects, each a function of the frame and of what was before.
struct Brush<'a> {
    odb: &'a Odb<'a>,
    blobs: &'a Blobs,
    known: BTreeMap<BlobHash, Option<Oid>>,
    tip: Option<(Oid, Oid)>,
}

impl Brush<'_> {
    fn commit(&mut self, frame: &Frame) -> Result<Commit, Fault> {
        let mut edits = Vec::with_capacity(frame.edits.len());
        for (path, state) in &frame.edits {
            let leaf = match state {
                Some(state) => self.leaf(state)?,
                None => None,
            };
            edits.push((path.as_str(), leaf));
        }
        let tree = edit_tree(self.odb, self.tip.map(|(_, tree)| tree), &edits)?;
        let parent = self.tip.map_or(String::new(), |(commit, _)| format!("parent {commit}\n"));
        let seconds = frame.at.0.div_euclid(1_000_000).max(0);
        let person = format!("{PERSON} {seconds} +0000");
        let text = format!("tree {tree}\n{parent}author {person}\ncommitter {person}\n\n{}", frame.message());
        let commit = self.odb.write(ObjectType::Commit, text.as_bytes())?;
        self.tip = Some((commit, tree));
        Ok(commit_of(frame, commit))
    }

    /// `None` for bytes that were forgotten.
    fn leaf(&mut self, state: &FileState) -> Result<Option<Leaf>, Fault> {
        let blob = match self.known.get(&state.blob) {
            Some(known) => *known,
            None => {
                let written = match self.blobs.get(state.blob) {
                    Ok(bytes) => Some(self.odb.write(ObjectType::Blob, &bytes)?),
                    Err(BlobError::Missing(_)) => None,
                    Err(error) => return Err(Fault::Other(error.into())),
                };
                self.known.insert(state.blob, written);
                written
            }
        };
        Ok(blob.map(|blob| Leaf { blob, mode: state.mode }))
    }
}
