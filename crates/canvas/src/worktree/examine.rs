//! One look at one name: what it is, and a descriptor to read it from, without ever opening what is not a plain file.

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use wire::{BlobHash, Contents, Mode};

/// A name that turns into something else between two looks, this often in a row, is an attack.
const MAX_LOOKS: usize = 16;
const CHUNK_BYTES: usize = 64 * 1024;

/// What one look found.
#[derive(Debug)]
pub(crate) enum Examined {
    Absent,
    File(File, Mode, Fingerprint),
    Link(Contents),
    Directory,
    Other(&'static str),
}

/// What changes, as a rule, when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    device: u64,
    inode: u64,
    permissions: u32,
    pub(crate) bytes: u64,
    modified: (i64, i64),
    pub(crate) changed: (i64, i64),
}

/// Looks at what `open` opens with the given flags. The name is opened as a mere place first, so that a pipe does not
/// block and a device does not act.
pub(crate) fn examine<E>(
    open: &dyn Fn(OFlags) -> Result<Option<OwnedFd>, E>,
    fail: impl Fn(Errno) -> E,
) -> Result<Examined, E> {
    for _ in 0..MAX_LOOKS {
        let Some(place) = open(OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)? else {
            return Ok(Examined::Absent);
        };
        let stat = rustix::fs::fstat(&place).map_err(&fail)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&place, "", Vec::new()).map_err(&fail)?;
                let contents = Contents { bytes: target.into_bytes(), mode: Mode::Symlink };
                return Ok(Examined::Link(contents));
            }
            FileType::Directory => return Ok(Examined::Directory),
            FileType::Fifo => return Ok(Examined::Other("a named pipe")),
            FileType::Socket => return Ok(Examined::Other("a socket")),
            FileType::CharacterDevice | FileType::BlockDevice => return Ok(Examined::Other("a device")),
            FileType::Unknown => return Ok(Examined::Other("something unknown")),
        }
        // Not blocking, should the name have become a pipe in between; an error then means: look again.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = match open(flags) {
            Ok(Some(opened)) => opened,
            Ok(None) => continue,
            Err(error) => {
                if still_regular(open, &stat)? {
                    return Err(error);
                }
                continue;
            }
        };
        let stat = rustix::fs::fstat(&opened).map_err(&fail)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            return Ok(Examined::File(File::from(opened), mode_of(&stat), fingerprint(&stat)));
        }
    }
    Err(fail(Errno::AGAIN))
}

fn still_regular<E>(open: &dyn Fn(OFlags) -> Result<Option<OwnedFd>, E>, was: &Stat) -> Result<bool, E> {
    let place = open(OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)?;
    let stat = place.and_then(|place| rustix::fs::fstat(&place).ok());
    Ok(stat.is_some_and(|stat| (stat.st_dev, stat.st_ino) == (was.st_dev, was.st_ino)))
}

fn mode_of(stat: &Stat) -> Mode {
    if stat.st_mode & 0o100 != 0 { Mode::Executable } else { Mode::Regular }
}

fn fingerprint(stat: &Stat) -> Fingerprint {
    Fingerprint {
        device: stat.st_dev,
        inode: stat.st_ino,
        permissions: stat.st_mode,
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
        changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
    }
}

/// All bytes of a file; `None` when there are more than `limit`.
pub(crate) fn read_whole(file: &mut File, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// The hash and the size of a file of any size.
pub(crate) fn hash_of(file: &mut File) -> io::Result<(BlobHash, u64)> {
    let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok((BlobHash(hash.finalize().into()), bytes)),
            Ok(read) => {
                hash.update(&chunk[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
