//! An event on its way to the journal: header, body, and the blobs that the body names.

use agent::{Event, Failure, Tokens, ToolOutcome};
use serde::Serialize;
use store::Blob;
use wire::body::{self, INLINE_BYTES, Text};
use wire::{BlobHash, Changeset};

/// Something that happened and is not on disk yet.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    /// What happened.
    pub event: Event,
    /// Its body.
    pub body: String,
    /// The blobs that the body names.
    pub refs: Vec<BlobHash>,
    /// Those of them whose bytes the store may not have yet.
    pub blobs: Vec<Blob>,
}

impl Fact {
    /// An event without words.
    pub(super) fn bare(event: Event) -> Fact {
        Fact { event, body: "{}".to_owned(), refs: Vec::new(), blobs: Vec::new() }
    }

    /// What takes a fact's place that the journal does not take, because it is too large in some way that nobody thought
    /// of: the same end, without its words.
    pub(super) fn stand_in(self) -> Fact {
        let message = "the result was larger than the journal takes".to_owned();
        match self.event {
            Event::ModelFinished { turn, effect, usage, cost_microusd, .. } => {
                let (failure, retry_after_ms, tokens) = (Failure::Broken, None, Tokens(0));
                let event = Event::ModelFailed { turn, effect, failure, retry_after_ms, tokens, usage, cost_microusd };
                let body = body::Partial { message: Some(message), ..body::Partial::default() };
                Fact::new(event, &body, Gathered::default())
            }
            Event::ToolFinished { turn, effect, .. } => {
                let (outcome, tokens, changed) = (ToolOutcome::Failed, Tokens::estimate(message.len()), 0);
                let event = Event::ToolFinished { turn, effect, outcome, tokens, changed };
                let body = body::ToolEnd { text: Text::Inline(message), ..body::ToolEnd::default() };
                Fact::new(event, &body, Gathered::default())
            }
            event => Fact::bare(event),
        }
    }

    /// An event with a body that names the blobs gathered.
    pub(super) fn new(event: Event, body: &impl Serialize, gathered: Gathered) -> Fact {
        Fact { event, body: wire::body::write(body), refs: gathered.refs, blobs: gathered.blobs }
    }
}

/// Gathers the blobs of a body while it is made.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    refs: Vec<BlobHash>,
    blobs: Vec<Blob>,
}

impl Gathered {
    /// A text, moved into a blob where it is long.
    pub(super) fn text(&mut self, text: String) -> Text {
        if text.len() <= INLINE_BYTES {
            return Text::Inline(text);
        }
        let bytes = text.len() as u64;
        Text::Blob { blob: self.bytes(text.as_bytes()), bytes }
    }

    /// Bytes that become a blob.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> BlobHash {
        self.blob(Blob::new(bytes))
    }

    /// A blob that was made before.
    pub(super) fn blob(&mut self, blob: Blob) -> BlobHash {
        let hash = blob.hash();
        self.refs.push(hash);
        self.blobs.push(blob);
        hash
    }

    /// The states of a changeset whose bytes are stored already.
    pub(super) fn stored(&mut self, changes: &Changeset) {
        let states = changes.iter().flat_map(|change| [change.before, change.after]);
        self.refs.extend(states.flatten().map(|state| state.blob));
    }
}
