//! What walks leave out. Where git is the measure, git is asked.

use crate::worlds::{World, link, path, regular};
use serde_json::json;
use std::process::Command;

fn found(world: &World, pattern: &str) -> Vec<String> {
    let text = world.run("find_files", json!({ "pattern": pattern })).text;
    text.lines().skip(1).filter(|line| !line.starts_with('[')).map(str::to_owned).collect()
}

#[test]
fn ignore_files_hide_from_list_find_and_search() {
    for (kind, world) in World::both() {
        let mut world = world.with(&[
            (".gitignore", "target/\n*.log\n!keep.log\n/top\n"),
            (".ignore", "notes\n!loud.log\n"),
            ("a.rs", "needle\n"),
            ("x.log", "needle\n"),
            ("loud.log", "needle\n"),
            ("keep.log", "needle\n"),
            ("notes", "needle\n"),
            ("top", "needle\n"),
            ("sub/top", "needle\n"),
            ("sub/.gitignore", "*.rs\n!b.rs\n"),
            ("sub/a.rs", "needle\n"),
            ("sub/b.rs", "needle\n"),
            ("sub-gen/a.rs", "needle\n"),
            ("target/debug/a.rs", "needle\n"),
            ("sub/target", "needle\n"),
        ]);
        let visible = ["a.rs", "keep.log", "loud.log", "sub/b.rs", "sub/target", "sub/top", "sub-gen/a.rs"];
        let files: Vec<String> = found(&world, "**/*").into_iter().filter(|name| !name.contains("ignore")).collect();
        assert_eq!(files, visible, "{kind}");
        let text = world.run("search_text", json!({"pattern": "needle"})).text;
        assert!(text.starts_with("\"needle\": 7 matching lines in 7 files"), "{kind}: {text}");
        let text = world.run("list_directory", json!({})).text;
        assert!(text.ends_with("sub/\nsub-gen/\n[4 ignored entries are not shown]"), "{kind}: {text}");
        // What is named is walked, with the rules from above that still apply within it.
        let text = world.run("list_directory", json!({"path": "target", "depth": 2})).text;
        assert_eq!(text, "target: 2 entries\ntarget/debug/\ntarget/debug/a.rs (7 bytes)", "{kind}");
        let text = world.run("list_directory", json!({"path": "sub"})).text;
        assert!(text.ends_with("[1 ignored entry is not shown]"), "{kind}: {text}");
        let text = world.run("search_text", json!({"pattern": "needle", "path": "x.log"})).text;
        assert!(text.contains("x.log:1: needle"), "{kind}: {text}");
        // A rule that is taken away is taken away at once, and a linked file of rules is none.
        world.place.set(&path(".gitignore"), Some(&link("a.rs")));
        assert!(found(&world, "x.log") == ["x.log"], "{kind}");
    }
}

#[test]
fn git_and_names_that_are_not_utf8_are_never_walked() {
    for (kind, mut world) in World::both() {
        world.place.make_unreachable();
        world.place.set(&path("a"), Some(&regular("x\n")));
        let text = world.run("list_directory", json!({})).text;
        let marked = "\u{fffd} (cannot be used: its name is not UTF-8 or too long)";
        assert_eq!(text, format!(".: 2 entries\na (2 bytes)\n{marked}"), "{kind}");
        assert_eq!(found(&world, "**/*"), ["a"], "{kind}");
        let text = world.run("search_text", json!({"pattern": "x"})).text;
        assert_eq!(text, "\"x\": 1 matching line in 1 file (1 file searched)\na:1: x", "{kind}");
    }
}

#[test]
fn broken_rules_count_for_nothing() {
    for (kind, mut world) in World::both() {
        world.place.set(&path(".gitignore"), Some(&regular(b"\xef\xbb\xbfhidden\n[z-a]\n\xff\xfe\n{{{\n")));
        let world = world.with(&[("a", ""), ("hidden", "")]);
        assert_eq!(found(&world, "**/*"), [".gitignore", "a"], "{kind}");
    }
}

/// Random trees with random rules: what `find_files` shows must be what git would take in.
#[test]
fn the_same_files_are_left_out_as_by_git() {
    let seed = std::env::var("SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut random = crate::fuzz::Random::new(seed);
    let (trials, mut left_out, mut failures) = (40, 0, 0);
    let names = ["a", "b", "ab", "a.rs", "b.rs", "x.log"];
    let directories = ["", "a/", "b/", "ab/", "a/b/", "b/a/", "a/ab/b/"];
    let rules = [
        "a", "b/", "/a", "/b/", "*.rs", "!a.rs", "a/b", "**/ab", "a/**", "!ab", "ab/*", "*", "!*/", "!*.rs", "?",
        "[ab]", "\\!a", "# a", "", "a ", "/a/*", "!/a/b.rs", "**/b/**", "x.*",
    ];
    for trial in 0..trials {
        let root = tempfile::TempDir::new().unwrap();
        let mut files = Vec::new();
        for directory in directories {
            for name in names {
                let path = format!("{directory}{name}");
                let is_directory = directories.iter().any(|directory| directory.starts_with(&format!("{path}/")));
                if !is_directory && random.below(2) == 0 {
                    files.push((path, String::new()));
                }
            }
            if random.below(2) == 0 {
                let lines = (0..random.below(5)).map(|_| rules[random.below(rules.len())].to_owned() + "\n");
                files.push((format!("{directory}.gitignore"), lines.collect()));
            }
        }
        for (name, content) in &files {
            let place = root.path().join(name);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, content).unwrap();
        }
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").env("HOME", root.path());
            let output = git.current_dir(root.path()).args(arguments).output().unwrap();
            assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        git(&["init", "--quiet"]);
        let mut expected: Vec<String> =
            git(&["ls-files", "--others", "--exclude-standard"]).lines().map(str::to_owned).collect();
        expected.sort();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
        let mut ours = found(&World::in_memory().with(&files), "**/*");
        ours.sort();
        left_out += files.len() - expected.len();
        if ours != expected {
            failures += 1;
            let rules: Vec<_> = files.iter().filter(|(name, _)| name.ends_with(".gitignore")).collect();
            println!("trial {trial}: ours {ours:?}\n  git {expected:?}\n  rules {rules:?}");
        }
    }
    println!("seed {seed}: {trials} trials, {left_out} files left out, {failures} failures");
    assert_eq!(failures, 0);
    assert!(left_out > trials, "the rules are too tame to test anything");
}
