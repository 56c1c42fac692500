//! A session as its owner would lead it: a work tree, a journal in memory, and tools that write to the canvas.

use agent::{AcceptOutcome, EffectId, EffectKind, Event, Micros, Seq, Tokens, ToolOutcome, TurnId};
use canvas::*;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use wire::body::{AcceptEnd, AcceptPlan, Moved, Rebased, Text, ToolEnd};
use wire::*;

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

pub(crate) fn regular(bytes: impl AsRef<[u8]>) -> Contents {
    Contents { bytes: bytes.as_ref().to_vec(), mode: Mode::Regular }
}

pub(crate) fn effect(kind: EffectKind, ordinal: u32) -> EffectId {
    EffectId { turn: TurnId(1), step: 1, kind, ordinal, attempt: 1 }
}

/// The journal's blobs.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<BTreeMap<BlobHash, Vec<u8>>>>);

impl Store {
    pub(crate) fn put(&self, bytes: &[u8]) {
        self.0.lock().unwrap().insert(BlobHash::of(bytes), bytes.to_vec());
    }

    pub(crate) fn forget(&self, bytes: &[u8]) {
        self.0.lock().unwrap().remove(&BlobHash::of(bytes));
    }

    pub(crate) fn blobs(&self) -> Blobs {
        let store = self.clone();
        Blobs::new(move |hash| {
            let found = store.0.lock().unwrap().get(&hash).cloned();
            found.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
        })
    }
}

pub(crate) struct World {
    _home: TempDir,
    pub(crate) at: PathBuf,
    pub(crate) tree: Arc<WorkTree>,
    pub(crate) store: Store,
    pub(crate) fold: Fold,
    pub(crate) journal: Vec<(Seq, Micros, Event, String)>,
    cache: StatCache,
}

impl World {
    pub(crate) fn new() -> World {
        World::under(TempDir::new().unwrap())
    }

    /// Where syncing costs nothing, if there is such a place: a kill, unlike a power cut, does not ask what is synced.
    pub(crate) fn in_memory() -> World {
        World::under(TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap())
    }

    fn under(home: TempDir) -> World {
        let at = home.path().join("root");
        std::fs::create_dir(&at).unwrap();
        let tree = Arc::new(WorkTree::open(&at).unwrap());
        let (store, fold, journal) = (Store::default(), Fold::default(), Vec::new());
        World { _home: home, at, tree, store, fold, journal, cache: StatCache::default() }
    }

    /// Beside the workspace, where nothing of the session may get.
    pub(crate) fn outside(&self) -> &Path {
        self.at.parent().unwrap()
    }

