//! The daemon as a process: one for each state directory, how it detaches and ends, and whom its socket lets in.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use rustix::process::{Gid, Pid, Signal, Uid, kill_process};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use testkit::Home;
use world::{TINKERBELL, World, is_root, ran, wait_until};

/// The user nobody.
const NOBODY: u32 = 65534;
/// How many daemons are started at once.
const CROWD: usize = 20;
/// The most that one of them may take to see that it is not the one (R10).
const GIVING_UP: Duration = Duration::from_secs(2);

fn socket(world: &World) -> PathBuf {
    world.home.tinkerbell().join("tinkerbell.sock")
}

/// How a daemon's start went.
struct Start {
    child: Child,
    said: String,
    took: Duration,
}

/// Starts many daemons at once and waits until each is ready or has ended.
fn crowd(world: &World) -> (Vec<Start>, Vec<Start>) {
    let spawn = |_| {
        let mut command = world.command(&["daemon", "run", "--detached"]);
        (Instant::now(), command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    };
    let children: Vec<(Instant, Child)> = (0..CROWD).map(spawn).collect();
    let listen = |(spawned, mut child): (Instant, Child)| {
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(child.stderr.take().unwrap());
            let mut said = String::new();
            pipe.read_line(&mut said).unwrap();
            if said != "ready\n" {
                pipe.read_to_string(&mut said).unwrap();
                child.wait().unwrap();
            }
            Start { child, said, took: spawned.elapsed() }
        })
    };
    let threads: Vec<_> = children.into_iter().map(listen).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).partition(|start| start.said == "ready\n")
}

#[test]
fn of_twenty_daemons_one_lives_and_the_others_name_it() {
    let world = World::new();
    let (mut alive, mut gone) = crowd(&world);
    assert_eq!((alive.len(), gone.len()), (1, CROWD - 1));
    let winner = alive.pop().unwrap();
    let holder = format!("process {}", winner.child.id());
    let mut named = 0;
    for start in &mut gone {
        assert!(!start.child.wait().unwrap().success(), "{}", start.said);
        assert!(
            start.said.contains("another tinkerbell daemon") && start.said.contains("daemon stop"),
            "{}",
            start.said
        );
        assert!(start.took < GIVING_UP, "one took {:?} to give up", start.took);
        named += usize::from(start.said.contains(&holder));
        // Who looks in the instant between lock and announcement cannot know the process.
        assert!(start.said.contains(&holder) || start.said.contains("only just begun"), "{}", start.said);
    }
    assert!(named > 0, "nobody could name the holder");
    let slowest = gone.iter().map(|start| start.took).max().unwrap();
    println!(
        "crowd: 1 of {CROWD} lives, ready after {:?}; {} gave up, the slowest after {slowest:?}; {named} named the holder",
        winner.took,
        gone.len()
    );
    assert_eq!(world.announced(), Some(winner.child.id()));

    // Stopped, it answers nobody, and still holds what is its own.
    let pid = Pid::from_child(&winner.child);
    kill_process(pid, Signal::STOP).unwrap();
    let refused = world.home.start(TINKERBELL).unwrap_err();
    assert!(refused.contains(&holder), "{refused}");
    assert!(world.home.state().join("daemon.lock").exists() && socket(&world).exists());
    let ways_out = format!("`kill -9 {}` ends it", winner.child.id());
    world.run(&["daemon", "stop"]).refused(10, &[&holder, "has not answered", &ways_out]);
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(world.json(&["status"])["pid"], winner.child.id(), "it goes on as if nothing had been");

    let mut child = winner.child;
    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    let next = world.daemon();
    println!("after a kill the next start was ready in {:?}", began.elapsed());
    assert_eq!(world.json(&["status"])["pid"], next.pid());
}

