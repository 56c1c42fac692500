//! The conversation of two daemons: one message at a time, with descriptors beside it.

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use wire::HandOver;
use wire::handover::{MAX_MESSAGE_BYTES, MAX_SOCKETS};

/// The most descriptors beside one message: the lock's, the sockets', and the configuration's.
const DESCRIPTORS: usize = MAX_SOCKETS + 2;

/// One end of it.
#[derive(Debug)]
pub(super) struct Talk {
    socket: AsyncFd<OwnedFd>,
}

/// What was heard.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) word: HandOver,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Talk {
    /// Speaks over a socket that keeps the borders of messages. Needs the runtime.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Talk> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        // SAFETY: an owned descriptor stays the same one until it is dropped, which it is with what is made here.
        let socket = unsafe { AsyncFd::register(socket) }?;
        Ok(Talk { socket })
    }

    /// Says something, and gives descriptors along. Cancel-safe: it is said whole or not at all.
    pub(super) async fn say(&self, word: &HandOver, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(word).expect("a word is plain data");
        self.socket
            .async_io(Interest::WRITABLE, |socket| {
                let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
                let mut beside = SendAncillaryBuffer::new(&mut space);
                if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
                    return Err(io::Error::other(format!("more than {DESCRIPTORS} descriptors to give away")));
                }
                rustix::net::sendmsg(socket, &[IoSlice::new(&text)], &mut beside, SendFlags::NOSIGNAL)?;
                Ok(())
            })
            .await
    }

    /// The next thing said; `None` when the other end is gone. Cancel-safe.
    pub(super) async fn hear(&self) -> io::Result<Option<Heard>> {
        let mut text = vec![0; MAX_MESSAGE_BYTES];
        let (length, descriptors) = self
            .socket
            .async_io(Interest::READABLE, |socket| {
                let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
                let mut beside = RecvAncillaryBuffer::new(&mut space);
                let mut pieces = [IoSliceMut::new(&mut text)];
                // Close-on-exec from the first instant: a child must not keep the lock.
                let received = rustix::net::recvmsg(socket, &mut pieces, &mut beside, RecvFlags::CMSG_CLOEXEC);
                let received = match received {
                    // As good as hanging up: the other end is gone with something unread.
                    Err(rustix::io::Errno::CONNRESET) => return Ok((0, Vec::new())),
                    other => other?,
                };
                let mut descriptors = Vec::new();
                for message in beside.drain() {
                    if let RecvAncillaryMessage::ScmRights(some) = message {
                        descriptors.extend(some);
                    }
                }
                Ok((received.bytes, descriptors))
            })
            .await?;
        if length == 0 {
            return Ok(None);
        }
        let word = serde_json::from_slice(&text[..length]).map_err(io::Error::other)?;
        Ok(Some(Heard { word, descriptors }))
    }
}
