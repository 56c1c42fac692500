//! The library's stream, polled by us: every frame goes to our reader, every wait has an end, and the first error is the
//! last thing that is heard.

use super::answer::Answer;
use super::trouble::{Broken, Trouble};
use crate::http::Timeouts;
use crate::key::Key;
use agent::Failure;
use futures_util::Stream;
use genai::chat::{ChatStream, ChatStreamEvent};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::dispatcher::{Dispatch, with_default};

/// The answer, shared with the library, which hands over each frame from within our own poll; so nobody ever waits.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Answer>>);

impl Shared {
    /// Shares an answer.
    pub(super) fn new(answer: Answer) -> Shared {
        Shared(Arc::new(Mutex::new(answer)))
    }

    /// The answer. A panic of whoever listens to the text leaves it as it was.
    pub(super) fn get(&self) -> MutexGuard<'_, Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer for good, once the stream is gone.
    pub(super) fn take(self) -> Answer {
        let answer = Arc::into_inner(self.0).expect("the stream was dropped, and its share with it");
        answer.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to do while listening.
pub(super) struct Patience<'a> {
    /// How long each part may take.
    pub(super) timeouts: &'a Timeouts,
    /// How much time a line may cost.
    pub(super) line_work: Duration,
    /// The key, to be masked in refusals.
    pub(super) key: Option<&'a Key>,
}

/// What a poll of the stream gave.
enum Heard {
    /// The library's own event; none at the end.
    Event(Option<genai::Result<ChatStreamEvent>>),
    /// Frames, of which the library made nothing.
    Frames,
    /// A line costs more than it may.
    Laboured,
}

/// Reads the stream to its end, whatever that is: what it came to is the answer's to say. Cancel-safe: dropping the
/// stream closes the connection.
pub(super) async fn listen(
    mut stream: ChatStream,
    answer: &Shared,
    first: Instant,
    patience: &Patience<'_>,
) -> Result<(), Broken> {
    let Timeouts { first_token, between_tokens, .. } = *patience.timeouts;
    let (mut deadline, mut progress, mut work) = (first, 0, Duration::ZERO);
    loop {
        let polled = std::future::poll_fn(|context| poll(&mut stream, answer, &mut work, patience.line_work, context));
        let Ok(heard) = timeout_at(deadline, polled).await else {
            let trouble = if progress == 0 {
                Trouble::too_slow("no token came", first_token, "first_token")
            } else {
                Trouble::too_slow("no further token came", between_tokens, "between_tokens")
            };
            return Err(Broken::Trouble(trouble));
        };
        // Our reader knows better what was wrong than the library, so its fault goes first.
        if answer.get().fault().is_some() {
            return Ok(());
        }
        match heard {
            Heard::Event(Some(Ok(ChatStreamEvent::End(end)))) => {
                if end.captured_stop_reason.is_some() {
                    answer.get().confirm();
                }
                return Ok(());
            }
            Heard::Event(Some(Ok(_))) | Heard::Frames => {}
            Heard::Event(Some(Err(error))) => return Err(Broken::new(error, answer.get().frames() > 0, patience.key)),
            Heard::Event(None) => return Ok(()),
            Heard::Laboured => return Err(laboured(patience.line_work)),
        }
        let now = answer.get().progress();
        if now > progress {
            progress = now;
            deadline = Instant::now() + between_tokens;
        }
        // A server that sends faster than we read must not keep us from hearing that we are to stop.
        tokio::task::consume_budget().await;
    }
}

/// Polls once. Wakes for frames too, since the library has no event for many of them.
fn poll(
    stream: &mut ChatStream,
    answer: &Shared,
    work: &mut Duration,
    line_work: Duration,
    context: &mut Context<'_>,
) -> Poll<Heard> {
    let (before, begun) = (answer.get().frames(), Instant::now());
    // The library logs what servers send, keys that they repeat and all; so nobody hears it while it works.
    let polled = with_default(&Dispatch::none(), || Pin::new(stream).poll_next(context));
    let framed = answer.get().frames() > before;
    *work = if framed { Duration::ZERO } else { *work + begun.elapsed() };
    match polled {
        Poll::Ready(event) => Poll::Ready(Heard::Event(event)),
        Poll::Pending if framed => Poll::Ready(Heard::Frames),
        Poll::Pending if *work > line_work => Poll::Ready(Heard::Laboured),
        Poll::Pending => Poll::Pending,
    }
}

fn laboured(line_work: Duration) -> Broken {
    let message = format!("was given up: a line without an end cost more than {line_work:?} (limit line_work)");
    Broken::Trouble(Trouble::new(Failure::Broken, true, message))
}
