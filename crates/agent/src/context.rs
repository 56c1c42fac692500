//! What of a session a model gets to see: references to events, under caps. Text is fetched when a request is rendered.

use crate::id::Seq;
use crate::units::Tokens;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The most items a window remembers; older ones stay in the journal and out of contexts.
const WINDOW_ITEMS: usize = 4096;

/// What a tool result is shortened to when room is short.
const SHORT_RESULT: Tokens = Tokens(256);

/// One message of the conversation, as a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The event whose body holds the text.
    pub seq: Seq,
    /// What it is.
    pub kind: ItemKind,
    /// Its size.
    pub tokens: Tokens,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A prompt.
    Prompt,
    /// A whole reply of a model, perhaps with tool calls.
    Reply,
    /// What a model had said before it was interrupted.
    Partial,
    /// The result of a tool call of the reply before it.
    Result,
}

/// The conversation so far, newest last, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Window {
    items: VecDeque<Item>,
    /// Items that were dropped because the window was full.
    dropped: u64,
    /// The size of all items together.
    total: Tokens,
}

impl Window {
    /// Adds a message; the oldest exchange goes when the window is full.
    pub(crate) fn push(&mut self, seq: Seq, kind: ItemKind, tokens: Tokens) {
        self.items.push_back(Item { seq, kind, tokens });
        self.total += tokens;
        if self.items.len() > WINDOW_ITEMS {
            self.drop_front();
            while !self.items.is_empty() && !begins_exchange(self.items.iter().map(|item| item.kind)) {
                self.drop_front();
            }
        }
    }

    fn drop_front(&mut self) {
        if let Some(item) = self.items.pop_front() {
            self.total = Tokens(self.total.0.saturating_sub(item.tokens.0));
            self.dropped += 1;
        }
    }

    /// The messages, oldest first.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &Item> + DoubleEndedIterator {
        self.items.iter()
    }

    /// Messages that are older than the window reaches.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Whether an exchange begins with the first of these: a prompt, unless results follow that a reply before it asked for,
/// as they do after a prompt that was steered in while tools ran.
fn begins_exchange(mut kinds: impl Iterator<Item = ItemKind>) -> bool {
    kinds.next() == Some(ItemKind::Prompt) && kinds.find(|kind| *kind != ItemKind::Prompt) != Some(ItemKind::Result)
}

/// How much fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// The model's whole window.
    pub context: Tokens,
    /// Kept free for the reply.
    pub output: Tokens,
    /// Taken by the system prompt and the tool table.
    pub fixed: Tokens,
}

/// Which messages a request holds: those of the window, as it stood, from one of them on. Two places say it all, however
/// long the conversation is, and nothing is left out silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The first message; none when nothing was said yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Seq>,
    /// How many messages there are from it on.
    pub message_count: u64,
    /// Large results up to this message are shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortened_through: Option<Seq>,
    /// How many older messages are left out.
    pub omitted: u64,
    /// Estimated size of all of it, the fixed part included.
    pub tokens: Tokens,
}

/// A message of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// The event.
    pub seq: Seq,
    /// What the message is.
    pub kind: ItemKind,
    /// The size it is shortened to.
    pub to: Option<Tokens>,
}

impl Plan {
    /// The messages, oldest first, out of the window that was planned for.
    pub fn messages<'a>(&self, window: &'a Window) -> impl Iterator<Item = Planned> + use<'a> {
        let (first, through) = (self.first, self.shortened_through);
        let mut shortening = through.is_some();
        window.items.iter().skip_while(move |item| Some(item.seq) != first).map(move |item| {
            let to = (shortening && is_large_result(item)).then_some(SHORT_RESULT);
            shortening &= Some(item.seq) != through;
            Planned { seq: item.seq, kind: item.kind, to }
        })
    }
}

fn is_large_result(item: &Item) -> bool {
    item.kind == ItemKind::Result && item.tokens > SHORT_RESULT
}