    /// The user saves a file.
    pub(crate) fn save(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let at = self.at.join(name);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, bytes).unwrap();
    }

    pub(crate) fn executable(&self, name: &str) {
        std::fs::set_permissions(self.at.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn on_disk(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.at.join(name)).ok()
    }

    pub(crate) fn view(&self) -> View {
        View::new(Arc::new(self.fold.clone()), self.tree.clone(), self.store.blobs())
    }

    pub(crate) fn read(&self, name: &str) -> Option<Contents> {
        match self.view().read(&path(name), u64::MAX).unwrap() {
            Found::File(contents) => Some(contents),
            _ => None,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.read(name).map(|contents| String::from_utf8(contents.bytes).unwrap())
    }

    pub(crate) fn append(&mut self, event: Event, body: String) -> Seq {
        let seq = Seq(self.journal.len() as u64 + 1);
        let at = Micros(1_763_888_400_000_000 + seq.0 as i64 * 1_500_000);
        self.fold.apply(seq, at, &event, &body);
        self.journal.push((seq, at, event, body));
        seq
    }

    /// A tool reads the files, writes them and ends.
    pub(crate) fn edit(&mut self, files: &[(&str, Option<Contents>)]) -> Seq {
        let changes: Vec<Change> = files
            .iter()
            .map(|(name, after)| {
                let before = self.read(name);
                for contents in [&before, after].into_iter().flatten() {
                    self.store.put(&contents.bytes);
                }
                let state = |contents: &Option<Contents>| contents.as_ref().map(Contents::state);
                Change { path: path(name), before: state(&before), after: state(after) }
            })
            .collect();
        self.tool(changes, Vec::new())
    }

    pub(crate) fn write(&mut self, name: &str, text: &str) -> Seq {
        self.edit(&[(name, Some(regular(text)))])
    }

    pub(crate) fn tool(&mut self, changes: Changeset, seen: Vec<body::Seen>) -> Seq {
        let event = Event::ToolFinished {
            turn: TurnId(1),
            effect: effect(EffectKind::Tool, 0),
            outcome: ToolOutcome::Done,
            tokens: Tokens(1),
            changed: changes.len() as u32,
        };
        let text = Text::Inline(format!("wrote {} files", changes.len()));
        self.append(event, body::write(&ToolEnd { name: "write".into(), text, changes, seen, attachments: Vec::new() }))
    }

    /// A border: what the user changed is taken over. Returns the paths in conflict.
    pub(crate) fn border(&mut self) -> Vec<String> {
        let compared = compare(&self.fold, &self.tree, &self.store.blobs(), &mut self.cache).unwrap();
        compared.blobs.iter().for_each(|blob| self.store.put(blob));
        if let Some(rebased) = compared.rebased {
            self.rebase(&rebased);
        }
        compared.conflict.unwrap_or_default().paths.iter().map(|change| change.path.to_string()).collect()
    }

    /// The user decides that the session's bytes win in these conflicts.
    pub(crate) fn keep(&mut self, paths: &[RelPath]) -> Result<(), KeepError> {
        let compared = compare(&self.fold, &self.tree, &self.store.blobs(), &mut self.cache).unwrap().keep(paths)?;
        compared.blobs.iter().for_each(|blob| self.store.put(blob));
        self.rebase(&compared.rebased.unwrap());
        Ok(())
    }

    pub(crate) fn rebase(&mut self, rebased: &Rebased) {
        let changed = rebased.bases.len() as u32;
        self.append(Event::CanvasRebased { changed }, body::write(rebased));
    }

    pub(crate) fn moved(&mut self, to: Seq, draft: Draft<Moved>) {
        draft.blobs.iter().for_each(|blob| self.store.put(blob));
        let changed = draft.body.changes.len() as u32;
        self.append(Event::CanvasRewound { to, changed }, body::write(&draft.body));
    }

    pub(crate) fn rewind(&mut self, to: Seq) {
        let draft = self.fold.rewind(to, &self.store.blobs()).unwrap();
        self.moved(to, draft);
    }

    pub(crate) fn redo(&mut self, to: Seq) {
        let draft = self.fold.redo(to, &self.store.blobs()).unwrap();
        self.moved(to, draft);
    }

    pub(crate) fn reject(&mut self, paths: &[RelPath]) {
        let moved = self.fold.reject(paths).unwrap();
        let changed = moved.changes.len() as u32;
        self.append(Event::CanvasRejected { changed }, body::write(&moved));
    }

    pub(crate) fn plan(&self, selection: &Selection) -> AcceptPlan {
        let draft = plan(&self.fold, selection).unwrap();
        draft.blobs.iter().for_each(|blob| self.store.put(blob));
        draft.body
    }

    pub(crate) fn execute(&self, plan: &AcceptPlan) -> Accepted {
        execute(&self.tree, plan, &self.store.blobs(), &mut |_| {}).unwrap()
    }

    pub(crate) fn finish_accept(&mut self, accepted: &Accepted) -> Seq {
        let (effect, outcome) = (effect(EffectKind::Accept, 0), accepted.outcome);
        let files = accepted.end.bases.len() as u32;
        self.append(Event::AcceptFinished { effect, outcome, files }, body::write(&accepted.end))
    }

    pub(crate) fn accept(&mut self, selection: &Selection) -> Accepted {
        let plan = self.plan(selection);
        let accepted = self.execute(&plan);
        self.finish_accept(&accepted);
        accepted
    }

    pub(crate) fn undo_accept(&mut self) -> Accepted {
        let undoes = self.fold.last_accept().unwrap().unwrap().seq;
        let plan = plan_undo(&self.fold, undoes).unwrap();
        let accepted = self.execute(&plan);
        if accepted.outcome == AcceptOutcome::Done {
            let files = accepted.end.bases.len() as u32;
            let effect = effect(EffectKind::Accept, 1);
            let end: &AcceptEnd = &accepted.end;
            self.append(Event::AcceptUndone { effect, undoes, files }, body::write(end));
        } else {
            self.finish_accept(&accepted);
        }
        accepted
    }

    pub(crate) fn replayed(&self) -> Fold {
        let mut fold = Fold::default();
        for (seq, at, event, body) in &self.journal {
            fold.apply(*seq, *at, event, body);
        }
        fold
    }

    /// Names of temporary files left anywhere in the work tree.
    pub(crate) fn litter(&self) -> Vec<PathBuf> {
        fn look(at: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(at).unwrap().flatten() {
                if entry.file_name().to_string_lossy().starts_with(".tinkerbell-") {
                    found.push(entry.path());
                }
                if entry.file_type().unwrap().is_dir() {
                    look(&entry.path(), found);
                }
            }
        }
        let mut found = Vec::new();
        look(&self.at, &mut found);
        found
    }
}

/// Runs git without anybody's configuration.
pub(crate) fn git(at: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(arguments)
        .current_dir(at)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs([("GIT_AUTHOR_NAME", "u"), ("GIT_AUTHOR_EMAIL", "u@u")])
        .envs([("GIT_COMMITTER_NAME", "u"), ("GIT_COMMITTER_EMAIL", "u@u")])
        .output()
        .unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "git {arguments:?}: {out}{errors}");
    format!("{out}{errors}")
}
