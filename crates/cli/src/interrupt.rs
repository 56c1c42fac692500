//! Ctrl-C as something that can be waited for, so that it cancels a turn instead of killing the command.

use signal_hook::consts::SIGINT;
use signal_hook::low_level::pipe;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// From its making on, SIGINT no longer kills the process: each one is a byte to be taken here.
#[derive(Debug)]
pub(crate) struct Interrupt {
    signals: UnixStream,
}

impl Interrupt {
    /// Begins to listen.
    pub(crate) fn listen() -> io::Result<Interrupt> {
        let (signals, handler) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        pipe::register(SIGINT, handler)?;
        Ok(Interrupt { signals })
    }

    /// How often Ctrl-C was pressed since the last call.
    pub(crate) fn take(&self) -> usize {
        let mut presses = [0; 16];
        (&self.signals).read(&mut presses).unwrap_or(0)
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}
