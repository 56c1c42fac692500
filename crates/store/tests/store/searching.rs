//! Search: what was said is found, what is typed is never syntax, and what was forgotten is gone from the file.

use crate::world::{Owner, World, said, session};
use agent::{Event, Micros, Money, Seq};
use store::{
    Append, Blob, Hit, JournalId, ListCursor, Options, Remove, SearchError, SearchQuery, SessionRow, Store,
    Synchronous, Vocabulary, WordsKind,
};
use wire::body::{self, Text};
use wire::{BlobHash, Header};

fn kind(header: &str) -> Option<WordsKind> {
    match Header::from_json(header).ok()?.event {
        Event::SessionUpdated {} => Some(WordsKind::Title),
        Event::PromptSteered { .. } => Some(WordsKind::Prompt),
        Event::OwnerBegan { .. } => Some(WordsKind::Reply),
        _ => None,
    }
}

fn text(kind: WordsKind, body: &str) -> Option<Text> {
    match kind {
        WordsKind::Title => body::read::<body::Session>(body).ok()?.title.map(Text::Inline),
        WordsKind::Prompt | WordsKind::Reply => Some(body::read::<body::Prompt>(body).ok()?.text),
    }
}

pub(crate) fn searching() -> Options {
    Options { words: Some(Vocabulary { kind, text }), ..Options::default() }
}

fn row(workspace: &str, updated: i64) -> SessionRow {
    SessionRow {
        workspace: workspace.into(),
        title: None,
        state: "idle".into(),
        model: None,
        cost: Money(0),
        created: Micros(0),
        updated: Micros(updated),
    }
}

/// A session that says these words and stands in the list.
async fn talk(world: &World, number: u64, workspace: &str, words: &[&str]) -> Owner {
    let mut owner = world.owner(number);
    let draft = Append { row: Some(row(workspace, number as i64)), ..owner.draft(words) };
    owner.send(draft).await.unwrap();
    owner
}

/// An event of another kind than a prompt.
fn other(owner: &Owner, index: u64, event: Event, body: String) -> store::NewEvent {
    let seq = Seq(owner.head.0 + 1 + index);
    let JournalId::Session(session) = owner.journal else { panic!("not a session") };
    let header = Header { seq, at: crate::world::NOW, session: Some(session), event }.to_json();
    store::NewEvent { header, body, ..store::NewEvent::default() }
}

fn reply(owner: &Owner, index: u64, words: &str) -> store::NewEvent {
    let began = Event::OwnerBegan { epoch: agent::Epoch(1), generation: agent::Generation(1), cost_microusd: Money(0) };
    other(owner, index, began, format!("{{\"text\":\"{words}\"}}"))
}

fn titled(owner: &Owner, index: u64, title: &str) -> store::NewEvent {
    other(owner, index, Event::SessionUpdated {}, format!("{{\"workspace\":\"/w\",\"title\":\"{title}\"}}"))
}

