//! Disks that fail as disks do: the power goes in the middle of the load, or the kernel finds an error and takes no more
//! writes. On an ext4 of its own, in an image.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use testkit::{Client, Daemon, Disk, Rng};
use world::{TINKERBELL, World, journal, process, wait_until};

/// How often the power is cut.
const CUTS: u64 = 8;
/// Sessions that are spoken to at the same time.
const SPEAKERS: usize = 3;
/// The longest time from the start to a cut.
const CUT_WITHIN_MS: u64 = 700;
const IMAGE_MEBIBYTES: u64 = 64;

/// A world whose state lies on a disk of its own. Fields are dropped in order: the daemon first.
struct OnDisk {
    daemon: Option<Daemon>,
    disk: Disk,
    world: World,
}

impl OnDisk {
    fn new(options: &str) -> Result<OnDisk, String> {
        let world = World::new();
        let disk = Disk::in_image(&world.home.state(), IMAGE_MEBIBYTES, options)?;
        std::fs::set_permissions(disk.at(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Ok(OnDisk { daemon: None, disk, world })
    }

    fn start(&mut self) {
        self.daemon = Some(self.world.daemon());
    }

    /// The process is gone, and the disk comes back as the power left it.
    fn power_returns(&mut self) {
        self.daemon.take().unwrap().kill();
        self.disk.back().unwrap();
    }
}

/// What was told of each session: events by place.
type Told = Mutex<BTreeMap<String, BTreeMap<u64, Value>>>;

/// Speaks to a new session again and again until the daemon fails; every update is an acknowledgement.
fn speak(client: &Client, workspace: &Path, number: usize, told: &Told) {
    let created = client.post("/v1/sessions", &json!({ "workspace": workspace }));
    let Some(session) = created.ok().and_then(|answer| answer.json()["session"].as_str().map(str::to_owned)) else {
        return;
    };
    told.lock().unwrap().entry(session.clone()).or_default();
    let mut after = 0;
    for n in 0.. {
        let text = format!("Create a file s{number}-{n}.txt that contains the word w{n}.");
        let prompt = client.post(&format!("/v1/sessions/{session}/prompts"), &json!({ "text": text }));
        let Some(answer) = prompt.ok().filter(|answer| answer.status == 200) else { return };
        let turn = answer.json()["turn"].clone();
        let mut ended = false;
        for update in client.follow(&session, after).into_iter().flatten() {
            ended = update["kind"] == "turn.finished" && update["turn"] == turn;
            if let Some(seq) = update["seq"].as_u64() {
                after = seq;
                told.lock().unwrap().get_mut(&session).unwrap().insert(seq, update);
            }
            if ended {
                break;
            }
        }
        if !ended {
            return;
        }
    }
}

#[test]
#[ignore = "real: needs root, a loop device and mkfs.ext4"]
fn real_power_cuts_lose_no_acknowledged_event() {
    let mut scene = match OnDisk::new("") {
        Ok(scene) => scene,
        Err(why) => return println!("skipped: {why}"),
    };
    let seed = Rng::seed();
    let mut rng = Rng::new(seed);
    let told = Told::default();
    for cut in 0..CUTS {
        scene.start();
        let (client, workspace) = (scene.world.client(), scene.world.home.workspace());
        std::thread::scope(|scope| {
            for speaker in 0..SPEAKERS {
                let (client, workspace, told) = (&client, &workspace, &told);
                scope.spawn(move || speak(client, workspace, speaker, told));
            }
            std::thread::sleep(Duration::from_millis(100 + rng.below(CUT_WITHIN_MS)));
            scene.disk.cut().unwrap();
            // It gets errors from now on; whoever waits for it is let go by its end.
            let daemon = process(scene.daemon.as_ref().unwrap().pid());
            kill_process(daemon, Signal::KILL).unwrap();
        });
        scene.power_returns();
        scene.start();
        let client = scene.world.client();
        for (session, events) in told.lock().unwrap().iter() {
            let there = journal(&client, session);
            for (at, event) in there.iter().enumerate() {
                assert_eq!(event["seq"], at as u64 + 1, "seed {seed}, cut {cut}: a hole in {session}");
            }
            for (seq, update) in events {
                let found = there.get(*seq as usize - 1);
                assert_eq!(
                    found,
                    Some(update),
                    "seed {seed}, cut {cut}: acknowledged event {seq} of {session} is lost"
                );
            }
        }
        assert!(scene.daemon.take().unwrap().stop().unwrap());
        testkit::verify_chains(&scene.world.home);
    }
    let told = told.into_inner().unwrap();
    let events: usize = told.values().map(BTreeMap::len).sum();
    println!(
        "power: seed {seed}, {CUTS} cuts, {events} acknowledged events in {} sessions, 0 lost of {events}",
        told.len()
    );
    assert!(events as u64 > CUTS * 10, "{events} events are no load");
}

/// R5: the kernel makes the disk read-only under a running turn.
#[test]
#[ignore = "real: needs root, a loop device and mkfs.ext4"]
fn real_disk_that_the_kernel_makes_read_only_is_named_and_nobody_spins() {
    let mut scene = match OnDisk::new("errors=remount-ro") {
        Ok(scene) => scene,
        Err(why) => return println!("skipped: {why}"),
    };
    scene.start();
    let (world, client) = (&scene.world, scene.world.client());
    world.good(&["ask", "Create a file hello.txt that contains the word hi."]);
    let listed = client.get("/v1/sessions").unwrap().json();
    let session = listed["sessions"][0]["id"].as_str().unwrap().to_owned();
    let before = journal(&client, &session);
    // A turn is under way while it happens.
    let prompts = format!("/v1/sessions/{session}/prompts");
    let prompt = json!({ "text": "Create a file two.txt that contains the word zwei." });
    assert_eq!(client.post(&prompts, &prompt).unwrap().status, 200);
    if let Err(why) = scene.disk.break_down() {
        return println!("skipped: {why}");
    }
    let mut refusals = Vec::new();
    let problem = loop {
        let answer = client.post(&prompts, &prompt).unwrap();
        let problem = answer.json();
        refusals.push(problem["code"].as_str().unwrap_or("taken").to_owned());
        assert!(refusals.len() < 1000, "it is never told: {problem}");
        if problem["code"] == "read_only" {
            break problem;
        }
    };
    assert!(problem["detail"].as_str().unwrap().contains(scene.disk.at().to_str().unwrap()), "{problem}");
    assert_eq!(client.get("/v1/daemon").unwrap().json()["store"]["health"], "read_only");
    assert_eq!(journal(&client, &session)[..before.len()], before[..], "reads go on");
    let pid = scene.daemon.as_ref().unwrap().pid();
    let (ticks, seconds) = (ticks(pid), 5);
    std::thread::sleep(Duration::from_secs(seconds));
    let spent = self::ticks(pid) - ticks;
    println!(
        "read-only: refusals {:?}; then {spent} of {} ticks of CPU in {seconds} s",
        tally(&refusals),
        seconds * 100
    );
    let log = std::fs::read_to_string(scene.disk.at().join("log/daemon.log")).unwrap_or_default();
    assert!(!log.contains("panicked"), "{log}");

    // A start on it says what is the matter, and when the disk is well again everything is there.
    drop(scene.daemon.take());
    wait_until("it is gone", || testkit::has_ended(process(pid)));
    let refused = scene.world.home.start(TINKERBELL).unwrap_err();
    assert!(
        refused.contains("Read-only file system") && refused.contains(scene.disk.at().to_str().unwrap()),
        "{refused}"
    );
    scene.disk.back().unwrap();
    scene.start();
    let after = journal(&client, &session);
    assert_eq!(after[..before.len()], before[..]);
    wait_until("the turn that was under way ends", || {
        let events = journal(&client, &session);
        let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
        of("turn.finished") == of("turn.started") && of("turn.started") >= 2
    });
    assert!(scene.daemon.take().unwrap().stop().unwrap());
    testkit::verify_chains(&scene.world.home);
}

/// How often each stands there.
fn tally(words: &[String]) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    words.iter().for_each(|word| *times.entry(word.as_str()).or_default() += 1);
    times
}

/// The CPU time that a process has spent, in hundredths of a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
