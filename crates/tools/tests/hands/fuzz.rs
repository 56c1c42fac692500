//! Random calls: whatever a model writes, nothing panics, nothing leaves its bounds, and only what was asked changes.

use crate::worlds::{World, link, path};
use agent::{Access, ToolOutcome};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A small generator of random numbers (SplitMix64) whose seed is printed, so that a failure can be had again.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const STRINGS: [&str; 34] = [
    "",
    ".",
    "a",
    "src",
    "src/",
    "a.txt",
    "src/main.rs",
    "dos.txt",
    "bin",
    "link",
    "link/main.rs",
    "../x",
    "/etc/passwd",
    ".git/config",
    "a\0b",
    "one",
    "one\ntwo",
    "\r\n",
    "\n",
    "*.rs",
    "**",
    "{a,b}",
    "[",
    "(",
    "(?i)x*",
    "\\",
    "é",
    "\u{202e}x",
    "(a{100}){100}",
    "$",
    "*** Begin Patch\n*** Update File: a.txt\n-one\n+1\n*** End Patch",
    "*** Begin Patch\n*** Update File: src/main.rs\n*** Move to: b\n*** Delete File: bin\n*** End Patch",
    "--- a/dos.txt\n+++ b/dos.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
    "--- a/link/main.rs\n+++ /dev/null\n",
];

fn value(random: &mut Random) -> Value {
    match random.below(12) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2 => json!(random.below(30)),
        3 => json!(-1),
        4 => json!(1e300),
        5 => json!(u64::MAX),
        6 => json!([1]),
        7 => json!({"path": "a"}),
        _ => json!(random.pick(&STRINGS)),
    }
}

/// Arguments near to right ones, as text, sometimes broken.
fn arguments(random: &mut Random, fields: &[String]) -> String {
    let mut object = serde_json::Map::new();
    for field in fields {
        let value = match random.below(4) {
            0 => value(random),
            _ if ["offset", "limit", "depth", "context"].contains(&field.as_str()) => json!(random.below(10)),
            _ if ["all", "case_insensitive"].contains(&field.as_str()) => json!(random.below(2) == 0),
            _ => json!(random.pick(&STRINGS)),
        };
        if random.below(8) != 0 {
            object.insert(field.clone(), value);
        }
    }
    if random.below(20) == 0 {
        object.insert("extra".to_owned(), value(random));
    }
    let mut text = Value::Object(object).to_string();
    if random.below(10) == 0 {
        let at = text.floor_char_boundary(random.below(text.len()));
        match random.below(3) {
            0 => text.truncate(at),
            1 => text.insert(at, random.pick(&["\"", "{", "\u{1}", ",", "\\ud800"]).chars().next().unwrap_or('x')),
            _ => text.push('}'),
        }
    }
    text
}

#[test]
fn no_arguments_make_a_tool_panic_or_overreach() {
    let seed = std::env::var("SEED").map_or(20_261_124, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let (trials, mut checked, mut done, mut failures) = (20_000, 0, 0, 0);
    let mut world = World::in_memory().with(&[
        ("a.txt", "one\ntwo\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("dos.txt", "one\r\ntwo\r\n"),
        ("bin", "\0"),
    ]);
    world.place.set(&path("link"), Some(&link("src")));
    world.limits.output_bytes = 200;
    let table = tools::table();
    for trial in 0..trials {
        let spec = &table[random.below(table.len())];
        let fields: Vec<String> = spec.parameters["properties"].as_object().unwrap().keys().cloned().collect();
        let text = arguments(&mut random, &fields);
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let Ok(call) = tools::check(&spec.name, &text) else { return (false, false) };
            let output = tools::run(&call, &world, &|| false, &world.limits);
            assert!(output.text.len() < 200 + 2_500, "a text of {} bytes", output.text.len());
            assert!(!output.text.is_empty());
            let may_change = output.outcome == ToolOutcome::Done && spec.access == Access::Write;
            assert!(output.changes.is_empty() || may_change);
            for change in &output.changes {
                assert!(call.strings.iter().any(|asked| *asked == change.path.as_str()), "changed {}", change.path);
                assert_ne!(change.before, change.after);
            }
            (true, output.outcome == ToolOutcome::Done)
        }));
        match attempt {
            Ok((valid, success)) => (checked, done) = (checked + u32::from(valid), done + u32::from(success)),
            Err(_) => {
                failures += 1;
                println!("trial {trial}: {} {text}", spec.name);
            }
        }
    }
    println!("seed {seed}: {trials} trials, {checked} valid calls, {done} done, {failures} failures");
    assert_eq!(failures, 0);
    assert!(checked > trials / 10 && done > trials / 50, "the calls are too wild to test anything");
}

