//! The terminal itself: how large it is, and its keys one at a time.
//!
//! While a [`Keyboard`] lives, keys come without Enter and are not shown, and Ctrl-C is a key like others; the terminal
//! is as before once it is dropped, on every way out but SIGKILL. Keys may come from a pipe as well: then its end is
//! the last of them. Deliberately absent: editing of lines, which `chat` has.

use crate::wait;
use rustix::process::getpgrp;
use rustix::termios::{self, LocalModes, OptionalActions, QueueSelector, Termios};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a terminal is taken for that does not know its own size.
pub(crate) const USUAL: Size = Size { columns: 80, rows: 24 };
/// A sequence of a function key comes in one piece: after this long an escape stands for itself.
const SEQUENCE_PAUSE: Duration = Duration::from_millis(25);
/// The longest line that is taken without being shown, in bytes.
const MAX_SECRET_BYTES: usize = 16 * 1024;

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// The size of the terminal that standard output goes to, if it goes to one.
pub(crate) fn size() -> Option<Size> {
    size_of(io::stdout().as_fd())
}

/// The size of a terminal; `None` where it is none.
pub(crate) fn size_of(terminal: BorrowedFd<'_>) -> Option<Size> {
    if !termios::isatty(terminal) {
        return None;
    }
    let told = termios::tcgetwinsize(terminal).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    Some(told.map_or(USUAL, |size| Size { columns: size.ws_col.into(), rows: size.ws_row.into() }))
}

/// Forgets what was typed and not read yet, where it is a terminal's: a question that is shown now is not answered by
/// what was typed before.
pub(crate) fn forget_typed(terminal: BorrowedFd<'_>) {
    // In the background the system would stop us for this, and nobody's keys reach us.
    let is_in_background = termios::tcgetpgrp(terminal).is_ok_and(|group| group != getpgrp());
    if !is_in_background {
        // What is no terminal has nothing to forget.
        let _ = termios::tcflush(terminal, QueueSelector::IFlush);
    }
}

/// Replaces the last line that somebody at the terminal was told on standard error; nothing is said elsewhere.
pub(crate) fn rewrite(words: &str) {
    if termios::isatty(io::stderr()) {
        // Where standard error is closed nobody misses it.
        let _ = write!(io::stderr(), "\r\u{1b}[K{words}");
    }
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// A character that can be shown.
    Char(char),
    /// Enter.
    Enter,
    /// Backspace, or Delete where it means the same.
    Backspace,
    /// Ctrl-U: all that was typed is to go.
    Clear,
    /// Ctrl-C, or somebody ends the process.
    Interrupt,
    /// Ctrl-D, or nothing more comes.
    End,
    /// Some other key, such as an arrow.
    Other,
}

/// Keys one at a time.
#[derive(Debug)]
pub(crate) struct Keyboard<F: AsFd> {
    source: F,
    /// How the terminal was; `None` where the source is none.
    before: Option<Termios>,
    /// Can be read once somebody ends the process.
    ended: UnixStream,
    /// Whether the terminal is as before, so that ending the process is no longer a key.
    over: Arc<AtomicBool>,
    /// What listens to the signals that end the process.
    listeners: Vec<SigId>,
}

