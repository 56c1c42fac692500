//! Every limit, at it and over it; and stopping.

use crate::worlds::{World, checked, path, regular};
use agent::ToolOutcome;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use tools::Limits;

/// Runs one call under limits of its own, over both worlds, and gives the text when they agree.
fn text(files: &[(&str, &str)], set: impl Fn(&mut Limits), tool: &str, arguments: serde_json::Value) -> String {
    let [memory, disk] = World::both().map(|(_, world)| {
        let mut world = world.with(files);
        set(&mut world.limits);
        world.run(tool, arguments.clone()).text
    });
    assert_eq!(memory, disk);
    memory
}

#[test]
fn a_long_file_is_read_in_pages_that_join_to_the_whole() {
    let whole: String = (1..=50).map(|line| format!("line {line} grüß\n")).collect();
    for (lines, bytes) in [(7, 10_000), (1_000, 100), (3, 40), (1, 17)] {
        for (kind, world) in World::both() {
            let mut world = world.with(&[("a", &whole)]);
            world.limits = Limits { lines_per_read: lines, output_bytes: bytes, ..Limits::default() };
            let (mut joined, mut offset, mut pages) = (String::new(), 1, 0);
            loop {
                let output = world.run("read_file", json!({"path": "a", "offset": offset}));
                pages += 1;
                let (header, body) = output.text.split_once('\n').unwrap();
                assert!(header.starts_with(&format!("a: lines {offset}-")), "{header}");
                assert!(header.ends_with(&format!(" of 50, {} bytes", whole.len())), "{header}");
                match body.rsplit_once("[… ") {
                    None => {
                        joined.push_str(body);
                        break;
                    }
                    Some((content, note)) => {
                        joined.push_str(content);
                        let next = note.strip_suffix(']').unwrap().rsplit(' ').next().unwrap().parse().unwrap();
                        assert!(content.len() <= bytes && next > offset);
                        offset = next;
                    }
                }
            }
            assert_eq!(joined, whole, "{kind}");
            assert!(pages > 1);
        }
    }
}

#[test]
fn a_line_longer_than_a_page_is_cut_and_says_so() {
    let files = [("a", "é23456789\nb\n"), ("b", "0123456789")];
    let small = |limits: &mut Limits| limits.output_bytes = 5;
    assert_eq!(
        text(&files, small, "read_file", json!({"path": "a"})),
        "a: lines 1-1 of 2, 13 bytes\né234\n[… line 1 is cut after 5 of 11 bytes; 1 more lines; read on with offset 2]"
    );
    assert_eq!(
        text(&files, small, "read_file", json!({"path": "b"})),
        "b: lines 1-1 of 1, 10 bytes\n01234\n[… line 1 is cut after 5 of 10 bytes; search_text shows parts of it]"
    );
}

#[test]
fn what_is_too_large_is_refused_with_the_name_of_its_limit() {
    let files = [("a", "0123456789\n")];
    for (set, tool, arguments, expected) in [
        (
            (|limits| limits.file_bytes = 10) as fn(&mut Limits),
            "read_file",
            json!({"path": "a"}),
            "a: a file of 11 bytes is over the limit of 10 (file_bytes); larger files are left alone",
        ),
        (
            |limits| limits.file_bytes = 11,
            "edit_file",
            json!({"path": "a", "old": "0", "new": "00"}),
            "a: after the edit a file of 12 bytes is over the limit of 11 (file_bytes); larger files are left alone",
        ),
        (
            |limits| limits.content_bytes = 3,
            "write_file",
            json!({"path": "b", "content": "four"}),
            "content of 4 bytes is over the limit of 3 (content_bytes); write a part first and add to it with edit_file",
        ),
        (
            |limits| limits.content_bytes = 3,
            "edit_file",
            json!({"path": "a", "old": "0", "new": "four"}),
            "new text of 4 bytes is over the limit of 3 (content_bytes); write a part first and add to it with edit_file",
        ),
        (
            |limits| limits.pattern_bytes = 3,
            "find_files",
            json!({"pattern": "four"}),
            "pattern of 4 bytes is over the limit of 3 (pattern_bytes); use a shorter one",
        ),
        (
            |limits| limits.pattern_bytes = 3,
            "search_text",
            json!({"pattern": "four"}),
            "pattern of 4 bytes is over the limit of 3 (pattern_bytes); use a shorter one",
        ),
    ] {
        assert_eq!(text(&files, set, tool, arguments), expected);
    }
    let large = text(&files, |_| {}, "search_text", json!({"pattern": "(a{100}){100}{100}"}));
    assert!(large.ends_with("compiled it is larger than 524288 bytes (regex_bytes)"), "{large}");
    let deep = format!("{}a{}", "(".repeat(200), ")".repeat(200));
    let deep = text(&files, |_| {}, "search_text", json!({ "pattern": deep }));
    assert!(deep.contains("exceed the maximum"), "{deep}");
}

