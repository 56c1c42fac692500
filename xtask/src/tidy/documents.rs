//! Documents that point at things, and golden files that stand for formats: what is pointed at is there.

use super::Finding;
use super::tree::Tree;

/// Directories of golden files, with the formats they hold.
const GOLDEN: &[(&str, &str)] = &[
    ("crates/wire/tests/golden", "journal records, bodies, REST, errors and operations"),
    ("crates/store/tests/golden", "the first version of the journal's schema"),
    ("crates/cli/tests/golden", "the help of every command"),
];

/// Every relative link of every document leads to a file or a directory of the project.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        for (line, target) in targets(text) {
            let file = target.split('#').next().unwrap_or_default();
            let outside = file.contains("://") || file.starts_with("mailto:");
            if !file.is_empty() && !outside && !resolve(path, file).is_some_and(|resolved| tree.has(&resolved)) {
                findings.push(Finding::new(path, line, format!("the link to {target} leads nowhere")));
            }
        }
    }
    findings
}

/// Every format that leaves or outlives the process has golden files.
pub(super) fn golden(tree: &Tree) -> Vec<Finding> {
    let missing = GOLDEN.iter().filter(|(directory, _)| !tree.has_below(directory));
    missing.map(|(directory, what)| Finding::new(directory, 0, format!("golden files are missing: {what}"))).collect()
}

/// The targets of `[text](target)`, outside code, with their lines.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().flat_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        let prose = if fenced || fence { "" } else { line };
        let starts = prose.match_indices("](").filter(|(start, _)| prose[..*start].matches('`').count() % 2 == 0);
        let found = starts.filter_map(|(start, mark)| {
            let rest = &prose[start + mark.len()..];
            rest.split_once(')').map(|(target, _)| target.split_whitespace().next().unwrap_or_default())
        });
        found.map(move |target| (at + 1, target)).collect::<Vec<_>>()
    })
}

/// A target as a path of the project; `None` when it leaves the project.
fn resolve(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text = "[a](../README.md#top) [b](gone.md) `[c](code.md)` [d](https://x.example/e) [f](#here)\n\
                    ```\n[g](fenced.md)\n```\n[h](../../outside) [i](0001.md \"title\")\n";
        let tree = Tree::of(&[("README.md", ""), ("docs/a.md", text), ("docs/0001.md", "")]);
        let found: Vec<_> = links(&tree).into_iter().map(|finding| (finding.line, finding.what)).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].0 == 1 && found[0].1.contains("gone.md"), "{found:?}");
        assert!(found[1].0 == 5 && found[1].1.contains("../../outside"), "{found:?}");
    }

    #[test]
    fn a_format_without_golden_files_is_found() {
        let tree = Tree::of(&[("crates/wire/tests/golden/a.json", ""), ("crates/store/tests/golden/v1.sql", "")]);
        let found: Vec<_> = golden(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["crates/cli/tests/golden"]);
    }
}
