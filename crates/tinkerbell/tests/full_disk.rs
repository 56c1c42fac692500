//! A disk that is full, really: the state directory on a small file system of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use serde_json::{Value, json};
use testkit::{Daemon, Disk, Rng};
use world::{TINKERBELL, World, journal};

/// A daemon whose state lies on a disk of its own. Fields are dropped in order: the daemon first.
struct Small {
    daemon: Option<Daemon>,
    disk: Disk,
    world: World,
}

impl Small {
    fn new(options: &str) -> Result<Small, String> {
        let world = World::new();
        let disk = Disk::in_memory(&world.home.state(), options)?;
        Ok(Small { daemon: None, disk, world })
    }

    fn start(&mut self) {
        self.daemon = Some(self.world.daemon());
    }
}

const PROMPT: &str = "Create a file hello.txt that contains the word hi.";

/// Words that do not compress well.
fn noise(rng: &mut Rng, words: u64) -> String {
    (0..words).map(|_| format!("{:x} ", rng.draw())).collect()
}

#[test]
fn a_full_disk_refuses_writes_answers_reads_and_loses_nothing() {
    let mut small = match Small::new("size=1m,nr_inodes=64,mode=700") {
        Ok(small) => small,
        Err(why) => return println!("skipped: {why}"),
    };
    let seed = Rng::seed();
    let mut rng = Rng::new(seed);
    small.start();
    let (world, client) = (&small.world, small.world.client());
    let workspace = json!({ "workspace": world.home.workspace() });
    let session = client.post("/v1/sessions", &workspace).unwrap().json()["session"].as_str().unwrap().to_owned();
    let prompts = format!("/v1/sessions/{session}/prompts");
    let mut acknowledged: Vec<(u64, Value, String)> = Vec::new();
    let refused = loop {
        assert!(acknowledged.len() < 1000, "a disk of 1 MiB never became full");
        let text = format!("Create a file n{}.txt that contains the word {}", acknowledged.len(), noise(&mut rng, 100));
        let answer = client.post(&prompts, &json!({ "text": text })).unwrap();
        match answer.status {
            200 => {
                let told = answer.json();
                acknowledged.push((told["seq"].as_u64().unwrap(), told["turn"].clone(), text));
            }
            _ => break answer,
        }
    };
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (507, &json!("storage_full")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("no room left on the disk"), "{problem}");
    assert!(problem["remedy"].as_str().unwrap().contains("free some space"), "{problem}");

    // All that only reads goes on.
    let filler = small.disk.fill();
    assert_eq!(world.json(&["status"])["store"]["health"], "open");
    let before = journal(&client, &session);
    assert!(world.good(&["sessions", "ls"]).contains("idle") || world.good(&["sessions", "ls"]).contains("running"));
    for (seq, _, text) in &acknowledged {
        assert_eq!(&before[*seq as usize - 1]["data"]["text"], text, "seed {seed}: acknowledged and lost");
    }
    world.run(&["ask", "-s", &session, &noise(&mut rng, 2000)]).refused(8, &["no room", "free some"]);
    // Something so small may still fit into the log's last page; then it is there.
    let creating = client.post("/v1/sessions", &workspace).unwrap();
    assert!([200, 507].contains(&creating.status), "{:?}", creating.json());
    if let Some(id) = creating.json()["session"].as_str() {
        assert_eq!(client.get(&format!("/v1/sessions/{id}")).unwrap().status, 200);
    }
    // Pictures in git cannot be drawn or can, and are no reason to die.
    let log = world.run(&["log", "-s", &session]);
    assert!(log.code == 0 || log.err.contains("No space") || log.err.contains("no room"), "{log:?}");
    assert_eq!(client.get("/readyz").unwrap().status, 200);

    // With room again, the same daemon goes on with all it had acknowledged.
    std::fs::remove_file(filler).unwrap();
    small.disk.remount("size=64m,nr_inodes=4096").unwrap();
    let last = client.post(&prompts, &json!({ "text": "Create a file last.txt that contains the word hi." })).unwrap();
    assert_eq!(last.status, 200, "{:?}", last.json());
    let turn = last.json()["turn"].clone();
    let finished = |update: &Value| update["kind"] == "turn.finished" && update["turn"] == turn;
    assert!(client.follow(&session, 0).unwrap().any(|update| finished(&update)), "the last turn ends");
    let after = journal(&client, &session);
    assert_eq!(after[..before.len()], before[..], "what was there stayed");
    for (at, event) in after.iter().enumerate() {
        assert_eq!(event["seq"], at as u64 + 1, "no holes");
    }
    for (_, turn, _) in &acknowledged {
        let ends: Vec<_> = after.iter().filter(|e| e["kind"] == "turn.finished" && e["turn"] == *turn).collect();
        assert_eq!(ends.len(), 1, "seed {seed}: {turn} must end once");
        assert_eq!(ends[0]["outcome"], "done", "seed {seed}: {}", ends[0]);
    }
    assert_eq!(world.good(&["show", "-s", &session, "last.txt"]), "hi\n");
    world.good(&["log", "-s", &session]);
    assert_eq!(world.json(&["status"])["generation"], 1, "it was never restarted");
    assert!(small.daemon.take().unwrap().stop().unwrap());
    println!("full disk: seed {seed}, {} prompts acknowledged, 0 lost, {} events", acknowledged.len(), after.len());
}

