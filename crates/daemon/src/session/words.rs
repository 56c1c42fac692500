//! The words of the conversation that an awake session keeps in memory, and how much they are.

use super::render::Spoken;
use agent::Seq;
use std::collections::BTreeMap;

/// Words that are kept; beyond it all are dropped and fetched again when a request needs them.
const MOST_BYTES: usize = 8 << 20;

/// Words by the event that has them.
#[derive(Debug, Default)]
pub(super) struct Words {
    by_seq: BTreeMap<Seq, Spoken>,
    bytes: usize,
}

impl Words {
    /// Keeps the words of an event.
    pub(super) fn insert(&mut self, seq: Seq, spoken: Spoken) {
        self.bytes += spoken.bytes();
        if let Some(before) = self.by_seq.insert(seq, spoken) {
            self.bytes -= before.bytes();
        }
    }

    /// Drops all of them where they are too many.
    pub(super) fn bound(&mut self) {
        if self.bytes > MOST_BYTES {
            self.clear();
        }
    }

    /// Drops all of them.
    pub(super) fn clear(&mut self) {
        *self = Words::default();
    }

    /// The words, by event.
    pub(super) fn all(&self) -> &BTreeMap<Seq, Spoken> {
        &self.by_seq
    }

    /// How much they are, with what keeping them costs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.by_seq.len() * size_of::<(Seq, Spoken)>()
    }
}