/// A text of up to so many pieces.
fn pieces(random: &mut Random, of: &[&str], most: usize) -> String {
    (0..random.below(most + 1)).map(|_| of[random.below(of.len())]).collect()
}

/// An edit must mean the same in a file with CRLF line ends as in the same file with LF.
#[test]
fn an_edit_does_not_depend_on_line_ends() {
    let seed = std::env::var("SEED").map_or(11, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let (trials, mut edited, mut failures) = (5_000, 0, 0);
    for trial in 0..trials {
        let content = pieces(&mut random, &["a", "b", "\n", "c\n"], 12);
        let (old, new) = (pieces(&mut random, &["a", "b", "\n"], 3), pieces(&mut random, &["a", "d", "\n"], 3));
        if old.is_empty() || old == new || !content.contains('\n') {
            continue;
        }
        let all = random.below(2) == 0;
        let arguments = json!({"path": "f", "old": old, "new": new, "all": all});
        let [(with_lf, tolerant), (with_crlf, _)] = ["\n", "\r\n"].map(|end| {
            let output =
                World::in_memory().with(&[("f", &content.replace('\n', end))]).run("edit_file", arguments.clone());
            let after = output.changes.first().map(|change| change.after.clone().unwrap().bytes);
            (after.map(|bytes| String::from_utf8(bytes).unwrap()), output.text.contains("[old was found but for"))
        });
        // A last line that has its end in `old` alone is found too, which the result says.
        let unended = old.ends_with('\n') && content.ends_with(&old[..old.len() - 1]);
        let times = content.matches(&old).count();
        let expected = match times {
            0 if tolerant && unended => with_lf.clone(),
            1 => Some(content.replace(&old, &new)),
            _ if times > 1 && all => Some(content.replace(&old, &new)),
            _ => None,
        };
        edited += usize::from(expected.is_some());
        if with_lf != expected || with_crlf != expected.map(|text| text.replace('\n', "\r\n")) {
            failures += 1;
            println!("trial {trial}: {content:?} {arguments}: {with_lf:?} and {with_crlf:?}");
        }
    }
    println!("seed {seed}: {trials} trials, {edited} edits, {failures} failures");
    assert_eq!(failures, 0);
    assert!(edited > trials / 10, "the texts are too wild to test anything");
}

/// Matches with the lines around them are those that grep shows.
#[test]
fn lines_around_matches_are_those_of_grep() {
    let seed = std::env::var("SEED").map_or(13, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let (trials, mut matching, mut failures) = (60, 0, 0);
    for trial in 0..trials {
        let content = pieces(&mut random, &["a\n", "b\n", "ab\n", "\n", "c c\n", "d\n", "d\n"], 40);
        let pattern = random.pick(&["a", "^b", "ab|c", "b$", "^$", "(a|d)b?", "."]);
        let context = random.below(4);
        let root = tempfile::TempDir::new().unwrap();
        std::fs::write(root.path().join("f"), &content).unwrap();
        let mut grep = std::process::Command::new("grep");
        grep.current_dir(root.path()).args(["-n", "-H", "-E", "-e", pattern, "f"]);
        if context > 0 {
            grep.arg(format!("-C{context}"));
        }
        let theirs = String::from_utf8(grep.output().unwrap().stdout).unwrap();
        let arguments = json!({"pattern": pattern, "path": "f", "context": context});
        let ours = World::in_memory().with(&[("f", &content)]).run("search_text", arguments).text;
        // Ours has a blank before the text.
        let without_blank = |line: &str| match line.match_indices([':', '-']).nth(1) {
            Some((at, _)) if line != "--" => format!("{}{}\n", &line[..=at], &line[at + 2..]),
            _ => format!("{line}\n"),
        };
        let ours: String = ours.lines().skip(1).map(without_blank).collect();
        matching += usize::from(!theirs.is_empty());
        if ours != theirs {
            failures += 1;
            println!("trial {trial}: {content:?} {pattern} {context}\nours\n{ours}grep\n{theirs}");
        }
    }
    println!("seed {seed}: {trials} trials, {matching} with matches, {failures} failures");
    assert_eq!(failures, 0);
    assert!(matching > trials / 2, "the patterns match too little to test anything");
}
