//! The loop of a door: connections come in, and are served until the daemon stops.

use super::socket::Socket;
use crate::house::House;
use crate::registry::Registry;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at a time; more wait until one is closed.
const CONNECTIONS: usize = 10_000;
/// How long a connection may take for its last words once sessions had their grace. Less than the daemon waits for all.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How long who has just connected may take to begin his request once the daemon leaves.
const FIRST_WORD: Duration = Duration::from_millis(200);
/// Pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the daemon stops. Connections that are open then end by themselves: streams see the stop. The socket
/// goes on listening for as long as somebody holds it: what comes then waits in the kernel.
pub(crate) async fn door(registry: Arc<Registry>, mut sockets: watch::Receiver<Arc<Socket>>, router: Router) {
    let house = registry.house().clone();
    let mut socket = sockets.borrow_and_update().clone();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await.expect("it is never closed");
            (place, socket.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = house.stop.cancelled() => return,
            Ok(()) = sockets.changed() => {
                // The configuration says to listen elsewhere. Who is connected stays.
                socket = sockets.borrow_and_update().clone();
                continue;
            }
            next = next => next,
        };
        match accepted {
            Ok(stream) => {
                let connection = connection(house.clone(), stream, router.clone());
                house.tasks.spawn("connection", async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: wait for some to be free instead of asking at full speed.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(house: Arc<House>, stream: UnixStream, router: Router) {
    if !has_spoken(&house, &stream).await {
        return;
    }
    let service = TowerToHyperService::new(router);
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        // What has come is read before the stop is seen: a request gets its answer, and be it that there is none today.
        biased;
        // A client that hangs up in the middle is no fault of ours.
        _ = connection.as_mut() => return,
        () = house.stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // Answers and streams that are on their way get as long as the sessions that they are about, and a bit.
    let most = Duration::from_millis(house.config().grace_ms) + LAST_WORDS;
    let _ = tokio::time::timeout(most, connection).await;
}

/// Waits for the first byte of a client. One that comes just as the daemon leaves would otherwise be hung up on, and
/// could not know whether its request was heard.
async fn has_spoken(house: &House, stream: &UnixStream) -> bool {
    let leaving = async {
        house.stop.cancelled().await;
        tokio::time::sleep(FIRST_WORD).await;
    };
    tokio::select! {
        biased;
        readable = stream.readable() => readable.is_ok(),
        () = leaving => false,
        () = tokio::time::sleep(HEAD_TIMEOUT) => false,
    }
}
