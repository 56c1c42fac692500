//! Questions of a conversation and what counts as an answer, and what commands say in it.

use super::*;

/// The steps of a session, in a repository whose path is wider than the terminal of these tests.
pub(super) const LOG: &str = r#"{"repository":"/home/ada/.local/state/tinkerbell/pictures/of/a/workspace.git","reference":"refs/tinkerbell/7","steps":[{"seq":4,"title":"write_file a","at":"2025-11-23T09:00:00.000000Z","files":1}]}"#;

fn asked(seq: u64, talk: &Talk) {
    let words = r#""kind":"approval.requested","turn":"trn_1","effect":"trn_1.1.ask.0.1","question":"unknown_outcome","data":{"message":"What became of it?"}"#;
    talk.daemon.send(seq, words);
}

#[test]
fn giving_up_needs_enter_and_letters_that_come_together_are_no_answer() {
    let mut talk = Talk::begin();
    talk.type_in("hello\r");
    talk.daemon.heard();
    talk.daemon.begin_turn();
    asked(6, &talk);
    talk.shows("[r] retry, [s] skip, [a Enter] abandon:");
    talk.type_in("st");
    talk.shows("queue › st");
    talk.type_in("\x03");
    talk.until("the question again", |text| text.matches("[a Enter]").count() == 2 && !text.contains("queue ›"));
    talk.type_in("a");
    talk.shows("queue › a");
    talk.type_in("\r");
    let (line, body) = talk.daemon.heard();
    assert!(line.contains("/approvals/trn_1.1.ask.0.1") && body["answer"] == "abandon", "{line} {body}");
    talk.daemon.send(
        7,
        r#""kind":"approval.resolved","turn":"trn_1","effect":"trn_1.1.ask.0.1","answer":"abandon","data":{}"#,
    );
    talk.shows("answered: abandon");
    talk.leave();
}

#[test]
fn an_accept_of_this_conversation_is_told_once() {
    let mut talk = Talk::begin();
    talk.type_in("/undo\r");
    let (line, _) = talk.daemon.heard();
    assert!(line.contains("/canvas/undo"), "{line}");
    talk.shows("next: /diff");
    for seq in [5, 6] {
        let effect = r#""effect":"trn_0.1.accept.0.1""#;
        talk.daemon.send(seq, &format!(r#""kind":"accept.undone",{effect},"undoes":2,"files":1,"data":{{}}"#));
    }
    talk.shows("an accept of 1 file was taken back");
    let text = talk.leave();
    assert_eq!(text.matches("an accept of 1 file").count(), 1, "that of another client alone:\n{text}");
}

/// Where we broke it, the screen would have it in two lines; what the terminal breaks is one line to it.
#[test]
fn a_command_that_is_there_to_be_copied_is_one_line() {
    let mut talk = Talk::begin();
    talk.type_in("/log\r");
    let command = "git --git-dir /home/ada/.local/state/tinkerbell/pictures/of/a/workspace.git log refs/tinkerbell/7";
    // While a command runs the terminal is not ours, so the key that leaves comes once the editor stands there again.
    talk.until("the command", |text| text.contains(command) && text.trim_end().ends_with('›'));
    talk.leave();
}

#[test]
fn an_escape_is_over_in_its_time_however_many_updates_come() {
    let mut talk = Talk::begin();
    talk.type_in("hello\r");
    talk.daemon.heard();
    talk.daemon.begin_turn();
    talk.daemon.delta(0, "Well ");
    talk.shows("Well");
    talk.type_in("\x1b");
    let (mut began, mut offset) = (None, "Well ".len());
    while began.is_none_or(|began: Instant| began.elapsed() < Duration::from_millis(200)) {
        let word = format!("w{offset}w ");
        talk.daemon.delta(offset, &word);
        talk.shows(word.trim_end());
        offset += word.len();
        // The escape was read by now, at the latest with this word.
        began = began.or_else(|| Some(Instant::now()));
    }
    talk.type_in("b");
    talk.shows("queue › b");
    talk.type_in("\x03");
    talk.leave();
}
