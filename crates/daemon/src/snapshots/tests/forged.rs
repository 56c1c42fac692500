//! R9: archives that any `tar` would unpack, made by somebody who means harm. Sums are right wherever that is possible,
//! so that it is not the hash alone that refuses them.

use super::world::{World, any};
use crate::snapshots::restore::restore;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use wire::BlobHash;
use wire::snapshot::{Coding, JOURNAL, MANIFEST, Manifest, SUM, StoredFile};

/// A member as an attacker would write it.
struct Forged<'a> {
    name: &'a str,
    kind: u8,
    link: &'a str,
    claimed: u64,
    bytes: &'a [u8],
}

fn plain<'a>(name: &'a str, bytes: &'a [u8]) -> Forged<'a> {
    Forged { name, kind: b'0', link: "", claimed: bytes.len() as u64, bytes }
}

fn block(member: &Forged<'_>) -> Vec<u8> {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, member.name.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if member.claimed < 1 << 33 {
        put(124, format!("{:011o}\0", member.claimed).as_bytes());
    } else {
        put(124, &[0x80, 0, 0, 0]);
        put(128, &member.claimed.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[member.kind]);
    put(157, member.link.as_bytes());
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut all = header.to_vec();
    all.extend_from_slice(member.bytes);
    all.resize(all.len().next_multiple_of(512), 0);
    all
}

