//! What cannot work says so: the thing and the remedy in words, the exit code of its kind, and nothing lost.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use testkit::{Answer, Client, Rng};
use world::{Ran, TINKERBELL, World, server};

const HELLO: &str = "Create a file hello.txt that contains the word hi.";

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// What makes a world bad, and what must be said of it.
struct Case {
    name: &'static str,
    spoil: fn(&World),
    arguments: &'static [&'static str],
    code: i32,
    words: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "unknown model",
        spoil: |_| {},
        arguments: &["ask", "--model", "gpt-9", HELLO],
        code: 5,
        words: &["no model \"gpt-9\"", "there are: offline", "config.toml"],
    },
    Case {
        name: "no key",
        spoil: |world| world.home.configure(&server("http://127.0.0.1:1", "key = { env = \"NO_SUCH_KEY\" }")),
        arguments: &["ask", HELLO],
        code: 1,
        words: &["environment has no NO_SUCH_KEY", "export NO_SUCH_KEY first"],
    },
    Case {
        name: "key file missing",
        spoil: |world| world.home.configure(&server("http://127.0.0.1:1", "key = { file = \"/nonexistent/key\" }")),
        arguments: &["ask", HELLO],
        code: 1,
        words: &["/nonexistent/key", "cannot be read"],
    },
    Case {
        name: "unreachable server",
        spoil: |world| world.home.configure(&server("http://127.0.0.1:1", "")),
        arguments: &["ask", HELLO],
        code: 1,
        words: &["http://127.0.0.1:1"],
    },
    Case {
        name: "a file where the state directory should be",
        spoil: |world| std::fs::write(world.home.state(), "").unwrap(),
        arguments: &["ask", HELLO],
        code: 10,
        words: &["state directory", "/state", "TINKERBELL_HOME"],
    },
    Case {
        name: "a state directory that everybody may write",
        spoil: |world| {
            std::fs::create_dir(world.home.state()).unwrap();
            chmod(&world.home.state(), 0o777);
        },
        arguments: &["ask", HELLO],
        code: 10,
        words: &["can be written by others", "chmod 700"],
    },
    Case {
        name: "half-written configuration",
        spoil: |world| world.home.configure("[models.x]\nprovider = \"open"),
        arguments: &["ask", HELLO],
        code: 10,
        words: &["config.toml is not valid", "line 2"],
    },
    Case {
        name: "unknown key in the configuration",
        spoil: |world| world.home.configure("[limits]\nstep = 3\n"),
        arguments: &["ask", HELLO],
        code: 10,
        words: &["unknown key `step`", "Did you mean `steps`?"],
    },
    Case {
        name: "the same, found by a check",
        spoil: |world| world.home.configure("[limits]\nstep = 3\n"),
        arguments: &["config", "check"],
        code: 2,
        words: &["config.toml is not valid", "Did you mean `steps`?"],
    },
    Case {
        name: "configuration that is not UTF-8",
        spoil: |world| std::fs::write(world.home.tinkerbell().join("config.toml"), b"\xff\xfe").unwrap(),
        arguments: &["config", "check"],
        code: 2,
        words: &["config.toml", "UTF-8"],
    },
    Case {
        name: "workspace missing",
        spoil: |_| {},
        arguments: &["ask", "-C", "/nonexistent/place", HELLO],
        code: 5,
        words: &["/nonexistent/place", "--workspace"],
    },
    Case {
        name: "workspace that is a file",
        spoil: |world| world.write("file", ""),
        arguments: &["ask", "-C", "file", HELLO],
        code: 5,
        words: &["file", "not a directory"],
    },
];

