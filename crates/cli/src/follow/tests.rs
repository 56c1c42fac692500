//! Sessions that are followed, against a daemon that says what a test tells it to.

use super::*;
use crate::fake::{FakeDaemon, stream};
use crate::screen::testing;

const HEAD: &str = r#""at":"2025-11-23T09:00:00.000000Z","session":"ses_01kav9ft000000000000000007""#;

fn event(seq: u64, rest: &str) -> String {
    format!("{{\"seq\":{seq},{HEAD},{rest}}}")
}

fn delta(offset: usize, text: &str) -> String {
    format!(
        r#"{{"kind":"message.delta","session":"ses_01kav9ft000000000000000007","turn":"trn_1","effect":"trn_1.1.model.0.1","offset":{offset},"text":"{text}"}}"#
    )
}

fn finished() -> Vec<String> {
    let usage = r#""usage":{"input_tokens":10,"output_tokens":2},"cost_microusd":0"#;
    vec![
        event(
            4,
            &format!(
                r#""kind":"model.finished","turn":"trn_1","effect":"trn_1.1.model.0.1","stop":"end","tokens":2,{usage},"data":{{"text":"Hello, world"}}"#
            ),
        ),
        event(
            5,
            &format!(
                r#""kind":"turn.finished","turn":"trn_1","outcome":"done","steps":1,"changed":0,{usage},"data":{{}}"#
            ),
        ),
    ]
}

fn target(json: bool) -> Target {
    let session = "ses_01kav9ft000000000000000007".parse().unwrap();
    Target { session, scope: Scope::Turn(TurnId(1)), after: Seq(0), json, which: String::new() }
}

fn texts(updates: &[String]) -> Vec<&str> {
    updates.iter().map(String::as_str).collect()
}

