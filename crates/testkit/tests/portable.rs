//! A portable snapshot: the whole agent goes on in another home, no secret goes along, and no fault while sessions are
//! moved to where they work there loses or moves one twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "a campaign says how often it tried")]

use daemon::snapshots::restore::{Chosen, Root, Roots, look, restore_to};
use daemon::{Config, Parts, Prompt, Registry, assemble};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{JournalId, ListQuery, Options};
use tempfile::TempDir;
use testkit::every_fault::{self, Campaign, for_every_fault};
use testkit::fault_vfs::{Crash, Fault, FaultVfs, Hurt, Ops};
use testkit::{Home, Rng, World, verify_chains};
use tokio::runtime::Runtime;
use wire::rest::WhileRunning;
use wire::snapshot::{SecretPlace, Why};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
const KEPT: &str = "sk-canary-kept-0123456789";
const WRITTEN: &str = "canary-in-the-configuration";

/// All bytes of a file of a snapshot, as they stand there and unpacked.
fn all_bytes(file: &Path) -> Vec<Vec<u8>> {
    let raw = std::fs::read(file).unwrap();
    let begins = |at: &usize| raw[*at..].starts_with(&[0x1f, 0x8b, 8]);
    let unpacked = (0..raw.len()).step_by(512).filter(begins).map(|at| {
        let mut plain = Vec::new();
        flate2::bufread::GzDecoder::new(&raw[at..]).read_to_end(&mut plain).unwrap();
        plain
    });
    let unpacked: Vec<_> = unpacked.collect();
    assert!(!unpacked.is_empty(), "the journal is compressed");
    std::iter::once(raw.clone()).chain(unpacked).collect()
}

fn stands_in(text: &[u8], pieces: &[Vec<u8>]) -> bool {
    pieces.iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text))
}

