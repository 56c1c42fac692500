//! Reading an archived session without bringing it back: for an export, and for audits.

use super::file::{Wanted, pieces, read_back, unpacked};
use crate::house::House;
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::io::Read;
use std::sync::Arc;
use store::{Archived, Piece, ReadError};
use tokio::sync::mpsc;

/// Bytes of a file that are sent at once.
const SEND_BYTES: usize = 256 << 10;
/// What waits for a reader that is slow.
const WAITING: usize = 4;

/// What an audit found of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Its events.
    pub(crate) events: u64,
    /// How many of them were forgotten.
    pub(crate) forgotten: u64,
}

/// The file of an archived session as an export gives it, in pieces.
pub(crate) fn exported(
    house: &Arc<House>,
    archived: &Archived,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + use<> {
    let path = house.shelf.path(archived.session, archived.head.seq);
    let pieces = sent(house, move |sender| {
        let wrong = |error: std::io::Error| ReadError::Damaged { what: format!("{}: {error}", path.display()) };
        let mut lines = unpacked(&path).map_err(wrong)?;
        loop {
            let mut piece = Vec::with_capacity(SEND_BYTES);
            (&mut lines).take(SEND_BYTES as u64).read_to_end(&mut piece).map_err(wrong)?;
            // Who does not listen any more has seen enough.
            if piece.is_empty() || sender.blocking_send(Ok(piece.into())).is_err() {
                return Ok(());
            }
        }
    });
    stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|piece| (piece, pieces)) })
}

/// Its blobs and events, in order.
pub(crate) fn told(house: &Arc<House>, archived: &Archived) -> mpsc::Receiver<Result<Piece, ReadError>> {
    let (path, limits) = (house.shelf.path(archived.session, archived.head.seq), *house.store.limits());
    sent(house, move |sender| {
        let wrong = |what: String| ReadError::Damaged { what: format!("{}: {what}", path.display()) };
        for piece in pieces(&path, &limits).map_err(|error| wrong(error.to_string()))? {
            if sender.blocking_send(Ok(piece.map_err(wrong)?)).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// Reads a file to its end and compares it with what the journal knows of it.
pub(crate) async fn verified(house: &House, archived: &Archived) -> Result<Counted, String> {
    let (path, limits) = (house.shelf.path(archived.session, archived.head.seq), *house.store.limits());
    let wanted = Wanted::from(archived);
    let read = house.tasks.chore(move || {
        let checked = read_back(&path, &limits, &wanted)?;
        Ok(Counted { events: checked.head.events, forgotten: checked.forgotten })
    });
    read.await.unwrap_or_else(|| Err("reading its file broke down; this is a fault".to_owned()))
}

/// Lets a thread send what it reads; its error comes last.
fn sent<T: Send + 'static>(
    house: &House,
    read: impl FnOnce(&mpsc::Sender<Result<T, ReadError>>) -> Result<(), ReadError> + Send + 'static,
) -> mpsc::Receiver<Result<T, ReadError>> {
    let (sender, pieces) = mpsc::channel(WAITING);
    let tasks = house.tasks.clone();
    house.tasks.spawn("reading an archived session", async move {
        let job = move || {
            if let Err(error) = read(&sender) {
                let _ = sender.blocking_send(Err(error));
            }
        };
        let _ = tasks.chore(job).await;
    });
    pieces
}
