//! Where output goes: results to standard output, everything said beside them to standard error; colours where
//! somebody can see them.

use crate::error::Error;
use crate::markdown::{self, Markdown};
use crate::plain::Stripper;
use anstyle::{AnsiColor, Style};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// Things that went well, and added lines.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Things that went wrong, and removed lines.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// Things to look at.
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();
/// Names and places.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// Headings.
pub(crate) const HEAD: Style = Style::new().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// What a terminal is taken for that does not know its own width.
const USUAL_COLUMNS: usize = 80;
/// No text is set narrower than this.
const MIN_COLUMNS: usize = 20;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The two streams of a command.
#[derive(Debug)]
pub(crate) struct Screen {
    /// What was asked for.
    out: Sink,
    /// What is said beside it; `None` sends it to `out` as well.
    aside: Option<Sink>,
    /// Whether both end in the same place, so that what is said beside a reply must not stand in its line.
    together: bool,
}

/// One stream.
pub(crate) struct Sink {
    writer: Box<dyn Write>,
    terminal: bool,
    colour: bool,
    stripper: Stripper,
    /// Whether the last thing written was the end of a line.
    line_ended: bool,
    /// Whether a reply is being written.
    in_reply: bool,
    /// Whether replies are set as Markdown: somebody reads them on a terminal that can do more than print.
    sets_markdown: bool,
    /// The terminal whose width counts, where it is not standard output.
    terminal_of: Option<File>,
    /// The reply that is being set.
    reply: Option<Markdown>,
    /// Whether something was written below the open line of the reply.
    interposed: bool,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("terminal", &self.terminal).field("colour", &self.colour).finish_non_exhaustive()
    }
}

impl Screen {
    /// The process's own streams.
    pub(crate) fn standard(colour: Colour) -> Screen {
        let (out, aside) = (io::stdout(), io::stderr());
        let (out_terminal, aside_terminal) = (out.is_terminal(), aside.is_terminal());
        Screen {
            out: Sink::new(Box::new(BufWriter::new(out)), out_terminal, colour.on(out_terminal)),
            aside: Some(Sink::new(Box::new(aside), aside_terminal, colour.on(aside_terminal))),
            together: is_one_place(io::stdout().as_fd(), io::stderr().as_fd()),
        }
    }

    /// Sends what is said beside the result to standard output too: for commands whose result is all of it.
    pub(crate) fn join(&mut self) {
        self.aside = None;
    }

    /// Standard output.
    pub(crate) fn out(&mut self) -> &mut Sink {
        &mut self.out
    }

    /// Standard error. What is on its way to standard output goes first, so that a terminal shows both in order.
    pub(crate) fn aside(&mut self) -> Result<&mut Sink, Error> {
        if self.aside.is_some() {
            self.out.flush()?;
        }
        Ok(self.aside.as_mut().unwrap_or(&mut self.out))
    }

    /// Whether questions can be asked: somebody sees them and can type.
    pub(crate) fn is_interactive(&self) -> bool {
        self.aside.as_ref().unwrap_or(&self.out).terminal && io::stdin().is_terminal()
    }

    /// Writes a piece of somebody else's text beside the result, below what is open of it.
    pub(crate) fn say_aside(&mut self, style: Style, text: &str) -> Result<(), Error> {
        if self.aside.is_some() && self.is_in_the_way() {
            self.out.end_line()?;
        }
        self.aside()?.say(style, text)
    }

    /// Writes a piece of a reply: set for a terminal, as it is for anything else.
    pub(crate) fn reply(&mut self, text: &str) -> Result<(), Error> {
        self.out.say_reply(text)
    }

    /// The reply has ended: what was held back of it is written, and its line is ended.
    pub(crate) fn end_reply(&mut self) -> Result<(), Error> {
        self.out.end_reply()?;
        self.end_lines()
    }

