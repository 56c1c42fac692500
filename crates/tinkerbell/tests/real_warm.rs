//! What twenty warm turns cost in system calls, watched by strace: each a prompt, a reply that writes a file, the tool, a
//! second reply. One connection to the model server since the first turn, no configuration, certificate or program
//! opened, two syncs a round; and a table of all the rest.
//!
//! What the calls are, by the size of their part in a turn:
//!
//! - `pwrite64`: pages of the journal's write-ahead log. SQLite writes a frame as its head and its page, some fourteen
//!   pages to a commit, four commits to a turn.
//! - `futex`, `epoll_wait`, `write` to an eventfd: threads that hand over, to the journal's writer above all, and wait.
//! - `fcntl`, `pread64`: locks and pages of readers of the journal, which are transactions of their own.
//! - `openat2`, `open`, `close`: the workspace's directory for each look; five names of instructions files, looked for at
//!   each turn's beginning and not there; and the touched paths that the work tree has no file for, compared with the
//!   canvas at the border of a turn, which grow by one with each turn here.
//! - `writev`, `recvfrom`: the model server and whoever watches. `accept4`, `shutdown`: a connection for each prompt.
//! - `mprotect`, `madvise`, `mmap`: the allocator.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "the numbers are what one runs it for")]

mod counterpart;
mod world;

use counterpart::{Call, Stub, calls, place};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;
use testkit::{Client, Events};
use world::{TINKERBELL, World, server};

/// Turns before anything is counted, and those that are.
const WARM_UP: usize = 2;
const TURNS: usize = 20;
/// Calls of the model in a turn: one that asks for the tool, one after it.
const ROUNDS: usize = 2;
/// What is looked for in the workspace at each turn.
const INSTRUCTIONS: [&str; 5] =
    ["AGENTS.md", "CLAUDE.md", "GEMINI.md", ".github/copilot-instructions.md", ".cursorrules"];
/// What a name may not contain that a warm turn opens: configuration, certificates, resolvers, programs, libraries.
const COLD: [&str; 9] = ["config", ".toml", "ssl", ".pem", ".crt", "/etc/", "/proc/", "/bin/", "/lib/"];

/// A session and what it says.
struct Talk<'a> {
    client: &'a Client,
    session: String,
    updates: Events,
}

impl Talk<'_> {
    fn begin<'a>(world: &World, client: &'a Client) -> Talk<'a> {
        let body = json!({ "workspace": world.home.workspace() });
        let session = client.post("/v1/sessions", &body).unwrap().json()["session"].as_str().unwrap().to_owned();
        let updates = client.follow(&session, 0).unwrap();
        Talk { client, session, updates }
    }

    /// One turn, which writes a file of its own.
    fn turn(&mut self, number: usize) {
        let text = format!("[[tool write_file {{\"path\":\"file{number}.txt\",\"content\":\"text {number}\\n\"}}]]");
        let answer = self.client.post(&format!("/v1/sessions/{}/prompts", self.session), &json!({ "text": text }));
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        let end = self.updates.find(|update| update["kind"] == "turn.finished").expect("the turn ends");
        let told = (&end["outcome"], &end["steps"], &end["changed"]);
        assert_eq!(told, (&json!("done"), &json!(ROUNDS), &json!(1)), "{end}");
    }
}

/// The whole trace, and the span of the turns that count.
fn traced(world: &World, strace: &std::path::Path) -> (String, SystemTime, SystemTime) {
    let trace = world.home.path("trace");
    let mut command = world.home.command(strace);
    command.args(["-f", "-qq", "-yy", "-ttt", "-s", "256", "-e", "signal=none", "-o"]).arg(&trace);
    let daemon = world.home.start_as(command.args([TINKERBELL, "daemon", "run", "--detached"])).unwrap();
    let client = world.client();
    let mut talk = Talk::begin(world, &client);
    (0..WARM_UP).for_each(|number| talk.turn(number));
    let from = SystemTime::now();
    (WARM_UP..WARM_UP + TURNS).for_each(|number| talk.turn(number));
    let until = SystemTime::now();
    assert!(client.post("/v1/daemon/stop", &json!({})).unwrap().status < 300);
    assert!(daemon.wait().unwrap());
    (std::fs::read_to_string(trace).unwrap(), from, until)
}

/// Calls that open something by its name.
fn opens<'a>(call: &&Call<'a>) -> bool {
    matches!(call.name, "open" | "openat" | "openat2" | "creat")
}

