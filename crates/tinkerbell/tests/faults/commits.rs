//! R3: a commit of the journal that fails is neither a yes nor a no. R5: a disk that takes no writes is named, and nobody
//! spins.

use crate::scene::{Came, Scene, wait};
use crate::world::journal;
use rustix::io::Errno;
use serde_json::json;
use testkit::Rng;
use testkit::syscalls::{Fault, Hurt, Kind, Kinds, Whose, available};

const SYNCS: Kinds = Kinds::of(&[Kind::Sync]);
const PROMPT: &str = "Create a file one.txt that contains the word eins.";

fn fault(hurt: Hurt, kinds: Kinds, sticky: bool) -> Fault {
    Fault { nth: 1, kinds, whose: Whose::Everybodys, hurt, sticky }
}

/// Has the journal written a moment ago, so that copying its log does not come in between.
fn just_written(scene: &Scene) {
    assert!(matches!(scene.send("PATCH", "", None, &json!({ "title": "just now" })), Came::Done(_)));
}

fn prompts(scene: &Scene) -> usize {
    scene.journal().iter().filter(|event| event["kind"] == "prompt.accepted").count()
}

#[test]
fn a_failed_commit_is_an_unknown_outcome_and_its_key_finds_out() {
    if let Err(why) = available() {
        return println!("skipped: {why}");
    }
    let (seed, trials) = (Rng::seed(), 5);
    let mut happened = 0;
    let mut scene = Scene::new(false);
    let (mut trial, mut missed) = (0, 0);
    while trial < trials {
        just_written(&scene);
        let before = prompts(&scene);
        scene.injector.arm(fault(Hurt::Error(Errno::IO), SYNCS, false));
        let key = format!("key {trial} {missed}");
        let came = scene.send("POST", "/prompts", Some(&key), &json!({ "text": PROMPT }));
        scene.injector.disarm();
        match came {
            Came::Refused(503, problem) if problem["code"] == "outcome_unknown" => {
                assert!(problem["remedy"].as_str().unwrap().contains("with its key"), "{problem}");
            }
            // Another sync was hurt: that of the log's copying, which comes when nothing was written for a while.
            Came::Done(_) if missed < 10 => {
                missed += 1;
                assert!(matches!(scene.ask(PROMPT, &key), Came::Done(_)), "its turn ends");
                continue;
            }
            other => panic!("seed {seed}, trial {trial}: {other:?}"),
        }
        trial += 1;
        happened += prompts(&scene) - before;
        let Came::Done(answer) = scene.ask(PROMPT, &key) else { panic!("the key is not answered") };
        assert_eq!(prompts(&scene), before + 1, "seed {seed}, trial {trial}: taken once, whichever attempt it was");
        let again = scene.ask(PROMPT, &key);
        assert!(matches!(&again, Came::Done(same) if *same == answer), "{again:?}");
        assert_eq!(
            scene.status().unwrap()["store"]["health"],
            "open",
            "a commit came between, so it is no second time"
        );
    }
    scene.check().unwrap();
    scene.rest().unwrap();
    println!(
        "failed commits: seed {seed}, {trials} trials, each answered as unknown; {happened} had happened, {} had not; 0 failures",
        trials - happened
    );
}

#[test]
fn two_failed_commits_in_a_row_end_writing_and_a_restart_begins_again() {
    if let Err(why) = available() {
        return println!("skipped: {why}");
    }
    let mut scene = Scene::new(false);
    assert!(matches!(scene.ask(PROMPT, "well"), Came::Done(_)));
    let before = scene.journal();
    just_written(&scene);
    scene.injector.arm(fault(Hurt::Error(Errno::IO), SYNCS, true));
    let first = scene.send("POST", "/prompts", Some("hurt"), &json!({ "text": PROMPT }));
    assert!(matches!(&first, Came::Refused(503, problem) if problem["code"] == "outcome_unknown"), "{first:?}");
    scene.injector.disarm();
    // The disk is well again; what it took meanwhile nobody knows, so nothing is written before a restart.
    let second = scene.send("POST", "/prompts", Some("hurt"), &json!({ "text": PROMPT }));
    let Came::Refused(503, problem) = &second else { panic!("{second:?}") };
    assert_eq!(problem["code"], "read_only", "{problem}");
    let said = format!("{} {}", problem["detail"], problem["remedy"]);
    let state = scene.world.home.state();
    assert!(
        said.contains("daemon stop") && said.contains(state.to_str().unwrap()),
        "names the place and the way out: {said}"
    );
    scene.reads().unwrap();
    assert_eq!(scene.journal()[..before.len()], before[..]);
    assert_eq!(scene.status().unwrap()["store"]["health"], "read_only");
    scene.heal().unwrap();
    assert!(matches!(scene.ask(PROMPT, "hurt"), Came::Done(_)));
    scene.check().unwrap();
    scene.rest().unwrap();
    println!("two failed commits: read-only with reads, 1 restart, 0 lost");
}

/// R5 from within: every write below the world is refused as on a read-only file system, in the middle of a turn.
#[test]
fn a_disk_that_turns_read_only_in_a_turn_is_named_and_nobody_spins() {
    if let Err(why) = available() {
        return println!("skipped: {why}");
    }
    let mut scene = Scene::new(false);
    let Came::Done(told) = scene.send("POST", "/prompts", None, &json!({ "text": PROMPT })) else { panic!("refused") };
    scene.injector.arm(Fault { kinds: Kinds::ALL, ..fault(Hurt::Error(Errno::ROFS), Kinds::ALL, true) });
    let problem = loop {
        match scene.send("POST", "/prompts", None, &json!({ "text": PROMPT })) {
            Came::Refused(503, problem) if problem["code"] == "read_only" => break problem,
            Came::Refused(503 | 507 | 409, _) | Came::Done(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(problem["detail"].as_str().unwrap().contains(scene.world.home.state().to_str().unwrap()), "{problem}");
    scene.reads().unwrap();
    // A daemon that spins would ask for one of these calls again and again.
    let calls = scene.injector.seen();
    let spent = std::fs::read_to_string(format!("/proc/{}/stat", scene.daemon.as_ref().unwrap().pid())).unwrap();
    let ticks: Vec<&str> = spent.rsplit_once(") ").unwrap().1.split(' ').collect();
    println!("read-only: {calls} calls refused, {} ticks of CPU in user mode, {} in the kernel", ticks[11], ticks[12]);
    assert!(calls < 1_000, "{calls} calls in the instant between: it spins");
    scene.heal().unwrap();
    let turn = told["turn"].clone();
    let ended =
        || journal(&scene.client(), &scene.session).iter().any(|e| e["kind"] == "turn.finished" && e["turn"] == turn);
    wait("the turn that was under way ends", ended).unwrap();
    scene.check().unwrap();
    scene.rest().unwrap();
}
