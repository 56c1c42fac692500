//! Snapshots as their users meet them: made while the daemon runs, listed, verified, put back, and undone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use serde_json::Value;
use std::path::Path;
use world::World;

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
    assert!(ran.err.contains("sessions moved from") && ran.err.contains("tinkerbell keys set openai"), "{ran:?}");
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
