//! The shape of files: each says why it exists, none is too long to be one idea, roots of crates hold no logic.

use super::Finding;
use super::source::Source;
use super::tree::Tree;

/// More lines than this need a reason.
const MAX_LINES: usize = 450;

/// Longer files that are one idea all the same.
const LONG: &[(&str, &str)] = &[
    ("scripts/pictures/chat.py", "one story with its checks, read from top to bottom"),
    ("crates/agent/src/event.rs", "the one vocabulary of events, each with its fields documented"),
    ("crates/wire/src/body.rs", "the one vocabulary of bodies, each with its fields documented"),
    ("crates/tools/tests/hands/cases.rs", "one table of cases for each tool"),
    (
        "crates/tinkerbell/tests/faults/operations.rs",
        "one table of all that is hurt, with what each of the first must show",
    ),
    ("bench/stub_llm.py", "one program: five dialects of one stub model"),
];

/// Every source file begins by saying why it exists.
pub(super) fn module_docs(tree: &Tree) -> Vec<Finding> {
    tree.ending(".rs")
        .filter(|(path, _)| path.contains("/src/"))
        .filter(|(_, text)| {
            !text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!"))
        })
        .map(|(path, _)| Finding::new(path, 1, "begin with `//!`: why the module exists, what it owns, what is absent"))
        .collect()
}

/// No file is longer than one idea, unless it is listed with a reason.
pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    let files = tree.ending(".rs").chain(tree.ending(".py")).chain(tree.ending(".sh"));
    let long: Vec<_> = files.map(|(path, text)| (path, text.lines().count())).filter(|(_, n)| *n > MAX_LINES).collect();
    let unlisted =
        long.iter().filter(|(path, _)| !LONG.iter().any(|(listed, _)| listed == path)).map(|(path, lines)| {
            let what = format!(
                "{lines} lines, more than {MAX_LINES}: part it, or list it with a reason in xtask/src/tidy/shape.rs"
            );
            Finding::new(path, 0, what)
        });
    let stale = LONG.iter().filter(|(listed, _)| tree.has(listed) && !long.iter().any(|(path, _)| path == listed));
    unlisted
        .chain(stale.map(|(listed, why)| {
            Finding::new(listed, 0, format!("is listed as long ({why}) and no longer is; take it off the list"))
        }))
        .collect()
}

/// `lib.rs` and `mod.rs` hold documentation, modules and re-exports.
pub(super) fn thin_roots(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| path.ends_with("/lib.rs") || path.ends_with("/mod.rs")) {
        let live = Source::new(path, text).live;
        for (at, line) in live.lines().enumerate() {
            let item =
                line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
            let logic = [
                "fn ",
                "async fn ",
                "const fn ",
                "unsafe fn ",
                "impl ",
                "impl<",
                "struct ",
                "enum ",
                "trait ",
                "static ",
            ];
            if logic.iter().any(|beginning| item.starts_with(beginning)) {
                findings.push(Finding::new(
                    path,
                    at + 1,
                    "a root holds documentation and re-exports; move this into a module",
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings.iter().map(|finding| (finding.path.as_str(), finding.line)).collect()
    }

    #[test]
    fn a_module_without_its_reason_is_found() {
        let tree = Tree::of(&[
            ("crates/a/src/a.rs", "\n//! Why.\n"),
            ("crates/a/src/b.rs", "use x;\n//! Late.\n"),
            ("crates/a/src/c.rs", ""),
        ]);
        assert_eq!(paths(&module_docs(&tree)), [("crates/a/src/b.rs", 1), ("crates/a/src/c.rs", 1)]);
    }

    #[test]
    fn a_long_file_is_found_and_so_is_a_listed_one_that_shrank() {
        let long = "x\n".repeat(MAX_LINES + 1);
        let tree = Tree::of(&[
            ("a.rs", &long),
            ("b.rs", "x\n"),
            ("bench/stub_llm.py", &long),
            ("crates/agent/src/event.rs", "x\n"),
        ]);
        assert_eq!(paths(&length(&tree)), [("a.rs", 0), ("crates/agent/src/event.rs", 0)]);
    }

    #[test]
    fn logic_in_a_root_is_found() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "//! Why.\nmod b;\npub use b::C;\npub fn d() {}\n"),
            ("crates/a/src/b.rs", "fn d() {}"),
        ]);
        assert_eq!(paths(&thin_roots(&tree)), [("crates/a/src/lib.rs", 4)]);
    }
}
