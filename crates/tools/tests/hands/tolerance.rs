//! `edit_file` where the old text stands but for white space.

use crate::worlds::{World, path, regular};
use agent::ToolOutcome::{Done, Failed};
use serde_json::{Value, json};

fn edit(content: &str, arguments: Value) -> (String, Option<String>) {
    let [memory, disk] = World::both().map(|(_, world)| {
        let mut arguments = arguments.clone();
        arguments["path"] = json!("f");
        let output = world.with(&[("f", content)]).run("edit_file", arguments);
        assert_eq!(output.outcome, if output.changes.is_empty() { Failed } else { Done });
        let after = output.changes.first().map(|change| change.after.clone().unwrap().bytes);
        (output.text, after.map(|bytes| String::from_utf8(bytes).unwrap()))
    });
    assert_eq!(memory, disk);
    memory
}

#[test]
fn what_differs_in_white_space_is_found_and_told() {
    let but_trailing = "[old was found but for white space at the ends of lines]";
    let but_indent = "[old was found but for the indentation, and what was put there is indented as the file is]";
    for (content, old, new, after, note) in [
        ("a  \nb\nc\n", "a\nb\n", "x\ny\n", "x\ny\nc\n", but_trailing),
        ("a\nb", "a  \nb\n", "x\ny\n", "x\ny", but_trailing),
        ("a \r\nb\r\nc\r\n", "a\nb", "x\ny\nz", "x\r\ny\r\nz\r\nc\r\n", but_trailing),
        (
            "mod m {\n    fn f() {\n        call();\n    }\n}\n",
            "fn f() {\n    call();\n}\n",
            "fn f() {\n    if x {\n        call();\n    }\n}\n",
            "mod m {\n    fn f() {\n        if x {\n            call();\n        }\n    }\n}\n",
            but_indent,
        ),
        (
            "if x:\n\tone()\n\ttwo()\n",
            "    one()\n    two()",
            "    one()\n    if y:\n        two()",
            "if x:\n\tone()\n\tif y:\n\t\ttwo()\n",
            but_indent,
        ),
        ("  a\n    b\n", "\ta\n\t\tb\n", "", "", but_indent),
    ] {
        let (text, now) = edit(content, json!({"old": old, "new": new}));
        assert_eq!(now.as_deref(), Some(after), "{content:?}: {text}");
        assert!(text.starts_with("edited f: 1 replacement at line "), "{text}");
        assert!(text.ends_with(note), "{text}");
    }
}

#[test]
fn what_could_be_meant_twice_is_asked_back() {
    let content = "if a:\n    x()\n    y()\nif b:\n        x()\n        y()\n";
    let twice = "old occurs 2 times in f (at lines 2, 5, white space aside); add lines around it, or set all to true";
    let arguments = json!({"old": "x()\ny()\n", "new": "x()\nz()\n"});
    assert_eq!(edit(content, arguments), (twice.to_owned(), None));
    let (text, now) = edit(content, json!({"old": "x()\ny()\n", "new": "x()\nz()\n", "all": true}));
    assert_eq!(now.as_deref(), Some("if a:\n    x()\n    z()\nif b:\n        x()\n        z()\n"), "{text}");
    // Exact places go before others, and then only these are meant.
    let (_, now) = edit("  a\na\n", json!({"old": "\na\n", "new": "\nb\n"}));
    assert_eq!(now.as_deref(), Some("  a\nb\n"));
}

#[test]
fn other_differences_are_not_tolerated() {
    for (content, old) in [
        ("a  b\n", "a b"),
        ("  a\n      b\n", "a\n  b\n"),
        ("a\n\nb\n", "a\nb"),
        ("ab\ncd\n", "b \nc"),
        ("A\n", "a"),
        ("\n\n", " \n"),
    ] {
        let (text, now) = edit(content, json!({"old": old, "new": "x"}));
        assert_eq!(now, None, "{content:?} {old:?}: {text}");
        assert!(text.starts_with("old does not occur in f; read the file"), "{text}");
    }
    let (text, _) = edit("  a\n", json!({"old": "a ", "new": "a"}));
    assert_eq!(text, "old and new differ by white space alone, and f would stay as it is");
}

/// Many places times a long text must be refused before it is made.
#[test]
fn an_edit_that_would_fill_the_memory_is_refused() {
    let (old, new) = ("x\n".repeat(200_000), "y".repeat(1 << 20));
    for wanted in ["x", "x \n"] {
        let arguments = json!({"path": "f", "old": wanted, "new": new, "all": true});
        let text = World::in_memory().with(&[("f", &old)]).run("edit_file", arguments).text;
        assert!(text.ends_with("is over the limit of 10485760 (file_bytes); larger files are left alone"), "{text}");
    }
}

#[test]
fn the_result_shows_what_was_done_and_stays_short() {
    let content: String = (1..=100).map(|line| format!("line {line} {}\n", "x".repeat(1_000))).collect();
    let (text, _) = edit(&content, json!({"old": "line", "new": "LINE", "all": true}));
    assert!(text.len() < 16 * 220 + 300, "{} bytes", text.len());
    assert!(text.ends_with("[… 84 changed lines are not shown]"), "{text}");
    let mut world = World::in_memory();
    world.place.set(&path("f"), Some(&regular("a\n")));
    let output = world.run("edit_file", json!({"path": "f", "old": "a\n", "new": ""}));
    assert_eq!(output.text, "edited f: 1 replacement at line 1; it now has 0 lines, 0 bytes");
}
