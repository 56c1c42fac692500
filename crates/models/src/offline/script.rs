//! A prompt as steps: sentences are taken apart at their borders and each is read by the grammar.

use super::grammar::{self, Action};
use super::lexer::{Token, tokens};
use super::sentence;

/// The most steps that one prompt may hold.
pub(super) const MAX_STEPS: usize = 32;

/// One step of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What is to be done.
    pub(super) action: Action,
    /// It was said to come *then*: only when all before it went well.
    pub(super) then: bool,
}

/// What a prompt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Script {
    /// Every sentence was understood.
    Steps(Vec<Step>),
    /// This sentence was not, so nothing is done.
    NotUnderstood(String),
    /// There are more than [`MAX_STEPS`].
    TooMany(usize),
    /// Nothing was said.
    Empty,
}

/// Reads a prompt.
pub(super) fn read(prompt: &str) -> Script {
    let mut steps = Vec::new();
    for (clause, then) in clauses(tokens(prompt)) {
        match grammar::read(&clause) {
            Some(actions) => {
                // The first step of a sentence carries its *then*, and what follows it waits with it.
                steps.extend(actions.into_iter().enumerate().map(|(n, action)| Step { action, then: then && n == 0 }));
            }
            None => return Script::NotUnderstood(shown(&clause)),
        }
    }
    match steps.len() {
        0 => Script::Empty,
        count if count > MAX_STEPS => Script::TooMany(count),
        _ => Script::Steps(steps),
    }
}

/// Sentences, each with whether it was said to come *then*.
fn clauses(tokens: Vec<Token>) -> Vec<(Vec<Token>, bool)> {
    let mut done = Vec::new();
    let (mut clause, mut then) = (Vec::new(), false);
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let border = match &token {
            // A text may stand on the lines below its sentence.
            Token::Break => !matches!(tokens.peek(), Some(Token::Quoted(_))),
            Token::Plain(word) => match bare(word).as_str() {
                "and" | "then" => begins_sentence(&tokens),
                _ => false,
            },
            Token::Quoted(_) => false,
        };
        let ends =
            matches!(&token, Token::Plain(word) if word.ends_with([',', '.', '!', '?'])) && begins_sentence(&tokens);
        let is_then = matches!(&token, Token::Plain(word) if bare(word) == "then");
        if !border && token != Token::Break {
            clause.push(token);
        }
        if (border || ends) && !clause.is_empty() {
            done.push((std::mem::take(&mut clause), std::mem::take(&mut then)));
        }
        then |= border && is_then && !done.is_empty();
    }
    if !clause.is_empty() {
        done.push((clause, then));
    }
    done
}

/// Whether what follows is a sentence of its own: a verb, perhaps after words of politeness.
fn begins_sentence(tokens: &std::iter::Peekable<std::vec::IntoIter<Token>>) -> bool {
    for token in tokens.clone() {
        match token {
            Token::Plain(word) if sentence::is_filler(&bare(&word)) => {}
            Token::Plain(word) => return grammar::is_verb(&bare(&word)),
            Token::Quoted(_) | Token::Break => return false,
        }
    }
    false
}

/// A word in lower case, without the punctuation around it.
pub(super) fn bare(word: &str) -> String {
    word.trim_matches([',', '.', ':', '!', '?', '(', ')']).to_lowercase()
}

/// A sentence as it is given back to whoever said it.
fn shown(clause: &[Token]) -> String {
    let words = clause.iter().map(|token| match token {
        Token::Plain(word) => word.clone(),
        Token::Quoted(text) => format!("\"{text}\""),
        Token::Break => String::new(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_clauses(prompt: &str) -> Vec<String> {
        let mark =
            |(clause, then): (Vec<Token>, bool)| if then { format!("> {}", shown(&clause)) } else { shown(&clause) };
        clauses(tokens(prompt)).into_iter().map(mark).collect()
    }

    #[test]
    fn sentences_end_where_the_next_one_begins() {
        for (prompt, expected) in [
            ("create a with x and then show a", &["create a with x", "> show a"][..]),
            ("show a; list src\nfind x", &["show a", "list src", "find x"]),
            ("show a, then delete b and please list src.", &["show a,", "> delete b", "please list src."]),
            ("Delete a.txt. Show b.txt.", &["Delete a.txt.", "Show b.txt."]),
            ("delete a.txt and b.txt", &["delete a.txt and b.txt"]),
            ("create a with salt and pepper", &["create a with salt and pepper"]),
            ("create a with\n```\nshow b\n```\n", &["create a with \"show b\n\""]),
            ("then show a", &["show a"]),
            (" ;\n; ", &[]),
        ] {
            assert_eq!(read_clauses(prompt), expected, "{prompt:?}");
        }
    }

    #[test]
    fn one_sentence_that_is_not_understood_stops_all() {
        assert_eq!(read("delete x; dance"), Script::NotUnderstood("dance".into()));
        assert_eq!(read(""), Script::Empty);
        assert_eq!(read(&"show x\n".repeat(MAX_STEPS + 1)), Script::TooMany(MAX_STEPS + 1));
    }
}
