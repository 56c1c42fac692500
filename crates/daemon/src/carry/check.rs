//! Reading a whole file before anything is done with it: its chain, its blobs, its sizes, and that it is of one session and
//! of kinds that this version knows.

use super::damage::Damage;
use super::lines::Lines;
use super::pieces::stored;
use crate::secrets::Secrets;
use agent::{EffectId, EffectKind, Event, Seq, State};
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::io::Read;
use store::{Limits, Stored};
use wire::export::{ExportBlob, ExportHead, ExportPartial, FORMAT, Line};
use wire::{BlobHash, ChainHash, Header};

/// How kinds begin that only a daemon's own journal has.
const OF_DAEMON: [&str; 5] = ["audit", "config", "daemon", "schedule", "snapshot"];
/// The most events that a file may have.
const EVENTS: u64 = 4_000_000;

/// A file that was found right.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Whose it is.
    pub(crate) head: ExportHead,
    /// How many of its events were forgotten.
    pub(crate) forgotten: u64,
    /// What its events add up to.
    pub(crate) state: State,
    /// What open model calls had said.
    pub(crate) partials: Vec<(EffectId, String)>,
}

struct Check<'a, R> {
    lines: Lines<R>,
    limits: &'a Limits,
    secrets: &'a Secrets,
    head: ExportHead,
    state: State,
    forgotten: u64,
    hash: ChainHash,
    /// Blobs that have come.
    known: BTreeSet<BlobHash>,
    /// Those of them that the next event must hold.
    waiting: BTreeSet<BlobHash>,
    /// What these take up, as they are stored.
    waiting_bytes: u64,
    partials: Vec<(EffectId, String)>,
}

/// Reads the file to its end.
pub(crate) fn check<R: Read>(file: R, limits: &Limits, secrets: &Secrets) -> Result<Checked, Damage> {
    let mut lines = Lines::new(file);
    let Line::TinkerbellSession(head) = lines.next()? else {
        return Err(lines.wrong("it is not the beginning of a session's file"));
    };
    if head.format != FORMAT {
        let what = format!("the file has format {}, this tinkerbell knows {FORMAT}", head.format);
        return Err(lines.wrong(what));
    }
    if head.events == 0 || head.events > EVENTS {
        return Err(lines.wrong(format!("a session has 1 to {EVENTS} events, not {}", head.events)));
    }
    let (state, hash) = (State::default(), ChainHash::START);
    let (known, waiting) = Default::default();
    let (forgotten, waiting_bytes, partials) = Default::default();
    let mut check =
        Check { lines, limits, secrets, head, state, forgotten, hash, known, waiting, waiting_bytes, partials };
    check.without_keys(check.head.workspace.as_bytes())?;
    check.without_keys(check.head.title.as_deref().unwrap_or_default().as_bytes())?;
    loop {
        match check.lines.next()? {
            Line::Blob(line) => check.blob(line)?,
            Line::Event(line) => {
                let event = stored(line, check.state.head.next());
                let event = event.ok_or_else(|| check.lines.wrong("it is neither whole nor forgotten"))?;
                check.event(&event)?;
            }
            Line::Partial(line) => check.partial(line)?,
            Line::TinkerbellSession(_) => return Err(check.lines.wrong("a second session begins")),
            Line::Part(_) => return Err(check.lines.wrong("it is a part of no blob")),
            Line::End(_) => return check.end(),
        }
    }
}

