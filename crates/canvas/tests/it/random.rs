//! Random histories: the fold read back is the fold, replayed is the fold, and rewinding is exact.

use crate::world::*;
use agent::Seq;
use canvas::*;
use wire::*;

/// SplitMix64: enough to choose, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

const NAMES: [&str; 6] = ["a", "b", "dir/c", "dir/d", "dir/deep/e", "f"];

fn contents(random: &mut Random) -> Option<Contents> {
    let lines: String = (0..6).map(|n| format!("line {n} {}\n", random.below(3))).collect();
    match random.below(8) {
        0 => None,
        1 => Some(Contents { bytes: lines.into_bytes(), mode: Mode::Executable }),
        2 => Some(Contents { bytes: NAMES[random.below(6)].into(), mode: Mode::Symlink }),
        _ => Some(regular(lines)),
    }
}

/// One step of a history; false when it was refused.
fn step(world: &mut World, random: &mut Random) -> bool {
    let blobs = world.store.blobs();
    let seqs: Vec<Seq> = world.fold.steps().iter().map(|step| step.seq).collect();
    let some_seq = |random: &mut Random| if seqs.is_empty() { Seq(0) } else { seqs[random.below(seqs.len())] };
    match random.below(14) {
        0..6 => {
            let first = NAMES[random.below(6)];
            let mut edits = vec![(first, contents(random))];
            let second = NAMES[random.below(6)];
            if second != first {
                edits.push((second, contents(random)));
            }
            world.edit(&edits);
        }
        6..8 => {
            let name = NAMES[random.below(6)];
            let at = world.at.join(name);
            let _ = std::fs::remove_file(&at);
            if let Some(contents) = contents(random) {
                world.save(name, contents.bytes);
            }
        }
        8..10 => drop(world.border()),
        10 => match world.fold.rewind(some_seq(random), &blobs) {
            Ok(_) if world.fold.previous() == Ok(None) => return false,
            Ok(_) => {
                let to = world.fold.previous().unwrap().unwrap();
                match world.fold.rewind(to, &blobs) {
                    Ok(draft) => world.moved(to, draft),
                    Err(_) => return false,
                }
            }
            Err(_) => return false,
        },
        11 => match world.fold.next_redo().unwrap().map(|to| (to, world.fold.redo(to, &blobs))) {
            Some((to, Ok(draft))) => world.moved(to, draft),
            _ => return false,
        },
        12 => match world.fold.pending().first().map(|change| change.path.clone()) {
            Some(path) => world.reject(&[path]),
            None => return false,
        },
        _ => {
            if plan(&world.fold, &Selection::All).is_err() {
                return false;
            }
            world.accept(&Selection::All);
            if random.below(3) == 0 && world.fold.is_undoable() {
                world.undo_accept();
            }
        }
    }
    true
}

#[test]
fn a_fold_is_what_its_journal_says_and_reads_back_from_its_text() {
    const HISTORIES: u64 = 60;
    const STEPS: usize = 40;
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..HISTORIES {
        let (mut world, mut random) = (World::in_memory(), Random(seed));
        for _ in 0..STEPS {
            *(if step(&mut world, &mut random) { &mut taken } else { &mut refused }) += 1;
            for change in world.fold.pending() {
                assert_ne!(change.before, change.after, "seed {seed}");
            }
        }
        let text = serde_json::to_string(&world.fold).unwrap();
        assert_eq!(serde_json::from_str::<Fold>(&text).unwrap(), world.fold, "seed {seed}");
        assert_eq!(world.replayed(), world.fold, "seed {seed}");
        assert!(world.litter().is_empty(), "seed {seed}");
        let picture = Picture::new(world.outside().join("picture"));
        let session = agent::SessionId::from_parts(1, u128::from(seed));
        picture.log(session, &world.fold, &world.store.blobs()).unwrap();
        assert_eq!(git(picture.directory(), &["fsck", "--strict"]), "", "seed {seed}");
    }
    println!("seeds 0..{HISTORIES}, {taken} steps taken, {refused} refused, 0 failures");
    assert!(taken > refused);
}

/// Without anybody else's changes, rewinding to a step gives exactly what was there after it, and redo what was last.
#[test]
fn rewinding_to_any_step_gives_what_was_there() {
    const HISTORIES: u64 = 40;
    let mut rewinds = 0;
    for seed in 0..HISTORIES {
        let (mut world, mut random) = (World::in_memory(), Random(seed ^ 0xfeed));
        let mut seen = vec![(Seq(0), world.fold.pending())];
        for _ in 0..8 {
            let edits = [(NAMES[random.below(6)], contents(&mut random))];
            let seq = world.edit(&edits);
            seen.push((seq, world.fold.pending()));
        }
        let last = seen.last().unwrap().clone();
        for (seq, pending) in &seen[..seen.len() - 1] {
            world.rewind(*seq);
            assert_eq!(&world.fold.pending(), pending, "seed {seed}, rewound to {seq}");
            world.redo(last.0);
            assert_eq!(world.fold.pending(), last.1, "seed {seed}, redone from {seq}");
            rewinds += 1;
        }
    }
    println!("seeds 0..{HISTORIES}, {rewinds} rewinds and redos, 0 failures");
}
