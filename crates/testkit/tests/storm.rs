//! Kill -9 at random moments, the real daemon with a scripted model and a tool that is not idempotent.

#![allow(clippy::print_stdout, reason = "a test of reliability says what it counted")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use testkit::{Client, Home, Rng, verify_chains};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
/// Longer than any turn here takes, after a kill too.
const PATIENCE: Duration = Duration::from_secs(30);
/// Kills fall within the time that an undisturbed turn takes, and a bit after.
const KILL_WITHIN_MICROS: u64 = 45_000;

fn configured() -> Home {
    let home = Home::new();
    home.configure("[permissions]\nrules = [{ tool = \"count\", decision = \"allow\" }]\n[limits]\nfruitless = 50\n");
    std::fs::write(home.workspace().join("a.txt"), "alpha\n").unwrap();
    home
}

/// Three steps with text that streams, two micro-commits and two counted effects, told apart by `label`.
fn script(label: &str) -> String {
    format!(
        "[[pause 1]] first I write and count [[tool write_file {{\"path\":\"{label}.txt\",\"content\":\"one\\n\"}}]] \
         [[tool count {{\"label\":\"{label}-a\"}}]] [[then]] [[pause 1]] then I look and change \
         [[tool read_file {{\"path\":\"a.txt\"}}]] [[tool list_directory {{}}]] \
         [[tool edit_file {{\"path\":\"{label}.txt\",\"old\":\"one\",\"new\":\"two\"}}]] [[then]] \
         [[pause 1]] and count again [[tool count {{\"label\":\"{label}-b\"}}]] [[then]] that was all"
    )
}

/// Follows a session in a thread of its own; each update is an acknowledgement.
fn follow(client: &Client, session: &str, after: u64) -> mpsc::Receiver<Value> {
    let (sender, updates) = mpsc::sync_channel(1024);
    let (client, session) = (client.clone(), session.to_owned());
    std::thread::spawn(move || {
        let Ok(events) = client.follow(&session, after) else { return };
        for update in events {
            if sender.send(update).is_err() {
                return;
            }
        }
    });
    updates
}

/// What clients were told of a session.
type Acknowledged = BTreeMap<u64, Value>;

fn take(acknowledged: &mut Acknowledged, update: Value) {
    if let Some(seq) = update["seq"].as_u64() {
        let before = acknowledged.insert(seq, update.clone());
        assert!(before.is_none_or(|before| before == update), "event {seq} changed after it was acknowledged");
    }
}

/// Goes on with a session until its turn has ended, answering what is asked.
fn until_finished(client: &Client, session: &str, acknowledged: &mut Acknowledged) -> u32 {
    let updates = follow(client, session, 0);
    let began = Instant::now();
    let mut answered = 0;
    loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        let update = updates.recv_timeout(left).unwrap_or_else(|_| {
            let view = client.get(&format!("/v1/sessions/{session}")).map(|answer| answer.json());
            panic!(
                "the turn of {session} did not end; the session is {view:?}; last events {:?}",
                acknowledged.iter().rev().take(4).collect::<Vec<_>>()
            )
        });
        let kind = update["kind"].as_str().unwrap_or_default().to_owned();
        if kind == "approval.requested" {
            // Answered already where this is history; the daemon says so then.
            let path = format!("/v1/sessions/{session}/approvals/{}", update["effect"].as_str().unwrap());
            let answer = client.post(&path, &json!({ "answer": "skip" })).unwrap();
            answered += u32::from(answer.status == 200);
        }
        take(acknowledged, update);
        if kind == "turn.finished" {
            return answered;
        }
    }
}

/// A session's whole journal, page by page.
fn journal(client: &Client, session: &str) -> Vec<Value> {
    let mut journal = Vec::new();
    loop {
        let after = journal.len();
        let page = client.get(&format!("/v1/sessions/{session}/events?after={after}")).unwrap().json();
        journal.extend(page["events"].as_array().unwrap().clone());
        if page["next"].is_null() {
            return journal;
        }
    }
}

