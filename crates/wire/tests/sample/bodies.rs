//! A body of each shape, and again for each field that may be absent and for texts that lie in a blob.

use super::shapes::{blob_text, changed, commit, created, deleted, effect, file, inline, path};
use super::written::{Written, written};
use agent::{EffectKind, ModelName, Plan, Seq, Tokens};
use wire::body::*;
use wire::rest::{ConfigFault, ReloadCause};
use wire::snapshot::SnapshotReason;
use wire::{BlobHash, Change, FileState, MediaType, Mode, Text};

/// All of them, and the shapes that they are made of.
pub(crate) fn bodies() -> Vec<Written> {
    let of_turns = [of_people(), of_models(), of_tools()];
    let others = [of_the_canvas(), of_accepts(), of_the_daemon()];
    of_turns.into_iter().chain(others).flatten().collect()
}

fn of_people() -> Vec<Written> {
    let workspace = || "/home/ada/engine".to_owned();
    let call = call("call_1", inline("{\"path\":\"a\"}"), None);
    let [png, jpeg, gif, webp, pdf] = attachments();
    written![
        Text: [inline("Grüße,\n\t\"Ada\" \u{1f9da} \u{0}"), inline(""), blob_text()],
        Session: [
            Session { workspace: workspace(), title: None },
            Session { workspace: workspace(), title: Some("Fix the carry".to_owned()) },
        ],
        Prompt: [
            Prompt { text: inline("Fix the carry."), attachments: vec![] },
            Prompt { text: blob_text(), attachments: attachments().to_vec() },
        ],
        Attachment: [png, jpeg, gif, webp, pdf],
        Question: [
            Question::default(),
            Question { message: Some("May `run` do this?".to_owned()), call: Some(call) },
        ],
    ]
}

fn attachments() -> [Attachment; 5] {
    let attachment = |name: &str, media| Attachment {
        name: name.to_owned(),
        media_type: media,
        blob: BlobHash::of(name.as_bytes()),
        bytes: 70_000,
    };
    [
        attachment("größe \"a\".png", MediaType::Png),
        attachment("photo.jpg", MediaType::Jpeg),
        attachment("docs/how.gif", MediaType::Gif),
        attachment("docs/logo.webp", MediaType::Webp),
        attachment("docs/paper.pdf", MediaType::Pdf),
    ]
}

fn of_models() -> Vec<Written> {
    let refused = call("call_2", blob_text(), Some("A rule of the user forbids this call."));
    let said = call("call_1", inline("{\"path\":\"a\"}"), None);
    let [short, long] = [inline("[{\"type\":\"thinking\",\"signature\":\"EqQB\"}]"), blob_text()].map(carry);
    let reply = Reply {
        text: inline("I look first."),
        reasoning: blob_text(),
        calls: vec![said.clone(), refused.clone()],
        dropped_calls: 1,
        request_sha256: Some(BlobHash::of(b"the request")),
        carry: Some(short.clone()),
    };
    let carries_much = Reply { text: inline("Done."), carry: Some(long.clone()), ..Reply::default() };
    let [read_whole, read_in_part] = instructions();
    written![
        Recipe: [recipe(None, None, vec![]), recipe(Some(Seq(4)), Some(Seq(9)), instructions().to_vec())],
        Instruction: [read_whole, read_in_part],
        Reply: [Reply::default(), reply, carries_much],
        Carry: [short, long],
        Call: [said, refused],
        Partial: [
            Partial::default(),
            Partial { text: inline("I lo"), message: Some("the stream broke off".to_owned()) },
            Partial { text: blob_text(), message: None },
        ],
        Exhausted: [Exhausted {
            model: ModelName::new("anthropic::claude-sonnet-4-5"),
            message: "the session's budget is spent; raise budget.per_session_usd".to_owned(),
        }],
        TurnEnd: [TurnEnd::default(), TurnEnd { message: Some("50 steps are the limit".to_owned()) }],
    ]
}

fn recipe(first: Option<Seq>, shortened_through: Option<Seq>, instructions: Vec<Instruction>) -> Recipe {
    Recipe {
        renderer: 1,
        plan: Plan { first, message_count: 6, shortened_through, omitted: 2, tokens: Tokens(1_200) },
        system: BlobHash::of(b"the system prompt"),
        tools: BlobHash::of(b"the tool table"),
        instructions,
        settings: BlobHash::of(b"the settings"),
        max_output_tokens: Tokens(8_192),
        why: "the configuration's default".to_owned(),
    }
}

fn instructions() -> [Instruction; 2] {
    let read = |at, bytes: &[u8], cut| Instruction {
        path: path(at),
        blob: BlobHash::of(bytes),
        bytes: bytes.len() as u64,
        cut,
    };
    [read("AGENTS.md", b"Be brief.\n", false), read("crates/wire/AGENTS.md", b"Write golden files.\n", true)]
}

fn carry(data: Text) -> Carry {
    Carry { from: "anthropic claude-sonnet-4-5".to_owned(), data }
}

fn call(id: &str, arguments: Text, refused: Option<&str>) -> Call {
    Call { id: id.to_owned(), name: "read_file".to_owned(), arguments, refused: refused.map(str::to_owned) }
}

