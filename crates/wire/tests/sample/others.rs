//! What else outlives the process: the settings and the tool table, which are blobs that recipes name, and what the
//! lock file says; what stands in front of a snapshot; and what two daemons say while one hands over to the other.

use super::shapes::{MORNING, effect, session, snapshot};
use super::written::{Written, written};
use agent::{
    Access, Decision, EffectKind, Generation, Limits, Micros, ModelName, ModelSpec, Money, Rule, Settings, Tokens,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use wire::export::{self, ExportBlob, ExportEnd, ExportEvent, ExportHead, ExportPartial, SaltText};
use wire::places::Running;
use wire::snapshot::{
    self, Coding, LeftOut, Manifest, Portable, Secret, SecretPlace, SnapshotReason, StoredFile, Why, Workspace,
};
use wire::{BlobHash, ChainHash, GivenConfig, GivenSocket, HandOver, ToolSpec, handover};

/// All of them.
pub(crate) fn others() -> Vec<Written> {
    let running =
        |socket: Option<&str>| Running { pid: 4_711, version: "0.1.0".to_owned(), socket: socket.map(PathBuf::from) };
    let tool = |name: &str, access| ToolSpec {
        name: name.to_owned(),
        description: "Does \"it\".".to_owned(),
        parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}),
        access,
    };
    written![
        Settings: [Settings::default(), settings()],
        ModelSpec: [spec(true), spec(false)],
        ToolSpec: [tool("read_file", Access::Read), tool("edit_file", Access::Write), tool("run", Access::World)],
        Manifest: [manifest(false), manifest(true), bare()],
        Running: [running(None), running(Some("/tmp/tinkerbell.sock"))],
        ExportHead: [head(None), head(Some("Fix the carry"))],
        ExportBlob: [ExportBlob { blob: blob("carry"), bytes: 5, coding: "plain".to_owned(), parts: 1 }],
        ExportEvent: [event(true), event(false)],
        ExportPartial: [ExportPartial { effect: effect(EffectKind::Model), text: "I wi".to_owned() }],
        ExportEnd: [ExportEnd { lines: 7, sha256: ChainHash([7; 32]) }],
        HandOver: [
            HandOver::Hello {
                protocol: handover::PROTOCOL,
                version: "0.1.0".to_owned(),
                state_dir: PathBuf::from("/home/ada/.local/state/tinkerbell"),
                config: None,
            },
            HandOver::Hello {
                protocol: handover::PROTOCOL,
                version: "0.1.0".to_owned(),
                state_dir: PathBuf::from("/home/ada/.local/state/tinkerbell"),
                config: Some(GivenConfig { found: true }),
            },
            HandOver::Fit { version: "0.2.0".to_owned(), migrates: true },
            HandOver::Unfit { why: "the configuration cannot be read".to_owned() },
            HandOver::Take { sockets: vec![given(true), given(false)], after_us: false, config: None },
            HandOver::Take { sockets: vec![given(true)], after_us: true, config: Some(GivenConfig { found: false }) },
            HandOver::Opened {},
            HandOver::Failed { why: "there is no room on the disk".to_owned() },
            HandOver::Go {},
            HandOver::Serving {},
        ],
        GivenSocket: [given(true), given(false)],
        GivenConfig: [GivenConfig { found: true }],
    ]
}

fn head(title: Option<&str>) -> ExportHead {
    ExportHead {
        format: export::FORMAT,
        version: "0.1.0".to_owned(),
        session: session(),
        events: 57,
        head: ChainHash([9; 32]),
        workspace: "/home/ada/engine".to_owned(),
        title: title.map(str::to_owned),
        model: title.map(|_| ModelName::new("offline")),
        created_at: MORNING,
        updated_at: Micros(MORNING.0 + 61_000_001),
    }
}

fn event(whole: bool) -> ExportEvent {
    ExportEvent {
        header: "{\"seq\":1,\"kind\":\"session.created\"}".to_owned(),
        body: whole.then(|| "{\"workspace\":\"/w\"}".to_owned()),
        salt: whole.then_some(SaltText([0xab; 16])),
        seal: (!whole).then_some(ChainHash([8; 32])),
        hash: ChainHash([9; 32]),
        blobs: if whole { vec![blob("carry")] } else { vec![] },
    }
}

