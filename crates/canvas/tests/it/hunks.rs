//! Accept by hunk: numbers, choices, what is left, and the way back.

use crate::random::Random;
use crate::world::*;
use agent::AcceptOutcome::Done;
use agent::Seq;
use canvas::*;
use std::collections::{BTreeMap, BTreeSet};
use wire::*;

fn thirty() -> String {
    (1..=30).map(|n| format!("line {n}\n")).collect()
}

/// Lines 2, 15 and 29 are changed: three hunks.
fn changed() -> String {
    thirty().replace("line 2\n", "LINE 2\n").replace("line 15\n", "").replace("line 29\n", "line 29\nmore\n")
}

fn world() -> World {
    let mut world = World::new();
    world.save("a", thirty());
    world.write("a", &changed());
    world
}

fn pending(world: &World, name: &str) -> Change {
    world.fold.pending_at(&path(name)).unwrap()
}

fn hunks_of(world: &World, name: &str, context_lines: u32) -> Vec<Hunk> {
    hunks(&pending(world, name), &world.store.blobs(), context_lines).unwrap()
}

fn choice(world: &World, name: &str, context_lines: u32, chosen: &[usize]) -> (RelPath, Choice) {
    let Change { path, before, after } = pending(world, name);
    let (before, after) = (before.map(|state| state.blob), after.map(|state| state.blob));
    (path, Choice { before, after, context_lines, hunks: chosen.iter().copied().collect() })
}

fn chosen(world: &World, choices: &[(RelPath, Choice)]) -> Result<Selection, ChoiceError> {
    choose(&world.fold, &choices.iter().cloned().collect(), &world.store.blobs())
}

fn accept(world: &mut World, name: &str, hunks: &[usize]) -> Seq {
    let selection = chosen(world, &[choice(world, name, CONTEXT_LINES, hunks)]).unwrap();
    assert_eq!(world.accept(&selection).outcome, Done);
    world.fold.head()
}

#[test]
fn hunks_are_numbered_and_read_as_in_a_patch() {
    let world = world();
    let found = hunks_of(&world, "a", CONTEXT_LINES);
    let places: Vec<_> = found.iter().map(|h| (h.index, h.old_start, h.old_lines, h.new_start, h.new_lines)).collect();
    assert_eq!(places, [(0, 1, 5, 1, 5), (1, 12, 7, 12, 6), (2, 27, 4, 26, 5)]);
    assert!(found.iter().all(|hunk| hunk.kind == HunkKind::Lines && hunk.header.starts_with("@@ -")));
    let patch = diff(&[pending(&world, "a")], &world.store.blobs(), Binary::Whole).unwrap().remove(0).patch;
    let joined: Vec<u8> =
        found.iter().flat_map(|hunk| [hunk.header.as_bytes(), b"\n", hunk.patch.as_slice()].concat()).collect();
    assert!(patch.ends_with(&joined), "{}", String::from_utf8_lossy(&joined));
}

#[test]
fn some_hunks_are_accepted_the_others_stay_pending_and_undo_brings_all_back() {
    let mut world = world();
    let before_accept = pending(&world, "a");
    accept(&mut world, "a", &[0]);
    assert_eq!(world.on_disk("a").unwrap(), thirty().replace("line 2\n", "LINE 2\n").into_bytes());
    assert_eq!(world.text("a").unwrap(), changed(), "the canvas is what it was");
    let left = hunks_of(&world, "a", CONTEXT_LINES);
    assert_eq!(left.iter().map(|hunk| hunk.old_start).collect::<Vec<_>>(), [12, 27]);
    assert_eq!(world.border(), Vec::<String>::new());

    assert_eq!(world.undo_accept().outcome, Done);
    assert_eq!(world.on_disk("a").unwrap(), thirty().into_bytes());
    assert_eq!(pending(&world, "a"), before_accept);
    accept(&mut world, "a", &[0, 2]);
    accept(&mut world, "a", &[0]);
    assert_eq!(world.on_disk("a").unwrap(), changed().into_bytes());
    assert!(world.fold.pending().is_empty());
    assert_eq!(world.replayed(), world.fold);
}

