//! How a line begins, and what that makes of it: a heading, an item, a fence.

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lead {
    /// Nothing.
    Blank,
    /// The beginning of a quotation of so many bytes; what follows is a line of its own.
    Quote { taken: usize },
    /// A heading, its level, and how many bytes its mark has.
    Heading { level: usize, taken: usize },
    /// A line across.
    Rule,
    /// An item of a list: the cells it is set in, its mark, and how many bytes that took.
    Item { indent: usize, mark: Mark, taken: usize },
    /// The fence that begins a block of code.
    Fence { indent: usize, mark: char, length: usize, language: String },
    /// A row of a table.
    Row,
    /// Words, set in by so many cells, which took so many bytes.
    Text { indent: usize, taken: usize },
}

/// What an item begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// A bullet.
    Bullet,
    /// A number with what follows it, such as `1.`.
    Number(String),
}

/// Cells of a tab.
const TAB_CELLS: usize = 4;
/// The longest number of an item.
const MAX_DIGITS: usize = 9;

/// What the line that begins with `head` is; `None` while that cannot be told. `complete` says that all of it is there.
pub(super) fn lead(head: &str, complete: bool) -> Option<Lead> {
    let text = head.trim_start_matches([' ', '\t']);
    let taken = head.len() - text.len();
    let indent = head[..taken].chars().map(|character| if character == '\t' { TAB_CELLS } else { 1 }).sum();
    let words = Lead::Text { indent, taken };
    let Some(first) = text.chars().next() else {
        return complete.then_some(Lead::Blank);
    };
    let decided = match first {
        '>' => quote(text, taken),
        '#' => heading(text, taken),
        '`' | '~' => fence(text, first, indent, complete),
        '-' | '*' | '_' | '+' => rule_or_bullet(text, first, indent, taken, complete),
        '0'..='9' => numbered(text, indent, taken),
        '|' => Some(Some(Lead::Row)),
        _ => Some(None),
    };
    match decided {
        Some(lead) => Some(lead.unwrap_or(words)),
        None if !complete => None,
        None if first == '>' => Some(Lead::Quote { taken: taken + 1 }),
        None => Some(words),
    }
}

/// `None` when it is undecided, `Some(None)` when it is none of these after all.
type Decision = Option<Option<Lead>>;

fn quote(text: &str, taken: usize) -> Decision {
    let space = text[1..].chars().next()? == ' ';
    Some(Some(Lead::Quote { taken: taken + 1 + usize::from(space) }))
}

fn heading(text: &str, taken: usize) -> Decision {
    let level = text.bytes().take_while(|byte| *byte == b'#').count();
    let next = text[level..].chars().next();
    match next {
        _ if level > 6 => Some(None),
        None => None,
        Some(' ') => Some(Some(Lead::Heading { level, taken: taken + level + 1 })),
        Some(_) => Some(None),
    }
}

fn fence(text: &str, mark: char, indent: usize, complete: bool) -> Decision {
    let length = text.bytes().take_while(|byte| *byte == mark as u8).count();
    let information = &text[length..];
    if length < 3 && !information.is_empty() || mark == '`' && information.contains('`') {
        return Some(None);
    }
    if !complete || length < 3 {
        return None;
    }
    let language = information.trim().split([' ', ',', '{']).next().unwrap_or_default().to_owned();
    Some(Some(Lead::Fence { indent, mark, length, language }))
}

fn rule_or_bullet(text: &str, mark: char, indent: usize, taken: usize, complete: bool) -> Decision {
    if text.chars().all(|character| character == mark || character == ' ') {
        let marks = text.chars().filter(|character| *character == mark).count();
        return match (complete, marks) {
            (false, _) => None,
            (true, 3..) if mark != '+' => Some(Some(Lead::Rule)),
            (true, _) => Some(None),
        };
    }
    let is_item = mark != '_' && text[1..].starts_with(' ');
    Some(is_item.then(|| Lead::Item { indent, mark: Mark::Bullet, taken: taken + 2 }))
}

fn numbered(text: &str, indent: usize, taken: usize) -> Decision {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits > MAX_DIGITS {
        return Some(None);
    }
    let mut after = text[digits..].chars();
    match (after.next(), after.next()) {
        (None, _) | (Some('.' | ')'), None) => None,
        (Some('.' | ')'), Some(' ')) => {
            let mark = Mark::Number(text[..=digits].to_owned());
            Some(Some(Lead::Item { indent, mark, taken: taken + digits + 2 }))
        }
        _ => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_by_as_little_as_it_takes() {
        let text = |taken| Some(Lead::Text { indent: taken, taken });
        let bullet = |indent, taken| Some(Lead::Item { indent, mark: Mark::Bullet, taken });
        for (head, complete, expected) in [
            ("", false, None),
            ("  ", true, Some(Lead::Blank)),
            ("W", false, text(0)),
            ("  W", false, text(2)),
            ("#", false, None),
            ("## ", false, Some(Lead::Heading { level: 2, taken: 3 })),
            ("#include", false, text(0)),
            ("**", false, None),
            ("**b", false, text(0)),
            ("***", true, Some(Lead::Rule)),
            ("- - -", true, Some(Lead::Rule)),
            ("- ", false, None),
            ("- x", false, bullet(0, 2)),
            ("  * x", false, bullet(2, 4)),
            ("-x", false, text(0)),
            ("12", false, None),
            ("12. ", false, Some(Lead::Item { indent: 0, mark: Mark::Number("12.".into()), taken: 4 })),
            ("3.14", false, text(0)),
            (">", false, None),
            ("> x", false, Some(Lead::Quote { taken: 2 })),
            ("|", false, Some(Lead::Row)),
            ("``", false, None),
            ("``x", false, text(0)),
            ("```rust", false, None),
            ("```rust", true, Some(Lead::Fence { indent: 0, mark: '`', length: 3, language: "rust".into() })),
            ("```a`", false, text(0)),
        ] {
            assert_eq!(lead(head, complete), expected, "{head:?} {complete}");
        }
    }
}
