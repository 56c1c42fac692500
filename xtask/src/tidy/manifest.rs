//! Which room may know which: read from the manifests, where a dependency cannot hide.

use super::Finding;
use super::tree::Tree;

/// Our crates, with those that each may depend on.
const ROOMS: &[(&str, &[&str])] = &[
    ("agent", &[]),
    ("wire", &["agent"]),
    ("store", &["agent", "wire"]),
    ("models", &["agent", "wire"]),
    ("canvas", &["agent", "wire"]),
    ("tools", &["agent", "wire"]),
    ("daemon", &["agent", "wire", "store", "models", "canvas", "tools"]),
    ("cli", &["agent", "wire"]),
    ("tinkerbell", &["agent", "wire", "cli", "daemon"]),
    ("testkit", &["agent", "wire", "store", "models", "canvas", "tools", "daemon"]),
    ("xtask", &[]),
];

/// Crates by others that only some rooms may build into what runs.
const OWNED: &[(&str, &[&str], &str)] = &[
    ("rusqlite", &["store", "testkit"], "only the store speaks SQL"),
    ("git2", &["canvas", "testkit"], "only the canvas touches git"),
    ("reqwest", &["models", "testkit"], "only models call providers"),
    ("axum", &["daemon", "testkit"], "only the daemon has doors"),
    ("clap", &["cli", "tinkerbell", "xtask"], "only commands have arguments"),
];

/// All that the brain may depend on.
const BRAIN: &[&str] = &["serde", "ulid"];

/// A dependency as a manifest names it.
#[derive(Debug, PartialEq, Eq)]
struct Dependency<'a> {
    line: usize,
    name: &'a str,
    /// True for `[dev-dependencies]`.
    dev: bool,
    /// True for `name.workspace = true` and `name = { workspace = true, … }`.
    from_table: bool,
}

/// Crates know each other in one direction only.
pub(super) fn direction(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, name, text) in manifests(tree) {
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == name) else {
            findings.push(Finding::new(
                path,
                0,
                format!("{name} has no place in the table of xtask/src/tidy/manifest.rs"),
            ));
            continue;
        };
        for dependency in dependencies(text) {
            let ours = ROOMS.iter().any(|(room, _)| *room == dependency.name);
            let testkit = dependency.name == "testkit";
            if ours && !allowed.contains(&dependency.name) && !(dependency.dev && testkit) {
                let what = match testkit {
                    true => "testkit is for tests: make it a dev-dependency".to_owned(),
                    false => {
                        format!("{name} may not know {}; what must pass between them is an event", dependency.name)
                    }
                };
                findings.push(Finding::new(path, dependency.line, what));
            }
        }
    }
    findings
}

/// Some crates by others belong to a room, and the brain has next to none.
pub(super) fn owned_crates(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, name, text) in manifests(tree) {
        for dependency in dependencies(text).filter(|dependency| !dependency.dev) {
            if let Some((_, rooms, why)) = OWNED.iter().find(|(owned, ..)| *owned == dependency.name)
                && !rooms.contains(&name)
            {
                findings.push(Finding::new(
                    path,
                    dependency.line,
                    format!("{name} may not use {}: {why} (law 6)", dependency.name),
                ));
            }
            if name == "agent" && !BRAIN.contains(&dependency.name) {
                let what = format!(
                    "the brain may depend on {} alone, not on {} (law 1)",
                    BRAIN.join(" and "),
                    dependency.name
                );
                findings.push(Finding::new(path, dependency.line, what));
            }
        }
    }
    findings
}

/// Versions, lints and editions stand in the workspace's manifest, once.
pub(super) fn one_table(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, text) in manifests(tree) {
        for dependency in dependencies(text).filter(|dependency| !dependency.from_table) {
            let what = format!("write `{}.workspace = true`; versions stand in the workspace's table", dependency.name);
            findings.push(Finding::new(path, dependency.line, what));
        }
        if !sections(text).any(|(section, _, line)| section == "lints" && line == "workspace = true") {
            findings.push(Finding::new(path, 0, "add `[lints]` with `workspace = true`"));
        }
    }
    findings
}

/// The manifests of our crates: path, name of the crate's directory, text.
fn manifests(tree: &Tree) -> impl Iterator<Item = (&str, &str, &str)> {
    tree.ending("/Cargo.toml").filter_map(|(path, text)| {
        let directory = path.strip_suffix("/Cargo.toml")?;
        let name = directory.strip_prefix("crates/").unwrap_or(directory);
        (!name.contains('/')).then_some((path, name, text))
    })
}

fn dependencies(text: &str) -> impl Iterator<Item = Dependency<'_>> {
    sections(text).filter_map(|(section, line, content)| {
        let kind = section.rsplit('.').next().unwrap_or(section);
        let dev = kind == "dev-dependencies";
        if !dev && kind != "dependencies" && kind != "build-dependencies" {
            return None;
        }
        let (key, value) = content.split_once('=')?;
        let (name, suffix) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
        let from_table = suffix == "workspace" || value.contains("workspace = true");
        Some(Dependency { line, name, dev, from_table })
    })
}

/// Each line that says something, with its number and the section it stands in.
fn sections(text: &str) -> impl Iterator<Item = (&str, usize, &str)> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            return None;
        }
        (!line.is_empty() && !line.starts_with('#')).then_some((section, at + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings of a check on one crate's manifest, by line.
    fn lines(check: fn(&Tree) -> Vec<Finding>, name: &str, text: &str) -> Vec<usize> {
        let path = format!("crates/{name}/Cargo.toml");
        check(&Tree::of(&[(&path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_hand_that_knows_another_hand_is_found() {
        assert_eq!(lines(direction, "canvas", "[dependencies]\nwire.workspace = true\nstore.workspace = true\n"), [3]);
        assert_eq!(lines(direction, "cli", "[target.'cfg(unix)'.dependencies]\ndaemon = { workspace = true }\n"), [2]);
        assert!(
            lines(direction, "wire", "[dependencies]\nagent.workspace = true\nserde.workspace = true\n").is_empty()
        );
    }

    #[test]
    fn testkit_is_for_tests_alone() {
        assert_eq!(lines(direction, "store", "[dependencies]\ntestkit.workspace = true\n"), [2]);
        assert!(lines(direction, "store", "[dev-dependencies]\ntestkit.workspace = true\n").is_empty());
        assert_eq!(lines(direction, "store", "[dev-dependencies]\ncanvas.workspace = true\n"), [2]);
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert_eq!(lines(direction, "helpers", "[dependencies]\n"), [0]);
    }

    #[test]
    fn a_room_that_takes_anothers_crate_is_found() {
        assert_eq!(lines(owned_crates, "daemon", "[dependencies]\ngit2.workspace = true\n"), [2]);
        assert!(lines(owned_crates, "daemon", "[dev-dependencies]\ngit2.workspace = true\n").is_empty());
        assert!(lines(owned_crates, "canvas", "[dependencies]\ngit2.workspace = true\n").is_empty());
        assert_eq!(
            lines(owned_crates, "agent", "[dependencies]\nserde.workspace = true\ntokio.workspace = true\n"),
            [3]
        );
    }

    #[test]
    fn a_version_outside_the_table_is_found() {
        let text =
            "[dependencies]\nserde = \"1\"\nulid = { workspace = true, features = [] }\n[lints]\nworkspace = true\n";
        assert_eq!(lines(one_table, "agent", text), [2]);
        assert_eq!(lines(one_table, "agent", "[dependencies]\n"), [0]);
    }
}