#[test]
fn what_is_too_much_is_cut_and_says_so() {
    let files = [("a/1", "x\nx\n"), ("a/2", "x\n"), ("b", "xx\n"), ("c", "0123x56789\n")];
    for (set, tool, arguments, expected) in [
        (
            (|limits| limits.entries_listed = 2) as fn(&mut Limits),
            "list_directory",
            json!({}),
            ".: 2 entries\na/\nb (3 bytes)\n[… more than 2 entries; list a directory below, or use find_files]",
        ),
        (
            |limits| limits.entries_listed = 3,
            "list_directory",
            json!({}),
            ".: 3 entries\na/\nb (3 bytes)\nc (11 bytes)",
        ),
        (
            |limits| limits.entries_listed = 1,
            "find_files",
            json!({"pattern": "**"}),
            "\"**\": 1 file\na/1\n[… more than 1 file; use a narrower pattern]",
        ),
        (
            |limits| limits.output_bytes = 8,
            "find_files",
            json!({"pattern": "**/*"}),
            "\"**/*\": 2 files\na/1\na/2\n[… more than 2 files; use a narrower pattern]",
        ),
        (
            |limits| limits.entries_walked = 2,
            "find_files",
            json!({"pattern": "**/*"}),
            "\"**/*\": 1 file\na/1\n[… stopped after 2 names (limit entries_walked); name a path to see the rest]",
        ),
        (
            |limits| limits.matches = 2,
            "search_text",
            json!({"pattern": "x"}),
            "\"x\": 2 matching lines in 1 file (2 files searched)\na/1:1: x\na/1:2: x\n\
             [… more than 2 matching lines; narrow the pattern or the path]",
        ),
        (
            |limits| limits.matches = 1,
            "search_text",
            json!({"pattern": "x", "path": "a/1"}),
            "\"x\": 1 matching line in 1 file (1 file searched)\na/1:1: x\n\
             [… more than 1 matching lines; narrow the pattern or the path]",
        ),
        (
            |limits| limits.bytes_searched = 6,
            "search_text",
            json!({"pattern": "xx"}),
            "\"xx\": 0 matching lines in 0 files (2 files searched)\n\
             [… stopped after 6 bytes (limit bytes_searched); name a path]",
        ),
        (
            |limits| limits.output_bytes = 20,
            "search_text",
            json!({"pattern": "x"}),
            "\"x\": 2 matching lines in 2 files (2 files searched)\na/1:1: x\na/1:2: x\n\
             [… more than 20 bytes of results; narrow the pattern or the path]",
        ),
        (
            |limits| limits.line_bytes = 4,
            "search_text",
            json!({"pattern": "x5"}),
            "\"x5\": 1 matching line in 1 file (4 files searched)\nc:1: …3x56…",
        ),
        (
            |limits| limits.file_bytes = 5,
            "search_text",
            json!({"pattern": "5"}),
            "\"5\": 0 matching lines in 0 files (3 files searched)\n[1 file left out: over 5 bytes]",
        ),
    ] {
        assert_eq!(text(&files, set, tool, arguments), expected);
    }
    let rules = [(".gitignore", "a\n"), ("a", ""), ("d/.gitignore", "b\n"), ("d/b", "")];
    assert_eq!(
        text(&rules, |limits| limits.ignore_bytes = 3, "find_files", json!({"pattern": "[ab]"})),
        "\"[ab]\": 1 file\nd/b\n[ignore files over 3 bytes in all (limit ignore_bytes) were not honoured]"
    );
}

#[test]
fn lines_around_matches_are_shown_once_and_parted() {
    let files = [("a", "1\nx2\n3\nx4\n5\n6\n7\nx8\n")];
    assert_eq!(
        text(&files, |_| {}, "search_text", json!({"pattern": "x", "context": 1})),
        "\"x\": 3 matching lines in 1 file (1 file searched)\na-1- 1\na:2: x2\na-3- 3\na:4: x4\na-5- 5\n--\na-7- 7\na:8: x8"
    );
    assert_eq!(
        text(&files, |_| {}, "search_text", json!({"pattern": "x", "context": 2})),
        "\"x\": 3 matching lines in 1 file (1 file searched)\na-1- 1\na:2: x2\na-3- 3\na:4: x4\na-5- 5\na-6- 6\na-7- 7\na:8: x8"
    );
}

