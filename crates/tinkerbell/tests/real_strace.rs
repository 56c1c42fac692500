//! Kill at every Nth system call that writes, by strace: the whole daemon, its journal, its pictures in git and the
//! user's files, over one turn with two micro-commits, one accept and a stop in good order.
//!
//! strace counts `when=N` for each thread by itself, so "the Nth" is the Nth of whichever thread comes there first. The
//! call that is hit does not happen: the process is killed as it enters it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use testkit::{Client, Daemon, Rng};
use world::{LOOK, TINKERBELL, World, journal, process, wait_until};

/// The calls that change what is on disk; the one with the most trials comes last.
const CALLS: &[&str] =
    &["fsync", "fdatasync", "write", "ftruncate", "rename", "renameat", "renameat2", "link", "unlink", "pwrite64"];
/// The most trials of one call; beyond that they are a sample, which the printed line says.
const MAX_TRIALS: usize = 260;
/// Time for all kills at counted calls; what is left out then is printed.
const TIME: Duration = Duration::from_secs(4 * 60);
/// How far past the counted calls the search for an unhurt run goes: threads differ a little from run to run.
const BEYOND: usize = 60;
/// Longer than anything takes after a kill.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is asked for, and what must come of it.
const PROMPT: &str =
    "Create a file one.txt that contains the word eins. Create a file two.txt that contains the word zwei.";
const FILES: [(&str, &str); 2] = [("one.txt", "eins\n"), ("two.txt", "zwei\n")];

fn strace() -> Result<PathBuf, String> {
    let real =
        std::env::var_os("TINKERBELL_REAL").ok_or("TINKERBELL_REAL is not set; run `cargo xtask test --real`")?;
    let program = PathBuf::from(real).join("strace/strace");
    if program.exists() { Ok(program) } else { Err(format!("there is no {}", program.display())) }
}

/// What a client was told before the daemon was gone.
#[derive(Default)]
struct Told {
    session: Option<String>,
    events: BTreeMap<u64, Value>,
    accepted: Option<Value>,
    /// Whether it came to the end of all that was asked.
    unhurt: bool,
}

/// One turn, one accept, one stop. Ends where the daemon does.
fn live(world: &World, daemon: Daemon) -> Told {
    let mut told = Told::default();
    let answered = speak(world, &mut told).is_some() && asks_to_stop(world);
    if !answered {
        // It hangs up while it dies.
        wait_until("the daemon has ended", || world.announced().is_none_or(|pid| testkit::has_ended(process(pid))));
    }
    // When strace has ended too, all threads are gone, and the lock with them.
    told.unhurt = daemon.wait().unwrap() && answered;
    told
}

/// `None` as soon as the daemon does not answer any more.
fn speak(world: &World, told: &mut Told) -> Option<()> {
    let client = world.client();
    let body = json!({ "workspace": world.home.workspace(), "prompt": { "text": PROMPT } });
    let created = client.post("/v1/sessions", &body).ok()?;
    assert_eq!(created.status, 200, "{:?}", created.json());
    let session = created.json()["session"].as_str().unwrap().to_owned();
    told.session = Some(session.clone());
    for update in client.follow(&session, 0).ok()? {
        if let Some(seq) = update["seq"].as_u64() {
            told.events.insert(seq, update.clone());
        }
        if update["kind"] == "turn.finished" {
            let accepted = client.post(&format!("/v1/sessions/{session}/canvas/accept"), &json!({})).ok()?;
            assert_eq!(accepted.status, 200, "{:?}", accepted.json());
            told.accepted = Some(accepted.json());
            client.get(&format!("/v1/sessions/{session}/canvas/log")).ok()?;
            return Some(());
        }
    }
    None
}

/// Asks a traced daemon to stop, through its API since its process is strace's child; true when it said that it would.
fn asks_to_stop(world: &World) -> bool {
    world.client().post("/v1/daemon/stop", &json!({})).is_ok()
}

