//! A daemon that hands over to another binary, or stops and starts again, while sessions stream; and what comes of it
//! when the new one fails, or either of the two is killed, at every step.

#![allow(clippy::print_stdout, reason = "a test of reliability says what it counted")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

#[path = "upgrade/crowd.rs"]
mod crowd;
#[path = "upgrade/meanwhile.rs"]
mod meanwhile;

use crowd::{Crowd, LOOK, Total, insist, journal};
use daemon::Step;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::{Answer, Client, Daemon, Home, has_ended, verify_chains};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
/// Longer than anything here takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);
/// Turns get a short grace, so that calls are cut at it and not only at their ends; and a new binary that hangs is given
/// up soon.
const CONFIG: &str = "[daemon]\ngrace_ms = 60\nupgrade_ms = 20000\n";

/// A world whose last daemon, whoever started it, goes with it.
struct Place {
    home: Home,
}

impl Place {
    fn new(config: &str) -> Place {
        let home = Home::new();
        home.configure(config);
        Place { home }
    }

    fn start(&self, parts: &[&str]) -> Result<Daemon, String> {
        let program = self.home.binary("old", DAEMON, parts);
        self.home.start(program)
    }

    /// The process of the daemon that last announced itself.
    fn announced(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.home.state().join("daemon.lock")).ok()?;
        let pid = serde_json::from_str::<Value>(&text).ok()?["pid"].as_i64()?;
        Pid::from_raw(i32::try_from(pid).ok()?)
    }

    /// Has the daemon that serves now stop, and waits until it is gone.
    fn stop(&self) {
        let pid = self.announced().unwrap();
        assert_eq!(self.home.client().post("/v1/daemon/stop", &json!({})).unwrap().status, 202);
        wait_until("the daemon is gone", || has_ended(pid));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pid) = self.announced().filter(|pid| !has_ended(*pid)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(LOOK);
    }
}

fn upgrade(client: &Client, binary: &Path) -> Answer {
    client.post("/v1/daemon/upgrade", &json!({ "binary": binary })).unwrap()
}

/// What the daemon that serves says of itself; whoever it is, it answers in the end.
fn status(client: &Client) -> Value {
    let mut status = Value::Null;
    wait_until("somebody serves", || {
        status = client.get("/v1/daemon").map_or(Value::Null, |answer| answer.json());
        !status["pid"].is_null()
    });
    status
}

/// Hands over so often under so many sessions.
fn upgrades(sessions: usize, times: usize) {
    let place = Place::new(CONFIG);
    let mut first = Some(place.start(&[]).unwrap());
    let client = place.home.client();
    let binary = place.home.binary("new", DAEMON, &[]);
    let crowd = Crowd::begin(&place.home, sessions);
    let (mut slowest, mut generation) = (Duration::ZERO, 1);
    for _ in 0..times {
        crowd.after_more(sessions as u64 * 10);
        let before = place.announced().unwrap();
        let began = Instant::now();
        let begun = upgrade(&client, &binary);
        assert_eq!(begun.status, 202, "{:?}", begun.json());
        let begun = begun.json();
        assert_eq!(begun["from_pid"], before.as_raw_nonzero().get(), "{begun}");
        wait_until("the new one serves", || status(&client)["pid"] == begun["to_pid"]);
        slowest = slowest.max(began.elapsed());
        match first.take() {
            Some(daemon) => assert!(daemon.wait().unwrap(), "the old one leaves in good order"),
            None => wait_until("the old one is gone", || has_ended(before)),
        }
        let now = status(&client);
        generation += 1;
        assert_eq!((now["generation"].as_u64(), &now["upgrade"]["outcome"]), (Some(generation), &json!("taken_over")));
    }
    let total = crowd.end(&client);
    place.stop();
    let (kept, events) = verify_chains(&place.home);
    let Total { sessions, turns, events: seen, reconnects, drainings, lost, doubled } = total;
    println!(
        "upgrade: {times} hand-overs under {sessions} streaming sessions, {turns} turns, {seen} events seen of {events} \
         in {kept} journals: {lost} lost, {doubled} doubled; {reconnects} reconnects, {drainings} announced; the slowest \
         hand-over took {slowest:?}"
    );
    assert_eq!((lost, doubled, seen as u64, kept as usize), (0, 0, events, sessions));
    assert!(drainings > 0 && reconnects > 0, "nobody noticed anything");
}

#[test]
fn an_upgrade_under_streaming_sessions_loses_and_doubles_nothing() {
    upgrades(8, 3);
}

#[test]
#[ignore = "real: takes some minutes"]
fn real_twenty_upgrades_under_fifty_streaming_sessions() {
    upgrades(50, 20);
}

