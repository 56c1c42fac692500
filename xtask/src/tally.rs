//! What came out of a run of tests: counts, and everything that was left out with its reason, read from the lines that
//! cargo's test programs print.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Counts of a run, and what was left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, and programs that ended without a result.
    pub(crate) failed: u64,
    /// The names of tests that failed.
    pub(crate) failures: Vec<String>,
    /// Tests that did not run or skipped a part, by reason.
    pub(crate) skipped: BTreeMap<String, Vec<String>>,
    /// How to run what was left out.
    pub(crate) hints: BTreeSet<String>,
    /// What randomised tests said of themselves: seed, trials, failures.
    pub(crate) reports: Vec<String>,
    shown: Shown,
}

/// Where in a test program's output we are.
#[derive(Debug, Default, PartialEq, Eq)]
enum Shown {
    /// Among the lines `test … ok`.
    #[default]
    Results,
    /// In what passing tests printed (`--show-output`), which is of interest only where it follows our conventions.
    Successes(String),
}

impl Tally {
    /// Takes one line of a test program; says whether it is worth showing to a person.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if line == "successes:" {
            self.shown = Shown::Successes(String::new());
            return false;
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.shown = Shown::Results;
            self.passed += count(result, "passed");
            self.failed += count(result, "failed");
            return true;
        }
        if line == "failures:" {
            self.shown = Shown::Results;
            return true;
        }
        match &mut self.shown {
            Shown::Successes(test) => {
                match line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
                    Some(name) => {
                        *test = name.to_owned();
                        false
                    }
                    None => self.said(line),
                }
            }
            Shown::Results => {
                if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
                    self.outcome(name, outcome);
                }
                true
            }
        }
    }

    /// A line that a passing test printed.
    fn said(&mut self, line: &str) -> bool {
        let Shown::Successes(test) = &self.shown else { return true };
        if let Some(reason) = line.strip_prefix("skipped: ") {
            self.skipped.entry(reason.to_owned()).or_default().push(test.clone());
            return true;
        }
        let report = line.contains("seed");
        if report {
            self.reports.push(format!("{test}: {line}"));
        }
        report
    }

    fn outcome(&mut self, name: &str, outcome: &str) {
        if let Some(reason) = outcome.strip_prefix("ignored") {
            let reason = reason.strip_prefix(", ").unwrap_or("ignored without a reason");
            self.skipped.entry(reason.to_owned()).or_default().push(name.to_owned());
        } else if outcome.starts_with("FAILED") {
            self.failures.push(name.to_owned());
        }
    }

    /// The run as a whole failed although no test said so: something did not build, or a test program crashed.
    pub(crate) fn fell_over(&mut self, why: String) {
        self.failed += 1;
        self.failures.push(why);
    }
}

/// The closing summary; its last line is the one that CI reads.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for report in &self.reports {
            writeln!(f, "seeded: {report}")?;
        }
        for (reason, names) in &self.skipped {
            writeln!(f, "skipped: {} ({reason})", names.join(", "))?;
        }
        for hint in &self.hints {
            writeln!(f, "hint: {hint}")?;
        }
        for name in &self.failures {
            writeln!(f, "failed: {name}")?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number before a word, as in `ok. 3 passed; 0 failed; …`.
fn count(result: &str, word: &str) -> u64 {
    let words: Vec<&str> = result.split_whitespace().collect();
    words
        .windows(2)
        .find(|pair| pair[1].trim_end_matches(';') == word)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two programs' output as libtest prints it with `--show-output`.
    const OUTPUT: &str = "
running 4 tests
test accept::a_conflict_undoes ... FAILED
test storm::kills ... ok
test real_llama ... ignored, real: needs llama.cpp
test mounts ... ok

successes:

---- storm::kills stdout ----
seed 42: 20000 sessions, 0 failures
chatter

---- mounts stdout ----
skipped: needs root

successes:
    mounts
    storm::kills

failures:

---- accept::a_conflict_undoes stdout ----
left is not right

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

running 1 test
test tests::ids ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn counts_failures_skips_and_reports_are_read_from_the_output() {
        let mut tally = Tally::default();
        let shown: Vec<&str> = OUTPUT.lines().filter(|line| tally.line(line)).collect();
        assert_eq!((tally.passed, tally.failed), (3, 1));
        assert_eq!(tally.failures, ["accept::a_conflict_undoes"]);
        assert_eq!(tally.skipped["needs root"], ["mounts"]);
        assert_eq!(tally.skipped["real: needs llama.cpp"], ["real_llama"]);
        assert_eq!(tally.reports, ["storm::kills: seed 42: 20000 sessions, 0 failures"]);
        assert!(shown.contains(&"left is not right") && !shown.contains(&"chatter"));
    }

    #[test]
    fn the_summary_ends_with_the_line_that_ci_reads() {
        let mut tally = Tally { passed: 5, ..Tally::default() };
        tally.fell_over("cargo test ended with 101".into());
        tally.skipped.insert("real: needs strace".into(), vec!["real_strace".into()]);
        assert!(tally.to_string().ends_with("failed: cargo test ended with 101\n5 passed, 1 failed"));
        assert!(tally.to_string().contains("skipped: real_strace (real: needs strace)"));
        tally.hints.insert("run them".into());
        assert!(tally.to_string().contains("\nhint: run them\n"));
    }
}
