//! `keys ls`: where keys are, and whether they are there.

use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, GOOD, NAME, NOTE};
use crate::table::{Cell, Table};
use wire::operation;
use wire::rest::{KeyList, KeyOrigin, KeyRow};

/// Lists keys of providers: where they are and which models use them; never a key
///
/// The daemon sees the environment that it was started with. A key that was exported later is not there: keep it with
/// `tinkerbell keys set` instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell keys ls\n  tinkerbell keys ls --json")]
pub(crate) struct Ls {}

impl Ls {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let answer = client.call(&Request::new(&operation::KEYS)?)?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let list: KeyList = answer.read()?;
        if list.keys.is_empty() {
            let words = "there is no key; `tinkerbell keys set anthropic` keeps one (or openai, gemini, …)";
            context.screen.remark(FAINT, words)?;
            return Ok(Exit::GOOD);
        }
        let mut table =
            Table::new(["KEY", "THERE", "KEPT IN", "PLACE", "USED BY", ""]).flexible(5).flexible(3).flexible(4);
        list.keys.iter().for_each(|key| table.row(row(key)));
        let columns = context.columns();
        table.print(context.screen.out(), columns)?;
        Ok(Exit::GOOD)
    }
}

fn row(key: &KeyRow) -> [Cell; 6] {
    let there = if key.present { Cell::styled(GOOD, "yes") } else { Cell::styled(NOTE, "no") };
    let missing = key.missing.as_deref().map(|why| plain::first_line(why, usize::MAX)).unwrap_or_default();
    [
        Cell::styled(NAME, plain::name(&key.name)),
        there,
        origin(key.origin).into(),
        plain::name(&key.place).into(),
        users(key).unwrap_or_else(|| "-".to_owned()).into(),
        Cell::styled(NOTE, missing),
    ]
}

/// The models that use a key, if any do.
pub(crate) fn users(key: &KeyRow) -> Option<String> {
    let names: Vec<String> = key.used_by.iter().map(|model| plain::name(model.as_str())).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Where a key is, in words.
pub(crate) fn origin(origin: KeyOrigin) -> &'static str {
    match origin {
        KeyOrigin::Environment => "environment",
        KeyOrigin::File => "file",
        KeyOrigin::Keyring => "keyring",
        KeyOrigin::Kept => "tinkerbell",
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{daemon, run};

    #[test]
    fn keys_are_listed_by_where_they_are() {
        let list = r#"{"keys":[
            {"name":"anthropic","origin":"kept","place":"/s/keys/anthropic","present":true,"used_by":["work","fast"]},
            {"name":"openai","origin":"environment","place":"OPENAI_API_KEY","present":false,"missing":"it is not set"}]}"#;
        let got = run(daemon(&[list]), &["keys", "ls"]);
        assert!(got.out.contains("anthropic  yes    tinkerbell   /s/keys/anthropic  work, fast\n"), "{}", got.out);
        assert!(
            got.out.contains("openai     no     environment  OPENAI_API_KEY     -           it is not set\n"),
            "{}",
            got.out
        );
        let none = run(daemon(&["{\"keys\":[]}"]), &["keys", "ls"]);
        assert!(none.aside.contains("tinkerbell keys set anthropic"), "{}", none.aside);
    }
}
