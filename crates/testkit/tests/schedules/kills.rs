//! Kill -9 around firings, the real daemon by a clock that runs 300 times as fast.

use agent::{Event, ScheduleId, UnixSeconds};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
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

#[test]
fn no_kill_loses_or_doubles_an_occurrence() {
    let seed = Rng::seed();
    let kills: u32 = std::env::var("TINKERBELL_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let mut rng = Rng::new(seed);
    let home = Home::new();
    home.configure("[limits]\nfruitless = 50\n");
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
    for id in ids {
        assert_eq!(client.post(&format!("/v1/schedules/{id}/pause"), &json!({})).unwrap().status, 200);
    }
    // What was claimed is seen to its end, though the schedule rests.
    let running = |id| client.get(&format!("/v1/schedules/{id}")).unwrap().json()["status"] == "running";
    let began = std::time::Instant::now();
    while ids.into_iter().any(running) {
        assert!(began.elapsed() < Duration::from_secs(60), "a run never ends");
        std::thread::yield_now();
    }
    assert!(daemon.stop().unwrap());
    verify_chains(&home);
    let store = Store::open(&home.state(), Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let told = runtime.block_on(told(&store));
    runtime.block_on(store.close());
    check(seed, &told);
    let missed: u32 = told.missed.iter().map(|(_, _, count)| count).sum();
    println!(
        "schedules: seed {seed}, {kills} kills, {} occurrences fired, {} skipped, {missed} missed, {} prompts, 0 lost, \
         0 doubled",
        told.fired.len(),
        told.skipped.len(),
        told.prompts.len()
    );
}

/// Every occurrence from the first to the last was fired, skipped or missed, and no two of these; what was fired is one
/// prompt, and nothing else is.
fn check(seed: u64, told: &Told) {
    let once = |counts: &BTreeMap<_, u32>, what: &str| {
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
        assert!(twice.is_empty(), "seed {seed}: {what} more than once: {twice:?}");
    };
    once(&told.fired, "fired");
    once(&told.skipped, "skipped");
    once(&told.prompts, "said");
    let keys = |counts: &BTreeMap<(ScheduleId, UnixSeconds), u32>| counts.keys().copied().collect::<BTreeSet<_>>();
    assert_eq!(keys(&told.fired), keys(&told.prompts), "seed {seed}: what was fired is what was said");
    assert!(keys(&told.fired).is_disjoint(&keys(&told.skipped)), "seed {seed}");
    assert_eq!(told.turns.0, told.turns.1, "seed {seed}: every turn ended");
    for (schedule, created) in &told.created {
        let mut settled: BTreeMap<UnixSeconds, u32> = BTreeMap::new();
        for (_, due) in keys(&told.fired).union(&keys(&told.skipped)).filter(|(of, _)| of == schedule) {
            settled.insert(*due, 1);
        }
        for (_, until, count) in told.missed.iter().filter(|(of, ..)| of == schedule) {
            settled.insert(*until, *count);
        }
        let (number, last) = (settled.values().sum::<u32>(), *settled.keys().next_back().unwrap());
        // The one schedule counts minutes from its creation, the other one by the clock.
        let by_clock = last.0 % 60 == 0 && (created.0 % 60 != 0);
        let first = if by_clock { created.0.div_euclid(60) * 60 } else { created.0 };
        assert_eq!(i64::from(number), (last.0 - first) / 60, "seed {seed}: {schedule} from {created:?} to {last:?}");
    }
}