#[test]
fn rewind_and_redo_go_across_an_accept_of_some_hunks() {
    let mut world = World::new();
    world.save("a", thirty());
    let first = world.write("a", &thirty().replace("line 2\n", "LINE 2\n"));
    let second = world.write("a", &changed());
    accept(&mut world, "a", &[0]);
    world.rewind(first);
    assert!(world.fold.pending().is_empty(), "what is left of the first step is in the work tree");
    world.redo(second);
    assert_eq!(world.text("a").unwrap(), changed());
    assert_eq!(hunks_of(&world, "a", CONTEXT_LINES).len(), 2);
    // Taken back wholly, the canvas wants the accepted hunk away again.
    world.rewind(Seq(0));
    assert_eq!(world.text("a").unwrap(), thirty());
    assert_eq!(hunks_of(&world, "a", CONTEXT_LINES).len(), 1);
    world.redo(second);
    world.undo_accept();
    assert_eq!(world.text("a").unwrap(), changed());
    assert_eq!(hunks_of(&world, "a", CONTEXT_LINES).len(), 3);
    assert_eq!(world.replayed(), world.fold);
}

#[test]
fn a_choice_holds_for_nothing_but_what_was_looked_at() {
    let mut world = world();
    let made = choice(&world, "a", CONTEXT_LINES, &[0]);
    let beyond = choice(&world, "a", CONTEXT_LINES, &[1, 3]);
    let error = chosen(&world, &[beyond]).unwrap_err();
    assert!(matches!(&error, ChoiceError::Diff(DiffError::NoSuchHunk { index: 3, hunks: 3, .. })), "{error}");
    world.write("a", &changed().replace("line 20\n", "LINE 20\n"));
    let error = chosen(&world, std::slice::from_ref(&made)).unwrap_err();
    assert!(matches!(&error, ChoiceError::Changed(at) if *at == path("a")), "{error}");
    world.write("a", &changed());
    assert!(chosen(&world, std::slice::from_ref(&made)).is_ok(), "the same bytes again are what was looked at");
    world.save("a", thirty().replace("line 9\n", "LINE 9\n"));
    world.border();
    assert!(matches!(chosen(&world, std::slice::from_ref(&made)), Err(ChoiceError::Changed(_))), "the base moved");
    world.reject(&[]);
    assert!(matches!(chosen(&world, &[made]), Err(ChoiceError::NotPending(_))));
}

#[test]
fn with_less_context_a_hunk_falls_into_its_parts() {
    let mut world = World::new();
    world.save("a", thirty());
    world.write("a", &thirty().replace("line 2\n", "LINE 2\n").replace("line 4\n", "LINE 4\nnew\n"));
    assert_eq!(hunks_of(&world, "a", CONTEXT_LINES).len(), 1);
    let parts = hunks_of(&world, "a", 0);
    let places: Vec<_> = parts.iter().map(|part| (part.old_start, part.old_lines, part.new_lines)).collect();
    assert_eq!(places, [(2, 1, 1), (4, 1, 2)]);
    let selection = chosen(&world, &[choice(&world, "a", 0, &[1])]).unwrap();
    assert_eq!(world.accept(&selection).outcome, Done);
    assert_eq!(world.on_disk("a").unwrap(), thirty().replace("line 4\n", "LINE 4\nnew\n").into_bytes());
}

#[test]
fn what_has_no_lines_is_one_hunk_and_a_mode_one_of_its_own() {
    let mut world = World::new();
    let executable = |text: &str| Some(Contents { bytes: text.into(), mode: Mode::Executable });
    let link = |to: &str| Some(Contents { bytes: to.into(), mode: Mode::Symlink });
    for (name, text) in [("gone", "a\nb\n"), ("mode", "same\n"), ("both", "a\nb\n"), ("binary", "\0a"), ("link", "x\n")]
    {
        world.save(name, text);
    }
    world.edit(&[
        ("made", Some(regular("a\nb\n"))),
        ("empty", Some(regular(""))),
        ("gone", None),
        ("mode", executable("same\n")),
        ("both", executable("a\nB\n")),
        ("binary", Some(regular("\0b"))),
        ("link", link("made")),
    ]);
    let kinds = |name: &str| hunks_of(&world, name, 0).iter().map(|hunk| hunk.kind).collect::<Vec<_>>();
    for name in ["made", "empty", "gone", "binary", "link"] {
        assert_eq!(kinds(name), [HunkKind::Whole], "{name}");
    }
    assert_eq!(kinds("mode"), [HunkKind::Mode]);
    assert_eq!(kinds("both"), [HunkKind::Lines, HunkKind::Mode]);
    assert_eq!(hunks_of(&world, "made", 0)[0].patch, b"+a\n+b\n");
    assert_eq!(hunks_of(&world, "mode", 0)[0].header, "mode 100644 becomes 100755");

    let take = |name: &str, hunks: &[usize]| {
        take_hunks(&pending(&world, name), &world.store.blobs(), 0, &hunks.iter().copied().collect()).unwrap()
    };
    assert_eq!(take("both", &[0]), Some(regular("a\nB\n")));
    assert_eq!(take("both", &[1]), executable("a\nb\n"));
    for change in world.fold.pending() {
        let all: Vec<usize> = (0..hunks_of(&world, change.path.as_str(), 0).len()).collect();
        let state = |contents: Option<Contents>| contents.map(|contents| contents.state());
        assert_eq!(state(take(change.path.as_str(), &all)), change.after, "{}", change.path);
        assert_eq!(state(take(change.path.as_str(), &[])), change.before, "{}", change.path);
    }
    let choices: Vec<_> = ["made", "gone", "link", "mode"].iter().map(|name| choice(&world, name, 0, &[0])).collect();
    let none = [choice(&world, "binary", 0, &[])];
    let selection = chosen(&world, &[choices.as_slice(), &none].concat()).unwrap();
    assert_eq!(world.accept(&selection).outcome, Done);
    assert_eq!((world.on_disk("gone"), world.on_disk("made").unwrap()), (None, b"a\nb\n".to_vec()));
    let left: Vec<_> = world.fold.pending().into_iter().map(|change| change.path.to_string()).collect();
    assert_eq!(left, ["binary", "both", "empty"]);
    let nothing = chosen(&world, &none).unwrap();
    assert!(matches!(plan(&world.fold, &nothing), Err(PlanError::Nothing)));
}