/// What makes up the agent there: a kept key, a key within the configuration, something on the canvas, an open question.
fn origin() -> (World, testkit::Daemon) {
    let config = format!(
        "[models.served]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"http://127.0.0.1:9/{WRITTEN}/v1\"\n\
         key = {{ env = \"PORTABLE_TEST_KEY\" }}\n[models.scripted2]\nprovider = \"openai\"\nmodel = \"m\"\n\
         key = {{ kept = \"written\" }}\n"
    );
    let (world, daemon) = World::new(DAEMON, &config);
    for (name, key) in [("openai", KEPT), ("written", WRITTEN)] {
        let body = json!({ "key": key }).to_string();
        let set = world.client.send("PUT", &format!("/v1/keys/{name}"), &[], body.as_bytes()).unwrap();
        assert_eq!(set.status, 200, "{:?}", set.json());
    }
    std::fs::write(world.home.workspace().join("a.txt"), "one\n").unwrap();
    let edit = json!({ "path": "a.txt", "old": "one", "new": "two" });
    let write = json!({ "path": "b.txt", "content": "fresh\n" });
    world.ask(&format!("first words [[tool edit_file {edit}]] [[tool write_file {write}]] [[then]] done"));
    world.prompt("[[tool count {\"label\":\"x\"}]]");
    world.until(|update| update["kind"] == "approval.requested");
    (world, daemon)
}

fn portable(world: &World) -> PathBuf {
    let file = world.home.path("bell.tar");
    let made = world.client.post("/v1/snapshots", &json!({ "portable": true, "file": file })).unwrap();
    assert_eq!(made.status, 201, "{:?}", made.json());
    file
}

/// Sets the key of the configuration again that was masked.
fn set_again(home: &Home) {
    let text = std::fs::read_to_string(home.tinkerbell().join("config.toml")).unwrap();
    assert!(text.contains("[key written]"), "{text}");
    home.configure(&text.replace("[key written]", WRITTEN));
}

fn chosen(file: &Path, roots: Roots) -> Chosen {
    Chosen { path: file.to_owned(), id: None, expected: None, roots }
}

fn kinds(world: &World) -> Vec<String> {
    let events = world.get("/events").json()["events"].as_array().unwrap().clone();
    events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_agent_goes_on_in_another_home_and_no_secret_goes_along() {
    let (there, daemon) = origin();
    let file = portable(&there);
    let before = kinds(&there);
    assert!(daemon.stop().unwrap());

    let manifest = look(&file).unwrap().manifest;
    let named = manifest.portable.clone().unwrap();
    let workspace = there.home.workspace().canonicalize().unwrap();
    assert_eq!((named.workspaces.len(), named.workspaces[0].sessions), (1, 1));
    assert_eq!(Path::new(&named.workspaces[0].path), workspace);
    assert!(workspace.starts_with(named.home.as_ref().unwrap()));
    let names = |place| -> Vec<&str> {
        let of = named.secrets.iter().filter(|secret| secret.place == place);
        of.map(|secret| secret.name.as_str()).collect()
    };
    assert_eq!(names(SecretPlace::Kept), ["openai", "written"]);
    assert_eq!(names(SecretPlace::Environment), ["PORTABLE_TEST_KEY"]);
    assert_eq!(names(SecretPlace::Config), ["models.served.base_url"]);
    let secret = |name: &str| manifest.left_out.iter().any(|left| left.name == name && left.why == Why::Secret);
    assert!(secret("audit.key") && secret("keys/openai") && secret("keys/written"), "{:?}", manifest.left_out);
    let pieces = all_bytes(&file);
    let signing = std::fs::read_to_string(there.home.state().join("audit.key")).unwrap();
    let signing = signing.lines().nth(1).unwrap().to_owned();
    for secret in [KEPT, WRITTEN, &signing] {
        assert!(!stands_in(secret.as_bytes(), &pieces), "a secret is in the file");
    }
    assert!(stands_in(b"first words", &pieces), "what is looked for would be found");

    // Another home, in which the workspace lies elsewhere and one file is another one.
    let home = Home::new();
    let copy = home.path("copied/engine");
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::write(copy.join("a.txt"), "changed here\n").unwrap();
    let copy = copy.canonicalize().unwrap();
    let root = Root::parse(&format!("{}={}", workspace.display(), copy.display())).unwrap();
    let new_home = home.path("").canonicalize().unwrap();
    let roots = Roots::new(vec![root], named.home.as_deref(), new_home.to_str()).unwrap();
    restore_to(&home.tinkerbell(), &chosen(&file, roots), None, &|| true, &|_| {}).unwrap();
    // A mask is no address: the daemon does not send words elsewhere, it waits until the address is set again.
    assert!(home.start(DAEMON).unwrap_err().contains("models.served.base_url"));
    set_again(&home);
    let daemon = home.start(DAEMON).unwrap();
    let client = home.client();
    let here = World { home, client, session: there.session.clone() };
    assert_eq!(here.view()["workspace"], json!(copy));
    assert!(!here.home.state().join("roots.json").exists());
    let now = kinds(&here);
    assert_eq!((&now[..before.len()], now[before.len()].as_str()), (&before[..], "session.imported"));

    // The open question is answered, the conversation goes on, and what is another file here is a conflict.
    assert_eq!(here.answer("allow").status, 200);
    assert_eq!((here.finished("trn_2")["outcome"].clone(), here.counted(), there.counted()), (json!("done"), 1, 0));
    here.ask("[[echo]]");
    assert!(here.reply().contains("first words"), "what was said there is known here");
    let accepted = here.post("/canvas/accept", json!({}));
    assert_eq!((accepted.status, &accepted.json()["code"]), (409, &json!("conflict")), "{:?}", accepted.json());
    assert_eq!(std::fs::read_to_string(copy.join("a.txt")).unwrap(), "changed here\n");
    assert_eq!(here.post("/canvas/accept", json!({ "paths": ["b.txt"] })).status, 200);
    assert_eq!(std::fs::read_to_string(copy.join("b.txt")).unwrap(), "fresh\n");

    // Another key signs from here on, and the journal says so; nothing is moved again.
    assert!(daemon.stop().unwrap());
    let daemon = here.home.start(DAEMON).unwrap();
    assert_eq!(kinds(&here).iter().filter(|kind| *kind == "session.imported").count(), 1);
    assert_ne!(std::fs::read_to_string(here.home.state().join("audit.key")).unwrap().lines().nth(1), Some(&*signing));
    let verified = here.client.get("/v1/audit/verify").unwrap();
    assert_eq!(verified.status, 200, "{:?}", verified.json());
    assert!(daemon.stop().unwrap());
    assert_eq!(verify_chains(&here.home).0, 1);
}

#[test]
fn a_passphrase_brings_no_secret_along() {
    let (there, daemon) = origin();
    let file = there.home.path("sealed.tar");
    let wish = json!({ "portable": true, "passphrase": "correct horse", "file": file });
    let made = there.client.post("/v1/snapshots", &wish).unwrap();
    assert_eq!(made.status, 201, "{:?}", made.json());
    assert!(daemon.stop().unwrap());
    let manifest = look(&file).unwrap().manifest;
    assert!(manifest.sealed_bytes.is_some());
    assert!(manifest.left_out.iter().any(|left| left.name == "keys/openai" && left.why == Why::Secret));
    let home = Home::new();
    restore_to(&home.tinkerbell(), &chosen(&file, Roots::default()), Some("correct horse"), &|| true, &|_| {}).unwrap();
    assert!(home.state().join("journal.db").exists() && !home.state().join("keys").exists());
    let config = std::fs::read_to_string(home.tinkerbell().join("config.toml")).unwrap();
    assert!(!config.contains(WRITTEN) && config.contains("[key written]"), "{config}");
}

#[test]
fn a_workspace_that_is_not_there_is_said_and_loses_nothing() {
    let (there, daemon) = origin();
    let file = portable(&there);
    assert!(daemon.stop().unwrap());
    let home = Home::new();
    let old = look(&file).unwrap().manifest.portable.unwrap().home;
    let roots = Roots::new(Vec::new(), old.as_deref(), Some("/nowhere/at/all")).unwrap();
    restore_to(&home.tinkerbell(), &chosen(&file, roots), None, &|| true, &|_| {}).unwrap();
    set_again(&home);
    let daemon = home.start(DAEMON).unwrap();
    let client = home.client();
    let here = World { home, client, session: there.session.clone() };
    assert_eq!(here.view()["workspace"], json!("/nowhere/at/all/work"));
    // An accept waits for the end of the turn, so the question has to be answered first.
    assert_eq!(here.answer("deny").status, 200);
    here.finished("trn_2");
    let said = here.post("/canvas/accept", json!({}));
    assert_eq!((said.status, &said.json()["code"]), (422, &json!("bad_workspace")), "{:?}", said.json());
    assert!(said.json()["detail"].as_str().unwrap().contains("/nowhere/at/all/work"), "{:?}", said.json());
    // A look at the canvas needs the files that it is compared with; the journal holds it all the same.
    assert_eq!(here.get("/canvas/files/b.txt").status, 422);
    assert!(daemon.stop().unwrap());
    verify_chains(&here.home);
}

#[test]
fn no_damage_of_a_portable_file_is_taken() {
    const FLIPS: u64 = 60;
    const CUTS: u64 = 20;
    let (there, _daemon) = origin();
    let file = portable(&there);
    let whole = std::fs::read(&file).unwrap();
    let (seed, dir) = (Rng::seed(), TempDir::new().unwrap());
    let (mut rng, mut taken) = (Rng::new(seed), 0);
    let mut offer = |bytes: &[u8]| {
        let (hurt, to) = (dir.path().join("hurt.tar"), dir.path().join("to"));
        std::fs::write(&hurt, bytes).unwrap();
        taken += usize::from(restore_to(&to, &chosen(&hurt, Roots::default()), None, &|| true, &|_| {}).is_ok());
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["hurt.tar"], "something is left");
    };
    for _ in 0..FLIPS {
        let mut bytes = whole.clone();
        let bit = rng.below(bytes.len() as u64 * 8) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        offer(&bytes);
    }
    for _ in 0..CUTS {
        offer(&whole[..rng.below(whole.len() as u64) as usize]);
    }
    println!(
        "damaged portable files: seed {seed}, {FLIPS} bit flips and {CUTS} cuts of {} bytes, {taken} taken",
        whole.len()
    );
    assert_eq!(taken, 0);
}

/// Sessions that are moved, and to where.
const SESSIONS: u64 = 4;
const NEW: &str = "/new/machine";

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A home in memory, where there is such a place: nothing here depends on real syncs.
fn memory() -> TempDir {
    TempDir::new_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" }).unwrap()
}

fn parts(dir: &Path, state: &Path, vfs: Option<&FaultVfs>) -> Parts {
    Parts {
        config: Config::load(&dir.join("config.toml")).unwrap(),
        state_dir: state.to_owned(),
        socket: dir.join("socket"),
        canvas_dir: dir.join("canvas"),
        store: Options { vfs: vfs.map(|vfs| vfs.name().to_owned()), checkpoint_idle: None, ..Options::default() },
        tools: Vec::new(),
        models: vec![testkit::scripted()],
    }
}

async fn end(registry: &Arc<Registry>) {
    registry.house().stop.cancel();
    registry.house().tasks.finished().await;
    registry.house().store.clone().close().await;
}

/// A state that came from another machine, as a restore leaves it: sessions below one root, and the list.
fn template() -> TempDir {
    let dir = memory();
    let (state, work) = (dir.path().join("state"), dir.path().join("work"));
    for path in [&state, &work] {
        std::fs::create_dir(path).unwrap();
    }
    runtime().block_on(async {
        let registry = assemble(parts(dir.path(), &state, None)).await.unwrap();
        for number in 0..SESSIONS {
            let text = format!("session {number}");
            let prompt = Prompt { text, model: None, while_running: WhileRunning::Queue, attachments: Vec::new() };
            registry.create(work.to_str().unwrap(), None, Some(prompt), None).await.unwrap();
        }
        end(&registry).await;
    });
    let list = json!([{ "from": work.canonicalize().unwrap(), "to": NEW }]);
    std::fs::write(state.join("roots.json"), list.to_string()).unwrap();
    dir
}

/// What a start that was hurt left behind.
struct Left {
    dir: TempDir,
}

fn hurt_start(template: &Path, hurt: Hurt, crash: Crash, nth: u64) -> every_fault::Hurt<Left> {
    let (runtime, dir, vfs) = (runtime(), memory(), FaultVfs::new());
    let (state, left) = (dir.path().join("state"), dir.path().join("left"));
    for path in [&state, &left] {
        std::fs::create_dir(path).unwrap();
    }
    for entry in std::fs::read_dir(template.join("state")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() && entry.file_name() != "roots.json" {
            std::fs::copy(entry.path(), state.join(entry.file_name())).unwrap();
        }
    }
    vfs.adopt(&state).unwrap();
    std::fs::copy(template.join("state/roots.json"), state.join("roots.json")).unwrap();
    vfs.arm(Fault { nth, ops: Ops::CHANGES, hurt, sticky: false });
    let begun = runtime.block_on(assemble(parts(dir.path(), &state, Some(&vfs))));
    let hit = vfs.hit();
    vfs.crash(crash, &left).unwrap();
    // The list is no file of SQLite's: it is where it was, or gone for good.
    if state.join("roots.json").exists() {
        std::fs::copy(state.join("roots.json"), left.join("roots.json")).unwrap();
    }
    drop(begun);
    runtime.shutdown_timeout(Duration::from_secs(1));
    every_fault::Hurt { world: Left { dir }, hit }
}

/// The next start finishes: each session is moved, once, and a further start changes nothing.
fn next_start_finishes(lived: Left) -> Result<(), String> {
    let left = lived.dir.path().join("left");
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    runtime().block_on(async {
        for _ in 0..2 {
            let begun = assemble(parts(lived.dir.path(), &left, None)).await;
            let registry = begun.map_err(|error| wrong(&error))?;
            let store = &registry.house().store;
            let page = store.list(ListQuery { limit: 100, ..ListQuery::default() }).await.map_err(|e| wrong(&e))?;
            if page.len() as u64 != SESSIONS {
                return Err(format!("{} sessions", page.len()));
            }
            for listed in page {
                let journal = JournalId::Session(listed.session);
                store.verify(journal).await.map_err(|error| wrong(&error))?;
                let records = store.events(journal, agent::Seq(0), 1000).await.map_err(|error| wrong(&error))?;
                let updates = records.iter().map(|record| serde_json::from_str::<Value>(&record.update()).unwrap());
                let moved: Vec<Value> = updates.filter(|update| update["kind"] == "session.imported").collect();
                if moved.len() != 1 || moved[0]["data"]["workspace"] != NEW || listed.row.workspace != NEW {
                    return Err(format!("{} works in {}: {moved:?}", listed.session, listed.row.workspace));
                }
            }
            if left.join("roots.json").exists() {
                return Err("the list is still there".to_owned());
            }
            end(&registry).await;
        }
        Ok(())
    })
}

#[test]
fn no_fault_while_sessions_are_moved_loses_one_or_moves_it_twice() {
    let template = template();
    for (name, hurt, crash) in [
        ("killed", Hurt::Power, Crash::Kill),
        ("the power goes, unsynced is gone", Hurt::Power, Crash::DropUnsynced),
        ("the power goes in a write, unsynced is mixed", Hurt::PowerTorn, Crash::Mixed(Rng::seed())),
        ("a call fails", Hurt::Fail, Crash::Kill),
        ("the disk is full", Hurt::Full, Crash::Kill),
        ("a sync is lost", Hurt::LostSync, Crash::DropUnsynced),
    ] {
        let campaign = Campaign { name: format!("roots: {name}"), seed: Rng::seed(), stride: 3, at_once: 8 };
        let start = |nth| hurt_start(template.path(), hurt, crash, nth);
        let tally = for_every_fault(&campaign, start, next_start_finishes);
        println!("{}", tally.line());
        assert!(tally.failures.is_empty() && tally.trials >= SESSIONS, "{}", tally.failures.join("\n"));
    }
}
