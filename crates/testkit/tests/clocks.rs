//! R6: the wall clock is set while a turn runs: a day ahead, a day back, sixty times as fast. Deadlines, pauses and idle
//! times are of the monotonic clock, events are in order by their places, and idempotency keys neither expire early
//! nor come back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::{Value, json};
use std::path::PathBuf;
use testkit::{Answer, Client, Daemon, Home};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
/// A deadline that a clock a day ahead has passed long ago, and an idle time that it has passed too.
const CONFIG: &str = "[daemon]\nidle_ms = 3600000\n[limits]\nturn_ms = 3600000\nattempts = 3\nbackoff_ms = 50\n";
/// Says some words for a while.
const LONG: &str = "[[pause 20]] one two three four five six seven eight nine ten eleven twelve [[then]] that was all";

/// A daemon whose wall clock is set by a file.
struct Clock {
    daemon: Option<Daemon>,
    home: Home,
    library: PathBuf,
}

impl Clock {
    fn new(config: &str) -> Result<Clock, String> {
        let real =
            std::env::var_os("TINKERBELL_REAL").ok_or("TINKERBELL_REAL is not set; run `cargo xtask test --real`")?;
        let library = PathBuf::from(real).join("faketime/libfaketime.so");
        if !library.exists() {
            return Err(format!("there is no {}", library.display()));
        }
        let home = Home::new();
        home.configure(config);
        let mut clock = Clock { daemon: None, home, library };
        clock.set("+0");
        clock.start();
        Ok(clock)
    }

    fn start(&mut self) {
        let mut command = self.home.command(DAEMON);
        command.args(["daemon", "run", "--detached"]).current_dir("/");
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.home.path("clock"));
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        self.daemon = Some(self.home.start_as(&mut command).unwrap());
    }

    /// Sets the clock: an offset such as `+1d`, or a speed such as `+0 x60`.
    fn set(&mut self, how: &str) {
        let (at, fresh) = (self.home.path("clock"), self.home.path("clock.new"));
        std::fs::write(&fresh, format!("{how}\n")).unwrap();
        std::fs::rename(fresh, at).unwrap();
    }

    fn stop(&mut self) {
        assert!(self.daemon.take().unwrap().stop().unwrap());
    }

    fn client(&self) -> Client {
        self.home.client()
    }

    fn session(&self) -> String {
        let created = self.client().post("/v1/sessions", &json!({ "workspace": self.home.workspace() })).unwrap();
        created.json()["session"].as_str().unwrap().to_owned()
    }

    fn prompt(&self, session: &str, text: &str, key: &str) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let body = json!({ "text": text }).to_string();
        self.client().send("POST", &format!("/v1/sessions/{session}/prompts"), &headers, body.as_bytes()).unwrap()
    }

    /// One turn, with something done when its first word is heard; all its updates.
    fn turn(&mut self, session: &str, text: &str, key: &str, how: &str) -> Vec<Value> {
        let answer = self.prompt(session, text, key);
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        let turn = answer.json()["turn"].clone();
        let (mut updates, mut set) = (Vec::new(), false);
        for update in self.client().follow(session, 0).unwrap() {
            let of_turn = update["turn"] == turn;
            if of_turn && !set && ["message.delta", "tool.started", "model.failed"].contains(&kind(&update)) {
                self.set(how);
                set = true;
            }
            let ended = of_turn && kind(&update) == "turn.finished";
            updates.push(update);
            if ended {
                break;
            }
        }
        assert!(set, "nothing was heard of {turn} before its end");
        updates
    }
}

fn kind(update: &Value) -> &str {
    update["kind"].as_str().unwrap_or_default()
}

fn outcome(updates: &[Value]) -> &str {
    updates.last().unwrap()["outcome"].as_str().unwrap()
}

