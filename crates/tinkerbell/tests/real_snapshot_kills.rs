//! Kill at every Nth system call that writes, by strace: while a snapshot is made, and while one is put back. Afterwards
//! there is a whole snapshot or none, and the whole old state or the whole new one.
//!
//! strace counts `when=N` for each thread by itself. The call that is hit does not happen.

#![allow(clippy::print_stdout, reason = "a test of reliability says what it counted")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use world::{TINKERBELL, World, process, wait_until};

/// The calls that change what is on disk.
const CALLS: &[&str] = &["fsync", "fdatasync", "rename", "renameat2", "unlink", "unlinkat", "mkdir", "openat", "write"];
/// The most trials of one call; beyond that they are every so manyth.
const MAX_TRIALS: usize = 60;
/// Time for all; what is left out then is printed.
const TIME: Duration = Duration::from_secs(4 * 60);

fn strace() -> Result<PathBuf, String> {
    let real =
        std::env::var_os("TINKERBELL_REAL").ok_or("TINKERBELL_REAL is not set; run `cargo xtask test --real`")?;
    let program = PathBuf::from(real).join("strace/strace");
    if program.exists() { Ok(program) } else { Err(format!("there is no {}", program.display())) }
}

/// A command under strace, which kills it at the `nth` call.
fn traced(world: &World, strace: &Path, call: &str, nth: Option<usize>, arguments: &[&str]) -> Command {
    let mut command = world.home.command(strace);
    command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", "signal=none"]);
    if let Some(nth) = nth {
        command.args(["-e", &format!("inject={call}:signal=KILL:when={nth}")]);
    }
    command.arg("-o").arg(world.home.path("trace")).arg(TINKERBELL).args(arguments);
    command
}

/// How often the busiest thread made the call.
fn most(world: &World) -> usize {
    let trace = std::fs::read_to_string(world.home.path("trace")).unwrap();
    let mut threads: BTreeMap<&str, usize> = BTreeMap::new();
    for line in trace.lines().filter(|line| line.contains('(') && !line.contains("resumed>")) {
        *threads.entry(line.split(' ').next().unwrap()).or_default() += 1;
    }
    threads.values().copied().max().unwrap_or(0)
}

/// Which calls to kill at.
fn chosen(most: usize) -> Vec<usize> {
    let step = most.div_ceil(MAX_TRIALS).max(1);
    (1..=most).step_by(step).collect()
}

