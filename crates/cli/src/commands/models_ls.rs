//! `models ls`: the models that can be asked.

use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::table::Table;
use crate::words;
use agent::Money;
use wire::operation;
use wire::rest::ModelList;

/// Lists the models, with their windows and prices
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell models ls\n  tinkerbell ask --model offline \"list the files\"")]
pub(crate) struct Ls {}

impl Ls {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let answer = client.call(&Request::new(&operation::MODELS)?)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let list: ModelList = answer.read()?;
        let mut table = Table::new(["MODEL", "PROVIDER", "WINDOW", "IN/M", "OUT/M", ""]);
        for model in &list.models {
            let missing =
                model.missing.as_deref().map(|missing| format!("missing: {}", plain::first_line(missing, usize::MAX)));
            let default = model.default.then(|| "default".to_owned());
            let notes: Vec<String> = default.into_iter().chain(missing).collect();
            table.row([
                plain::name(model.name.as_str()),
                plain::name(&model.provider),
                words::number(model.context_tokens.0),
                price(model.input_microusd_per_mtok),
                price(model.output_microusd_per_mtok),
                notes.join("; "),
            ]);
        }
        table.print(context.screen.out())?;
        Ok(Exit::GOOD)
    }
}

fn price(money: Money) -> String {
    if money == Money(0) { "free".to_owned() } else { words::dollars(money) }
}
