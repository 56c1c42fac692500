//! One table of cases for each tool: what is there, what is asked, what is said, what would change.

use crate::worlds::{World, executable, link, path, regular};
use agent::ToolOutcome::{self, Done, Failed};
use serde_json::{Value, json};
use wire::Contents;

/// A call and what must come of it.
struct Case {
    tool: &'static str,
    arguments: Value,
    outcome: ToolOutcome,
    /// The whole text for the model.
    text: &'static str,
    /// Paths with what shall be there after.
    changes: Vec<(&'static str, Option<Contents>)>,
}

fn case(tool: &'static str, arguments: Value, outcome: ToolOutcome, text: &'static str) -> Case {
    Case { tool, arguments, outcome, text, changes: Vec::new() }
}

impl Case {
    fn to(mut self, path: &'static str, after: Option<Contents>) -> Case {
        self.changes.push((path, after));
        self
    }
}

/// What most cases find: text, CRLF, an executable, a binary, links, a pipe.
fn furnish(world: &mut World) {
    for (name, contents) in [
        ("a.txt", regular("one\ntwo\nthree\n")),
        ("open.txt", regular("no end")),
        ("empty", regular("")),
        ("dos.txt", regular("one\r\ntwo\r\n")),
        ("run.sh", executable("#!/bin/sh\necho hi\n")),
        ("logo.png", regular(b"\x89PNG\0\xff")),
        ("odd\nname", regular("x\n")),
        ("src/main.rs", regular("fn main() {\n    call();\n    call();\n}\n")),
        ("src/deep/lib.rs", regular("fn call() {}\n")),
        ("to-a", link("a.txt")),
        ("to-src", link("src")),
        ("to-nothing", link("gone.txt")),
        ("src/to-passwd", link("/etc/passwd")),
    ] {
        world.place.set(&path(name), Some(&contents));
    }
    world.place.make_pipe(&path("pipe"));
}

/// Runs each case over both worlds, furnished anew; `seen` are paths that the session has read before.
fn check(seen: &[&str], cases: &[Case]) {
    for case in cases {
        for (kind, mut world) in World::both() {
            furnish(&mut world);
            for name in seen {
                world.call("read_file", json!({ "path": name }));
            }
            let output = world.call(case.tool, case.arguments.clone());
            let what = format!("{} {} {kind}", case.tool, case.arguments);
            assert_eq!(output.text, case.text, "{what}");
            assert_eq!(output.outcome, case.outcome, "{what}");
            let changes: Vec<_> = output.changes.iter().map(|change| (change.path.as_str(), &change.after)).collect();
            let expected: Vec<_> = case.changes.iter().map(|(path, after)| (*path, after)).collect();
            assert_eq!(changes, expected, "{what}");
            for change in &output.changes {
                let state = change.after.as_ref().map(Contents::state);
                assert!(output.seen.contains(&(change.path.clone(), state)), "{what}: its own change was not seen");
            }
        }
    }
}

#[test]
fn read_file() {
    check(
        &[],
        &[
            case("read_file", json!({"path": "a.txt"}), Done, "a.txt: lines 1-3 of 3, 14 bytes\none\ntwo\nthree\n"),
            case(
                "read_file",
                json!({"path": "./src/../a.txt"}),
                Done,
                "a.txt: lines 1-3 of 3, 14 bytes\none\ntwo\nthree\n",
            ),
            case(
                "read_file",
                json!({"path": "a.txt", "limit": 1}),
                Done,
                "a.txt: lines 1-1 of 3, 14 bytes\none\n[… 2 more lines; read on with offset 2]",
            ),
            case(
                "read_file",
                json!({"path": "a.txt", "offset": 2, "limit": 1}),
                Done,
                "a.txt: lines 2-2 of 3, 14 bytes\ntwo\n[… 1 more lines; read on with offset 3]",
            ),
            case("read_file", json!({"path": "a.txt", "offset": 3}), Done, "a.txt: lines 3-3 of 3, 14 bytes\nthree\n"),
            case(
                "read_file",
                json!({"path": "a.txt", "offset": 4}),
                Failed,
                "a.txt has 3 lines; offset 4 is past its end",
            ),
            case("read_file", json!({"path": "open.txt"}), Done, "open.txt: lines 1-1 of 1, 6 bytes\nno end"),
            case("read_file", json!({"path": "empty"}), Done, "empty: lines 0-0 of 0, 0 bytes\n"),
            case(
                "read_file",
                json!({"path": "empty", "offset": 2}),
                Failed,
                "empty has 0 lines; offset 2 is past its end",
            ),
            case("read_file", json!({"path": "dos.txt"}), Done, "dos.txt: lines 1-2 of 2, 10 bytes\none\r\ntwo\r\n"),
            case("read_file", json!({"path": "logo.png"}), Done, "logo.png: binary, 6 bytes"),
            case("read_file", json!({"path": "odd\nname"}), Done, "\"odd\\nname\": lines 1-1 of 1, 2 bytes\nx\n"),
            case(
                "read_file",
                json!({"path": "b.txt"}),
                Failed,
                "there is no b.txt; find_files and list_directory show what there is",
            ),
            case(
                "read_file",
                json!({"path": "src"}),
                Failed,
                "src is a directory; list_directory shows what is in it, and files are changed one by one",
            ),
            case(
                "read_file",
                json!({"path": "to-a"}),
                Failed,
                "to-a is a symbolic link to a.txt, and links are not followed; use a.txt instead",
            ),
            case(
                "read_file",
                json!({"path": "to-src/main.rs"}),
                Failed,
                "to-src is a symbolic link to src, and links are not followed; use src/main.rs instead",
            ),
            case(
                "read_file",
                json!({"path": "src/to-passwd"}),
                Failed,
                "src/to-passwd is a symbolic link to /etc/passwd, and links are not followed; its target is no \
                 relative path in the workspace",
            ),
            case("read_file", json!({"path": "pipe"}), Failed, "pipe is a pipe, which tools leave alone"),
            case(
                "read_file",
                json!({"path": "a.txt/b"}),
                Failed,
                "a.txt/b cannot be, because a.txt is a file, not a directory",
            ),
        ],
    );
}

#[test]
fn write_file() {
    let new = || Some(regular("x\n"));
    check(
        &["a.txt", "run.sh", "dos.txt", "logo.png"],
        &[
            case(
                "write_file",
                json!({"path": "new/deep/b.txt", "content": "x\n"}),
                Done,
                "wrote new/deep/b.txt: 1 line, 2 bytes (new file)",
            )
            .to("new/deep/b.txt", new()),
            case(
                "write_file",
                json!({"path": "a.txt", "content": "x\n"}),
                Done,
                "wrote a.txt: 1 line, 2 bytes (was 3 lines, 14 bytes)",
            )
            .to("a.txt", new()),
            case(
                "write_file",
                json!({"path": "run.sh", "content": "x\n"}),
                Done,
                "wrote run.sh: 1 line, 2 bytes (was 2 lines, 18 bytes)",
            )
            .to("run.sh", Some(executable("x\n"))),
            case(
                "write_file",
                json!({"path": "dos.txt", "content": "x\n"}),
                Done,
                "wrote dos.txt: 1 line, 2 bytes (was 2 lines, 10 bytes; its line ends were CRLF and are now LF)",
            )
            .to("dos.txt", new()),
            case(
                "write_file",
                json!({"path": "logo.png", "content": ""}),
                Done,
                "wrote logo.png: 0 lines, 0 bytes (was binary, 6 bytes)",
            )
            .to("logo.png", Some(regular(""))),
            case(
                "write_file",
                json!({"path": "open.txt", "content": "no end"}),
                Done,
                "open.txt already holds exactly this (1 line, 6 bytes); nothing to write",
            ),
            case(
                "write_file",
                json!({"path": "open.txt", "content": "x\n"}),
                Failed,
                "open.txt exists (1 line, 6 bytes) and you have not read it; read it with read_file first, or use \
                 edit_file",
            ),
            case(
                "write_file",
                json!({"path": "a.txt/b", "content": ""}),
                Failed,
                "a.txt/b cannot be, because a.txt is a file, not a directory",
            ),
            case(
                "write_file",
                json!({"path": "to-a", "content": ""}),
                Failed,
                "to-a is a symbolic link to a.txt, and links are not followed; use a.txt instead",
            ),
            case(
                "write_file",
                json!({"path": "to-nothing", "content": ""}),
                Failed,
                "to-nothing is a symbolic link to gone.txt, and links are not followed; use gone.txt instead",
            ),
            case(
                "write_file",
                json!({"path": "to-src/new.rs", "content": ""}),
                Failed,
                "to-src is a symbolic link to src, and links are not followed; use src/new.rs instead",
            ),
            case(
                "write_file",
                json!({"path": "src", "content": ""}),
                Failed,
                "src is a directory; list_directory shows what is in it, and files are changed one by one",
            ),
            case(
                "write_file",
                json!({"path": "pipe", "content": ""}),
                Failed,
                "pipe is a pipe, which tools leave alone",
            ),
            case(
                "write_file",
                json!({"path": "pipe/x", "content": ""}),
                Failed,
                "pipe is a pipe, which tools leave alone",
            ),
        ],
    );
}

#[test]
fn edit_file() {
    check(
        &[],
        &[
            case(
                "edit_file",
                json!({"path": "a.txt", "old": "two", "new": "2"}),
                Done,
                "edited a.txt: 1 replacement at line 2; it now has 3 lines, 12 bytes\n1| one\n2| 2\n3| three",
            )
            .to("a.txt", Some(regular("one\n2\nthree\n"))),
            case(
                "edit_file",
                json!({"path": "run.sh", "old": "echo hi\n", "new": ""}),
                Done,
                "edited run.sh: 1 replacement at line 2; it now has 1 line, 10 bytes\n1| #!/bin/sh",
            )
            .to("run.sh", Some(executable("#!/bin/sh\n"))),
            case(
                "edit_file",
                json!({"path": "dos.txt", "old": "one\ntwo", "new": "1\n2\n3"}),
                Done,
                "edited dos.txt: 1 replacement at line 1; it now has 3 lines, 9 bytes\n1| 1\n2| 2\n3| 3",
            )
            .to("dos.txt", Some(regular("1\r\n2\r\n3\r\n"))),
            case(
                "edit_file",
                json!({"path": "src/main.rs", "old": "call()", "new": "go()", "all": true}),
                Done,
                "edited src/main.rs: 2 replacements at lines 2, 3; it now has 4 lines, 34 bytes\n1| fn main() {\n\
                 2|     go();\n3|     go();\n4| }",
            )
            .to("src/main.rs", Some(regular("fn main() {\n    go();\n    go();\n}\n"))),
            case(
                "edit_file",
                json!({"path": "src/main.rs", "old": "call()", "new": "go()"}),
                Failed,
                "old occurs 2 times in src/main.rs (at lines 2, 3); add lines around it, or set all to true",
            ),
            case(
                "edit_file",
                json!({"path": "src/main.rs", "old": "\tcall();\n\tend();\n}", "new": ""}),
                Failed,
                "old does not occur in src/main.rs; read the file and copy the text exactly, white space included\n\
                 The nearest place is at line 2, where line 3 is not \"end();\":\n1| fn main() {\n2|     call();\n\
                 3|     call();\n4| }",
            ),
            case(
                "edit_file",
                json!({"path": "a.txt", "old": "four", "new": ""}),
                Failed,
                "old does not occur in a.txt; read the file and copy the text exactly, white space included",
            ),
            case(
                "edit_file",
                json!({"path": "b.txt", "old": "x", "new": ""}),
                Failed,
                "there is no b.txt; find_files and list_directory show what there is",
            ),
            case(
                "edit_file",
                json!({"path": "logo.png", "old": "PNG", "new": ""}),
                Failed,
                "logo.png is binary (6 bytes) and has no text to edit",
            ),
            case(
                "edit_file",
                json!({"path": "to-a", "old": "one", "new": ""}),
                Failed,
                "to-a is a symbolic link to a.txt, and links are not followed; use a.txt instead",
            ),
        ],
    );
}

#[test]
fn move_file_and_delete_file() {
    check(
        &[],
        &[
            case(
                "move_file",
                json!({"from": "run.sh", "to": "bin/run"}),
                Done,
                "moved run.sh to bin/run: 2 lines, 18 bytes",
            )
            .to("run.sh", None)
            .to("bin/run", Some(executable("#!/bin/sh\necho hi\n"))),
            case(
                "move_file",
                json!({"from": "logo.png", "to": "l.png"}),
                Done,
                "moved logo.png to l.png: binary, 6 bytes",
            )
            .to("logo.png", None)
            .to("l.png", Some(regular(b"\x89PNG\0\xff"))),
            case("move_file", json!({"from": "to-a", "to": "z"}), Done, "moved to-a to z: a symbolic link to a.txt")
                .to("to-a", None)
                .to("z", Some(link("a.txt"))),
            case(
                "move_file",
                json!({"from": "a.txt", "to": "open.txt"}),
                Failed,
                "open.txt exists already; delete it first, or choose another path",
            ),
            case(
                "move_file",
                json!({"from": "a.txt", "to": "to-nothing"}),
                Failed,
                "to-nothing exists already; delete it first, or choose another path",
            ),
            case(
                "move_file",
                json!({"from": "a.txt", "to": "src"}),
                Failed,
                "src is a directory; list_directory shows what is in it, and files are changed one by one",
            ),
            case(
                "move_file",
                json!({"from": "a.txt", "to": "a.txt/b"}),
                Failed,
                "a.txt/b cannot be, because a.txt is a file, not a directory",
            ),
            case(
                "move_file",
                json!({"from": "a.txt", "to": "to-src/a.txt"}),
                Failed,
                "to-src is a symbolic link to src, and links are not followed; use src/a.txt instead",
            ),
            case(
                "move_file",
                json!({"from": "b", "to": "c"}),
                Failed,
                "there is no b; find_files and list_directory show what there is",
            ),
            case("delete_file", json!({"path": "a.txt"}), Done, "deleted a.txt: 3 lines, 14 bytes").to("a.txt", None),
            case("delete_file", json!({"path": "to-src"}), Done, "deleted to-src: a symbolic link to src")
                .to("to-src", None),
            case(
                "delete_file",
                json!({"path": "src"}),
                Failed,
                "src is a directory; list_directory shows what is in it, and files are changed one by one",
            ),
            case("delete_file", json!({"path": "pipe"}), Failed, "pipe is a pipe, which tools leave alone"),
            case(
                "delete_file",
                json!({"path": "b"}),
                Failed,
                "there is no b; find_files and list_directory show what there is",
            ),
        ],
    );
}

#[test]
fn list_directory() {
    check(
        &[],
        &[
            case(
                "list_directory",
                json!({}),
                Done,
                ".: 12 entries\na.txt (14 bytes)\ndos.txt (10 bytes)\nempty (0 bytes)\nlogo.png (6 bytes)\n\
                 \"odd\\nname\" (2 bytes)\nopen.txt (6 bytes)\npipe (neither file nor directory)\nrun.sh (18 bytes)\n\
                 src/\nto-a -> a.txt\nto-nothing -> gone.txt\nto-src -> src",
            ),
            case(
                "list_directory",
                json!({"path": "src/", "depth": 2}),
                Done,
                "src: 4 entries\nsrc/deep/\nsrc/deep/lib.rs (13 bytes)\nsrc/main.rs (38 bytes)\nsrc/to-passwd -> /etc/passwd",
            ),
            case("list_directory", json!({"path": "src/deep"}), Done, "src/deep: 1 entry\nsrc/deep/lib.rs (13 bytes)"),
            case("list_directory", json!({"path": "a.txt"}), Failed, "a.txt is a file, not a directory"),
            case(
                "list_directory",
                json!({"path": "to-src"}),
                Failed,
                "to-src is a symbolic link to src, and links are not followed; use src instead",
            ),
            case(
                "list_directory",
                json!({"path": "lib"}),
                Failed,
                "there is no lib; find_files and list_directory show what there is",
            ),
            case("list_directory", json!({"path": "pipe"}), Failed, "pipe is a pipe, which tools leave alone"),
            case(
                "list_directory",
                json!({"depth": 9}),
                Failed,
                "depth of 9 levels is over the limit of 8 (list_depth); list a directory further down",
            ),
        ],
    );
}

#[test]
fn find_files() {
    check(
        &[],
        &[
            case("find_files", json!({"pattern": "*.rs"}), Done, "\"*.rs\": 2 files\nsrc/deep/lib.rs\nsrc/main.rs"),
            case("find_files", json!({"pattern": "src/*"}), Done, "\"src/*\": 2 files\nsrc/main.rs\nsrc/to-passwd"),
            case("find_files", json!({"pattern": "MAIN"}), Done, "\"MAIN\": 1 file\nsrc/main.rs"),
            case("find_files", json!({"pattern": "odd*"}), Done, "\"odd*\": 1 file\n\"odd\\nname\""),
            case("find_files", json!({"pattern": "nowhere"}), Done, "\"nowhere\": 0 files"),
            case(
                "find_files",
                json!({"pattern": "[a"}),
                Failed,
                "\"[a\" is not a glob pattern that can be used: unclosed character class; missing ']'",
            ),
        ],
    );
}

#[test]
fn search_text() {
    check(
        &[],
        &[
            case(
                "search_text",
                json!({"pattern": "call\\("}),
                Done,
                "\"call\\(\": 3 matching lines in 2 files (8 files searched)\nsrc/deep/lib.rs:1: fn call() {}\n\
                 src/main.rs:2:     call();\nsrc/main.rs:3:     call();\n[1 file left out: binary]",
            ),
            case(
                "search_text",
                json!({"pattern": "^fn", "path": "src", "context": 1}),
                Done,
                "\"^fn\": 2 matching lines in 2 files (2 files searched)\nsrc/deep/lib.rs:1: fn call() {}\n--\n\
                 src/main.rs:1: fn main() {\nsrc/main.rs-2-     call();",
            ),
            // The line end is no part of the line, whatever it is.
            case(
                "search_text",
                json!({"pattern": "two$", "path": "dos.txt"}),
                Done,
                "\"two$\": 1 matching line in 1 file (1 file searched)\ndos.txt:2: two",
            ),
            case(
                "search_text",
                json!({"pattern": "(?i)ONE", "path": "a.txt", "context": 20}),
                Done,
                "\"(?i)ONE\": 1 matching line in 1 file (1 file searched)\na.txt:1: one\na.txt-2- two\na.txt-3- three",
            ),
            case(
                "search_text",
                json!({"pattern": "x", "path": "logo.png"}),
                Failed,
                "logo.png is binary (6 bytes) and has no text to search",
            ),
            case(
                "search_text",
                json!({"pattern": "x", "path": "lib"}),
                Failed,
                "there is no lib; find_files and list_directory show what there is",
            ),
            case(
                "search_text",
                json!({"pattern": "x", "path": "to-src"}),
                Failed,
                "to-src is a symbolic link to src, and links are not followed; use src instead",
            ),
            case(
                "search_text",
                json!({"pattern": "x", "path": "pipe"}),
                Failed,
                "pipe is a pipe, which tools leave alone",
            ),
            case(
                "search_text",
                json!({"pattern": "a(b"}),
                Failed,
                "\"a(b\" is not a regular expression that can be used; put \\ before . * + ? ( ) [ ] { } | ^ $ to find \
                 them as they are\nunclosed group",
            ),
            case(
                "search_text",
                json!({"pattern": "x", "context": 21}),
                Failed,
                "context of 21 lines is over the limit of 20 (context_lines); read the file to see more",
            ),
        ],
    );
}

#[test]
fn what_changed_behind_the_session_is_read_again_first() {
    let behind = |name: &'static str, now: Option<&'static str>, tool: &str, arguments: Value, said: &str| {
        for (kind, mut world) in World::both() {
            furnish(&mut world);
            world.call("read_file", json!({ "path": name }));
            world.place.set(&path(name), now.map(regular).as_ref());
            let output = world.call(tool, arguments.clone());
            assert_eq!((output.outcome, output.text.as_str()), (Failed, said), "{kind}");
            assert!(output.changes.is_empty() && output.seen.is_empty(), "a refused call has seen nothing: {kind}");
            // Reading again is the way on.
            world.call("read_file", json!({ "path": name }));
            assert!(!world.call(tool, arguments.clone()).text.contains(" since "), "{kind}");
        }
    };
    let changed = "a.txt has changed since you read it; read it again";
    behind("a.txt", Some("else\n"), "write_file", json!({"path": "a.txt", "content": "x"}), changed);
    behind("a.txt", Some("else\n"), "edit_file", json!({"path": "a.txt", "old": "else", "new": "x"}), changed);
    behind("a.txt", Some("else\n"), "delete_file", json!({"path": "a.txt"}), changed);
    behind("a.txt", Some("else\n"), "move_file", json!({"from": "a.txt", "to": "b"}), changed);
    let gone = "a.txt has been deleted since you read it; read it again, and then the path is free";
    behind("a.txt", None, "write_file", json!({"path": "a.txt", "content": "x"}), gone);
    let appeared = "b is there now, and was not when you looked; read it first";
    behind("b", Some("new\n"), "write_file", json!({"path": "b", "content": "x"}), appeared);
    behind("b", Some("new\n"), "delete_file", json!({"path": "b"}), appeared);
}

#[test]
fn a_session_may_change_what_it_made_itself() {
    for (kind, mut world) in World::both() {
        for (tool, arguments) in [
            ("write_file", json!({"path": "a", "content": "one\n"})),
            ("write_file", json!({"path": "a", "content": "two\n"})),
            ("edit_file", json!({"path": "a", "old": "two", "new": "three"})),
            ("move_file", json!({"from": "a", "to": "b"})),
            ("write_file", json!({"path": "a", "content": "again\n"})),
            ("delete_file", json!({"path": "b"})),
            ("move_file", json!({"from": "a", "to": "b"})),
            ("write_file", json!({"path": "b", "content": "last\n"})),
        ] {
            let output = world.call(tool, arguments.clone());
            assert_eq!(output.outcome, Done, "{tool} {arguments} {kind}: {}", output.text);
        }
        assert_eq!(world.run("list_directory", json!({})).text, ".: 1 entry\nb (5 bytes)", "{kind}");
    }
}

#[test]
fn every_read_tells_what_was_seen() {
    for (kind, mut world) in World::both() {
        furnish(&mut world);
        let state = |contents: Contents| Some(contents.state());
        for (name, expected) in [
            ("a.txt", state(regular("one\ntwo\nthree\n"))),
            ("logo.png", state(regular(b"\x89PNG\0\xff"))),
            ("run.sh", state(executable("#!/bin/sh\necho hi\n"))),
            ("b", None),
        ] {
            let output = world.run("read_file", json!({ "path": name }));
            assert_eq!(output.seen, [(path(name), expected)], "{kind}");
        }
        assert!(world.run("read_file", json!({"path": "to-a"})).seen.is_empty(), "{kind}");
    }
}
