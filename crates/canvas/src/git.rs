//! What holds for every use of libgit2 in this room, and git's trees written by ourselves.
//!
//! libgit2 reads the configuration of system and user unless it is told not to; a session's picture depends on
//! neither. The settings are the library's own, so they are made once, before anything else of git is used.

use git2::{ConfigLevel, ObjectType, Odb, Oid, opts};
use std::collections::BTreeMap;
use std::sync::Once;
use wire::Mode;

/// A file in a tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) blob: Oid,
    pub(crate) mode: Mode,
}

/// Git's number for a directory in a tree.
const DIRECTORY: i32 = 0o040000;
const OID_BYTES: usize = 20;

/// Must be called before anything else of git is.
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for level in [ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG, ConfigLevel::ProgramData] {
            // SAFETY: this library's only caller of libgit2 is this crate, and it comes through here first, so no
            // other thread is using the search paths.
            let set = unsafe { opts::set_search_path(level, "") };
            debug_assert!(set.is_ok(), "libgit2 knows its own levels");
        }
        // Objects are made of objects made just before: to look each up again would double the cost of a commit.
        opts::strict_object_creation(false);
        opts::strict_hash_verification(false);
    });
}

/// Writes the tree that comes of `tree` (nothing, for `None`) when the files at these paths are set or, for `None`,
/// removed. Directories appear and vanish with what is in them. A directory wins over a file of the same name.
pub(crate) fn edit_tree(odb: &Odb<'_>, tree: Option<Oid>, edits: &[(&str, Option<Leaf>)]) -> Result<Oid, git2::Error> {
    match edit(odb, tree, edits)? {
        Some(tree) => Ok(tree),
        None => odb.write(ObjectType::Tree, &[]),
    }
}

fn edit(odb: &Odb<'_>, tree: Option<Oid>, edits: &[(&str, Option<Leaf>)]) -> Result<Option<Oid>, git2::Error> {
    let mut entries = match tree {
        Some(tree) => entries_of(odb.read(tree)?.data())?,
        None => BTreeMap::new(),
    };
    let mut below: BTreeMap<&str, Vec<(&str, Option<Leaf>)>> = BTreeMap::new();
    for (path, leaf) in edits {
        match (path.split_once('/'), leaf) {
            (Some((directory, rest)), leaf) => below.entry(directory).or_default().push((rest, *leaf)),
            (None, Some(leaf)) => drop(entries.insert(path.as_bytes().to_vec(), (leaf.mode.git(), leaf.blob))),
            (None, None) => {
                if entries.get(path.as_bytes()).is_some_and(|(mode, _)| *mode != DIRECTORY) {
                    entries.remove(path.as_bytes());
                }
            }
        }
    }
    for (name, edits) in below {
        let old = entries.get(name.as_bytes()).filter(|(mode, _)| *mode == DIRECTORY).map(|(_, tree)| *tree);
        match edit(odb, old, &edits)? {
            Some(tree) => drop(entries.insert(name.as_bytes().to_vec(), (DIRECTORY, tree))),
            None if old.is_some() => drop(entries.remove(name.as_bytes())),
            None => {}
        }
    }
    if entries.is_empty() { Ok(None) } else { odb.write(ObjectType::Tree, &bytes_of(entries)).map(Some) }
}

type Entries = BTreeMap<Vec<u8>, (i32, Oid)>;

/// Git sorts a directory as if its name ended in a slash.
fn bytes_of(entries: Entries) -> Vec<u8> {
    let mut sorted: Vec<_> = entries.into_iter().collect();
    sorted.sort_by_cached_key(|(name, (mode, _))| {
        let mut key = name.clone();
        key.extend((*mode == DIRECTORY).then_some(b'/'));
        key
    });
    let mut bytes = Vec::new();
    for (name, (mode, id)) in sorted {
        bytes.extend_from_slice(format!("{mode:o} ").as_bytes());
        bytes.extend_from_slice(&name);
        bytes.push(0);
        bytes.extend_from_slice(id.as_bytes());
    }
    bytes
}

fn entries_of(mut bytes: &[u8]) -> Result<Entries, git2::Error> {
    let malformed = || git2::Error::from_str("a tree of the picture is malformed");
    let mut entries = Entries::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
        let end = bytes.iter().position(|byte| *byte == 0).filter(|end| *end > space).ok_or_else(malformed)?;
        let mode = std::str::from_utf8(&bytes[..space]).ok().and_then(|mode| i32::from_str_radix(mode, 8).ok());
        let id = bytes.get(end + 1..end + 1 + OID_BYTES).ok_or_else(malformed)?;
        entries.insert(bytes[space + 1..end].to_vec(), (mode.ok_or_else(malformed)?, Oid::from_bytes(id)?));
        bytes = &bytes[end + 1 + OID_BYTES..];
    }
    Ok(entries)
}
