//! A prompt as words: quoted texts and fenced blocks are one word each, and the breaks between sentences are kept.

/// A word of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word as it stands, with its punctuation.
    Plain(String),
    /// What stood between quotes, backticks or fences.
    Quoted(String),
    /// A new line or a semicolon.
    Break,
}

/// Splits a prompt. Quotes that do not close are letters like any other.
pub(super) fn tokens(prompt: &str) -> Vec<Token> {
    let mut rest = prompt;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let taken = if first == '\n' || first == ';' {
            found.push(Token::Break);
            first.len_utf8()
        } else if first.is_whitespace() {
            first.len_utf8()
        } else if let Some((text, taken)) = fenced(rest).or_else(|| quoted(rest)) {
            found.push(Token::Quoted(text));
            // What is glued to a closing quote is punctuation of the sentence.
            taken
                + rest[taken..]
                    .chars()
                    .take_while(|c| matches!(c, '.' | ',' | ':' | '!' | '?'))
                    .map(char::len_utf8)
                    .sum::<usize>()
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(rest.len());
            found.push(Token::Plain(rest[..end].to_owned()));
            end
        };
        rest = &rest[taken..];
    }
    found
}

/// A block between lines of three backticks; the rest of the opening line names a language.
fn fenced(text: &str) -> Option<(String, usize)> {
    let opened = text.strip_prefix("```")?;
    let begin = 3 + opened.find('\n')? + 1;
    let end = text[begin..].find("\n```").map(|at| at + 1).or_else(|| text[begin..].starts_with("```").then_some(0))?;
    Some((text[begin..begin + end].to_owned(), begin + end + 3))
}

fn quoted(text: &str) -> Option<(String, usize)> {
    let open = text.chars().next()?;
    let close = match open {
        // A fence that does not close is no pair of empty quotes.
        '`' if text.starts_with("```") => return None,
        '"' | '\'' | '`' => open,
        '“' => '”',
        '‘' => '’',
        _ => return None,
    };
    let mut content = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        match (letter, next) {
            ('\\', Some(escaped @ ('n' | 't' | '"' | '\\'))) if open == '"' => {
                letters.next();
                content.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
            }
            // An apostrophe inside a word does not close.
            (letter, Some(next)) if letter == close && matches!(close, '\'' | '’') && next.is_alphanumeric() => {
                content.push(letter);
            }
            (letter, _) if letter == close => return Some((content, at + letter.len_utf8())),
            _ => content.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prompt: &str) -> String {
        let shown = tokens(prompt).into_iter().map(|token| match token {
            Token::Plain(word) => word,
            Token::Quoted(text) => format!("<{text}>"),
            Token::Break => "/".to_owned(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn quotes_keep_their_text_together() {
        assert_eq!(read(r#"create a.md with "- buy milk"."#), "create a.md with <- buy milk>");
        assert_eq!(read("append 'it's fine' to `a b.md`; show it"), "append <it's fine> to <a b.md> / show it");
        assert_eq!(read("“a;b” ‘c’"), "<a;b> <c>");
        assert_eq!(read(r#""a\n\"b\"\\""#), "<a\n\"b\"\\>");
    }

    #[test]
    fn a_fenced_block_is_one_text() {
        assert_eq!(
            read("create a.rs with\n```rust\nfn a() {}\n\n```\nshow a.rs"),
            "create a.rs with / <fn a() {}\n\n> / show a.rs"
        );
        assert_eq!(read("a ```\n``` b"), "a <> b");
    }

    #[test]
    fn quotes_that_do_not_close_are_letters() {
        assert_eq!(read("say \"hi and don't"), "say \"hi and don't");
        assert_eq!(read("``` a"), "``` a");
        assert_eq!(read(""), "");
    }
}