fn check(client: &Client, session: &str, acknowledged: &Acknowledged) {
    let journal = journal(client, session);
    for (at, event) in journal.iter().enumerate() {
        assert_eq!(event["seq"], at as u64 + 1, "a hole in {session}");
    }
    for (seq, update) in acknowledged {
        assert_eq!(journal.get(*seq as usize - 1), Some(update), "acknowledged event {seq} of {session} was lost");
    }
    let of = |kind: &str| journal.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((of("turn.started"), of("turn.finished")), (1, 1), "{session}");
    let started: Vec<&Value> = journal.iter().filter(|e| e["kind"].as_str().unwrap().ends_with(".started")).collect();
    let mut effects: Vec<&str> = started.iter().filter_map(|event| event["effect"].as_str()).collect();
    let all = effects.len();
    effects.sort_unstable();
    effects.dedup();
    assert_eq!(effects.len(), all, "an effect of {session} was started twice");
}

#[test]
fn no_kill_loses_an_acknowledged_event_or_repeats_an_effect() {
    storm(60);
}

/// R1, with the count that it names.
#[test]
#[ignore = "real: five hundred kills take a minute"]
fn real_storm_of_five_hundred_kills_loses_nothing() {
    storm(500);
}

fn storm(usual: u32) {
    let seed = Rng::seed();
    let kills: u32 = std::env::var("TINKERBELL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let mut rng = Rng::new(seed);
    let home = configured();
    let client = home.client();
    let (mut killed, mut events, mut answered, mut sessions) = (0, 0, 0, 0);
    let mut daemon = home.start(DAEMON).unwrap();
    while killed < kills {
        let label = format!("s{sessions}");
        let body = json!({ "workspace": home.workspace(), "prompt": { "text": script(&label) } });
        let created = client.post("/v1/sessions", &body).unwrap();
        assert_eq!(created.status, 200, "{:?}", created.json());
        let session = created.json()["session"].as_str().unwrap().to_owned();
        sessions += 1;
        let mut acknowledged = Acknowledged::new();
        // Up to three kills fall into one session: also into the first moments after waking.
        for _ in 0..=rng.below(3) {
            let updates = follow(&client, &session, acknowledged.keys().last().copied().unwrap_or(0));
            let moment = Instant::now() + Duration::from_micros(rng.below(KILL_WITHIN_MICROS));
            while let Ok(update) = updates.recv_timeout(moment.saturating_duration_since(Instant::now())) {
                take(&mut acknowledged, update);
            }
            daemon.kill();
            // What was told before the kill was told.
            while let Ok(update) = updates.recv() {
                take(&mut acknowledged, update);
            }
            killed += 1;
            daemon = home.start(DAEMON).unwrap();
        }
        answered += until_finished(&client, &session, &mut acknowledged);
        check(&client, &session, &acknowledged);
        events += acknowledged.len();
        let counted = std::fs::read_to_string(home.path("count")).unwrap_or_default();
        for effect in ["a", "b"] {
            let times = counted.lines().filter(|line| *line == format!("{label}-{effect}")).count();
            assert!(times <= 1, "seed {seed}: {label}-{effect} was counted {times} times");
        }
    }
    assert!(daemon.stop().unwrap());
    verify_chains(&home);
    println!(
        "kill storm: seed {seed}, {killed} kills in {sessions} sessions, {events} acknowledged events, 0 lost, 0 holes, \
         {answered} questions answered, 0 effects doubled"
    );
}

/// Files of an accept.
const FILES: usize = 50;
/// An accept of so many files, synced, takes about this long.
const ACCEPT_WITHIN_MICROS: u64 = 120_000;

#[test]
fn a_kill_in_an_accept_leaves_every_file_whole_and_all_of_them_alike() {
    let seed = Rng::seed();
    let mut rng = Rng::new(seed);
    let home = configured();
    let client = home.client();
    let (trials, mut written, mut untouched) = (40, 0, 0);
    let mut daemon = home.start(DAEMON).unwrap();
    for trial in 0..trials {
        let name = |file: usize| format!("t{trial}/f{file}.txt");
        let old = |file: usize| format!("old {file}\n").repeat(50);
        std::fs::create_dir(home.workspace().join(format!("t{trial}"))).unwrap();
        for file in 0..FILES / 2 {
            std::fs::write(home.workspace().join(name(file)), old(file)).unwrap();
        }
        // Half of the files are there before; they are read first, since what was not seen is not overwritten.
        let reads: String =
            (0..FILES / 2).map(|f| format!("[[tool read_file {{\"path\":\"{}\"}}]]", name(f))).collect();
        let content = |file: usize| format!("new {file} of {trial}\n").repeat(40);
        let writes: String = (0..FILES)
            .map(|f| format!("[[tool write_file {}]]", json!({ "path": name(f), "content": content(f) })))
            .collect();
        let prompt = format!("{reads} [[then]] {writes}");
        let body = json!({ "workspace": home.workspace(), "prompt": { "text": prompt } });
        let session = client.post("/v1/sessions", &body).unwrap().json()["session"].as_str().unwrap().to_owned();
        until_finished(&client, &session, &mut Acknowledged::new());
        let accepting = {
            let (client, session) = (client.clone(), session.clone());
            // Its answer does not matter: the daemon may be gone before it comes.
            std::thread::spawn(move || client.post(&format!("/v1/sessions/{session}/canvas/accept"), &json!({})).ok())
        };
        let moment = Duration::from_micros(rng.below(ACCEPT_WITHIN_MICROS));
        std::thread::sleep(moment);
        daemon.kill();
        let answer = accepting.join().unwrap();
        daemon = home.start(DAEMON).unwrap();
        let settled = until_accept_is_settled(&client, &session);
        let state = |file: usize| std::fs::read_to_string(home.workspace().join(name(file))).ok();
        let new = (0..FILES).filter(|file| state(*file) == Some(content(*file))).count();
        let kept = (0..FILES).filter(|file| state(*file) == (*file < FILES / 2).then(|| old(*file))).count();
        let what = format!("seed {seed}, trial {trial}, {moment:?}: {new} new, {kept} kept, settled {settled:?}");
        assert!((new, kept) == (FILES, 0) || (new, kept) == (0, FILES), "{what}");
        let acknowledged = answer.is_some_and(|answer| answer.status == 200 && answer.json()["outcome"] == "done");
        assert!(!acknowledged || new == FILES, "{what}: the accept was acknowledged");
        assert_eq!(settled.as_deref() == Some("done"), new == FILES, "{what}");
        let left = std::fs::read_dir(home.workspace().join(format!("t{trial}"))).unwrap();
        let left =
            left.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".tinkerbell")).count();
        assert_eq!(left, 0, "{what}: temporary files are left");
        written += usize::from(new == FILES);
        untouched += usize::from(new == 0);
    }
    assert!(daemon.stop().unwrap());
    verify_chains(&home);
    println!(
        "accept storm: seed {seed}, {trials} kills in accepts of {FILES} files, {written} finished, {untouched} as before, \
         0 in between"
    );
}

/// The outcome of the session's accept; none when the kill came before its plan was on disk.
fn until_accept_is_settled(client: &Client, session: &str) -> Option<String> {
    let began = Instant::now();
    loop {
        let events = journal(client, session);
        let of = |kind: &str| events.iter().rfind(|event| event["kind"] == kind).cloned();
        of("accept.started")?;
        if let Some(finished) = of("accept.finished") {
            return Some(finished["outcome"].as_str().unwrap().to_owned());
        }
        assert!(began.elapsed() < PATIENCE, "the accept of {session} is never settled");
        std::thread::yield_now();
    }
}
