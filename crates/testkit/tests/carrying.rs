//! A session that is carried to another daemon: it goes on there with canvas and open questions, or nothing of it comes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use agent::{Event, Micros, Seq, SessionId, Tokens, TurnId};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Answer, Client, Daemon, Home, Rng, World, session_file, verify_chains};
use wire::chain::seal;
use wire::export::{ExportBlob, ExportEvent, ExportHead, FORMAT, Line, SaltText};
use wire::{BlobHash, ChainHash, Header};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");

fn world() -> (World, Daemon) {
    World::new(DAEMON, "")
}

fn export(world: &World) -> Vec<u8> {
    let answer = world.get("/export");
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.body
}

fn import(client: &Client, query: &str, file: &[u8]) -> Answer {
    client.send("POST", &format!("/v1/sessions/import{query}"), &[], file).unwrap()
}

/// Another daemon with an empty workspace.
fn elsewhere() -> (Home, Daemon, Client) {
    let home = Home::new();
    home.configure("");
    let daemon = home.start(DAEMON).unwrap();
    let client = home.client();
    (home, daemon, client)
}

fn at(home: &Home) -> String {
    format!("?workspace={}", home.workspace().display())
}

/// A session with blobs, something on the canvas, and an open question.
fn waiting_session() -> (World, Daemon) {
    let (world, daemon) = world();
    let long = "line of a long text\n".repeat(1500);
    let write = json!({ "path": "long.txt", "content": long });
    assert_eq!(world.ask(&format!("first words [[tool write_file {write}]] [[then]] {long}"))["outcome"], "done");
    world.prompt("[[tool write_file {\"path\":\"small.txt\",\"content\":\"ü\\n\"}]] [[tool count {\"label\":\"x\"}]]");
    world.until(|update| update["kind"] == "tool.finished" && update["turn"] == "trn_2");
    (world, daemon)
}

#[test]
fn a_session_goes_on_elsewhere_with_canvas_and_open_questions() {
    let (origin, _daemon) = waiting_session();
    let file = export(&origin);
    let (home, daemon, client) = elsewhere();
    let came = import(&client, &at(&home), &file);
    assert_eq!(came.status, 200, "{:?}", came.json());
    let here = World { home, client, session: origin.session.clone() };
    assert_eq!((&came.json()["session"], &came.json()["approvals"]), (&json!(origin.session), &json!(1)));

    let events = |world: &World| world.get("/events").json()["events"].as_array().unwrap().clone();
    let (there, now) = (events(&origin), events(&here));
    assert_eq!(there[..], now[..there.len()], "to the byte, as updates");
    assert_eq!(now[there.len()]["kind"], "session.imported");
    assert_eq!(now[there.len()]["data"]["workspace"], json!(here.home.workspace()));
    assert_eq!(here.get("/canvas/files/long.txt").body, origin.get("/canvas/files/long.txt").body);
    assert_eq!(here.view()["workspace"], json!(here.home.workspace()));
    assert_eq!(here.view()["cost_microusd"], origin.view()["cost_microusd"]);

    assert_eq!(here.answer("allow").status, 200);
    assert_eq!((here.finished("trn_2")["outcome"].clone(), here.counted(), origin.counted()), (json!("done"), 1, 0));
    assert_eq!(here.post("/canvas/accept", json!({})).status, 200);
    assert_eq!(std::fs::read_to_string(here.home.workspace().join("small.txt")).unwrap(), "ü\n");
    here.ask("[[echo]]");
    assert!(here.reply().contains("first words"), "what was said there is known here");
    assert_eq!(here.view()["title"], origin.view()["title"]);
    let found = here.client.get("/v1/sessions/search?q=long").unwrap().json();
    assert_eq!(found["hits"][0]["session"]["id"], json!(here.session));
    assert!(daemon.stop().unwrap());
    assert_eq!(verify_chains(&here.home).0, 1);
}

