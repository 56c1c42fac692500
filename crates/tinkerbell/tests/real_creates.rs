//! Where the daemon creates files, watched by strace: below its private directory, or, at an accept, under a name of its
//! own in the work tree that nothing could have been put in the way of. No name in a shared temporary directory can be
//! guessed, because there is none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use world::{TINKERBELL, World};

/// One call that would create a file: the whole line, and the path as the kernel resolved its directory.
fn created(line: &str) -> Option<(&str, String)> {
    let (call, rest) = line.split_once('"').filter(|_| line.contains("O_CREAT"))?;
    let (name, _) = rest.split_once('"')?;
    let path = match call.rsplit_once('<') {
        Some((_, at)) if !name.starts_with('/') => format!("{}/{name}", at.trim_end_matches(">, ")),
        _ => name.to_owned(),
    };
    Some((line, path))
}

#[test]
#[ignore = "real: needs strace"]
fn real_strace_sees_files_created_in_private_places_alone() {
    let Some(real) = std::env::var_os("TINKERBELL_REAL") else {
        return println!("skipped: TINKERBELL_REAL is not set; run `cargo xtask test --real`");
    };
    let strace = PathBuf::from(real).join("strace/strace");
    if !strace.exists() {
        return println!("skipped: there is no {}", strace.display());
    }
    let world = World::repository();
    let trace = world.home.path("trace");
    let mut command = world.home.command(&strace);
    command.args(["-f", "-qq", "-y", "-e", "trace=openat,open,creat", "-e", "signal=none", "-o"]).arg(&trace);
    let daemon = world.home.start_as(command.args([TINKERBELL, "daemon", "run", "--detached"])).unwrap();
    world.good(&["ask", "--accept", "Create a file hello.txt that contains the word hi."]);
    world.good(&["ask", "-c", "Replace \"two\" with \"zwei\" in a.txt."]);
    world.good(&["accept"]);
    world.good(&["log"]);
    world.good(&["accept", "--undo"]);
    world.good(&["daemon", "stop"]);
    assert!(daemon.wait().unwrap());

    assert_eq!(std::fs::metadata(world.home.state()).unwrap().permissions().mode() & 0o777, 0o700);
    let (state, workspace) = (world.home.state(), world.home.workspace());
    let text = std::fs::read_to_string(&trace).unwrap();
    let (mut private, mut accepted) = (0, 0);
    for (line, path) in text.lines().filter_map(created) {
        assert!(line.contains("O_CLOEXEC"), "a child could hold it: {line}");
        if path.starts_with(state.to_str().unwrap()) {
            private += 1;
        } else {
            assert!(path.starts_with(workspace.to_str().unwrap()), "outside of everything: {line}");
            assert!(line.contains("O_EXCL") && line.contains("O_NOFOLLOW"), "it could be led astray: {line}");
            accepted += 1;
        }
    }
    assert!(!text.contains(" creat("), "only open and openat are read here");
    assert!(private > 5 && accepted >= 2, "{private} and {accepted} are fewer than such a run makes");
    println!(
        "strace: {private} files opened for creation in the state directory, {accepted} in the work tree, 0 elsewhere"
    );
}
