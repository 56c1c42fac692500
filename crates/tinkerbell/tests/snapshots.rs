//! Snapshots as their users meet them: made while the daemon runs, listed, verified, put back, and undone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Stdio};
use world::{Ran, World, process, wait_until};

fn titles(world: &World) -> Vec<String> {
    let list = world.json(&["sessions", "ls", "--all"]);
    let mut titles: Vec<String> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["title"].as_str().unwrap().to_owned())
        .collect();
    titles.sort();
    titles
}

fn made(world: &World, more: &[&str]) -> Value {
    world.json(&[&["snapshot", "create"], more].concat())
}

/// A home that a snapshot filled has the session, and a daemon runs on it.
fn opens_at(world: &World, home: &Path) {
    let mut there = world.command(&["sessions", "ls", "--all", "--json"]);
    let there = world::ran(there.env("TINKERBELL_HOME", home)).good();
    assert!(there.contains("say one"), "{there}");
    world::ran(world.command(&["daemon", "stop"]).env("TINKERBELL_HOME", home)).good();
}

/// Damage is told with its exit code, and nothing is touched: the daemon runs again on what was there.
fn damage_is_told(world: &World, file: &str, mut bytes: Vec<u8>, passphrase: &[&str]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
    for arguments in [&["snapshot", "verify", file][..], &["snapshot", "restore", "--yes", file]] {
        let refused = world.run(&[arguments, passphrase].concat());
        assert_eq!(refused.code, 4, "{}", refused.err);
        assert!(refused.err.contains("damaged or was changed"), "{}", refused.err);
    }
    assert_eq!(titles(world), ["say one"]);
}

