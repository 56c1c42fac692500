//! Server-sent events (WHATWG HTML, section 9.2), decoded from bytes as they come.

use super::{HttpError, MAX_EVENT_BYTES};
use std::collections::VecDeque;

/// One message of an event stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ServerEvent {
    /// Its `event:` field, if it has one.
    pub(crate) kind: Option<String>,
    /// Its data; several `data:` lines are joined by line feeds.
    pub(crate) data: String,
}

/// Decodes one stream. The `id:` field is not kept: every durable update carries its number inside.
#[derive(Debug, Default)]
pub(crate) struct EventDecoder {
    line: Vec<u8>,
    kind: Option<String>,
    data: Option<String>,
    ready: VecDeque<ServerEvent>,
}

impl EventDecoder {
    /// The next complete message.
    pub(crate) fn pop(&mut self) -> Option<ServerEvent> {
        self.ready.pop_front()
    }

    /// Takes the next bytes of the stream.
    pub(crate) fn feed(&mut self, mut input: &[u8]) -> Result<(), HttpError> {
        while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&input[..end]);
            input = &input[end + 1..];
            self.take_line()?;
        }
        self.line.extend_from_slice(input);
        self.check_size()
    }

    fn check_size(&self) -> Result<(), HttpError> {
        let held = self.line.len() + self.data.as_ref().map_or(0, String::len);
        if held > MAX_EVENT_BYTES {
            return Err(HttpError::TooLong { part: "event", limit_bytes: MAX_EVENT_BYTES });
        }
        Ok(())
    }

    fn take_line(&mut self) -> Result<(), HttpError> {
        self.check_size()?;
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_| HttpError::Malformed("an event is not UTF-8"))?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            self.dispatch();
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.kind = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // Comments (heartbeats), `id` and `retry`, and whatever else may come one day.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) {
        let kind = self.kind.take();
        if let Some(data) = self.data.take() {
            self.ready.push_back(ServerEvent { kind, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 7\nevent: turn.started\ndata: {\"a\":\"ä\"}\n\nevent: nothing\n\ndata: one\r\ndata: two\r\n\r\ndata: cut off";

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let expected = [
            ServerEvent { kind: Some("turn.started".into()), data: "{\"a\":\"ä\"}".into() },
            ServerEvent { kind: None, data: "one\ntwo".into() },
        ];
        for cut in 0..=STREAM.len() {
            let mut decoder = EventDecoder::default();
            decoder.feed(&STREAM.as_bytes()[..cut]).unwrap();
            decoder.feed(&STREAM.as_bytes()[cut..]).unwrap();
            let events: Vec<_> = std::iter::from_fn(|| decoder.pop()).collect();
            assert_eq!(events, expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut decoder = EventDecoder::default();
        let piece = vec![b'x'; 1 << 20];
        let failed = (0..=MAX_EVENT_BYTES >> 20).find_map(|_| decoder.feed(&piece).err());
        assert!(matches!(failed, Some(HttpError::TooLong { part: "event", .. })));
        assert!(matches!(EventDecoder::default().feed(b"data: \xff\n\n"), Err(HttpError::Malformed(_))));
    }
}