/// Of random texts, any choice is what `git apply` makes of the patch of the chosen hunks.
#[test]
fn git_makes_the_same_of_the_chosen_hunks() {
    const TRIALS: u64 = 60;
    let (world, mut applied) = (World::new(), 0);
    git(&world.at, &["init", "-q"]);
    for seed in 0..TRIALS {
        let mut random = Random(seed);
        let text = |random: &mut Random| -> String {
            let lines: String =
                (0..40).map(|n| if random.below(6) == 0 { "new\n".into() } else { format!("{n}\n") }).collect();
            if random.below(2) == 0 { lines } else { lines.trim_end().to_owned() }
        };
        let (before, after) = (text(&mut random), text(&mut random));
        [&before, &after].iter().for_each(|text| world.store.put(text.as_bytes()));
        let change =
            Change { path: path("a"), before: Some(regular(&before).state()), after: Some(regular(&after).state()) };
        let context_lines = random.below(4) as u32;
        let found = hunks(&change, &world.store.blobs(), context_lines).unwrap();
        let chosen: BTreeSet<usize> = (0..found.len()).filter(|_| random.below(2) == 0).collect();
        let taken = take_hunks(&change, &world.store.blobs(), context_lines, &chosen).unwrap().unwrap();
        let mut patch = b"--- a/a\n+++ b/a\n".to_vec();
        // Where git looks for a hunk depends on what was taken before it.
        let mut shift = 0;
        for hunk in found.iter().filter(|hunk| chosen.contains(&hunk.index)) {
            let Hunk { old_start, old_lines, new_lines, .. } = hunk;
            let first = i64::from(*old_start) + i64::from(*old_lines == 0) - i64::from(*new_lines == 0) + shift;
            let header = format!("@@ -{old_start},{old_lines} +{first},{new_lines} @@\n");
            patch.extend([header.as_bytes(), hunk.patch.as_slice()].concat());
            shift += i64::from(*new_lines) - i64::from(*old_lines);
        }
        world.save("a", &before);
        if !chosen.is_empty() {
            world.save("patch", &patch);
            git(&world.at, &["apply", "--unidiff-zero", "--whitespace=nowarn", "patch"]);
            applied += 1;
        }
        assert_eq!(world.on_disk("a").unwrap(), taken.bytes, "seed {seed}, context {context_lines}, {chosen:?}");
    }
    println!("seeds 0..{TRIALS}, {applied} patches applied by git, 0 failures");
}

#[test]
fn many_files_are_chosen_from_at_once() {
    let mut world = World::new();
    let names: Vec<String> = (0..20).map(|n| format!("dir/{n}")).collect();
    names.iter().for_each(|name| world.save(name, thirty()));
    let edits: Vec<_> = names.iter().map(|name| (name.as_str(), Some(regular(changed())))).collect();
    world.edit(&edits);
    let choices: BTreeMap<_, _> =
        names.iter().enumerate().map(|(n, name)| choice(&world, name, CONTEXT_LINES, &[n % 3])).collect();
    let selection = choose(&world.fold, &choices, &world.store.blobs()).unwrap();
    assert_eq!(world.accept(&selection).outcome, Done);
    assert!(names.iter().all(|name| hunks_of(&world, name, CONTEXT_LINES).len() == 2));
}