impl<F: AsFd> Keyboard<F> {
    /// Takes the keys of a terminal, or the bytes of anything else.
    pub(crate) fn new(source: F) -> io::Result<Keyboard<F>> {
        let over = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGHUP] {
            flag::register_conditional_default(signal, Arc::clone(&over))?;
        }
        Keyboard::listening(source, over)
    }

    /// The same where somebody else looks after the signals that end the process, and goes on with that afterwards.
    pub(crate) fn within(source: F) -> io::Result<Keyboard<F>> {
        Keyboard::listening(source, Arc::new(AtomicBool::new(false)))
    }

    fn listening(source: F, over: Arc<AtomicBool>) -> io::Result<Keyboard<F>> {
        let (ended, handler) = UnixStream::pair()?;
        let mut listeners = Vec::new();
        for signal in [SIGTERM, SIGHUP] {
            listeners.push(pipe::register(signal, handler.try_clone()?)?);
        }
        let before = termios::isatty(&source).then(|| termios::tcgetattr(&source)).transpose()?;
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
            // What was typed ahead is kept: it is an answer too.
            termios::tcsetattr(&source, OptionalActions::Now, &raw)?;
        }
        Ok(Keyboard { source, before, ended, over, listeners })
    }

    /// Waits for a key.
    pub(crate) fn key(&mut self) -> io::Result<Key> {
        let Some(byte) = self.byte(None)? else { return Ok(Key::End) };
        Ok(match byte {
            b'\r' | b'\n' => Key::Enter,
            0x08 | 0x7f => Key::Backspace,
            0x15 => Key::Clear,
            0x03 => Key::Interrupt,
            0x04 => Key::End,
            0x1b => self.sequence()?,
            0x20..=0x7e => Key::Char(char::from(byte)),
            0x80.. => self.character(byte)?,
            _ => Key::Other,
        })
    }

    /// A line that is not shown while it is typed; `None` when somebody would rather not.
    pub(crate) fn secret(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        loop {
            match self.key()? {
                Key::Enter | Key::End => return Ok(Some(line)),
                Key::Interrupt => return Ok(None),
                Key::Char(character) => line.push(character),
                Key::Backspace => drop(line.pop()),
                Key::Clear => line.clear(),
                Key::Other => {}
            }
            if line.len() > MAX_SECRET_BYTES {
                let words = format!("the line is longer than {MAX_SECRET_BYTES} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, words));
            }
        }
    }

    /// The next byte; `None` at the end, after the pause, or when the process is to end.
    fn byte(&mut self, pause: Option<Duration>) -> io::Result<Option<u8>> {
        match wait::readable([Some(self.source.as_fd()), Some(self.ended.as_fd())], pause)? {
            [_, true] => Ok(Some(0x03)),
            [false, false] => Ok(None),
            [true, false] => {
                let mut byte = [0];
                match rustix::io::read(&self.source, &mut byte) {
                    Ok(0) => Ok(None),
                    Ok(_) => Ok(Some(byte[0])),
                    // A terminal whose other end has gone has nothing more to say.
                    Err(rustix::io::Errno::IO) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// Takes the rest of a function key's sequence, so that its letters are not taken for answers.
    fn sequence(&mut self) -> io::Result<Key> {
        let opener = self.byte(Some(SEQUENCE_PAUSE))?;
        if matches!(opener, Some(b'[' | b'O')) {
            while self.byte(Some(SEQUENCE_PAUSE))?.is_some_and(|byte| !(0x40..=0x7e).contains(&byte)) {}
        }
        Ok(Key::Other)
    }

    /// The rest of a character of several bytes.
    fn character(&mut self, first: u8) -> io::Result<Key> {
        let length = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return Ok(Key::Other),
        };
        let mut bytes = vec![first];
        while bytes.len() < length {
            match self.byte(Some(SEQUENCE_PAUSE))? {
                Some(byte) => bytes.push(byte),
                None => return Ok(Key::Other),
            }
        }
        let character = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next());
        Ok(character.filter(|character| !character.is_control()).map_or(Key::Other, Key::Char))
    }
}

impl<F: AsFd> Drop for Keyboard<F> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that has gone needs nothing back.
            let _ = termios::tcsetattr(&self.source, OptionalActions::Now, before);
        }
        for listener in self.listeners.drain(..) {
            unregister(listener);
        }
        self.over.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::os::fd::OwnedFd;

    /// A terminal: the end that types and the end that reads.
    fn terminal() -> (std::fs::File, OwnedFd) {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let name = ptsname(&outer, Vec::new()).unwrap();
        let inner = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        (outer.into(), inner)
    }

    #[test]
    fn keys_come_one_at_a_time_and_the_terminal_is_as_before() {
        let (mut outer, inner) = terminal();
        let before = termios::tcgetattr(&inner).unwrap();
        let mut keyboard = Keyboard::new(inner.as_fd()).unwrap();
        let mut pressed = |bytes: &[u8]| {
            outer.write_all(bytes).unwrap();
            keyboard.key().unwrap()
        };
        assert_eq!(pressed(b"y"), Key::Char('y'));
        assert_eq!(pressed("ü".as_bytes()), Key::Char('ü'));
        assert_eq!(pressed(b"\x1b[A"), Key::Other);
        assert_eq!(pressed(b"\r"), Key::Enter, "the arrow left nothing behind");
        assert_eq!(pressed(b"\x03"), Key::Interrupt, "and no signal");
        drop(keyboard);
        let after = termios::tcgetattr(&inner).unwrap();
        assert_eq!(after.local_modes, before.local_modes);
    }

    #[test]
    fn what_was_typed_ahead_is_kept() {
        let (mut outer, inner) = terminal();
        outer.write_all(b"yn\n").unwrap();
        let mut keyboard = Keyboard::new(inner.as_fd()).unwrap();
        let keys = [keyboard.key().unwrap(), keyboard.key().unwrap(), keyboard.key().unwrap()];
        assert_eq!(keys, [Key::Char('y'), Key::Char('n'), Key::Enter]);
    }

    #[test]
    fn what_was_typed_before_a_question_is_forgotten() {
        let (mut outer, inner) = terminal();
        outer.write_all(b"y\n").unwrap();
        assert_eq!(wait::readable([Some(inner.as_fd())], None).unwrap(), [true]);
        forget_typed(inner.as_fd());
        assert_eq!(wait::readable([Some(inner.as_fd())], Some(Duration::ZERO)).unwrap(), [false]);
    }

    #[test]
    fn a_secret_is_not_shown_and_can_be_mended() {
        let (mut outer, inner) = terminal();
        let mut keyboard = Keyboard::new(inner.as_fd()).unwrap();
        outer.write_all(b"wrong\x15sk-1234x\x7f\r").unwrap();
        assert_eq!(keyboard.secret().unwrap().as_deref(), Some("sk-1234"));
        let [shown] = wait::readable([Some(outer.as_fd())], Some(Duration::ZERO)).unwrap();
        assert!(!shown, "the terminal echoed something");
        outer.write_all(b"half\x03").unwrap();
        assert_eq!(keyboard.secret().unwrap(), None);
    }

    #[test]
    fn a_pipe_has_keys_and_an_end() {
        let (mut outer, inner) = UnixStream::pair().unwrap();
        outer.write_all(b"a\x1b").unwrap();
        drop(outer);
        let mut keyboard = Keyboard::new(inner).unwrap();
        let keys = [keyboard.key().unwrap(), keyboard.key().unwrap(), keyboard.key().unwrap()];
        assert_eq!(keys, [Key::Char('a'), Key::Other, Key::End]);
    }

    #[test]
    fn a_terminal_tells_its_size() {
        let (outer, inner) = terminal();
        assert_eq!(size_of(inner.as_fd()), Some(USUAL), "a new one does not know it");
        let mut winsize = termios::tcgetwinsize(&outer).unwrap();
        (winsize.ws_col, winsize.ws_row) = (100, 40);
        termios::tcsetwinsize(&outer, winsize).unwrap();
        assert_eq!(size_of(inner.as_fd()), Some(Size { columns: 100, rows: 40 }));
        let (pipe, _) = UnixStream::pair().unwrap();
        assert_eq!(size_of(pipe.as_fd()), None);
    }
}
