//! Random texts and random edits, as patches of both forms: applied, they give the edited text to the letter.

use crate::fuzz::Random;
use crate::worlds::{World, path};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use wire::{Contents, Found, Mode};

/// A text before and after random edits, as lines with their ends.
fn edited(random: &mut Random, ends: &[&str], may_be_open: bool) -> (Vec<String>, Vec<String>) {
    let words = ["alpha", "beta", "  gamma", "\tdelta", "}", "", "x y", "é", "-- dash", "++ plus", "@@ at", " "];
    let line = |random: &mut Random| format!("{}{}", words[random.below(words.len())], ends[random.below(ends.len())]);
    let before: Vec<String> = (0..random.below(40)).map(|_| line(random)).collect();
    let mut after = before.clone();
    for _ in 0..=random.below(4) {
        let at = random.below(after.len() + 1);
        let gone = random.below(4).min(after.len() - at);
        let come: Vec<String> = (0..random.below(4)).map(|_| line(random)).collect();
        after.splice(at..at + gone, come);
    }
    let open = |random: &mut Random, lines: &mut Vec<String>| {
        if may_be_open
            && random.below(4) == 0
            && let Some(last) = lines.last_mut()
        {
            last.truncate(last.trim_end_matches(['\r', '\n']).len());
            if last.is_empty() {
                lines.pop();
            }
        }
    };
    let (mut before, mut after) = (before, after);
    open(random, &mut before);
    open(random, &mut after);
    (before, after)
}

/// What apply_patch makes of a file.
fn apply(name: &str, before: &str, patch: &str) -> Result<String, String> {
    let output = World::in_memory().with(&[(name, before)]).run("apply_patch", json!({ "patch": patch }));
    match output.changes.first() {
        Some(change) => Ok(String::from_utf8(change.after.clone().unwrap().bytes).unwrap()),
        None => Err(output.text),
    }
}

