//! Figures of the store, for `cargo xtask bench`: one line each, `name value unit`. Trust minimum and median.
//!
//! `cargo run -p store --example figures [-- --many]`; `--many` adds a store of 100,000 sessions, which takes a minute
//! to make. `--dir <path>` puts the files there instead of into the system's temporary directory, which may be memory.

use agent::{Epoch, Event, Generation, Micros, Seq, SessionId, Tokens, TurnId};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::{Append, JournalId, NewEvent, Options, SessionRow, Store};
use wire::Header;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const BODY_BYTES: usize = 600;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parent = arguments.iter().skip_while(|argument| *argument != "--dir").nth(1).map(PathBuf::from);
    let parent = parent.unwrap_or_else(std::env::temp_dir);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(appending(&parent))?;
    runtime.block_on(reading(&parent))?;
    opening(&runtime, &parent, 1_000)?;
    if arguments.iter().any(|argument| argument == "--many") {
        opening(&runtime, &parent, 100_000)?;
    }
    Ok(())
}

/// Appends of one event, alone and from 64 owners at once.
async fn appending(parent: &Path) -> Outcome {
    let dir = tempfile::tempdir_in(parent)?;
    let store = Store::open(dir.path(), Options::default())?;
    let alone = appends(&store, 0, 2_000).await?;
    report("append_alone", &alone)?;
    for owners in [8, 64] {
        let (begun, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
        for number in 0..owners {
            let store = store.clone();
            tasks.spawn(async move { appends(&store, 1000 * owners + number, 300).await.map_err(|e| e.to_string()) });
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            times.extend(done??);
        }
        report(&format!("append_{owners}_owners"), &times)?;
        print(&format!("append_{owners}_owners_rate"), times.len() as f64 / begun.elapsed().as_secs_f64(), "1/s")?;
    }
    store.close().await;
    Ok(())
}

/// The last 50 of 10,000 events, and appending behind so many.
async fn reading(parent: &Path) -> Outcome {
    let dir = tempfile::tempdir_in(parent)?;
    let store = Store::open(dir.path(), Options::default())?;
    let journal = journal(1);
    for group in 0..100 {
        let after = Seq(100 * group);
        let facts = (1..=100).map(|index| said(journal, Seq(after.0 + index))).collect();
        store.append(Append { facts, ..Append::new(journal, Epoch(1), Generation(1), after) }).await?;
    }
    let mut times = Vec::new();
    for _ in 0..500 {
        let begun = Instant::now();
        let page = store.events(journal, Seq(9_950), 50).await?;
        times.push(begun.elapsed());
        assert_eq!(page.len(), 50, "the last page is whole");
    }
    report("read_last_50_of_10000", &times)?;
    let mut times = Vec::new();
    for index in 0..500 {
        let after = Seq(10_000 + index);
        let facts = vec![said(journal, after.next())];
        let begun = Instant::now();
        store.append(Append { facts, ..Append::new(journal, Epoch(1), Generation(1), after) }).await?;
        times.push(begun.elapsed());
    }
    report("append_behind_10000", &times)?;
    store.close().await;
    Ok(())
}

/// Opening a store of many sessions, one in 2,000 with work left, and reading what a start reads.
fn opening(runtime: &tokio::runtime::Runtime, parent: &Path, sessions: u64) -> Outcome {
    let dir = tempfile::tempdir_in(parent)?;
    let store = Store::open(dir.path(), Options::default())?;
    for group in 0..sessions / 500 {
        let appends = (500 * group..500 * (group + 1)).map(|number| {
            let journal = journal(number);
            let facts = (1..=10).map(|seq| said(journal, Seq(seq))).collect();
            let (row, waking) = (Some(row(number)), number.is_multiple_of(2_000));
            Append { facts, row, waking, ..Append::new(journal, Epoch(1), Generation(1), Seq(0)) }
        });
        for outcome in runtime.block_on(store.append_together(appends.collect())) {
            outcome?;
        }
    }
    runtime.block_on(store.close());
    let (mut opens, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let begun = Instant::now();
        let store = Store::open(dir.path(), Options::default())?;
        opens.push(begun.elapsed());
        let waking = runtime.block_on(store.waking())?;
        starts.push(begun.elapsed());
        assert_eq!(waking.len() as u64, sessions.div_ceil(2_000), "all with work left are found");
        runtime.block_on(store.close());
    }
    report(&format!("open_{sessions}_sessions"), &opens)?;
    report(&format!("open_and_waking_{sessions}_sessions"), &starts)
}

async fn appends(store: &Store, number: u64, count: u64) -> Outcome<Vec<Duration>> {
    let (journal, mut times) = (journal(number), Vec::new());
    for index in 0..count {
        let after = Seq(index);
        let facts = vec![said(journal, after.next())];
        let begun = Instant::now();
        store.append(Append { facts, ..Append::new(journal, Epoch(1), Generation(1), after) }).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

fn journal(number: u64) -> JournalId {
    JournalId::Session(SessionId::from_parts(1_764_000_000_000, u128::from(number)))
}

fn said(journal: JournalId, seq: Seq) -> NewEvent {
    let session = match journal {
        JournalId::Daemon => None,
        JournalId::Session(session) => Some(session),
    };
    let event = Event::PromptSteered { turn: TurnId(1), tokens: Tokens(150) };
    let header = Header { seq, at: Micros(0), session, event }.to_json();
    NewEvent { header, body: format!("{{\"text\":\"{}\"}}", "x".repeat(BODY_BYTES)), ..NewEvent::default() }
}

fn row(number: u64) -> SessionRow {
    SessionRow {
        workspace: "/home/user/project".into(),
        title: Some(format!("session {number}")),
        state: "idle".into(),
        model: None,
        cost: agent::Money(0),
        created: Micros(number as i64),
        updated: Micros(number as i64),
    }
}

fn report(name: &str, times: &[Duration]) -> Outcome {
    let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    print(&format!("{name}_min"), sorted[0], "ms")?;
    print(&format!("{name}_p50"), sorted[sorted.len() / 2], "ms")?;
    print(&format!("{name}_p99"), sorted[sorted.len() * 99 / 100], "ms")
}

fn print(name: &str, value: f64, unit: &str) -> Outcome {
    writeln!(std::io::stdout(), "{name} {value:.3} {unit}")?;
    Ok(())
}