#[test]
fn what_was_there_comes_back_and_goes_again() {
    let world = World::new();
    world.good(&["ask", "say one"]);
    let one = made(&world, &["--note", "after one"]);
    world.good(&["ask", "say two"]);
    assert_eq!(titles(&world), ["say one", "say two"]);

    let id = one["id"].as_str().unwrap();
    let listed = world.json(&["snapshot", "ls"]);
    assert_eq!(listed["snapshots"][0]["note"], "after one");
    assert_eq!(listed["snapshots"][0]["noted"], true);
    assert!(world.good(&["snapshot", "verify", "--all"]).contains("good"));
    assert!(world.good(&["snapshot", "show", id]).contains("journal.db"));
    let status = world.good(&["status"]);
    assert!(status.contains("snapshots 1, "), "{status}");

    // There is nothing to be asked about as long as nothing is kept.
    world.run(&["snapshot", "restore", "--undo"]).refused(3, &["nothing to put back"]);
    // Nobody can be asked here, so it has to be said beforehand.
    let refused = world.run(&["snapshot", "restore", id]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    let restored = world.json(&["snapshot", "restore", "--yes", id]);
    assert_eq!(restored["daemon_started"], true);
    assert_eq!(titles(&world), ["say one"]);
    assert!(std::path::Path::new(restored["aside"].as_str().unwrap()).join("journal.db").exists());
    // The session goes on, and what was made since is still on the shelf.
    world.good(&["ask", "say three"]);
    let undone = world.good(&["snapshot", "restore", "--undo", "--yes"]);
    assert!(undone.contains("the replaced state is back"), "{undone}");
    assert_eq!(titles(&world), ["say one", "say two"]);
    world.good(&["daemon", "stop"]);
    testkit::verify_chains(&world.home);
}

#[test]
fn one_that_lies_elsewhere_opens_elsewhere_and_damage_is_told() {
    let world = World::new();
    world.good(&["ask", "say one"]);
    world.run_with_input(&["keys", "set", "openai"], "sk-canary-of-a-snapshot");
    let file = world.home.path("bell.tar");
    let file = file.to_str().unwrap();
    let one = made(&world, &["-o", file]);
    assert_eq!(one["file"].as_str(), Some(file));
    let left_out = one["manifest"]["left_out"].as_array().unwrap();
    assert!(left_out.iter().any(|left| left["name"] == "keys/openai" && left["why"] == "secret"), "{left_out:?}");
    let bytes = std::fs::read(file).unwrap();
    assert!(!bytes.windows(9).any(|window| window == b"sk-canary"));
    assert_eq!(world.json(&["snapshot", "ls"])["snapshots"].as_array().unwrap().len(), 0);
    assert_eq!(world.json(&["snapshot", "verify", file])["opened"], true);

    let elsewhere = world.home.path("elsewhere");
    let home = world.json(&["snapshot", "restore", file, "--to", elsewhere.to_str().unwrap()]);
    assert_eq!(home["home"], elsewhere.to_str().unwrap());
    opens_at(&world, &elsewhere);

    damage_is_told(&world, file, bytes, &[]);
}

#[test]
fn one_with_a_passphrase_opens_elsewhere_and_nowhere_without_it() {
    let world = World::new();
    world.good(&["ask", "say one"]);
    world.run_with_input(&["keys", "set", "openai"], "sk-canary-of-a-snapshot");
    let words = world.home.path("words");
    std::fs::write(&words, "correct horse battery\n").unwrap();
    let file = world.home.path("bell.tar");
    let (words, file) = (words.to_str().unwrap(), file.to_str().unwrap());
    let one = made(&world, &["--passphrase-file", words, "-o", file]);
    assert_eq!((one["sealed"].clone(), one["file"].as_str()), (Value::Bool(true), Some(file)));
    let bytes = std::fs::read(file).unwrap();
    assert!(!bytes.windows(9).any(|window| window == b"sk-canary"));
    assert!(!bytes.windows(7).any(|window| window == b"say one"));
    assert_eq!(world.json(&["snapshot", "ls"])["snapshots"].as_array().unwrap().len(), 0);

    let outside = world.json(&["snapshot", "verify", file]);
    assert_eq!(outside["opened"], false);
    assert_eq!(world.json(&["snapshot", "verify", file, "--passphrase-file", words])["opened"], true);
    let elsewhere = world.home.path("elsewhere");
    let to = ["snapshot", "restore", file, "--to", elsewhere.to_str().unwrap()];
    assert_eq!(world.run(&to).code, 2, "nobody can be asked for the passphrase");
    let home = world.json(&[&to[..], &["--passphrase-file", words]].concat());
    assert_eq!(home["home"], elsewhere.to_str().unwrap());
    assert_eq!(std::fs::read_to_string(elsewhere.join("state/keys/openai")).unwrap(), "sk-canary-of-a-snapshot");
    opens_at(&world, &elsewhere);

    damage_is_told(&world, file, bytes, &["--passphrase-file", words]);
    world.run(&["snapshot", "verify", file]).refused(4, &["damaged or was changed"]);
}

#[test]
fn an_older_one_under_a_name_is_found_by_what_the_journal_says() {
    let world = World::new();
    world.good(&["ask", "say one"]);
    let one = made(&world, &[]);
    world.good(&["ask", "say two"]);
    let two = made(&world, &[]);
    let (id, file) = (two["id"].as_str().unwrap(), two["file"].as_str().unwrap());
    std::fs::copy(one["file"].as_str().unwrap(), file).unwrap();
    for arguments in [&["snapshot", "verify", id][..], &["snapshot", "restore", "--yes", id]] {
        let refused = world.run(arguments);
        assert_eq!(refused.code, 4, "{}", refused.err);
        assert!(refused.err.contains("lies under the name"), "{}", refused.err);
    }
    assert_eq!(titles(&world), ["say one", "say two"]);
    let removed = world.good(&["snapshot", "rm", "--yes", one["id"].as_str().unwrap()]);
    assert!(removed.contains("removed snp_"), "{removed}");
}

#[test]
fn the_daemons_own_are_made_when_it_stops_and_go_by_the_rules() {
    let world = World::new();
    world.home.configure("[snapshots]\non_stop = true\nkeep = 2\n");
    let asked = {
        world.good(&["ask", "say something"]);
        made(&world, &["--note", "kept"])
    };
    for number in 0..4 {
        world.good(&["ask", &format!("say {number}")]);
        world.good(&["daemon", "stop"]);
        // Nothing changed, so there is no other one.
        world.good(&["sessions", "ls"]);
        world.good(&["daemon", "stop"]);
    }
    let listed = world.json(&["snapshot", "ls"]);
    let snapshots = listed["snapshots"].as_array().unwrap();
    let reasons: Vec<&str> = snapshots.iter().map(|snapshot| snapshot["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["stop", "stop", "asked"]);
    assert_eq!(snapshots[2]["id"], asked["id"]);
    assert!(world.good(&["snapshot", "verify", "--all"]).contains("as the journal says"));
}

#[test]
fn what_another_daemon_keeps_in_the_same_directory_is_not_ours_to_take_away() {
    let (one, other) = (World::new(), World::new());
    let directory = one.home.path("shared");
    let config = format!("[snapshots]\non_stop = true\nkeep = 1\ndirectory = {:?}\n", directory.display().to_string());
    for world in [&one, &other] {
        world.home.configure(&config);
        for number in 0..2 {
            world.good(&["ask", &format!("say {number}")]);
            world.good(&["daemon", "stop"]);
        }
    }
    let listed = one.json(&["snapshot", "ls"])["snapshots"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 2, "one of each: {listed}");
}

#[test]
fn a_portable_one_opens_in_another_home_and_says_what_is_missing() {
    let (there, here) = (World::new(), World::new());
    there.good(&["ask", "say one"]);
    there.run_with_input(&["keys", "set", "openai"], "sk-canary-of-a-portable").good();
    let yearly = ["schedule", "add", "--cron", "0 9 1 1 *", "--zone", "UTC", "--name", "news", "what is new?"];
    let schedule = there.good(&yearly).trim().to_owned();
    let file = there.home.path("bell.tar");
    let file = file.to_str().unwrap();
    let told = there.run(&["snapshot", "create", "--portable", "-o", file]);
    assert!(told.err.contains("to be set again there: tinkerbell keys set openai"), "{told:?}");
    let shelved = made(&there, &["--portable"]);
    let shown = there.good(&["snapshot", "show", shelved["id"].as_str().unwrap()]);
    for words in ["portable", "works in", "set again  tinkerbell keys set openai"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }

    // What cannot be a root is refused before anything is touched.
    let refused = |roots: &[&str], words: &str| {
        let roots = roots.iter().flat_map(|root| ["--root", root]);
        let ran = here.run(&["snapshot", "restore", "--yes", file].into_iter().chain(roots).collect::<Vec<_>>());
        ran.refused(2, &[words, "nothing was touched"]);
        assert!(!here.home.state().join("journal.db").exists());
    };
    refused(&["/a=/a/b"], "lie one in the other");
    refused(&["/a=b"], "two absolute paths");
    refused(&["/a=/b", "/a=/c"], "two places");

    // By itself the old home directory is the new one, which has a workspace of the same name.
    let ran = here.run(&["snapshot", "restore", "--yes", file]);
    assert!(
        ran.err.contains("will work in")
            && ran.err.contains("1 schedule is active")
            && ran.err.contains("tinkerbell keys set openai"),
        "{ran:?}"
    );
    ran.good();
    let listed = here.json(&["sessions", "ls", "--all"]);
    let workspace = here.home.workspace().canonicalize().unwrap();
    assert_eq!(listed["sessions"][0]["workspace"].as_str(), workspace.to_str(), "{listed}");
    let session = listed["sessions"][0]["id"].as_str().unwrap();
    here.good(&["ask", "-s", session, "say two"]);
    let moved = here.json(&["schedule", "show", &schedule]);
    assert_eq!(moved["workspace"].as_str(), workspace.to_str(), "{moved}");
    assert_eq!(moved["prompt"], "what is new?");
    here.good(&["audit", "verify"]);

    // In a directory of its own, with a workspace that is not there. The keys are named with their home.
    let elsewhere = here.home.path("elsewhere");
    let root = format!("{}=/not/there", there.home.workspace().canonicalize().unwrap().display());
    let told = here.json(&["snapshot", "restore", file, "--to", elsewhere.to_str().unwrap(), "--root", &root]);
    assert_eq!(told["missing_workspaces"][0], "/not/there");
    let set = format!("TINKERBELL_HOME={} tinkerbell keys set openai", elsewhere.display());
    assert_eq!(told["to_set"][0].as_str(), Some(set.as_str()));
    here.good(&["daemon", "stop"]);
    testkit::verify_chains(&here.home);
}

/// A command that goes on by itself.
fn started(world: &World, arguments: &[&str]) -> Child {
    world.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Presses Ctrl-C.
fn interrupted(child: Child) -> Ran {
    kill_process(process(child.id()), Signal::INT).unwrap();
    Ran::of(child.wait_with_output().unwrap())
}

/// Whether a process catches SIGINT by now.
fn listens(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
    u64::from_str_radix(&caught, 16).unwrap() & 0b10 != 0
}

fn makes_one(world: &World) -> bool {
    let state = std::fs::read_dir(world.home.state()).unwrap();
    state.map(|entry| entry.unwrap().file_name()).any(|name| name.to_string_lossy().starts_with(".snp_"))
}

#[test]
fn one_that_nobody_waits_for_is_made_and_noted() {
    let world = World::new();
    world.good(&["ask", "say one"]);
    let words = world.home.path("words");
    std::fs::write(&words, "correct horse battery\n").unwrap();
    // A passphrase, because that takes its time.
    let file = world.home.path("bell.tar").display().to_string();
    let create = ["snapshot", "create", "-o", &file, "--passphrase-file", words.to_str().unwrap()];
    let child = started(&world, &create);
    wait_until("one is being made", || makes_one(&world));
    let ran = interrupted(child);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.err.contains("to its end; it will be"), "{ran:?}");
    let again = world.run(&["snapshot", "create"]);
    assert!(again.code == 0 || again.err.contains("another snapshot is being made"), "{again:?}");
    wait_until("it is there", || Path::new(&file).exists() && !makes_one(&world));
    wait_until("it is noted", || world.json(&["snapshot", "show", &file])["noted"] == true);
    let session = world.json(&["sessions", "ls"])["sessions"][0]["id"].as_str().unwrap().to_owned();
    let removed = world.run(&["sessions", "rm", "--yes", &session]);
    assert!(removed.err.contains("snp_") || removed.out.contains("snp_"), "{removed:?}");
}

#[test]
fn a_restore_that_is_interrupted_changes_nothing_and_the_daemon_runs_again() {
    let world = World::new();
    world.good(&["ask", "say one"]);
    let one = made(&world, &[]);
    world.good(&["ask", "say two"]);
    // Held up, so that it is the interruption that comes first.
    let daemon = process(world.announced().unwrap());
    kill_process(daemon, Signal::STOP).unwrap();
    let child = started(&world, &["snapshot", "restore", "--yes", one["id"].as_str().unwrap()]);
    wait_until("it listens for Ctrl-C", || listens(child.id()));
    kill_process(process(child.id()), Signal::INT).unwrap();
    kill_process(daemon, Signal::CONT).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.err.contains("nothing was restored; the daemon runs again"), "{ran:?}");
    assert!(world.is_held() && !world.home.state().join("restore.new").exists());
    assert_eq!(titles(&world), ["say one", "say two"]);
}

#[test]
fn replaced_states_are_put_back_by_name() {
    let world = World::new();
    world.good(&["ask", "say one"]);
    let one = made(&world, &[]);
    let id = one["id"].as_str().unwrap();
    world.good(&["ask", "say two"]);
    let restored = || {
        let aside = world.json(&["snapshot", "restore", "--yes", &id[..id.len() - 1]])["aside"].clone();
        let aside = aside.as_str().unwrap().to_owned();
        let name = Path::new(&aside).file_name().unwrap().to_str().unwrap().to_owned();
        (aside, name)
    };
    let (first_path, first) = restored();
    world.good(&["ask", "say three"]);
    let (_, second) = restored();
    let unknown = world.run(&["snapshot", "restore", "--yes", "--undo=before-restore-1"]);
    unknown.refused(3, &[&first, &second]);
    world.run(&["snapshot", "restore", "--yes", &first_path]).refused(2, &["no snapshot", &format!("--undo={first}")]);
    world.good(&["snapshot", "restore", "--yes", &format!("--undo={first}")]);
    assert_eq!(titles(&world), ["say one", "say two"]);
    world.good(&["snapshot", "restore", "--yes", &format!("--undo={second}")]);
    assert_eq!(titles(&world), ["say one", "say three"]);
}

#[test]
fn another_passphrase_is_no_damage_and_the_configured_one_is_used() {
    let world = World::new();
    world.good(&["ask", "say one"]);
    let words = |name: &str, text: &str| {
        std::fs::write(world.home.path(name), text).unwrap();
        world.home.path(name).display().to_string()
    };
    let (old, new) = (words("old", "correct horse"), words("new", "battery-staple"));
    let older = made(&world, &["--passphrase-file", &old]);
    world.run_with_input(&["keys", "set", "snapshots"], "battery-staple").good();
    world.home.configure("[snapshots]\npassphrase = { kept = \"snapshots\" }\n");
    world.good(&["config", "reload"]);
    let newer = made(&world, &[]);
    assert_eq!(newer["sealed"], true);

    // By the configuration, by a file, and by one that opens neither.
    let other = words("other", "another one");
    for (more, opened) in [(&[][..], 1), (&["--passphrase-file", &old], 2), (&["--passphrase-file", &other], 1)] {
        let all = world.json(&[&["snapshot", "verify", "--all"], more].concat());
        let snapshots = all["snapshots"].as_array().unwrap();
        assert_eq!((all["bad"].as_u64(), snapshots.len()), (Some(0), 2), "{all}");
        assert_eq!(snapshots.iter().filter(|one| one["opened"] == true).count(), opened, "{all}");
    }
    assert!(world.good(&["snapshot", "verify", "--all"]).contains("not opened: it has another passphrase"));
    let file = older["file"].as_str().unwrap();
    assert!(world.good(&["snapshot", "verify", file]).contains("not opened: it has another passphrase"));
    // Who names one wants to know whether it is the right one.
    world.run(&["snapshot", "verify", file, "--passphrase-file", &new]).refused(2, &["is not the one"]);
    let id = older["id"].as_str().unwrap();
    world.run(&["snapshot", "verify", id, "--passphrase-file", &new]).refused(2, &["is not the one"]);

    let id = newer["id"].as_str().unwrap();
    world.good(&["daemon", "stop"]);
    world.good(&["snapshot", "restore", "--yes", id]);
    world.run(&["snapshot", "restore", "--yes", file]).refused(2, &["nobody can be asked"]);
}

#[test]
fn what_a_restore_says_is_so() {
    let (there, here) = (World::new(), World::new());
    there.good(&["ask", "say one"]);
    there.run_with_input(&["keys", "set", "openai"], "sk-canary-of-a-snapshot").good();
    let yearly = ["schedule", "add", "--cron", "0 9 1 1 *", "--zone", "UTC", "--name", "news", "what is new?"];
    let schedule = there.good(&yearly).trim().to_owned();
    let file = there.home.path("bell.tar").display().to_string();
    let id = made(&there, &["-o", &file])["id"].as_str().unwrap().to_owned();
    assert_eq!(there.json(&["snapshot", "show", &file])["noted"], true);
    let shown = there.good(&["snapshot", "verify", &file]);
    assert!(shown.contains(&id) && shown.contains("as the journal says"), "{shown}");

    // In place nothing is missing that stays.
    let restored = there.run(&["snapshot", "restore", "--yes", &file]);
    assert!(!restored.err.contains("secrets") && !restored.err.contains("schedule"), "{restored:?}");
    assert_eq!(restored.code, 0);

    // Where there is no state nobody is asked; what is not there is told, and what runs by itself.
    let workspace = there.home.workspace().canonicalize().unwrap().display().to_string();
    let used = format!("{workspace}={workspace}-here");
    let restored = here.run(&["snapshot", "restore", &file, "--root", "/nothere=/tmp/w", "--root", &used]);
    for words in [
        "not in it, because they are secrets: audit.key, keys/openai",
        "no session works in /nothere",
        &format!("sessions in {workspace} will work in {workspace}-here"),
        "1 schedule is active",
    ] {
        assert!(restored.err.contains(words), "{words}: {restored:?}");
    }
    assert!(!restored.err.contains("sessions in /nothere"), "{restored:?}");
    restored.good();
    here.run(&["snapshot", "restore", &file]).refused(2, &["Replace the state"]);

    there.good(&["schedule", "pause", &schedule]);
    let paused = there.home.path("paused.tar").display().to_string();
    made(&there, &["-o", &paused]);
    let elsewhere = here.home.path("elsewhere").display().to_string();
    let restored = here.run(&["snapshot", "restore", &paused, "--to", &elsewhere]);
    assert!(!restored.err.contains("schedule"), "{restored:?}");
    restored.good();
}

#[test]
fn what_is_no_snapshot_is_not_called_a_damaged_one() {
    let world = World::new();
    for (name, text) in [("readme.md", "# A file of the user's\n".repeat(100)), ("short", "x".to_owned())] {
        world.write(name, &text);
        for verb in ["verify", "show", "restore"] {
            let ran = world.run(&["snapshot", verb, &format!("./{name}")]);
            ran.refused(4, &["is no snapshot"]);
        }
    }
}
