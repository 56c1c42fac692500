//! `ARCHITECTURE.md` names every room, and for every law what keeps it; what it names is there.
//!
//! Laws stand in a table whose head is `| law | kept by |`; a row begins with the law's number. What keeps it stands in
//! backticks: a path, the name of a test or of a lint in the workspace's table, or `tidy:rule`. Other words in
//! backticks (types, commands with spaces) are left alone and do not count.

use super::source::{Source, lines_with};
use super::tree::Tree;
use super::{Finding, RULES};

const FILE: &str = "ARCHITECTURE.md";
const LAWS: u32 = 10;

/// Every crate is named.
pub(super) fn rooms(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(FILE) else { return vec![Finding::new(FILE, 0, "is missing")] };
    tree.crates()
        .filter(|name| {
            let forms = [format!("crates/{name}"), format!("`{name}`"), format!("{name}/")];
            !forms.iter().any(|form| lines_with(text, form).next().is_some())
        })
        .map(|name| Finding::new(FILE, 0, format!("does not name the crate {name}; say what it is for")))
        .collect()
}

/// Every law is named with something that keeps it and exists.
pub(super) fn laws(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(FILE) else { return vec![Finding::new(FILE, 0, "is missing")] };
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for (line, law, keepers) in rows(text) {
        seen.push(law);
        let mut kept = false;
        for keeper in keepers {
            match judge(tree, keeper) {
                Keeper::Exists => kept = true,
                Keeper::Missing(why) => findings.push(Finding::new(FILE, line, format!("law {law}: `{keeper}` {why}"))),
                Keeper::Words => {}
            }
        }
        if !kept {
            let what = format!("law {law} is kept by nothing that exists: name a path, a test, a lint or `tidy:rule`");
            findings.push(Finding::new(FILE, line, what));
        }
    }
    let missing = (1..=LAWS).filter(|law| !seen.contains(law));
    findings.extend(
        missing.map(|law| Finding::new(FILE, 0, format!("the table `| law | kept by |` has no row for law {law}"))),
    );
    findings
}

/// The rows of the table of laws: line, number, and what stands in backticks in the second column.
fn rows(text: &str) -> impl Iterator<Item = (usize, u32, Vec<&str>)> {
    let lines = text.lines().enumerate().skip_while(|(_, line)| cells(line) != ["law", "kept by"]).skip(2);
    lines.take_while(|(_, line)| line.starts_with('|')).filter_map(|(at, line)| {
        let cells = cells(line);
        let number: String = cells.first()?.chars().take_while(char::is_ascii_digit).collect();
        let keepers = cells.get(1)?.split('`').skip(1).step_by(2).collect();
        Some((at + 1, number.parse().ok()?, keepers))
    })
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

enum Keeper {
    Exists,
    Missing(&'static str),
    Words,
}

fn judge(tree: &Tree, keeper: &str) -> Keeper {
    let found = |exists: bool, why| if exists { Keeper::Exists } else { Keeper::Missing(why) };
    if let Some(rule) = keeper.strip_prefix("tidy:") {
        return found(RULES.iter().any(|known| known.name == rule), "is no rule of xtask/src/tidy.rs");
    }
    if keeper.contains(char::is_whitespace) {
        return Keeper::Words;
    }
    if keeper.contains('/') || [".rs", ".toml", ".md"].iter().any(|end| keeper.ends_with(end)) {
        return found(tree.has(keeper.trim_end_matches('/')), "does not exist");
    }
    let name = keeper.rsplit("::").next().unwrap_or(keeper);
    let lowercase = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !lowercase || !name.contains('_') {
        return Keeper::Words;
    }
    found(
        is_function(tree, name) || is_lint(tree, name),
        "is neither a function of this project nor a lint of its table",
    )
}

fn is_function(tree: &Tree, name: &str) -> bool {
    let words = format!("fn {name}");
    tree.ending(".rs")
        .any(|(path, text)| text.contains(&words) && lines_with(&Source::new(path, text).code, &words).next().is_some())
}

fn is_lint(tree: &Tree, name: &str) -> bool {
    tree.text("Cargo.toml")
        .is_some_and(|text| text.lines().any(|line| line.split('=').next().is_some_and(|key| key.trim() == name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(u32, &str)]) -> String {
        let rows = (1..=LAWS).map(|law| {
            let keeper = rows.iter().find(|(number, _)| *number == law).map_or("`tidy:purity`", |(_, keeper)| keeper);
            format!("| {law}. A law | {keeper} |\n")
        });
        format!("# Laws\n\n| law | kept by |\n| --- | --- |\n{}", rows.collect::<String>())
    }

    fn findings(rows: &[(u32, &str)]) -> Vec<String> {
        let text = table(rows);
        let test = "#[test]\nfn no_effect_starts_twice() {}\n// fn only_a_comment() {}";
        let files = [(FILE, text.as_str()), ("crates/a/tests/a.rs", test), ("Cargo.toml", "unwrap_used = \"warn\"\n")];
        laws(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_whose_keepers_exist_is_clean() {
        let keepers = "`crates/a/tests/a.rs`, the test `no_effect_starts_twice`, the lint `unwrap_used` on `State`";
        assert_eq!(findings(&[(3, keepers)]), Vec::<String>::new());
    }

    #[test]
    fn keepers_that_do_not_exist_are_found() {
        for (keeper, word) in [
            ("`crates/a/tests/b.rs` and `tidy:laws`", "does not exist"),
            ("`tidy:nothing` and `tidy:laws`", "is no rule"),
            ("`only_a_comment` and `tidy:laws`", "neither a function"),
            ("good will, `cargo xtask tidy`, `State`", "kept by nothing"),
        ] {
            let found = findings(&[(3, keeper)]);
            assert!(
                found.len() == 1 && found[0].starts_with("ARCHITECTURE.md:7: law 3") && found[0].contains(word),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_law_without_a_row_and_a_missing_document_are_found() {
        let short = table(&[]).replace("| 7. A law | `tidy:purity` |\n", "");
        let found = laws(&Tree::of(&[(FILE, &short)]));
        assert!(found.len() == 1 && found[0].what.contains("law 7"), "{found:?}");
        assert_eq!(laws(&Tree::of(&[])).len(), 1);
    }

    #[test]
    fn a_crate_that_is_not_named_is_found() {
        let files = [
            (FILE, "├── agent/  the brain; `wire` too"),
            ("crates/agent/Cargo.toml", ""),
            ("crates/wire/Cargo.toml", ""),
            ("crates/ire/Cargo.toml", ""),
        ];
        let found = rooms(&Tree::of(&files));
        assert!(found.len() == 1 && found[0].what.contains("the crate ire;"), "{found:?}");
    }
}