fn blob(bytes: &str) -> BlobHash {
    BlobHash::of(bytes.as_bytes())
}

fn given(ours: bool) -> GivenSocket {
    GivenSocket { path: PathBuf::from("/tmp/tinkerbell.sock"), ours }
}

fn settings() -> Settings {
    let rule = |argument: Option<&str>, decision| Rule {
        tool: "read_*".to_owned(),
        argument: argument.map(str::to_owned),
        decision,
    };
    let (name, here) = (ModelName::new("anthropic::claude-sonnet-4-5"), ModelName::new("ollama::qwen3:8b"));
    Settings {
        default_model: Some(name.clone()),
        models: BTreeMap::from([(name.clone(), spec(true)), (here.clone(), spec(false))]),
        routes: BTreeMap::from([(ModelName::new("careful"), vec![name, here])]),
        tools: BTreeMap::from([("read_file".to_owned(), Access::Read), ("run".to_owned(), Access::World)]),
        rules: vec![
            rule(Some("*.pem"), Decision::Deny),
            rule(Some("/etc/*"), Decision::Ask),
            rule(None, Decision::Allow),
        ],
        limits: Limits { turn_cost_microusd: Some(Money(500_000)), ..Limits::default() },
    }
}

fn spec(priced: bool) -> ModelSpec {
    let price = |microusd| if priced { Money(microusd) } else { Money(0) };
    ModelSpec {
        context_tokens: Tokens(200_000),
        max_output_tokens: Tokens(8_192),
        input_microusd_per_mtok: price(3_000_000),
        output_microusd_per_mtok: price(15_000_000),
        priced,
    }
}

/// The manifest of a portable snapshot of a state without sessions and keys, made by nobody with a home.
fn bare() -> Manifest {
    let portable = Portable { home: None, workspaces: vec![], more_workspaces: 0, secrets: vec![] };
    Manifest { portable: Some(portable), ..manifest(false) }
}

/// The manifest of a snapshot without a passphrase, and of one with.
pub(super) fn manifest(sealed: bool) -> Manifest {
    let hash = |text: &str| ChainHash(BlobHash::of(text.as_bytes()).0);
    let file = |name: &str, coding, stored_bytes| StoredFile {
        name: name.to_owned(),
        bytes: 1_048_576,
        sha256: BlobHash::of(name.as_bytes()),
        coding,
        stored_bytes,
    };
    let left_out = |name: &str, why| LeftOut { name: name.to_owned(), why };
    Manifest {
        format: snapshot::FORMAT,
        tinkerbell: "0.1.0".to_owned(),
        id: snapshot(),
        reason: SnapshotReason::Asked,
        created_at: MORNING,
        note: sealed.then(|| "before the move".to_owned()),
        state: hash("first"),
        head: hash("last"),
        links: 41,
        schema: 1,
        generation: Generation(7),
        sessions: 3,
        unswept: u64::from(sealed),
        files: vec![file("journal.db", Coding::Gzip, 65_536), file("config.toml", Coding::Plain, 1_048_576)],
        left_out: match sealed {
            true => vec![],
            false => vec![
                left_out("keys/openai", Why::Secret),
                left_out("search.db", Why::Rebuilt),
                left_out("archive/ses_01kav9ft000000000000000007.57.session.gz", Why::Damaged),
            ],
        },
        portable: sealed.then(|| Portable {
            home: Some("/home/ada".to_owned()),
            workspaces: vec![Workspace { path: "/home/ada/engine".to_owned(), sessions: 3 }],
            more_workspaces: 1,
            secrets: vec![
                Secret { place: SecretPlace::Kept, name: "openai".to_owned() },
                Secret { place: SecretPlace::Keyring, name: "work".to_owned() },
                Secret { place: SecretPlace::Environment, name: "ANTHROPIC_API_KEY".to_owned() },
                Secret { place: SecretPlace::File, name: "/run/secrets/llm".to_owned() },
                Secret { place: SecretPlace::Config, name: "models.served.base_url".to_owned() },
            ],
        }),
        sealed_bytes: sealed.then_some(70_000),
    }
}