#[test]
fn what_git_says_is_different_is_made_so() {
    let seed = std::env::var("SEED").map_or(17, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let (trials, mut applied, mut failures) = (300, 0, 0);
    let root = TempDir::new().unwrap();
    for trial in 0..trials {
        let ends: &[&str] = [&["\n"][..], &["\r\n"], &["\n", "\r\n"]][random.below(3)];
        let (before, after) = edited(&mut random, ends, true);
        let (before, after) = (before.concat(), after.concat());
        if before == after {
            continue;
        }
        std::fs::write(root.path().join("old"), &before).unwrap();
        std::fs::write(root.path().join("new"), &after).unwrap();
        // Lines around changes are what tells equal places apart where numbers are wrong; here they are right.
        let context = random.below(4);
        let mut git = Command::new("git");
        git.current_dir(root.path()).args(["diff", "--no-index", "--no-color", &format!("-U{context}"), "old", "new"]);
        let diff = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap().stdout;
        let diff = String::from_utf8(diff).unwrap();
        let hunks = diff[diff.find("@@").unwrap()..].to_owned();
        // Mixed ends without lines around: what a line's end was is then not in the patch.
        let expected = if ends.len() > 1 && !diff.contains('\r') { after.replace("\r\n", "\n") } else { after.clone() };
        let result = apply("f", &before, &format!("--- a/f\n+++ b/f\n{hunks}"));
        applied += 1;
        let same = match &result {
            Ok(text) if ends.len() > 1 && !diff.contains('\r') => text.replace("\r\n", "\n") == expected,
            Ok(text) => *text == expected,
            Err(_) => false,
        };
        if !same {
            failures += 1;
            println!("trial {trial}: {before:?}\n{diff}\nexpected {after:?}\nfound {result:?}");
        }
    }
    println!("seed {seed}: {trials} trials, {applied} patches of git applied, {failures} failures");
    assert_eq!(failures, 0);
    assert!(applied > trials / 2);
}

/// The patch in the other form, with as many lines around each change as it takes to say where it is.
fn envelope(before: &[String], after: &[String]) -> String {
    let text = |line: &String| line.trim_end_matches(['\r', '\n']).to_owned();
    let (before, after): (Vec<String>, Vec<String>) =
        (before.iter().map(text).collect(), after.iter().map(text).collect());
    let head = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let most = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(most).take_while(|(one, other)| one == other).count();
    let mut around = 0;
    let (from, to) = loop {
        let (from, to) = (head.saturating_sub(around), (before.len() - tail + around).min(before.len()));
        let wanted = &before[from..to];
        let unique = !wanted.is_empty() && before.windows(wanted.len()).filter(|window| *window == wanted).count() == 1;
        if unique || wanted.len() == before.len() {
            break (from, to);
        }
        around += 1;
    };
    let lines = |sign: &str, lines: &[String]| lines.iter().map(|line| format!("{sign}{line}\n")).collect::<String>();
    format!(
        "*** Begin Patch\n*** Update File: f\n@@\n{}{}{}{}*** End Patch\n",
        lines(" ", &before[from..head]),
        lines("-", &before[head..before.len() - tail]),
        lines("+", &after[head..after.len() - tail]),
        lines(" ", &before[before.len() - tail..to]),
    )
}

#[test]
fn the_form_without_numbers_gives_the_edited_text_too() {
    let seed = std::env::var("SEED").map_or(19, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let (trials, mut applied, mut failures) = (3_000, 0, 0);
    for trial in 0..trials {
        let ends: &[&str] = [&["\n"][..], &["\r\n"]][random.below(2)];
        let (before, after) = edited(&mut random, ends, false);
        let (old, mut new) = (before.concat(), after.concat());
        if before.is_empty() {
            // There is nothing from which the line ends could be known.
            new = new.replace("\r\n", "\n");
        }
        if old == new {
            continue;
        }
        let patch = envelope(&before, &after);
        let result = apply("f", &old, &patch);
        applied += 1;
        if result.as_ref() != Ok(&new) {
            failures += 1;
            println!("trial {trial}: {old:?}\n{patch}\nexpected {new:?}\nfound {result:?}");
        }
    }
    println!("seed {seed}: {trials} trials, {applied} patches applied, {failures} failures");
    assert_eq!(failures, 0);
    assert!(applied > trials / 2);
}

/// Whatever is done to a patch, it is refused or applied; nothing panics, and only paths that it names change.
#[test]
fn broken_patches_never_panic_and_touch_only_what_they_name() {
    let seed = std::env::var("SEED").map_or(23, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let pieces = [
        "*** Begin Patch\n",
        "*** End Patch\n",
        "*** Update File: a.txt\n",
        "*** Update File: d/b.txt\n",
        "*** Add File: n/w\n",
        "*** Delete File: a.txt\n",
        "*** Move to: d/c.txt\n",
        "*** End of File\n",
        "@@\n",
        "@@ two\n",
        "@@ -1,3 +1,3 @@\n",
        "@@ -2 +2 @@\n",
        "@@ -0,0 +1 @@\n",
        "@@ -99999999999999999999 +1 @@\n",
        "@@ -18446744073709551615,1 +0,0 @@\n",
        "@@ -9223372036854775809,1 +0,0 @@\n",
        " one\n",
        "-two\n",
        "+2\n",
        " three\n",
        "  one\n",
        "-\ttwo\n",
        "\n",
        "\\ No newline at end of file\n",
        "--- a/a.txt\n",
        "+++ b/a.txt\n",
        "--- /dev/null\n",
        "+++ b/new\n",
        "+++ /dev/null\n",
        "--- a/d/b.txt\n+++ b/d/b.txt\n",
        "--- a/a.txt\n+++ b/a.txt\n",
        "diff --git a/a.txt b/moved\nrename from a.txt\nrename to moved\n",
        "new file mode 100755\n",
        "diff --git \"a/\\3",
        "+x\r\n",
        "```\n",
        "prose\n",
        "-- \n",
        "\u{202e}\n",
        "+++ b/../x\n",
        "*** Add File: .git/x\n",
        "*** Add File: a.txt/x\n",
    ];
    let (trials, mut read, mut done, mut failures) = (40_000, 0, 0, 0);
    let world = World::in_memory().with(&[("a.txt", "one\ntwo\nthree\n"), ("d/b.txt", "one\r\n\ttwo\r\nthree")]);
    for trial in 0..trials {
        let body: String = (0..random.below(12)).map(|_| pieces[random.below(pieces.len())]).collect();
        let patch = match random.below(3) {
            0 => body,
            1 => format!("*** Begin Patch\n*** Update File: a.txt\n{body}*** End Patch\n"),
            _ => format!("--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n{body}"),
        };
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let Ok(call) = tools::check("apply_patch", &json!({ "patch": patch }).to_string()) else { return (0, 0) };
            let output = tools::run(&call, &world, &|| false, &world.limits);
            let named: BTreeSet<&str> = call.strings.iter().map(String::as_str).collect();
            let mut changed = BTreeSet::new();
            for change in &output.changes {
                assert!(named.contains(change.path.as_str()), "changed {}", change.path);
                assert!(changed.insert(change.path.clone()), "{} is changed twice", change.path);
                assert_ne!(change.before, change.after);
            }
            assert_eq!(output.changes.is_empty(), output.outcome != agent::ToolOutcome::Done, "{}", output.text);
            (1, u32::from(!output.changes.is_empty()))
        }));
        match attempt {
            Ok((one, other)) => (read, done) = (read + one, done + other),
            Err(_) => {
                failures += 1;
                println!("trial {trial}: {patch}");
            }
        }
    }
    println!("seed {seed}: {trials} trials, {read} read as patches, {done} applied, {failures} failures");
    assert_eq!(failures, 0);
    assert!(read > trials / 20 && done > trials / 200, "the patches are too wild to test anything");
}