    /// Where the cursor stands in the open line, where that is known; 0 at the beginning of one.
    pub(crate) fn column(&self) -> Option<usize> {
        match &self.out.reply {
            _ if self.out.line_ended => Some(0),
            Some(reply) if !self.out.interposed => Some(reply.column()),
            _ => None,
        }
    }

    /// Ends the lines that are open, so that what comes next begins one. A reply that goes elsewhere than what is said
    /// beside it stays as it is.
    pub(crate) fn end_lines(&mut self) -> Result<(), Error> {
        if self.is_in_the_way() {
            self.out.end_line()?;
        }
        self.aside.as_mut().map_or(Ok(()), Sink::end_line)
    }

    /// Whether the line that is open on standard output would be broken by what is said beside it.
    fn is_in_the_way(&self) -> bool {
        self.aside.is_none() || self.together || !self.out.in_reply
    }

    /// Somebody typed a line at the terminal, so its open line is ended.
    pub(crate) fn line_was_typed(&mut self) {
        self.aside.as_mut().unwrap_or(&mut self.out).line_ended = true;
    }

    /// Writes a line beside the result, after ending what is open.
    pub(crate) fn remark(&mut self, style: Style, text: &str) -> Result<(), Error> {
        self.end_lines()?;
        let aside = self.aside()?;
        let text = if aside.sets_markdown { markdown::wrapped(text, aside.columns()) } else { text.to_owned() };
        let painted = aside.paint(style, &text);
        aside.line(&painted)
    }

    /// Writes a line beside the result that is there to be copied: only the terminal breaks it, which a copy does not
    /// show.
    pub(crate) fn copyable(&mut self, style: Style, text: &str) -> Result<(), Error> {
        self.end_lines()?;
        let aside = self.aside()?;
        let painted = aside.paint(style, text);
        aside.line(&painted)
    }

    /// Shows all that was written.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.out.flush()
    }
}

/// Tells what is being waited for, where somebody sits before a terminal.
pub(crate) fn progress(words: &str) {
    if io::stderr().is_terminal() {
        note(words);
    }
}

/// Says something on standard error that belongs to no command.
pub(crate) fn note(words: &str) {
    // Where standard error is closed nobody misses it.
    let _ = writeln!(io::stderr(), "{words}");
}

impl Sink {
    /// A stream over anything that can be written to.
    pub(crate) fn new(writer: Box<dyn Write>, terminal: bool, colour: bool) -> Sink {
        Sink {
            writer,
            terminal,
            colour,
            stripper: Stripper::default(),
            line_ended: true,
            in_reply: false,
            sets_markdown: terminal && !is_dumb(),
            terminal_of: None,
            reply: None,
            interposed: false,
        }
    }

    /// Whether people look at this stream, rather than a program or a file.
    pub(crate) fn is_for_people(&self) -> bool {
        self.terminal || self.colour
    }

    /// Writes our own words as they are.
    pub(crate) fn put(&mut self, text: &str) -> Result<(), Error> {
        self.put_bytes(text.as_bytes())
    }

