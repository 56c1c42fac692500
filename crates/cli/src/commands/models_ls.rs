//! `models ls`: the models that can be asked, and what stands behind them.

use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, GOOD, HEAD, NAME, NOTE, Sink};
use crate::table::{Cell, Table};
use crate::words;
use agent::ModelName;
use anstyle::Style;
use wire::operation;
use wire::rest::{Health, ModelList, ModelRow, ModelSource, OfferedRow, Tooling};

/// Lists the models, with their windows, prices, abilities and health
///
/// Those of the configuration, those that servers of this machine hold, and the built-in one. A key in the environment is
/// offered and never used unasked: name the model as `provider::model`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell models ls
  tinkerbell models ls --json
  tinkerbell ask --model offline \"list the files\"")]
pub(crate) struct Ls {}

impl Ls {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let answer = client.call(&Request::new(&operation::MODELS)?)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let columns = context.columns();
        print(context.screen.out(), &answer.read()?, columns)?;
        Ok(Exit::GOOD)
    }
}

fn print(out: &mut Sink, list: &ModelList, columns: Option<usize>) -> Result<(), Error> {
    let headings = ["MODEL", "PROVIDER", "WINDOW", "IN/M", "OUT/M", "TOOLS", "IMAGES", "HEALTH", "FROM", ""];
    let mut table = Table::new(headings).flexible(9).flexible(0);
    list.models.iter().for_each(|model| table.row(row(model)));
    table.print(out, columns)?;
    if !list.routes.is_empty() {
        heading(out, "Routes")?;
        for route in &list.routes {
            let models: Vec<String> = route.models.iter().map(name).collect();
            let default = if route.default { "  (default)" } else { "" };
            out.line(&format!("  {}: {}{default}", name(&route.name), models.join(", then ")))?;
        }
    }
    if !list.servers.is_empty() {
        heading(out, "Servers found on this machine")?;
        for server in &list.servers {
            let version =
                server.version.as_ref().map_or_else(String::new, |version| format!(" {}", plain::name(version)));
            let models = words::count(u64::from(server.models), "model");
            out.line(&format!(
                "  {}{version} at {}, {models}",
                plain::name(&server.kind),
                plain::name(&server.base_url)
            ))?;
        }
    }
    if !list.offered.is_empty() {
        heading(out, "Keys on offer, used only when you name such a model")?;
        list.offered.iter().try_for_each(|offered| out.line(&format!("  {}", offer(offered))))?;
    }
    Ok(())
}

/// What a key in the environment would serve for.
pub(crate) fn offer(offered: &OfferedRow) -> String {
    let (variable, example) = (plain::name(&offered.variable), name(&offered.example));
    format!("{variable} is set: `tinkerbell ask --model {example} \"…\"` would use it")
}

fn heading(out: &mut Sink, words: &str) -> Result<(), Error> {
    let heading = out.paint(HEAD, &format!("{words}:"));
    out.line(&format!("\n{heading}"))
}

fn name(model: &ModelName) -> String {
    plain::name(model.as_str())
}

fn row(model: &ModelRow) -> [Cell; 10] {
    let missing = model.missing.as_deref().map(|words| format!("missing: {}", plain::first_line(words, usize::MAX)));
    let notes: Vec<String> = model.default.then(|| "default".to_owned()).into_iter().chain(missing).collect();
    let style = if model.missing.is_some() { NOTE } else { Style::new() };
    let (input, output) = price(model);
    [
        Cell::styled(NAME, name(&model.name)),
        plain::name(&model.provider).into(),
        words::number(model.context_tokens.0).into(),
        input.into(),
        output.into(),
        tools(model.abilities.tools).into(),
        match model.abilities.images {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        }
        .into(),
        health(model.health),
        Cell::styled(FAINT, source(model.source)),
        Cell::styled(style, notes.join("; ")),
    ]
}

/// Prices of a million tokens, read and written.
fn price(model: &ModelRow) -> (String, String) {
    let (input, output) = (model.input_microusd_per_mtok, model.output_microusd_per_mtok);
    match (model.priced, input.0 == 0 && output.0 == 0) {
        (false, _) => ("unknown".to_owned(), "unknown".to_owned()),
        (true, true) => ("free".to_owned(), "free".to_owned()),
        (true, false) => (words::dollars(input), words::dollars(output)),
    }
}

fn tools(tooling: Tooling) -> &'static str {
    match tooling {
        Tooling::Native => "native",
        Tooling::Constrained => "constrained",
        Tooling::Unknown => "-",
    }
}

fn health(health: Option<Health>) -> Cell {
    match health {
        Some(Health::Up) => Cell::styled(GOOD, "up"),
        Some(Health::Down) => Cell::styled(BAD, "down"),
        None => "-".into(),
    }
}

fn source(source: ModelSource) -> &'static str {
    match source {
        ModelSource::BuiltIn => "built in",
        ModelSource::Configured => "configured",
        ModelSource::Found => "found",
        ModelSource::Named => "named",
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};

    const LIST: &str = r#"{"models":[
        {"name":"offline","provider":"offline","source":"built_in","context_tokens":32768,"input_microusd_per_mtok":0,
         "output_microusd_per_mtok":0,"health":"up","abilities":{"tools":"native","images":false},"default":true},
        {"name":"work","provider":"anthropic","source":"configured","remote":true,"context_tokens":200000,
         "input_microusd_per_mtok":3000000,"output_microusd_per_mtok":15000000,"default":false,"missing":"its key\nmore"},
        {"name":"smol","provider":"llama.cpp","source":"found","context_tokens":2048,"input_microusd_per_mtok":0,
         "output_microusd_per_mtok":0,"priced":false,"health":"down","abilities":{"tools":"constrained"},"default":false}],
        "routes":[{"name":"usual","models":["work","smol"],"default":false}],
        "servers":[{"kind":"llama.cpp","base_url":"http://127.0.0.1:8080","models":1}],
        "offered":[{"provider":"anthropic","variable":"ANTHROPIC_API_KEY","example":"anthropic::claude-sonnet-4-5"}]}"#;

    #[test]
    fn models_are_listed_with_all_that_is_known_of_them() {
        let text = run(daemon(&[LIST]), &["models", "ls"]).out;
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][..9], ["offline", "offline", "32,768", "free", "free", "native", "no", "up", "built"]);
        assert_eq!(lines[2][..8], ["work", "anthropic", "200,000", "$3.00", "$15.00", "-", "-", "-"]);
        assert!(text.contains("configured  missing: its key\n"), "{text}");
        assert_eq!(lines[3][3..8], ["unknown", "unknown", "constrained", "-", "down"]);
        assert!(text.contains("\nRoutes:\n  usual: work, then smol\n"), "{text}");
        assert!(text.contains("  llama.cpp at http://127.0.0.1:8080, 1 model\n"), "{text}");
        assert!(text.contains(
            "  ANTHROPIC_API_KEY is set: `tinkerbell ask --model anthropic::claude-sonnet-4-5 \"…\"` would use it\n"
        ));
    }

    #[test]
    fn json_is_as_the_daemon_gave_it() {
        assert_eq!(run(daemon(&[LIST]), &["models", "ls", "--json"]).out, format!("{LIST}\n"));
    }
}
