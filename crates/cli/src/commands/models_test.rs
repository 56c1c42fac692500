//! `models test`: what a model can do, found out by a few small calls.

use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, GOOD, NOTE};
use crate::table::{Cell, Table};
use crate::words;
use anstyle::Style;
use std::time::Duration;
use wire::operation;
use wire::rest::{Finding, FindingOutcome, ModelTest};

/// How long the calls together may take: a local model on a slow machine reads its whole window for one of them.
const TEST_LIMIT: Duration = Duration::from_secs(1_200);

/// Tries what a model can do: text, streaming, tools, JSON, the size of its window
///
/// A few small calls are made and paid for as any others. The exit code is 1 when the model cannot give text or cannot be
/// brought to call tools at all.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell models test offline
  tinkerbell models test ollama::qwen3 --json")]
pub(crate) struct Test {
    /// The model: a name of the configuration, or `provider::model`
    #[arg(value_name = "NAME")]
    name: String,
}

impl Test {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let shown = plain::name(&self.name);
        client.wait_for(format!("testing {shown}: text, stream, tools, JSON, window"), TEST_LIMIT);
        let answer = client.call(&Request::new(&operation::MODEL_TEST)?.at("model", &self.name))?;
        let test: ModelTest = answer.read()?;
        let exit = if test.findings.iter().any(is_needed_and_missing) { Exit::BAD } else { Exit::GOOD };
        if context.globals.json {
            context.print_json(&answer.body)?;
            return Ok(exit);
        }
        let mut table = Table::new(["WHAT", "RESULT", "TOOK", "DETAIL"]).flexible(3);
        for finding in &test.findings {
            let (style, word) = outcome(finding.outcome);
            table.row([
                plain::name(&finding.name).replace('_', " ").into(),
                Cell::styled(style, word),
                took(finding).into(),
                plain::first_line(&finding.detail, usize::MAX).into(),
            ]);
        }
        let columns = context.columns();
        table.print(context.screen.out(), columns)?;
        let (name, provider) = (plain::name(test.name.as_str()), plain::name(&test.provider));
        let total = format!("{name} of {provider}, {} for the test", words::dollars(test.cost_microusd));
        context.screen.remark(FAINT, &total)?;
        Ok(exit)
    }
}

fn is_needed_and_missing(finding: &Finding) -> bool {
    matches!(finding.name.as_str(), "text" | "tools") && finding.outcome == FindingOutcome::Fails
}

fn outcome(outcome: FindingOutcome) -> (Style, &'static str) {
    match outcome {
        FindingOutcome::Works => (GOOD, "works"),
        FindingOutcome::Ignored => (NOTE, "ignored"),
        FindingOutcome::Fails => (BAD, "fails"),
        FindingOutcome::Untried => (FAINT, "untried"),
    }
}

fn took(finding: &Finding) -> String {
    match (finding.outcome, finding.took_ms) {
        (FindingOutcome::Untried, _) => "-".to_owned(),
        (_, took_ms @ ..1_000) => format!("{took_ms} ms"),
        (_, took_ms) => format!("{}.{} s", took_ms / 1_000, took_ms % 1_000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{daemon, run};

    fn test(tools: &str) -> String {
        format!(
            r#"{{"name":"ollama::qwen3","provider":"ollama","cost_microusd":0,"findings":[
            {{"name":"text","outcome":"works","detail":"it said hi","took_ms":840}},
            {{"name":"parallel_tools","outcome":"ignored","detail":"one call of two","took_ms":2140}},
            {{"name":"tools","outcome":"{tools}","detail":"no call","took_ms":0}}]}}"#
        )
    }

    #[test]
    fn findings_are_a_table_and_the_exit_code_says_whether_it_serves() {
        let got = run(daemon(&[&test("untried")]), &["models", "test", "ollama::qwen3"]);
        assert!(got.out.contains("text            works    840 ms  it said hi\n"), "{}", got.out);
        assert!(got.out.contains("parallel tools  ignored  2.1 s   one call of two\n"), "{}", got.out);
        assert!(got.out.contains("tools           untried  -       no call\n"), "{}", got.out);
        assert_eq!((got.exit, got.aside.as_str()), (Some(Exit::GOOD), "ollama::qwen3 of ollama, $0.00 for the test\n"));
        assert!(got.heard[0].starts_with("POST /v1/models/ollama%3A%3Aqwen3/test "), "{:?}", got.heard);
        let failed = run(daemon(&[&test("fails")]), &["models", "test", "x", "--json"]);
        assert_eq!((failed.exit, failed.out), (Some(Exit::BAD), format!("{}\n", test("fails"))));
    }
}