impl<R: Read> Check<'_, R> {
    fn blob(&mut self, line: ExportBlob) -> Result<(), Damage> {
        let hash = line.blob;
        let blob = self.lines.blob(line, self.limits.blob_bytes)?;
        // An event and its blobs are one transaction, and everybody waits for it.
        self.waiting_bytes += blob.stored_bytes();
        let limit = self.limits.blobs_bytes_per_append as u64;
        if self.waiting_bytes > limit {
            let (what, limit_name) = ("what one event holds".to_owned(), "blobs_bytes_per_append");
            return Err(Damage::TooLarge { what, limit_name, limit });
        }
        let bytes = blob.unpacked(self.limits.blob_bytes);
        let bytes = bytes.ok_or_else(|| self.lines.wrong(format!("blob {hash} is not what its name says")))?;
        self.without_keys(&bytes)?;
        if !self.known.insert(hash) {
            return Err(self.lines.wrong(format!("blob {hash} comes a second time")));
        }
        self.waiting.insert(hash);
        Ok(())
    }

    fn event(&mut self, event: &Stored) -> Result<(), Damage> {
        let wrong = |what: &str| Err(self.lines.wrong(what));
        let too_large = |what: &str, limit_name, limit: usize| {
            Err(Damage::TooLarge { what: what.to_owned(), limit_name, limit: limit as u64 })
        };
        let body = event.body.text();
        if event.header.len() > self.limits.header_bytes {
            return too_large("a header", "header_bytes", self.limits.header_bytes);
        }
        if body.is_some_and(|body| body.len() > self.limits.body_bytes) {
            return too_large("a body", "body_bytes", self.limits.body_bytes);
        }
        self.hash = self.hash.next(event.header.as_bytes(), &event.body.seal());
        if self.hash != event.hash {
            return wrong("the event does not have the hash that its chain gives");
        }
        let header = match Header::from_json(&event.header) {
            Ok(header) => header,
            Err(error) => return wrong(&format!("its header cannot be read, or is of a later version ({error})")),
        };
        let begins = format!("{{\"seq\":{},", event.seq);
        if header.seq != event.seq || !event.header.starts_with(&begins) || !event.header.ends_with('}') {
            return wrong("its header has another place");
        }
        let of_daemon = header.event.kind().split('.').next().is_some_and(|room| OF_DAEMON.contains(&room));
        if header.session != Some(self.head.session) || of_daemon {
            return wrong("it belongs to another session, or to a daemon");
        }
        if matches!(header.event, Event::SessionCreated {}) != (event.seq == Seq(1)) {
            return wrong("a session begins with session.created, once");
        }
        if matches!(header.event, Event::SessionForked { at_seq, .. } if at_seq >= event.seq) {
            return wrong("it is forked at an event that its parent cannot have had by then");
        }
        if let Some(body) = body {
            let object =
                body.starts_with('{') && body.ends_with('}') && serde_json::from_str::<IgnoredAny>(body).is_ok();
            if !object {
                return wrong("its body is no JSON object");
            }
            self.without_keys(body.as_bytes())?;
        }
        self.without_keys(event.header.as_bytes())?;
        self.held(event)?;
        self.state.apply(event.seq, &header.event);
        self.forgotten += u64::from(body.is_none());
        Ok(())
    }

    /// The blobs of an event: named in its body, come before it, none too many and none twice.
    fn held(&mut self, event: &Stored) -> Result<(), Damage> {
        let body = event.body.text().unwrap_or_default();
        let distinct: BTreeSet<_> = event.blobs.iter().collect();
        if distinct.len() != event.blobs.len() {
            return Err(self.lines.wrong("it holds a blob twice"));
        }
        for hash in &event.blobs {
            if !self.known.contains(hash) {
                return Err(self.lines.wrong(format!("blob {hash}, which it holds, did not come")));
            }
            if !body.contains(&hash.to_string()) {
                return Err(self.lines.wrong(format!("it does not name blob {hash}, which it holds")));
            }
            self.waiting.remove(hash);
        }
        self.waiting_bytes = 0;
        match self.waiting.first() {
            Some(hash) => Err(self.lines.wrong(format!("blob {hash} came before it and is not held by it"))),
            None => Ok(()),
        }
    }

    fn partial(&mut self, line: ExportPartial) -> Result<(), Damage> {
        let ExportPartial { effect, text } = line;
        if text.len() > self.limits.partial_bytes {
            let (what, limit) = ("a partial text".to_owned(), self.limits.partial_bytes as u64);
            return Err(Damage::TooLarge { what, limit_name: "partial_bytes", limit });
        }
        self.without_keys(text.as_bytes())?;
        let open = effect.kind == EffectKind::Model && self.state.open.contains_key(&effect);
        if !open || self.partials.iter().any(|(other, _)| *other == effect) {
            return Err(self.lines.wrong(format!("{effect} is no open model call, or comes a second time")));
        }
        self.partials.push((effect, text));
        Ok(())
    }

    fn end(self) -> Result<Checked, Damage> {
        let whole = (self.state.head, self.hash) == (Seq(self.head.events), self.head.head);
        if !whole || !self.waiting.is_empty() {
            return Err(self.lines.wrong("the events are not those that the first line announces"));
        }
        if self.state.accept_open() {
            return Err(self.lines.wrong("an accept is under way, which can only be ended where it began"));
        }
        Ok(Checked { head: self.head, forgotten: self.forgotten, state: self.state, partials: self.partials })
    }

    /// What this daemon keeps secret is not written down, whoever brings it.
    fn without_keys(&self, bytes: &[u8]) -> Result<(), Damage> {
        match self.secrets.holds(bytes) {
            Some(key) => Err(self.lines.wrong(format!("it holds the key {key}, and it would be written down"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::{Micros, SessionId};

    #[test]
    fn what_one_event_holds_is_bounded() {
        let head = ExportHead {
            format: FORMAT,
            version: "0.1.0".to_owned(),
            session: SessionId::from_parts(1, 1),
            events: 1,
            head: ChainHash::START,
            workspace: "/work".to_owned(),
            title: None,
            model: None,
            created_at: Micros(0),
            updated_at: Micros(0),
        };
        let blob = |text: &str| {
            let blob = BlobHash::of(text.as_bytes());
            Line::Blob(ExportBlob { blob, bytes: 5, coding: "plain".to_owned(), parts: 1 })
        };
        let lines = [
            Line::TinkerbellSession(head),
            blob("bytes"),
            Line::Part("Ynl0ZXM=".to_owned()),
            blob("bytez"),
            Line::Part("Ynl0ZXo=".to_owned()),
        ];
        let file: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        let refused = |most| {
            let limits = Limits { blobs_bytes_per_append: most, ..Limits::default() };
            check(file.as_bytes(), &limits, &Secrets::default()).unwrap_err().to_string()
        };
        assert!(refused(9).contains("blobs_bytes_per_append"), "{}", refused(9));
        assert!(!refused(10).contains("blobs_bytes_per_append"), "{}", refused(10));
    }
}
