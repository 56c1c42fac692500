//! A whole daemon, assembled in this process, on a disk that fails: at every single call of one turn, in every way that
//! can be gone on from.
//!
//! Whatever happens: what a watcher was told is in the journal, unchanged and without holes; the turn ends, exactly
//! once; a tool that is not idempotent ran at most once, unless nobody can know and it became a question; the chain
//! verifies; and all of it without a restart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "a campaign says how often it tried")]

use agent::{Access, Seq, SessionId, ToolOutcome};
use daemon::{Config, ExtraTool, Once, Parts, Prompt, Registry, Watch, assemble};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use store::{JournalId, Options, Store};
use tempfile::TempDir;
use testkit::Rng;
use testkit::every_fault::{self, Campaign, Tally, for_every_fault};
use testkit::fault_vfs::{Crash, Fault, FaultVfs, Hurt, Ops};
use tokio::runtime::Runtime;
use tools::Output;
use wire::rest::WhileRunning;
use wire::{BlobHash, Code, Problem, ToolSpec};

/// Longer than any trial takes; one second of it would be a disk's bad day.
const PATIENCE: Duration = Duration::from_secs(30);
/// Trials that run at the same time; most of their time they wait for the daemon to try again.
const AT_ONCE: u64 = 8;

const SCRIPT: &str = "first [[tool write_file {\"path\":\"a.txt\",\"content\":\"one\\n\"}]] [[tool count {}]] [[then]] \
                      [[tool edit_file {\"path\":\"a.txt\",\"old\":\"one\",\"new\":\"two\"}]] [[then]] that was all";

fn counter(count: Arc<AtomicU32>) -> ExtraTool {
    let spec = ToolSpec {
        name: "count".to_owned(),
        description: "Counts.".to_owned(),
        parameters: json!({ "type": "object" }),
        access: Access::World,
    };
    let run = move |_: &str, _: &_| {
        let text = format!("counted {}", count.fetch_add(1, Ordering::SeqCst) + 1);
        Output { outcome: ToolOutcome::Done, text, changes: Vec::new(), seen: Vec::new(), attachments: Vec::new() }
    };
    ExtraTool { spec, run: Arc::new(run) }
}

async fn house(dir: &Path, state: &str, vfs: Option<&FaultVfs>, count: Arc<AtomicU32>) -> Arc<Registry> {
    let file = dir.join("config.toml");
    std::fs::write(&file, "[permissions]\nrules = [{ tool = \"count\", decision = \"allow\" }]\n").unwrap();
    let checkpoint_idle = None;
    let parts = Parts {
        config: Config::load(&file).unwrap(),
        state_dir: dir.join(state),
        socket: dir.join("socket"),
        canvas_dir: dir.join("canvas"),
        store: Options { vfs: vfs.map(|vfs| vfs.name().to_owned()), checkpoint_idle, ..Options::default() },
        tools: vec![counter(count)],
        models: vec![testkit::scripted()],
    };
    assemble(parts).await.expect("the disk is well so far")
}

/// Sends the prompt, once.
async fn prompt(registry: &Arc<Registry>, workspace: &Path) -> Result<SessionId, Problem> {
    let once = once();
    let prompt =
        Prompt { text: SCRIPT.to_owned(), model: None, while_running: WhileRunning::Queue, attachments: Vec::new() };
    let workspace = workspace.to_str().unwrap();
    registry.create(workspace, None, Some(prompt), Some(once)).await.map(|acknowledged| acknowledged.session)
}

fn once() -> Once {
    Once { scope: "sessions.create ".into(), key: "k".into(), request: BlobHash::of(SCRIPT.as_bytes()) }
}

/// Sends the prompt until it is acknowledged, under one key; so it happens once whatever the first tries came to.
async fn begin(registry: &Arc<Registry>, workspace: &Path) -> SessionId {
    let once = once();
    for _ in 0..100 {
        let known = registry.house().store.answer(&once.scope, &once.key, agent::Micros(0)).await;
        if let Ok(Some(known)) = known {
            let known: Value = serde_json::from_str(&known.answer).unwrap();
            return known["session"].as_str().unwrap().parse().unwrap();
        }
        match prompt(registry, workspace).await {
            Ok(session) => return session,
            Err(problem) => assert!(
                matches!(problem.code, Code::OutcomeUnknown | Code::StorageFull | Code::Conflict | Code::Internal),
                "{problem:?}"
            ),
        }
    }
    panic!("the prompt was never taken");
}

