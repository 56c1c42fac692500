//! Marks of unfinished work, and tests that are left out without a word.

use super::Finding;
use super::source::{Source, lines_with};
use super::tree::Tree;

/// What may not stay in code.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// What may not stay in a comment.
const PROMISES: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// Nothing is left for later. A comment may quote a mark, in backticks.
pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let source = Source::new(path, text);
        for (part, words) in [(&source.code, UNFINISHED), (&without_quotes(&source.comments), PROMISES)] {
            for word in words {
                let what = format!("`{word}`: finish it, or say in plain words what is absent and why");
                findings.extend(lines_with(part, word).map(|line| Finding::new(path, line, what.clone())));
            }
        }
    }
    findings
}

fn without_quotes(comments: &str) -> String {
    let prose = |line: &str| line.split('`').step_by(2).collect::<Vec<_>>().join("``");
    comments.lines().map(prose).collect::<Vec<_>>().join("\n")
}

/// An ignored test says why. One that needs more than a plain run is named so that `cargo xtask test --real` finds it,
/// and nothing else is named so.
pub(super) fn ignored_tests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let code = Source::new(path, text).code;
        let lines: Vec<&str> = text.lines().collect();
        for (at, _) in code.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("#[ignore")) {
            let reason = lines[at].split_once('"').map_or("", |(_, reason)| reason);
            let name = lines[at..].iter().find_map(|line| line.split_once("fn ")).map_or("", |(_, name)| name);
            let astray = [("real: ", "real_"), ("heavy: ", "heavy_")]
                .into_iter()
                .any(|(beginning, prefix)| reason.starts_with(beginning) != name.starts_with(prefix));
            if reason.is_empty() {
                findings.push(Finding::new(path, at + 1, "an ignored test gives its reason: #[ignore = \"…\"]"));
            } else if astray {
                let what = "the names real_… and heavy_… go with the reasons \"real: …\" and \"heavy: …\"";
                findings.push(Finding::new(path, at + 1, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_in_comments() {
        let tree = Tree::of(&[(
            "a.rs",
            "fn a() { todo!() }\nlet s = \"todo!\";\n// TODO: later\nfn b() { dbg!(1) }\n// search for `TODO`.\n",
        )]);
        assert_eq!(lines(&unfinished(&tree)), [1, 4, 3]);
    }

    #[test]
    fn a_test_ignored_without_a_reason_or_under_another_name_is_found() {
        let good = "#[test]\n#[ignore = \"real: needs strace\"]\nfn real_kill() {}\n";
        let bare = "#[test]\n#[ignore]\nfn real_kill() {}\n";
        let other = "#[test]\n#[ignore = \"real: needs strace\"]\nasync fn kill() {}\n";
        let found = |text| lines(&ignored_tests(&Tree::of(&[("crates/a/tests/a.rs", text)])));
        let child = "#[test]\n#[ignore = \"started by kills\"]\nfn child() {}\n";
        let astray = "#[test]\n#[ignore = \"started by kills\"]\nfn heavy_child() {}\n";
        assert_eq!((found(good), found(bare), found(other)), (vec![], vec![2], vec![2]));
        assert_eq!((found(child), found(astray)), (vec![], vec![2]));
    }
}