#[test]
fn a_stop_and_a_start_under_streaming_sessions_lose_and_double_nothing() {
    let place = Place::new(CONFIG);
    let mut daemon = place.start(&[]).unwrap();
    let crowd = Crowd::begin(&place.home, 8);
    let stops = 3;
    for _ in 0..stops {
        crowd.after_more(80);
        assert!(daemon.stop().unwrap(), "it ends in good order");
        daemon = place.start(&[]).unwrap();
    }
    let total = crowd.end(&place.home.client());
    assert!(daemon.stop().unwrap());
    let (_, events) = verify_chains(&place.home);
    println!(
        "stop: {stops} stops under {} streaming sessions, {} turns, {} events seen of {events}: {} lost, {} doubled; {} \
         reconnects, {} announced",
        total.sessions, total.turns, total.events, total.lost, total.doubled, total.reconnects, total.drainings
    );
    assert_eq!((total.lost, total.doubled, total.events as u64), (0, 0, events));
    assert!(total.drainings > 0);
}

#[test]
fn a_new_binary_that_fails_leaves_the_old_one_serving() {
    let place = Place::new("[daemon]\ngrace_ms = 60\nupgrade_ms = 1500\n");
    let daemon = place.start(&[]).unwrap();
    let client = place.home.client();
    let crowd = Crowd::begin(&place.home, 2);
    let script = |name: &str, text: &str| place.home.script(name, text);
    let part = |parts: &[&str]| place.home.binary(&parts.join("-").replace('=', "-"), DAEMON, parts);
    let hangs = "had not";
    let ends = "ended (";
    // Whether it fails while the old one serves as ever, or after it had given everything away.
    let (before, after) = (409, 202);
    let cases = [
        (place.home.path("nowhere"), before, "cannot run"),
        (script("no-program", "exit 3"), before, ends),
        (script("crashes", "kill -SEGV $$"), before, ends),
        // It hangs up, and something of it lives on with the conversation open.
        (script("leaves-a-child", "sleep 600 & exit 0"), before, ends),
        (script("hangs", "exec sleep 600"), before, hangs),
        (part(&["hang=greeted"]), before, hangs),
        (part(&["kill=greeted"]), before, ends),
        (part(&["schema=broken"]), before, "there_is_no_such_table"),
        (part(&["kill=fit"]), after, ends),
        (part(&["kill=taken"]), after, ends),
        (part(&["hang=taken"]), after, hangs),
        (part(&["kill=opened"]), after, ends),
        (part(&["hang=opened"]), after, hangs),
        (part(&["schema=next", "kill=opened"]), after, ends),
        (part(&["schema=next", "hang=opened"]), after, hangs),
        (part(&["kill=allowed"]), after, ends),
    ];
    let trials = cases.len();
    for (binary, answered, why) in cases {
        crowd.after_more(10);
        let answer = upgrade(&client, &binary);
        assert_eq!(answer.status, answered, "{}: {:?}", binary.display(), answer.json());
        let failed = || Some(status(&client)).filter(|now| now["upgrade"]["binary"] == json!(binary));
        wait_until("the old one says what failed", || failed().is_some());
        let now = failed().unwrap();
        assert_eq!((&now["pid"], &now["upgrade"]["outcome"]), (&json!(daemon.pid()), &json!("failed")), "{now}");
        assert!(now["upgrade"]["why"].as_str().unwrap().contains(why), "{}: {now}", binary.display());
        assert!(answered == after || answer.json()["detail"].as_str().unwrap().contains(why), "{:?}", answer.json());
    }
    let total = crowd.end(&client);
    assert_eq!((total.lost, total.doubled), (0, 0));
    assert!(daemon.stop().unwrap());
    let (_, events) = verify_chains(&place.home);
    assert_eq!(total.events as u64, events);
    println!("bad binaries: {trials} tried, 0 took over; {events} events, 0 lost, 0 doubled, {} turns", total.turns);
}