#[test]
fn commands_that_start_it_at_once_meet_the_same_daemon() {
    let world = World::repository();
    let ask = || {
        let mut command = world.command(&["ask", "Create a file hello.txt that contains the word hi."]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let asked: Vec<Child> = (0..8).map(|_| ask()).collect();
    for child in asked {
        world::Ran::of(child.wait_with_output().unwrap()).good();
    }
    let status = world.json(&["status"]);
    assert_eq!((status["sessions"].as_u64(), status["generation"].as_u64()), (Some(8), Some(1)), "{status}");
}

#[test]
fn it_stops_in_good_order_and_at_once_when_asked_twice() {
    let world = World::new();
    let daemon = world.daemon();
    assert!(socket(&world).exists());
    assert!(daemon.stop().unwrap(), "SIGTERM is a good end");
    assert!(!socket(&world).exists(), "its socket goes with it");

    // A stream that is read by nobody holds no stop up, and a second signal does not wait for anything.
    let daemon = world.daemon();
    let session = world.json(&["ask", "--detach", "Show a.txt."])["session"].as_str().unwrap().to_owned();
    let _unread = world.client().follow(&session, 0).unwrap();
    let pid = world::process(daemon.pid());
    let began = Instant::now();
    kill_process(pid, Signal::TERM).unwrap();
    let _ = kill_process(pid, Signal::INT);
    assert!(daemon.wait().unwrap());
    println!("two signals: gone after {:?}", began.elapsed());
    assert!(!socket(&world).exists());
}

#[test]
fn a_detached_daemon_has_left_everything_of_its_starter() {
    let world = World::new();
    let (mut reader, ours) = std::io::pipe().unwrap();
    // Without close-on-exec a child inherits it.
    rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::empty()).unwrap();
    let daemon = world.daemon();
    let pipe = std::fs::read_link(format!("/proc/self/fd/{}", ours.as_raw_fd())).unwrap();
    drop(ours);
    let proc = PathBuf::from(format!("/proc/{}", daemon.pid()));
    let held: Vec<PathBuf> = std::fs::read_dir(proc.join("fd"))
        .unwrap()
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap_or_default())
        .collect();
    assert!(!held.contains(&pipe), "it kept {pipe:?}: {held:?}");
    for stream in 0..3 {
        assert_eq!(std::fs::read_link(proc.join(format!("fd/{stream}"))).unwrap(), PathBuf::from("/dev/null"));
    }
    // With the last writer gone, this ends.
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    assert_eq!(std::fs::read_link(proc.join("cwd")).unwrap(), PathBuf::from("/"));
    let pid = world::process(daemon.pid());
    assert_eq!(rustix::process::getsid(Some(pid)).unwrap(), pid, "it leads a session of its own");
    println!("detached: {} descriptors, none of its starter", held.len());
}

/// Does something in a thread that has become the user nobody: on Linux each thread has credentials of its own, and it
/// is the connecting thread's that count.
fn as_nobody<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let thread = move || {
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        act()
    };
    std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
}

/// Asks for the daemon's health; what came back.
fn knock(path: &Path) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path)?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

