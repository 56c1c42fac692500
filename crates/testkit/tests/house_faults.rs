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
use testkit::fault_vfs::{Fault, FaultVfs, Hurt, Ops};
use tools::Output;
use wire::rest::WhileRunning;
use wire::{BlobHash, Code, ToolSpec};

/// Longer than any trial takes; one second of it would be a disk's bad day.
const PATIENCE: Duration = Duration::from_secs(30);
/// Trials that run at the same time; most of their time they wait for the daemon to try again.
const AT_ONCE: u64 = 8;
/// More calls than one turn makes.
const CALLS: u64 = 2_000;

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

async fn house(dir: &Path, vfs: &FaultVfs, count: Arc<AtomicU32>) -> Arc<Registry> {
    let file = dir.join("config.toml");
    std::fs::write(&file, "[permissions]\nrules = [{ tool = \"count\", decision = \"allow\" }]\n").unwrap();
    let checkpoint_idle = None;
    let parts = Parts {
        config: Config::load(&file).unwrap(),
        state_dir: dir.join("state"),
        socket: dir.join("socket"),
        canvas_dir: dir.join("canvas"),
        store: Options { vfs: Some(vfs.name().to_owned()), checkpoint_idle, ..Options::default() },
        tools: vec![counter(count)],
        models: vec![testkit::scripted()],
    };
    assemble(parts).await.expect("the disk is well so far")
}

/// Sends the prompt until it is acknowledged, under one key; so it happens once whatever the first tries came to.
async fn begin(registry: &Arc<Registry>, workspace: &Path) -> SessionId {
    let once = Once { scope: "sessions.create ".into(), key: "k".into(), request: BlobHash::of(SCRIPT.as_bytes()) };
    for _ in 0..100 {
        let known = registry.house().store.answer(&once.scope, &once.key, agent::Micros(0)).await;
        if let Ok(Some(known)) = known {
            let known: Value = serde_json::from_str(&known.answer).unwrap();
            return known["session"].as_str().unwrap().parse().unwrap();
        }
        let prompt = Prompt {
            text: SCRIPT.to_owned(),
            model: None,
            while_running: WhileRunning::Queue,
            attachments: Vec::new(),
        };
        let workspace = workspace.to_str().unwrap();
        match registry.create(workspace, None, Some(prompt), Some(once.clone())).await {
            Ok(acknowledged) => return acknowledged.session,
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

/// One turn with the Nth call hurt. False when no call was hurt, because the turn made fewer.
fn trial(hurt: Hurt, nth: u64) -> bool {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let dir = TempDir::new_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" }).unwrap();
    let (vfs, count) = (FaultVfs::new(), Arc::new(AtomicU32::new(0)));
    let workspace = dir.path().join("work");
    for new in [&workspace, &dir.path().join("state")] {
        std::fs::create_dir(new).unwrap();
    }
    let (session, told) = runtime.block_on(async {
        let registry = house(dir.path(), &vfs, count.clone()).await;
        vfs.arm(Fault { nth, ops: Ops::CHANGES, hurt, sticky: false });
        let session = begin(&registry, &workspace).await;
        let mut told = Told::new();
        tokio::time::timeout(PATIENCE, watch(&registry, session, &mut told)).await.unwrap_or_else(|_| {
            panic!(
                "{hurt:?} at call {nth} ({:?}): the turn did not end; last told {:?}",
                vfs.hit(),
                told.last_key_value()
            )
        });
        registry.house().stop.cancel();
        registry.house().tasks.finished().await;
        registry.house().store.clone().close().await;
        (session, told)
    });
    let times = count.load(Ordering::SeqCst);
    assert!(times <= 1, "{hurt:?} at call {nth}: counted {times} times");
    let store = Store::open(&dir.path().join("state"), Options::default()).unwrap();
    runtime.block_on(async {
        store.verify(JournalId::Session(session)).await.unwrap();
        let journal = store.events(JournalId::Session(session), Seq(0), 10_000).await.unwrap();
        let updates: Vec<Value> = journal.iter().map(|r| serde_json::from_str(&r.update()).unwrap()).collect();
        for (seq, update) in &told {
            assert_eq!(Some(update), updates.get(*seq as usize - 1), "{hurt:?} at call {nth}: event {seq}");
        }
        let finished = updates.iter().filter(|update| update["kind"] == "turn.finished").count();
        assert_eq!(finished, 1, "{hurt:?} at call {nth}");
        store.close().await;
    });
    vfs.hit().is_some()
}

#[test]
fn every_call_of_a_turn_fails_once_and_the_turn_ends_all_the_same() {
    // A file that cannot be written and a lost sync end as an unknown outcome; a full disk as one that surely was not.
    let campaigns = [
        ("a call fails", Hurt::Fail),
        ("the disk is full", Hurt::Full),
        ("a write is torn", Hurt::Torn),
        ("a sync is lost", Hurt::LostSync),
        ("a sync is late", Hurt::LateSync),
    ];
    for (name, hurt) in campaigns {
        let mut trials = 0;
        'campaign: for first in (1..CALLS).step_by(AT_ONCE as usize) {
            let hurts: Vec<bool> = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (first..first + AT_ONCE).map(|nth| scope.spawn(move || trial(hurt, nth))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            trials += hurts.iter().filter(|hurt| **hurt).count();
            if hurts.contains(&false) {
                break 'campaign;
            }
        }
        assert!(trials > 10, "{name}: only {trials} calls were hurt");
        println!("house: {name} at each of {trials} calls of a turn: {trials} trials, 0 failures");
    }
}
