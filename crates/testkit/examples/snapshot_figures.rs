//! Figures of snapshots: how long turns take before, while and after a snapshot of a large state is made, and how long
//! making, verifying and restoring take.
//!
//! `cargo run -p testkit --example snapshot_figures -- PATH/TO/tinkerbell [MEBIBYTES]`; `TMPDIR` says where the files
//! go. Half of the state are blobs of random bytes, which nothing makes smaller, half are events with words.

use agent::{Epoch, Event, Generation, Micros, Seq, SessionId, Tokens, TurnId};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::{Append, Blob, JournalId, NewEvent, Options, SessionRow, Store};
use testkit::{Client, Home, Rng};
use wire::Header;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Turns that run at the same time, each in a session of its own.
const SPEAKERS: usize = 4;
const QUIET: Duration = Duration::from_secs(15);

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().ok_or("say where the binary is")?;
    let mebibytes: u64 = arguments.next().map_or(Ok(1024), |text| text.parse())?;
    let home = Home::new();
    home.configure("[snapshots]\nevery_ms = 0\n");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    std::fs::create_dir_all(home.state())?;
    runtime.block_on(fill(&home.state(), mebibytes << 20))?;
    let bytes = std::fs::metadata(home.state().join("journal.db"))?.len();
    print("state", bytes as f64 / f64::from(1 << 20), "MiB")?;
    let run = |arguments: &[&str]| -> Outcome<(Duration, String)> {
        let began = Instant::now();
        let output = home.command(&program).args(arguments).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok((began.elapsed(), String::from_utf8(output.stdout)?))
    };
    let daemon = home.start(&program)?;
    speak(&home, "before", || std::thread::sleep(QUIET))?;
    let mut made = Ok((Duration::ZERO, String::new()));
    speak(&home, "during", || made = run(&["snapshot", "create", "--json"]))?;
    let (took, answer) = made?;
    print("create", took.as_secs_f64(), "s")?;
    speak(&home, "after", || std::thread::sleep(QUIET))?;
    let snapshot: serde_json::Value = serde_json::from_str(&answer)?;
    print("snapshot", snapshot["bytes"].as_f64().unwrap_or(0.0) / f64::from(1 << 20), "MiB")?;
    let log = std::fs::metadata(home.state().join("journal.db-wal")).map_or(0, |log| log.len());
    print("write_ahead_log", log as f64 / f64::from(1 << 20), "MiB")?;
    let id = snapshot["id"].as_str().unwrap_or_default();
    print("verify", run(&["snapshot", "verify", id])?.0.as_secs_f64(), "s")?;
    daemon.stop()?;
    print("restore", run(&["snapshot", "restore", "--yes", id])?.0.as_secs_f64(), "s")?;
    print("undo", run(&["snapshot", "restore", "--undo", "--yes"])?.0.as_secs_f64(), "s")?;
    Ok(())
}

/// Lets turns run for as long as `meanwhile` takes, and prints how long they took.
fn speak(home: &Home, name: &str, meanwhile: impl FnOnce()) -> Outcome {
    let stop = Arc::new(AtomicBool::new(false));
    let speakers: Vec<_> = (0..SPEAKERS)
        .map(|_| {
            let (client, workspace, stop) = (home.client(), home.workspace(), stop.clone());
            std::thread::spawn(move || turns(&client, &workspace, &stop).map_err(|error| error.to_string()))
        })
        .collect();
    meanwhile();
    stop.store(true, Ordering::SeqCst);
    let mut times = Vec::new();
    for speaker in speakers {
        times.extend(speaker.join().map_err(|_| "a speaker panicked")??);
    }
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    print(&format!("turns_{name}"), times.len() as f64, "")?;
    print(&format!("turn_{name}_p50"), at(50), "ms")?;
    print(&format!("turn_{name}_p99"), at(99), "ms")?;
    print(&format!("turn_{name}_max"), at(100), "ms")
}

/// One turn after the other, each with a file written to the canvas.
fn turns(client: &Client, workspace: &Path, stop: &AtomicBool) -> Outcome<Vec<Duration>> {
    let prompt = json!({ "text": "Create a file one.txt that contains the word eins." });
    let mut times = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let created = client.post("/v1/sessions", &json!({ "workspace": workspace, "prompt": prompt }))?.json();
        let session = created["session"].as_str().ok_or("no session")?;
        let mut updates = client.follow(session, 0)?;
        updates.find(|update| update["kind"] == "turn.finished").ok_or("the turn did not end")?;
        times.push(began.elapsed());
    }
    Ok(times)
}

/// Fills a journal.
async fn fill(state: &Path, bytes: u64) -> Outcome {
    let store = Store::open(state, Options::default())?;
    let mut random = Rng::new(7);
    let (mut filled, mut number) = (0, 0);
    let words: String = (0..600).map(|word| format!("word{} ", word % 97)).collect();
    while filled < bytes {
        number += 1;
        let session = SessionId::from_parts(1_764_000_000_000, number);
        let mut append = Append::new(JournalId::Session(session), Epoch(1), Generation(1), Seq(0));
        let noise: Vec<u8> = (0..128 << 10).flat_map(|_| random.draw().to_le_bytes()).collect();
        let blob = Blob::new(&noise);
        for seq in 1..=256 {
            let event = Event::PromptSteered { turn: TurnId(1), tokens: Tokens(1) };
            let header = Header { seq: Seq(seq), at: Micros(1), session: Some(session), event }.to_json();
            let body = format!("{{\"text\":\"{words}\"}}");
            filled += body.len() as u64;
            let blobs = if seq == 1 { vec![blob.hash()] } else { Vec::new() };
            append.facts.push(NewEvent { header, body, blobs, ..NewEvent::default() });
        }
        filled += noise.len() as u64;
        append.blobs = vec![blob];
        append.row = Some(SessionRow {
            workspace: "/w".to_owned(),
            title: None,
            state: "idle".to_owned(),
            model: None,
            cost: agent::Money(0),
            created: Micros(1),
            updated: Micros(1),
        });
        store.append(append).await?;
    }
    store.close().await;
    Ok(())
}

fn print(name: &str, value: f64, unit: &str) -> Outcome {
    writeln!(std::io::stdout(), "{name} {value:.1} {unit}")?;
    Ok(())
}
