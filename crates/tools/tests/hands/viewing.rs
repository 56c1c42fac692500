//! Images and documents, which are attached; and searches as ripgrep does them.

use crate::worlds::{World, path, regular};
use agent::ToolOutcome::{Done, Failed};
use serde_json::json;
use wire::MediaType;

/// The head of a PNG image of 3 by 2 pixels.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0";

#[test]
fn images_and_documents_are_attached() {
    for (kind, mut world) in World::both() {
        for (name, bytes, media, text) in [
            ("a.png", PNG, Some(MediaType::Png), "a.png: image/png, 29 bytes, 3x2"),
            ("odd", b"GIF89a\x03\0\x02\0\xff", Some(MediaType::Gif), "odd: image/gif, 11 bytes, 3x2"),
            ("a.jpg", b"\xff\xd8\xff\xe0\0", Some(MediaType::Jpeg), "a.jpg: image/jpeg, 5 bytes"),
            ("a.pdf", b"%PDF-1.7\n1 0 obj\n", Some(MediaType::Pdf), "a.pdf: application/pdf, 17 bytes"),
            // Words about a format are words.
            ("notes", b"GIF89a is old\n", None, "notes: lines 1-1 of 1, 14 bytes\nGIF89a is old\n"),
            ("b.png", b"\x89PNG\xff", None, "b.png: binary, 5 bytes"),
        ] {
            world.place.set(&path(name), Some(&regular(bytes)));
            let output = world.run("read_file", json!({ "path": name }));
            assert_eq!((output.outcome, output.text.as_str()), (Done, text), "{kind}");
            let attached: Vec<_> = output.attachments.iter().map(|one| (one.media, one.bytes.as_slice())).collect();
            assert_eq!(attached, media.map(|media| (media, bytes)).into_iter().collect::<Vec<_>>(), "{kind}");
            assert_eq!(output.seen, [(path(name), Some(regular(bytes).state()))], "{kind}");
        }
        let output = world.run("read_file", json!({"path": "a.png", "offset": 2}));
        assert_eq!(output.text, "a.png: image/png, 29 bytes, 3x2\n[offset and limit are for text; it is shown whole]");
        world.limits.attachment_bytes = 28;
        let output = world.run("read_file", json!({"path": "a.png"}));
        let why = "a.png: an attachment (image/png) of 29 bytes is over the limit of 28 (attachment_bytes); it cannot be \
                   shown; a smaller one can";
        assert_eq!((output.outcome, output.text.as_str(), output.attachments.len()), (Failed, why, 0));
    }
}

#[test]
fn a_pattern_matches_within_lines_whatever_their_ends() {
    let world = World::in_memory().with(&[("f", "One\r\n\r\nfoo bar\r\nA\u{e9}\u{c9}\nfoo\n"), ("g", "FOO")]);
    for (pattern, case, expected) in [
        ("^$", false, "f:2: "),
        ("foo$", false, "f:5: foo"),
        ("^foo", false, "f:3: foo bar|f:5: foo"),
        ("\\bbar\\s*$", false, "f:3: foo bar"),
        ("FOO", true, "f:3: foo bar|f:5: foo|g:1: FOO"),
        ("\u{e9}{2}", true, "f:4: A\u{e9}\u{c9}"),
        ("\\Afoo", false, "f:3: foo bar|f:5: foo"),
        ("r\\z", false, "f:3: foo bar"),
        ("o\\s+f", false, ""),
        ("[^x]", false, "f:1: One|f:3: foo bar|f:4: A\u{e9}\u{c9}|f:5: foo|g:1: FOO"),
    ] {
        let text = world.run("search_text", json!({"pattern": pattern, "case_insensitive": case})).text;
        let found: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(found.join("|"), expected, "{pattern}: {text}");
    }
    let text = world.run("search_text", json!({"pattern": "One\\nfoo"})).text;
    assert!(text.ends_with("\nit holds a line end, and lines are searched one by one"), "{text}");
}

/// Pieces must not show: a file much longer than one is searched as line by line.
#[test]
fn a_long_file_is_searched_wholly() {
    let lines: Vec<String> = (0..20_000).map(|number| format!("{number} {}", "z".repeat(number % 97))).collect();
    let mut world = World::in_memory().with(&[("f", &lines.join("\n"))]);
    (world.limits.matches, world.limits.output_bytes) = (1 << 20, 1 << 30);
    for pattern in ["7 z{3}$", "^1[0-9]99 ", "^$", "9z*", " $"] {
        let regex = regex::Regex::new(pattern).unwrap();
        let expected = lines.iter().filter(|line| regex.is_match(line)).count();
        let text = world.run("search_text", json!({ "pattern": pattern })).text;
        assert!(
            text.starts_with(&format!("\"{pattern}\": {expected} matching line")),
            "{pattern}: {expected}, and found {}",
            text.lines().next().unwrap()
        );
    }
}
