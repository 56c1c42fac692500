//! Golden files of every format that leaves or outlives the process, compared byte for byte. What is on disk since a
//! release stays readable for ever: from then on a line of `records.jsonl`, `bodies.jsonl` or `others.json` may be
//! added and never changed.

mod sample;

use sample::{Source, Written, bodies, by_shape, deltas, gaps, lines, others, records, rest};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use wire::body::InUpdate;
use wire::operation::{self, Access};
use wire::{Code, DrainReason, Draining, Header, Record};

const EVENTS: &str = include_str!("../../agent/src/event.rs");
const SCHEDULES: &str = include_str!("../../agent/src/schedule.rs");
const SETTINGS: &str = include_str!("../../agent/src/settings.rs");
const RULES: &str = include_str!("../../agent/src/permit.rs");
const UNITS: &str = include_str!("../../agent/src/units.rs");
const RECORD: &str = include_str!("../src/record.rs");
const BODIES: &str = include_str!("../src/body.rs");
const CHANGES: &str = include_str!("../src/change.rs");
const PLACES: &str = include_str!("../src/places.rs");
const EXPORT: &str = include_str!("../src/export.rs");
const TOOLS: &str = include_str!("../src/tool.rs");
const MEDIA: &str = include_str!("../src/media.rs");
const REST: &[&str] = &[
    include_str!("../src/rest/audit.rs"),
    include_str!("../src/rest/prompt.rs"),
    include_str!("../src/rest/sessions.rs"),
    include_str!("../src/rest/canvas.rs"),
    include_str!("../src/rest/carrying.rs"),
    include_str!("../src/rest/models.rs"),
    include_str!("../src/rest/keys.rs"),
    include_str!("../src/rest/config.rs"),
    include_str!("../src/rest/retention.rs"),
    include_str!("../src/rest/schedules.rs"),
    include_str!("../src/rest/daemon.rs"),
    include_str!("../src/rest/snapshots.rs"),
];
const SNAPSHOTS: &str = include_str!("../src/snapshot.rs");
const ERRORS: &str = include_str!("../src/error.rs");

/// Shapes that come from clients. A field of one that is not known is a mistake, which is to be said and not passed over.
const REQUESTS: &[&str] = &[
    "CreateSession",
    "PromptRequest",
    "AttachmentRequest",
    "AnswerRequest",
    "UpdateSession",
    "ForkRequest",
    "RedactRequest",
    "ReplayRequest",
    "ReplayWith",
    "Selection",
    "AcceptRequest",
    "HunkChoice",
    "ChosenHunks",
    "RewindRequest",
    "SetKey",
    "ReloadRequest",
    "CheckRequest",
    "CreateSchedule",
    "CreateSnapshot",
    "VerifySnapshot",
    "UpgradeRequest",
];

/// Compares with a golden file, or rewrites it when `UPDATE_GOLDEN` is set.
fn golden(name: &str, now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, now).unwrap_or_else(|error| panic!("{error}: {}", file.display()));
    }
    let way = format!("{}; `UPDATE_GOLDEN=1 cargo test -p wire --test golden` rewrites it", file.display());
    let before = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {way}"));
    let differs = (1..).zip(before.lines().zip(now.lines())).find(|(_, (before, now))| before != now);
    if let Some((line, (before, now))) = differs {
        panic!("line {line} is not the golden one\n  golden: {before}\n  now:    {now}\n{way}");
    }
    assert_eq!((before.lines().count(), before.len()), (now.lines().count(), now.len()), "lines and bytes of {way}");
}

/// Values with the names of their shapes.
fn shapes(samples: &[Written]) -> Vec<(String, Value)> {
    samples.iter().map(|sample| (sample.shape.to_owned(), sample.value())).collect()
}

#[test]
fn records_are_the_golden_ones_and_read_back() {
    let mut now = String::new();
    for header in records() {
        let json = header.to_json();
        assert_eq!(Header::from_json(&json).unwrap(), header, "{json}");
        assert!(json.contains(&format!("\"kind\":\"{}\"", header.event.kind())), "{json}");
        now += &(json + "\n");
    }
    golden("records.jsonl", &now);
}

#[test]
fn a_field_of_an_event_leaves_the_words_of_an_update_alone() {
    for header in records() {
        for body in [Some("{\"text\":\"hm\"}".to_owned()), None] {
            let record = Record { seq: header.seq, header: header.to_json(), body };
            let update = record.update();
            let inside: InUpdate = serde_json::from_str(&update).unwrap_or_else(|error| panic!("{error}: {update}"));
            assert_eq!(inside.data.as_ref().map(|data| data.get()), record.body.as_deref(), "{update}");
            assert_eq!(inside.forgotten, record.body.is_none(), "{update}");
        }
    }
}

