//! Long output on a terminal, a screenful at a time.
//!
//! What fits the screen is printed as it is, and so is everything that goes elsewhere: a pager is for somebody who sits
//! before a terminal. The pager is `$TINKERBELL_PAGER`, else `$PAGER`, else `less`; where none can be run the text is
//! printed after all.

use crate::child::{self, Fed, Program};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::plain::strip;
use crate::run::{Context, Exit};
use crate::screen::{self, HEAD, Sink};
use crate::terminal::{self, Size};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

/// Variables that name the pager, the first that is set first.
const VARIABLES: [&str; 2] = ["TINKERBELL_PAGER", "PAGER"];

/// How far the stops of a terminal's tabs are apart.
const TAB_CELLS: usize = 8;

/// Whether output may go through a pager.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Paging {
    /// Print long output at once, instead of through $TINKERBELL_PAGER, $PAGER or less
    #[arg(long)]
    no_pager: bool,
}

impl Paging {
    /// Prints by way of `print`, through a pager where that serves somebody.
    pub(crate) fn show(
        self,
        context: &mut Context,
        print: impl FnOnce(&mut Sink) -> Result<(), Error>,
    ) -> Result<Exit, Error> {
        let size = terminal::size().filter(|_| !self.no_pager && !context.globals.json);
        let (Some(size), Some(pager)) = (size, pager(&|name| std::env::var(name).ok())) else {
            print(context.screen.out())?;
            return Ok(Exit::GOOD);
        };
        let held = Held::default();
        // Colours are what they are on the screen that the text is for.
        let colour = !context.screen.out().paint(HEAD, "").is_empty();
        print(&mut Sink::new(Box::new(held.clone()), true, colour))?;
        let text = held.0.take();
        if fits(&String::from_utf8_lossy(&text), size) || !feed(context, &pager, &text)? {
            context.screen.out().put_bytes(&text)?;
        }
        Ok(Exit::GOOD)
    }
}

/// Whether the pager took the text.
fn feed(context: &mut Context, pager: &Program, text: &[u8]) -> Result<bool, Error> {
    context.screen.flush()?;
    // Ctrl-C is the pager's while it runs.
    let _interrupt = Interrupt::listen().map_err(Error::Output)?;
    match child::feed(pager, text).map_err(Error::Output)? {
        Fed::Taken => Ok(true),
        Fed::NoProgram => {
            if let Program::Shell(line) = pager {
                screen::note(&format!("note: the pager {line:?} cannot be run; set TINKERBELL_PAGER to one that can"));
            }
            Ok(false)
        }
    }
}

/// The pager that is configured; none where somebody wants none.
fn pager(variable: &dyn Fn(&str) -> Option<String>) -> Option<Program> {
    match VARIABLES.iter().find_map(|name| variable(name)) {
        Some(line) if line.trim().is_empty() || line.trim() == "cat" => None,
        Some(line) => Some(Program::Shell(line)),
        None => Some(Program::Named("less", &[])),
    }
}

/// How many cells a line takes, its tabs as far as the terminal's next stop.
fn cells(line: &str) -> usize {
    let mut pieces = line.split('\t').map(crate::columns::width);
    let first = pieces.next().unwrap_or(0);
    pieces.fold(first, |cells, piece| (cells / TAB_CELLS + 1) * TAB_CELLS + piece)
}

/// Whether a text can be seen whole, with a line left for the next prompt.
fn fits(text: &str, size: Size) -> bool {
    let rows = |line: &str| cells(&strip(line)).div_ceil(size.columns).max(1);
    let mut left = size.rows.saturating_sub(1);
    text.lines().all(|line| {
        let needed = rows(line);
        let has_room = needed <= left;
        left = left.saturating_sub(needed);
        has_room
    })
}

/// Text that waits to be shown.
#[derive(Debug, Clone, Default)]
struct Held(Rc<RefCell<Vec<u8>>>);

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pager_is_the_first_that_is_named() {
        let set = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> = pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
            pager(&move |name| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
        };
        assert_eq!(set(&[]), Some(Program::Named("less", &[])));
        assert_eq!(set(&[("PAGER", "more")]), Some(Program::Shell("more".into())));
        assert_eq!(set(&[("PAGER", "more"), ("TINKERBELL_PAGER", "bat -p")]), Some(Program::Shell("bat -p".into())));
        assert_eq!(set(&[("PAGER", "more"), ("TINKERBELL_PAGER", "")]), None, "somebody wants none");
        assert_eq!(set(&[("PAGER", "cat")]), None);
    }

    #[test]
    fn what_fits_is_counted_in_rows_of_the_screen() {
        let size = Size { columns: 10, rows: 4 };
        assert!(fits("1\n2\n3\n", size) && !fits("1\n2\n3\n4\n", size));
        assert!(!fits("12345678901\n2\n3\n", size), "a long line takes two rows");
        assert!(!fits("a\tbcd\n2\n3\n", size) && fits("a\tbc\n2\n3\n", size), "a tab goes to the next stop");
        assert!(fits("\u{1b}[31m1234567890\u{1b}[0m\n2\n3\n", size), "colours take no room");
    }
}
