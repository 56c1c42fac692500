//! Files: made private, recognised, refused when they are not ours, and the first version's tables for ever readable.

use crate::world::{NOW, Owner, World, model_call, said, session};
use agent::{Epoch, Generation, Micros, ModelName, Money, Seq};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use store::{
    Account, Append, Blob, Ceiling, FoldRow, Fork, Head, JournalId, ListQuery, ListRow, NewAnswer, NewStart, OpenError,
    Options, Reserve, SessionRow, Settle, Signature, Store,
};
use wire::BlobHash;

#[tokio::test]
async fn the_directory_and_the_files_are_ours_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state/tinkerbell");
    let store = Store::open(&dir, Options::default()).unwrap();
    Owner::of(&store, JournalId::Session(session(1))).say(&["x"]).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    let sizes = store.sizes().unwrap();
    assert!(sizes.log_bytes > 4096 && sizes.database_bytes > 0, "{sizes:?}");
    store.close().await;
    let header = std::fs::read(dir.join("journal.db")).unwrap();
    assert_eq!(header[18..20], [2, 2], "write-ahead mode");
}

/// A directory whose journal has these bytes; opening it must fail and change nothing.
fn refused(bytes: &[u8]) -> OpenError {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    std::fs::write(&path, bytes).unwrap();
    let error = Store::open(dir.path(), Options::default()).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the file was changed");
    assert!(error.to_string().contains("journal.db"), "{error}");
    error
}

/// The bytes of a journal after some SQL.
fn journal_with(sql: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let store = Store::open(dir.path(), Options::default()).unwrap();
    // Only the last connection that closes copies the log into the file.
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.close());
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.close().unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn what_is_not_a_journal_is_refused_and_left_as_it_is() {
    let foreign = {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
        std::fs::read(path).unwrap()
    };
    assert!(matches!(refused(&foreign), OpenError::Foreign { .. }));
    assert!(matches!(refused(b"# just a text\n".repeat(100).as_slice()), OpenError::Damaged { .. }));
    let whole = journal_with("");
    assert!(matches!(refused(&whole[..whole.len() / 2]), OpenError::Damaged { .. }));
    let mut broken = whole.clone();
    broken[100..4096].fill(0xee);
    let error = refused(&broken);
    assert!(matches!(error, OpenError::Damaged { .. }) && error.to_string().contains("snapshot"), "{error}");
}

#[test]
fn a_newer_version_is_refused_with_both_numbers() {
    let newer = journal_with("PRAGMA user_version = 99");
    let error = refused(&newer);
    assert!(matches!(error, OpenError::Newer { found: 99, known: 3, .. }), "{error}");
    assert!(matches!(refused(&journal_with("PRAGMA user_version = 0")), OpenError::Foreign { .. }));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("below"), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Path { .. }) && error.to_string().contains("a-file/below"), "{error}");
}

#[test]
fn a_locked_journal_is_a_typed_error() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), Options::default()).unwrap());
    let other = Connection::open(dir.path().join("journal.db")).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO meta VALUES ('x', 1)").unwrap();
    let error = Store::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
}

#[tokio::test]
async fn an_empty_file_left_by_a_crash_becomes_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.db"), b"").unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    Owner::of(&store, JournalId::Session(session(1))).say(&["x"]).await;
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read_golden(name: &str) -> String {
    std::fs::read_to_string(golden(name)).expect("the golden file is there; `write_the_golden_journal` makes it")
}

/// The journal of version 1, as it was written once, opens in every later version and says the same.
#[tokio::test]
async fn the_golden_journal_of_version_1_says_what_it_always_said() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join("journal.db")).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {}", read_golden("v1.sql"))).unwrap();
    connection.close().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(summary(&store).await, read_golden("v1.txt"));
    // And it can be written on.
    let (epoch, generation) = (Epoch(3), Generation(2));
    let mut owner = Owner { epoch, generation, head: Seq(6), ..Owner::of(&store, JournalId::Session(session(1))) };
    assert_eq!(owner.say(&["go on"]).await.head, Seq(7));
    store.verify_heads().await.unwrap();
}

/// The same of version 2, which knows signatures and where forks come from.
#[tokio::test]
async fn the_golden_journal_of_version_2_says_what_it_always_said() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join("journal.db")).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {}", read_golden("v2.sql"))).unwrap();
    connection.close().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(summary(&store).await + &summary_of_version_2(&store).await, read_golden("v2.txt"));
}

/// The same of version 3, which knows archived sessions.
#[tokio::test]
async fn the_golden_journal_of_version_3_says_what_it_always_said() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join("journal.db")).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {}", read_golden("v3.sql"))).unwrap();
    connection.close().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    assert_eq!(summary_of_version_3(&store).await, read_golden("v3.txt"));
}

/// The migrations, as they were released.
const MIGRATIONS: [&str; 3] = [
    include_str!("../../src/schema/0001.sql"),
    include_str!("../../src/schema/0002.sql"),
    include_str!("../../src/schema/0003.sql"),
];

