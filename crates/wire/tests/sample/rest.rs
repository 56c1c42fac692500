//! A request or an answer of each shape, and again for each field that may be absent.

use super::shapes::{MORNING, effect, path, session};
use super::written::{Written, written};
use agent::{
    AcceptOutcome, Answer, EffectKind, Generation, Micros, ModelName, Money, Question, Seq, Tokens, TurnId, Usage,
};
use std::path::PathBuf;
use wire::rest::*;
use wire::{Code, Mode, Problem};

/// All of them.
pub(crate) fn rest() -> Vec<Written> {
    let mut all = requests();
    all.extend([of_sessions(), of_the_canvas(), of_the_daemon()].into_iter().flatten());
    all
}

fn model() -> ModelName {
    ModelName::new("anthropic::claude-sonnet-4-5")
}

fn requests() -> Vec<Written> {
    let prompt = |model, while_running| PromptRequest { text: "Fix the carry.".to_owned(), model, while_running };
    let create = |title: Option<&str>, prompt| CreateSession {
        workspace: "/home/ada/engine".to_owned(),
        title: title.map(str::to_owned),
        prompt,
    };
    let answers = [Answer::Allow, Answer::Deny, Answer::Retry, Answer::Skip, Answer::Abandon];
    let [allow, deny, retry, skip, abandon] = answers.map(|answer| AnswerRequest { answer });
    written![
        CreateSession: [
            create(None, None),
            create(Some("Carry"), Some(prompt(Some(model()), WhileRunning::Queue))),
        ],
        PromptRequest: [prompt(None, WhileRunning::Queue), prompt(Some(model()), WhileRunning::Steer)],
        AnswerRequest: [allow, deny, retry, skip, abandon],
        Selection: [
            Selection::default(),
            Selection { paths: Some(vec!["src".to_owned(), "README.md".to_owned()]) },
        ],
        RewindRequest: [
            RewindRequest { seq: None },
            RewindRequest { seq: Some(Seq(0)) },
            RewindRequest { seq: Some(Seq(41)) },
        ],
    ]
}

fn of_sessions() -> Vec<Written> {
    let acknowledged = |turn, model| Acknowledged { session: session(), seq: Seq(12), turn, model };
    let (idle, running, waiting) =
        (row(SessionStatus::Idle, None), row(SessionStatus::Running, Some(model())), row(SessionStatus::Waiting, None));
    let turn = TurnView { id: TurnId(3), step: 2, ending: false, running: vec![effect(EffectKind::Tool)] };
    let approval = ApprovalView {
        id: effect(EffectKind::Ask),
        question: Question::Permission,
        message: "May `run` do this?".to_owned(),
        answers: vec![Answer::Allow, Answer::Deny],
    };
    let view = |row, turn, queued, approvals| SessionView {
        row,
        turns: 4,
        pending: 1,
        turn,
        queued,
        approvals,
        usage: Usage { input_tokens: Tokens(1_200), output_tokens: Tokens(80), ..Usage::default() },
    };
    written![
        Acknowledged: [acknowledged(None, None), acknowledged(Some(TurnId(3)), Some(model()))],
        SessionRow: [idle.clone(), running.clone(), waiting.clone()],
        SessionList: [
            SessionList { sessions: vec![], next: None },
            SessionList { sessions: vec![running.clone(), idle.clone()], next: Some(session().to_string()) },
        ],
        SessionView: [
            view(idle, None, vec![], vec![]),
            view(waiting, Some(turn.clone()), vec![TurnId(4)], vec![approval.clone()]),
        ],
        TurnView: [turn.clone(), TurnView { ending: true, running: vec![], ..turn }],
        ApprovalView: [approval],
        Cancelled: [Cancelled { turn: TurnId(3), seq: Seq(57) }],
    ]
}

fn row(status: SessionStatus, model: Option<ModelName>) -> SessionRow {
    SessionRow {
        id: session(),
        workspace: "/home/ada/engine".to_owned(),
        title: "Fix the carry".to_owned(),
        status,
        head: Seq(57),
        model,
        cost_microusd: Money(4_800),
        created_at: MORNING,
        updated_at: Micros(MORNING.0 + 61_000_001),
    }
}