/// An archive whose own hash is right.
fn archive(members: &[Forged<'_>]) -> Vec<u8> {
    let mut all: Vec<u8> = members.iter().flat_map(block).collect();
    let sum = format!("{}\n", BlobHash(Sha256::digest(&all).into()));
    all.extend(block(&plain(SUM, sum.as_bytes())));
    all.resize(all.len() + 1024, 0);
    all
}

fn file(name: &str, bytes: &[u8]) -> StoredFile {
    StoredFile {
        name: name.to_owned(),
        bytes: bytes.len() as u64,
        sha256: BlobHash::of(bytes),
        coding: Coding::Plain,
        stored_bytes: bytes.len() as u64,
    }
}

#[tokio::test]
async fn nothing_that_was_planted_is_unpacked() {
    let world = World::new(2).await;
    let good = world.snapshot(1, None).await;
    let manifest = crate::snapshots::shelf::look(&good).unwrap().manifest;
    let journal = std::fs::read(world.state().join(JOURNAL)).unwrap();
    let written = |files: Vec<StoredFile>| serde_json::to_vec(&Manifest { files, ..manifest.clone() }).unwrap();
    let own = || file(JOURNAL, &journal);
    let text = written(vec![own()]);
    let head = || plain(MANIFEST, &text);
    let body = || plain(JOURNAL, &journal);
    let kind = |kind, name, link| Forged { name, kind, link, claimed: 0, bytes: b"" };
    let outside = world.dir.path().join("planted");
    let outside = outside.to_str().unwrap();
    let huge = 10_u64 << 30;
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    let mut case = |what: &str, members: &[Forged<'_>]| cases.push((what.to_owned(), archive(members)));

    // Members that the manifest does not have, of every kind that tar knows.
    for (what, planted) in [
        ("a symlink", kind(b'2', "keys", "/etc")),
        ("a hard link", kind(b'1', "keys/a", "/etc/passwd")),
        ("a character device", kind(b'3', "keys/null", "")),
        ("a block device", kind(b'4', "keys/sda", "")),
        ("a directory", kind(b'5', "canvas", "")),
        ("a pipe", kind(b'6', "keys/pipe", "")),
        ("a long name of GNU's", kind(b'L', "././@LongLink", "")),
        ("a header of pax", kind(b'x', "pax", "")),
        ("a sparse file", kind(b'S', "sparse", "")),
        ("a file beside", plain("../planted", b"x")),
        ("a file above", plain("../../planted", b"x")),
        ("an absolute file", plain(outside, b"x")),
        ("one file more", plain("search.db", b"x")),
        ("the journal twice", plain(JOURNAL, b"x")),
        ("the manifest twice", plain(MANIFEST, b"{}")),
        ("another sum", plain(SUM, b"x")),
    ] {
        let again = Forged { ..planted };
        case(&format!("{what}, last"), &[head(), body(), again]);
    }
    case("a symlink in the journal's place", &[head(), kind(b'2', JOURNAL, "/etc/passwd")]);
    case("a device in the journal's place", &[head(), kind(b'3', JOURNAL, "")]);
    case("a hard link in the journal's place", &[head(), kind(b'1', JOURNAL, "/etc/passwd")]);
    case("a journal of 10 GiB", &[head(), Forged { claimed: huge, ..body() }]);
    case("a manifest of 10 GiB", &[Forged { claimed: huge, ..head() }]);
    case("no manifest", &[body()]);
    case("no journal", &[head()]);
    case("nothing", &[]);

    // Manifests that name what must not be named.
    for (what, name) in [
        ("above", "../planted"),
        ("absolute", outside),
        ("deeper above", "keys/../../planted"),
        ("hidden", ".bashrc"),
        ("unknown", "daemon.lock"),
        ("a snapshot's", "snapshots/x"),
        ("empty", ""),
        ("with a NUL", "keys/a\0b"),
    ] {
        let text = written(vec![file(name, b"x"), own()]);
        case(&format!("a name {what}, in the manifest too"), &[plain(MANIFEST, &text), plain(name, b"x"), body()]);
    }
    let twice = written(vec![own(), own()]);
    case("a doubled name, in the manifest too", &[plain(MANIFEST, &twice), body(), body()]);
    let claimed = written(vec![StoredFile { bytes: huge, stored_bytes: huge, ..own() }]);
    case("10 GiB, in the manifest too", &[plain(MANIFEST, &claimed), Forged { claimed: huge, ..body() }]);
    let most = StoredFile { bytes: u64::MAX, stored_bytes: u64::MAX, ..own() };
    let overflowing = written(vec![most.clone(), StoredFile { name: "config.toml".to_owned(), ..most }]);
    case("sizes that overflow", &[plain(MANIFEST, &overflowing), body()]);
    let newer = serde_json::to_vec(&Manifest { format: 99, ..manifest.clone() }).unwrap();
    case("a later format", &[plain(MANIFEST, &newer)]);

    // A member that becomes more than it says, and one that says more than there is.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(64 << 20), &mut bomb).unwrap();
    let bomb = bomb.finish().unwrap();
    for (what, bytes) in [("a bomb", 4096_u64), ("a bomb that says so", 64 << 20)] {
        let stored = StoredFile { bytes, coding: Coding::Gzip, stored_bytes: bomb.len() as u64, ..own() };
        let text = written(vec![stored]);
        case(what, &[plain(MANIFEST, &text), plain("journal.db.gz", &bomb)]);
    }

    // Journals that are whole and not what the manifest speaks of.
    for (what, bytes) in [("text", &b"not a database"[..]), ("nothing at all", b"")] {
        let text = written(vec![file(JOURNAL, bytes)]);
        case(&format!("a journal that is {what}"), &[plain(MANIFEST, &text), plain(JOURNAL, bytes)]);
    }
    let other = World::new(3).await;
    let strange = std::fs::read(other.state().join(JOURNAL)).unwrap();
    let text_of_other = written(vec![file(JOURNAL, &strange)]);
    case("another state's journal", &[plain(MANIFEST, &text_of_other), plain(JOURNAL, &strange)]);

    let live = world.live();
    let path = world.dir.path().join("forged.tar");
    let mut failures = Vec::new();
    for (what, bytes) in &cases {
        std::fs::write(&path, bytes).unwrap();
        let taken = restore(&world.state(), &any(&path), None, &|| true, &|_| {}).is_ok();
        if taken || world.live() != live || Path::new(outside).exists() || world.state().join("restore.new").exists() {
            failures.push(format!("{what} (taken: {taken})"));
        }
    }
    println!("forged snapshots: {} trials, {} accepted or touched", cases.len(), failures.len());
    assert!(failures.is_empty(), "{failures:?}");
    // And the forger's hand is good enough: what is right is taken.
    std::fs::write(&path, archive(&[head(), body()])).unwrap();
    restore(&world.state(), &any(&path), None, &|| true, &|_| {}).unwrap();
}
