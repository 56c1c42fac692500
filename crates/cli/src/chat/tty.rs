//! The terminal of a conversation: its keys as bytes, its size, and the signals that are about it.
//!
//! While it is *raw*, keys come at once, are not echoed, and Ctrl-C and Ctrl-Z are bytes in their place among the others.
//! While it is *patient*, which is when nobody reads keys since the daemon is to answer, Ctrl-C is a signal. It is as it
//! was before once it is dropped, by a panic too, and while the process is stopped.

use crate::terminal::{Size, USUAL, size_of};
use rustix::process::{
    Pid, Signal, getpgid, getpgrp, getpid, getppid, getsid, kill_current_process_group, kill_process,
};
use rustix::termios::{self, InputModes, LocalModes, OptionalActions, Termios};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::low_level::pipe;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Makes pastes come between marks, and the end of that (xterm's bracketed paste).
const PASTES: [&[u8]; 2] = [b"\x1b[?2004h", b"\x1b[?2004l"];

/// A terminal that is ours.
#[derive(Debug)]
pub(super) struct Tty {
    input: File,
    output: File,
    before: Termios,
    /// Whether the terminal was told to mark pastes.
    marks_pastes: Cell<bool>,
    resized: Waker,
    ends: Waker,
    stops: Waker,
    continued: Waker,
}

/// Signals of a kind, as something that can be waited for.
#[derive(Debug)]
pub(super) struct Waker(UnixStream);

impl Waker {
    fn of(signals: &[i32]) -> io::Result<Waker> {
        let (woken, handler) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        for signal in signals {
            pipe::register(*signal, handler.try_clone()?)?;
        }
        Ok(Waker(woken))
    }

    /// Whether a signal came since the last call.
    pub(super) fn take(&self) -> bool {
        (&self.0).read(&mut [0; 64]).is_ok_and(|signals| signals > 0)
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Tty {
    /// Takes a terminal over.
    pub(super) fn take(input: OwnedFd, output: OwnedFd) -> io::Result<Tty> {
        let before = termios::tcgetattr(&input)?;
        let tty = Tty {
            input: input.into(),
            output: output.into(),
            before,
            marks_pastes: Cell::new(false),
            resized: Waker::of(&[SIGWINCH])?,
            ends: Waker::of(&[SIGTERM, SIGHUP])?,
            stops: Waker::of(&[SIGTSTP])?,
            continued: Waker::of(&[SIGCONT])?,
        };
        tty.raw()?;
        Ok(tty)
    }

    /// Keys come as they are pressed.
    pub(super) fn raw(&self) -> io::Result<()> {
        self.set(LocalModes::empty())?;
        if !self.marks_pastes.replace(true) {
            (&self.output).write_all(PASTES[0])?;
        }
        Ok(())
    }

    /// The same after somebody else had the terminal, and may have told it anything.
    pub(super) fn raw_again(&self) -> io::Result<()> {
        self.marks_pastes.set(false);
        self.raw()
    }

    /// Ctrl-C and Ctrl-Z are signals. Keys are kept for later.
    pub(super) fn patient(&self) -> io::Result<()> {
        self.set(LocalModes::ISIG)
    }

    /// The terminal as it was.
    pub(super) fn cooked(&self) -> io::Result<()> {
        self.marks_pastes.set(false);
        (&self.output).write_all(PASTES[1])?;
        termios::tcsetattr(&self.input, OptionalActions::Now, &self.before).map_err(io::Error::from)
    }

    /// What was typed goes on being waited for, whichever mode comes (no flush); output is processed as ever, so that a
    /// line feed begins a line.
    fn set(&self, signals: LocalModes) -> io::Result<()> {
        let mut modes = self.before.clone();
        modes.input_modes &= !(InputModes::ICRNL | InputModes::INLCR | InputModes::IXON | InputModes::ISTRIP);
        modes.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        modes.local_modes |= signals | LocalModes::NOFLSH;
        termios::tcsetattr(&self.input, OptionalActions::Now, &modes).map_err(io::Error::from)
    }

    /// The bytes that were typed; none when the terminal is gone.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        let length = match rustix::io::retry_on_intr(|| rustix::io::read(&self.input, &mut bytes[..])) {
            // The other end has hung up.
            Err(rustix::io::Errno::IO) => 0,
            other => other?,
        };
        bytes.truncate(length);
        Ok(bytes)
    }

    /// How large it is.
    pub(super) fn size(&self) -> Size {
        size_of(self.output.as_fd()).unwrap_or(USUAL)
    }

    /// Ctrl-Z was pressed: stops everything that runs with us, and us when the signal comes back.
    pub(super) fn ask_to_stop(&self) -> io::Result<()> {
        kill_current_process_group(Signal::TSTP).map_err(io::Error::from)
    }

    /// Whether a shell could go on with us once we are stopped. In a session of our own, as a container or a terminal's
    /// `-e` makes one, nobody could, and the terminal would be dead.
    pub(super) fn has_shell(&self) -> bool {
        let Some(parent) = getppid() else { return false };
        let (Ok(session), Ok(own), Ok(group)) = (getsid(Some(parent)), getsid(None), getpgid(Some(parent))) else {
            return false;
        };
        // A parent in our own group is stopped with us; whoever started it goes on with both, unless it leads the session.
        session == own && (group != getpgrp() || session != parent)
    }

    /// Stops this process until somebody goes on with it. The terminal is as it was meanwhile.
    pub(super) fn stop(&self) -> io::Result<()> {
        self.cooked()?;
        let own: Pid = getpid();
        kill_process(own, Signal::STOP)?;
        self.continued.take();
        self.raw()
    }

    /// The size changed.
    pub(super) fn resized(&self) -> &Waker {
        &self.resized
    }

    /// The process is to end, or the terminal is going away.
    pub(super) fn ends(&self) -> &Waker {
        &self.ends
    }

    /// The process is to stop.
    pub(super) fn stops(&self) -> &Waker {
        &self.stops
    }

    /// The process goes on after it was stopped by others.
    pub(super) fn continued(&self) -> &Waker {
        &self.continued
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing back.
        let _ = self.cooked();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::terminal;
    use super::*;

    #[test]
    fn pastes_are_asked_for_once_until_somebody_else_had_the_terminal() {
        let (outer, inner) = terminal();
        let tty = Tty::take(inner.try_clone().unwrap(), inner).unwrap();
        tty.patient().unwrap();
        tty.raw().unwrap();
        tty.cooked().unwrap();
        tty.raw().unwrap();
        tty.raw().unwrap();
        let mut told = [0; 64];
        let length = File::from(outer).read(&mut told).unwrap();
        assert_eq!(told[..length], [PASTES[0], PASTES[1], PASTES[0]].concat());
    }
}
