//! Prints what the easel costs: `cargo run -p canvas --example easel_figures`.

use agent::{EffectId, EffectKind, Event, Micros, Seq, SessionId, Tokens, ToolOutcome, TurnId};
use canvas::{Binary, Blobs, Fold, Picture, Selection, StatCache, WorkTree, compare, diff, execute, plan};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wire::body::{Text, ToolEnd};
use wire::{BlobHash, Change, Contents, FileState, Mode, RelPath};

const FILES: usize = 50;
const COMMITS: u64 = 1000;

type Store = Arc<Mutex<BTreeMap<BlobHash, Vec<u8>>>>;

/// A session that edits one of [`FILES`] files of some hundred lines at each step.
struct Session {
    fold: Fold,
    /// The same with every step.
    whole: Fold,
    store: Store,
    states: Vec<Option<FileState>>,
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home = tempfile::tempdir()?;
    let session = SessionId::from_parts(1, 1);
    let store = Store::default();
    let (mut work, blobs) = (Session::new(store.clone()), blobs_of(store));
    let picture = Picture::new(home.path().join("picture"));
    let mut singly = Vec::new();
    let mut applied = Vec::new();
    for seq in 1..=COMMITS {
        applied.push(time(|| work.step(seq)));
        if seq <= 200 {
            let took = time_try(|| picture.draw(session, &work.whole, &blobs))?;
            singly.push(took);
        }
    }
    println!("making the bytes of an edit and applying it: {}", figures(applied));
    println!("drawing one micro-commit: {}", figures(singly));
    picture.erase()?;
    let whole = time_try(|| picture.draw(session, &work.whole, &blobs))?;
    println!("drawing {COMMITS} micro-commits at once: {whole:.1?}");
    let pending = work.fold.pending();
    let diffs = (0..20).map(|_| time_try(|| diff(&pending, &blobs, Binary::Whole))).collect::<Result<_, _>>()?;
    println!("diff of {FILES} files: {}", figures(diffs));
    let root = home.path().join("root");
    std::fs::create_dir(&root)?;
    let tree = WorkTree::open(&root)?;
    let mut cache = StatCache::default();
    let compared = (0..20).map(|_| time_try(|| compare(&work.fold, &tree, &blobs, &mut cache)));
    println!("comparing {FILES} touched paths: {}", figures(compared.collect::<Result<_, _>>()?));
    let plan = plan(&work.fold, &Selection::All)?.body;
    let accepted = time_try(|| execute(&tree, &plan, &blobs, &mut |_| {}))?;
    println!("accept of {FILES} files, synced: {accepted:.1?}");
    sizes()
}

/// What waking reads, and what a question about old steps costs.
#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn sizes() -> Result<(), Box<dyn std::error::Error>> {
    for steps in [100, 1_000, 10_000, 100_000] {
        let mut work = Session::new(Store::default());
        (1..=steps).for_each(|seq| work.step(seq));
        let text = serde_json::to_string(&work.fold)?;
        let read = (0..20).map(|_| time_try(|| serde_json::from_str::<Fold>(&text))).collect::<Result<_, _>>()?;
        let all = serde_json::to_string(&work.whole)?;
        println!(
            "fold of {steps} steps over {FILES} paths: {} bytes (with all steps {}), read in {}",
            text.len(),
            all.len(),
            figures(read)
        );
    }
    Ok(())
}

impl Session {
    fn new(store: Store) -> Session {
        Session { fold: Fold::default(), whole: Fold::whole(), store, states: vec![None; FILES] }
    }

    fn step(&mut self, seq: u64) {
        let index = (seq as usize * 7) % FILES;
        let text: String = (0..200).map(|n| format!("line {n} {}\n", if n == seq % 200 { seq } else { 0 })).collect();
        let contents = Contents { bytes: text.into_bytes(), mode: Mode::Regular };
        let after = Some(contents.state());
        let path = RelPath::new(&format!("dir-{}/deep/file-{index}.rs", index % 7)).expect("a plain path");
        let changes = vec![Change { path, before: self.states[index], after }];
        self.states[index] = after;
        self.store.lock().expect("nobody panicked").insert(BlobHash::of(&contents.bytes), contents.bytes);
        let turn = TurnId(1);
        let effect = EffectId { turn, step: 1, kind: EffectKind::Tool, ordinal: 0, attempt: 1 };
        let event = Event::ToolFinished { turn, effect, outcome: ToolOutcome::Done, tokens: Tokens(1), changed: 1 };
        let text = Text::Inline(format!("edited file {index}"));
        let body = wire::body::write(&ToolEnd {
            name: "edit".into(),
            text,
            changes,
            seen: Vec::new(),
            attachments: Vec::new(),
        });
        let at = Micros(seq as i64 * 1_000_000);
        self.fold.apply(Seq(seq), at, &event, &body);
        self.whole.apply(Seq(seq), at, &event, &body);
    }
}

fn blobs_of(store: Store) -> Blobs {
    Blobs::new(move |hash| {
        let found = store.lock().expect("nobody panicked").get(&hash).cloned();
        found.ok_or_else(|| std::io::ErrorKind::NotFound.into())
    })
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn time_try<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<Duration, E> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let (min, p50, p99) = (times[0], times[times.len() / 2], times[times.len() * 99 / 100]);
    format!("min {min:.1?}, p50 {p50:.1?}, p99 {p99:.1?} of {}", times.len())
}