/// Goes on after the kill, and says what is wrong.
fn settle(world: &World, told: &Told) -> Result<(), String> {
    let daemon = world.home.start(TINKERBELL).map_err(|error| format!("no start after the kill: {error}"))?;
    let client = world.client();
    let listed = client.get("/v1/sessions").unwrap().json();
    let sessions = listed["sessions"].as_array().unwrap();
    let session = match (&told.session, sessions.len()) {
        (Some(session), 1) if sessions[0]["id"] == session.as_str() => Some(session.clone()),
        (Some(session), _) => return Err(format!("acknowledged session {session} is not among {listed}")),
        // It was created and nobody was told, or it was not.
        (None, 1) => Some(sessions[0]["id"].as_str().unwrap().to_owned()),
        (None, 0) => None,
        (None, _) => return Err(format!("one request made several sessions: {listed}")),
    };
    if let Some(session) = &session {
        go_on(&client, session)?;
        check(world, &client, session, told)?;
    }
    if !daemon.stop().unwrap() {
        return Err("the second daemon did not stop in good order".to_owned());
    }
    // Panics where a chain does not verify, which no later trial could make good.
    testkit::verify_chains(&world.home);
    Ok(())
}

/// Waits for the ends of all that was begun, and accepts what was not.
fn go_on(client: &Client, session: &str) -> Result<(), String> {
    let began = Instant::now();
    let view = loop {
        let view = client.get(&format!("/v1/sessions/{session}")).unwrap().json();
        for question in view["approvals"].as_array().into_iter().flatten() {
            let path = format!("/v1/sessions/{session}/approvals/{}", question["id"].as_str().unwrap());
            client.post(&path, &json!({ "answer": "skip" })).unwrap();
        }
        if view["status"] == "idle" && ended(&journal(client, session)) {
            break view;
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("it did not come to an end: {view}"));
        }
        std::thread::sleep(LOOK);
    };
    if view["pending"] != 0 {
        let accepted = client.post(&format!("/v1/sessions/{session}/canvas/accept"), &json!({})).unwrap();
        if accepted.status != 200 || accepted.json()["outcome"] != "done" {
            return Err(format!("the accept afterwards: {}", accepted.json()));
        }
    }
    Ok(())
}

/// Whether the turn and all accepts that were begun have ended.
fn ended(events: &[Value]) -> bool {
    let last = |kind: &str| events.iter().rposition(|event| event["kind"] == kind);
    last("turn.finished").is_some() && last("accept.finished") >= last("accept.started")
}

fn check(world: &World, client: &Client, session: &str, told: &Told) -> Result<(), String> {
    let events = journal(client, session);
    for (at, event) in events.iter().enumerate() {
        if event["seq"] != at as u64 + 1 {
            return Err(format!("a hole at {at}"));
        }
    }
    for (seq, update) in &told.events {
        if events.get(*seq as usize - 1) != Some(update) {
            return Err(format!("acknowledged event {seq} was lost"));
        }
    }
    if let Some(accepted) = &told.accepted {
        let seq = accepted["seq"].as_u64().unwrap();
        if events.get(seq as usize - 1).is_none_or(|event| event["kind"] != "accept.finished") {
            return Err(format!("acknowledged accept {accepted} was lost"));
        }
    }
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    let finished = events.iter().find(|event| event["kind"] == "turn.finished");
    if (of("turn.started"), of("turn.finished")) != (1, 1) || finished.is_some_and(|end| end["outcome"] != "done") {
        return Err(format!("the turn: {finished:?}"));
    }
    for (name, text) in FILES {
        let found = world.read(name);
        if found.as_deref() != Some(text) {
            return Err(format!("{name} holds {found:?}"));
        }
    }
    let left = std::fs::read_dir(world.home.workspace()).unwrap().count();
    if left != FILES.len() { Err(format!("{left} names are in the workspace")) } else { Ok(()) }
}

/// Each file as before or as after, with the daemon dead in the middle.
fn whole(world: &World) -> Result<(), String> {
    for (name, text) in FILES {
        if let Some(found) = world.read(name).filter(|found| found != text) {
            return Err(format!("after the kill {name} is torn: {found:?}"));
        }
    }
    Ok(())
}

