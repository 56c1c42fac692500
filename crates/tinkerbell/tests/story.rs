//! The product as its users meet it: the real binary, the offline model, real git.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use serde_json::{Value, json};
use world::{World, ran};

const HELLO: &str = "Create a file hello.txt that contains the word hi.";

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn nothing_touches_the_work_tree_until_accept() {
    let world = World::repository();
    let before = world.git(&["ls-files", "--stage"]);
    let asked = world.run(&["ask", HELLO]);
    assert!(asked.err.contains("write_file hello.txt"), "the step is shown: {asked:?}");
    assert!(asked.err.contains("A hello.txt  +1") && asked.err.contains("tinkerbell accept"), "{asked:?}");
    assert!(asked.good().contains("wrote hello.txt"));
    assert_eq!((world.read("hello.txt"), world.git(&["status", "--porcelain"]).as_str()), (None, ""));
    assert_eq!(world.good(&["show", "hello.txt"]), "hi\n", "the session sees it");

    let patch = world.good(&["diff"]);
    assert!(patch.contains("+++ b/hello.txt\n"), "{patch}");
    std::fs::write(world.home.path("patch"), &patch).unwrap();
    world.git(&["apply", "--check", "../patch"]);
    assert!(world.good(&["diff", "--stat"]).contains("A hello.txt  +1"));

    assert!(world.good(&["accept"]).contains("A hello.txt"));
    assert_eq!(world.read("hello.txt").as_deref(), Some("hi\n"));
    assert_eq!(world.git(&["status", "--porcelain"]), "?? hello.txt\n");
    assert!(world.good(&["accept", "--undo"]).contains("D hello.txt"));
    assert_eq!((world.read("hello.txt"), world.git(&["status", "--porcelain"]).as_str()), (None, ""));
    world.run(&["accept", "--undo"]).refused(4, &["no accept of this session can be taken back"]);
    assert_eq!(world.good(&["diff"]), patch, "it stands on the canvas again");
    assert_eq!(world.git(&["ls-files", "--stage"]), before, "the user's index was never touched");
    assert_eq!(world.git(&["log", "--format=%s"]), "the beginning\n");
}

#[test]
fn an_existing_file_is_changed_renamed_and_deleted_on_the_canvas() {
    let world = World::repository();
    world.good(&["ask", "Replace \"two\" with \"zwei\" in a.txt."]);
    world.good(&["ask", "-c", "Rename src/lib.rs to src/main.rs."]);
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    std::fs::write(world.home.path("patch"), world.good(&["diff"])).unwrap();
    world.git(&["apply", "--check", "../patch"]);
    // A selected path alone, then the rest.
    world.good(&["accept", "a.txt"]);
    assert_eq!(world.git(&["status", "--porcelain"]), " M a.txt\n");
    assert!(world.read("a.txt").unwrap().starts_with("one\nzwei\n"));
    world.good(&["accept"]);
    assert_eq!((world.read("src/lib.rs"), world.read("src/main.rs").as_deref()), (None, Some("pub fn foo() {}\n")));
    assert_eq!(world.good(&["diff"]), "");
    world.good(&["ask", "-c", "Delete src/main.rs."]);
    world.good(&["accept"]);
    assert_eq!(world.read("src/main.rs"), None);
}

