//! The line to the kernel: the descriptor on which it asks comes over from the child, and each question is answered.

use libc::{c_int, seccomp_notif, seccomp_notif_resp};
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::unix::net::UnixStream;

/// Room for the one descriptor that a message carries.
type Control = [u64; 4];

/// Sends a descriptor, and who sends it. For a child between fork and exec: nothing here allocates.
pub(super) fn send(socket: RawFd, descriptor: RawFd) -> io::Result<()> {
    // SAFETY: all that the message points at lives until the call has returned, and is as large as it says.
    unsafe {
        let mut pid = libc::getpid();
        let mut part = libc::iovec { iov_base: (&raw mut pid).cast(), iov_len: size_of::<libc::pid_t>() };
        let mut control: Control = zeroed();
        let mut message: libc::msghdr = zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<c_int>() as u32) as _;
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        (*head).cmsg_level = libc::SOL_SOCKET;
        (*head).cmsg_type = libc::SCM_RIGHTS;
        (*head).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as u32) as _;
        libc::CMSG_DATA(head).cast::<c_int>().write_unaligned(descriptor);
        if libc::sendmsg(socket, &raw const message, 0) < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Receives it; `None` when there is no child that sends.
pub(super) fn receive(socket: &UnixStream) -> Option<(Listener, i32)> {
    // SAFETY: as in `send`; the descriptor is ours once it is received.
    unsafe {
        let mut pid: libc::pid_t = 0;
        let mut part = libc::iovec { iov_base: (&raw mut pid).cast(), iov_len: size_of::<libc::pid_t>() };
        let mut control: Control = zeroed();
        let mut message: libc::msghdr = zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of::<Control>() as _;
        let got = libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC);
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        if got <= 0 || head.is_null() || (*head).cmsg_type != libc::SCM_RIGHTS {
            return None;
        }
        let descriptor = libc::CMSG_DATA(head).cast::<c_int>().read_unaligned();
        Some((Listener { descriptor: OwnedFd::from_raw_fd(descriptor) }, pid))
    }
}

/// Where the kernel asks.
pub(super) struct Listener {
    descriptor: OwnedFd,
}

/// A call that waits for its answer.
pub(super) struct Question {
    id: u64,
    /// The thread that makes the call.
    pub(super) thread: i32,
    /// The number of the call.
    pub(super) number: i32,
    /// Its arguments.
    pub(super) arguments: [u64; 6],
}

impl Listener {
    /// The next question; `None` when nobody is left who could ask.
    pub(super) fn next(&self) -> Option<Question> {
        loop {
            let mut polled = libc::pollfd { fd: self.descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one entry, which lives until the call has returned.
            if unsafe { libc::poll(&raw mut polled, 1, -1) } < 0 {
                continue;
            }
            if polled.revents & libc::POLLIN == 0 {
                return None;
            }
            // SAFETY: the kernel asks for zeroes and fills in the question.
            let mut asked: seccomp_notif = unsafe { zeroed() };
            // SAFETY: the descriptor is a listener, and the structure is the one that this request takes.
            let got = unsafe {
                libc::ioctl(self.descriptor.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV as _, &raw mut asked)
            };
            // It fails where the asking thread was killed in between.
            if got == 0 {
                let data = asked.data;
                let (thread, number) = (asked.pid as i32, data.nr);
                return Some(Question { id: asked.id, thread, number, arguments: data.args });
            }
        }
    }

    /// Lets a call be made.
    pub(super) fn go_on(&self, question: &Question) {
        self.answer(question, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32);
    }

    /// Has a call fail, without being made.
    pub(super) fn refuse(&self, question: &Question, errno: i32) {
        self.answer(question, -errno, 0);
    }

    fn answer(&self, question: &Question, error: i32, flags: u32) {
        let mut answer = seccomp_notif_resp { id: question.id, val: 0, error, flags };
        // SAFETY: the descriptor is a listener, and the structure is the one that this request takes. It fails where the
        // asking thread is gone, which is no matter.
        unsafe { libc::ioctl(self.descriptor.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND as _, &raw mut answer) };
    }
}