type Told = BTreeMap<u64, Value>;

/// Watches until the turn has ended, answering what is asked.
async fn watch(registry: &Arc<Registry>, session: SessionId, told: &mut Told) {
    loop {
        let Ok(Watch { head, mut frames, .. }) = registry.watch(session).await else { continue };
        let missed = registry.house().store.events(JournalId::Session(session), Seq(0), 10_000).await;
        for record in missed.unwrap_or_default().into_iter().filter(|record| record.seq <= head) {
            if tell(registry, session, told, &record.update()).await {
                return;
            }
        }
        while let Ok(frame) = frames.recv().await {
            if frame.seq.is_some() && tell(registry, session, told, &frame.update).await {
                return;
            }
        }
    }
}

async fn tell(registry: &Arc<Registry>, session: SessionId, told: &mut Told, update: &str) -> bool {
    let update: Value = serde_json::from_str(update).unwrap();
    if update["kind"] == "approval.requested" {
        let approval = update["effect"].as_str().unwrap().parse().unwrap();
        // Refused while the disk fails, and where it was answered before: it is asked again then.
        let _ = registry.answer(session, approval, agent::Answer::Skip).await;
    }
    let finished = update["kind"] == "turn.finished";
    let before = told.insert(update["seq"].as_u64().unwrap(), update.clone());
    assert!(before.is_none_or(|before| before == update), "an update changed after it was told");
    finished
}

