//! Figures of the store, for `cargo xtask bench`: one line each, `name value unit`. Trust minimum and median.
//!
//! `cargo run -p store --example figures [-- --many]`; `--many` adds a store of 100,000 sessions, which takes a minute
//! to make. `--dir <path>` puts the files there instead of into the system's temporary directory, which may be memory.

use agent::{Epoch, Event, Generation, Micros, Seq, SessionId, Tokens, TurnId};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::{
    Append, Fork, JournalId, ListQuery, NewEvent, Options, Remove, SearchQuery, SessionRow, Store, Vocabulary,
    WordsKind,
};
use wire::Header;
use wire::body::Text;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const BODY_BYTES: usize = 600;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parent = arguments.iter().skip_while(|argument| *argument != "--dir").nth(1).map(PathBuf::from);
    let parent = parent.unwrap_or_else(std::env::temp_dir);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(appending(&parent))?;
    runtime.block_on(reading(&parent))?;
    runtime.block_on(searching(&parent))?;
    runtime.block_on(forking(&parent))?;
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

/// A vocabulary in which every event is a prompt.
fn vocabulary() -> Vocabulary {
    Vocabulary {
        kind: |header| header.contains("\"kind\":\"prompt.").then_some(WordsKind::Prompt),
        text: |_, body| Some(Text::Inline(body.to_owned())),
    }
}

/// 10,000 sessions of ten prompts of twelve words out of 2,000, each as often as in a language: lists, making the index,
/// searching in it, and what one more append costs a search.
async fn searching(parent: &Path) -> Outcome {
    let dir = tempfile::tempdir_in(parent)?;
    let options = Options { words: Some(vocabulary()), index_after: Duration::from_secs(3600), ..Options::default() };
    let store = Store::open(dir.path(), options)?;
    let mut random = 1_u64;
    for group in 0..20 {
        let appends = (500 * group..500 * (group + 1)).map(|number| {
            let journal = journal(number);
            let facts = (1..=10).map(|seq| NewEvent { body: sentence(&mut random), ..said(journal, Seq(seq)) });
            Append { facts: facts.collect(), row: Some(row(number)), ..first(journal) }
        });
        for outcome in store.append_together(appends.collect()).await {
            outcome?;
        }
    }
    print("memory_before_lists", resident_mib()?, "MiB")?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        let page = store.list(ListQuery { limit: 50, ..ListQuery::default() }).await?;
        times.push(begun.elapsed());
        assert_eq!(page.len(), 50, "a page is whole");
    }
    report("list_50_of_10000_sessions", &times)?;
    let begun = Instant::now();
    found(&store, "word7").await?;
    print("index_100000_events", begun.elapsed().as_secs_f64() * 1e3, "ms")?;
    print("index_bytes", std::fs::metadata(dir.path().join("search.db"))?.len() as f64 / 1e6, "MB")?;
    for (name, text) in
        [("one_common_word", "word0"), ("one_word", "word40"), ("two_words", "word3 word17"), ("a_beginning", "word19")]
    {
        let mut times = Vec::new();
        for _ in 0..100 {
            let begun = Instant::now();
            found(&store, text).await?;
            times.push(begun.elapsed());
        }
        report(&format!("search_{name}"), &times)?;
    }
    let mut times = Vec::new();
    for index in 0..100 {
        let journal = journal(index);
        let fact = NewEvent { body: sentence(&mut random), ..said(journal, Seq(11)) };
        store.append(Append { facts: vec![fact], after: Seq(10), ..first(journal) }).await?;
        let begun = Instant::now();
        found(&store, "word40").await?;
        times.push(begun.elapsed());
    }
    report("search_after_an_append", &times)?;
    print("memory_after_searches", resident_mib()?, "MiB")?;
    let begun = Instant::now();
    store.append(Append { facts: Vec::new(), after: Seq(10), forget: vec![Seq(3)], ..first(journal(5_000)) }).await?;
    store.scrub_search().await?;
    print("forget_in_the_index", begun.elapsed().as_secs_f64() * 1e3, "ms")?;
    store.close().await;
    lag(parent).await
}

/// How long it takes until an append can be searched for by itself, as a growing file shows.
async fn lag(parent: &Path) -> Outcome {
    let dir = tempfile::tempdir_in(parent)?;
    let store = Store::open(dir.path(), Options { words: Some(vocabulary()), ..Options::default() })?;
    let begun = Instant::now();
    store.append(Append { facts: vec![said(journal(1), Seq(1))], ..first(journal(1)) }).await?;
    while !dir.path().join("search.db").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    print("index_lag", begun.elapsed().as_secs_f64() * 1e3, "ms")?;
    store.close().await;
    Ok(())
}

/// Forking and removing a session of 10,000 events, and what that does to the appends of others.
async fn forking(parent: &Path) -> Outcome {
    let dir = tempfile::tempdir_in(parent)?;
    let store = Store::open(dir.path(), Options::default())?;
    let parent = journal(1);
    for group in 0..10 {
        let after = Seq(1000 * group);
        let facts = (1..=1000).map(|index| said(parent, Seq(after.0 + index))).collect();
        store.append(Append { facts, after, ..first(parent) }).await?;
    }
    let id = |number| SessionId::from_parts(1_764_000_000_000, number);
    let (mut forks, mut removals, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for number in 2..12 {
        let copy = journal(number);
        let append = Append { facts: vec![said(copy, Seq(10_001))], after: Seq(10_000), ..first(copy) };
        let begun = Instant::now();
        let forking = store.fork(Fork { from: id(1), append });
        let (forked, appended) = tokio::join!(forking, appends(&store, 100 + number, 10));
        forked?;
        forks.push(begun.elapsed());
        beside.extend(appended?);
    }
    report("fork_10000_events", &forks)?;
    report("append_while_forking", &beside)?;
    beside.clear();
    for number in 2..12 {
        let begun = Instant::now();
        let removing =
            store.remove(Remove { session: id(u128::from(number)), epoch: Epoch(1), generation: Generation(1) });
        let (removed, appended) = tokio::join!(removing, appends(&store, 200 + number, 10));
        assert!(removed?.cleared, "nobody is in the way");
        removals.push(begun.elapsed());
        beside.extend(appended?);
    }
    report("remove_10000_events", &removals)?;
    report("append_while_removing", &beside)?;
    store.verify_heads().await?;
    store.close().await;
    Ok(())
}

/// Searches for the first twenty sessions.
async fn found(store: &Store, text: &str) -> Outcome {
    let query = SearchQuery { text: text.into(), limit: 20, ..SearchQuery::default() };
    let found = store.search(query).await?;
    if found.hits.is_empty() { Err(format!("{text} was not found").into()) } else { Ok(()) }
}

/// Twelve words, of which `word0` is the most common: the n-th has a share of about 1/n, as in a language.
fn sentence(random: &mut u64) -> String {
    let mut text = String::new();
    for _ in 0..12 {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (*random >> 11) as f64 / (1_u64 << 53) as f64;
        text.push_str(&format!("word{} ", 2000_f64.powf(share) as u64 - 1));
    }
    format!("{{\"text\":\"{text}\"}}")
}

fn resident_mib() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("Linux tells its size")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// An append by the first owner.
fn first(journal: JournalId) -> Append {
    Append::new(journal, Epoch(1), Generation(1), Seq(0))
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