#[test]
fn what_is_there_already_is_refused_and_can_come_under_a_new_id() {
    let (origin, daemon) = waiting_session();
    let file = export(&origin);
    let refused = import(&origin.client, "", &file);
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("conflict")));
    let copied = import(&origin.client, "?as_new=true", &file);
    assert_eq!(copied.status, 200, "{:?}", copied.json());
    let copy = copied.json()["session"].as_str().unwrap().to_owned();
    assert_ne!(copy, origin.session);
    let view = origin.client.get(&format!("/v1/sessions/{copy}")).unwrap().json();
    assert_eq!((&view["status"], &view["cost_microusd"]), (&json!("idle"), &json!(0)), "as a fork");
    assert_eq!(view["pending"], origin.view()["pending"]);
    // An id that was used is never used again.
    let gone = origin.client.send("DELETE", &format!("/v1/sessions/{}?force=true", origin.session), &[], b"").unwrap();
    assert_eq!(gone.status, 200, "{:?}", gone.json());
    let refused = import(&origin.client, "", &file);
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("conflict")), "{:?}", refused.json());
    assert!(refused.json()["remedy"].as_str().unwrap().contains("--as-new"));
    assert_eq!(import(&origin.client, "?as_new=true", &file).status, 200);
    let nowhere = import(&origin.client, "?as_new=true&workspace=/there/is/none", &file);
    assert_eq!((nowhere.status, &nowhere.json()["code"]), (422, &json!("bad_workspace")));
    assert_eq!(import(&origin.client, "?as_new=maybe", &file).status, 400);
    assert!(daemon.stop().unwrap());
    verify_chains(&origin.home);
}

#[test]
fn damage_is_never_taken() {
    const FLIPS: usize = 1000;
    const CUTS: usize = 100;
    let (origin, _daemon) = waiting_session();
    let file = export(&origin);
    let (home, _daemon, client) = elsewhere();
    let seed = Rng::seed();
    let mut rng = Rng::new(seed);
    let mut taken = 0;
    let mut offer = |bytes: &[u8]| {
        let answer = import(&client, &at(&home), bytes);
        taken += usize::from(answer.status == 200);
        assert!([200, 400, 413].contains(&answer.status), "{:?}", answer.json());
    };
    for _ in 0..FLIPS {
        let mut bytes = file.clone();
        let bit = rng.below(bytes.len() as u64 * 8) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        offer(&bytes);
    }
    for _ in 0..CUTS {
        offer(&file[..rng.below(file.len() as u64) as usize]);
    }
    println!("damaged files: seed {seed}, {FLIPS} bit flips and {CUTS} cuts of {} bytes, {taken} taken", file.len());
    assert_eq!(taken, 0);
    assert_eq!(client.get("/v1/sessions").unwrap().json()["sessions"], json!([]));
    let left: Vec<_> = std::fs::read_dir(home.state()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".import")), "{left:?}");
    assert_eq!(import(&client, &at(&home), &file).status, 200, "the file itself is good");
}

/// A file that somebody writes by hand, with all that vouches for it.
struct Forged {
    session: SessionId,
    events: Vec<Line>,
    hash: ChainHash,
    seq: u64,
    workspace: String,
}

impl Forged {
    fn new(home: &Home) -> Forged {
        let workspace = home.workspace().display().to_string();
        let session = SessionId::from_parts(1_763_888_400_123, 7);
        let mut forged = Forged { session, events: Vec::new(), hash: ChainHash::START, seq: 0, workspace };
        forged.event(Event::SessionCreated {}, "{\"workspace\":\"/w\"}", &[]);
        forged
    }

    fn event(&mut self, event: Event, body: &str, blobs: &[BlobHash]) {
        self.seq += 1;
        let header = Header { seq: Seq(self.seq), at: Micros(1), session: Some(self.session), event };
        self.raw(header.to_json(), body, blobs);
    }

    fn raw(&mut self, header: String, body: &str, blobs: &[BlobHash]) {
        let salt = [7; 16];
        self.hash = self.hash.next(header.as_bytes(), &seal(&salt, body.as_bytes()));
        let (body, salt, seal) = (Some(body.to_owned()), Some(SaltText(salt)), None);
        self.events.push(Line::Event(ExportEvent { header, body, salt, seal, hash: self.hash, blobs: blobs.to_vec() }));
    }

    fn steer(&mut self, body: &str) {
        self.event(Event::PromptSteered { turn: TurnId(1), tokens: Tokens(1) }, body, &[]);
    }

    fn file(&self) -> Vec<u8> {
        let head = Line::TinkerbellSession(ExportHead {
            format: FORMAT,
            version: "0".to_owned(),
            session: self.session,
            events: self.seq,
            head: self.hash,
            workspace: self.workspace.clone(),
            title: None,
            model: None,
            created_at: Micros(1),
            updated_at: Micros(1),
        });
        session_file(std::iter::once(&head).chain(&self.events))
    }
}