/// One life under strace. `None` when the daemon died before it was ready.
fn traced(world: &World, strace: &PathBuf, call: &str, kill_at: Option<usize>) -> Option<Daemon> {
    let mut command = world.home.command(strace);
    command.args(["-f", "-qq", "-y", "-e", &format!("trace={call}"), "-e", "signal=none"]);
    if let Some(nth) = kill_at {
        command.args(["-e", &format!("inject={call}:signal=KILL:when={nth}")]);
    }
    command.arg("-o").arg(world.home.path("trace")).args([TINKERBELL, "daemon", "run", "--detached"]);
    let started = world.home.start_as(&mut command);
    // Killed before it was ready, it says nothing; any word is a fault.
    started.map_err(|said| assert!(said.starts_with(" ("), "{call} {kill_at:?}: {said}")).ok()
}

/// How often each thread made the call, and how many of all those were on files below the world.
fn count(world: &World) -> (usize, usize) {
    let trace = std::fs::read_to_string(world.home.path("trace")).unwrap();
    let place = world.home.path("");
    let mut threads: BTreeMap<&str, usize> = BTreeMap::new();
    for line in trace.lines().filter(|line| line.contains('(') && !line.contains("resumed>")) {
        *threads.entry(line.split(' ').next().unwrap()).or_default() += 1;
    }
    let below = trace.lines().filter(|line| line.contains(place.to_str().unwrap())).count();
    (threads.values().copied().max().unwrap_or(0), below)
}

/// Which calls to kill at: all of them, or an even sample from a random beginning.
fn chosen(most: usize, rng: &mut Rng) -> Vec<usize> {
    if most <= MAX_TRIALS {
        return (1..=most).collect();
    }
    let first = rng.below((most / MAX_TRIALS + 1) as u64) as usize;
    (0..MAX_TRIALS).map(|at| 1 + (first + at * most / MAX_TRIALS).min(most - 1)).collect()
}

/// One trial. True when the daemon came through unhurt.
fn trial(strace: &PathBuf, call: &str, nth: usize, failures: &mut Vec<String>) -> bool {
    let world = World::new();
    let told = traced(&world, strace, call, Some(nth)).map(|daemon| live(&world, daemon)).unwrap_or_default();
    if let Err(why) = whole(&world).and_then(|()| settle(&world, &told)) {
        failures.push(format!("{call} {nth}: {why}"));
    }
    told.unhurt
}

#[test]
#[ignore = "real: needs strace"]
fn real_strace_a_kill_at_any_write_loses_nothing() {
    let strace = match strace() {
        Ok(strace) => strace,
        Err(why) => return println!("skipped: {why}"),
    };
    let seed = Rng::seed();
    let mut rng = Rng::new(seed);
    let (everything, mut failures, mut total) = (Instant::now(), Vec::new(), 0);
    for call in CALLS {
        let world = World::new();
        let daemon = traced(&world, &strace, call, None).expect("nothing kills this one");
        assert!(live(&world, daemon).unhurt, "without a kill all goes well under strace");
        let (most, below) = count(&world);
        drop(world);
        let (began, before) = (Instant::now(), failures.len());
        let all = chosen(most, &mut rng);
        let (mut kills, mut trials, mut unhurt) = (0, 0, most == 0);
        for nth in all.iter().copied().chain(most + 1..=most + BEYOND) {
            let counted = nth <= most;
            if (counted && everything.elapsed() > TIME) || (!counted && unhurt) {
                continue;
            }
            let came_through = trial(&strace, call, nth, &mut failures);
            trials += 1;
            kills += usize::from(!came_through);
            unhurt |= came_through && !counted;
        }
        let sampled = if all.len() < most || trials < most { " (a sample)" } else { "" };
        println!(
            "strace {call}: {most} calls in the busiest thread, {below} on files of the world; {trials} trials{sampled}, \
             {kills} kills, {} failures; a run came through unhurt: {unhurt}; {:.1?}",
            failures.len() - before,
            began.elapsed()
        );
        assert!(unhurt, "{call}: no run came through, so kills beyond the counted ones may be missing");
        total += kills;
    }
    println!("strace: seed {seed}, {total} kills, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