fn titles(world: &World) -> Vec<String> {
    let list = world.json(&["sessions", "ls", "--all"]);
    let rows = list["sessions"].as_array().unwrap();
    let mut titles: Vec<String> = rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

/// A world with one session and a snapshot of it, and another session since; no daemon runs.
fn prepared() -> (World, String) {
    let world = World::new();
    world.good(&["ask", "say one"]);
    let made = world.json(&["snapshot", "create"]);
    world.good(&["ask", "say two"]);
    world.good(&["daemon", "stop"]);
    (world, made["id"].as_str().unwrap().to_owned())
}

fn sums(what: &str, call: &str, trials: usize, kills: usize, failures: usize, seen: &BTreeMap<String, usize>) {
    println!("strace {what} {call}: {trials} trials, {kills} kills, {failures} failures; afterwards {seen:?}");
}

#[test]
#[ignore = "real: needs strace"]
fn real_strace_no_kill_of_a_restore_leaves_half_a_state() {
    let strace = match strace() {
        Ok(strace) => strace,
        Err(why) => return println!("skipped: {why}"),
    };
    let (began, mut failures, mut all) = (Instant::now(), Vec::new(), 0);
    for call in CALLS {
        let (world, id) = prepared();
        let restore = ["snapshot", "restore", "--yes", &id];
        assert!(traced(&world, &strace, call, None, &restore).output().unwrap().status.success());
        let (before, mut kills, mut trials, mut seen) = (failures.len(), 0, 0, BTreeMap::new());
        for nth in chosen(most(&world)) {
            if began.elapsed() > TIME {
                break;
            }
            let (world, id) = prepared();
            let restore = ["snapshot", "restore", "--yes", &id];
            let ended = traced(&world, &strace, call, Some(nth), &restore).output().unwrap();
            (trials, kills) = (trials + 1, kills + usize::from(!ended.status.success()));
            let titles = titles(&world);
            let word = match titles.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["say one"] => "new",
                ["say one", "say two"] => "old",
                _ => "neither",
            };
            *seen.entry(word.to_owned()).or_default() += 1;
            if word == "neither" {
                failures.push(format!("{call} {nth}: {titles:?}"));
            }
            world.good(&["ask", "say three"]);
            world.good(&["daemon", "stop"]);
            testkit::verify_chains(&world.home);
            if world.home.state().join("restore.json").exists() || world.home.state().join("restore.new").exists() {
                failures.push(format!("{call} {nth}: something is left over"));
            }
        }
        sums("restore", call, trials, kills, failures.len() - before, &seen);
        all += kills;
    }
    println!("strace restore: {all} kills, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
#[ignore = "real: needs strace"]
fn real_strace_no_kill_of_a_daemon_leaves_half_a_snapshot() {
    let strace = match strace() {
        Ok(strace) => strace,
        Err(why) => return println!("skipped: {why}"),
    };
    let (began, mut failures, mut all) = (Instant::now(), Vec::new(), 0);
    let run = ["daemon", "run", "--detached"];
    for call in CALLS {
        let (world, _) = prepared();
        let daemon = world.home.start_as(&mut traced(&world, &strace, call, None, &run)).unwrap();
        let client = world.client();
        assert_eq!(client.post("/v1/snapshots", &json!({})).unwrap().status, 201);
        client.post("/v1/daemon/stop", &json!({})).unwrap();
        assert!(daemon.wait().unwrap());
        let (before, mut kills, mut trials, mut seen) = (failures.len(), 0, 0, BTreeMap::new());
        for nth in chosen(most(&world)) {
            if began.elapsed() > TIME {
                break;
            }
            let (world, _) = prepared();
            let told = match world.home.start_as(&mut traced(&world, &strace, call, Some(nth), &run)) {
                Ok(daemon) => {
                    let made = world.client().post("/v1/snapshots", &json!({})).ok();
                    // One that was not hit is asked to go.
                    let _ = world.client().post("/v1/daemon/stop", &json!({}));
                    kills += usize::from(!daemon.wait().unwrap());
                    made.filter(|made| made.status == 201).map(|made| made.json())
                }
                Err(_) => {
                    kills += 1;
                    None
                }
            };
            wait_until("the daemon has ended", || world.announced().is_none_or(|pid| testkit::has_ended(process(pid))));
            trials += 1;
            check(&world, told.as_ref(), &mut seen).unwrap_or_else(|why| failures.push(format!("{call} {nth}: {why}")));
        }
        sums("create", call, trials, kills, failures.len() - before, &seen);
        all += kills;
    }
    println!("strace create: {all} kills, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every snapshot that lies there is whole, and one that was acknowledged lies there.
fn check(world: &World, told: Option<&Value>, seen: &mut BTreeMap<String, usize>) -> Result<(), String> {
    let verified = world.run(&["snapshot", "verify", "--all", "--json"]);
    let found: Value = serde_json::from_str(&verified.out).map_err(|error| format!("{error}: {}", verified.err))?;
    let snapshots = found["snapshots"].as_array().ok_or("no list")?;
    *seen.entry(format!("{} snapshots", snapshots.len())).or_default() += 1;
    if found["bad"] != 0 {
        return Err(format!("one is bad: {found}"));
    }
    if let Some(told) = told
        && !snapshots.iter().any(|snapshot| snapshot["id"] == told["id"])
    {
        return Err(format!("the acknowledged {} is not there", told["id"]));
    }
    world.good(&["daemon", "stop"]);
    let [shelf, state] = ["snapshots", ""].map(|name| std::fs::read_dir(world.home.state().join(name)).unwrap());
    let names = shelf.chain(state).map(|entry| entry.unwrap().file_name());
    let left = names.filter(|name| name.to_string_lossy().starts_with(".snp_")).count();
    if left > 0 { Err(format!("{left} beginnings are left over")) } else { Ok(()) }
}