#[test]
fn what_somebody_made_up_is_refused_though_all_hashes_are_right() {
    let (home, _daemon, client) = elsewhere();
    let forge = |change: &dyn Fn(&mut Forged)| {
        let mut forged = Forged::new(&home);
        change(&mut forged);
        forged.file()
    };
    let refused = |what: &str, file: Vec<u8>| {
        let answer = import(&client, "", &file);
        let problem = answer.json();
        assert!(answer.status >= 400 && problem["detail"].as_str().unwrap().contains(what), "{what}: {problem}");
    };
    let header = |seq: u64, session: &str, rest: &str| {
        format!("{{\"seq\":{seq},\"at\":\"2025-11-23T09:00:00.000000Z\",\"session\":\"{session}\",{rest}}}")
    };
    let own = Forged::new(&home).session.to_string();
    let raw = |header: String, body: &'static str| {
        forge(&|forged| {
            forged.seq += 1;
            forged.raw(header.clone(), body, &[]);
        })
    };
    let updated = "\"kind\":\"session.updated\"";
    refused("of a later version", raw(header(2, &own, "\"kind\":\"session.exploded\""), "{}"));
    refused("another session", raw(header(2, "ses_01kav9ft000000000000000009", updated), "{}"));
    refused("another session", raw(header(2, &own, "\"kind\":\"daemon.began\",\"generation\":9"), "{}"));
    refused("another place", raw(header(9, &own, updated), "{}"));
    refused("session.created, once", raw(header(2, &own, "\"kind\":\"session.created\""), "{}"));
    let parent = "\"kind\":\"session.forked\",\"parent\":\"ses_01kav9ft000000000000000009\",\"at_seq\":";
    for later in ["2", "18446744073709551615"] {
        refused("cannot have had", raw(header(2, &own, &format!("{parent}{later}")), "{}"));
    }
    refused("no JSON object", raw(header(2, &own, updated), "{}{}"));
    refused("no JSON object", raw(header(2, &own, updated), "[]"));
    let blob = BlobHash::of(b"bytes");
    let named = format!("{{\"blob\":\"{blob}\"}}");
    let update =
        |forged: &mut Forged, body: &str, blobs: &[BlobHash]| forged.event(Event::SessionUpdated {}, body, blobs);
    let bring = |forged: &mut Forged, bytes: u64, coding: &str, data: &str| {
        forged.events.push(Line::Blob(ExportBlob { blob, bytes, coding: coding.to_owned(), parts: 1 }));
        forged.events.push(Line::Part(data.to_owned()));
    };
    refused("did not come", forge(&|forged| update(forged, &named, &[blob])));
    refused(
        "does not name blob",
        forge(&|forged| {
            bring(forged, 5, "plain", "Ynl0ZXM=");
            update(forged, "{}", &[blob]);
        }),
    );
    refused(
        "is not held by it",
        forge(&|forged| {
            bring(forged, 5, "plain", "Ynl0ZXM=");
            update(forged, &named, &[]);
        }),
    );
    refused(
        "a second time",
        forge(&|forged| {
            bring(forged, 5, "plain", "Ynl0ZXM=");
            bring(forged, 5, "plain", "Ynl0ZXM=");
            update(forged, &named, &[blob]);
        }),
    );
    refused("not what its name says", forge(&|forged| bring(forged, 5, "plain", "Ynl0ZXp6")));
    refused("not what its name says", forge(&|forged| bring(forged, 5, "zlib", "Ynl0ZXM=")));
    refused("no known coding", forge(&|forged| bring(forged, 5, "zstd", "Ynl0ZXM=")));
    refused("blob_bytes", forge(&|forged| bring(forged, 10 << 30, "zlib", "Ynl0ZXM=")));
    refused("a body is larger", forge(&|forged| forged.steer(&format!("{{\"text\":\"{}\"}}", "x".repeat(5 << 20)))));
    refused("a line is larger", forge(&|forged| forged.events.push(Line::Part("A".repeat(33 << 20)))));
    refused("format", String::from_utf8(forge(&|_| {})).unwrap().replacen("\"format\":1", "\"format\":2", 1).into());
    refused("beginning of a session's file", b"{\"part\":\"\"}\n".to_vec());
    refused("ends too early", Vec::new());
    assert_eq!(client.get("/v1/sessions").unwrap().json()["sessions"], json!([]));
    let good = forge(&|forged| {
        bring(forged, 5, "plain", "Ynl0ZXM=");
        update(forged, &named, &[blob]);
    });
    assert_eq!(import(&client, "", &good).status, 200, "what is right comes in");
}

