//! Where a JSON object ends that comes in pieces: found by counting braces, so that each byte is looked at once.
//!
//! Deliberately absent: whether what stands between the braces is JSON, which the parser says when the last has come.

/// How far an object has come.
#[derive(Debug, Default)]
pub(super) struct Extent {
    depth: usize,
    in_text: bool,
    escaped: bool,
    end: End,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The last brace has not come.
    #[default]
    Open,
    /// It has, and nothing but white space after it.
    Closed,
    /// Something came after it, so this is no object and never becomes one.
    Passed,
}

impl Extent {
    /// Takes the next piece, cut anywhere.
    pub(super) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match self.end {
                End::Open => self.step(byte),
                End::Closed if byte.is_ascii_whitespace() => {}
                End::Closed | End::Passed => {
                    self.end = End::Passed;
                    return;
                }
            }
        }
    }

    /// Whether the last brace was the last thing that came.
    pub(super) fn is_closed(&self) -> bool {
        self.end == End::Closed
    }

    fn step(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_text => self.escaped = true,
            b'"' => self.in_text = !self.in_text,
            _ if self.in_text => {}
            b'{' => self.depth += 1,
            b'}' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.end = End::Closed;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_ends_with_its_last_brace_however_it_is_cut() {
        for (text, closed) in [
            (r#"{}"#, true),
            (r#" {"a":{"b":"}\"}"}} "#, true),
            (r#"{"a":"\\"}"#, true),
            (r#"{"a":{}"#, false),
            (r#"{"a":"}"#, false),
            (r#"{}{}"#, false),
            (r#"{} x"#, false),
            ("", false),
        ] {
            for size in [1, 2, text.len().max(1)] {
                let mut extent = Extent::default();
                text.as_bytes().chunks(size).for_each(|piece| extent.push(std::str::from_utf8(piece).unwrap()));
                assert_eq!(extent.is_closed(), closed, "{text} in pieces of {size}");
            }
        }
    }
}
