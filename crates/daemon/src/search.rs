//! Finding sessions by their words; and which words events have, which the store does not know.

use crate::registry::Registry;
use crate::status::{MOST, internal, row};
use agent::Event;
use std::collections::BTreeMap;
use store::{SearchError, SearchQuery, Vocabulary, WordsKind};
use wire::rest::{HitKind, SearchHit, SearchList};
use wire::{Code, Header, Problem, Text, body};

/// Hits of a search, unless fewer are asked for.
const HITS: usize = 20;

/// Sessions in which words stand.
pub(crate) async fn search(registry: &Registry, query: &BTreeMap<String, String>) -> Result<SearchList, Problem> {
    let invalid = |detail: String| Problem::new(Code::InvalidRequest, detail);
    let text = query.get("q").cloned().ok_or_else(|| invalid("q is missing: the words to search for".to_owned()))?;
    let limit = match query.get("limit") {
        None => HITS,
        Some(text) => text.parse().map_err(|_| invalid(format!("limit must be a whole number, not {text:?}")))?,
    };
    let (workspace, limit) = (query.get("workspace").cloned(), limit.clamp(1, MOST));
    let query = SearchQuery { text, workspace, before: None, limit };
    let found = registry.house().store.search(query).await.map_err(|error| match error {
        SearchError::TooLong { .. } => invalid(error.to_string()),
        SearchError::Busy => Problem::new(Code::LimitReached, error.to_string()),
        _ => internal(error),
    })?;
    let hits = found.hits.into_iter().map(|hit| SearchHit {
        session: row(hit.listed),
        seq: hit.seq,
        kind: match hit.kind {
            WordsKind::Title => HitKind::Title,
            WordsKind::Prompt => HitKind::Prompt,
            WordsKind::Reply => HitKind::Reply,
        },
        snippet: hit.snippet.text,
        matches: hit.snippet.matches.iter().map(|found| [found.start as u32, found.end as u32]).collect(),
    });
    Ok(SearchList { hits: hits.collect() })
}

/// Which words events have: titles, prompts, and what models said.
pub(crate) const VOCABULARY: Vocabulary = Vocabulary { kind: words_kind, text: words };

fn words_kind(header: &str) -> Option<WordsKind> {
    match Header::from_json(header).ok()?.event {
        Event::SessionCreated {} | Event::SessionUpdated {} => Some(WordsKind::Title),
        Event::SessionForked { .. } | Event::SessionImported {} => Some(WordsKind::Title),
        Event::PromptAccepted { .. } | Event::PromptQueued { .. } | Event::PromptSteered { .. } => {
            Some(WordsKind::Prompt)
        }
        Event::ModelFinished { .. } => Some(WordsKind::Reply),
        _ => None,
    }
}

fn words(kind: WordsKind, body: &str) -> Option<Text> {
    match kind {
        WordsKind::Title => body::read::<body::Session>(body).ok()?.title.map(Text::Inline),
        WordsKind::Prompt => body::read::<body::Prompt>(body).ok().map(|prompt| prompt.text),
        WordsKind::Reply => body::read::<body::Reply>(body).ok().map(|reply| reply.text),
    }
}
