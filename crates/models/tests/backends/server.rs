//! A raw HTTP server that does exactly what a test tells it, connection by connection.

use models::{Ended, Message, Partial, Reply, Request, Sink};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use wire::DeltaKind;

/// One thing that the server does in answer to a request.
#[derive(Clone)]
pub(crate) enum Step {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Waits for the client to close the connection, and says so.
    AwaitClose,
    /// Writes these bytes again and again, with a pause, until the client goes.
    Repeat(Vec<u8>, Duration),
    /// Pauses.
    Pause(Duration),
    /// Closes the connection in good order.
    Close,
    /// Closes the connection with a reset.
    Reset,
}

/// The server.
pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    /// Hears of each connection that the client closed.
    pub(crate) closed: mpsc::Receiver<()>,
}

impl Server {
    /// Answers from a queue; the last answer is used again and again.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Vec<Step>>) -> Server {
        let answers = Mutex::new(answers.into_iter().collect::<VecDeque<_>>());
        Server::choosing(move |_| {
            let mut answers = answers.lock().unwrap();
            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
        })
        .await
    }

    /// Answers as the request asks for.
    pub(crate) async fn choosing(answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (closing, closed) = mpsc::channel(64);
        let server = Server { base, connections: connections.clone(), requests: requests.clone(), closed };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (answer, requests, closing) = (answer.clone(), requests.clone(), closing.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &*answer, &requests).await;
                    // A test waits for one of these at most, so what does not fit may be lost.
                    let _ = closing.try_send(());
                });
            }
        });
        server
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(dyn Fn(&str) -> Vec<Step> + Send + Sync),
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(request) = read_request(&mut stream).await? {
        let steps = answer(&request);
        requests.lock().unwrap().push(request);
        for step in steps {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await?,
                Step::Pause(pause) => tokio::time::sleep(pause).await,
                Step::AwaitClose => drop(stream.read(&mut [0; 1]).await?),
                Step::Repeat(bytes, pause) => loop {
                    stream.write_all(&bytes).await?;
                    tokio::time::sleep(pause).await;
                },
                Step::Close => return Ok(()),
                Step::Reset => {
                    stream.set_zero_linger()?;
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

async fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    loop {
        if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= head + 4 + length {
                return Ok(Some(String::from_utf8(bytes).unwrap()));
            }
        }
        match stream.read(&mut piece).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// An answer of known length.
pub(crate) fn plain(status: &str, content_type: &str, fields: &str, body: &str) -> Step {
    let length = body.len();
    Step::Send(
        format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n{fields}\r\n{body}")
            .into_bytes(),
    )
}

/// The head of a stream in chunks.
pub(crate) fn head() -> Step {
    Step::Send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec())
}

/// A piece of a stream, as one HTTP chunk.
pub(crate) fn piece(text: &str) -> Step {
    Step::Send(http_chunk(text))
}

pub(crate) fn http_chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

/// The last chunk.
pub(crate) fn end() -> Step {
    Step::Send(b"0\r\n\r\n".to_vec())
}

/// An event with a piece of text.
pub(crate) fn says(text: &str) -> String {
    format!(
        "data: {}\n\n",
        serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
    )
}

/// An event with the reason for stopping.
pub(crate) fn stops(reason: &str) -> String {
    format!("data: {}\n\n", serde_json::json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// A good answer that says one text.
pub(crate) fn good(text: &str) -> Vec<Step> {
    vec![head(), piece(&says(text)), piece(&(stops("stop") + DONE)), end()]
}

/// A request with one prompt.
pub(crate) fn request(prompt: &str) -> Request {
    Request {
        model: "m".into(),
        system: "be brief".into(),
        messages: vec![Message::User { text: prompt.into(), attachments: vec![] }],
        tools: [].into(),
        max_output_tokens: agent::Tokens(100),
        schema: None,
    }
}

/// What a sink heard, piece by piece.
pub(crate) type Heard = Arc<Mutex<Vec<(DeltaKind, String)>>>;

/// A sink that keeps what it heard.
pub(crate) fn keeping() -> (Sink, Heard) {
    let heard = Heard::default();
    let into = heard.clone();
    (Arc::new(move |kind, text: &str| into.lock().unwrap().push((kind, text.to_owned()))), heard)
}

/// A sink that hears nothing.
pub(crate) fn deaf() -> Sink {
    Arc::new(|_, _| {})
}

#[track_caller]
pub(crate) fn finished(ended: Ended) -> Reply {
    match ended {
        Ended::Finished(reply) => reply,
        other => panic!("not a reply: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn failed(ended: Ended) -> (agent::Failure, Option<u64>, String, Partial) {
    match ended {
        Ended::Failed { failure, retry_after_ms, message, partial } => (failure, retry_after_ms, message, partial),
        other => panic!("not a failure: {other:?}"),
    }
}