/// Every connection was made while it warmed up, and to the model server there is one.
fn connections(all: &[Call<'_>], from: SystemTime, port: u16) {
    let to_model = format!(":{port}");
    let made = |call: &&Call<'_>| call.name == "connect";
    let (before, after): (Vec<_>, Vec<_>) = all.iter().filter(made).partition(|call| call.at < from);
    let of_model =
        before.iter().filter(|call| call.rest.contains(&to_model) || call.rest.contains(&format!("htons({port})")));
    assert_eq!((of_model.count(), after.len()), (1, 0), "{before:?} {after:?}");
}

/// What was opened: nothing cold, the instructions once a turn each, the rest by kind.
fn opened(warm: &[&Call<'_>], world: &World) {
    let (workspace, state) = (world.home.workspace(), world.home.state());
    let (mut instructions, mut names) = (BTreeMap::<&str, usize>::new(), BTreeMap::<String, usize>::new());
    for call in warm.iter().copied().filter(opens) {
        let name = call.quoted();
        assert!(!COLD.iter().any(|cold| name.contains(cold)), "not in a warm turn: {call:?}");
        let inside =
            [workspace.to_str().unwrap(), state.to_str().unwrap()].iter().any(|place| call.rest.contains(place));
        assert!(inside, "neither in the workspace nor in the state: {call:?}");
        match INSTRUCTIONS.iter().find(|file| **file == name) {
            Some(file) => *instructions.entry(file).or_default() += 1,
            None => {
                *names
                    .entry(name.trim_matches(|c: char| !c.is_alphabetic()).replace(|c: char| c.is_ascii_digit(), ""))
                    .or_default() += 1
            }
        }
    }
    let once_a_turn = INSTRUCTIONS.map(|file| (file, TURNS));
    assert_eq!(instructions, BTreeMap::from(once_a_turn), "instructions files are looked for once a turn");
    println!("opened in {TURNS} turns: instructions files that are not there, {instructions:?}; else {names:?}");
}

/// Two syncs a round, of the journal alone. A checkpoint, which is the writer's chore and not the turns', adds its own.
fn syncs(warm: &[&Call<'_>]) {
    let synced = warm.iter().filter(|call| matches!(call.name, "fsync" | "fdatasync"));
    let (log, rest): (Vec<&Call<'_>>, Vec<&Call<'_>>) =
        synced.copied().partition(|call| call.rest.contains("/journal.db-wal>"));
    let (database, rest): (Vec<&Call<'_>>, _) = rest.into_iter().partition(|call| call.rest.contains("/journal.db>"));
    let (index, rest): (Vec<&Call<'_>>, _) = rest.into_iter().partition(|call| call.rest.contains("/search.db"));
    assert!(rest.is_empty(), "only the journal and the index of words are synced: {rest:?}");
    let (turns, checkpoints) = (TURNS * ROUNDS * 2, database.len());
    let (of_log, of_index) = (log.len(), index.len());
    println!(
        "syncs: {of_log} of the log in {} rounds, {checkpoints} checkpoints, {of_index} of the index",
        TURNS * ROUNDS
    );
    // A checkpoint syncs the log once before it, and once more when the log begins anew.
    assert!((turns..=turns + 2 * checkpoints).contains(&log.len()), "{} syncs of the log", log.len());
}

fn table(warm: &[&Call<'_>]) {
    let mut counts = BTreeMap::<&str, usize>::new();
    warm.iter().for_each(|call| *counts.entry(call.name).or_default() += 1);
    let by_count: BTreeSet<_> = counts.iter().map(|(name, count)| (std::cmp::Reverse(*count), *name)).collect();
    println!("system calls of {TURNS} warm turns: {}; a turn's:", warm.len());
    for (count, name) in by_count {
        println!("{:9.2} {name}", count.0 as f64 / TURNS as f64);
    }
}

#[test]
#[ignore = "real: needs strace, and python3 for bench/stub_llm.py"]
fn real_strace_of_twenty_warm_turns() {
    let (strace, stub) = match place("strace/strace").and_then(|strace| Ok((strace, Stub::start()?))) {
        Ok(both) => both,
        Err(why) => return println!("skipped: {why}"),
    };
    let world = World::new();
    world.home.configure(&server(&stub.url(), "tools = \"native\""));
    let (trace, from, until) = traced(&world, &strace);
    let all = calls(&trace);
    assert!(all.iter().any(|call| call.name == "execve"), "the trace begins with the daemon");
    let warm: Vec<&Call<'_>> = all.iter().filter(|call| from <= call.at && call.at <= until).collect();
    connections(&all, from, stub.port);
    let programs = warm.iter().filter(|call| matches!(call.name, "execve" | "execveat" | "fork" | "vfork" | "clone"));
    assert_eq!(programs.count(), 0, "no program is run");
    assert_eq!(stub.served(), ((WARM_UP + TURNS) * ROUNDS) as u64);
    opened(&warm, &world);
    syncs(&warm);
    table(&warm);
}