fn in_blob(blob: BlobHash, bytes: u64) -> String {
    format!(r#"{{"text":{}}}"#, body::write(&Text::Blob { blob, bytes }))
}

async fn find(store: &Store, text: &str) -> Vec<Hit> {
    let query = SearchQuery { text: text.into(), limit: 50, ..SearchQuery::default() };
    let found = store.search(query).await.unwrap();
    assert!(found.complete);
    found.hits
}

async fn sessions(store: &Store, text: &str) -> Vec<u64> {
    find(store, text).await.iter().map(|hit| (1..100).find(|n| session(*n) == hit.listed.session).unwrap()).collect()
}

#[tokio::test]
async fn what_was_said_is_found_in_the_order_of_lists() {
    let world = World::with(searching());
    assert_eq!(find(&world.store, "parser").await, []);
    talk(&world, 1, "/a", &["Please fix the parser", "and the lexer"]).await;
    talk(&world, 2, "/b", &["the Pársers of src/main.rs are slow"]).await;
    talk(&world, 3, "/a", &["nothing of interest"]).await;
    assert_eq!(sessions(&world.store, "pars").await, [2, 1]);
    assert_eq!(sessions(&world.store, "PARSER").await, [2, 1]);
    assert_eq!(sessions(&world.store, "parser ").await, [1], "with a space the word is whole");
    assert_eq!(sessions(&world.store, "fix parser").await, [1]);
    assert_eq!(sessions(&world.store, "parser lexer").await, [0_u64; 0], "not in one text");
    assert_eq!(sessions(&world.store, "src/main.rs").await, [2]);
    assert_eq!(sessions(&world.store, "main.rs/src").await, [0_u64; 0]);
    let hit = find(&world.store, "lexer").await.remove(0);
    assert_eq!((hit.seq, hit.kind, hit.at), (Seq(2), WordsKind::Prompt, crate::world::NOW));
    assert_eq!((hit.snippet.text.as_str(), hit.listed.row.workspace.as_str()), ("and the lexer", "/a"));
    assert_eq!((hit.snippet.matches.len(), &hit.snippet.text[hit.snippet.matches[0].clone()]), (1, "lexer"));
    let here = SearchQuery { text: "pars".into(), workspace: Some("/a".into()), limit: 9, before: None };
    assert_eq!(world.store.search(here).await.unwrap().hits.len(), 1);
    // An old session that changes comes first.
    let mut owner = Owner { head: Seq(2), ..world.owner(1) };
    owner.send(Append { row: Some(row("/a", 99)), ..owner.draft(&["parser again"]) }).await.unwrap();
    assert_eq!(sessions(&world.store, "pars").await, [1, 2]);
    assert_eq!(find(&world.store, "pars").await[0].seq, Seq(3), "the last of a kind is best");
}

#[tokio::test]
async fn a_title_is_better_than_a_prompt_and_only_the_last_one_holds() {
    let world = World::with(searching());
    let mut owner = talk(&world, 1, "/a", &["rename the widget"]).await;
    let draft = Append {
        facts: vec![titled(&owner, 0, "Widget work"), reply(&owner, 1, "the widget is renamed")],
        ..owner.draft(&[])
    };
    owner.send(draft).await.unwrap();
    let hit = find(&world.store, "widget").await.remove(0);
    assert_eq!((hit.seq, hit.kind), (Seq(2), WordsKind::Title));
    let hit = find(&world.store, "renamed").await.remove(0);
    assert_eq!((hit.seq, hit.kind), (Seq(3), WordsKind::Reply));
    let draft = Append { facts: vec![titled(&owner, 0, "Gadgets")], ..owner.draft(&[]) };
    owner.send(draft).await.unwrap();
    assert_eq!(find(&world.store, "work").await, [], "an earlier title is no title");
    assert_eq!(find(&world.store, "gadget").await[0].kind, WordsKind::Title);
    assert_eq!(find(&world.store, "widget").await[0].kind, WordsKind::Prompt);
}

#[tokio::test]
async fn a_long_text_is_found_in_its_blob() {
    let world = World::with(searching());
    let mut owner = world.owner(1);
    let words = format!("{}needle {}", "hay ".repeat(9000), "hay ".repeat(90_000));
    let blob = Blob::new(words.as_bytes());
    let mut draft = Append { row: Some(row("/a", 1)), ..owner.draft(&["x"]) };
    draft.facts[0].body = in_blob(blob.hash(), blob.bytes());
    draft.facts[0].blobs = vec![blob.hash()];
    draft.blobs = vec![blob];
    // An event that names a blob which is not there does not spoil the rest.
    draft.facts.push(owner.event(1, "x"));
    draft.facts[1].body = in_blob(BlobHash::of(b"no"), 2);
    owner.send(draft).await.unwrap();
    let hit = find(&world.store, "needle").await.remove(0);
    assert!(hit.snippet.text.len() < 300 && hit.snippet.text.contains("hay needle hay"), "{:?}", hit.snippet);
}

#[tokio::test]
async fn nothing_that_is_typed_is_an_error_of_sql() {
    let world = World::with(searching());
    talk(&world, 1, "/a", &["say hello OR goodbye; drop table words"]).await;
    let odd = [
        "",
        " ",
        "\"",
        "'",
        "''",
        "\"\"",
        "*",
        "a",
        "hello*",
        "hello\"",
        "NEAR(hello goodbye)",
        "title:hello",
        "-hello",
        "hello AND",
        "OR",
        "NOT",
        "^hello",
        "(hello",
        "hello)",
        "{hello",
        "hello + goodbye",
        "\0",
        "hel\0lo",
        "; drop",
        "\u{301}",
        "\u{903}",
        "٣",
        "你好",
        "🙂",
        "\u{2}x\u{3}",
        "a\u{301}",
        "ⓐ",
        "rowid:1",
        "at:1",
        "hello : x",
        "\\",
    ];
    for text in odd {
        let query = SearchQuery { text: text.into(), limit: 5, ..SearchQuery::default() };
        let found = world.store.search(query).await;
        assert!(found.is_ok(), "{text:?}: {found:?}");
    }
    for found in ["hello", "OR", "hello \"OR\" goodbye", "hel\0lo hello", "drop table words"] {
        let hits = find(&world.store, found).await.len();
        assert_eq!(hits, usize::from(!found.contains('\0')), "{found:?}");
    }
    let long = SearchQuery { text: "x".repeat(1025), limit: 5, ..SearchQuery::default() };
    assert_eq!(world.store.search(long).await, Err(SearchError::TooLong { bytes: 1025, limit: 1024 }));
}

#[tokio::test]
async fn random_bytes_are_searched_for_without_an_error() {
    let world = World::with(searching());
    talk(&world, 1, "/a", &["a needle in some hay"]).await;
    let seed = crate::world::Random::seed();
    let mut random = crate::world::Random(seed);
    let letters: Vec<char> = "ab \"'*:()^-+{}NEAR\0\u{2}\u{301}é你\n\\;%_".chars().collect();
    let trials = 2000;
    for trial in 0..trials {
        let length = random.below(24);
        let text: String = (0..length).map(|_| letters[random.below(letters.len() as u64) as usize]).collect();
        let query = SearchQuery { text: text.clone(), limit: 5, ..SearchQuery::default() };
        let found = world.store.search(query).await;
        assert!(found.is_ok(), "seed {seed}, trial {trial}, {text:?}: {found:?}");
    }
    println!("random queries: seed {seed}, {trials} trials, 0 failures");
}

#[tokio::test]
async fn pages_do_not_overlap_and_many_sessions_are_said_to_be_many() {
    let mut options = searching();
    options.limits.searched_sessions = 20;
    let world = World::with(options);
    for number in 1..=25 {
        talk(&world, number, "/a", &["the same words"]).await;
    }
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let query = SearchQuery { text: "same".into(), before, limit: 8, workspace: None };
        let found = world.store.search(query).await.unwrap();
        assert!(!found.complete, "25 match, 20 are looked at");
        let Some(last) = found.hits.last() else { break };
        before = Some(last.listed.cursor.to_string().parse::<ListCursor>().unwrap());
        seen.extend(found.hits.iter().map(|hit| hit.listed.session));
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert!(distinct.len() == seen.len() && seen.len() >= 20, "{}", seen.len());
    assert!(seen.is_sorted_by(|a, b| a > b));
}

fn contains(path: &std::path::Path, words: &[u8]) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.windows(words.len()).any(|window| window == words))
}