/// Whoever edits the tables of a released version, instead of adding a version, is told.
#[test]
fn the_tables_of_each_version_are_those_of_its_golden_journal() {
    for version in 1..=MIGRATIONS.len() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&MIGRATIONS[..version].concat()).unwrap();
        let pragmas = format!("PRAGMA application_id = 1953066603; PRAGMA user_version = {version};");
        connection.execute_batch(&pragmas).unwrap();
        let golden = read_golden(&format!("v{version}.sql"));
        assert_eq!(golden.split("-- rows").next().unwrap(), schema(&connection), "version {version}");
    }
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), Options::default()).unwrap());
    let connection = Connection::open(dir.path().join("journal.db")).unwrap();
    let newest = read_golden(&format!("v{}.sql", MIGRATIONS.len()));
    assert_eq!(newest.split("-- rows").next().unwrap(), schema(&connection));
}

/// Makes the golden files. To be run once for a version, never again for one that was released.
#[tokio::test]
#[ignore = "writes tests/golden; for a new version of the tables only"]
async fn write_the_golden_journal() {
    let world = World::new();
    furnish(&world).await;
    furnish_version_2(&world).await;
    furnish_version_3(&world).await;
    std::fs::write(golden("v3.txt"), summary_of_version_3(&world.store).await).unwrap();
    let file = world.file();
    world.store.close().await;
    let connection = Connection::open(file).unwrap();
    let mut dump = schema(&connection);
    dump.push_str("-- rows\n");
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables {
        rows(&connection, &table, &mut dump);
    }
    std::fs::write(golden("v3.sql"), dump).unwrap();
}

fn schema(connection: &Connection) -> String {
    let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap();
    let mut text = format!("PRAGMA application_id = {};\n", number("PRAGMA application_id"));
    writeln!(text, "PRAGMA user_version = {};", number("PRAGMA user_version")).unwrap();
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name").unwrap();
    for sql in statement.query_map((), |row| row.get::<_, String>(0)).unwrap() {
        writeln!(text, "{};", sql.unwrap()).unwrap();
    }
    text
}

fn rows(connection: &Connection, table: &str, dump: &mut String) {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query(()).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let quoted = |column| match row.get_ref(column).unwrap() {
            ValueRef::Null => "NULL".to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => panic!("{table} holds a floating-point number, {number}"),
            ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''")),
            ValueRef::Blob(bytes) => {
                format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        };
        let values: Vec<_> = (0..columns).map(quoted).collect();
        writeln!(dump, "INSERT INTO {table} VALUES ({});", values.join(", ")).unwrap();
    }
}

const DAY: &str = "2026-11-23";

/// Puts something into every table.
async fn furnish(world: &World) {
    let mut daemon = Owner { generation: Generation(2), ..Owner::of(&world.store, JournalId::Daemon) };
    daemon.say(&["the daemon began"]).await;
    let mut owner = Owner { generation: Generation(2), epoch: Epoch(3), ..world.owner(1) };
    let text = Blob::new("a long text that compresses well. ".repeat(40).as_bytes());
    let short = Blob::new(b"x");
    let mut draft = owner.draft(&["it's the first", "zwei — ✓", "to be forgotten"]);
    draft.facts[0].blobs = vec![text.hash()];
    draft.facts[2].blobs = vec![text.hash(), short.hash()];
    draft.blobs = vec![text, short];
    let start = |index, step, amount| {
        let ceiling = Some(Ceiling { limit: Money(100), otherwise: owner.event(index, "exhausted") });
        let (effect, amount) = (model_call(step), Money(amount));
        let reserve = Reserve { effect, amount, day: DAY.into(), session: ceiling, per_day: None };
        NewStart { event: owner.event(index, "started"), reserve: Some(reserve) }
    };
    draft.starts = vec![start(3, 1, 40), start(4, 2, 30)];
    draft.row = Some(SessionRow {
        workspace: "/home/user/project".into(),
        title: Some("A title".into()),
        state: "running".into(),
        model: Some(ModelName::new("offline")),
        cost: Money(12),
        created: Micros(1),
        updated: Micros(2),
    });
    (draft.waking, draft.folds) = (true, vec![]);
    draft.answer = Some(NewAnswer {
        scope: "uid:1000".into(),
        key: "key-1".into(),
        body_hash: BlobHash::of(b"request"),
        answer: r#"{"ok":true}"#.into(),
        now: Micros(0),
        expires: Micros(i64::MAX),
    });
    owner.send(draft).await.unwrap();
    let JournalId::Session(session) = owner.journal else { panic!("not a session") };
    world.store.save_partial(session, owner.epoch, model_call(2), "said so far".into()).await.unwrap();
    let mut draft = owner.draft(&["settled, and event 3 forgotten"]);
    draft.facts[0].settle = vec![Settle { effect: model_call(1), cost: Money(12) }];
    (draft.forget, draft.waking) = (vec![Seq(3)], true);
    draft.folds = vec![FoldRow { kind: "state".into(), format: 7, seq: Seq(6), bytes: b"a fold".to_vec() }];
    owner.send(draft).await.unwrap();
}

