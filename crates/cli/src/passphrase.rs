//! Passphrases of snapshots: from a file, from the environment, or typed where nobody sees it; never an argument, which
//! others could read in the list of processes.

use crate::error::Error;
use crate::run::Context;
use crate::screen::Screen;
use crate::terminal::Keyboard;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use wire::{Code, Problem};

/// The longest passphrase, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// Where a passphrase is.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PassphraseFrom {
    /// The passphrase is the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_env")]
    passphrase_file: Option<PathBuf>,

    /// The passphrase is in this variable of the environment
    #[arg(long, value_name = "NAME")]
    passphrase_env: Option<String>,
}

impl PassphraseFrom {
    /// The passphrase, if somebody said where it is.
    pub(crate) fn read(&self) -> Result<Option<String>, Problem> {
        let words = match (&self.passphrase_file, &self.passphrase_env) {
            (Some(path), _) => {
                let place = path.display().to_string();
                let file = std::fs::File::open(path).map_err(|error| wrong(&place, &error.to_string()))?;
                first_line(file).map_err(|why| wrong(&place, &why))?
            }
            (None, Some(name)) => std::env::var(name).map_err(|_| wrong(name, "it is not set, or is no text"))?,
            (None, None) => return Ok(None),
        };
        if words.trim().is_empty() {
            let place = self.passphrase_env.as_deref().unwrap_or("the file");
            return Err(wrong(place, "it is empty"));
        }
        Ok(Some(words))
    }

    /// Asks for a new one, twice; `None` when somebody would rather not.
    pub(crate) fn ask_twice(&self, context: &mut Context) -> Result<Option<String>, Error> {
        let Some(typed) = ask(&mut context.screen, "Passphrase for the snapshot (it is not shown): ")? else {
            return Ok(None);
        };
        let Some(again) = ask(&mut context.screen, "Once more: ")? else { return Ok(None) };
        if typed != again || typed.trim().is_empty() {
            let what = if typed == again { "the passphrase is empty" } else { "the two passphrases differ" };
            return Err(Problem::new(Code::InvalidRequest, what).remedy("type it again").into());
        }
        Ok(Some(typed))
    }
}

/// Asks for a passphrase at a terminal.
pub(crate) fn ask(screen: &mut Screen, question: &str) -> Result<Option<String>, Error> {
    if !screen.is_interactive() {
        return Err(Problem::new(Code::InvalidRequest, "nobody can be asked for the passphrase here")
            .remedy("give it with --passphrase-file or --passphrase-env")
            .into());
    }
    screen.end_lines()?;
    screen.aside()?.put(question)?;
    screen.flush()?;
    let stdin = io::stdin();
    let typed = Keyboard::new(stdin.as_fd()).and_then(|mut keyboard| keyboard.secret());
    screen.end_lines()?;
    typed.map_err(|error| wrong("the terminal", &error.to_string()).into())
}

fn first_line(source: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    source.take(MAX_BYTES as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn wrong(place: &str, why: &str) -> Problem {
    Problem::new(Code::InvalidRequest, format!("there is no passphrase in {place}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_a_line_and_may_have_blanks_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        let from =
            |path: &std::path::Path| PassphraseFrom { passphrase_file: Some(path.to_owned()), ..Default::default() };
        std::fs::write(&path, "correct horse battery\nsecond line\n").unwrap();
        assert_eq!(from(&path).read().unwrap().as_deref(), Some("correct horse battery"));
        std::fs::write(&path, " \n").unwrap();
        assert!(from(&path).read().is_err());
        assert!(from(&dir.path().join("absent")).read().unwrap_err().detail.contains("absent"));
        assert_eq!(PassphraseFrom::default().read().unwrap(), None);
    }
}