fn of_the_canvas() -> Vec<Written> {
    let file = |status, binary, mode| FileRow { path: path("src/new.rs"), status, added: 3, removed: 1, binary, mode };
    let added = file(FileStatus::Added, false, Some(Mode::Regular));
    let modified = file(FileStatus::Modified, true, Some(Mode::Executable));
    let view = |conflicts| CanvasView {
        files: vec![added.clone()],
        conflicts,
        step: Seq(41),
        undoable: true,
        redoable: false,
    };
    let step = |commit: Option<&str>, undone| StepRow {
        seq: Seq(41),
        commit: commit.map(str::to_owned),
        title: "edited src/new.rs".to_owned(),
        at: MORNING,
        undone,
        files: 1,
    };
    let (plain, undone) = (step(Some("8f14e45fceea167a5a36dedd4bea2543f5a1b2c3"), false), step(None, true));
    let log = CanvasLog {
        repository: PathBuf::from("/home/ada/.local/state/tinkerbell/canvas/0a1b2c3d4e5f60718293a4b5.git"),
        reference: format!("refs/heads/{}", session()),
        steps: vec![undone.clone(), plain.clone()],
    };
    let accepted = |outcome, files, message: Option<&str>, at| Accepted {
        outcome,
        seq: Seq(62),
        files,
        message: message.map(str::to_owned),
        path: at,
    };
    let conflict =
        accepted(AcceptOutcome::Conflict, vec![], Some("it was changed meanwhile"), Some(path("src/new.rs")));
    written![
        FileRow: [added.clone(), modified.clone(), file(FileStatus::Deleted, false, None)],
        CanvasView: [view(vec![]), view(vec![path("README.md")])],
        Diff: [Diff { files: vec![modified.clone()], patch: "--- a/b\n+++ b/b\n@@ -1 +1 @@\n-old\n+new\n".to_owned() }],
        StepRow: [plain, undone],
        CanvasLog: [log],
        Accepted: [
            accepted(AcceptOutcome::Done, vec![added.clone()], None, None),
            conflict,
            accepted(AcceptOutcome::Failed, vec![], Some("the disk is full"), None),
        ],
        Moved: [Moved { seq: Seq(58), canvas: view(vec![]) }],
    ]
}

fn of_the_daemon() -> Vec<Written> {
    let offline = ModelRow {
        name: ModelName::new("offline"),
        provider: "offline".to_owned(),
        base_url: None,
        context_tokens: Tokens(32_768),
        input_microusd_per_mtok: Money(0),
        output_microusd_per_mtok: Money(0),
        default: true,
        missing: None,
    };
    let remote = ModelRow {
        name: model(),
        provider: "anthropic".to_owned(),
        base_url: Some("https://api.anthropic.com".to_owned()),
        context_tokens: Tokens(200_000),
        input_microusd_per_mtok: Money(3_000_000),
        output_microusd_per_mtok: Money(15_000_000),
        default: false,
        missing: Some("ANTHROPIC_API_KEY is not set".to_owned()),
    };
    let problem = Problem::new(Code::NotFound, "there is no session ses_x");
    written![
        ModelRow: [offline.clone(), remote.clone()],
        ModelList: [ModelList { models: vec![offline, remote] }],
        StoreStatus: [store("open"), store("read_only")],
        DaemonStatus: [status(None), status(Some(model()))],
        Problem: [problem.clone(), problem.remedy("`tinkerbell sessions ls` lists those that there are")],
    ]
}

fn store(health: &str) -> StoreStatus {
    StoreStatus { health: health.to_owned(), journal_bytes: 1_048_576, wal_bytes: 0 }
}

fn status(default_model: Option<ModelName>) -> DaemonStatus {
    DaemonStatus {
        version: "0.1.0".to_owned(),
        pid: 4_711,
        generation: Generation(7),
        started_at: MORNING,
        state_dir: PathBuf::from("/home/ada/.local/state/tinkerbell"),
        socket: PathBuf::from("/tmp/tinkerbell.sock"),
        config_file: PathBuf::from("/home/ada/.config/tinkerbell/config.toml"),
        config_found: true,
        default_model,
        awake: 2,
        running: 1,
        sessions: 40,
        store: store("open"),
        resident_bytes: 25_165_824,
        spent_today_microusd: Money(4_800),
    }
}
