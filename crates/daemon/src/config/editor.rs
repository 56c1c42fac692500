//! `config edit`: an editor on a copy, which takes the file's place once it is valid. What somebody typed is never
//! thrown away: where it is not taken, the copy stays and the error says where.

use super::example::template;
use super::fault::{ConfigError, lines};
use super::file::{ConfigFile, ReplaceError, read, remove, write_new};
use super::meaning::Config;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::Fault;

/// What somebody wants to do about faults in what they typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Open the editor again.
    Again,
    /// Leave the file as it was, and keep the copy.
    Keep,
}

/// How an edit ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// The text is as it was.
    Unchanged,
    /// The file has the new text.
    Replaced,
}

/// Why the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The copy cannot be made.
    #[error("cannot write a copy to edit, {copy}: {error}")]
    Copy {
        /// The copy.
        copy: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The editor cannot be started.
    #[error("the editor `{editor}` cannot be started: {error}; set VISUAL or EDITOR to one that can")]
    NoEditor {
        /// The command.
        editor: String,
        /// Why.
        error: io::Error,
    },
    /// The editor says that it failed.
    #[error("the editor `{editor}` ended with {status}, so nothing was changed; what you typed is in {copy}")]
    EditorFailed {
        /// The command.
        editor: String,
        /// How it ended.
        status: ExitStatus,
        /// What was typed.
        copy: PathBuf,
    },
    /// What was typed is not valid.
    #[error("nothing was changed, and what you typed is in {copy}; it is not valid:\n{}", lines(faults))]
    Invalid {
        /// What was typed.
        copy: PathBuf,
        /// What is wrong with it.
        faults: Vec<Fault>,
    },
    /// What was typed cannot be read.
    #[error("nothing was changed, and what you typed is in {copy}: {error}")]
    Unreadable {
        /// What was typed.
        copy: PathBuf,
        /// Why.
        error: Box<ConfigError>,
    },
    /// What was typed is valid and cannot be put in place.
    #[error("{error}; what you typed is in {copy}")]
    Replace {
        /// What was typed.
        copy: PathBuf,
        /// Why.
        error: ReplaceError,
    },
}

impl ConfigFile {
    /// Opens an editor, a shell's command, on a copy until it is valid or `ask` says to stop. A file that is not there
    /// yet begins with every key as a comment.
    pub fn edit(&self, editor: &str, ask: &mut dyn FnMut(&[Fault]) -> Answer) -> Result<Edited, EditError> {
        let before = read(&self.path)?;
        let beginning = before.clone().unwrap_or_else(template);
        let copy = self.copy(&beginning)?;
        loop {
            open(editor, &copy)?;
            let text = match read(&copy) {
                Ok(text) => text.unwrap_or_default(),
                Err(error) => return Err(EditError::Unreadable { copy, error: Box::new(error) }),
            };
            if text == beginning {
                remove(&copy);
                return Ok(Edited::Unchanged);
            }
            match Config::parse(&self.path, &text, true) {
                Ok(_) => return self.put_in_place(before.as_deref(), &text, copy),
                Err(ConfigError::Invalid { faults, .. }) => match ask(&faults) {
                    Answer::Again => {}
                    Answer::Keep => return Err(EditError::Invalid { copy, faults }),
                },
                Err(error) => return Err(EditError::Unreadable { copy, error: Box::new(error) }),
            }
        }
    }

    fn put_in_place(&self, before: Option<&str>, text: &str, copy: PathBuf) -> Result<Edited, EditError> {
        match self.replace(before, text) {
            Ok(()) => {
                remove(&copy);
                Ok(Edited::Replaced)
            }
            Err(error) => Err(EditError::Replace { copy, error }),
        }
    }

    /// A copy beside the file, for its user alone; its name ends in `.toml`, so that editors know what it is.
    fn copy(&self, text: &str) -> Result<PathBuf, EditError> {
        let copy = self.path.with_file_name(format!("config.edit-{}.toml", std::process::id()));
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        match made.and_then(|()| write_new(&copy, text, 0o600)) {
            Ok(()) => Ok(copy),
            Err(error) => Err(EditError::Copy { copy, error }),
        }
    }
}

/// Runs an editor on a file and waits for it. It is a shell's command, as everywhere: `code --wait` is one.
fn open(editor: &str, file: &Path) -> Result<(), EditError> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor).arg(file);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let copy = file.to_owned();
            Err(EditError::EditorFailed { editor: editor.to_owned(), status, copy })
        }
        Err(error) => Err(EditError::NoEditor { editor: editor.to_owned(), error }),
    }
}
