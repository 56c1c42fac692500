//! Recorded updates and what people see of them.

use super::*;
use crate::screen::testing;
use crate::update::Update;

const SESSION: &str = "ses_01kav9ft000000000000000007";
const USAGE: &str = r#""usage":{"input_tokens":1200,"output_tokens":34},"cost_microusd":1500"#;

/// Shows updates, given without the fields that they all have: both streams as one, and standard output alone.
fn shown(view: View, updates: &[&str]) -> (String, String) {
    let mut texts = Vec::new();
    for joined in [true, false] {
        let (mut screen, out, _) = testing::screen(false);
        if joined {
            screen.join();
        }
        let mut transcript = Transcript::new(view);
        let mut fetch = |_: BlobHash| Ok("a text\nthat was long".to_owned());
        for (at, update) in updates.iter().enumerate() {
            let update = match update.strip_prefix('~') {
                Some(delta) => format!(r#"{{"session":"{SESSION}","turn":"trn_1",{delta}}}"#),
                None => {
                    format!(r#"{{"seq":{},"at":"2025-11-23T09:00:00Z","session":"{SESSION}",{update}}}"#, at + 1)
                }
            };
            match Update::parse(&update).unwrap() {
                Update::Event(event) => transcript.event(&mut screen, &event, &mut fetch).unwrap(),
                Update::Delta(delta) => transcript.delta(&mut screen, &delta).unwrap(),
                Update::Unknown(_) | Update::Draining(_) => panic!("no such kind: {update}"),
            }
        }
        texts.push(out.text());
    }
    (texts[0].clone(), texts[1].clone())
}

fn model_finished(text: &str, rest: &str) -> String {
    format!(
        r#""kind":"model.finished","turn":"trn_1","effect":"trn_1.1.model.0.1","stop":"end","tokens":2,{USAGE},{rest}"data":{{"text":{text}}}"#
    )
}

const STARTED: &str = r#""kind":"tool.started","turn":"trn_1","effect":"trn_1.1.tool.0.1","access":"read","data":{"name":"read_file","about":"README.md"}"#;
const ENDED: &str = r#""kind":"tool.finished","turn":"trn_1","effect":"trn_1.1.tool.0.1","outcome":"done","tokens":9,"data":{"name":"read_file","text":"Read 3 lines.\nbody"}"#;

#[test]
fn a_turn_shows_its_steps_and_a_pipe_gets_the_answer_alone() {
    let reply = model_finished(r#""The readme is short.""#, "");
    let end =
        format!(r#""kind":"turn.finished","turn":"trn_1","outcome":"done","steps":2,"changed":0,{USAGE},"data":{{}}"#);
    let delta = r#"~"kind":"message.delta","effect":"trn_1.1.model.0.1","offset":0,"text":"The readme""#;
    let (all, out) = shown(View::Turn(TurnId(1)), &[STARTED, ENDED, delta, &reply, &end]);
    assert_eq!(
        all,
        "● read_file README.md\n  └ Read 3 lines.\nThe readme is short.\n2 steps, 1,200 tokens in, 34 out, $0.0015\n"
    );
    assert_eq!(out, "The readme is short.\n");
}

#[test]
fn outcomes_of_tools_that_ran_together_name_their_tool() {
    let other_started = STARTED.replace("tool.0", "tool.1").replace("README.md", "b.txt");
    let failed = ENDED
        .replace("tool.0", "tool.1")
        .replace(r#""outcome":"done""#, r#""outcome":"failed""#)
        .replace("Read 3 lines.", "There is no b.txt.");
    let (all, _) = shown(View::Turn(TurnId(1)), &[STARTED, &other_started, ENDED, &failed]);
    assert_eq!(
        all,
        "● read_file README.md\n● read_file b.txt\n  └ read_file README.md: Read 3 lines.\n  └ ✗ read_file b.txt: There is no b.txt.\n"
    );
}

#[test]
fn deltas_that_overlap_or_leave_a_gap_are_settled_by_the_whole_reply() {
    let delta = |offset: usize, text: &str| {
        format!(r#"~"kind":"message.delta","effect":"trn_1.1.model.0.1","offset":{offset},"text":"{text}""#)
    };
    let whole = model_finished(r#""abcdef""#, "");
    for deltas in [
        vec![delta(0, "abc"), delta(0, "abcd"), delta(2, "cde")],
        vec![delta(0, "ab"), delta(4, "ef")],
        vec![delta(3, "def")],
        vec![],
    ] {
        let updates: Vec<&str> = deltas.iter().map(String::as_str).chain([whole.as_str()]).collect();
        assert_eq!(shown(View::Turn(TurnId(1)), &updates).1, "abcdef\n", "{deltas:?}");
    }
}

#[test]
fn an_attempt_that_failed_is_told_and_the_next_one_is_a_message_of_its_own() {
    let delta = r#"~"kind":"message.delta","effect":"trn_1.1.model.0.1","offset":0,"text":"Hal""#;
    let failed = format!(
        r#""kind":"model.failed","turn":"trn_1","effect":"trn_1.1.model.0.1","failure":"overloaded","retry_after_ms":1500,{USAGE},"data":{{"message":"529"}}"#
    );
    let again = r#""kind":"model.started","turn":"trn_1","effect":"trn_1.1.model.0.2","model":"big","data":{}"#;
    let whole = model_finished(r#""Hello""#, "").replace("model.0.1", "model.0.2");
    let (all, _) = shown(View::Turn(TurnId(1)), &[delta, &failed, again, &whole]);
    assert_eq!(all, "Hal\n! the model call failed (overloaded): 529; trying again with big (attempt 2)\nHello\n");
}

/// A reply that is cut in the middle and made again by the next daemon, between its two attempts `events`.
fn cut_and_made_again(view: View, events: &[&str], again: &str) -> (String, String) {
    let said = r#"~"kind":"message.delta","effect":"trn_1.1.model.0.1","offset":0,"text":"One two""#;
    let delta = format!(r#"~"kind":"message.delta","effect":"trn_1.1.model.0.2","offset":0,"text":"{again}""#);
    let whole = model_finished(&format!(r#""{again}.""#), "").replace("model.0.1", "model.0.2");
    let (first, second) = (started(1, "big", ""), started(2, "big", ""));
    let resumed = r#""kind":"turn.resumed","turn":"trn_1","data":{}"#;
    let updates = [&[first.as_str(), said], events, &[BEGAN, resumed, &second, &delta, &whole]].concat();
    shown(view, &updates)
}

const RELEASED: &str = r#""kind":"model.interrupted","turn":"trn_1","effect":"trn_1.1.model.0.1","interruption":"released","tokens":2,"usage":{"input_tokens":10,"output_tokens":2},"cost_microusd":0,"data":{"text":"One two"}"#;
const BEGAN: &str = r#""kind":"owner.began","epoch":2,"generation":2,"data":{}"#;

#[test]
fn a_reply_that_is_cut_goes_on_where_it_was_and_one_line_says_what_happened() {
    for view in [View::Turn(TurnId(1)), View::Live, View::Everything] {
        let (all, out) = cut_and_made_again(view, &[RELEASED], "One two three");
        assert_eq!(all, "One two\n! the reply was interrupted; trying again with big (attempt 2)\n three.\n");
        assert_eq!(out, "One two three.\n", "and a pipe gets it in one piece");
        let (all, out) = cut_and_made_again(view, &[], "One two three");
        assert_eq!(all, "One two\n! the reply was lost with the daemon; trying again with big (attempt 2)\n three.\n");
        assert_eq!(out, "One two three.\n");
    }
}

#[test]
fn a_reply_that_says_something_else_when_it_is_made_again_begins_a_line() {
    for (again, out) in [("One, two", "One two\nOne, two.\n"), ("One", "One two\nOne.\n"), ("One two", "One two.\n")] {
        assert_eq!(cut_and_made_again(View::Live, &[RELEASED], again).1, out);
    }
}

#[test]
fn a_session_that_is_taken_up_again_says_nothing_where_nothing_was_cut() {
    let resumed = r#""kind":"turn.resumed","turn":"trn_1","data":{}"#;
    assert_eq!(shown(View::Live, &[STARTED, ENDED, BEGAN, resumed]).0, "● read_file README.md\n  └ Read 3 lines.\n");
    assert_eq!(shown(View::Everything, &[BEGAN, resumed]).0, "the daemon had ended; the turn goes on where it was\n");
    // A session that had left memory has a new owner, and no daemon has ended.
    assert_eq!(shown(View::Everything, &[BEGAN, &started(1, "big", "")]).0, "");
}

#[test]
fn a_transcript_shows_prompts_long_texts_and_what_was_removed() {
    let prompt = r#""kind":"prompt.accepted","turn":"trn_1","tokens":2,"data":{"text":"do\nit"}"#;
    let removed = r#""kind":"prompt.queued","turn":"trn_2","tokens":2,"forgotten":true"#;
    let blob = format!(r#"{{"blob":"{}","bytes":20000}}"#, BlobHash::of(b"x"));
    let (all, out) = shown(View::Everything, &[prompt, &model_finished(&blob, ""), removed]);
    assert_eq!(all, "\n> do\n> it\na text\nthat was long\n\n> (queued) (these words were removed)\n");
    assert_eq!(out, "a text\nthat was long\n");
}

#[test]
fn a_failed_turn_says_why_and_another_turn_is_not_shown() {
    let end = |turn: &str| {
        format!(
            r#""kind":"turn.finished","turn":"{turn}","outcome":"failed","failure":"unreachable","steps":1,"changed":0,{USAGE},"data":{{"message":"nobody listens on \u001b[31mport 80"}}"#
        )
    };
    let (all, _) = shown(View::Turn(TurnId(1)), &[&end("trn_2"), &end("trn_1")]);
    assert_eq!(
        all,
        "✗ the turn ended: failed (unreachable): nobody listens on port 80\n1 step, 1,200 tokens in, 34 out, $0.0015\n"
    );
}

#[test]
fn calls_that_were_refused_are_shown_though_they_never_ran() {
    let rest = r#""calls":[{"access":"write","verdict":"invalid"}],"#;
    let reply = model_finished(r#""""#, rest).replace(
        r#""data":{"#,
        r#""data":{"calls":[{"id":"1","name":"writ_file","arguments":"{}","refused":"there is no such tool"}],"#,
    );
    let (all, _) = shown(View::Turn(TurnId(1)), &[&reply]);
    assert_eq!(all, "● writ_file\n  └ ✗ invalid: there is no such tool\n");
}

#[test]
fn what_happens_to_the_canvas_names_its_files() {
    let conflict =
        r#""kind":"canvas.conflicted","changed":1,"data":{"paths":[{"path":"a.txt","before":null,"after":null}]}"#;
    let undone = r#""kind":"accept.undone","effect":"trn_0.1.accept.0.1","undoes":7,"files":2,"data":{}"#;
    let (all, _) = shown(View::Turn(TurnId(1)), &[conflict, undone]);
    assert_eq!(
        all,
        "! a.txt changed outside the session in a way that does not merge; undo that or `tinkerbell reject` the path\nan accept of 2 files was taken back\n"
    );
}

fn started(attempt: u32, model: &str, instructions: &str) -> String {
    let hash = BlobHash::of(b"x");
    format!(
        r#""kind":"model.started","turn":"trn_1","effect":"trn_1.1.model.0.{attempt}","model":"{model}","data":{{"renderer":1,"system":"{hash}","tools":"{hash}","settings":"{hash}","max_output_tokens":1,"why":"w","message_count":0,"omitted":0,"tokens":1{instructions}}}"#
    )
}

fn failed(attempt: u32, message: &str) -> String {
    format!(
        r#""kind":"model.failed","turn":"trn_1","effect":"trn_1.1.model.0.{attempt}","failure":"unreachable",{USAGE},"data":{{"message":"{message}"}}"#
    )
}

fn ended_by_failure(message: &str) -> String {
    format!(
        r#""kind":"turn.finished","turn":"trn_1","outcome":"failed","failure":"unreachable","steps":1,"changed":0,{USAGE},"data":{{"message":"{message}"}}"#
    )
}

#[test]
fn the_same_failure_is_told_once_however_often_it_is_tried() {
    let why = "nobody listens on port 80";
    let updates = [
        started(1, "big", ""),
        failed(1, why),
        started(2, "big", ""),
        failed(2, why),
        started(3, "big", ""),
        failed(3, why),
        ended_by_failure(why),
    ];
    let updates: Vec<&str> = updates.iter().map(String::as_str).collect();
    let (all, _) = shown(View::Turn(TurnId(1)), &updates);
    assert_eq!(
        all,
        "! big failed (unreachable): nobody listens on port 80; trying again with big (attempt 2)\n! again; trying again with big (attempt 3)\n✗ the turn ended: failed (unreachable)\n1 step, 1,200 tokens in, 34 out, $0.0015\n"
    );
    let (once, _) = shown(View::Turn(TurnId(1)), &[&started(1, "big", ""), &failed(1, why), &ended_by_failure(why)]);
    assert_eq!(once.matches(why).count(), 1, "{once}");
}

#[test]
fn another_model_that_takes_over_is_told_in_the_same_line() {
    let updates = [started(1, "big", ""), failed(1, "529"), started(2, "small", "")];
    let updates: Vec<&str> = updates.iter().map(String::as_str).collect();
    let (all, _) = shown(View::Turn(TurnId(1)), &updates);
    assert_eq!(all, "! big failed (unreachable): 529; going on with small\n");
    let odd = [started(1, "b\\u001b[2Jig", ""), failed(1, "529"), started(2, "b\\u001b[2Jig", "")];
    let odd: Vec<&str> = odd.iter().map(String::as_str).collect();
    let (all, _) = shown(View::Turn(TurnId(1)), &odd);
    assert!(all.contains("trying again") && !all.contains('\u{1b}'), "a name does nothing to the terminal: {all:?}");
}

#[test]
fn what_is_read_along_is_told_once_and_what_is_thought_is_short() {
    let reads = format!(r#","instructions":[{{"path":"AGENTS.md","blob":"{}","bytes":9}}]"#, BlobHash::of(b"y"));
    let thought =
        |text: &str| format!(r#"~"kind":"reasoning.delta","effect":"trn_1.1.model.0.1","offset":0,"text":"{text}""#);
    let updates = [
        started(1, "big", &reads),
        thought("First, "),
        thought(&"x".repeat(1_000)),
        thought("more"),
        started(1, "big", &reads),
    ];
    let updates: Vec<&str> = updates.iter().map(String::as_str).collect();
    let (all, out) = shown(View::Turn(TurnId(1)), &updates);
    assert_eq!(all, format!("reads AGENTS.md\nFirst, {}…", "x".repeat(MAX_REASONING_CHARS - 7)));
    assert_eq!(out, "");
}

#[test]
fn to_somebody_who_looks_on_prompts_and_answers_of_others_are_shown() {
    let prompt = r#""kind":"prompt.accepted","turn":"trn_1","tokens":2,"data":{"text":"do it"}"#;
    let answered = r#""kind":"approval.resolved","turn":"trn_1","effect":"trn_1.1.ask.0.1","answer":"allow","data":{}"#;
    assert_eq!(shown(View::Live, &[prompt, answered]).0, "\n> do it\nanswered elsewhere: allow\n");
}
