//! `completions`: what a shell needs to complete our commands.

use crate::error::Error;
use crate::run::{Context, Exit};
use crate::screen::FAINT;
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;
use wire::{Code, Problem};

/// Prints completions for a shell, or puts them where it looks for them
///
/// With --install they go into the place that the shell reads for you alone, below $XDG_DATA_HOME or $XDG_CONFIG_HOME.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell completions bash --install
  tinkerbell completions zsh > ~/.zfunc/_tinkerbell
  tinkerbell completions fish --install")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,

    /// Write them into the shell's own place instead of printing them
    #[arg(long)]
    install: bool,
}

impl Completions {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::tree(), "tinkerbell", &mut script);
        if !self.install {
            context.screen.out().put_bytes(&script)?;
            return Ok(Exit::GOOD);
        }
        let file = place(self.shell, &|name| std::env::var_os(name))?;
        let failed = |error: std::io::Error| {
            Problem::new(
                Code::InvalidRequest,
                format!("the completions cannot be written to {}: {error}", file.display()),
            )
            .remedy("print them without --install, and put them where your shell looks")
        };
        let dir = file.parent().expect("a place is below a directory");
        std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&file, &script)).map_err(failed)?;
        if context.globals.json {
            let answer = serde_json::json!({ "written": [file.display().to_string()] });
            return context.print_json(answer.to_string().as_bytes());
        }
        context.screen.out().line(&format!("completions of {} are in {}", self.shell, file.display()))?;
        if self.shell == Shell::Zsh {
            let words = format!("zsh looks there once .zshrc says, before compinit: fpath+=({})", dir.display());
            context.screen.remark(FAINT, &words)?;
        }
        context.screen.remark(FAINT, "a new shell has them; to undo, remove the file")?;
        Ok(Exit::GOOD)
    }
}

/// Where a shell looks for completions of one user.
fn place(shell: Shell, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, Problem> {
    let set = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let below = |xdg: &str, default: &str| {
        set(xdg).or_else(|| Some(set("HOME")?.join(default))).ok_or_else(|| {
            Problem::new(Code::InvalidRequest, format!("neither {xdg} nor HOME is set, so there is no place for them"))
                .remedy("set HOME, or print them without --install")
        })
    };
    match shell {
        Shell::Bash => Ok(below("XDG_DATA_HOME", ".local/share")?.join("bash-completion/completions/tinkerbell")),
        Shell::Zsh => Ok(below("XDG_DATA_HOME", ".local/share")?.join("zsh/site-functions/_tinkerbell")),
        Shell::Fish => Ok(below("XDG_CONFIG_HOME", ".config")?.join("fish/completions/tinkerbell.fish")),
        other => Err(Problem::new(Code::InvalidRequest, format!("{other} has no place that all its users share"))
            .remedy("print them without --install, and put them where your shell looks")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_its_place() {
        let home = |name: &str| (name == "HOME").then(|| "/h".into());
        let bash = place(Shell::Bash, &home).unwrap();
        assert_eq!(bash, PathBuf::from("/h/.local/share/bash-completion/completions/tinkerbell"));
        let xdg = |name: &str| (name == "XDG_CONFIG_HOME").then(|| "/c".into());
        assert_eq!(place(Shell::Fish, &xdg).unwrap(), PathBuf::from("/c/fish/completions/tinkerbell.fish"));
        assert!(place(Shell::Zsh, &xdg).unwrap_err().detail.contains("neither XDG_DATA_HOME nor HOME"));
        assert!(place(Shell::PowerShell, &home).is_err());
    }
}
