//! `cargo xtask tidy`: rustfmt, clippy, and the house rules that no lint knows.
//!
//! The rules are those of `ARCHITECTURE.md`: rooms and the direction of their dependencies, where tasks and processes
//! begin, what the brain may not know, the shape of files, links in documents. A rule works on a [`Tree`] of texts in
//! memory, so that each is tested on a sample that breaks it.

mod architecture;
mod documents;
mod manifest;
mod marks;
mod purity;
mod shape;
mod source;
mod spawning;
mod tree;

use crate::process::Program;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tree::Tree;

/// How long rustfmt and clippy may take, a cold build of all dependencies included.
const TOOL_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Something that a rule does not allow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1; 0 when the file as a whole is meant.
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// A rule, by the name under which `ARCHITECTURE.md` may cite it (`tidy:name`).
struct Rule {
    name: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

const RULES: &[Rule] = &[
    Rule { name: "rooms", check: architecture::rooms },
    Rule { name: "laws", check: architecture::laws },
    Rule { name: "direction", check: manifest::direction },
    Rule { name: "owned-crates", check: manifest::owned_crates },
    Rule { name: "one-table", check: manifest::one_table },
    Rule { name: "spawns", check: spawning::tasks },
    Rule { name: "processes", check: spawning::processes },
    Rule { name: "purity", check: purity::brain },
    Rule { name: "module-docs", check: shape::module_docs },
    Rule { name: "length", check: shape::length },
    Rule { name: "thin-roots", check: shape::thin_roots },
    Rule { name: "unfinished", check: marks::unfinished },
    Rule { name: "ignored-tests", check: marks::ignored_tests },
    Rule { name: "links", check: documents::links },
    Rule { name: "golden", check: documents::golden },
];

/// Runs everything and prints what was found; true when nothing was.
pub(crate) fn run(root: &Path) -> anyhow::Result<bool> {
    let tree = Tree::read(root)?;
    let mut clean = true;
    for rule in RULES {
        let mut findings = (rule.check)(&tree);
        findings.sort();
        clean &= findings.is_empty();
        for finding in &findings {
            println!("{finding} [{}]", rule.name);
        }
    }
    println!("tidy: {} house rules over {} files: {}", RULES.len(), tree.len(), word(clean));
    for (name, arguments) in [
        ("rustfmt", &["fmt", "--all", "--", "--check", "--files-with-diff"][..]),
        ("clippy", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"][..]),
    ] {
        let passed = Program::cargo(root, TOOL_LIMIT).args(arguments.iter().copied()).run()?.success();
        println!("tidy: {name}: {}", word(passed));
        clean &= passed;
    }
    Ok(clean)
}

fn word(clean: bool) -> &'static str {
    if clean { "clean" } else { "not clean" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where() {
        assert_eq!(Finding::new("a.rs", 7, "wrong").to_string(), "a.rs:7: wrong");
        assert_eq!(Finding::new("a.rs", 0, "wrong").to_string(), "a.rs: wrong");
    }
}
