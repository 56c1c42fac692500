//! Whoever looks on while the daemon hands over to another one, or is stopped and started again, in the middle of an
//! answer: `ask`, `attach`, `chat` and a stream of updates. The answer arrives whole and once, and at most one line says
//! what happened to it.

#![allow(clippy::print_stdout, reason = "a test of reliability says what it counted")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use testkit::Client;
use world::half::{BEFORE, Heard, Model, PROMPT, WORDS, Watching, hands_over, world};
use world::{LOOK, World, journal, wait_until};

/// What is said of an answer that an upgrade has cut.
const CUT: &str = "! the daemon was upgraded in the middle of the reply; trying again with served (attempt 2)";
/// What is said when the next daemon is not there within a second, which is up to the machine.
const LATE: &str = "the daemon is being upgraded; connecting again…";

/// It ended well, printed the answer once, and told no more of what happened to it than it should.
#[track_caller]
fn is_whole(watching: Watching, told: &[&str]) {
    let ran = watching.ended();
    assert_eq!((ran.code, ran.out.as_str()), (0, format!("{}\n", WORDS.concat()).as_str()), "{ran:?}");
    let usual = |line: &&str| {
        line.is_empty()
            || ["model served", "session ", "> ", "1 step", "next: ", LATE].iter().any(|begin| line.starts_with(begin))
    };
    let remarks: Vec<&str> = ran.err.lines().filter(|line| !usual(line)).collect();
    assert_eq!(remarks, told, "{ran:?}");
}

/// A client that follows a session by its cursor, and connects again however its stream ends.
struct Following(JoinHandle<(Vec<Value>, usize)>);

impl Following {
    /// Returns once it has seen something, so that what happens next happens while it looks on.
    fn start(client: Client, session: String) -> Following {
        let (sees, has_seen) = mpsc::sync_channel(1);
        let following = std::thread::spawn(move || {
            let (mut events, mut drainings) = (Vec::new(), 0);
            loop {
                let Ok(updates) = client.follow(&session, events.len() as u64) else {
                    std::thread::sleep(LOOK);
                    continue;
                };
                for update in updates {
                    // Nobody waits for more than the first one.
                    let _ = sees.try_send(());
                    drainings += usize::from(update["kind"] == "daemon.draining");
                    let is_last = update["kind"] == "turn.finished";
                    if !update["seq"].is_null() {
                        events.push(update);
                    }
                    if is_last {
                        return (events, drainings);
                    }
                }
            }
        });
        has_seen.recv().unwrap();
        Following(following)
    }

    /// It saw the journal, each event once and in order, and was told once that the daemon leaves.
    #[track_caller]
    fn saw_all(self, client: &Client, session: &str) {
        let (events, drainings) = self.0.join().unwrap();
        assert!(events == journal(client, session), "{events:?}");
        assert_eq!(drainings, 1, "{events:?}");
    }
}

/// A world in whose middle of an answer everybody looks on.
struct Scene {
    world: World,
    model: Model,
    session: String,
    asking: Watching,
    looking: Watching,
    following: Following,
}

impl Scene {
    fn open(grace_ms: u64) -> Scene {
        let (world, model) = scene(grace_ms);
        let asking = Watching::start(&world, &["ask", PROMPT]);
        asking.has_half();
        let looking = Watching::start(&world, &["attach"]);
        looking.has_half();
        let session = world.json(&["sessions", "ls"])["sessions"][0]["id"].as_str().unwrap().to_owned();
        let following = Following::start(world.client(), session.clone());
        Scene { world, model, session, asking, looking, following }
    }

    /// Everybody got everything.
    #[track_caller]
    fn saw_all(self, told: &[&str], asked: usize) {
        is_whole(self.asking, told);
        is_whole(self.looking, told);
        self.following.saw_all(&self.world.client(), &self.session);
        assert_eq!(self.model.asked(), asked);
        println!("an upgrade in mid-answer: 3 clients, {asked} model calls, each answer whole and once, 0 failures");
    }
}

/// A world whose prompts go to the model, and a daemon that serves.
fn scene(grace_ms: u64) -> (World, Model) {
    let (world, model) = world(grace_ms);
    world.good(&["daemon", "start"]);
    (world, model)
}

