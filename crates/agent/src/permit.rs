//! Permissions as data: rules by tool and by argument, the first that matches decides.

use crate::event::{Access, Verdict};
use serde::{Deserialize, Serialize};

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Run it.
    Allow,
    /// Ask somebody.
    Ask,
    /// Do not run it.
    Deny,
}

/// A rule. `*` in a pattern stands for any run of characters, all else for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Pattern for the tool's name.
    pub tool: String,
    /// Pattern for what the call is about (paths, for file tools); `None` matches every call. To allow, all of it must
    /// match; to ask or deny, any of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// What then.
    pub decision: Decision,
}

/// Judges a call. A rule that allows must match every argument, one that asks or denies any of them: so no argument can
/// hide behind another. Without a rule, what only reads or only changes the canvas is allowed, because accept is the
/// approval of an edit; what touches the world is asked about.
pub fn judge(rules: &[Rule], tool: &str, access: Access, arguments: &[&str]) -> Verdict {
    let matching = rules.iter().find(|rule| {
        let Some(pattern) = &rule.argument else { return matches(&rule.tool, tool) };
        let argued = match rule.decision {
            Decision::Allow => !arguments.is_empty() && arguments.iter().all(|argument| matches(pattern, argument)),
            Decision::Ask | Decision::Deny => arguments.iter().any(|argument| matches(pattern, argument)),
        };
        matches(&rule.tool, tool) && argued
    });
    match (matching.map(|rule| rule.decision), access) {
        (Some(Decision::Allow), _) | (None, Access::Read | Access::Write) => Verdict::Allow,
        (Some(Decision::Ask), _) | (None, Access::World) => Verdict::Ask,
        (Some(Decision::Deny), _) => Verdict::Deny,
    }
}

/// Matches with `*` only, in time proportional to pattern times text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_and_all_else_for_itself() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("read_file", "read_file", true),
            ("read_file", "read_files", false),
            ("*_file", "write_file", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*.env", "prod.env", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn the_first_matching_rule_decides_and_defaults_follow_access() {
        let rules = [
            Rule { tool: "write_file".into(), argument: Some("secret/*".into()), decision: Decision::Deny },
            Rule { tool: "*_file".into(), argument: None, decision: Decision::Ask },
        ];
        assert_eq!(judge(&rules, "write_file", Access::Write, &["secret/key", "x"]), Verdict::Deny);
        assert_eq!(judge(&rules, "write_file", Access::Write, &["src/a.rs", "x"]), Verdict::Ask);
        assert_eq!(judge(&rules, "search_text", Access::Read, &[]), Verdict::Allow);
        assert_eq!(judge(&[], "shell", Access::World, &[]), Verdict::Ask);
        let docs = [Rule { tool: "*".into(), argument: Some("docs/*".into()), decision: Decision::Allow }];
        assert_eq!(judge(&docs, "fetch", Access::World, &["docs/a"]), Verdict::Allow);
        assert_eq!(judge(&docs, "fetch", Access::World, &["docs/a", "secret/b"]), Verdict::Ask);
    }
}