/// A call that is told to stop at any of its looks is cancelled and has changed nothing.
#[test]
fn a_call_stops_at_whichever_look_it_is_told_to() {
    for (kind, world) in World::both() {
        let many = "x\n".repeat(10_000);
        let world = world.with(&[("a/b/c", &many), ("a/.gitignore", "d\n"), ("e", "x\n")]);
        for (tool, arguments) in [
            ("list_directory", json!({"path": "a", "depth": 8})),
            ("find_files", json!({"pattern": "**"})),
            ("search_text", json!({"pattern": "y"})),
            ("read_file", json!({"path": "e"})),
            ("write_file", json!({"path": "n", "content": ""})),
            ("edit_file", json!({"path": "e", "old": "x", "new": "y"})),
            ("edit_file", json!({"path": "e", "old": "x ", "new": "y"})),
            ("apply_patch", json!({"patch": "--- e\n+++ e\n@@\n-x\n+y\n--- a/a/b/c\n+++ /dev/null\n"})),
            ("move_file", json!({"from": "e", "to": "f"})),
            ("delete_file", json!({"path": "e"})),
        ] {
            let call = checked(tool, &arguments);
            let looks = AtomicUsize::new(0);
            let run = |limit: usize| {
                looks.store(0, Ordering::Relaxed);
                tools::run(&call, &world, &|| looks.fetch_add(1, Ordering::Relaxed) >= limit, &world.limits)
            };
            assert_eq!(run(usize::MAX).outcome, ToolOutcome::Done, "{tool} {kind}");
            let total = looks.load(Ordering::Relaxed);
            assert!(total > 0, "{tool} never looks");
            for limit in 0..total {
                let output = run(limit);
                assert_eq!(output.outcome, ToolOutcome::Cancelled, "{tool} {kind} at look {limit} of {total}");
                assert!(output.changes.is_empty() && output.seen.is_empty());
            }
        }
    }
}

#[test]
fn limits_are_read_from_what_is_named_and_nothing_else() {
    let limits: Limits = serde_json::from_value(json!({"matches": 3})).unwrap();
    assert_eq!(limits, Limits { matches: 3, ..Limits::default() });
    assert!(serde_json::from_value::<Limits>(json!({"match": 3})).is_err());
}

#[test]
fn a_directory_that_cannot_be_listed_is_counted_not_fatal() {
    use tools::{Files, FilesError};
    use wire::{BlobHash, Entry, Found, RelPath};
    /// A world in which one directory and one file cannot be read.
    struct Broken(World);
    impl Files for Broken {
        fn read(&self, at: &RelPath) -> Result<Found, FilesError> {
            match at.as_str() {
                "locked.txt" => Err(FilesError::Forgotten(at.clone())),
                _ => self.0.read(at),
            }
        }
        fn list(&self, directory: Option<&RelPath>) -> Result<Vec<Entry>, FilesError> {
            match directory {
                Some(directory) if directory.as_str() == "locked" => Err(FilesError::Outside(directory.clone())),
                directory => self.0.list(directory),
            }
        }
        fn seen(&self, _: &RelPath) -> Option<Option<BlobHash>> {
            None
        }
    }
    let mut world = World::in_memory();
    for name in ["a", "locked/b", "locked.txt", "z"] {
        world.place.set(&path(name), Some(&regular("x\n")));
    }
    let broken = Broken(world);
    let run = |tool, arguments| tools::run(&checked(tool, &arguments), &broken, &|| false, &Limits::default());
    assert_eq!(
        run("search_text", json!({"pattern": "x"})).text,
        "\"x\": 2 matching lines in 2 files (2 files searched)\na:1: x\nz:1: x\n[1 directory could not be read]\n\
         [1 file left out: unreadable]"
    );
    let output = run("list_directory", json!({"path": "locked"}));
    assert_eq!(output.outcome, ToolOutcome::Failed);
    assert_eq!(
        output.text,
        "locked leads out of the workspace through a symbolic link; only files of the workspace can be touched"
    );
    let output = run("read_file", json!({"path": "locked.txt"}));
    assert_eq!(output.text, "the contents of locked.txt were forgotten at somebody's wish and cannot be shown");
}

#[test]
fn a_very_long_line_is_searched_to_its_end_and_stops_on_the_way() {
    // Filled with letters of two bytes, so that the pieces it is searched in do not end between letters by themselves.
    let filled = |bytes: usize| "é".repeat(bytes / 2);
    for before in [0, 15_358, 15_360, 16_378, 16_380, 16_382, 16_384, 31_744, 100_000] {
        let line = format!("{}needle{}", filled(before), filled(50_000));
        let found = text(&[("a", &line)], |_| {}, "search_text", json!({"pattern": "ne+dle"}));
        assert!(found.contains("1 matching line") && found.contains("needle"), "after {before} bytes: {found}");
    }
    let line = format!("x{}y", filled(100_000));
    for (pattern, matching) in [("^é", 0), ("^x", 1), ("é\\by", 0), ("éy$", 1), ("\\bé", 0), ("x$", 0)] {
        let found = text(&[("a", &line)], |_| {}, "search_text", json!({ "pattern": pattern }));
        assert!(found.contains(&format!(": {matching} matching")), "{pattern}: {found}");
    }
    let world = World::in_memory().with(&[("a", &line)]);
    let looks = AtomicUsize::new(0);
    let call = checked("search_text", &json!({"pattern": "z", "path": "a"}));
    tools::run(&call, &world, &|| looks.fetch_add(1, Ordering::Relaxed) > 1_000, &world.limits);
    assert!(looks.load(Ordering::Relaxed) >= 6, "100,000 bytes take more than {looks:?} looks");
}
