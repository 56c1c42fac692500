//! Server-sent events out of bytes that were cut anywhere (WHATWG HTML, section 9.2).
//!
//! Only what a model server uses: the data of each event, its name, and a field `error`, which older llama.cpp servers
//! send in place of data. Ids and retry times have no meaning in the answer to one request.

use crate::http::Fault;

/// Takes bytes in, gives events out.
#[derive(Debug)]
pub(super) struct EventStream {
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    start: usize,
    /// Up to where the unread part was searched for an end of line, so that a long line is searched once.
    searched: usize,
    /// A line ended in CR, so an LF that follows belongs to it.
    after_return: bool,
    first_line: bool,
    data: Vec<u8>,
    has_data: bool,
    /// The event is an error, by its name or by its field.
    is_error: bool,
    /// The data was given out, so the next line begins a new event.
    given: bool,
    max_event_bytes: usize,
}

/// An event that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Its lines of data, joined by LF.
    pub(super) data: &'a [u8],
    /// Whether the server marked it as an error.
    pub(super) is_error: bool,
}

impl EventStream {
    /// An empty stream; `max_event_bytes` bounds a line and an event.
    pub(super) fn new(max_event_bytes: usize) -> EventStream {
        EventStream {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            after_return: false,
            first_line: true,
            data: Vec::new(),
            has_data: false,
            is_error: false,
            given: false,
            max_event_bytes,
        }
    }

    /// Adds bytes as they came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
            self.searched = 0;
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Ends the stream: a last line without an end of line and a last event without an empty line count as ended, since
    /// some servers leave these out.
    pub(super) fn end(&mut self) {
        self.push(b"\n\n");
    }

    /// The next complete event, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Event<'_>>, Fault> {
        if std::mem::take(&mut self.given) {
            self.data.clear();
            self.has_data = false;
            self.is_error = false;
        }
        while let Some((from, to)) = self.line()? {
            if from < to {
                self.field(from, to)?;
            } else if self.has_data {
                self.given = true;
                return Ok(Some(Event { data: &self.data, is_error: self.is_error }));
            } else {
                self.is_error = false;
            }
        }
        Ok(None)
    }

    /// Takes the next line out of the buffer, as a range without its end.
    fn line(&mut self) -> Result<Option<(usize, usize)>, Fault> {
        if self.after_return && self.start < self.buffer.len() {
            self.after_return = false;
            if self.buffer[self.start] == b'\n' {
                self.start += 1;
            }
        }
        self.searched = self.searched.max(self.start);
        let Some(at) = self.buffer[self.searched..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.buffer.len();
            return if self.buffer.len() - self.start > self.max_event_bytes { Err(self.too_long()) } else { Ok(None) };
        };
        let (mut from, to) = (self.start, self.searched + at);
        self.after_return = self.buffer[to] == b'\r';
        self.start = to + 1;
        self.searched = self.start;
        if std::mem::take(&mut self.first_line) && self.buffer[from..to].starts_with(b"\xef\xbb\xbf") {
            from += 3;
        }
        Ok(Some((from, to)))
    }

    fn field(&mut self, from: usize, to: usize) -> Result<(), Fault> {
        let line = &self.buffer[from..to];
        let (name, value) = match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" | b"error" => {
                if self.data.len() + value.len() > self.max_event_bytes {
                    return Err(self.too_long());
                }
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.is_error |= name == b"error";
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.is_error |= value == b"error",
            // A comment, an id, a retry time, or something that the standard tells us to ignore.
            _ => {}
        }
        Ok(())
    }

    fn too_long(&self) -> Fault {
        Fault::EventTooLong { limit: self.max_event_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]], limit: usize) -> Result<Vec<(String, bool)>, Fault> {
        let mut stream = EventStream::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            stream.push(piece);
            while let Some(event) = stream.next()? {
                found.push((String::from_utf8(event.data.to_vec()).unwrap(), event.is_error));
            }
        }
        Ok(found)
    }

    #[test]
    fn every_cut_gives_the_same_events() {
        let text =
            "\u{feff}data: a\r\n\r\n: alive\n\ndata:b\rdata:  \u{f6}\n\r\nevent: error\ndata\n\nid: 7\ndata: c\n\n"
                .as_bytes();
        let expected: Vec<(String, bool)> =
            vec![("a".into(), false), ("b\n \u{f6}".into(), false), (String::new(), true), ("c".into(), false)];
        for first in 0..=text.len() {
            for second in first..=text.len() {
                assert_eq!(events(&[&text[..first], &text[first..second], &text[second..]], 99).unwrap(), expected);
            }
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events(&bytes, 99).unwrap(), expected);
    }

    #[test]
    fn an_error_in_place_of_data_is_known() {
        assert_eq!(events(&[b"error: {}\n\ndata: x\n\n"], 99).unwrap(), [("{}".into(), true), ("x".into(), false)]);
    }

    #[test]
    fn a_line_or_event_over_the_limit_is_an_error() {
        assert!(events(&[b"data: 0123456789"], 10).is_err());
        assert!(events(&[b"data: 0123\ndata: 4567\ndata: 89a\n"], 10).is_err());
        assert!(events(&[b"data: 0123\n\ndata: 4567\n\ndata: 89a\n\n"], 12).is_ok());
    }

    #[test]
    fn the_end_completes_what_the_server_left_open() {
        let mut stream = EventStream::new(99);
        stream.push(b"data: x");
        assert_eq!(stream.next(), Ok(None));
        stream.end();
        assert_eq!(stream.next().unwrap().unwrap().data, b"x");
        assert_eq!(stream.next(), Ok(None));
    }
}