/// What a daemon that lived left behind.
struct Lived {
    dir: TempDir,
    session: SessionId,
    told: Told,
    counted: u32,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A home in memory, where there is such a place: nothing here depends on real syncs.
fn home() -> TempDir {
    let dir = TempDir::new_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" }).unwrap();
    for new in ["work", "state"] {
        std::fs::create_dir(dir.path().join(new)).unwrap();
    }
    dir
}

/// One turn with the Nth call hurt, which ends all the same.
fn live(hurt: Hurt, nth: u64) -> every_fault::Hurt<Lived> {
    let (runtime, dir, vfs, count) = (runtime(), home(), FaultVfs::new(), Arc::new(AtomicU32::new(0)));
    let (session, told) = runtime.block_on(async {
        let registry = house(dir.path(), "state", Some(&vfs), count.clone()).await;
        vfs.arm(Fault { nth, ops: Ops::CHANGES, hurt, sticky: false });
        let session = begin(&registry, &dir.path().join("work")).await;
        let mut told = Told::new();
        tokio::time::timeout(PATIENCE, watch(&registry, session, &mut told)).await.unwrap_or_else(|_| {
            panic!("the turn did not end; {:?} was hurt; last told {:?}", vfs.hit(), told.last_key_value())
        });
        end(&registry).await;
        (session, told)
    });
    let counted = count.load(Ordering::SeqCst);
    every_fault::Hurt { world: Lived { dir, session, told, counted }, hit: vfs.hit() }
}

async fn end(registry: &Arc<Registry>) {
    registry.house().stop.cancel();
    registry.house().tasks.finished().await;
    registry.house().store.clone().close().await;
}

/// What was told is in the journal, the turn ended once, and the tool ran at most once.
fn check(lived: &Lived, state: &str) -> Result<(), String> {
    let Lived { dir, session, told, counted } = lived;
    if *counted > 1 {
        return Err(format!("counted {counted} times"));
    }
    let store = Store::open(&dir.path().join(state), Options::default()).map_err(|error| error.to_string())?;
    runtime().block_on(async {
        let journal = JournalId::Session(*session);
        store.verify(journal).await.map_err(|error| error.to_string())?;
        let records = store.events(journal, Seq(0), 10_000).await.map_err(|error| error.to_string())?;
        let updates: Vec<Value> = records.iter().map(|r| serde_json::from_str(&r.update()).unwrap()).collect();
        if let Some((seq, update)) = told.iter().find(|(seq, update)| Some(*update) != updates.get(**seq as usize - 1))
        {
            return Err(format!("event {seq} was told and is lost: {update}"));
        }
        let finished = updates.iter().filter(|update| update["kind"] == "turn.finished").count();
        store.close().await;
        if finished == 1 { Ok(()) } else { Err(format!("the turn ended {finished} times")) }
    })
}

fn campaign(name: &str, stride: u64) -> Campaign {
    Campaign { name: format!("house: {name}"), seed: Rng::seed(), stride, at_once: AT_ONCE }
}

fn conclude(tally: &Tally, least: u64) {
    println!("{}", tally.line());
    assert!(tally.failures.is_empty() && tally.trials >= least, "{}", tally.failures.join("\n"));
}

#[test]
fn every_call_of_a_turn_fails_once_and_the_turn_ends_all_the_same() {
    // A file that cannot be written and a lost sync end as an unknown outcome; a full disk as one that surely was not.
    for (name, hurt) in [
        ("a call fails", Hurt::Fail),
        ("the disk is full", Hurt::Full),
        ("a write is torn", Hurt::Torn),
        ("a sync is lost", Hurt::LostSync),
        ("a sync is late", Hurt::LateSync),
    ] {
        conclude(&for_every_fault(&campaign(name, 1), |nth| live(hurt, nth), |lived| check(&lived, "state")), 11);
    }
}

/// The power goes at the Nth call of a turn; what the disk holds then lies in `left`.
fn cut(hurt: Hurt, crash: Crash, nth: u64) -> every_fault::Hurt<Lived> {
    let (runtime, dir, vfs, count) = (runtime(), home(), FaultVfs::new(), Arc::new(AtomicU32::new(0)));
    let (session, told) = runtime.block_on(async {
        let registry = house(dir.path(), "state", Some(&vfs), count.clone()).await;
        vfs.arm(Fault { nth, ops: Ops::CHANGES, hurt, sticky: false });
        let mut told = Told::new();
        let prompted = prompt(&registry, &dir.path().join("work")).await.ok();
        if let Some(session) = prompted {
            let gone = async {
                while vfs.hit().is_none() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                () = watch(&registry, session, &mut told) => {}
                () = gone => {}
            }
        }
        (prompted, told)
    });
    std::fs::create_dir(dir.path().join("left")).unwrap();
    vfs.crash(crash, &dir.path().join("left")).unwrap();
    // Whatever still runs writes into a store that is dead.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let counted = count.load(Ordering::SeqCst);
    let session = session.unwrap_or(SessionId::from_parts(0, 0));
    every_fault::Hurt { world: Lived { dir, session, told, counted }, hit: vfs.hit() }
}

/// A new daemon goes on with what the disk holds, until the turn has ended.
fn power_returns(mut lived: Lived) -> Result<(), String> {
    let (runtime, count) = (runtime(), Arc::new(AtomicU32::new(lived.counted)));
    runtime.block_on(async {
        let registry = house(lived.dir.path(), "left", None, count.clone()).await;
        for session in registry.house().store.waking().await.map_err(|error| error.to_string())? {
            registry.wake(session);
        }
        // The key says whether it was taken; if nobody had heard of it, it is asked for now.
        let session = begin(&registry, &lived.dir.path().join("work")).await;
        if !lived.told.is_empty() && session != lived.session {
            return Err(format!("{} was told and is lost", lived.session));
        }
        lived.session = session;
        let watched = tokio::time::timeout(PATIENCE, watch(&registry, session, &mut lived.told)).await;
        end(&registry).await;
        watched.map_err(|_| "the turn did not end".to_owned())
    })?;
    lived.counted = count.load(Ordering::SeqCst);
    check(&lived, "left")
}

/// R2 with a disk that is a model: what was not synced is gone, or mixed.
#[test]
fn the_power_goes_at_a_call_of_a_turn_and_the_next_daemon_goes_on() {
    for (name, hurt, crash) in [
        ("the power goes, unsynced is gone", Hurt::Power, Crash::DropUnsynced),
        ("the power goes in a write, unsynced is mixed", Hurt::PowerTorn, Crash::Mixed(Rng::seed())),
        ("killed", Hurt::Power, Crash::Kill),
    ] {
        conclude(&for_every_fault(&campaign(name, 5), |nth| cut(hurt, crash, nth), power_returns), 6);
    }
}
