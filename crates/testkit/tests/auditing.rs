//! Audits: a bundle is checked by a checker that shares no code with the daemon, and damage of every kind shows, in a bundle
//! and in the database. Nothing damaged may be taken for sound.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "the counts are what these tests are run for")]

#[path = "auditing/checker.rs"]
mod checker;

use checker::check;
use daemon::{Config, Parts, Registry, assemble, audited};
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Options;
use tempfile::TempDir;
use testkit::{Daemon, Rng, World};
use wire::rest::AuditReport;

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
/// Flips of one bit in a bundle.
const FLIPS: u64 = 400;
/// Damages of the database.
const DAMAGES: u64 = 120;

fn seed() -> u64 {
    let given = std::env::var("TINKERBELL_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// Sessions with files, long texts, something forgotten, something removed, a fork.
fn furnished() -> (World, Daemon) {
    let (mut world, daemon) = World::new(DAEMON, "");
    let gone = world.session.clone();
    world.ask("soon gone");
    let created = world.client.post("/v1/sessions", &json!({ "workspace": world.home.workspace() })).unwrap().json();
    world.session = created["session"].as_str().unwrap().to_owned();
    world.ask("first [[tool write_file {\"path\":\"a.txt\",\"content\":\"one\\n\"}]]");
    world.ask(&"a long prompt ".repeat(2000));
    world.ask("to be forgotten");
    let head = world.view()["head"].as_u64().unwrap();
    assert_eq!(world.post("/redact", json!({ "seqs": [head] })).status, 200);
    world.post("/fork", json!({}));
    world.client.send("DELETE", &format!("/v1/sessions/{gone}"), &[], b"").unwrap();
    (world, daemon)
}

fn export(world: &World, query: &str) -> Vec<u8> {
    let answer = world.client.get(&format!("/v1/audit/export{query}")).unwrap();
    assert_eq!(answer.status, 200);
    answer.body
}

#[test]
fn a_bundle_is_checked_by_somebody_else_and_no_damage_of_it_is_taken() {
    let (world, _daemon) = furnished();
    let report = world.client.get("/v1/audit/verify").unwrap().json();
    assert_eq!(report["sound"], true, "{report}");
    let whole = export(&world, "");
    let counts = check(&whole).unwrap();
    assert_eq!((counts.events, counts.links), (report["events"].as_u64().unwrap(), report["links"].as_u64().unwrap()));
    assert!(counts.blobs > 2 && counts.signatures > 0 && counts.bodies > 10, "{counts:?}");
    let bare = export(&world, "?headers_only=true");
    let of_bare = check(&bare).unwrap();
    assert_eq!((of_bare.events, of_bare.bodies, of_bare.blobs), (counts.events, 0, 0));
    assert!(!String::from_utf8_lossy(&bare).contains("a long prompt"));
    let one = export(&world, &format!("?sessions={}", world.session));
    let of_one = check(&one).unwrap();
    assert!(of_one.events < counts.events && of_one.links >= counts.links && of_one.blobs > 0, "{of_one:?}");
    assert_eq!(world.client.get("/v1/audit/export?sessions=ses_x").unwrap().status, 400);
    assert_eq!(world.client.get("/v1/audit/export?what=x").unwrap().status, 400);

    let (seed, mut accepted, mut trials) = (seed(), 0, 0);
    let mut random = Rng::new(seed);
    let mut take = |bundle: &[u8], what: &str| {
        trials += 1;
        if check(bundle).is_ok() {
            accepted += 1;
            println!("accepted: {what}");
        }
    };
    for bundle in [&whole, &bare] {
        for _ in 0..FLIPS / 2 {
            let mut flipped = bundle.clone();
            let (at, bit) = (random.below(flipped.len() as u64) as usize, random.below(8));
            flipped[at] ^= 1 << bit;
            take(&flipped, &format!("bit {bit} of byte {at}"));
        }
    }
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for _ in 0..50 {
        let at = random.below(lines.len() as u64) as usize;
        let (mut dropped, mut swapped, mut twice) = (lines.clone(), lines.clone(), lines.clone());
        dropped.remove(at);
        take(&dropped.concat(), &format!("line {at} dropped"));
        swapped.swap(at, (at + 1) % lines.len());
        take(&swapped.concat(), &format!("line {at} swapped with the next"));
        twice.insert(at, lines[at]);
        take(&twice.concat(), &format!("line {at} twice"));
        take(&lines[..at].concat(), &format!("cut before line {at}"));
    }
    // A forger who computes all again, but has not the key.
    for forged in checker::forgeries(&whole) {
        take(&forged, "a forgery");
    }
    println!("bundle damage: seed {seed}, trials {trials}, accepted {accepted}");
    assert_eq!(accepted, 0);
}

async fn house(dir: &Path) -> Result<Arc<Registry>, daemon::AssembleError> {
    let parts = Parts {
        config: Config::load(&dir.join("config.toml")).unwrap(),
        state_dir: dir.join("state"),
        socket: dir.join("socket"),
        canvas_dir: dir.join("canvas"),
        store: Options { checkpoint_idle: None, ..Options::default() },
        tools: Vec::new(),
        models: vec![testkit::scripted()],
    };
    assemble(parts).await
}

/// Opens a copy of a state after it was damaged, and audits it; none where the daemon does not even start.
fn audit(from: &Path, damage: impl FnOnce(&Connection)) -> Option<AuditReport> {
    let dir = TempDir::new_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" }).unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    for name in ["journal.db", "journal.db-wal", "audit.key"] {
        // After an end in good order there is no log.
        if from.join(name).exists() {
            std::fs::copy(from.join(name), dir.path().join("state").join(name)).unwrap();
        }
    }
    let connection = Connection::open(dir.path().join("state/journal.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
    damage(&connection);
    connection.close().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let registry = house(dir.path()).await.ok()?;
        let report = audited(registry.house()).await.unwrap();
        registry.house().stop.cancel();
        registry.house().tasks.finished().await;
        registry.house().store.clone().close().await;
        Some(report)
    })
}

/// Every column that a chain, a name or a signature vouches for.
const COLUMNS: [(&str, &str); 25] = [
    ("events", "journal"),
    ("events", "seq"),
    ("events", "header"),
    ("events", "body"),
    ("events", "salt"),
    ("events", "seal"),
    ("events", "hash"),
    ("journals", "name"),
    ("journals", "seq"),
    ("journals", "hash"),
    ("heads", "place"),
    ("heads", "journal"),
    ("heads", "seq"),
    ("heads", "head"),
    ("heads", "hash"),
    ("blobs", "hash"),
    ("blobs", "bytes"),
    ("blobs", "coding"),
    ("blobs", "data"),
    ("blobs", "holders"),
    ("event_blobs", "seq"),
    ("event_blobs", "blob"),
    ("signatures", "place"),
    ("signatures", "at"),
    ("signatures", "signature"),
];

/// Flips one bit of a value.
fn hurt(value: Sql, random: &mut Rng) -> Sql {
    let flip = |mut bytes: Vec<u8>, random: &mut Rng| {
        if bytes.is_empty() {
            return vec![0];
        }
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << random.below(8);
        bytes
    };
    match value {
        Sql::Integer(number) => Sql::Integer(number ^ (1 << random.below(5))),
        Sql::Text(text) => match String::from_utf8(flip(text.clone().into_bytes(), random)) {
            Ok(flipped) => Sql::Text(flipped),
            Err(_) => Sql::Text(text + "x"),
        },
        Sql::Blob(bytes) => Sql::Blob(flip(bytes, random)),
        Sql::Null => Sql::Integer(1),
        Sql::Real(_) => panic!("nothing here is one"),
    }
}

fn rows(connection: &Connection, table: &str, filter: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table} WHERE {filter}"), (), |row| row.get(0)).unwrap()
}

