//! The file of a snapshot: a tar archive in exactly one form.
//!
//! Any `tar` unpacks it, but the reader takes only what the writer would have written, byte for byte: a member's header
//! is made again from its name and size and compared, padding is zeros, the members are those of the manifest in its
//! order, and the last one is the hash of all bytes before it. So there is nothing in it that a link, a device, a name
//! that leads out, a second member of one name or a false size could hide in, and not one bit that is not checked.
//!
//! Deliberately absent: where files go (see [`Place`]), what they mean, and any way to pass damage over.

mod archive;
mod header;
mod pack;
mod seal;
mod unpack;

pub(crate) use pack::{Piece, pack, pack_sealed, store_piece};
pub(crate) use seal::Passphrase;
pub use unpack::UnpackError;
pub(crate) use unpack::{Nowhere, Place, Unpacked, manifest, opens, unpack};