#[test]
fn what_cannot_work_names_the_thing_and_the_remedy() {
    let mut failures = Vec::new();
    for case in CASES {
        let world = World::new();
        (case.spoil)(&world);
        let Ran { code, out, err } = world.run(case.arguments);
        let missing: Vec<_> = case.words.iter().filter(|word| !err.contains(**word)).collect();
        if code != case.code || !missing.is_empty() {
            failures.push(format!("{}: exit {code}, missing {missing:?} in\n{out}{err}", case.name));
        }
        if world.read("hello.txt").is_some() {
            failures.push(format!("{}: it wrote a file all the same", case.name));
        }
    }
    println!("bad input: {} cases, {} failures", CASES.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn a_socket_path_of_300_bytes_is_refused_everywhere() {
    let world = World::new();
    let long = format!("/tmp/{}", "s".repeat(295));
    for arguments in [&["status"][..], &["daemon", "run"], &["ask", HELLO]] {
        let named = world.run(&[arguments, &["--socket", &long]].concat());
        named.refused(2, &["300 bytes", "at most 107", "TINKERBELL_SOCKET"]);
        let mut command = world.command(arguments);
        world::ran(command.env("TINKERBELL_SOCKET", &long)).refused(2, &["300 bytes", "--socket"]);
    }
    world.home.configure(&format!("[daemon]\nsocket = \"{long}\"\n"));
    world.run(&["daemon", "run"]).refused(1, &["daemon.socket", "at most 107 bytes"]);
}

#[test]
fn a_damaged_journal_is_named_and_left_as_it_is() {
    let seed = Rng::seed();
    let mut rng = Rng::new(seed);
    type Damage = fn(&mut Vec<u8>, &mut Rng);
    let damages: [(&str, Damage); 4] = [
        ("random bytes", |bytes, rng| bytes.iter_mut().for_each(|byte| *byte = rng.draw() as u8)),
        ("another database's beginning", |bytes, _| bytes[60..72].fill(0x5a)),
        ("cut in the middle of a page", |bytes, _| bytes.truncate(6000)),
        // From the third on: the second only says which page belongs to which.
        ("empty pages in the middle", |bytes, _| bytes[8192..32768].fill(0)),
    ];
    for (name, damage) in damages {
        let world = World::new();
        world.good(&["ask", HELLO]);
        world.good(&["daemon", "stop"]);
        let journal = world.home.state().join("journal.db");
        let mut bytes = std::fs::read(&journal).unwrap();
        assert!(bytes.len() > 32768, "the log was folded in at the end");
        damage(&mut bytes, &mut rng);
        std::fs::write(&journal, &bytes).unwrap();
        let refused = world.run(&["sessions", "ls"]);
        assert_ne!(refused.code, 0, "seed {seed}, {name}: {refused:?}");
        assert!(refused.err.contains("journal"), "{name}: {refused:?}");
        assert!(refused.err.contains(world.home.state().to_str().unwrap()), "{name}: {refused:?}");
        assert!(refused.err.contains("move it away"), "{name}: {refused:?}");
        // Known: opening counts up in the first page before the damage further in is met.
        let left = std::fs::read(&journal).unwrap();
        assert!(
            left.len() == bytes.len() && left.iter().skip(4096).eq(bytes.iter().skip(4096)),
            "{name}: left as it is"
        );
        // The remedy works.
        for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
            let file = world.home.state().join(file);
            if file.exists() {
                std::fs::rename(&file, world.home.path("away")).unwrap();
            }
        }
        world.good(&["ask", HELLO]);
    }
    println!("damaged journals: seed {seed}, {} kinds, 0 opened, 0 altered", damages.len());
}

/// A problem document with this status, from a daemon that lives.
#[track_caller]
fn refused(client: &Client, what: &str, answer: std::io::Result<Answer>, status: u16) {
    let answer = answer.unwrap_or_else(|error| panic!("{what}: no answer: {error}"));
    let problem = answer.json();
    assert_eq!(answer.status, status, "{what}: {problem}");
    assert!(problem["code"].is_string() && problem["detail"].is_string(), "{what}: {problem}");
    assert_eq!(problem["status"], status, "{what}");
    assert_eq!(client.get("/healthz").unwrap().status, 200, "{what}: the daemon lives");
}

/// Sends a body that the daemon need not read to its end: what it has to say comes first, and then it hangs up.
fn too_large(world: &World, path: &str, bytes: usize) -> std::io::Result<Answer> {
    let mut stream = UnixStream::connect(world.home.tinkerbell().join("tinkerbell.sock"))?;
    write!(stream, "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n")?;
    let piece = vec![b' '; 1 << 16];
    let mut sent = 0;
    while sent < bytes && stream.write_all(&piece).is_ok() {
        sent += piece.len();
    }
    let mut answer = Vec::new();
    // A hang-up with unread bytes on its way is a reset, after the answer.
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = text.split_once("\r\n\r\n").map_or_else(Vec::new, |(_, body)| body.as_bytes().to_vec());
    status.map(|status| Answer { status, body }).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

#[test]
fn malformed_requests_get_problem_documents() {
    let world = World::new();
    let daemon = world.daemon();
    let client = world.client();
    let workspace = world.home.workspace().display().to_string();
    let created = client.post("/v1/sessions", &serde_json::json!({ "workspace": workspace })).unwrap().json();
    let prompts = format!("/v1/sessions/{}/prompts", created["session"].as_str().unwrap());
    let resident = |world: &World| world.json(&["status"])["resident_bytes"].as_u64().unwrap();
    let before = resident(&world);

    let nested = |depth: usize| format!("{{\"text\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    let bodies: &[(&str, Vec<u8>, u16)] = &[
        ("unknown field", br#"{"text":"hi","txet":"ho"}"#.to_vec(), 400),
        ("missing field", b"{}".to_vec(), 400),
        ("wrong type", br#"{"text":7}"#.to_vec(), 400),
        ("cut", br#"{"text":"h"#.to_vec(), 400),
        ("empty", Vec::new(), 400),
        ("trailing", br#"{"text":"hi"} more"#.to_vec(), 400),
        ("invalid UTF-8", b"{\"text\":\"\xff\xfe\"}".to_vec(), 400),
        ("lone surrogate", br#"{"text":"\ud800"}"#.to_vec(), 400),
        ("nested 100,000 deep", nested(100_000).into_bytes(), 400),
        ("empty prompt", br#"{"text":""}"#.to_vec(), 400),
    ];
    for (what, body, status) in bodies {
        refused(&client, what, client.send("POST", &prompts, &[], body), *status);
    }
    for (method, path, status) in [
        ("GET", "/v1/nothing".to_owned(), 404),
        ("DELETE", "/v1/sessions".to_owned(), 400),
        ("GET", "/v1/sessions/nonsense".to_owned(), 400),
        ("GET", "/v1/sessions/ses_00000000000000000000000000".to_owned(), 404),
        ("GET", prompts.replace("prompts", "canvas/files/..%2f..%2fetc%2fpasswd"), 400),
        ("GET", prompts.replace("prompts", "canvas/files/a%00b"), 400),
        ("GET", prompts.replace("prompts", "canvas/steps/many"), 400),
        ("GET", prompts.replace("prompts", "events?after=minus"), 400),
        ("GET", "/v1/sessions?limit=-1".to_owned(), 400),
        ("GET", "/v1/sessions/%ff".to_owned(), 400),
    ] {
        refused(&client, &path, client.send(method, &path, &[], b""), status);
    }
    let accept = prompts.replace("prompts", "canvas/accept");
    refused(&client, "ten times too large", too_large(&world, &accept, 40 << 20), 413);
    refused(&client, "a prompt with more than its images may have", too_large(&world, &prompts, 49 << 20), 413);
    let relative = client.post("/v1/sessions", &serde_json::json!({ "workspace": "here" }));
    refused(&client, "relative workspace", relative, 422);
    let events = world::journal(&client, created["session"].as_str().unwrap());
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds, ["session.created", "owner.began"], "none of it came to the journal");
    let after = resident(&world);
    assert!(after < before + (64 << 20), "memory went from {before} to {after} bytes");
    assert!(daemon.stop().unwrap());
    println!("malformed: {} bodies, 12 more requests, 0 accepted, memory {before} to {after} bytes", bodies.len());
}

#[test]
fn a_home_that_is_not_there_is_made_or_named() {
    let world = World::new();
    let deep = world.home.path("not/yet/there");
    let mut command = world.command(&["daemon", "run", "--detached"]);
    drop(world.home.start_as(command.env("TINKERBELL_HOME", &deep)).unwrap());
    assert_eq!(std::fs::metadata(deep.join("state")).unwrap().permissions().mode() & 0o777, 0o700);
    let mut command = world.command(&["ask", HELLO]);
    let refused = world::ran(command.env("TINKERBELL_HOME", "/proc/nothing"));
    refused.refused(10, &["/proc/nothing", "TINKERBELL_HOME"]);
    let nowhere = world::ran(world.command(&["status"]).env_remove("TINKERBELL_HOME").env_remove("HOME"));
    nowhere.refused(2, &["neither HOME nor TINKERBELL_HOME"]);
    assert!(!Path::new(TINKERBELL).with_file_name("state").exists());
}

/// A daemon's own problem document, out of `--json`.
#[test]
fn programs_get_the_problem_as_a_document() {
    let world = World::new();
    world.home.configure("[limits]\nstep = 3\n");
    let refused = world.run(&["ask", "--json", HELLO]);
    let problem: Value = serde_json::from_str(refused.err.trim()).unwrap_or_else(|_| panic!("{refused:?}"));
    assert_eq!((refused.code, problem["code"].as_str()), (10, Some("no_daemon")));
    assert!(problem["detail"].as_str().unwrap().contains("config.toml"), "{problem}");
    assert!(problem["remedy"].is_string(), "{problem}");
}
