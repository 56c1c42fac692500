//! Law 6: tasks, threads and processes begin in a few named places.

use super::Finding;
use super::source::{has_words, live};
use super::tree::Tree;

/// A file that may do what others may not, and why.
struct Permit {
    path: &'static str,
    why: &'static str,
}

/// Where tasks and threads begin.
const TASKS: &[Permit] = &[
    Permit { path: "crates/daemon/src/tasks.rs", why: "the one place that spawns tasks and blocking work" },
    Permit {
        path: "crates/daemon/src/children.rs",
        why: "the thread that spawns children and is as old as the daemon",
    },
    Permit { path: "crates/store/src/store.rs", why: "the writer's thread" },
    Permit { path: "crates/store/src/readers.rs", why: "the readers' threads" },
    Permit {
        path: "crates/daemon/src/keys/keyring.rs",
        why: "a thread for each conversation with the keyring, waited for within a limit",
    },
    Permit { path: "xtask/src/process.rs", why: "a thread that reads a program's output" },
];

/// Where processes begin.
const PROCESSES: &[Permit] = &[
    Permit { path: "crates/cli/src/child.rs", why: "a pager, the viewer of manual pages, git for its version" },
    Permit { path: "crates/canvas/src/commit/run.rs", why: "the user's own git, for a commit that was asked for" },
    Permit { path: "crates/cli/src/start.rs", why: "starts the daemon where it is not running" },
    Permit { path: "crates/daemon/src/config/editor.rs", why: "the user's editor, from the command line" },
    Permit { path: "crates/daemon/src/children.rs", why: "children that die with the daemon" },
    Permit {
        path: "crates/daemon/src/upgrade/successor.rs",
        why: "the daemon that takes over, which outlives this one",
    },
    Permit { path: "xtask/src/process.rs", why: "chores run cargo and the like" },
];

/// Words that together on one line mean that a task or a thread begins.
const TASK_WORDS: &[&[&str]] = &[
    &["tokio::spawn"],
    &["task::spawn"],
    &["spawn_blocking"],
    &["spawn_local"],
    &["thread::spawn"],
    &["thread::scope"],
    &["thread::Builder"],
    &["JoinSet"],
    &["TaskTracker"],
];

/// The same of a process.
const PROCESS_WORDS: &[&[&str]] =
    &[&["Command::new"], &["std::process", "Command"], &["tokio::process"], &["posix_spawn"], &["libc::fork"]];

/// Tasks and threads begin only where it is permitted.
pub(super) fn tasks(tree: &Tree) -> Vec<Finding> {
    only_in(tree, TASKS, TASK_WORDS, "begins a task or a thread")
}

/// Processes begin only where it is permitted.
pub(super) fn processes(tree: &Tree) -> Vec<Finding> {
    only_in(tree, PROCESSES, PROCESS_WORDS, "begins a process")
}

fn only_in(tree: &Tree, permits: &[Permit], patterns: &[&[&str]], does: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let live = live(tree, path, text);
        let hits = live.lines().enumerate().filter_map(|(at, line)| Some((at + 1, pattern_on(line, patterns)?)));
        let hits: Vec<(usize, String)> = hits.collect();
        if hits.is_empty() {
            continue;
        }
        if permits.iter().any(|permit| permit.path == path) {
            used.push(path);
            continue;
        }
        findings.extend(hits.into_iter().map(|(line, words)| {
            let what = format!("`{words}` {does}; only the places listed in xtask/src/tidy/spawning.rs may (law 6)");
            Finding::new(path, line, what)
        }));
    }
    for permit in permits.iter().filter(|permit| !used.contains(&permit.path)) {
        let what = format!("{} is permitted ({}) and does not need it; take it off the list", permit.path, permit.why);
        findings.push(Finding::new("xtask/src/tidy/spawning.rs", 0, what));
    }
    findings
}

/// The first pattern all of whose words stand on the line.
fn pattern_on(line: &str, patterns: &[&[&str]]) -> Option<String> {
    let found = patterns.iter().find(|words| words.iter().all(|word| has_words(line, word)))?;
    Some(found.join(" … "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERMITS: &[Permit] = &[Permit { path: "crates/a/src/tasks.rs", why: "a test" }];

    fn lines(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let findings = only_in(&Tree::of(files), PERMITS, TASK_WORDS, "begins");
        findings.into_iter().map(|finding| (finding.path, finding.line)).collect()
    }

    #[test]
    fn a_spawn_outside_the_list_is_found_and_one_in_a_test_is_not() {
        let tasks = ("crates/a/src/tasks.rs", "fn go() { tokio::spawn(x); }");
        let other = "fn go() {\n    std::thread::spawn(x);\n}\n#[cfg(test)]\nmod tests { fn t() { tokio::spawn(x); } }";
        assert_eq!(lines(&[tasks, ("crates/a/src/b.rs", other)]), [("crates/a/src/b.rs".to_owned(), 2)]);
        assert!(lines(&[tasks, ("crates/a/tests/b.rs", "tokio::spawn(x)")]).is_empty());
        assert!(lines(&[tasks, ("crates/a/src/b.rs", "// tokio::spawn(x)\nlet s = \"tokio::spawn\";")]).is_empty());
    }

    #[test]
    fn a_process_is_known_by_its_import_too() {
        assert!(pattern_on("use std::process::{Child, Command};", PROCESS_WORDS).is_some());
        assert!(pattern_on("use clap::Command;", PROCESS_WORDS).is_none());
        assert!(pattern_on("use std::process::ExitCode;", PROCESS_WORDS).is_none());
    }

    #[test]
    fn a_permit_that_nobody_needs_is_found() {
        let unused = [("xtask/src/tidy/spawning.rs".to_owned(), 0)];
        assert_eq!(lines(&[("crates/a/src/tasks.rs", "fn go() {}")]), unused);
        assert_eq!(lines(&[]), unused);
    }
}