#[tokio::test]
async fn forgotten_words_are_gone_from_the_index_and_from_its_file() {
    let world = World::with(searching());
    let file = world.dir.path().join("search.db");
    let mut owner = talk(&world, 1, "/a", &["the xyzzyplugh is secret", "this stays"]).await;
    for number in 2..40 {
        talk(&world, number, "/a", &["words around it", "xyzzyplain words"]).await;
    }
    assert_eq!(sessions(&world.store, "xyzzyplugh").await, [1]);
    assert!(contains(&file, b"xyzzyplugh"), "the control: the words are in the file");
    // Without an event of its own, as a forgetting may be.
    owner.send(Append { forget: vec![Seq(1)], ..owner.draft(&[]) }).await.unwrap();
    assert_eq!(find(&world.store, "xyzzyplugh").await, []);
    assert_eq!(sessions(&world.store, "stays").await, [1]);
    world.store.scrub_search().await.unwrap();
    // FTS5 shares the beginnings of neighbouring terms, so the end of the word is looked for as well.
    assert!(!contains(&file, b"xyzzyplugh") && !contains(&file, b"plugh") && !contains(&file, b"lugh"));
    assert!(contains(&file, b"xyzzyplain"), "the control: other words are still there");
}

#[tokio::test]
async fn a_title_that_gave_way_to_another_is_gone_from_the_file_once_it_is_forgotten() {
    let world = World::with(searching());
    let file = world.dir.path().join("search.db");
    let mut owner = world.owner(1);
    for title in ["xyzzyfirst", "second"] {
        let draft = Append { facts: vec![titled(&owner, 0, title)], row: Some(row("/a", 1)), ..owner.draft(&[]) };
        owner.send(draft).await.unwrap();
        assert_eq!(sessions(&world.store, title).await, [1]);
    }
    assert!(contains(&file, b"xyzzyfirst"), "the control: nothing has gone from the file");
    owner.send(Append { forget: vec![Seq(1)], ..owner.draft(&[]) }).await.unwrap();
    world.store.scrub_search().await.unwrap();
    assert!(!contains(&file, b"xyzzyfirst") && !contains(&file, b"yfirst"));
    assert_eq!(sessions(&world.store, "second").await, [1]);
}