#[test]
fn a_kill_in_mid_import_leaves_all_of_it_or_nothing() {
    const TRIALS: u64 = 8;
    const EVENTS: usize = 6000;
    let seed = Rng::seed();
    let mut rng = Rng::new(seed);
    let (mut whole, mut absent) = (0, 0);
    let home = Home::new();
    home.configure("");
    let mut forged = Forged::new(&home);
    for _ in 0..EVENTS {
        forged.steer("{\"text\":\"words\"}");
    }
    let file = forged.file();
    for trial in 0..TRIALS {
        let daemon = home.start(DAEMON).unwrap();
        let client = home.client();
        let began = std::time::Instant::now();
        let sending = std::thread::spawn({
            let (client, file) = (client.clone(), file.clone());
            move || client.send("POST", "/v1/sessions/import", &[], &file)
        });
        // The first trial measures how long it takes; the others end somewhere before that.
        if trial > 0 {
            std::thread::sleep(Duration::from_millis(rng.below(600)));
            daemon.kill();
            let _ = sending.join().unwrap();
        } else {
            assert_eq!(sending.join().unwrap().unwrap().status, 200);
            println!("an import of {EVENTS} events takes {:?}", began.elapsed());
            daemon.kill();
        }
        let daemon = home.start(DAEMON).unwrap();
        let view = client.get(&format!("/v1/sessions/{}", forged.session)).unwrap();
        match view.status {
            200 => {
                whole += 1;
                assert!(view.json()["head"].as_u64().unwrap() > EVENTS as u64);
            }
            404 => absent += 1,
            other => panic!("{other}"),
        }
        assert!(daemon.stop().unwrap());
        let (_, events) = verify_chains(&home);
        assert!(events == 0 || events > EVENTS as u64, "{events} events");
        // A fresh state for the next one.
        std::fs::remove_dir_all(home.state()).unwrap();
    }
    println!("killed imports: seed {seed}, {TRIALS} trials, {whole} whole, {absent} absent, 0 in between");
    assert_eq!(whole + absent, TRIALS);
}

#[test]
fn an_export_of_a_session_that_is_not_there_says_so() {
    let (world, _daemon) = world();
    let none = world.client.get("/v1/sessions/ses_01kav9ft000000000000000009/export").unwrap();
    assert_eq!(none.status, 404);
    let file = export(&world);
    let lines: Vec<Value> =
        file.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(lines[0]["tinkerbell_session"]["session"], json!(world.session));
    assert!(lines.last().unwrap()["end"]["lines"].as_u64() == Some(lines.len() as u64 - 1));
}

#[test]
fn what_a_kill_left_of_a_file_that_was_received_goes_at_the_next_start() {
    let (world, daemon) = world();
    daemon.kill();
    let left = world.home.state().join("ses_01kav9ft00rwyvadqn13111pb5.import");
    std::fs::write(&left, b"the beginning of a file").unwrap();
    let _daemon = world.home.start(DAEMON).unwrap();
    assert!(!left.exists());
    assert_eq!(world.ask("[[echo]]")["outcome"], "done");
}

#[test]
fn words_that_are_taken_away_are_no_title_of_what_came_either() {
    let (origin, _there) = waiting_session();
    let (home, _daemon, client) = elsewhere();
    assert_eq!(import(&client, &at(&home), &export(&origin)).status, 200);
    let here = World { home, client, session: origin.session.clone() };
    assert_eq!(here.answer("allow").status, 200);
    here.finished("trn_2");
    assert!(here.view()["title"].as_str().unwrap().contains("first words"));
    let events = here.get("/events").json()["events"].as_array().unwrap().clone();
    let said =
        events.iter().filter(|event| ["prompt.accepted", "model.finished"].contains(&event["kind"].as_str().unwrap()));
    let seqs: Vec<&Value> = said.map(|event| &event["seq"]).collect();
    assert_eq!(here.post("/redact", json!({ "seqs": seqs })).status, 200);
    let found = here.client.get("/v1/sessions/search?q=first").unwrap().json();
    assert_eq!(found["hits"].as_array().unwrap().len(), 0, "{found}");
    assert!(!String::from_utf8(export(&here)).unwrap().contains("first words"));
}
