//! Leaving the terminal: own session, `/` as directory, no inherited descriptors, and one line to whoever waits.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::fs::File;
use std::io::{self, Write};

/// The descriptor on which a detached daemon tells its starter that it is ready, or why it is not.
#[derive(Debug)]
pub(crate) struct Starter(Option<File>);

impl Starter {
    /// Nobody waits.
    pub(crate) fn nobody() -> Starter {
        Starter(None)
    }

    /// Says one line and hangs up. That the starter has gone is no reason to stop.
    pub(crate) fn tell(&mut self, line: &str) {
        if let Some(mut pipe) = self.0.take() {
            let _ = writeln!(pipe, "{line}");
        }
    }
}

/// Detaches this process. Standard error is a pipe to the starter: it is kept for [`Starter`] and replaced, like
/// standard input and output, by `/dev/null`.
pub(crate) fn detach() -> io::Result<Starter> {
    // Refused to the leader of a process group, which a starter's child is not.
    rustix::process::setsid()?;
    rustix::process::chdir("/")?;
    let starter = rustix::io::fcntl_dupfd_cloexec(io::stderr().as_fd(), 3)?;
    let null: OwnedFd = File::options().read(true).write(true).open("/dev/null")?.into();
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    drop(null);
    close_inherited(starter.as_fd())?;
    Ok(Starter(Some(File::from(starter))))
}

/// Closes every descriptor above the standard three but the one given.
fn close_inherited(keep: BorrowedFd<'_>) -> io::Result<()> {
    use rustix::fd::AsRawFd;
    let inherited: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2 && *fd != keep.as_raw_fd())
        .collect();
    for fd in inherited {
        // SAFETY: this runs before anything else of the daemon has opened a file, so nobody owns these descriptors.
        // The one that read /proc itself is closed by now, and closing it again does nothing.
        unsafe { rustix::io::close(fd) };
    }
    Ok(())
}