#[tokio::test]
async fn no_gap_between_rows_keeps_a_copy_of_what_was_forgotten() {
    let world = World::with(Options { synchronous: Synchronous::Normal, ..searching() });
    let file = world.dir.path().join("search.db");
    // From a seed, so that what is left is left each time.
    let mut seed = 7_u64;
    let mut draw = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut owners: Vec<Owner> = (1..=150).map(|number| world.owner(number)).collect();
    let token =
        |number: usize, round: usize| format!("tk{:08x}", (number * 8 + round).wrapping_mul(0x9e37_79b9) as u32);
    for round in 0..6 {
        for (number, owner) in owners.iter_mut().enumerate() {
            let filler = [1, 20, 100, 300][draw(4) as usize];
            let filler: String = (0..filler).map(|_| format!(" {:08x}", draw(u64::from(u32::MAX)))).collect();
            let words = token(number, round) + &filler;
            let draft = Append { row: Some(row("/a", number as i64)), ..owner.draft(&[&words]) };
            owner.send(draft).await.unwrap();
            if draw(10) == 0 {
                world.store.follow_search().await.unwrap();
            }
        }
    }
    let mut gone = Vec::new();
    for (number, owner) in owners.iter_mut().enumerate() {
        let rounds: Vec<usize> = (0..6).filter(|_| draw(2) == 0).collect();
        let forget = rounds.iter().map(|round| Seq(*round as u64 + 1)).collect();
        owner.send(Append { forget, ..owner.draft(&[]) }).await.unwrap();
        gone.extend(rounds.into_iter().map(|round| token(number, round)));
        if draw(10) == 0 {
            world.store.follow_search().await.unwrap();
        }
    }
    world.store.scrub_search().await.unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let left: Vec<&String> = gone.iter().filter(|token| text.contains(token.as_str())).collect();
    assert!(left.is_empty() && gone.len() > 300, "{left:?} of {} are still there", gone.len());
    assert!(!file.with_extension("db-new").exists());
}

#[tokio::test]
async fn what_a_kill_left_of_a_clearing_goes_with_the_next() {
    let world = World::with(searching());
    let fresh = world.dir.path().join("search.db-new");
    std::fs::write(&fresh, "words").unwrap();
    world.store.scrub_search().await.unwrap();
    assert!(!fresh.exists(), "also where there is no index");
    std::fs::write(&fresh, "words").unwrap();
    talk(&world, 1, "/a", &["needle"]).await;
    assert_eq!(sessions(&world.store, "needle").await, [1]);
    assert!(!fresh.exists());
}

