//! Disks that fail for a while: the keeper says so, stays, and goes on by itself when they are well.

use super::house::{PATIENCE, World, run};
use std::time::Instant;
use store::{ListQuery, Mode, Options};
use testkit::fault_vfs::{Fault, FaultVfs, Hurt, Op, Ops};
use tokio::task::JoinSet;
use wire::Code;
use wire::rest::ScheduleStatus;

/// How many calls of a kind are hurt from, one after the other: more than there are before an occurrence is claimed.
const CALLS: u64 = 8;
/// Questions while the disk is hurt.
const ASKED: u32 = 6;

/// What became of an occurrence that was due on a disk that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// Nobody who asked noticed anything.
    Unnoticed,
    /// The journal could not be read, and was read again.
    Mended,
    /// The store takes no writes any more.
    ReadOnly,
}

/// Tries each call, all at the same time: most of it the keeper waits until it tries again.
async fn each_call(failed: Option<Fault>, ops: Ops) {
    let mut trials = JoinSet::new();
    for nth in 1..=CALLS {
        trials.spawn(trial(failed, ops, nth));
    }
    let mut came = trials.join_all().await;
    came.sort();
    println!("schedules: after {:?}, a disk that cannot be read: {came:?}", failed.map(|failed| failed.hurt));
    assert!(came.contains(&Came::Mended), "{came:?}");
}

/// Once `failed` has hurt a call, or at once, every `ops` from the Nth on fails, until the disk is well.
async fn trial(failed: Option<Fault>, ops: Ops, nth: u64) -> Came {
    let vfs = FaultVfs::new();
    let store = Options { vfs: Some(vfs.name().to_owned()), checkpoint_idle: None, ..Options::default() };
    let mut world = World::on(store).await;
    let workspace = world.workspace();
    let id = world.add(|r| (r.every_s, r.workspace) = (Some(600), Some(workspace))).await;
    let unreadable = Fault { nth, ops, hurt: Hurt::Fail, sticky: true };
    match failed {
        Some(failed) => vfs.arm_both(failed, unreadable),
        None => vfs.arm(unreadable),
    }
    world.pass(600);
    let house = world.registry.house().clone();
    let mut refused = false;
    for _ in 0..ASKED {
        let Err(problem) = house.schedules.get(id).await else { continue };
        assert_eq!(problem.code, Code::OutcomeUnknown, "call {nth}: {problem:?}");
        assert!(problem.remedy.is_some(), "call {nth}: {problem:?}");
        refused = true;
    }
    vfs.disarm();
    let began = Instant::now();
    let view = loop {
        let view = world.view(id).await;
        // A store that could not be opened again takes no more writes; what there is can be read all the same.
        if house.store.health().mode == Mode::ReadOnly {
            world.stop().await;
            return Came::ReadOnly;
        }
        if view.fired > 0 && view.status != ScheduleStatus::Running {
            break view;
        }
        assert!(began.elapsed() < PATIENCE, "call {nth}: {view:#?}");
        tokio::task::yield_now().await;
    };
    let sessions = house.store.list(ListQuery { limit: 10, ..ListQuery::default() }).await.unwrap();
    assert_eq!((view.fired, view.skipped, sessions.len()), (1, 0, 1), "call {nth}: {view:#?}");
    world.stop().await;
    if refused { Came::Mended } else { Came::Unnoticed }
}

#[test]
fn a_journal_that_cannot_be_read_for_a_while_ends_no_keeper() {
    run(each_call(None, Ops::of(&[Op::Open, Op::Read])));
}

#[test]
fn an_outcome_that_cannot_be_looked_up_yet_is_looked_up_later() {
    run(async {
        // What was written when the sync failed is there, or it is not; then the journal cannot be opened.
        for hurt in [Hurt::LateSync, Hurt::LostSync] {
            each_call(Some(Fault { nth: 1, ops: Ops::SYNCS, hurt, sticky: false }), Ops::of(&[Op::Open])).await;
        }
    });
}