/// Runs git in a directory, away from whatever configuration there is.
fn git(root: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(root).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whole trees: new files, deleted, renamed, made executable, with names that git puts in quotes.
#[test]
fn a_diff_of_git_between_two_trees_is_made_so() {
    let seed = std::env::var("SEED").map_or(29, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let names = ["a.txt", "b c.txt", "grün/ü.txt", "d/\"q\".txt", "d/e/f", "tab\tname", "b/a", "a/b"];
    let (trials, mut files, mut renames, mut failures) = (40, 0, 0, 0);
    for trial in 0..trials {
        let root = TempDir::new().unwrap();
        git(root.path(), &["init", "-q"]);
        let mut trees: [BTreeMap<&str, Contents>; 2] = [BTreeMap::new(), BTreeMap::new()];
        for name in names {
            let (before, after) = edited(&mut random, &["\n"], true);
            let mode = |random: &mut Random| if random.below(4) == 0 { Mode::Executable } else { Mode::Regular };
            let target = names[random.below(names.len())];
            let file = |lines: Vec<String>, mode| Contents { bytes: lines.concat().into_bytes(), mode };
            let (before, after) = (file(before, mode(&mut random)), file(after, mode(&mut random)));
            match random.below(5) {
                0 => drop(trees[0].insert(name, before)),
                1 => drop(trees[1].insert(name, after)),
                2 if !trees[0].contains_key(target) && !trees[1].contains_key(target) => {
                    trees[0].insert(name, before.clone());
                    trees[1].insert(target, before);
                }
                _ => {
                    trees[0].insert(name, before);
                    trees[1].insert(name, after);
                }
            }
        }
        let [old, new] = trees.each_ref().map(|tree| {
            for entry in
                std::fs::read_dir(root.path()).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != ".git")
            {
                if entry.path().is_dir() {
                    std::fs::remove_dir_all(entry.path())
                } else {
                    std::fs::remove_file(entry.path())
                }
                .unwrap();
            }
            for (name, contents) in tree {
                let place = root.path().join(name);
                std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                std::fs::write(&place, &contents.bytes).unwrap();
                let mode = if contents.mode == Mode::Executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
            }
            git(root.path(), &["add", "-A"]);
            git(root.path(), &["write-tree"]).trim().to_owned()
        });
        let diff = git(root.path(), &["diff", "--no-color", "-M", &old, &new]);
        if diff.is_empty() {
            continue;
        }
        let mut world = World::in_memory();
        for (name, contents) in &trees[0] {
            world.place.set(&path(name), Some(contents));
        }
        let output = world.call("apply_patch", json!({ "patch": diff }));
        let now = |name: &str| match world.place.read(&path(name)).unwrap() {
            Found::File(contents) => Some(contents),
            _ => None,
        };
        (files, renames) = (files + output.changes.len(), renames + diff.matches("\nrename from ").count());
        if names.iter().any(|name| now(name).as_ref() != trees[1].get(name)) {
            failures += 1;
            println!("trial {trial}: {}\n{diff}", output.text);
        }
    }
    println!("seed {seed}: {trials} trials, {files} files changed, {renames} of them renamed, {failures} failures");
    assert_eq!(failures, 0);
    assert!(files > trials && renames > 0, "the trees are too much alike to test anything");
}