/// Plans a context: everything, if it fits; else the oldest tool results shortened first; else the oldest exchanges
/// left out whole, so that no call is parted from its result. The newest exchange always stays, shortened if need be.
pub fn plan(window: &Window, caps: Caps) -> Plan {
    let room = Tokens(caps.context.0.saturating_sub(caps.output.0).saturating_sub(caps.fixed.0));
    let items = &window.items;
    let mut total = window.total;
    let (mut first, mut shortened_through) = (0, None);
    if total > room {
        for item in items.iter().filter(|item| is_large_result(item)) {
            if total <= room {
                break;
            }
            total = Tokens(total.0 - (item.tokens.0 - SHORT_RESULT.0));
            shortened_through = Some(item.seq);
        }
    }
    if total > room {
        // Every large result is short by now.
        let size = |item: &Item| if is_large_result(item) { SHORT_RESULT.0 } else { item.tokens.0 };
        let begins = |at: usize| begins_exchange(items.range(at..).map(|item| item.kind));
        let newest = (0..items.len()).rfind(|at| begins(*at)).unwrap_or(0);
        while total > room && first < newest {
            loop {
                total = Tokens(total.0 - size(&items[first]));
                first += 1;
                if first >= newest || begins(first) {
                    break;
                }
            }
        }
    }
    Plan {
        first: items.get(first).map(|item| item.seq),
        message_count: (items.len() - first) as u64,
        shortened_through,
        omitted: window.dropped + first as u64,
        tokens: total + caps.fixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(items: &[(ItemKind, u64)]) -> Window {
        let mut window = Window::default();
        for (at, (kind, tokens)) in items.iter().enumerate() {
            window.push(Seq(at as u64 + 1), *kind, Tokens(*tokens));
        }
        window
    }

    fn caps(context: u64) -> Caps {
        Caps { context: Tokens(context), output: Tokens(100), fixed: Tokens(50) }
    }

    #[test]
    fn all_of_it_when_it_fits() {
        let plan = plan(&window(&[(ItemKind::Prompt, 10), (ItemKind::Reply, 20)]), caps(1000));
        assert_eq!((plan.message_count, plan.omitted, plan.tokens), (2, 0, Tokens(80)));
    }

    #[test]
    fn old_results_are_shortened_before_anything_is_left_out() {
        use ItemKind::*;
        let window =
            window(&[(Prompt, 10), (Reply, 10), (Result, 5000), (Reply, 10), (Prompt, 10), (Reply, 10), (Result, 700)]);
        let plan = plan(&window, caps(1200));
        let messages: Vec<_> = plan.messages(&window).collect();
        assert_eq!((messages[2].to, messages[6].to, plan.omitted), (Some(SHORT_RESULT), None, 0));
    }

    #[test]
    fn then_whole_exchanges_go_and_the_newest_stays() {
        use ItemKind::*;
        let window = window(&[(Prompt, 400), (Reply, 400), (Result, 10), (Prompt, 300), (Reply, 300), (Prompt, 900)]);
        let plan = plan(&window, caps(1000));
        assert_eq!(plan.messages(&window).map(|m| m.seq.0).collect::<Vec<_>>(), [6]);
        assert_eq!(plan.omitted, 5);
    }

    #[test]
    fn a_prompt_steered_in_among_results_parts_no_call_from_its_result() {
        use ItemKind::*;
        let window = window(&[(Prompt, 10), (Reply, 900), (Prompt, 10), (Result, 200), (Reply, 10), (Prompt, 10)]);
        let plan = plan(&window, caps(300));
        assert_eq!(plan.messages(&window).map(|m| m.seq.0).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn the_window_is_bounded_and_starts_at_a_prompt() {
        let mut window = Window::default();
        for n in 0..3 * WINDOW_ITEMS as u64 {
            window.push(Seq(n + 1), if n % 3 == 0 { ItemKind::Prompt } else { ItemKind::Reply }, Tokens(1));
        }
        assert!(window.items().len() <= WINDOW_ITEMS);
        assert_eq!(window.items().next().map(|item| item.kind), Some(ItemKind::Prompt));
        assert_eq!(window.dropped() + window.items().len() as u64, 3 * WINDOW_ITEMS as u64);
    }
}
