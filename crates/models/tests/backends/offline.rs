//! The offline model: every line of its page, and whole turns on a desk.

use crate::desk::{Desk, Turn};
use models::{Message, answer};
use serde_json::Value;
use std::collections::BTreeSet;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/offline-model.md"));

fn workspace() -> Desk {
    Desk::with(&[("README.md", "hello\n"), ("old.txt", "old\n"), ("src/a.rs", "foo foo\n"), ("src/b.rs", "\n")])
}

fn ask(desk: &mut Desk, prompt: &str) -> Turn {
    desk.ask(&mut Vec::new(), prompt)
}

/// The cells of a row; `\|` stands for a bar within one.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_matches('|').replace("\\|", "\u{0}");
    row.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

/// What stands between backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_line_of_the_page_is_true() {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `")).map(cells);
    let (mut lines, mut made, mut silent) = (0, 0, 0);
    for row in rows {
        let (said, expected) = (code(&row[0])[0], code(&row[1]));
        let turn = ask(&mut workspace(), said);
        let calls: Vec<(&str, Value)> = turn
            .calls
            .iter()
            .map(|call| (call.name.as_str(), serde_json::from_str(&call.arguments).unwrap()))
            .collect();
        let expected: Vec<(&str, Value)> = expected
            .iter()
            .map(|call| call.split_once(' ').unwrap_or_else(|| panic!("{said}: {call}")))
            .map(|(tool, arguments)| (tool, serde_json::from_str(arguments).unwrap_or_else(|e| panic!("{said}: {e}"))))
            .collect();
        assert_eq!(calls, expected, "{said}");
        lines += 1;
        made += calls.len();
        silent += usize::from(calls.is_empty());
    }
    println!("lines {lines}, calls {made}, lines without calls {silent}, failures 0");
    assert!(lines > 30 && silent >= 3, "the page was not read: {lines} lines, {silent} silent");
}

#[test]
fn it_says_what_it_is_and_what_it_understood() {
    let turn = ask(&mut workspace(), "Create a file hello.txt that contains the word hi.");
    assert!(
        turn.opening.contains("no language model") && turn.opening.contains("create hello.txt"),
        "{}",
        turn.opening
    );
    assert_eq!(turn.closing, "wrote hello.txt: 1 line, 3 bytes (new file)");
}

#[test]
fn what_it_does_not_understand_it_names_and_leaves() {
    let turn = ask(&mut workspace(), "delete old.txt; refactor everything");
    let text = &turn.closing;
    for words in ["\"refactor everything\"", "did nothing", "tinkerbell config path", "[models.work]", "base_url"] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
    assert!(turn.calls.is_empty());
}

#[test]
fn the_examples_in_its_help_are_sentences_it_takes() {
    let help = ask(&mut workspace(), "help").closing;
    let begin = help.find("such as").unwrap();
    let examples: Vec<&str> =
        help[begin..].lines().skip(1).skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    for example in &examples {
        assert!(!ask(&mut workspace(), example).calls.is_empty(), "{example}");
    }
    assert_eq!(examples.len(), 10);
}

#[test]
fn a_failed_tool_is_reported_as_it_spoke() {
    let turn = ask(&mut workspace(), "replace \"foo\" with \"bar\" in src/a.rs");
    assert!(
        turn.closing.starts_with("Not done: replace \"foo\" with \"bar\" in src/a.rs: old occurs 2 times"),
        "{}",
        turn.closing
    );
    let turn = ask(&mut workspace(), "delete gone.txt, then delete old.txt; show README.md");
    assert!(turn.closing.contains("Not done: delete gone.txt: there is no gone.txt"), "{}", turn.closing);
    assert_eq!(turn.closing.matches("Not tried").count(), 2, "{}", turn.closing);
}

#[test]
fn a_file_that_exists_is_looked_at_and_left() {
    let mut desk = workspace();
    let turn = ask(&mut desk, "create README.md with \"new\"");
    assert!(
        turn.closing.contains("exists already") && turn.closing.contains("overwrite README.md"),
        "{}",
        turn.closing
    );
    assert_eq!(desk.files["README.md"], "hello\n");
    ask(&mut desk, "overwrite README.md with \"new\"");
    assert_eq!(desk.files["README.md"], "new\n");
}

