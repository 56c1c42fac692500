//! What was typed in conversations stands in a file of the command line's own; forgetting reaches it too.
//!
//! The prompts that are to be forgotten are fetched before the daemon forgets them, and lines of the file that say the
//! same are taken out after it did.

use crate::chat;
use crate::client::Client;
use crate::error::Error;
use crate::follow::fetch_blob;
use crate::request::Request;
use crate::run::Context;
use crate::screen::NOTE;
use agent::{Event, Seq, SessionId};
use serde::Deserialize;
use serde_json::value::RawValue;
use wire::{Header, Text, body, operation};

/// A page of updates.
#[derive(Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<Seq>,
}

/// The prompts of these events of a session; of all events when none are named.
pub(crate) fn prompts(client: &mut Client, session: SessionId, seqs: Option<&[Seq]>) -> Result<Vec<String>, Error> {
    let last = seqs.map_or(Seq(u64::MAX), |seqs| seqs.last().copied().unwrap_or_default());
    let mut after = seqs.and_then(|seqs| seqs.first()).map_or(Seq(0), |first| Seq(first.0.saturating_sub(1)));
    let mut texts = Vec::new();
    loop {
        let request = Request::new(&operation::SESSION_EVENTS)?.at("session", session).query("after", after);
        let page: Page = client.call(&request)?.read()?;
        for update in &page.events {
            let Ok(header) = Header::from_json(update.get()) else { continue };
            let wanted = seqs.is_none_or(|seqs| seqs.contains(&header.seq));
            let is_prompt = matches!(
                header.event,
                Event::PromptAccepted { .. } | Event::PromptQueued { .. } | Event::PromptSteered { .. }
            );
            let inside: Option<body::InUpdate> = serde_json::from_str(update.get()).ok();
            let said = inside.and_then(|inside| inside.data).filter(|_| wanted && is_prompt);
            let said = said.and_then(|data| body::read::<body::Prompt>(data.get()).ok());
            match said.map(|prompt| prompt.text) {
                Some(Text::Inline(text)) => texts.push(text),
                Some(Text::Blob { blob, .. }) => texts.push(fetch_blob(client, session, blob)?),
                None => {}
            }
        }
        match page.next {
            Some(next) if next < last => after = next,
            _ => return Ok(texts),
        }
    }
}

/// Takes these texts out of the file. Where it cannot be written it is said, since they are still there.
pub(crate) fn forget(context: &mut Context, texts: &[String]) -> Result<(), Error> {
    let places = context.places()?;
    match chat::forget_typed(&places.state_dir, texts) {
        Ok(()) => Ok(()),
        Err(error) => {
            let what = format!("! what was typed in chats still says it ({error}): delete its lines by hand");
            context.screen.remark(NOTE, &what)
        }
    }
}
