//! Law 1: the brain performs nothing and knows nothing that differs between two runs.

use super::Finding;
use super::source::{lines_with, live};
use super::tree::Tree;

/// What the brain may not name, with the reason.
const FORBIDDEN: &[(&str, &str)] = &[
    ("std::time", "time comes in by events"),
    ("SystemTime", "time comes in by events"),
    ("Instant", "time comes in by events"),
    ("std::fs", "the brain performs nothing"),
    ("std::io", "the brain performs nothing"),
    ("std::net", "the brain performs nothing"),
    ("std::env", "settings come in as a value"),
    ("std::process", "the brain performs nothing"),
    ("std::thread", "the brain performs nothing"),
    ("std::sync::Mutex", "a state has one owner"),
    ("static mut", "a state has one owner"),
    ("thread_local!", "a state has one owner"),
    ("HashMap", "its order differs between runs; use BTreeMap"),
    ("HashSet", "its order differs between runs; use BTreeSet"),
    ("rand", "random numbers come in by events"),
    ("getrandom", "random numbers come in by events"),
    ("tokio", "the brain performs nothing"),
    ("async", "the brain performs nothing"),
    ("unsafe", "nothing in the brain needs it"),
    ("f32", "sums of floats depend on their order; use integers with a unit"),
    ("f64", "sums of floats depend on their order; use integers with a unit"),
];

/// The brain's code names nothing that is forbidden.
pub(super) fn brain(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| path.starts_with("crates/agent/src/")) {
        let live = live(tree, path, text);
        for (word, why) in FORBIDDEN {
            let what = format!("the brain may not know `{word}`: {why} (law 1)");
            findings.extend(lines_with(&live, word).map(|line| Finding::new(path, line, what.clone())));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brain_that_reads_the_clock_is_found() {
        let text =
            "//! Docs name std::time freely.\nuse std::collections::HashMap;\nfn now() -> std::time::Duration {}\n";
        let findings = brain(&Tree::of(&[("crates/agent/src/a.rs", text), ("crates/store/src/b.rs", text)]));
        let lines: Vec<_> = findings.iter().map(|finding| (finding.path.as_str(), finding.line)).collect();
        assert_eq!(lines, [("crates/agent/src/a.rs", 3), ("crates/agent/src/a.rs", 2)]);
    }
}
