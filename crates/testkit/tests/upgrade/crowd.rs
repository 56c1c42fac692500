//! Sessions that stream all the time, each with a client that follows it by its cursor and counts what it sees.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testkit::{Client, Home};

/// Longer than any turn here takes, whatever happens meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often we look for what nothing tells us of.
pub(crate) const LOOK: Duration = Duration::from_millis(2);

/// The sessions and their clients.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    told: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Seen>>,
}

/// What one client saw.
#[derive(Default)]
pub(crate) struct Seen {
    session: String,
    updates: Vec<Value>,
    turns: usize,
    pub(crate) reconnects: usize,
    pub(crate) drainings: usize,
    /// Updates whose number was not the next one.
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
}

/// All clients together.
#[derive(Debug, Default)]
pub(crate) struct Total {
    pub(crate) sessions: usize,
    pub(crate) turns: usize,
    pub(crate) events: usize,
    pub(crate) reconnects: usize,
    pub(crate) drainings: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
}

impl Crowd {
    /// Opens sessions, and has each talk until [`Crowd::end`].
    pub(crate) fn begin(home: &Home, sessions: usize) -> Crowd {
        let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let clients = (0..sessions).map(|number| {
            let (client, workspace) = (home.client(), home.workspace());
            let (stop, told) = (stop.clone(), told.clone());
            std::thread::spawn(move || {
                let body = json!({ "workspace": workspace });
                let created = insist(&client, "/v1/sessions", &format!("create-{number}"), &body);
                let session = created["session"].as_str().unwrap().to_owned();
                let mut seen = Seen { session, ..Seen::default() };
                while !stop.load(Ordering::Relaxed) {
                    seen.turn(&client, number, &told);
                }
                seen
            })
        });
        let clients = clients.collect();
        Crowd { stop, told, clients }
    }

    /// Waits until so many more updates have come, so that what happens next happens while all is in motion.
    pub(crate) fn after_more(&self, updates: u64) {
        let (before, began) = (self.told.load(Ordering::Relaxed), Instant::now());
        while self.told.load(Ordering::Relaxed) < before + updates {
            assert!(began.elapsed() < PATIENCE, "nothing streams any more");
            std::thread::sleep(LOOK);
        }
    }

    /// Lets every running turn end, and compares what the clients saw with the journals.
    pub(crate) fn end(self, client: &Client) -> Total {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = Total::default();
        for seen in self.clients {
            let seen = seen.join().unwrap();
            seen.check(client);
            total.sessions += 1;
            total.turns += seen.turns;
            total.events += seen.updates.len();
            total.reconnects += seen.reconnects;
            total.drainings += seen.drainings;
            total.lost += seen.lost;
            total.doubled += seen.doubled;
        }
        total
    }
}

impl Seen {
    /// Says something, and follows to the end of the turn.
    fn turn(&mut self, client: &Client, number: usize, told: &AtomicU64) {
        let label = format!("{number}-{}", self.turns);
        let path = format!("/v1/sessions/{}/prompts", self.session);
        let turn = insist(client, &path, &label, &json!({ "text": script(&label) }))["turn"].clone();
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "{turn} of {} did not end", self.session);
            let Ok(updates) = client.follow(&self.session, self.updates.len() as u64) else {
                std::thread::sleep(LOOK);
                continue;
            };
            for update in updates {
                told.fetch_add(1, Ordering::Relaxed);
                self.drainings += usize::from(update["kind"] == "daemon.draining");
                let is_last = update["kind"] == "turn.finished" && update["turn"] == turn;
                self.take(update);
                if is_last {
                    self.turns += 1;
                    return;
                }
            }
            self.reconnects += 1;
            std::thread::sleep(LOOK);
        }
    }

    fn take(&mut self, update: Value) {
        let Some(seq) = update["seq"].as_u64() else { return };
        let next = self.updates.len() as u64 + 1;
        self.lost += usize::from(seq > next);
        self.doubled += usize::from(seq < next);
        self.updates.push(update);
    }

    /// What was seen is the journal; every turn ended well, and nothing was started twice.
    fn check(&self, client: &Client) {
        let journal = journal(client, &self.session);
        assert_eq!(self.updates.len(), journal.len(), "{}", self.session);
        assert!(self.updates == journal, "{}: what was seen is not what is there", self.session);
        let of = |kind: &str| journal.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
        assert_eq!((of("turn.started").len(), of("turn.finished").len()), (self.turns, self.turns));
        assert!(of("turn.finished").iter().all(|end| end["outcome"] == "done"), "{}", self.session);
        let started = journal.iter().filter(|event| event["kind"].as_str().unwrap().ends_with(".started"));
        let effects: Vec<&str> = started.filter_map(|event| event["effect"].as_str()).collect();
        assert_eq!(effects.iter().collect::<BTreeSet<_>>().len(), effects.len(), "an effect was started twice");
        // Each turn writes two files: once each, whatever was in between.
        let written = of("tool.finished").iter().filter(|end| end["outcome"] == "done").count();
        assert_eq!(written, 2 * self.turns, "{}", self.session);
    }
}

/// Three replies that stream, with two changes between them.
pub(crate) fn script(label: &str) -> String {
    let words = "word ".repeat(25);
    format!(
        "[[pause 4]] {words} [[tool write_file {{\"path\":\"{label}-a.txt\",\"content\":\"one\\n\"}}]] [[then]] \
         [[pause 4]] {words} [[tool write_file {{\"path\":\"{label}-b.txt\",\"content\":\"two\\n\"}}]] [[then]] \
         [[pause 4]] {words}"
    )
}

/// Sends a write under a key until it is answered, as a client does that will not take an upgrade for an answer.
pub(crate) fn insist(client: &Client, path: &str, key: &str, body: &Value) -> Value {
    let began = Instant::now();
    loop {
        let answer = client.send("POST", path, &[("idempotency-key", key)], body.to_string().as_bytes());
        match answer {
            Ok(answer) if answer.status == 200 => return answer.json(),
            Ok(answer) => assert_eq!(answer.status, 503, "{:?}", answer.json()),
            Err(_) => {}
        }
        assert!(began.elapsed() < PATIENCE, "{path} is not answered");
        std::thread::sleep(LOOK);
    }
}

/// All events of a session, by pages.
pub(crate) fn journal(client: &Client, session: &str) -> Vec<Value> {
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