#[test]
fn a_record_of_a_later_version_that_says_more_still_reads() {
    for header in records() {
        let more = header.to_json().replacen('{', "{\"later\":{\"a\":[1,null]},", 1);
        assert_eq!(Header::from_json(&more).unwrap(), header, "{more}");
    }
}

#[test]
fn what_a_later_version_wrote_still_reads() {
    for sample in bodies().into_iter().chain(others()) {
        assert_ne!(sample.reads_with_more(), Some(false), "{}: {}", sample.shape, sample.json);
    }
}

#[test]
fn requests_refuse_what_is_not_known_and_answers_let_it_pass() {
    let refusing: BTreeSet<&str> =
        rest().iter().filter(|sample| sample.reads_with_more() == Some(false)).map(|sample| sample.shape).collect();
    let passing: BTreeSet<&str> =
        rest().iter().filter(|sample| sample.reads_with_more() == Some(true)).map(|sample| sample.shape).collect();
    assert_eq!(refusing, REQUESTS.iter().copied().collect());
    assert!(refusing.is_disjoint(&passing), "{refusing:?} and {passing:?}");
}

#[test]
fn updates_are_the_golden_ones_and_read_as_records() {
    let mut now = String::new();
    for (kind, shape) in [("prompt.accepted", "Prompt"), ("tool.finished", "ToolEnd"), ("daemon.began", "Daemon")] {
        let header = records().into_iter().find(|header| header.event.kind() == kind).unwrap();
        let of_shape = bodies().into_iter().filter(|body| body.shape == shape).map(|body| Some(body.json));
        for body in of_shape.chain([None]) {
            let record = Record { seq: header.seq, header: header.to_json(), body };
            let update = record.update();
            assert_eq!(Header::from_json(&update).unwrap(), header, "{update}");
            now += &(update + "\n");
        }
    }
    for delta in deltas() {
        let json = serde_json::to_string(&delta).unwrap();
        assert_eq!(serde_json::from_str::<wire::Delta>(&json).unwrap(), delta);
        assert!(json.starts_with(&format!("{{\"kind\":\"{}\"", delta.kind.name())), "{json}");
        now += &(json + "\n");
    }
    for reason in [DrainReason::Stop, DrainReason::Upgrade] {
        let json = serde_json::to_string(&Draining::new(reason)).unwrap();
        assert_eq!(serde_json::from_str::<Draining>(&json).unwrap(), Draining::new(reason));
        assert!(json.starts_with(&format!("{{\"kind\":\"{}\"", Draining::NAME)), "{json}");
        now += &(json + "\n");
    }
    golden("updates.jsonl", &now);
}

#[test]
fn bodies_are_the_golden_ones() {
    golden("bodies.jsonl", &lines(&bodies()));
}

#[test]
fn requests_and_answers_are_the_golden_ones() {
    let now = by_shape(&rest());
    serde_json::from_str::<Value>(&now).unwrap();
    golden("rest.json", &now);
}

#[test]
fn what_else_outlives_the_process_is_golden() {
    let now = by_shape(&others());
    serde_json::from_str::<Value>(&now).unwrap();
    golden("others.json", &now);
}

#[test]
fn the_journal_has_a_sample_of_every_kind_field_and_word() {
    let source = Source::read(&[
        EVENTS, SCHEDULES, SETTINGS, RULES, UNITS, RECORD, BODIES, MEDIA, CHANGES, TOOLS, PLACES, EXPORT, SNAPSHOTS,
    ]);
    let headers: Vec<Value> = records().iter().map(|header| serde_json::to_value(header).unwrap()).collect();
    let kind = |header: &Value| header["kind"].as_str().unwrap_or_default().to_owned();
    let mut kinds: Vec<String> = headers.iter().map(kind).collect();
    kinds.dedup();
    assert_eq!(kinds, source.kinds, "tests/sample/records.rs has a header of each kind, in the order of event.rs");

    let mut samples: Vec<(String, Value)> = headers.iter().map(|header| (kind(header), header.clone())).collect();
    samples.extend(headers.into_iter().map(|header| ("Header".to_owned(), header)));
    samples.extend(deltas().iter().map(|delta| ("Delta".to_owned(), serde_json::to_value(delta).unwrap())));
    samples.extend(shapes(&bodies()));
    samples.extend(shapes(&others()));
    assert_eq!(gaps(&source, samples), [""; 0], "tests/sample/{{records,bodies,others}}.rs");
    assert!(source.kinds.len() >= 30 && source.counts() >= (45, 60), "{:?}", source.counts());
}

