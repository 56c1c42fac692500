//! R7: killed at every call that changes the disk, between a tool's start and its result too, a tool that touches the
//! world runs at most once and is asked about where nobody can know; one that may be repeated runs at least once.

#![allow(clippy::print_stdout, reason = "a test of reliability says what it counted")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use testkit::every_fault::{Campaign, Hurt, for_every_fault};
use testkit::syscalls::{Fault, Hurt as Wound, Injector, Kinds, Whose, available};
use testkit::{Daemon, Home, Rng, verify_chains};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
/// Longer than any turn here takes, after a kill too.
const PATIENCE: Duration = Duration::from_secs(30);
/// Two tools in one step, and one more of the world in the next.
const SCRIPT: &str = "first [[tool count {\"label\":\"once\"}]] [[tool look {\"label\":\"again\"}]] [[then]] \
                      [[tool count {\"label\":\"later\"}]] [[then]] that was all";

struct Scene {
    home: Home,
    session: String,
}

fn start(home: &Home, injector: &Injector) -> Daemon {
    let mut command = home.command(DAEMON);
    command.args(["daemon", "run", "--detached"]).current_dir("/");
    injector.watch(&mut command).unwrap();
    home.start_as(&mut command).unwrap()
}

/// One turn, killed at the Nth call.
fn hurt(nth: u64) -> Hurt<Scene> {
    let home = Home::new();
    home.configure("[permissions]\nrules = [{ tool = \"*\", decision = \"allow\" }]\n");
    let injector = Injector::new(&home.path(""));
    let daemon = start(&home, &injector);
    let client = home.client();
    let created = client.post("/v1/sessions", &json!({ "workspace": home.workspace() })).unwrap().json();
    let session = created["session"].as_str().unwrap().to_owned();
    let (kinds, whose) = (Kinds::ALL, Whose::Everybodys);
    injector.arm(Fault { nth, kinds, whose, hurt: Wound::KillAll, sticky: false });
    let key = [("idempotency-key", "key"), ("content-type", "application/json")];
    let prompt = json!({ "text": SCRIPT }).to_string();
    let path = format!("/v1/sessions/{session}/prompts");
    let asked = client.send("POST", &path, &key, prompt.as_bytes());
    if asked.is_ok_and(|answer| answer.status == 200) {
        let mut updates = client.follow(&session, 0).into_iter().flatten();
        updates.find(|update| update["kind"] == "turn.finished");
    }
    let hit = injector.hit();
    injector.disarm();
    drop(daemon);
    Hurt { world: Scene { home, session }, hit }
}

/// The next daemon goes on, and what it asks is answered with "skip".
fn heal(Scene { home, session }: Scene, questions: &AtomicU64) -> Result<(), String> {
    let daemon = home.start(DAEMON)?;
    let client = home.client();
    let (began, mut asked) = (Instant::now(), 0);
    let path = format!("/v1/sessions/{session}/prompts");
    let headers = [("idempotency-key", "key"), ("content-type", "application/json")];
    let answered = client.send("POST", &path, &headers, json!({ "text": SCRIPT }).to_string().as_bytes());
    let answered = answered.map_err(|error| error.to_string())?;
    if answered.status != 200 {
        return Err(format!("the prompt's key is answered with {} {}", answered.status, answered.json()));
    }
    let events = loop {
        let view = client.get(&format!("/v1/sessions/{session}")).unwrap().json();
        for question in view["approvals"].as_array().into_iter().flatten() {
            if question["question"] != "unknown_outcome" {
                return Err(format!("it asks {question}"));
            }
            let path = format!("/v1/sessions/{session}/approvals/{}", question["id"].as_str().unwrap());
            asked += u64::from(client.post(&path, &json!({ "answer": "skip" })).unwrap().status == 200);
        }
        let page = client.get(&format!("/v1/sessions/{session}/events?after=0")).unwrap().json();
        let events = page["events"].as_array().unwrap().clone();
        if events.iter().any(|event| event["kind"] == "turn.finished") {
            break events;
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("the turn does not end: {view}"));
        }
    };
    let counted = std::fs::read_to_string(home.path("count")).unwrap_or_default();
    let times = |label: &str| counted.lines().filter(|line| *line == label).count();
    let (once, again, later) = (times("once"), times("again"), times("later"));
    if once > 1 || later > 1 || again == 0 {
        return Err(format!("counted: once {once}, later {later}, again {again}"));
    }
    // What did not run was asked about: nothing is left out silently.
    if (2 - once - later) as u64 > asked {
        return Err(format!("counted: once {once}, later {later}, and only {asked} questions were asked"));
    }
    let mut starts: Vec<&Value> = events.iter().filter(|e| e["kind"] == "tool.started").map(|e| &e["effect"]).collect();
    let all = starts.len();
    starts.sort_by_key(|effect| effect.to_string());
    starts.dedup();
    if starts.len() != all {
        return Err("an effect was started twice".to_owned());
    }
    questions.fetch_add(asked, Ordering::Relaxed);
    if !daemon.stop().unwrap() {
        return Err("it did not stop in good order".to_owned());
    }
    verify_chains(&home);
    Ok(())
}

fn campaign(stride: u64, at_once: u64) {
    if let Err(why) = available() {
        return println!("skipped: {why}");
    }
    let campaign = Campaign { name: "tools that count, killed".to_owned(), seed: Rng::seed(), stride, at_once };
    let questions = AtomicU64::new(0);
    let tally = for_every_fault(&campaign, hurt, |scene| heal(scene, &questions));
    println!("{}; {} questions asked", tally.line(), questions.into_inner());
    assert!(tally.failures.is_empty() && tally.trials > 0, "{}", tally.failures.join("\n"));
}

#[test]
fn a_tool_of_the_world_runs_at_most_once_wherever_the_kill_falls() {
    campaign(7, 1);
}

#[test]
#[ignore = "real: kills at each call of the turn, which takes a minute"]
fn real_kills_at_every_call_run_no_tool_of_the_world_twice() {
    campaign(1, 2);
}