#[test]
fn a_reply_is_printed_once_though_the_connection_breaks_in_the_middle() {
    let began = event(3, r#""kind":"turn.started","turn":"trn_1","data":{}"#);
    let first = vec![began, delta(0, "Hel")];
    // Who comes back first gets what was said so far.
    let second = [vec![delta(0, "Hello, ")], finished()].concat();
    let daemon = FakeDaemon::new(vec![vec![stream(&texts(&first), false)], vec![stream(&texts(&second), true)]]);
    let (mut screen, out, aside) = testing::screen(false);
    let ending = follow(&mut daemon.client(), &mut screen, target(false)).unwrap();
    assert_eq!(ending, Ending::Finished(TurnOutcome::Done));
    assert_eq!(
        (out.text().as_str(), aside.text().as_str()),
        ("Hello, world\n", "1 step, 10 tokens in, 2 out, $0.00\n")
    );
    let heard = daemon.heard();
    assert!(heard[0].contains("/events?after=0") && heard[1].contains("/events?after=3"), "{heard:?}");
}

#[test]
fn a_stream_that_the_daemon_ends_in_good_order_is_taken_up_again_without_starting_one() {
    let began = event(3, r#""kind":"turn.started","turn":"trn_1","data":{}"#);
    let daemon = FakeDaemon::new(vec![vec![stream(&[&began], true)], vec![stream(&texts(&finished()), true)]]);
    let (mut screen, out, aside) = testing::screen(false);
    let mut client = daemon.client();
    let ending = follow(&mut client, &mut screen, target(false)).unwrap();
    assert_eq!((ending, out.text()), (Ending::Finished(TurnOutcome::Done), "Hello, world\n".to_owned()));
    assert_eq!(aside.text(), "1 step, 10 tokens in, 2 out, $0.00\n", "it was back at once");
    assert!(!client.may_start());
}

#[test]
fn as_json_the_updates_are_printed_as_they_came() {
    let updates = [vec![delta(0, "Hello")], finished()].concat();
    let daemon = FakeDaemon::new(vec![vec![stream(&texts(&updates), false)]]);
    let (mut screen, out, aside) = testing::screen(false);
    follow(&mut daemon.client(), &mut screen, target(true)).unwrap();
    assert_eq!((out.text(), aside.text()), (updates.join("\n") + "\n", String::new()));
}

#[test]
fn a_question_that_nobody_here_can_answer_says_how_to() {
    let asked = event(
        3,
        r#""kind":"approval.requested","turn":"trn_1","effect":"trn_1.1.ask.0.1","question":"permission","data":{"message":"May write_file run?"}"#,
    );
    let daemon = FakeDaemon::new(vec![vec![stream(&[&asked], false)]]);
    let (mut screen, _, aside) = testing::screen(false);
    let ending = follow(&mut daemon.client(), &mut screen, target(false)).unwrap();
    assert_eq!(ending, Ending::NeedsAnswer);
    assert_eq!(
        aside.text(),
        "? May write_file run?\nthe turn waits for an answer; give it with: tinkerbell approve trn_1.1.ask.0.1, or tinkerbell deny trn_1.1.ask.0.1\n"
    );
}

/// Follows a session of which this is known, where nobody sits before a terminal.
fn looked_on(head: u64, open: &[u32], updates: &[String]) -> (Ending, String, String) {
    let daemon = FakeDaemon::new(vec![vec![stream(&texts(updates), false)]]);
    let (mut screen, out, aside) = testing::screen(false);
    let open = open.iter().map(|turn| TurnId(*turn)).collect();
    let scope = Scope::Session { head: Seq(head), open, answers: false };
    let target = Target { scope, which: " -s 00000007".into(), ..target(false) };
    let ending = follow(&mut daemon.client(), &mut screen, target).unwrap();
    (ending, out.text(), aside.text())
}

fn prompt(seq: u64) -> String {
    event(seq, r#""kind":"prompt.accepted","turn":"trn_1","tokens":1,"data":{"text":"hello"}"#)
}

#[test]
fn who_looks_on_sees_what_was_and_stays_until_nothing_runs() {
    let began = event(3, r#""kind":"turn.started","turn":"trn_1","data":{}"#);
    let updates = [vec![prompt(2), began, delta(0, "Hello")], finished()].concat();
    // It was over when we came, or it was not.
    for (head, open) in [(5, [].as_slice()), (3, [1].as_slice())] {
        let (ending, out, aside) = looked_on(head, open, &updates);
        assert_eq!((ending, out.as_str()), (Ending::Finished(TurnOutcome::Done), "Hello, world\n"));
        assert!(aside.starts_with("\n> hello\n") && aside.contains("10 tokens in"), "{aside}");
    }
}

#[test]
fn a_session_in_which_nothing_happens_is_left_at_once() {
    let created = event(1, r#""kind":"session.created","data":{"workspace":"/w"}"#);
    assert_eq!(looked_on(1, &[], &[created]).0, Ending::Idle);
}

#[test]
fn a_question_ends_the_looking_on_of_a_program() {
    let asked = event(
        3,
        r#""kind":"approval.requested","turn":"trn_1","effect":"trn_1.1.ask.0.1","question":"permission","data":{"message":"May it?"}"#,
    );
    let (ending, _, aside) = looked_on(3, &[1], &[prompt(2), asked]);
    assert_eq!(ending, Ending::NeedsAnswer);
    assert!(aside.contains("tinkerbell approve -s 00000007 trn_1.1.ask.0.1"), "{aside}");
}

#[test]
fn the_last_of_several_turns_is_the_end() {
    let queued = event(3, r#""kind":"prompt.queued","turn":"trn_2","tokens":1,"data":{"text":"more"}"#);
    let second: Vec<String> = finished().iter().map(|update| update.replace("trn_1", "trn_2")).collect();
    let began = event(6, r#""kind":"turn.started","turn":"trn_2","data":{}"#);
    let second = second.iter().map(|update| update.replace("\"seq\":4", "\"seq\":7").replace("\"seq\":5", "\"seq\":8"));
    let updates: Vec<String> = [prompt(2), queued].into_iter().chain(finished()).chain([began]).chain(second).collect();
    let (ending, out, aside) = looked_on(2, &[1], &updates);
    assert_eq!((ending, out.as_str()), (Ending::Finished(TurnOutcome::Done), "Hello, world\nHello, world\n"));
    assert!(aside.contains("another prompt came") && aside.contains("\n> more\n"), "{aside}");
}
