//! The canvas' pictures in git, one for each workspace, opened when they are first asked for.

use canvas::{Picture, PictureError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use wire::BlobHash;

/// Digits of a workspace's hash that name its picture.
const NAME_DIGITS: usize = 24;

/// All pictures of a daemon.
#[derive(Debug)]
pub struct Pictures {
    directory: PathBuf,
    /// The machine may have lost what was not synced, so what is there is drawn anew.
    redraw: bool,
    open: Mutex<BTreeMap<String, Arc<Picture>>>,
}

impl Pictures {
    /// Pictures below `directory`; `redraw` after an end that was not in good order.
    pub fn new(directory: PathBuf, redraw: bool) -> Pictures {
        Pictures { directory, redraw, open: Mutex::default() }
    }

    /// Throws the picture of a workspace away, with all its objects; it is drawn anew when it is next asked for. Blocks.
    pub fn erase(&self, workspace: &str) -> Result<(), PictureError> {
        self.of(workspace)?.erase()
    }

    /// Where they are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Throws away the picture in a directory of ours; who asks for it next gets it drawn anew. Blocks, and waits for
    /// whoever draws.
    pub(crate) fn discard(&self, directory: &Path) -> Result<(), PictureError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.values().find(|picture| picture.directory() == directory).cloned();
        drop(open);
        known.unwrap_or_else(|| Arc::new(Picture::new(directory.to_owned()))).erase()
    }

    /// The picture of a workspace. Blocks.
    pub fn of(&self, workspace: &str) -> Result<Arc<Picture>, PictureError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(picture) = open.get(workspace) {
            return Ok(picture.clone());
        }
        let name = BlobHash::of(workspace.as_bytes()).to_string();
        let picture = Arc::new(Picture::new(self.directory.join(format!("{}.git", &name[..NAME_DIGITS]))));
        if self.redraw {
            picture.erase()?;
        }
        open.insert(workspace.to_owned(), picture.clone());
        Ok(picture)
    }
}
