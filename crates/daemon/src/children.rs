//! Child processes that die with the daemon, however it dies.
//!
//! The kernel's parent-death signal fires when the *thread* that spawned ends, not the process. So one thread, as old
//! as the first child and as long-lived as the daemon, does all the spawning.

use rustix::process::{Signal, set_parent_process_death_signal};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Children that wait to be spawned; whoever spawns more waits a moment.
const QUEUE: usize = 16;

type Job = (Command, SyncSender<io::Result<Child>>);

static SPAWNER: OnceLock<SyncSender<Job>> = OnceLock::new();

/// Spawns a child that is killed when this process ends. It inherits no descriptor but its standard three, so it can
/// hold no lock of ours. Blocks until it has been spawned.
pub fn spawn(mut command: Command) -> io::Result<Child> {
    let parent = std::process::id();
    // SAFETY: both calls between fork and exec are plain system calls that allocate nothing and take no lock.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the signal was asked for.
            match rustix::process::getppid() {
                Some(pid) if pid.as_raw_nonzero().get() as u32 == parent => Ok(()),
                _ => Err(io::ErrorKind::BrokenPipe.into()),
            }
        });
    }
    let (answer, spawned) = sync_channel(1);
    let gone = || io::Error::other("the thread that spawns children is gone");
    spawner().send((command, answer)).map_err(|_| gone())?;
    spawned.recv().map_err(|_| gone())?
}

fn spawner() -> &'static SyncSender<Job> {
    SPAWNER.get_or_init(|| {
        let (sender, jobs) = sync_channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("children".to_owned())
            .spawn(move || {
                for (mut command, answer) in jobs {
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("a thread can be started");
        sender
    })
}
