//! Catching up with the journal: the index follows the chain of heads, and forgets what the journal forgot.

use super::index::{Index, State};
use super::query::SearchError;
use super::words::{self, Vocabulary, Want};
use crate::error::ReadError;
use crate::options::Limits;
use crate::readers::Readers;
use agent::Seq;
use rusqlite::ErrorCode;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Links of the chain of heads that are followed in one step, so that neither the journal's readers nor the memory are
/// taken up by a long way.
const LINKS: usize = 512;

/// Why a pass stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The index is of no use: it failed, or it is of another journal.
    Index(String),
    /// The journal could not be read.
    Search(SearchError),
}

impl From<rusqlite::Error> for Stop {
    /// A full disk says nothing against the index: made anew it would need more room than it has, and take from the
    /// journal what is left.
    fn from(error: rusqlite::Error) -> Stop {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Stop::Search(SearchError::Index { detail: error.to_string() }),
            _ => Stop::Index(error.to_string()),
        }
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Stop {
        Stop::Search(error.into())
    }
}

/// What reading the journal needs.
pub(super) struct Source<'a> {
    pub(super) readers: &'a Readers,
    pub(super) vocabulary: Vocabulary,
    pub(super) limits: Limits,
    /// Up when the store closes, which does not wait for a long way to be gone.
    pub(super) ending: &'a AtomicBool,
}

impl Source<'_> {
    /// Takes in all that the journal has gained, and deletes what it has lost, up to the moment of the call: what comes
    /// while it is under way is left to the next one, so it ends however fast the journal grows.
    pub(super) fn follow(&self, index: &Index) -> Result<(), Stop> {
        let mut goal = None;
        loop {
            self.check_ending()?;
            let state = index.state()?;
            let marks = self.readers.ask_blocking(move |c| words::marks(c, state.place, state.forgettings))?;
            if state.place > 0 && marks.asked != Some(state.hash) {
                return Err(Stop::Index("it is not of this journal".into()));
            }
            if marks.forgettings > state.forgettings {
                let state = State { forgettings: marks.forgettings, ..state };
                self.forget(index, state, marks.forgotten)?;
            } else if *goal.get_or_insert(marks.place) > state.place {
                self.gain(index, state)?;
            } else {
                return Ok(());
            }
        }
    }

    fn check_ending(&self) -> Result<(), Stop> {
        match self.ending.load(Ordering::Acquire) {
            true => Err(Stop::Search(ReadError::Closed.into())),
            false => Ok(()),
        }
    }

    /// Deletes the words that were forgotten in these journals.
    fn forget(&self, index: &Index, mut state: State, journals: Vec<i64>) -> Result<(), Stop> {
        let (mut gone, mut away) = (Vec::new(), Vec::new());
        for journal in journals {
            // A title that gave way to a later one is in no row any more, and its bytes may be in the file all the same.
            state.unscrubbed |= index.indexed(journal)? > Seq(0);
            let known = index.of_journal(journal)?;
            let seqs: Vec<Seq> = known.iter().map(|known| known.seq).collect();
            let wordless = self.readers.ask_blocking(move |c| words::wordless(c, journal, &seqs))?;
            match wordless {
                Some(wordless) => {
                    gone.extend(known.into_iter().filter(|known| wordless.binary_search(&known.seq).is_ok()))
                }
                // It was archived before the index had heard of it: all goes, and is taken in when it comes back.
                None => away.push(journal),
            }
        }
        index.together(|index| {
            index.delete(&gone)?;
            away.iter().try_for_each(|journal| index.delete_journal(*journal))?;
            index.set_state(state)
        })?;
        Ok(())
    }

    /// Follows the next links. A page of words and how far it brought the index are one transaction.
    fn gain(&self, index: &Index, mut state: State) -> Result<(), Stop> {
        let links = self.readers.ask_blocking(move |c| words::links(c, state.place, LINKS))?;
        let Some(last) = links.last().copied() else { return Ok(()) };
        let mut heads = BTreeMap::new();
        for link in links.iter().filter(|link| link.session) {
            // The removal is the last link that a session gets.
            heads.insert(link.journal, link.seq);
        }
        let mut wants = Vec::new();
        for (journal, upto) in heads {
            let after = index.indexed(journal)?;
            if upto == Seq(0) {
                state.unscrubbed |= after > Seq(0);
                index.together(|index| {
                    index.delete_journal(journal)?;
                    index.set_state(state)
                })?;
            } else if after < upto {
                wants.push(Want { journal, after, upto });
            }
        }
        while !wants.is_empty() {
            self.check_ending()?;
            let (vocabulary, limits, mut rest) = (self.vocabulary, self.limits, wants.clone());
            let (docs, away, rest) = self.readers.ask_blocking(move |c| {
                let (docs, away) = words::read(c, &mut rest, vocabulary, &limits)?;
                Ok((docs, away, rest))
            })?;
            index.together(|index| {
                docs.iter().try_for_each(|doc| index.insert(doc))?;
                for (place, want) in wants.iter().enumerate() {
                    let came = rest.get(place).map_or(want.upto, |rest| rest.after);
                    if came > want.after && !away.contains(&want.journal) {
                        index.set_indexed(want.journal, came)?;
                    }
                }
                Ok(())
            })?;
            wants = rest;
        }
        (state.place, state.hash) = (last.place, last.hash);
        index.set_state(state)?;
        Ok(())
    }
}
