//! Kill -9 around firings, the real daemon by a clock that runs 300 times as fast.

use agent::{Event, ScheduleId, UnixSeconds};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{JournalId, ListQuery, Options, Store};
use testkit::{CLOCK, Client, Daemon, Home, Rng, verify_chains};
use wire::Header;

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
/// How many times as fast the clock runs: a minute is 200 ms.
const TIMES: u32 = 300;
/// Kills fall within the time that a start takes to see to what was due meanwhile, and a bit after.
const KILL_WITHIN_MICROS: u64 = 60_000;

fn start(home: &Home, since_micros: u128) -> Daemon {
    let clock = format!("{since_micros} {TIMES}");
    let mut command = home.command(DAEMON);
    home.start_as(command.args(["daemon", "run", "--detached"]).env(CLOCK, clock).current_dir("/")).unwrap()
}

fn add(client: &Client, body: &Value) -> ScheduleId {
    let answer = client.post("/v1/schedules", body).unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json()["id"].as_str().unwrap().parse().unwrap()
}

/// What the journals say, once the daemon is gone.
#[derive(Default)]
struct Told {
    /// How often each occurrence was fired, skipped.
    fired: BTreeMap<(ScheduleId, UnixSeconds), u32>,
    skipped: BTreeMap<(ScheduleId, UnixSeconds), u32>,
    /// Until when, and how many.
    missed: Vec<(ScheduleId, UnixSeconds, u32)>,
    created: BTreeMap<ScheduleId, UnixSeconds>,
    /// How often each occurrence is a prompt in some session.
    prompts: BTreeMap<(ScheduleId, UnixSeconds), u32>,
    turns: (u32, u32),
}

async fn headers(store: &Store, journal: JournalId) -> Vec<Header> {
    let mut all: Vec<Header> = Vec::new();
    loop {
        let after = all.last().map_or(agent::Seq(0), |last| last.seq);
        let page = store.events(journal, after, 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().map(|record| Header::from_json(&record.header).unwrap()));
    }
}

async fn told(store: &Store) -> Told {
    let mut told = Told::default();
    for header in headers(store, JournalId::Daemon).await {
        match header.event {
            Event::ScheduleCreated { schedule, .. } => drop(told.created.insert(schedule, header.at.into())),
            Event::ScheduleFired { schedule, due, .. } => *told.fired.entry((schedule, due)).or_default() += 1,
            Event::ScheduleSkipped { schedule, due, .. } => *told.skipped.entry((schedule, due)).or_default() += 1,
            Event::ScheduleMissed { schedule, until, count } => told.missed.push((schedule, until, count)),
            _ => {}
        }
    }
    let mut before = None;
    loop {
        let page = store.list(ListQuery { before, limit: 200, ..ListQuery::default() }).await.unwrap();
        let Some(last) = page.last() else { return told };
        before = Some(last.cursor);
        for listed in page {
            for header in headers(store, JournalId::Session(listed.session)).await {
                match header.event {
                    Event::PromptAccepted { scheduled: Some(one), .. } => {
                        *told.prompts.entry((one.schedule, one.due)).or_default() += 1;
                    }
                    Event::TurnStarted { .. } => told.turns.0 += 1,
                    Event::TurnFinished { .. } => told.turns.1 += 1,
                    _ => {}
                }
            }
        }
    }
}

/// A world in which two schedules were due every minute, and the daemon was killed so often; and what it told at the end.
fn lived(rng: &mut Rng, kills: u32) -> Home {
    let home = Home::new();
    home.configure("[limits]\nfruitless = 1000\n");
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let client = home.client();
    let mut daemon = start(&home, since);
    let opened = client.post("/v1/sessions", &json!({ "workspace": home.workspace() })).unwrap().json();
    let session = opened["session"].as_str().unwrap();
    let prompt = "[[pause 1]] tick, tock, tick";
    let ids = [
        add(&client, &json!({ "prompt": prompt, "every_s": 60, "session": session, "missed": "all" })),
        add(
            &client,
            &json!({ "prompt": prompt, "cron": "* * * * *", "zone": "UTC", "workspace": home.workspace(),
            "missed": "one" }),
        ),
    ];
    for _ in 0..kills {
        std::thread::sleep(Duration::from_micros(rng.below(KILL_WITHIN_MICROS)));
        daemon.kill();
        daemon = start(&home, since);
    }
    let shown = |id| client.get(&format!("/v1/schedules/{id}")).unwrap().json();
    until("a schedule never fires", || ids.into_iter().all(|id| shown(id)["fired"].as_u64().unwrap() > 1));
    for id in ids {
        assert_eq!(client.post(&format!("/v1/schedules/{id}/pause"), &json!({})).unwrap().status, 200);
    }
    // What was claimed is seen to its end, though the schedule rests.
    until("a run never ends", || ids.into_iter().all(|id| shown(id)["status"] != "running"));
    assert!(daemon.stop().unwrap());
    verify_chains(&home);
    home
}

fn until(never: &str, holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{never}");
        std::thread::yield_now();
    }
}