#[test]
fn steps_are_listed_shown_rejected_rewound_and_redone() {
    let world = World::repository();
    world.good(&["ask", HELLO]);
    world.good(&["ask", "-c", "Append the line there to hello.txt."]);
    world.good(&["ask", "-c", "Create a file other.txt that contains the word ho."]);
    let log = world.json(&["log"]);
    let steps = log["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3, "{log:#}");
    let seqs: Vec<String> = steps.iter().map(|step| step["seq"].to_string()).collect();
    let shown = world.good(&["show", &seqs[1]]);
    assert!(shown.contains("+there") && !shown.contains("other.txt"), "{shown}");
    assert!(world.good(&["show"]).contains("other.txt"), "the last step by default");
    let listed = world.good(&["log"]);
    assert!(listed.contains(steps[0]["commit"].as_str().unwrap().split_at(10).0), "{listed}");

    world.good(&["rewind"]);
    let patch = world.good(&["diff"]);
    assert!(patch.contains("+there") && !patch.contains("other.txt"), "one step back: {patch}");
    world.good(&["rewind", &seqs[2]]);
    assert_eq!(world.good(&["show", "hello.txt"]), "hi\n");
    world.good(&["rewind", "0"]);
    assert_eq!(world.good(&["diff"]), "");
    for _ in 0..3 {
        world.good(&["redo"]);
    }
    assert_eq!(world.good(&["show", "hello.txt"]), "hi\nthere\n");
    assert_eq!(world.good(&["show", "other.txt"]), "ho\n");
    world.run(&["redo"]).refused(4, &["redo"]);

    world.good(&["reject", "other.txt"]);
    let patch = world.good(&["diff"]);
    assert!(patch.contains("hello.txt") && !patch.contains("other.txt"), "{patch}");
    world.good(&["reject", "--all"]);
    assert_eq!(world.good(&["diff"]), "");
    world.run(&["show", "999999"]).refused(3, &["999999"]);
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

/// The session's commits, each with its step; and where git's picture of them is.
fn commits(world: &World) -> (Vec<(u64, String)>, String) {
    let log = world.json(&["log"]);
    let commit = |step: &Value| (step["seq"].as_u64().unwrap(), step["commit"].as_str().unwrap().to_owned());
    let steps = log["steps"].as_array().unwrap().iter().map(commit).collect();
    (steps, log["repository"].as_str().unwrap().to_owned())
}

#[test]
fn the_picture_is_rebuilt_with_the_same_commits() {
    let world = World::repository();
    world.good(&["ask", HELLO]);
    world.good(&["ask", "-c", "Replace \"two\" with \"zwei\" in a.txt."]);
    world.good(&["accept", "hello.txt"]);
    world.good(&["ask", "-c", "Append the line there to hello.txt."]);
    let (before, repository) = commits(&world);
    assert!(before.len() >= 3, "{before:?}");
    let fsck = |strict: &str| world.git(&["--git-dir", &repository, "fsck", "--full", strict]);
    fsck("--strict");
    // First below a daemon that runs, then below one that begins.
    for stop_first in [false, true] {
        if stop_first {
            world.good(&["daemon", "stop"]);
        }
        std::fs::remove_dir_all(world.home.state().join("canvas")).unwrap();
        assert_eq!(commits(&world), (before.clone(), repository.clone()), "stopped: {stop_first}");
        fsck("--strict");
        for (_, commit) in &before {
            world.git(&["--git-dir", &repository, "cat-file", "-e", &format!("{commit}^{{commit}}")]);
        }
    }
    println!("rebuilt twice with the same {} commits", before.len());
}

#[test]
fn the_users_own_housekeeping_goes_unnoticed() {
    let world = World::repository();
    world.good(&["ask", "Replace \"two\" with \"zwei\" in a.txt."]);
    let (patch, picture) = (world.good(&["diff"]), commits(&world));
    world.git(&["commit", "--quiet", "--amend", "-m", "another beginning"]);
    world.git(&["reflog", "expire", "--expire=now", "--all"]);
    world.git(&["gc", "--quiet", "--prune=now"]);
    assert_eq!((world.good(&["diff"]), commits(&world)), (patch, picture));
    world.good(&["ask", "-c", "Replace \"three\" with \"drei\" in a.txt."]);
    world.good(&["accept"]);
    assert!(world.read("a.txt").unwrap().starts_with("one\nzwei\ndrei\nfour\n"));
    assert_eq!(world.git(&["log", "--format=%s"]), "another beginning\n");
}

#[test]
fn what_the_user_changed_meanwhile_is_merged() {
    for next in ["prompt", "accept"] {
        let world = World::repository();
        world.good(&["ask", "Replace \"two\" with \"zwei\" in a.txt."]);
        let users = world.read("a.txt").unwrap().replace("seven", "sieben");
        world.write("a.txt", &users);
        if next == "prompt" {
            world.good(&["ask", "-c", "Show a.txt."]);
            let patch = world.good(&["diff"]);
            assert!(patch.contains("+zwei") && !patch.contains("+sieben"), "the base is the user's: {patch}");
        }
        world.good(&["accept"]);
        let merged = "one\nzwei\nthree\nfour\nfive\nsix\nsieben\neight\n";
        assert_eq!(world.read("a.txt").as_deref(), Some(merged), "{next}");
        world.good(&["accept", "--undo"]);
        assert_eq!(world.read("a.txt"), Some(users), "{next}: undone to what the user had");
    }
}

#[test]
fn a_conflict_is_named_with_the_way_out() {
    let world = World::repository();
    world.good(&["ask", "Replace \"two\" with \"zwei\" in a.txt."]);
    let users = world.read("a.txt").unwrap().replace("two", "deux");
    world.write("a.txt", &users);
    world.run(&["accept"]).refused(4, &["a.txt", "tinkerbell reject a.txt"]);
    assert_eq!(world.read("a.txt").as_ref(), Some(&users), "nothing was guessed");
    let asked = world.run(&["ask", "-c", HELLO]);
    assert!(asked.err.contains("a.txt") && asked.err.contains("tinkerbell reject a.txt"), "{asked:?}");
    world.run(&["accept"]).refused(4, &["a.txt"]);
    // The way out: drop that one and go on with the rest.
    world.good(&["reject", "a.txt"]);
    world.good(&["accept"]);
    assert_eq!((world.read("a.txt"), world.read("hello.txt").as_deref()), (Some(users), Some("hi\n")));
}

#[test]
fn ask_speaks_to_programs_and_reads_from_pipes() {
    let world = World::repository();
    let updates = lines(&world.good(&["ask", "--json", HELLO]));
    let kinds: Vec<&str> = updates.iter().map(|update| update["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], *kinds.last().unwrap()), ("session.created", "turn.finished"), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "turn.finished").count(), 1);
    let seqs: Vec<u64> = updates.iter().filter_map(|update| update["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "durable updates are dense");
    // Pieces of text are only seen by who watches while they are said, and this turn may be quicker than that.
    assert!(kinds.contains(&"tool.finished") && kinds.contains(&"model.finished"));

    let piped = world.run_with_input(&["ask", "-c", "--json"], "Append the line piped to hello.txt.");
    assert_eq!(lines(&piped.good()).last().unwrap()["turn"], "trn_2");
    world.run_with_input(&["ask", "-c", "-"], "Append the line dashed to hello.txt.").good();
    assert_eq!(world.good(&["show", "hello.txt"]), "hi\npiped\ndashed\n");
    world.run_with_input(&["ask"], "").refused(2, &["prompt"]);
}

#[test]
fn a_session_is_continued_named_left_alone_or_accepted_at_once() {
    let world = World::repository();
    world.good(&["ask", HELLO]);
    let first = world.json(&["sessions", "ls"])["sessions"][0]["id"].as_str().unwrap().to_owned();
    world.good(&["ask", "--title", "the second", "Create a file second.txt that contains the word zwei."]);
    assert_eq!(world.json(&["sessions", "ls"])["sessions"].as_array().unwrap().len(), 2);
    let end = &first[first.len() - 8..];
    world.good(&["ask", "-s", end, "Append the line there to hello.txt."]);
    assert_eq!(world.good(&["show", "-s", &first, "hello.txt"]), "hi\nthere\n");
    // Continuing means the newest in which something happened last.
    assert_eq!(world.json(&["sessions", "show", &first])["turns"], 2);

    let left = world.json(&["ask", "--detach", "Create a file third.txt that contains the word drei."]);
    let session = left["session"].as_str().unwrap();
    let events = world.client().follow(session, 0).unwrap();
    let finished = events.into_iter().find(|update| update["kind"] == "turn.finished").unwrap();
    assert_eq!((&finished["turn"], &finished["outcome"]), (&left["turn"], &json!("done")));
    assert_eq!(world.good(&["show", "-s", session, "third.txt"]), "drei\n");

    let accepted = world.good(&["ask", "--accept", "Create a file fourth.txt that contains the word vier."]);
    assert!(accepted.contains("Written to your files"), "{accepted}");
    assert_eq!(world.read("fourth.txt").as_deref(), Some("vier\n"));
    assert_eq!((world.read("hello.txt"), world.read("third.txt")), (None, None), "others' work stays on their canvas");
}

#[test]
fn exit_codes_say_what_happened() {
    let world = World::repository();
    world.run(&["status"]).refused(10, &["not running"]);
    world.run(&["--no-start", "ask", HELLO]).refused(10, &["not running", "tinkerbell daemon start"]);
    world.run(&["--no-start", "diff"]).refused(10, &[]);
    assert!(world.announced().is_none(), "none of these started a daemon");
    world.run(&["ask", "--no-such-option"]).refused(2, &["--no-such-option"]);
    world.run(&["diff"]).refused(3, &["no session", "tinkerbell ask"]);
    world.run(&["ask", "--model", "gpt", HELLO]).refused(5, &["gpt", "offline", "config.toml"]);
    world.run(&["-C", "/nonexistent", "diff"]).refused(2, &[]);
    world.run(&["diff", "-C", "/nonexistent"]).refused(5, &["/nonexistent"]);
    world.run(&["sessions", "show", "ses_00000000000000000000000000"]).refused(3, &[]);
    world.run(&["cancel"]).refused(3, &["no session"]);
    world.good(&["ask", HELLO]);
    world.run(&["cancel"]).refused(4, &[]);
    let problem = world.run(&["ask", "--json", "--model", "gpt", HELLO]);
    let document: Value = serde_json::from_str(problem.err.trim()).unwrap_or_else(|_| panic!("{problem:?}"));
    assert_eq!((problem.code, &document["code"], &document["status"]), (5, &json!("unknown_model"), &json!(422)));
}

#[test]
fn any_directory_can_be_a_workspace() {
    let plain = World::new();
    plain.good(&["ask", HELLO]);
    assert_eq!(plain.read("hello.txt"), None);
    assert!(plain.good(&["diff"]).contains("+hi"));
    plain.good(&["accept"]);
    assert_eq!(plain.read("hello.txt").as_deref(), Some("hi\n"));

    let unborn = World::new();
    unborn.git(&["init", "--quiet"]);
    unborn.good(&["ask", HELLO]);
    assert_eq!(unborn.git(&["status", "--porcelain"]), "");
    unborn.good(&["accept"]);
    assert_eq!(unborn.git(&["status", "--porcelain"]), "?? hello.txt\n");

    let below = World::repository();
    let there = |arguments: &[&str]| ran(below.command(arguments).current_dir(below.path("src"))).good();
    there(&["ask", "Create a file src/new.rs that contains the word hi."]);
    assert_eq!(there(&["show", "new.rs"]), "hi\n", "paths are typed as seen from where one stands");
    there(&["accept", "new.rs"]);
    assert_eq!(below.read("src/new.rs").as_deref(), Some("hi\n"));
    assert_eq!(there(&["diff"]), below.good(&["diff"]), "it is the same session");
}

#[test]
fn everything_can_be_looked_at() {
    let world = World::repository();
    let config = world.home.tinkerbell().join("config.toml");
    assert_eq!(world.good(&["config", "path"]), format!("{}\n", config.display()));
    assert!(world.good(&["config", "check"]).contains("does not exist"));
    assert!(world.good(&["completions", "bash"]).contains("complete -F"));
    let doctor = world.run(&["doctor"]);
    assert!(doctor.out.contains("it is not running"), "{doctor:?}");
    assert_eq!(doctor.code, 0, "{doctor:?}");
    assert!(world.announced().is_none(), "none of these started a daemon");
    world.good(&["ask", HELLO]);
    assert!(world.good(&["doctor"]).contains("answered by your own daemon"));
    assert!(world.good(&["models", "ls"]).contains("offline"));
    assert!(world.good(&["sessions", "ls"]).contains("Create a file hello.txt"));
    let shown = world.good(&["sessions", "show"]);
    assert!(shown.contains("wrote hello.txt"), "{shown}");
    let status = world.json(&["status"]);
    assert_eq!((&status["sessions"], &status["default_model"]), (&json!(1), &json!("offline")));
    assert_eq!(status["pid"].as_u64(), world.announced().map(u64::from));
    assert_eq!(world.json(&["daemon", "status"])["pid"], status["pid"]);
    assert!(world.good(&["daemon", "logs"]).contains("ready"));
    world.home.configure("[limits]\nsteps = 7\n");
    assert!(world.good(&["config", "check"]).contains("is valid"));
}

#[test]
fn a_configuration_that_keeps_the_daemon_from_starting_is_found_and_mended() {
    let world = World::new();
    world.home.configure("[daemon]\ngrace = 3\n");
    let doctor = world.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("unknown key `grace`"), "{doctor:?}");
    assert!(doctor.out.contains("try: tinkerbell config edit"), "{doctor:?}");
    world.run(&["sessions", "ls"]).refused(10, &["unknown key `grace`", "try: `tinkerbell config edit`"]);
    world.run(&["config", "check", "nope.toml"]).refused(3, &["there is no file nope.toml"]);
    world.good(&["config", "unset", "daemon.grace"]);
    assert_eq!(world.run(&["doctor"]).code, 0);

    let _daemon = world.daemon();
    world.home.configure("[daemon]\ngrace = 3\n");
    assert_eq!(world.run(&["config", "reload"]).code, 2);
    let doctor = world.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("the daemon refused the file"), "{doctor:?}");
}

#[test]
fn the_daemon_starts_by_itself_and_stops_when_told() {
    let world = World::repository();
    assert!(world.good(&["daemon", "stop"]).is_empty(), "there is none");
    world.good(&["ask", HELLO]);
    let pid = world.announced().unwrap();
    world.good(&["daemon", "start"]);
    assert_eq!(world.announced(), Some(pid), "it runs already");
    assert!(world.good(&["daemon", "stop"]).contains(&pid.to_string()));
    assert!(testkit::has_ended(world::process(pid)), "it waits until the process has gone");
    assert!(!world.home.tinkerbell().join("tinkerbell.sock").exists());
    world.run(&["status"]).refused(10, &["not running"]);
    assert!(world.good(&["diff"]).contains("+hi"), "the next command starts it, and nothing was lost");
    assert_ne!(world.announced(), Some(pid));
}