/// Has the daemon hand over, and the model go on once that has begun, so that the answer ends in the grace.
fn upgrade_in_the_grace(world: &World, model: &Model) {
    let upgrading = Watching::start(world, &["daemon", "upgrade"]);
    hands_over(world);
    model.go_on();
    assert!(upgrading.ended().good().contains("handed over"), "the upgrade says that it is done");
}

/// Has the daemon hand over, which cuts the answer, and then the model go on.
fn upgrade_at_once(world: &World, model: &Model) {
    assert!(world.good(&["daemon", "upgrade"]).contains("handed over"), "the upgrade says that it is done");
    model.go_on();
}

#[test]
fn an_answer_that_ends_in_the_grace_arrives_whole_and_nothing_is_said() {
    let scene = Scene::open(30_000);
    upgrade_in_the_grace(&scene.world, &scene.model);
    scene.saw_all(&[], 1);
}

#[test]
fn an_answer_that_is_cut_and_asked_for_again_arrives_whole_and_one_line_says_so() {
    let scene = Scene::open(0);
    upgrade_at_once(&scene.world, &scene.model);
    scene.saw_all(&[CUT], 2);
}

#[test]
fn an_answer_that_a_stop_cuts_goes_on_at_the_next_start_and_one_error_says_how_to_see_it() {
    let Scene { world, model, session, asking, looking, following } = Scene::open(0);
    world.good(&["daemon", "stop"]);
    let way_out = format!("`tinkerbell attach -s {session}`");
    for ran in [asking.ended(), looking.ended()] {
        assert_eq!((ran.code, ran.out.as_str()), (10, format!("{}\n", WORDS[..BEFORE].concat()).as_str()), "{ran:?}");
        let said: Vec<&str> = ran.err.lines().skip_while(|line| !line.starts_with("error: ")).collect();
        assert!(said.len() == 2 && said[1].contains(&way_out) && !ran.err.contains('!'), "{ran:?}");
    }
    model.go_on();
    // What it is told to type starts the daemon.
    let looking = Watching::start(&world, &["attach", "-s", &session]);
    is_whole(looking, &["! the reply was interrupted; trying again with served (attempt 2)"]);
    following.saw_all(&world.client(), &session);
    assert_eq!(model.asked(), 2);
    println!("a stop and a start in mid-answer: 4 clients, 2 model calls, the answer whole and once, 0 failures");
}

/// A terminal for `chat`: the end that somebody sits at, and what is seen on it.
struct Seat {
    keyboard: File,
    screen: Heard,
    child: Child,
}

impl Seat {
    fn at(world: &World) -> Seat {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let name = ptsname(&outer, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let inner = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
        let end = |inner: &OwnedFd| Stdio::from(inner.as_fd().try_clone_to_owned().unwrap());
        let mut command = world.command(&["chat"]);
        command.env("TERM", "xterm").stdin(end(&inner)).stdout(end(&inner)).stderr(end(&inner));
        let child = command.spawn().unwrap();
        let keyboard = File::from(outer);
        let (screen, _) = Heard::listen(keyboard.try_clone().unwrap());
        Seat { keyboard, screen, child }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }
}

/// Whoever chats sees the answer, each of its words once, and this beside it.
fn chats(grace_ms: u64, upgrade: fn(&World, &Model), told: usize) {
    let (world, model) = scene(grace_ms);
    let mut seat = Seat::at(&world);
    wait_until("the chat is there", || !seat.screen.so_far().is_empty());
    seat.types(&format!("{PROMPT}\r"));
    seat.screen.has(WORDS[BEFORE - 1].trim());
    upgrade(&world, &model);
    seat.screen.has(WORDS[WORDS.len() - 1]);
    seat.types("/quit\r");
    assert_eq!(seat.child.wait().unwrap().code(), Some(0), "{}", seat.screen.so_far());
    let seen = seat.screen.so_far();
    for words in WORDS {
        assert_eq!(seen.matches(words.trim()).count(), 1, "{seen}");
    }
    assert_eq!(seen.matches("in the middle of the reply").count(), told, "{seen}");
    assert!(seen.matches(LATE).count() <= 1, "{seen}");
    println!("a chat in an upgrade: {} model calls, the answer whole and once, 0 failures", model.asked());
}

#[test]
fn a_chat_goes_on_through_an_upgrade() {
    chats(30_000, upgrade_in_the_grace, 0);
}

#[test]
fn a_chat_goes_on_where_an_upgrade_has_cut_the_answer() {
    chats(0, upgrade_at_once, 1);
}
