//! Patches are taken by the real `git apply`, with and without an index.

use crate::world::*;
use canvas::*;
use wire::*;

fn contents(bytes: &[u8], mode: Mode) -> Option<Contents> {
    Some(Contents { bytes: bytes.to_vec(), mode })
}

type Case = (&'static str, Option<Contents>, Option<Contents>);

fn cases() -> Vec<Case> {
    use Mode::{Executable, Regular, Symlink};
    let long: String = (0..200).map(|n| format!("line {n}\n")).collect();
    let changed = long.replace("line 100\n", "LINE 100\n").replace("line 3\n", "");
    let binary: Vec<u8> = (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut other = binary.clone();
    other[2500] ^= 0xff;
    vec![
        ("plain.txt", contents(long.as_bytes(), Regular), contents(changed.as_bytes(), Regular)),
        ("crlf.txt", contents(b"a\r\nb\r\nc\r\n", Regular), contents(b"a\r\nB\r\nc\r\n", Regular)),
        ("mixed.txt", contents(b"a\r\nb\nc\r\n", Regular), contents(b"a\nb\nc\r\nd", Regular)),
        ("no-newline", contents(b"a\nb", Regular), contents(b"a\nc", Regular)),
        ("newline-comes", contents(b"a\nb", Regular), contents(b"a\nb\n", Regular)),
        ("newline-goes", contents(b"a\nb\n", Regular), contents(b"a\nb", Regular)),
        ("latin1.txt", contents(b"caf\xe9\n", Regular), contents(b"caf\xe9s\n", Regular)),
        ("made", None, contents(b"new\n", Regular)),
        ("made-script", None, contents(b"#!/bin/sh\n", Executable)),
        ("made-empty", None, contents(b"", Regular)),
        ("made-link", None, contents(b"plain.txt", Symlink)),
        ("gone", contents(b"old\n", Regular), None),
        ("gone-empty", contents(b"", Regular), None),
        ("emptied", contents(b"old\n", Regular), contents(b"", Regular)),
        ("filled", contents(b"", Regular), contents(b"new\n", Regular)),
        ("mode", contents(b"same\n", Regular), contents(b"same\n", Executable)),
        ("mode-and-bytes", contents(b"a\n", Executable), contents(b"b\n", Regular)),
        ("relinked", contents(b"plain.txt", Symlink), contents(b"crlf.txt", Symlink)),
        ("becomes-link", contents(b"a\n", Regular), contents(b"plain.txt", Symlink)),
        ("becomes-file", contents(b"plain.txt", Symlink), contents(b"a\n", Executable)),
        ("binary", contents(&binary, Regular), contents(&other, Regular)),
        ("made-binary", None, contents(&binary, Regular)),
        ("gone-binary", contents(&binary, Regular), None),
        ("becomes-binary", contents(b"text\n", Regular), contents(b"\0bin\0", Regular)),
        ("deep/er/with space.txt", contents(b"a\n", Regular), contents(b"b\n", Regular)),
        ("quoted\t\"name\".txt", contents(b"a\n", Regular), contents(b"b\n", Regular)),
        ("ünïcode/ß.txt", None, contents(b"b\n", Regular)),
        ("trailing space ", contents(b"a\n", Regular), contents(b"b\n", Regular)),
    ]
}

#[test]
fn git_takes_every_patch_and_makes_of_it_what_accept_makes() {
    let mut world = World::new();
    for (name, before, _) in cases() {
        if let Some(before) = before {
            place(&world, name, &before);
        }
    }
    git(&world.at, &["init", "-q"]);
    git(&world.at, &["config", "core.autocrlf", "false"]);
    git(&world.at, &["add", "-A"]);
    git(&world.at, &["commit", "-qm", "before"]);
    let cases = cases();
    let edits: Vec<_> = cases.iter().map(|(name, _, after)| (*name, after.clone())).collect();
    world.edit(&edits);
    let files = diff(&world.fold.pending(), &world.store.blobs(), Binary::Whole).unwrap();
    assert_eq!(files.len(), cases.len());

    let clone = world.outside().join("clone");
    git(world.outside(), &["clone", "-q", "root", "clone"]);
    for file in &files {
        let at = world.outside().join("patch");
        std::fs::write(&at, &file.patch).unwrap();
        git(&clone, &["apply", "--index", "--whitespace=nowarn", at.to_str().unwrap()]);
    }
    assert_eq!(world.accept(&Selection::All).outcome, agent::AcceptOutcome::Done);
    git(&world.at, &["add", "-A"]);
    let tree = |at| git(at, &["write-tree"]);
    assert_eq!(tree(&world.at), tree(&clone));
    println!("{} patches applied by git", files.len());
}

fn place(world: &World, name: &str, contents: &Contents) {
    let at = world.at.join(name);
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    match contents.mode {
        Mode::Symlink => std::os::unix::fs::symlink(std::str::from_utf8(&contents.bytes).unwrap(), at).unwrap(),
        Mode::Regular => world.save(name, &contents.bytes),
        Mode::Executable => {
            world.save(name, &contents.bytes);
            world.executable(name);
        }
    }
}

#[test]
fn lines_are_counted_as_git_counts_them_and_binary_is_marked() {
    let store = Store::default();
    for (name, before, after) in cases() {
        for contents in [&before, &after].into_iter().flatten() {
            store.put(&contents.bytes);
        }
        let state = |contents: &Option<Contents>| contents.as_ref().map(Contents::state);
        let change = Change { path: path(name), before: state(&before), after: state(&after) };
        let file = diff(std::slice::from_ref(&change), &store.blobs(), Binary::Marked).unwrap().remove(0);
        assert_eq!(file.binary, name.contains("binary"), "{name}");
        let text = String::from_utf8_lossy(&file.patch).into_owned();
        let count = |sign: char| text.lines().filter(|line| line.starts_with(sign)).count();
        let headers = |sign: &str| text.lines().filter(|line| line.starts_with(&sign.repeat(3))).count();
        if !file.binary {
            let expected = (count('+') - headers("+"), count('-') - headers("-"));
            assert_eq!((file.added, file.removed), expected, "{name}");
        } else {
            assert!(text.contains("Binary files") && !text.contains("GIT binary patch"), "{name}: {text}");
        }
    }
}
