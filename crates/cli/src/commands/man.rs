//! `man`: the manual, made from the same tree of commands as the help.

use crate::child::{self, Fed, Program};
use crate::error::Error;
use crate::run::{Context, Exit};
use crate::screen::FAINT;
use crate::terminal;
use std::io;
use std::path::{Path, PathBuf};
use wire::{Code, Problem};

/// Shows the manual, or writes its pages into a directory
///
/// On a terminal the main page is shown by `man`; into a pipe it is written as troff. With --dir each command's page is
/// written, for a directory such as ~/.local/share/man/man1.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell man
  tinkerbell man --dir ~/.local/share/man/man1
  tinkerbell man | man -l -")]
pub(crate) struct Man {
    /// Write all pages into this directory, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        if let Some(dir) = &self.dir {
            return write(context, dir);
        }
        let page = page(&crate::tree())?;
        if terminal::size().is_some() && !context.globals.json {
            let viewer = Program::Named("man", &["-l", "-"]);
            if child::feed(&viewer, &page).map_err(Error::Output)? == Fed::Taken {
                return Ok(Exit::GOOD);
            }
        }
        context.screen.out().put_bytes(&page)?;
        Ok(Exit::GOOD)
    }
}

fn write(context: &mut Context, dir: &Path) -> Result<Exit, Error> {
    let failed = |error: io::Error| {
        Problem::new(Code::InvalidRequest, format!("the manual cannot be written into {}: {error}", dir.display()))
            .remedy("name a directory that you can write, with --dir")
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut written = Vec::new();
    for command in commands() {
        let file = dir.join(format!("{}.1", name(&command)));
        std::fs::write(&file, page(&command)?).map_err(failed)?;
        written.push(file.display().to_string());
    }
    if context.globals.json {
        return context.print_json(serde_json::json!({ "written": written }).to_string().as_bytes());
    }
    context.screen.out().line(&format!("{} pages are in {}", written.len(), dir.display()))?;
    context
        .screen
        .remark(FAINT, "to see one: man tinkerbell, man tinkerbell-ask; to undo: remove tinkerbell*.1 there")?;
    Ok(Exit::GOOD)
}

/// The page of one command.
fn page(command: &clap::Command) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).manual("tinkerbell").render(&mut page).map_err(Error::Output)?;
    Ok(page)
}

/// Every command, each knowing its whole name, such as `tinkerbell-sessions-ls`.
fn commands() -> Vec<clap::Command> {
    let mut tree = crate::tree();
    tree.build();
    let mut pages = Vec::new();
    collect(tree, &mut pages);
    pages
}

fn collect(command: clap::Command, pages: &mut Vec<clap::Command>) {
    command.get_subcommands().cloned().for_each(|below| collect(below, pages));
    pages.push(command);
}

fn name(command: &clap::Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_of_its_own() {
        let pages = commands();
        let names: Vec<&str> = pages.iter().map(name).collect();
        for page in ["tinkerbell", "tinkerbell-ask", "tinkerbell-sessions-search", "tinkerbell-keys-set"] {
            assert!(names.contains(&page), "{page} is not in {names:?}");
        }
        let search = pages.iter().find(|command| name(command) == "tinkerbell-sessions-search").unwrap();
        let text = String::from_utf8(page(search).unwrap()).unwrap();
        assert!(text.contains("tinkerbell sessions search") && text.contains("Examples"), "{text}");
    }
}
