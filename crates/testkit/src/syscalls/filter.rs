//! Which system calls are asked about, and the filter that has the kernel ask.

use libc::{c_long, sock_filter};
use rustix::fd::RawFd;
use std::io;

/// What a call does to what is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Writes bytes.
    Write,
    /// Makes durable what was written.
    Sync,
    /// Shortens or lengthens a file.
    Cut,
    /// Gives a file another name, or one more.
    Name,
    /// Takes a name away.
    Remove,
    /// Makes a file or a directory.
    Make,
}

/// A system call that changes what is on disk.
pub(super) struct Call {
    number: c_long,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Which argument is the descriptor that it works on; `None` where it works on names.
    pub(super) descriptor: Option<usize>,
    /// Which argument has flags of which one must say that a file is made.
    flags: Option<u32>,
    /// Whether it may as well be about a socket or a pipe.
    pub(super) to_anything: bool,
}

macro_rules! calls {
    ($($number:ident $kind:ident $descriptor:expr, $flags:expr, $to_anything:literal;)*) => {
        &[$(Call {
            number: libc::$number,
            name: stringify!($number),
            kind: Kind::$kind,
            descriptor: $descriptor,
            flags: $flags,
            to_anything: $to_anything,
        }),*]
    };
}

const CALLS: &[Call] = calls! {
    SYS_write Write Some(0), None, true;
    SYS_writev Write Some(0), None, true;
    SYS_pwrite64 Write Some(0), None, false;
    SYS_pwritev Write Some(0), None, false;
    SYS_sendfile Write Some(0), None, true;
    SYS_copy_file_range Write Some(2), None, false;
    SYS_fsync Sync Some(0), None, false;
    SYS_fdatasync Sync Some(0), None, false;
    SYS_ftruncate Cut Some(0), None, false;
    SYS_fallocate Cut Some(0), None, false;
    SYS_renameat Name None, None, false;
    SYS_renameat2 Name None, None, false;
    SYS_linkat Name None, None, false;
    SYS_symlinkat Name None, None, false;
    SYS_unlinkat Remove None, None, false;
    SYS_mkdirat Make None, None, false;
    SYS_openat Make None, Some(2), false;
};

/// Calls that newer machines do not have.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[Call] = calls! {
    SYS_rename Name None, None, false;
    SYS_link Name None, None, false;
    SYS_symlink Name None, None, false;
    SYS_unlink Remove None, None, false;
    SYS_rmdir Remove None, None, false;
    SYS_mkdir Make None, None, false;
    SYS_open Make None, Some(1), false;
};
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[Call] = &[];

fn all() -> impl Iterator<Item = &'static Call> {
    CALLS.iter().chain(OLD_CALLS)
}

/// The call of a number.
pub(super) fn call(number: i32) -> Option<&'static Call> {
    all().find(|call| call.number == c_long::from(number))
}

/// Where the kernel's description of a call has its number, and the lower half of an argument.
const NUMBER_AT: u32 = 0;
const ARGUMENTS_AT: u32 = 16;
const ARGUMENT_BYTES: u32 = 8;

/// The filter: asks about the calls above, lets all others pass.
pub(super) fn program() -> Vec<sock_filter> {
    let load = |at| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0);
    let give = |answer| step(libc::BPF_RET | libc::BPF_K, answer, 0, 0);
    let skip_unless = |test, value, steps| step(libc::BPF_JMP | test | libc::BPF_K, value, 0, steps);
    let mut program = vec![load(NUMBER_AT)];
    for call in all() {
        let number = call.number as u32;
        match call.flags {
            None => program.extend([skip_unless(libc::BPF_JEQ, number, 1), give(libc::SECCOMP_RET_USER_NOTIF)]),
            Some(argument) => program.extend([
                skip_unless(libc::BPF_JEQ, number, 4),
                load(ARGUMENTS_AT + ARGUMENT_BYTES * argument),
                skip_unless(libc::BPF_JSET, libc::O_CREAT as u32, 1),
                give(libc::SECCOMP_RET_USER_NOTIF),
                give(libc::SECCOMP_RET_ALLOW),
            ]),
        }
    }
    program.push(give(libc::SECCOMP_RET_ALLOW));
    program
}

fn step(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

/// Puts the filter before all that this process and its children do from now on; the descriptor on which the kernel asks.
/// For a child between fork and exec: nothing here allocates.
pub(super) fn install(program: &mut [sock_filter]) -> io::Result<RawFd> {
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: plain numbers, and a program that lives until the call has returned.
    let listener = unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    };
    if listener < 0 { Err(io::Error::last_os_error()) } else { Ok(listener as RawFd) }
}
