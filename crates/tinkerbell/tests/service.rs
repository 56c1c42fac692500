//! The daemon under a service manager, played by its sockets where none runs, and `tinkerbell daemon upgrade` as people
//! type it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use world::half::{self, Model, Watching};
use world::{PATIENCE, TINKERBELL, World, process, wait_until};

/// What the manager was told, one message after the other. It is read at once, as a manager does: whoever tells waits
/// where too much is unread.
struct Notified {
    messages: Receiver<String>,
    heard: Vec<String>,
}

impl Notified {
    fn new(world: &World) -> (Notified, PathBuf) {
        let path = world.home.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let (told, messages) = mpsc::sync_channel(10_000);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                if told.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).is_err() {
                    return;
                }
            }
        });
        (Notified { messages, heard: Vec::new() }, path)
    }

    /// Waits for these lines, and forgets all that came before the last of them.
    #[track_caller]
    fn now(&mut self, lines: &[&str]) {
        for line in lines {
            self.until(line);
            self.forget();
        }
    }

    /// Waits for a line.
    #[track_caller]
    fn until(&mut self, line: &str) {
        while !self.heard.iter().any(|heard| heard.lines().any(|one| one == line)) {
            let told = self.messages.recv_timeout(PATIENCE);
            self.heard.push(told.unwrap_or_else(|error| panic!("{line}: {error}, {:?}", self.heard)));
        }
    }

    fn forget(&mut self) {
        self.heard.clear();
    }
}