/// A fork, and a signature that nobody could check: the store keeps what it is given.
async fn furnish_version_2(world: &World) {
    let mut append = Append::new(JournalId::Session(session(2)), Epoch(1), Generation(2), Seq(4));
    append.facts = vec![said(append.journal, Seq(5), "forked")];
    world.store.fork(Fork { from: session(1), append }).await.unwrap();
    let link = world.store.last_link().await.unwrap().unwrap();
    let state = world.store.state_name().await.unwrap().unwrap();
    let (place, hash, at) = (link.place, link.hash, NOW);
    let signature = Signature { place, hash, at, state, key: [7; 32], signature: [8; 64] };
    world.store.keep_signature(signature).await.unwrap();
}

async fn summary_of_version_2(store: &Store) -> String {
    let mut text = String::new();
    for Signature { place, hash, at, state, key, signature } in store.signatures(None, 99, 99).await.unwrap() {
        let (key, signature) = (wire::audit::hex(&key), wire::audit::hex(&signature));
        writeln!(text, "signature {place} {hash} {} {state} {key} {signature}", at.0).unwrap();
    }
    for (copy, upto) in store.copies(session(1)).await.unwrap() {
        writeln!(text, "copy {copy} {upto}").unwrap();
    }
    for (original, upto) in store.originals(session(2)).await.unwrap() {
        writeln!(text, "original {original} {upto}").unwrap();
    }
    text
}

async fn furnish_version_3(world: &World) {
    let archive = crate::archives::archive(&world.store, 2).await;
    assert!(world.store.archive(archive).await.unwrap());
}

async fn summary_of_version_3(store: &Store) -> String {
    let mut text = summary(store).await + &summary_of_version_2(store).await;
    for store::Archived { session, head, file } in store.all_archived().await.unwrap() {
        writeln!(text, "archived {session} {} {} {} {} {}", head.seq, head.hash, file.at.0, file.bytes, file.sha256)
            .unwrap();
    }
    text
}

/// Everything that can be read of a furnished store, as text that depends on no derived `Debug` of other rooms.
async fn summary(store: &Store) -> String {
    let mut text = String::new();
    for journal in [JournalId::Daemon, JournalId::Session(session(1))] {
        let Head { seq, hash, epoch, generation } = store.head(journal).await.unwrap().unwrap();
        writeln!(text, "{journal}: head {seq} {hash}, epoch {}, generation {}", epoch.0, generation.0).unwrap();
        let verified = store.verify(journal).await.unwrap();
        writeln!(text, "{} events, {} forgotten, {}", verified.events, verified.forgotten, verified.hash).unwrap();
        for record in store.events(journal, Seq(0), 100).await.unwrap() {
            writeln!(text, "{}", record.update()).unwrap();
        }
    }
    let heads = store.verify_heads().await.unwrap();
    writeln!(text, "heads: {} links, {} journals, {}", heads.links, heads.journals, heads.hash).unwrap();
    let long = BlobHash::of("a long text that compresses well. ".repeat(40).as_bytes());
    for hash in [long, BlobHash::of(b"x")] {
        writeln!(text, "blob {hash}: {:?}", store.blob(hash).await.unwrap().map(|bytes| bytes.len())).unwrap();
    }
    for ListRow { session, row, head, cursor, archived: _ } in
        store.list(ListQuery { limit: 9, ..ListQuery::default() }).await.unwrap()
    {
        let SessionRow { workspace, title, state, model, cost, created, updated } = row;
        let model = model.as_ref().map(ModelName::as_str);
        let (cost, created, updated) = (cost.0, created.0, updated.0);
        writeln!(
            text,
            "row {session} {workspace} {title:?} {state} {model:?} {cost} {created} {updated} {head} {cursor}"
        )
        .unwrap();
    }
    for session in store.waking().await.unwrap() {
        writeln!(text, "waking {session}").unwrap();
    }
    let fold = store.fold(session(1), "state").await.unwrap().unwrap();
    writeln!(text, "fold {} {} {} {:?}", fold.kind, fold.format, fold.seq, fold.bytes).unwrap();
    let answer = store.answer("uid:1000", "key-1", Micros(5)).await.unwrap().unwrap();
    writeln!(text, "answer {} {}", answer.body_hash, answer.answer).unwrap();
    for (effect, said) in store.partials(session(1)).await.unwrap() {
        writeln!(text, "partial {effect} {said:?}").unwrap();
    }
    for account in [Account::Session(session(1)), Account::Day(DAY.into())] {
        let spent = store.spent(account).await.unwrap();
        writeln!(text, "settled {}, reserved {}", spent.settled.0, spent.reserved.0).unwrap();
    }
    text
}

#[test]
fn what_a_kill_left_of_a_rehearsal_goes_when_the_journal_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let (left, aside) = (dir.path().join("rehearsal"), dir.path().join("journal.db.aside"));
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("journal.db"), "words").unwrap();
    std::fs::write(&aside, "words").unwrap();
    let _store = Store::open(dir.path(), Options::default()).unwrap();
    assert!(!left.exists() && aside.exists(), "whoever hands over may still want its own back");
    store::Aside::sweep(dir.path()).unwrap();
    assert!(!aside.exists());
}