/// Damages a row of a column; says what it did, or that the tables did not let it.
fn hurt_column(connection: &Connection, (table, column): (&str, &str), random: &mut Rng) -> Option<String> {
    let filter = format!("{column} IS NOT NULL");
    let at = random.below(rows(connection, table, &filter) as u64);
    let key = if table == "event_blobs" { "journal * 1000000 + seq * 1000 + blob" } else { "rowid" };
    let (row, value): (i64, Sql) = connection
        .query_row(
            &format!("SELECT {key}, {column} FROM {table} WHERE {filter} ORDER BY 1 LIMIT 1 OFFSET {at}"),
            (),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let hurt = hurt(value, random);
    let what = format!("{table}.{column} of row {row} to {hurt:?}");
    let changed = connection.execute(&format!("UPDATE {table} SET {column} = ? WHERE {key} = ?"), (hurt, row));
    changed.ok().filter(|changed| *changed == 1).map(|_| what)
}

#[test]
fn no_damage_of_the_database_is_taken_for_sound() {
    let (world, daemon) = furnished();
    assert!(daemon.stop().unwrap());
    let state: PathBuf = world.home.state();
    std::fs::write(world.home.path("config.toml"), "").unwrap();
    let clean = audit_clean(&state);
    assert!(clean.sound && clean.signatures >= 2 && clean.blobs > 2 && clean.forgotten > 0, "{clean:?}");
    let (seed, mut trials, mut accepted, mut refused) = (seed(), 0, 0, 0);
    let mut random = Rng::new(seed);
    let mut judge = |report: Option<AuditReport>, what: &str| {
        trials += 1;
        match report {
            None => refused += 1,
            Some(report) if report.sound => {
                accepted += 1;
                println!("accepted: {what}");
            }
            Some(report) => assert!(!report.damage.is_empty(), "{what}"),
        }
    };
    for trial in 0..DAMAGES {
        let column = COLUMNS[trial as usize % COLUMNS.len()];
        let mut done = None;
        let report = audit(&state, |connection| done = hurt_column(connection, column, &mut random));
        if let Some(what) = done {
            judge(report, &what);
        }
    }
    let session = "(SELECT max(journal) FROM events)";
    let cut_tail = format!(
        "DELETE FROM events WHERE journal = {session} AND seq = (SELECT seq FROM journals WHERE id = {session});
         UPDATE journals SET seq = seq - 1, hash = (SELECT hash FROM events e WHERE e.journal = journals.id AND e.seq =
             journals.seq - 1) WHERE id = {session};"
    );
    let whole = format!("DELETE FROM events WHERE journal = {session}");
    for (what, sql) in [
        ("an event dropped", "DELETE FROM events WHERE id = (SELECT max(id) - 3 FROM events)"),
        ("a whole session dropped", whole.as_str()),
        ("a journal dropped", "DELETE FROM journals WHERE id = 3"),
        ("two events swapped", "UPDATE events SET seq = -1 WHERE journal = 3 AND seq = 4;
             UPDATE events SET seq = 4 WHERE journal = 3 AND seq = 5; UPDATE events SET seq = 5 WHERE journal = 3 AND seq = -1"),
        ("a journal's end cut off", cut_tail.as_str()),
        ("the chain's end cut off", "DELETE FROM heads WHERE place > (SELECT max(place) - 3 FROM heads)"),
        ("a link dropped", "DELETE FROM heads WHERE place = 5"),
        ("two links swapped", "UPDATE heads SET place = -1 WHERE place = 5; UPDATE heads SET place = 5 WHERE place = 6;
             UPDATE heads SET place = 6 WHERE place = -1"),
        ("a blob dropped", "DELETE FROM blobs WHERE id = (SELECT min(id) FROM blobs)"),
        ("a holder dropped", "DELETE FROM event_blobs WHERE blob = (SELECT min(id) FROM blobs)"),
        ("all signatures of one key moved to another", "UPDATE signatures SET key = randomblob(32)"),
        ("another state's signatures", "UPDATE signatures SET state = randomblob(32)"),
        ("signatures made up", "UPDATE signatures SET signature = randomblob(64)"),
        ("a signature moved to another link", "UPDATE signatures SET place = 3 WHERE place = (SELECT min(place) FROM signatures)"),
    ] {
        judge(audit(&state, |connection| connection.execute_batch(sql).unwrap()), what);
    }
    println!("database damage: seed {seed}, trials {trials}, refused at start {refused}, accepted {accepted}");
    assert_eq!(accepted, 0);
}

fn audit_clean(state: &Path) -> AuditReport {
    audit(state, |_| ()).expect("an undamaged state starts")
}

#[test]
fn a_damaged_session_is_not_written_out_and_its_bundle_shows_the_damage() {
    let (mut world, daemon) = World::new(DAEMON, "");
    world.ask("first words");
    let export = |world: &World| world.client.get(&format!("/v1/sessions/{}/export", world.session)).unwrap();
    assert_eq!(export(&world).status, 200);
    assert!(daemon.stop().unwrap());
    let journal = Connection::open(world.home.state().join("journal.db")).unwrap();
    let changed =
        "UPDATE events SET body = replace(body, 'first words', 'other words') WHERE body LIKE '%first words%'";
    assert!(journal.execute(changed, ()).unwrap() > 0);
    drop(journal);
    let _daemon = world.home.start(DAEMON).unwrap();
    world.client = world.home.client();
    let refused = export(&world);
    assert_eq!(refused.status, 409);
    assert!(refused.json()["detail"].as_str().unwrap().contains("does not have the hash"), "{:?}", refused.json());
    assert!(check(&self::export(&world, "")).is_err(), "whoever checks the bundle is shown the damage");
}

#[test]
fn what_a_cut_shows_and_what_it_does_not() {
    let (world, daemon) = furnished();
    world.ask("before the signature");
    let signed = world.client.post("/v1/audit/sign", &json!({})).unwrap().json();
    let again = world.client.post("/v1/audit/sign", &json!({})).unwrap().json();
    assert_eq!(signed, again, "what is signed is not signed again");
    world.ask("after the signature");
    daemon.kill();
    let state = world.home.state();
    let place = signed["link"].as_i64().unwrap();
    // The end of every journal that is behind the signature, taken off with its links, as somebody would who knows how.
    let cut = |place: i64| {
        format!(
            "DELETE FROM heads WHERE place > {place};
             UPDATE journals SET seq = (SELECT seq FROM heads h WHERE h.journal = journals.id ORDER BY place DESC LIMIT 1)
                 WHERE id IN (SELECT journal FROM heads);
             DELETE FROM events WHERE seq > (SELECT seq FROM journals j WHERE j.id = events.journal);
             UPDATE journals SET hash = (SELECT head FROM heads h WHERE h.journal = journals.id ORDER BY place DESC LIMIT 1)
                 WHERE id IN (SELECT journal FROM heads);
             DELETE FROM event_blobs WHERE NOT EXISTS
                 (SELECT 1 FROM events e WHERE e.journal = event_blobs.journal AND e.seq = event_blobs.seq);
             DELETE FROM blobs WHERE id NOT IN (SELECT blob FROM event_blobs);
             UPDATE blobs SET holders = (SELECT count(*) FROM event_blobs WHERE blob = blobs.id);"
        )
    };
    let of = |sql: String| audit(&state, |connection| connection.execute_batch(&sql).unwrap()).expect("it starts");
    // An unsigned tail is gone without a trace: this is documented, and no more is claimed.
    assert!(of(cut(place)).sound);
    // One event of what was signed, and it shows, although everything was computed anew and the daemon signed again.
    let shows = of(cut(place - 1));
    assert!(!shows.sound && shows.damage.iter().any(|damage| damage.link == Some(place as u64)), "{shows:?}");
    // Whoever takes the signature away as well leaves an older state behind; a link written down elsewhere shows it.
    let older = of(format!("{} DELETE FROM signatures WHERE place > {}", cut(place - 1), place - 1));
    assert!(older.sound && older.links < signed["link"].as_u64().unwrap() + 3);
    println!("cuts: 3 tried, 1 within what was signed shows, 2 behind or with it do not, as documented");
}

#[test]
fn a_key_that_is_lost_or_open_to_others_is_told() {
    let (world, daemon) = World::new(DAEMON, "");
    world.ask("hello");
    let verify = || world.client.get("/v1/audit/verify").unwrap().json();
    let keys = |report: &Value| report["keys"].as_array().unwrap().len();
    assert_eq!(keys(&verify()), 1);
    assert!(daemon.stop().unwrap());
    let key = world.home.state().join("audit.key");
    std::fs::remove_file(&key).unwrap();
    let daemon = world.home.start(DAEMON).unwrap();
    let report = verify();
    assert_eq!((&report["sound"], keys(&report)), (&json!(true), 2), "{report}");
    assert!(daemon.stop().unwrap());
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _daemon = world.home.start(DAEMON).expect("a daemon that cannot sign runs");
    let refused = world.client.post("/v1/audit/sign", &json!({})).unwrap();
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(refused.status == 500 && detail.contains("chmod 600"), "{detail}");
    assert_eq!(verify()["sound"], true);
}