#[test]
fn a_kind_a_field_or_a_word_without_a_sample_is_found() {
    let event = "#[serde(tag = \"kind\")]\n#[derive(Serialize, Deserialize)]\npub enum Event {\n    \
                 #[serde(rename = \"a.b\")]\n    B {\n        c: Word,\n        \
                 #[serde(default, skip_serializing_if = \"is_zero\")]\n        d: u32,\n    },\n    \
                 #[serde(rename = \"e.f\")]\n    F {},\n}\n";
    let words = "words!(\n    Word {\n        One = \"one\",\n        TwoThree = \"two_three\",\n    }\n);\n";
    let source = Source::read(&[event, words]);
    assert_eq!((source.kinds.as_slice(), source.counts()), (&["a.b".to_owned(), "e.f".to_owned()][..], (1, 2)));
    let missing = |samples: &[&str]| {
        let values = samples.iter().map(|json| ("a.b".to_owned(), serde_json::from_str(json).unwrap()));
        gaps(&source, values.collect())
    };
    assert_eq!(missing(&[r#"{"c":"one","d":1}"#, r#"{"c":"two_three"}"#]), [""; 0]);
    assert_eq!(missing(&[r#"{"c":"one"}"#]), ["a.b.d is never there", "Word is never one of {\"two_three\"}"]);
    assert_eq!(missing(&[r#"{"c":"one","d":1}"#, r#"{"c":"two_three","d":2}"#]), ["a.b.d is never absent"]);

    let media =
        "media! {\n    /// One.\n    One = \"x/one\", b\"1\" | b\"one\";\n    Two = \"x/two\", b\"\\x02\";\n}\n";
    let holder = "#[derive(Serialize, Deserialize)]\npub struct Holder {\n    #[serde(rename = \"e\")]\n    \
                  pub ee: MediaType,\n}\n";
    let source = Source::read(&[media, holder]);
    let one = || vec![("Holder".to_owned(), serde_json::json!({"e": "x/one"}))];
    assert_eq!(source.counts(), (0, 2));
    assert_eq!(gaps(&source, one()), ["MediaType is never one of {\"x/two\"}"]);
}

#[test]
fn every_effect_kind_occurs_in_an_id() {
    let written: Vec<String> = records().iter().map(Header::to_json).collect();
    for word in ["model", "tool", "ask", "resume", "accept", "backoff", "deadline"] {
        let id = format!(".1.{word}.0.1\"");
        assert!(written.iter().any(|json| json.contains(&id)), "no effect id with {word}");
    }
}

#[test]
fn the_doors_have_a_sample_of_every_shape_field_and_word() {
    let source = Source::read(&[REST, &[ERRORS]].concat());
    let samples = shapes(&rest());
    let named: BTreeSet<String> = samples.iter().map(|(shape, _)| shape.clone()).collect();
    assert_eq!(named, source.structs, "tests/sample/rest has a sample of each shape");
    assert_eq!(gaps(&source, samples), [""; 0], "tests/sample/rest");
    assert!(source.counts() >= (45, 25), "{:?}", source.counts());
}

#[test]
fn the_table_of_errors_is_the_golden_one() {
    #[derive(Serialize)]
    struct Row {
        code: Code,
        http: u16,
        grpc: &'static str,
        exit: u8,
        title: &'static str,
    }
    let row = |code: &Code| {
        assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        Row { code: *code, http: code.http(), grpc: code.grpc(), exit: code.exit(), title: code.title() }
    };
    golden("errors.json", &table(Code::ALL.iter().map(row)));
}

#[test]
fn the_table_of_operations_is_the_golden_one() {
    #[derive(Serialize)]
    struct Row {
        name: &'static str,
        method: &'static str,
        path: &'static str,
        command: Option<&'static str>,
        access: &'static str,
        summary: &'static str,
    }
    let row = |operation: &operation::Operation| {
        let access = match operation.access {
            Access::Open => "open",
            Access::Read => "read",
            Access::Write => "write",
            Access::Accept => "accept",
            Access::Admin => "admin",
        };
        let operation::Operation { name, method, path, command, summary, .. } = *operation;
        Row { name, method, path, command, access, summary }
    };
    golden("operations.json", &table(operation::ALL.iter().map(row)));
}

/// A list with a line for each row.
fn table(rows: impl Iterator<Item = impl Serialize>) -> String {
    let rows: Vec<String> =
        rows.map(|row| format!("  {}", serde_json::to_string(&row).expect("a row is plain data"))).collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}
