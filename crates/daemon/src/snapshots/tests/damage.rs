//! R9: whatever bit is flipped, wherever it is cut, whatever is put in its place: restore refuses, and nothing of the
//! live state has changed.

use super::world::{Random, World, any, seed};
use crate::snapshots::restore::{Chosen, restore, restore_to, verify_file};
use agent::SnapshotId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FLIPS: u64 = 1_000;
const CUTS: u64 = 100;
const WORDS: &str = "correct horse battery staple";

/// Tries to restore something, and says what went wrong with the refusal.
fn tried(world: &World, live: &BTreeMap<PathBuf, Vec<u8>>, chosen: &Chosen, words: Option<&str>) -> Result<(), String> {
    let taken = restore(&world.state(), chosen, words, &|| true, &|_| {}).is_ok();
    let same = world.live() == *live && !world.state().join("restore.new").exists();
    match (taken, same) {
        (false, true) => Ok(()),
        (true, _) => Err("it was taken".to_owned()),
        (false, false) => Err("it was refused, and something changed".to_owned()),
    }
}

#[tokio::test]
async fn damage_is_refused_before_anything_is_touched() {
    let seed = seed();
    let mut random = Random(seed);
    let world = World::new(8).await;
    let (plain, sealed) = (world.snapshot(1, None).await, world.snapshot(2, Some(WORDS)).await);
    world.say(1..=3, "later").await;
    let live = world.live();
    let (mut trials, mut failures) = (0, Vec::new());
    let broken = world.dir.path().join("broken.tar");
    let mut attempt = |what: String, bytes: &[u8], words: Option<&str>| {
        std::fs::write(&broken, bytes).unwrap();
        trials += 1;
        if let Err(why) = tried(&world, &live, &any(&broken), words) {
            failures.push(format!("{what}: {why}"));
        }
        // The outside alone shows it too, without the passphrase.
        if verify_file(&any(&broken), None).is_ok() {
            failures.push(format!("{what}: verify took it"));
        }
    };
    for (path, words, flips) in [(&plain, None, FLIPS * 3 / 4), (&sealed, Some(WORDS), FLIPS / 4)] {
        let whole = std::fs::read(path).unwrap();
        let name = if words.is_some() { "sealed" } else { "plain" };
        for _ in 0..flips {
            let bit = random.below(whole.len() as u64 * 8) as usize;
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            attempt(format!("{name}, bit {bit}"), &bytes, words);
        }
        for cut in 0..CUTS / 2 {
            // Some at a border of blocks, where nothing is torn.
            let at = random.below(whole.len() as u64) as usize;
            let at = if cut % 2 == 0 { at } else { at / 512 * 512 };
            attempt(format!("{name}, cut at {at}"), &whole[..at], words);
        }
        attempt(format!("{name}, with a byte more"), &[&whole[..], b"\0"].concat(), words);
        attempt(format!("{name}, twice"), &[&whole[..], &whole[..]].concat(), words);
    }
    println!("damaged snapshots: seed {seed}, {trials} trials, {} accepted or touched", failures.len());
    assert!(failures.is_empty(), "seed {seed}: {failures:?}");
    // And the test can fail: what is whole is taken.
    restore(&world.state(), &any(&plain), None, &|| true, &|_| {}).unwrap();
    restore(&world.state(), &any(&sealed), Some(WORDS), &|| true, &|_| {}).unwrap();
}

#[tokio::test]
async fn an_older_one_under_its_name_is_refused() {
    let world = World::new(3).await;
    let old = world.snapshot(1, None).await;
    world.say(1..=3, "later").await;
    let new = world.snapshot(2, None).await;
    let right = verify_file(&any(&new), None).unwrap();
    let live = world.live();
    let id = |number| SnapshotId::from_parts(1_764_000_000_000, number);
    let chosen = |path: &Path, number, expected| Chosen { id: Some(id(number)), expected, ..any(path) };
    restore_to(&world.dir.path().join("good"), &chosen(&new, 2, Some(right.sha256)), None, &|| true, &|_| {}).unwrap();
    std::fs::copy(&old, &new).unwrap();
    // It lies under a name that is not its own; and were its own name changed, the journal's hash would tell.
    tried(&world, &live, &chosen(&new, 2, None), None).unwrap();
    tried(&world, &live, &chosen(&new, 1, Some(right.sha256)), None).unwrap();
    assert!(verify_file(&chosen(&new, 2, Some(right.sha256)), None).is_err());
}

#[tokio::test]
async fn a_wrong_passphrase_or_none_is_refused() {
    let world = World::new(2).await;
    let sealed = world.snapshot(1, Some(WORDS)).await;
    let live = world.live();
    for words in [None, Some("correct horse battery stable"), Some(" ")] {
        tried(&world, &live, &any(&sealed), words).unwrap();
    }
    let outside = verify_file(&any(&sealed), None).unwrap();
    let inside = verify_file(&any(&sealed), Some(WORDS)).unwrap();
    assert_eq!((outside.opened, inside.opened, outside.sha256), (false, true, inside.sha256));
}

#[tokio::test]
async fn secrets_stand_in_no_snapshot_in_clear() {
    let world = World::new(2).await;
    let (plain, sealed) = (world.snapshot(1, None).await, world.snapshot(2, Some(WORDS)).await);
    for path in [&plain, &sealed] {
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.windows(9).any(|window| window == b"sk-canary"), "{}", path.display());
    }
    // With a passphrase they come along, and come back.
    let home = world.dir.path().join("elsewhere");
    restore_to(&home, &any(&sealed), Some(WORDS), &|| true, &|_| {}).unwrap();
    assert_eq!(std::fs::read_to_string(home.join("state/keys/openai")).unwrap(), "sk-canary-of-snapshots");
    assert!(std::fs::read_to_string(home.join("config.toml")).unwrap().contains("steps = 9"));
    restore_to(&world.dir.path().join("bare"), &any(&plain), None, &|| true, &|_| {}).unwrap();
    assert!(!world.dir.path().join("bare/state/keys").exists());
    assert!(restore_to(&home, &any(&plain), None, &|| true, &|_| {}).is_err(), "the directory is not empty any more");
}