#[test]
fn whoever_is_killed_at_whatever_step_exactly_one_serves_or_the_next_start_does() {
    let (mut table, mut events) = (String::new(), 0);
    for step in Step::ALL {
        let place = Place::new(CONFIG);
        let dies = format!("kill={}", step.name());
        let parts: &[&str] = &[&dies];
        let (olds, news) = if step.is_of_the_new() { (&[][..], parts) } else { (parts, &[][..]) };
        let old = place.start(olds).unwrap();
        let (client, binary) = (place.home.client(), place.home.binary("new", DAEMON, news));
        let created = insist(&client, "/v1/sessions", "create", &json!({ "workspace": place.home.workspace() }));
        let session = created["session"].as_str().unwrap().to_owned();
        let prompt = json!({ "text": crowd::script("s") });
        let turn = insist(&client, &format!("/v1/sessions/{session}/prompts"), "say", &prompt)["turn"].clone();
        let mut seen: Vec<Value> = client.follow(&session, 0).unwrap().take(8).collect();
        // The answer may be cut by the death of whoever gives it.
        let begun = client.post("/v1/daemon/upgrade", &json!({ "binary": binary }));
        let first = old.pid();
        if !step.is_of_the_new() {
            assert!(!old.wait().unwrap(), "{}: the old one was killed", step.name());
        } else {
            std::mem::forget(old);
            // It answers its clients until it gets to the step at which it dies.
            let new = begun.as_ref().ok().and_then(|answer| answer.json()["to_pid"].as_i64());
            if let Some(new) = new.and_then(|pid| Pid::from_raw(pid as i32)) {
                wait_until("the new one is gone", || has_ended(new));
            }
        }
        // With one of the two gone, the other serves, or nobody has the lock any more.
        let mut next = None;
        wait_until("somebody serves", || {
            if client.get("/healthz").is_ok_and(|answer| answer.status == 200) {
                return true;
            }
            next = place.start(&[]).ok();
            next.is_some()
        });
        let now = status(&client);
        let who = match (now["pid"].as_u64(), &next) {
            (Some(pid), None) if pid == u64::from(first) => "the old one",
            (_, None) => "the new one",
            (_, Some(_)) => "the next start",
        };
        let refused = place.home.start(DAEMON).unwrap_err();
        assert!(refused.contains(&format!("process {}", now["pid"])), "{}: {refused}", step.name());
        let done = |event: &Value| event["kind"] == "turn.finished" && event["turn"] == turn;
        wait_until("the turn has ended", || journal(&client, &session).iter().any(done));
        let journal = journal(&client, &session);
        seen.retain(|update| update["seq"].is_u64());
        assert!(seen.iter().zip(&journal).all(|(seen, kept)| seen == kept), "{}: an event was lost", step.name());
        let numbers: Vec<u64> = journal.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=journal.len() as u64).collect::<Vec<_>>(), "{}", step.name());
        place.stop();
        events += verify_chains(&place.home).1;
        let answered = begun.map_or("nothing".to_owned(), |answer| answer.status.to_string());
        table += &format!(
            "\n  {} killed at {:8} answered {answered}, then {who} served",
            if step.is_of_the_new() { "new" } else { "old" },
            step.name()
        );
    }
    println!("kills: {} steps, {events} events, 0 lost, exactly one served each time{table}", Step::ALL.len());
}

#[test]
fn what_a_kill_left_of_an_upgrade_is_gone_after_a_start() {
    let place = Place::new(CONFIG);
    std::fs::create_dir_all(place.home.state().join("rehearsal")).unwrap();
    let left = ["rehearsal/journal.db", "journal.db.aside"].map(|name| place.home.state().join(name));
    left.iter().for_each(|path| std::fs::write(path, "words").unwrap());
    let _daemon = place.start(&[]).unwrap();
    wait_until("they are gone", || left.iter().all(|path| !path.exists()));
}

#[test]
fn newer_tables_are_tried_on_a_copy_and_never_opened_by_an_older_binary() {
    let place = Place::new(CONFIG);
    let daemon = place.start(&[]).unwrap();
    let client = place.home.client();
    insist(&client, "/v1/sessions", "create", &json!({ "workspace": place.home.workspace() }));
    let next = place.home.binary("next", DAEMON, &["schema=next"]);
    let begun = upgrade(&client, &next);
    assert_eq!((begun.status, &begun.json()["migrates"]), (202, &json!(true)));
    wait_until("the next version serves", || status(&client)["pid"] == begun.json()["to_pid"]);
    assert!(daemon.wait().unwrap());
    assert_eq!(status(&client)["sessions"], 1);
    let leftovers =
        ["rehearsal", "journal.db.aside", "journal.db.back"].map(|name| place.home.state().join(name).exists());
    assert_eq!(leftovers, [false; 3], "nothing of the trial is left");
    // Back to an older one: not by an upgrade, and not by a start.
    let older = upgrade(&client, &place.home.binary("older", DAEMON, &[]));
    let words = older.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(older.status == 409 && words.contains("version 4") && words.contains("up to 3"), "{words}");
    assert_eq!(status(&client)["upgrade"]["outcome"], "failed");
    place.stop();
    let refused = place.home.start(DAEMON).unwrap_err();
    assert!(refused.contains("version 4") && refused.contains("start the newer tinkerbell"), "{refused}");
    assert!(place.home.start(next).is_ok(), "and the newer one opens it as it was");
}