#[test]
#[ignore = "real: needs libfaketime"]
fn real_faketime_clocks_that_jump_hurry_nothing_and_hold_nothing_up() {
    let mut clock = match Clock::new(CONFIG) {
        Ok(clock) => clock,
        Err(why) => return println!("skipped: {why}"),
    };
    let session = clock.session();
    let ways = ["+1d", "-1d", "+0 x60", "-2d", "+0", "+400d", "-1d x60", "+0"];
    let mut times = Vec::new();
    for (at, how) in ways.into_iter().enumerate() {
        let updates = clock.turn(&session, LONG, &format!("key {at}"), how);
        assert_eq!(outcome(&updates), "done", "{how}");
        let seqs: Vec<u64> = updates.iter().filter_map(|update| update["seq"].as_u64()).collect();
        assert!(seqs.windows(2).all(|two| two[1] == two[0] + 1), "{how}: events are in order by their places");
        times.push(updates.last().unwrap()["at"].clone());
        // An answer that was given a moment ago is neither forgotten nor given to another request.
        let again = clock.prompt(&session, LONG, &format!("key {at}"));
        assert_eq!(again.status, 200, "{how}: {:?}", again.json());
        let other = clock.prompt(&session, "something else", &format!("key {at}"));
        assert_eq!(other.status, 422, "{how}: {:?}", other.json());
        let first = clock.prompt(&session, LONG, "key 0");
        assert_eq!(first.json()["turn"], "trn_1", "{how}: the first key is known all the while");
    }
    let backwards = times.windows(2).filter(|two| two[1].as_str() < two[0].as_str()).count();
    assert!(backwards >= 3, "the clock was never set back: {times:?}");
    let status = clock.client().get("/v1/daemon").unwrap().json();
    assert_eq!(
        (&status["cache"]["awake"], &status["cache"]["let_go"]),
        (&json!(1), &json!(0)),
        "nobody idled for an hour"
    );
    // A daemon that begins while the clock is set back goes on from what the one before knew.
    clock.stop();
    clock.set("-3d");
    clock.start();
    let first = clock.prompt(&session, LONG, "key 0");
    assert_eq!(first.json()["turn"], "trn_1", "{:?}", first.json());
    // Far ahead of what the daemon counts by itself, as after days of sleep: the next one begins there, and what was answered
    // a moment ago is known to it.
    clock.set("+500d");
    let asked = clock.prompt(&session, LONG, "a sleeper's");
    assert_eq!(asked.status, 200, "{:?}", asked.json());
    clock.stop();
    clock.start();
    assert_eq!(clock.prompt(&session, LONG, "a sleeper's").json()["turn"], asked.json()["turn"]);
    clock.stop();
    testkit::verify_chains(&clock.home);
    println!("clocks: {} turns with the clock set in the middle, {backwards} times backwards, 0 failures", ways.len());
}

#[test]
#[ignore = "real: needs libfaketime"]
fn real_faketime_deadlines_and_pauses_end_though_the_clock_goes_back() {
    let config = "[limits]\nturn_ms = 4000\nattempts = 3\nbackoff_ms = 50\n[permissions]\nrules = [{ tool = \"stall\", decision = \"allow\" }]\n";
    let mut clock = match Clock::new(config) {
        Ok(clock) => clock,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut trials = 0;
    for how in ["-1d", "-400d", "-1d x60", "+0"] {
        let session = clock.session();
        let stalled = clock.turn(&session, "[[tool stall {}]]", "stall", how);
        assert_eq!(outcome(&stalled), "limit", "{how}: {:?}", stalled.last());
        let failed = clock.turn(&session, "[[fail overloaded]] no", "fail", how);
        assert_eq!(outcome(&failed), "failed", "{how}: {:?}", failed.last());
        assert_eq!(failed.iter().filter(|update| kind(update) == "model.failed").count(), 3, "{how}: three attempts");
        trials += 2;
    }
    clock.stop();
    println!("clocks: {trials} deadlines and pauses with the clock set back, each came, 0 failures");
}