/// A daemon in the foreground that is ended when the test is over.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn service(command: &mut Command) -> Service {
    Service(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// A daemon that is given the socket on which it listens.
fn activated(world: &World, listener: UnixListener) -> Service {
    let shell = format!("exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec {TINKERBELL} daemon run");
    let mut command = world.home.command("/bin/sh");
    command.args(["-c", &shell]).stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
    Service(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn the_manager_hears_that_it_is_ready_lives_hands_over_and_stops() {
    let world = World::new();
    let (mut notified, path) = Notified::new(&world);
    let mut command = world.command(&["daemon", "run"]);
    let daemon = service(command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", "300000"));
    notified.until("READY=1");
    notified.until("WATCHDOG=1");
    let first = daemon.0.id();
    assert_eq!(world.json(&["status"])["pid"], first);
    let upgraded = world.json(&["daemon", "upgrade"]);
    let second = upgraded["begun"]["to_pid"].as_u64().unwrap();
    notified.until(&format!("MAINPID={second}"));
    wait_until("the first has left", || testkit::has_ended(process(first)));
    notified.forget();
    notified.until("WATCHDOG=1");
    assert_eq!(world.json(&["status"])["pid"], second, "and the second one says that it lives");
    let stopped = world.json(&["daemon", "stop"]);
    assert_eq!(stopped["pid"], second);
    notified.until("STOPPING=1");
    assert!(testkit::has_ended(process(u32::try_from(second).unwrap())), "`daemon stop` waited for the right one");
}

/// A daemon that a manager watches, in the middle of an answer that holds it up for as long as the test likes.
fn held_up() -> (World, Model, Notified, Service, Watching) {
    let (world, model) = half::world(PATIENCE.as_millis().try_into().unwrap());
    let (mut notified, path) = Notified::new(&world);
    let mut command = world.command(&["daemon", "run"]);
    let daemon = service(command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", "300000"));
    notified.now(&["READY=1"]);
    let asking = Watching::start(&world, &["ask", half::PROMPT]);
    asking.has_half();
    (world, model, notified, daemon, asking)
}

#[test]
fn the_manager_hears_that_a_daemon_lives_which_waits_to_hand_over() {
    let (world, model, mut notified, daemon, asking) = held_up();
    let upgrading = Watching::start(&world, &["daemon", "upgrade"]);
    notified.now(&["STATUS=bringing turns to an end, to hand over", "WATCHDOG=1", "WATCHDOG=1"]);
    assert_eq!(world.announced(), Some(daemon.0.id()), "it is still about to");
    model.go_on();
    upgrading.ended().good();
    asking.ended().good();
    world.good(&["daemon", "stop"]);
}

#[test]
fn the_manager_hears_that_a_daemon_lives_which_stops_and_is_asked_for_more_time() {
    let (world, model, mut notified, mut daemon, asking) = held_up();
    kill_process(process(daemon.0.id()), Signal::TERM).unwrap();
    notified.now(&["STOPPING=1", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=400000", "WATCHDOG=1"]);
    assert_eq!(daemon.0.try_wait().unwrap(), None, "it still stops");
    model.go_on();
    asking.ended().good();
    assert!(daemon.0.wait().unwrap().success());
    drop(world);
}

#[test]
fn an_upgrade_in_which_both_daemons_die_is_told_though_somebody_keeps_the_socket() {
    for is_kept in [true, false] {
        assert!((0..5).any(|_| both_die(is_kept)), "the old one was always gone before it had answered");
    }
}

/// False where the old one was gone before it had answered that it begins.
fn both_die(is_kept: bool) -> bool {
    const OUTCOME_UNKNOWN: i32 = 9;
    let (world, model) = half::world(PATIENCE.as_millis().try_into().unwrap());
    let path = world.home.tinkerbell().join("tinkerbell.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let kept = is_kept.then(|| listener.try_clone().unwrap());
    let daemon = activated(&world, listener);
    let asking = Watching::start(&world, &["ask", half::PROMPT]);
    asking.has_half();
    let upgrading = Watching::start(&world, &["daemon", "upgrade"]);
    half::hands_over(&world);
    // It would start another daemon.
    drop(asking);
    // With it goes the new one, which was given nothing yet.
    drop(daemon);
    let told = upgrading.ended();
    model.go_on();
    drop(kept);
    if told.code == OUTCOME_UNKNOWN {
        return false;
    }
    told.refused(10, &["neither the old daemon", "serves any more", "tinkerbell daemon start"]);
    true
}

#[test]
fn a_socket_that_the_manager_opened_is_used_and_left_and_handed_over() {
    let world = World::new();
    let path = world.home.tinkerbell().join("tinkerbell.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let inode = std::fs::metadata(&path).unwrap().ino();
    // Somebody comes before there is a daemon, and waits.
    let early = UnixStream::connect(&path).unwrap();
    let daemon = activated(&world, listener);
    std::io::Write::write_all(&mut &early, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut &early, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let status = world.json(&["status", "--no-start"]);
    assert_eq!((&status["pid"], &status["socket"]), (&json!(daemon.0.id()), &json!(path)));
    let upgraded = world.json(&["daemon", "upgrade"]);
    assert_eq!(world.json(&["status", "--no-start"])["pid"], upgraded["begun"]["to_pid"]);
    world.good(&["daemon", "stop"]);
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode, "the manager's file stays");
}

#[test]
fn a_descriptor_that_is_no_socket_of_ours_is_refused() {
    let world = World::new();
    let shell = format!("exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec {TINKERBELL} daemon run");
    let refused = world::ran(world.home.command("/bin/sh").args(["-c", &shell]));
    refused.refused(1, &["no socket that listens"]);
}

#[test]
fn a_signal_upgrades_and_a_bad_binary_is_told_with_its_reason() {
    let world = World::new();
    let daemon = world.daemon();
    let first = daemon.pid();
    kill_process(process(first), Signal::USR2).unwrap();
    assert!(daemon.wait().unwrap(), "the old one leaves in good order");
    let second = world.json(&["status", "--no-start"])["pid"].as_u64().unwrap();
    assert_ne!(second, u64::from(first));
    let bad = world.home.script("bad", "exit 3");
    world
        .run(&["daemon", "upgrade", bad.to_str().unwrap()])
        .refused(4, &["the upgrade did not happen", "exit status: 3"]);
    world.run(&["daemon", "upgrade", "nowhere"]).refused(4, &["cannot run", "nowhere"]);
    let status = world.json(&["status", "--no-start"]);
    assert_eq!((status["pid"].as_u64(), &status["upgrade"]["outcome"]), (Some(second), &json!("failed")));
    let told = world.good(&["daemon", "upgrade"]);
    assert!(told.contains("upgraded in") && told.contains("handed over"), "{told}");
    world.good(&["daemon", "stop"]);
    world.run(&["daemon", "upgrade"]).refused(10, &["not running"]);
}

#[test]
fn what_takes_over_without_anybody_who_hands_over_says_so() {
    let world = World::new();
    world.run(&["daemon", "run", "--take-over"]).refused(1, &["socket"]);
    assert!(world.announced().is_none(), "it took nothing");
}

#[test]
fn units_are_printed_written_known_again_and_removed() {
    let world = World::new();
    let unit = world.home.path(".config/systemd/user/tinkerbell.service");
    let printed = world.good(&["daemon", "install", "--print"]);
    for line in ["Type=notify", "WatchdogSec=60", "ExecReload=/bin/kill -HUP $MAINPID", "WantedBy=default.target"] {
        assert!(printed.lines().any(|one| one == line), "{line} is not in {printed}");
    }
    assert!(printed.contains(&format!("TINKERBELL_HOME={}", world.home.tinkerbell().display())), "{printed}");
    assert!(!unit.exists());
    for _ in 0..2 {
        world.good(&["daemon", "install"]);
        assert_eq!(std::fs::read_to_string(&unit).unwrap(), printed);
    }
    world.good(&["daemon", "install", "--on-demand"]);
    let socket = std::fs::read_to_string(unit.with_extension("socket")).unwrap();
    assert!(socket.contains(&format!("ListenStream={}", world.home.tinkerbell().join("tinkerbell.sock").display())));
    let removed: Value = world.json(&["daemon", "uninstall"]);
    assert_eq!(removed["removed"].as_array().unwrap().len(), 2);
    assert!(!unit.exists());
    std::fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    world.run(&["daemon", "install"]).refused(4, &["was not written by tinkerbell"]);
    world.run(&["daemon", "uninstall"]).refused(4, &["was not written by tinkerbell"]);
    world.run(&["daemon", "install", "--system"]).refused(2, &["--run-as"]);
}

#[test]
#[ignore = "real: needs systemd-analyze"]
fn real_systemd_analyze_finds_nothing_wrong_with_the_units() {
    let world = World::new();
    world.good(&["daemon", "install", "--on-demand"]);
    let dir = world.home.path(".config/systemd/user");
    let units = ["tinkerbell.service", "tinkerbell.socket"].map(|name| dir.join(name));
    let mut command = world.home.command("systemd-analyze");
    command.args(["verify", "--man=no", "--generators=no"]).args(&units);
    let Ok(output) = command.output() else { return println!("skipped: systemd-analyze is not installed") };
    let ran = world::Ran::of(output);
    assert!(ran.code == 0 && !ran.err.contains("tinkerbell."), "{ran:?}");
    println!("systemd-analyze: {} units, 0 complaints", units.len());
}
