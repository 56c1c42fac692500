//! Under which settings something was decided. They stand in the recipes of model calls, as blobs; what was decided between
//! two calls was decided under those of the one or of the other, since a configuration may change at any time.

use super::groups::Entry;
use crate::house::House;
use agent::{Event, Seq, SessionId, Settings};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{JournalId, ReadError};
use wire::body::{self, Recipe};
use wire::{BlobHash, Header};

/// Events read at a time.
const PAGE: usize = 256;

/// The settings of a session's life.
#[derive(Default)]
pub(super) struct Lives {
    /// From which event on which settings held, as far as recipes say.
    changes: Vec<(Seq, BlobHash)>,
    known: BTreeMap<BlobHash, Option<Arc<Settings>>>,
}

impl Lives {
    /// Reads which settings there were.
    pub(super) async fn read(house: &House, session: SessionId, until: Seq) -> Result<Lives, ReadError> {
        let (mut changes, mut at): (Vec<(Seq, BlobHash)>, _) = (Vec::new(), Seq(0));
        while at < until {
            let page = house.store.events(JournalId::Session(session), at, PAGE).await?;
            let Some(last) = page.last() else { break };
            at = last.seq;
            for record in page.iter().filter(|record| record.header.contains("\"model.started\"")) {
                let Some(recipe) = record.body.as_deref().and_then(|body| body::read::<Recipe>(body).ok()) else {
                    continue;
                };
                let is_call =
                    Header::from_json(&record.header).is_ok_and(|h| matches!(h.event, Event::ModelStarted { .. }));
                if is_call && changes.last().is_none_or(|(_, hash)| *hash != recipe.settings) {
                    changes.push((record.seq, recipe.settings));
                }
            }
        }
        Ok(Lives { changes, known: BTreeMap::new() })
    }

    /// The settings that an append may have been decided under, the likeliest first; none where nothing says.
    pub(super) async fn of(&mut self, house: &House, group: &[Entry]) -> Result<Vec<Arc<Settings>>, ReadError> {
        let last = group.last().map_or(Seq(0), |entry| entry.seq);
        let after = self.changes.partition_point(|(seq, _)| *seq <= last);
        let around = [after.checked_sub(1), Some(after), after.checked_sub(2)];
        let hashes: Vec<BlobHash> =
            around.into_iter().flatten().filter_map(|at| self.changes.get(at)).map(|(_, hash)| *hash).collect();
        let mut found = Vec::new();
        for hash in hashes {
            found.extend(self.settings(house, hash).await?);
        }
        Ok(found)
    }

    /// The settings with this hash, unless they were forgotten.
    pub(super) async fn settings(&mut self, house: &House, hash: BlobHash) -> Result<Option<Arc<Settings>>, ReadError> {
        if let Some(known) = self.known.get(&hash) {
            return Ok(known.clone());
        }
        let bytes = house.store.blob(hash).await?;
        let settings = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).map(Arc::new);
        self.known.insert(hash, settings.clone());
        Ok(settings)
    }
}