fn of_tools() -> Vec<Written> {
    let seen = Seen { path: path("src/lib.rs"), state: Some(file("old\n", Mode::Regular)) };
    let missing = Seen { path: path("src/none.rs"), state: None };
    let end = |text, changes, seen| ToolEnd { name: "edit_file".to_owned(), text, changes, seen, attachments: vec![] };
    let [png, ..] = attachments();
    let looked_at = ToolEnd {
        name: "read_file".to_owned(),
        text: inline("an image"),
        attachments: vec![png],
        ..ToolEnd::default()
    };
    written![
        ToolStart: [ToolStart { name: "edit_file".to_owned(), about: "src/lib.rs".to_owned() }],
        ToolEnd: [
            end(inline("nothing to do"), vec![], vec![]),
            end(blob_text(), vec![created(), changed(), deleted()], vec![seen.clone(), missing.clone()]),
            looked_at,
        ],
        Seen: [seen, missing],
    ]
}

fn of_the_canvas() -> Vec<Written> {
    let (base, current) = (Some(file("x", Mode::Regular)), Some(file("y", Mode::Regular)));
    let left = PathLeft { path: path("src/new.rs"), base, current };
    let gone = PathLeft { path: path("src/old.rs"), base: None, current: None };
    written![
        FileState: [file("x", Mode::Regular), file("x", Mode::Executable), file("x", Mode::Symlink)],
        Change: [created(), changed(), deleted()],
        Moved: [Moved::default(), Moved { changes: vec![changed()] }],
        Rebased: [Rebased::default(), Rebased { bases: vec![changed()], changes: vec![deleted()] }],
        Conflict: [Conflict { paths: vec![changed(), deleted()] }],
        Forgotten: [
            Forgotten::default(),
            Forgotten { reason: Some("a name".to_owned()), paths: vec![left.clone(), gone.clone()] },
        ],
        PathLeft: [left, gone],
    ]
}

fn of_accepts() -> Vec<Written> {
    let planned =
        |change| PlannedFile { change, temporary: ".tinkerbell-0a1b2c3d4e5f60718293a4b5c6d7e8f9.tmp".to_owned() };
    let end = |commit, message: Option<&str>, path| AcceptEnd {
        bases: vec![created()],
        commit,
        message: message.map(str::to_owned),
        path,
    };
    let stopped = end(None, Some("the file was changed meanwhile"), Some(path("src/new.rs")));
    written![
        AcceptPlan: [
            AcceptPlan { files: vec![planned(created()), planned(deleted())], commit: None },
            AcceptPlan { files: vec![planned(created())], commit: Some("Fix the carry\n\nIt was \"lost\".".to_owned()) },
        ],
        PlannedFile: [planned(created()), planned(changed()), planned(deleted())],
        AcceptEnd: [
            end(None, None, None),
            end(Some(commit(Some("main"))), None, None),
            end(Some(commit(None)), None, None),
            end(None, Some("the hook pre-commit refused the commit"), None),
            AcceptEnd { bases: vec![], ..stopped },
        ],
    ]
}

fn of_the_daemon() -> Vec<Written> {
    let lost = |text| LostMessage { effect: effect(EffectKind::Model), text };
    written![
        Began: [Began::default(), Began { lost: vec![lost(inline("I lo")), lost(blob_text())] }],
        LostMessage: [lost(inline("I lo"))],
        ConfigReloaded: [
            ConfigReloaded { cause: ReloadCause::Watch, changed: vec!["limits.steps".to_owned()], warnings: vec![] },
            ConfigReloaded {
                cause: ReloadCause::Asked,
                changed: vec![],
                warnings: vec!["models.new: its server cannot be reached".to_owned()],
            },
        ],
        ConfigRejected: [
            ConfigRejected { cause: ReloadCause::Signal, message: "it cannot be read".to_owned(), faults: vec![] },
            ConfigRejected { cause: ReloadCause::Watch, message: "it is not valid".to_owned(), faults: vec![fault()] },
        ],
        ConfigReverted: [ConfigReverted {
            model: ModelName::new("sonnet"),
            reason: "its new key was refused".to_owned(),
        }],
        Tightened: [Tightened { name: "write_file".to_owned(), about: "secret/key".to_owned() }],
        SnapshotMade: [
            snapshot(SnapshotReason::Asked, Some("before the move")),
            snapshot(SnapshotReason::Periodic, None),
            snapshot(SnapshotReason::Stop, None),
        ],
        SnapshotRemoved: [SnapshotRemoved { why: "age".to_owned() }],
        Daemon: [Daemon { version: "0.1.0".to_owned(), pid: 4_711 }],
        Schedule: [schedule(None), schedule(Some("/home/ada/engine"))],
        Skipped: [Skipped::default(), Skipped { message: Some("there is no model named careful".to_owned()) }],
    ]
}

fn fault() -> ConfigFault {
    ConfigFault {
        line: Some(3),
        column: Some(1),
        key: "limits.steps".to_owned(),
        message: "must be a whole number".to_owned(),
    }
}

fn schedule(workspace: Option<&str>) -> Schedule {
    let (name, prompt) = ("the carry".to_owned(), "Is the carry well?".to_owned());
    Schedule { name, prompt, workspace: workspace.map(str::to_owned) }
}
fn snapshot(reason: SnapshotReason, note: Option<&str>) -> SnapshotMade {
    SnapshotMade {
        sha256: BlobHash::of(b"a snapshot"),
        file: "/home/ada/.local/state/tinkerbell/snapshots/snp_x.tar".into(),
        reason,
        note: note.map(str::to_owned),
        sealed: false,
        links: 41,
        sessions: 3,
        unswept: 0,
    }
}
