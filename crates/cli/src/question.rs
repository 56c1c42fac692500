//! Questions of the daemon in the words of the command line: which answers they take, and what is typed for each.

use agent::{Answer, EffectId, Question};

/// An answer and the key that stands for it.
pub(crate) type Choice = (char, Answer);

/// The answers that a question takes. The first is the one that `approve` means, the second the one of `deny`.
pub(crate) fn choices(question: Question) -> &'static [Choice] {
    match question {
        Question::Permission => &[('y', Answer::Allow), ('n', Answer::Deny)],
        Question::UnknownOutcome => &[('r', Answer::Retry), ('s', Answer::Skip), ('a', Answer::Abandon)],
        Question::KeepsDying => &[('r', Answer::Retry), ('a', Answer::Abandon)],
    }
}

/// What `approve` says.
pub(crate) fn approval(question: Question) -> Answer {
    choices(question)[0].1
}

/// What `deny` says.
pub(crate) fn denial(question: Question) -> Answer {
    choices(question)[1].1
}

/// The choices as a prompt shows them, such as `[y] allow, [n] deny`.
pub(crate) fn keys(question: Question) -> String {
    let shown: Vec<String> =
        choices(question).iter().map(|(key, answer)| format!("[{key}] {}", answer.word())).collect();
    shown.join(", ")
}

/// The same where a key answers without Enter, but for answers that need it.
pub(crate) fn keys_at_once(question: Question) -> String {
    let shown = choices(question).iter().map(|(key, answer)| {
        let enter = if needs_enter(*answer) { " Enter" } else { "" };
        format!("[{key}{enter}] {}", answer.word())
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Whether a key is not enough for an answer: it gives up what was asked for.
pub(crate) fn needs_enter(answer: Answer) -> bool {
    answer == Answer::Abandon
}

/// The answer that somebody typed: the key or the word, in any case, or `yes` and `no` for them.
pub(crate) fn typed(question: Question, line: &str) -> Option<Answer> {
    let line = line.trim().to_lowercase();
    let key = match (question, line.as_str()) {
        (Question::Permission, "yes") => "y",
        (Question::Permission, "no") => "n",
        (_, other) => other,
    };
    let fits = |(letter, answer): &&Choice| key == answer.word() || key.chars().eq([*letter]);
    choices(question).iter().find(fits).map(|(_, answer)| *answer)
}

/// The commands that answer a question. `which` says of which session, where that is not the current one.
pub(crate) fn commands(question: Question, id: EffectId, which: &str) -> String {
    match question {
        Question::Permission => format!("tinkerbell approve{which} {id}, or tinkerbell deny{which} {id}"),
        Question::UnknownOutcome | Question::KeepsDying => {
            let words: Vec<&str> = choices(question).iter().map(|(_, answer)| answer.word()).collect();
            format!("tinkerbell approve{which} {id} --answer {}", words.join("|"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Question; 3] = [Question::Permission, Question::UnknownOutcome, Question::KeepsDying];

    #[test]
    fn each_choice_has_a_key_and_a_word_that_are_understood() {
        for question in ALL {
            for (key, answer) in choices(question) {
                assert_eq!(typed(question, &format!(" {}\n", key.to_uppercase())), Some(*answer));
                assert_eq!(typed(question, answer.word()), Some(*answer));
            }
            assert_eq!((typed(question, ""), typed(question, "perhaps")), (None, None));
        }
        assert_eq!(typed(Question::Permission, "yes\n"), Some(Answer::Allow));
    }

    #[test]
    fn approving_never_means_giving_up() {
        for question in ALL {
            assert!(matches!(approval(question), Answer::Allow | Answer::Retry));
            assert!(matches!(denial(question), Answer::Deny | Answer::Skip | Answer::Abandon));
        }
    }
}