#[test]
fn only_its_own_user_is_let_in() {
    let world = World::new();
    let _daemon = world.daemon();
    let path = socket(&world);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(world.client().get("/healthz").unwrap().status, 200);
    if !is_root() {
        println!("skipped: knocking as another user needs root");
        return;
    }
    // Nobody can walk up to the socket where the directories above allow it.
    for directory in path.ancestors().skip(1).take(2) {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(knock(&path).unwrap().starts_with(b"HTTP/1.1 200"));
    let refused = as_nobody(|| knock(&path)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "the mode refuses: {refused}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    match as_nobody(|| knock(&path)) {
        Ok(answer) => assert!(answer.is_empty(), "the peer's uid refuses: {answer:?}"),
        Err(error) => assert_ne!(error.kind(), io::ErrorKind::PermissionDenied, "it came past the mode: {error}"),
    }
    assert_eq!(world.client().get("/healthz").unwrap().status, 200, "its own user is still served");
    let log = std::fs::read_to_string(world.home.state().join("log/daemon.log")).unwrap();
    assert!(log.contains("another user knocked"), "it is in the log");
    println!("refused as nobody, by mode and by uid");
}

#[test]
fn a_stale_socket_is_taken_over_and_nothing_else() {
    let world = World::new();
    let path = socket(&world);
    drop(UnixListener::bind(&path).unwrap());
    // Another test's child may hold the listener for the instant between its fork and its exec.
    wait_until("the socket is stale", || UnixStream::connect(&path).is_err());
    assert!(path.exists());
    drop(world.daemon());
    assert!(path.exists(), "a killed daemon leaves its socket");
    assert!(world.daemon().stop().unwrap(), "and the next one takes it over");

    let put: [(&str, &dyn Fn()); 3] = [
        ("a regular file", &|| std::fs::write(&path, "mine").unwrap()),
        ("a link", &|| symlink(world.home.path("elsewhere"), &path).unwrap()),
        ("a socket of another user", &|| {
            drop(UnixListener::bind(&path).unwrap());
            std::os::unix::fs::chown(&path, Some(NOBODY), None).unwrap();
        }),
    ];
    for (what, make) in put {
        if what.contains("another user") && !is_root() {
            println!("skipped: giving a socket to another user needs root");
            continue;
        }
        make();
        let before = std::fs::symlink_metadata(&path).unwrap();
        let refused = world.home.start(TINKERBELL).unwrap_err();
        assert!(refused.contains("not a socket of ours") && refused.contains("--socket"), "{what}: {refused}");
        let after = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!((before.ino(), before.file_type()), (after.ino(), after.file_type()), "{what} was left alone");
        std::fs::remove_file(&path).unwrap();
    }
    let _listener = UnixListener::bind(&path).unwrap();
    let refused = world.home.start(TINKERBELL).unwrap_err();
    assert!(refused.contains("somebody listens"), "{refused}");
    assert!(std::fs::symlink_metadata(&path).unwrap().file_type().is_socket());
}

#[test]
fn a_directory_of_others_takes_no_socket() {
    let world = World::new();
    let open = world.home.path("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let start =
        |home: &Home| home.start_as(world.command(&["daemon", "run", "--detached", "--socket"]).arg(open.join("s")));
    let refused = start(&world.home).unwrap_err();
    assert!(refused.contains("can be written by others") && refused.contains("--socket"), "{refused}");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let _daemon = start(&world.home).unwrap();
    let found = ran(world.command(&["status", "--socket"]).arg(open.join("s")));
    assert!(found.good().contains("open/s"));
    assert!(world.good(&["status"]).contains("open/s"), "without a word it is where the daemon says it listens");
}

#[test]
fn a_daemon_of_another_version_is_told_apart() {
    // No other version exists yet, so its part is played by a socket that answers as one would.
    let world = World::new();
    std::fs::create_dir_all(world.home.state()).unwrap();
    std::fs::set_permissions(world.home.state(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(socket(&world)).unwrap();
    let body = r#"{"models":[]}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntinkerbell-version: 99.0.0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let other = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        (&stream).write_all(answer.as_bytes()).unwrap();
    });
    let listed = world.run(&["models", "ls", "--no-start"]);
    other.join().unwrap();
    assert!(listed.err.contains("99.0.0") && listed.err.contains("daemon stop"), "{listed:?}");
}

#[test]
fn a_relative_home_is_refused_before_anything_is_made() {
    let world = World::new();
    let refused = ran(world.command(&["daemon", "run"]).env("TINKERBELL_HOME", "here"));
    refused.refused(2, &["TINKERBELL_HOME", "not an absolute path"]);
    assert_eq!(std::fs::read_dir(world.home.workspace()).unwrap().count(), 0);
    assert!(world.announced().is_none(), "nothing runs");
}