#[test]
fn what_does_not_get_in_the_way_goes_out_together() {
    let turn =
        ask(&mut workspace(), "create a.txt with x\nshow README.md\ncreate b.txt with y\nlist files\ndelete a.txt");
    assert_eq!(turn.replies, [3, 1, 1, 0], "three at once, then the listing, then what must come after it");
}

#[test]
fn a_text_goes_to_the_end_of_a_file_of_any_length() {
    for lines in [0, 1, 29, 30, 31, 49, 50, 51, 200] {
        for end in ["\n", ""] {
            let mut content: String = (0..lines).map(|n| format!("line {n}\n")).collect();
            content.truncate(content.len() - usize::from(end.is_empty() && lines > 0));
            let mut desk = Desk::with(&[("a.txt", &content)]);
            desk.lines_per_read = 30;
            let turn = ask(&mut desk, "append \"last\" to a.txt");
            let gap = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
            assert_eq!(desk.files["a.txt"], format!("{content}{gap}last\n"), "{lines} lines: {}", turn.closing);
        }
    }
}

#[test]
fn every_turn_of_a_conversation_has_ids_of_its_own() {
    let (mut desk, mut messages, mut ids) = (workspace(), Vec::new(), BTreeSet::new());
    let mut made = 0;
    for _ in 0..3 {
        for prompt in ["append \"x\" to README.md", "show README.md; list src"] {
            let turn = desk.ask(&mut messages, prompt);
            made += turn.calls.len();
            ids.extend(turn.calls.into_iter().map(|call| call.id));
        }
    }
    assert_eq!((ids.len(), made), (12, 12));
    assert_eq!(desk.files["README.md"], "hello\nx\nx\nx\n");
}

#[test]
fn calls_of_another_model_do_not_confuse_it() {
    let other = models::ReplyCall { id: "call_0".into(), name: "read_file".into(), arguments: "{}".into() };
    let mut messages = vec![
        Message::User { text: "show README.md".into(), attachments: vec![] },
        Message::Assistant { text: String::new(), calls: vec![other], carry: None },
        Message::Tool {
            call_id: "call_0".into(),
            name: "read_file".into(),
            text: "nonsense".into(),
            attachments: vec![],
        },
    ];
    let request = models::Request { messages: messages.clone(), ..crate::server::request("") };
    assert!(answer(&request).text.contains("the tool read_file is not offered"), "no tools were offered");
    messages.clear();
    let nothing = models::Request { messages, ..crate::server::request("") };
    assert!(answer(&nothing).text.contains("Nothing was asked"));
}

/// A small generator of its own, so that a printed seed gives the same prompts for ever.
fn random(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*state >> 33) % bound as u64) as usize
}

#[test]
fn any_words_in_any_order_end_without_a_panic_or_an_endless_turn() {
    let seed = std::env::var("TINKERBELL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    let mut state = seed;
    let vocabulary: Vec<&str> = "create make write overwrite append add replace change delete remove rename show list find search \
        and then with to in from by the a file files all every README.md src/ src/a.rs x.txt \"x\" 'y' \"\" ``` \" ' ` ; , . é *.rs \
        /a/ /( contains word end of empty . .. ../x please can you"
        .split(' ')
        .chain(["\n", "\n```\ncode\n```\n", "\u{201c}q\u{201d}", "\u{0}"])
        .filter(|word| !word.is_empty())
        .collect();
    let (trials, mut acted, mut calls) = (20_000, 0, 0);
    for trial in 0..trials {
        let words = 1 + random(&mut state, 12);
        let glue = if random(&mut state, 8) == 0 { "" } else { " " };
        let prompt =
            (0..words).map(|_| vocabulary[random(&mut state, vocabulary.len())]).collect::<Vec<_>>().join(glue);
        let turn = std::panic::catch_unwind(|| ask(&mut workspace(), &prompt));
        let turn = turn.unwrap_or_else(|_| panic!("seed {seed}, trial {trial}: {prompt:?}"));
        assert!(!turn.closing.is_empty(), "seed {seed}, trial {trial}: {prompt:?}");
        acted += usize::from(!turn.calls.is_empty());
        calls += turn.calls.len();
    }
    println!("seed {seed}, trials {trials}, prompts that led to calls {acted}, calls {calls}, failures 0");
    assert!(acted > trials / 50, "the prompts are too wild to test anything: {acted}");
}