/// What the journals of a state tell.
fn read(state: &Path) -> Told {
    let store = Store::open(state, Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let told = runtime.block_on(told(&store));
    runtime.block_on(store.close());
    told
}

#[test]
fn no_kill_loses_or_doubles_an_occurrence() {
    let seed = Rng::seed();
    let kills: u32 = std::env::var("TINKERBELL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let home = lived(&mut Rng::new(seed), kills);
    let told = read(&home.state());
    let faults = faults(&told);
    assert!(faults.is_empty(), "seed {seed}: {faults:#?}");
    let missed: u32 = told.missed.iter().map(|(_, _, count)| count).sum();
    println!(
        "schedules: seed {seed}, {kills} kills, {} occurrences fired, {} skipped, {missed} missed, {} prompts, 0 lost, \
         0 doubled",
        told.fired.len(),
        told.skipped.len(),
        told.prompts.len()
    );
}

/// The control: what a daemon that fires an occurrence twice, or never, or says its prompt twice, or never, would leave in
/// its journals is found by the same look at them.
#[test]
fn a_journal_in_which_an_occurrence_is_lost_or_doubled_is_found_out() {
    let home = lived(&mut Rng::new(Rng::seed()), 3);
    let told = read(&home.state());
    assert_eq!(faults(&told), Vec::<String>::new(), "as it is");
    // What happened first by a schedule is told a second time at the end of its journal, or is not told at all.
    let schedule = told.created.keys().next().unwrap();
    let of_kind = |kind: &str| {
        format!("SELECT min(id) FROM events WHERE header LIKE '%\"kind\":\"{kind}\"%' AND header LIKE '%{schedule}%'")
    };
    let doubled = |one: &str| {
        format!(
            "INSERT INTO events (journal, seq, header, body, salt, seal, hash)
                 SELECT e.journal, j.seq + 1, replace(e.header, '\"seq\":' || e.seq, '\"seq\":' || (j.seq + 1)), e.body, e.salt,
                     e.seal, e.hash FROM events e JOIN journals j ON j.id = e.journal WHERE e.id = ({one});
             UPDATE journals SET seq = seq + 1 WHERE id = (SELECT journal FROM events WHERE id = ({one}));"
        )
    };
    let lost = |one: &str| format!("DELETE FROM events WHERE id = ({one});");
    let (claim, prompt) = (of_kind("schedule.fired"), of_kind("prompt.accepted"));
    for (doctored, found) in [
        (doubled(&claim), "fired more than once"),
        (lost(&claim), "what was fired is what was said"),
        (doubled(&prompt), "said more than once"),
        (lost(&prompt), "what was fired is what was said"),
        (lost(&claim) + &lost(&prompt), "occurrences between"),
    ] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(home.state().join("journal.db"), copy.path().join("journal.db")).unwrap();
        let journal = rusqlite::Connection::open(copy.path().join("journal.db")).unwrap();
        journal.execute_batch(&doctored).unwrap();
        journal.close().unwrap();
        let faults = faults(&read(copy.path()));
        assert!(faults.iter().any(|fault| fault.contains(found)), "{doctored}\nfound {faults:#?}, not {found:?}");
    }
}

/// What is wrong: every occurrence from the first to the last was fired, skipped or missed, and no two of these; what was
/// fired is one prompt, and nothing else is.
fn faults(told: &Told) -> Vec<String> {
    let mut faults = Vec::new();
    for (counts, what) in [(&told.fired, "fired"), (&told.skipped, "skipped"), (&told.prompts, "said")] {
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
        if !twice.is_empty() {
            faults.push(format!("{what} more than once: {twice:?}"));
        }
    }
    let keys = |counts: &BTreeMap<(ScheduleId, UnixSeconds), u32>| counts.keys().copied().collect::<BTreeSet<_>>();
    let (fired, skipped, said) = (keys(&told.fired), keys(&told.skipped), keys(&told.prompts));
    if fired != said {
        let apart: Vec<_> = fired.symmetric_difference(&said).collect();
        faults.push(format!("what was fired is what was said, but for {apart:?}"));
    }
    if !fired.is_disjoint(&skipped) {
        faults.push(format!("fired and skipped: {:?}", fired.intersection(&skipped).collect::<Vec<_>>()));
    }
    if told.turns.0 != told.turns.1 {
        faults.push(format!("turns began and ended: {:?}", told.turns));
    }
    for (schedule, created) in &told.created {
        let mut settled: BTreeMap<UnixSeconds, u32> = BTreeMap::new();
        for (_, due) in fired.union(&skipped).filter(|(of, _)| of == schedule) {
            settled.insert(*due, 1);
        }
        for (_, until, count) in told.missed.iter().filter(|(of, ..)| of == schedule) {
            settled.insert(*until, *count);
        }
        let (number, last) = (settled.values().sum::<u32>(), settled.keys().next_back().copied().unwrap_or_default());
        // The one schedule counts minutes from its creation, the other one by the clock.
        let by_clock = last.0 % 60 == 0 && (created.0 % 60 != 0);
        let first = if by_clock { created.0.div_euclid(60) * 60 } else { created.0 };
        if i64::from(number) != (last.0 - first) / 60 {
            faults.push(format!("{schedule} has {number} occurrences between {created:?} and {last:?}"));
        }
    }
    faults
}