#[tokio::test]
async fn what_is_forgotten_while_nobody_looks_is_forgotten_all_the_same() {
    let world = World::with(searching());
    let file = world.dir.path().join("search.db");
    talk(&world, 1, "/a", &["xyzzyone", "stays"]).await;
    talk(&world, 2, "/a", &["xyzzytwo", "stays"]).await;
    assert_eq!(sessions(&world.store, "stays").await, [2, 1]);
    world.store.close().await;
    // A store without search forgets and removes.
    let store = Store::open(world.dir.path(), Options::default()).unwrap();
    let mut owner = Owner { head: Seq(2), ..Owner::of(&store, JournalId::Session(session(1))) };
    owner.send(Append { forget: vec![Seq(1)], ..owner.draft(&[]) }).await.unwrap();
    let remove = Remove { session: session(2), epoch: owner.epoch, generation: owner.generation };
    assert_eq!(store.search(SearchQuery::default()).await, Err(SearchError::Off));
    store.remove(remove).await.unwrap();
    store.close().await;
    assert!(contains(&file, b"xyzzyone") && contains(&file, b"xyzzytwo"));
    let store = Store::open(world.dir.path(), searching()).unwrap();
    store.scrub_search().await.unwrap();
    assert!(!contains(&file, b"xyzzyone") && !contains(&file, b"xyzzytwo"));
    assert_eq!(sessions(&store, "stays").await, [1]);
    store.close().await;
}

#[tokio::test]
async fn an_index_that_is_damaged_or_foreign_is_made_anew() {
    let world = World::with(searching());
    let file = world.dir.path().join("search.db");
    for number in 1..=30 {
        talk(&world, number, "/a", &["the same words and some more of them", "needle"]).await;
    }
    assert_eq!(sessions(&world.store, "needle").await.len(), 30);
    let (store, dir) = (world.store.clone(), world.dir);
    drop(world.store);
    store.close().await;
    let whole = std::fs::read(&file).unwrap();
    let torn = |from: usize| {
        let mut bytes = whole.clone();
        bytes[from..].fill(0xee);
        bytes
    };
    let other_journal = {
        let other = World::with(searching());
        for number in 1..=40 {
            talk(&other, number, "/b", &["elsewhere"]).await;
        }
        assert_eq!(sessions(&other.store, "elsewhere").await.len(), 40);
        other.store.close().await;
        std::fs::read(other.dir.path().join("search.db")).unwrap()
    };
    let newer = {
        std::fs::write(&file, &whole).unwrap();
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.execute_batch("PRAGMA user_version = 99").unwrap();
        connection.close().unwrap();
        std::fs::read(&file).unwrap()
    };
    let cases: [(&str, Vec<u8>); 7] = [
        ("whole", whole.clone()),
        ("empty", Vec::new()),
        ("text", b"not a database, but long enough".repeat(300)),
        ("torn header", torn(50)),
        ("torn pages", torn(4096)),
        ("other journal", other_journal),
        ("newer", newer),
    ];
    for (name, bytes) in cases {
        std::fs::write(&file, bytes).unwrap();
        let store = Store::open(dir.path(), searching()).unwrap();
        assert_eq!(sessions(&store, "needle").await.len(), 30, "{name}");
        assert_eq!(find(&store, "elsewhere").await, [], "{name}");
        store.close().await;
    }
    std::fs::remove_file(&file).unwrap();
    let store = Store::open(dir.path(), searching()).unwrap();
    store.scrub_search().await.unwrap();
    assert!(!file.exists(), "nothing is made for the sake of clearing it");
    assert_eq!(sessions(&store, "needle").await.len(), 30);
    store.close().await;
}

#[tokio::test]
async fn nothing_of_the_index_is_touched_by_opening_and_appending() {
    let world = World::with(Options { index_after: std::time::Duration::from_secs(3600), ..searching() });
    let file = world.dir.path().join("search.db");
    talk(&world, 1, "/a", &["hello"]).await;
    assert!(!file.exists());
    assert_eq!(sessions(&world.store, "hello").await, [1]);
    assert!(file.exists());
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(said(JournalId::Daemon, Seq(1), "x").blobs.len(), 0);
}