/// R4: room there is, but not for one more file: what needs one says so, what needs none goes on.
#[test]
fn a_disk_without_names_left_hinders_only_what_makes_files() {
    let mut small = match Small::new("size=16m,nr_inodes=64,mode=700") {
        Ok(small) => small,
        Err(why) => return println!("skipped: {why}"),
    };
    small.start();
    let (world, client) = (&small.world, small.world.client());
    let body = json!({ "workspace": world.home.workspace(), "prompt": { "text": PROMPT } });
    let created = client.post("/v1/sessions", &body).unwrap().json();
    let session = created["session"].as_str().unwrap().to_owned();
    let ended = |update: &Value| update["kind"] == "turn.finished";
    assert!(client.follow(&session, 0).unwrap().any(|update| ended(&update)));
    let names = small.disk.fill_names();

    // The journal has its files, so turns go on, and accept writes elsewhere.
    let second = client.post("/v1/sessions", &body).unwrap();
    assert_eq!(second.status, 200, "{:?}", second.json());
    let second = second.json()["session"].as_str().unwrap().to_owned();
    assert!(client.follow(&second, 0).unwrap().any(|update| ended(&update)));
    assert_eq!(client.post(&format!("/v1/sessions/{session}/canvas/accept"), &json!({})).unwrap().status, 200);
    // A picture and a key need files: they are refused with the reason, as no room.
    let log = client.get(&format!("/v1/sessions/{session}/canvas/log")).unwrap();
    assert_eq!((log.status, &log.json()["code"]), (507, &json!("storage_full")), "{}", log.json());
    let key = json!({ "key": "sk-of-a-test-0123456789" }).to_string();
    let key = client.send("PUT", "/v1/keys/openai", &[("content-type", "application/json")], key.as_bytes()).unwrap();
    assert_eq!((key.status, &key.json()["code"]), (507, &json!("storage_full")), "{}", key.json());
    world.run(&["log", "-s", &session]).refused(8, &["No space left", "free"]);
    assert_eq!(world.json(&["status"])["store"]["health"], "open");

    std::fs::remove_dir_all(&names).unwrap();
    world.good(&["log", "-s", &session]);
    assert!(small.daemon.take().unwrap().stop().unwrap());
    testkit::verify_chains(&small.world.home);

    // A start finds no name for its socket or its log.
    std::fs::remove_dir_all(small.disk.at().join("log")).unwrap();
    let names = small.disk.fill_names();
    let refused = small.world.home.start(TINKERBELL).unwrap_err();
    let place = small.disk.at().to_str().unwrap();
    assert!(refused.contains("No space left") && refused.contains(place), "{refused}");
    std::fs::remove_dir_all(names).unwrap();
    assert!(small.world.daemon().stop().unwrap());
}

#[test]
fn a_disk_that_is_full_from_the_beginning_is_named() {
    let small = match Small::new("size=1m,mode=700") {
        Ok(small) => small,
        Err(why) => return println!("skipped: {why}"),
    };
    let filler = small.disk.fill();
    let refused = small.world.home.start(TINKERBELL).unwrap_err();
    assert!(refused.contains("o room") || refused.contains("No space left"), "{refused}");
    assert!(refused.contains(small.disk.at().to_str().unwrap()), "it names the place: {refused}");
    std::fs::remove_file(filler).unwrap();
    small.disk.remount("size=8m").unwrap();
    assert!(small.world.daemon().stop().unwrap(), "what the failed start left is no hindrance");
}

#[test]
fn a_disk_that_is_read_only_is_named() {
    let mut small = match Small::new("size=16m,mode=700") {
        Ok(small) => small,
        Err(why) => return println!("skipped: {why}"),
    };
    small.start();
    small.world.good(&["ask", "Create a file hello.txt that contains the word hi."]);
    assert!(small.daemon.take().unwrap().stop().unwrap());
    // The kernel refuses this while files are open for writing, so a running daemon does not meet it on this kind of
    // file system; failing writes below a running daemon are the failing VFS's part.
    small.disk.remount("ro").unwrap();
    let refused = small.world.run(&["diff"]);
    refused.refused(10, &["state directory", "Read-only file system", "make it writable", "TINKERBELL_HOME"]);
    let doctor = small.world.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("cannot be written"), "{doctor:?}");
    small.disk.remount("rw").unwrap();
    small.start();
    assert_eq!(small.world.good(&["show", "hello.txt"]), "hi\n", "nothing was lost");
}