    /// Writes bytes as they are.
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(last) = bytes.last() {
            self.line_ended = *last == b'\n';
        }
        self.writer.write_all(bytes).map_err(Error::Output)
    }

    /// Writes a line of our own words.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Error> {
        self.put(text)?;
        self.put("\n")
    }

    /// Ends the line that is open, if one is. A reply goes on in a line of its own.
    pub(crate) fn end_line(&mut self) -> Result<(), Error> {
        if self.line_ended {
            return Ok(());
        }
        self.interposed = self.reply.is_some();
        self.put("\n")
    }

    /// Writes what moves the cursor and leaves the text as it was when it is done.
    pub(crate) fn draw(&mut self, text: &str) -> Result<(), Error> {
        self.writer.write_all(text.as_bytes()).map_err(Error::Output)?;
        self.flush()
    }

    /// Something was written below the open line: what comes begins a line.
    pub(crate) fn line_is_lost(&mut self) {
        self.interposed = self.reply.is_some();
        self.line_ended = true;
    }

    fn say_reply(&mut self, text: &str) -> Result<(), Error> {
        self.in_reply = true;
        if !self.sets_markdown {
            return self.say(Style::new(), text);
        }
        let mut harmless = String::with_capacity(text.len());
        self.stripper.push(text, &mut harmless);
        let (columns, colour) = (self.columns(), self.colour);
        let mut reply = self.reply.take().unwrap_or_else(|| Markdown::new(columns, colour));
        reply.set_width(columns);
        let mut set = String::new();
        if std::mem::take(&mut self.interposed) {
            reply.resume();
        }
        reply.push(&harmless, &mut set);
        self.put_set(&set, &reply)?;
        self.reply = Some(reply);
        self.flush()
    }

    fn end_reply(&mut self) -> Result<(), Error> {
        self.in_reply = false;
        let Some(mut reply) = self.reply.take() else { return Ok(()) };
        let mut set = String::new();
        if std::mem::take(&mut self.interposed) {
            reply.resume();
        }
        reply.finish(&mut set);
        self.put_set(&set, &reply)?;
        self.flush()
    }

    /// Writes what was set. A style that ends behind a line feed does not make the line an open one.
    fn put_set(&mut self, set: &str, reply: &Markdown) -> Result<(), Error> {
        if set.is_empty() {
            return Ok(());
        }
        self.put(set)?;
        self.line_ended = reply.column() == 0;
        Ok(())
    }

    /// How many cells a line has that is set for this stream.
    fn columns(&self) -> usize {
        // The last cell stays free: a cursor behind it is in no place that can be named.
        let told = match &self.terminal_of {
            Some(terminal) => columns_of(terminal.as_fd()),
            None => columns_of(io::stdout().as_fd()),
        };
        (told.unwrap_or(USUAL_COLUMNS) - 1).max(MIN_COLUMNS)
    }

    /// Writes a piece of somebody else's text, with all that could act on a terminal left out, and shows it at once.
    pub(crate) fn say(&mut self, style: Style, text: &str) -> Result<(), Error> {
        let mut harmless = String::with_capacity(text.len());
        self.stripper.push(text, &mut harmless);
        let line_ended = if harmless.is_empty() { self.line_ended } else { harmless.ends_with('\n') };
        let painted = if style.is_plain() { harmless } else { self.paint(style, &harmless) };
        self.put(&painted)?;
        self.line_ended = line_ended;
        self.flush()
    }

    /// The text in a style, where there are colours.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().map_err(Error::Output)
    }
}

/// How wide a terminal is, where it is one that knows.
fn columns_of(terminal: BorrowedFd<'_>) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 1)
}

/// Whether two descriptors lead to the same terminal, file or pipe.
fn is_one_place(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    match (rustix::fs::fstat(one), rustix::fs::fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// Whether the terminal can do nothing but print.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

impl Colour {
    fn on(self, terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && set("NO_COLOR").is_none() && !is_dumb(),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A screen whose output a test can read.

    use super::{Screen, Sink};
    use std::cell::RefCell;
    use std::io::{self, Write};
    use std::rc::Rc;

    /// What was written.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Written(Rc<RefCell<Vec<u8>>>);

    impl Written {
        /// All of it.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A screen that is a terminal, on whose other end a test looks.
    pub(crate) fn on_terminal(terminal: std::fs::File) -> Screen {
        let mut sink = Sink::new(Box::new(terminal.try_clone().unwrap()), true, true);
        sink.sets_markdown = true;
        sink.terminal_of = Some(terminal);
        Screen { out: sink, aside: None, together: true }
    }

    /// A screen with both streams apart, and what each of them gets.
    pub(crate) fn screen(colour: bool) -> (Screen, Written, Written) {
        let (out, aside) = (Written::default(), Written::default());
        let sink = |written: &Written| Sink::new(Box::new(written.clone()), false, colour);
        (Screen { out: sink(&out), aside: Some(sink(&aside)), together: false }, out, aside)
    }
}
