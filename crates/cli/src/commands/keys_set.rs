//! `keys set`: gives the daemon a key to keep.
//!
//! The key is typed where nobody sees it, or piped in; it is never an argument, which others could read in the list of
//! processes and the shell would write into its history.

use super::keys_ls::{origin, users};
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::FAINT;
use crate::terminal::Keyboard;
use std::io::{self, Read};
use std::os::fd::AsFd;
use wire::rest::{KeyList, SetKey};
use wire::{Code, Problem, operation};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 16 * 1024;

/// Keeps a key of a provider or a model, typed unseen or piped in
///
/// It is kept in a file that only you can read, or in the desktop's keyring, and used from now on. It is never shown
/// again, and appears in no log, journal or child process.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell keys set anthropic
  pass show openai | tinkerbell keys set openai
  tinkerbell keys set work --keyring")]
pub(crate) struct Set {
    /// Whose key: a provider such as `anthropic`, or a name that the configuration gives a key
    #[arg(value_name = "NAME")]
    name: String,

    /// Keep it in the keyring of the desktop instead of a file
    #[arg(long)]
    keyring: bool,
}

impl Set {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let shown = plain::name(&self.name);
        match read(context, &shown)? {
            Some(typed) => self.send(context, &typed, &shown),
            None => Ok(Exit::CANCELLED),
        }
    }

    fn send(self, context: &mut Context, typed: &str, shown: &str) -> Result<Exit, Error> {
        let key = checked(typed, shown)?;
        let mut client = context.client(Starting::IfNeeded)?;
        let body = SetKey { key, keyring: self.keyring };
        let answer = client.call(&Request::new(&operation::KEY_SET)?.at("name", &self.name).json(&body))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        // Where it went is what the list says of it, and not what was asked for.
        let list: KeyList = client.call(&Request::new(&operation::KEYS)?)?.read()?;
        let Some(row) = list.keys.iter().find(|row| row.name == self.name) else {
            context.screen.out().line(&format!("the key {shown} is kept"))?;
            return Ok(Exit::GOOD);
        };
        let place = plain::name(&row.place);
        context.screen.out().line(&format!("the key {shown} is kept ({}: {place})", origin(row.origin)))?;
        let next = match users(row) {
            Some(models) => format!("used by {models}"),
            None => format!(
                "no model of the configuration uses it; where {shown} is a provider, name one: tinkerbell ask --model {shown}::… \"…\""
            ),
        };
        context.screen.remark(FAINT, &next)?;
        Ok(Exit::GOOD)
    }
}

/// The key as it was typed or piped; `None` when somebody would rather not.
fn read(context: &mut Context, name: &str) -> Result<Option<String>, Error> {
    let stdin = io::stdin();
    if !context.screen.is_interactive() {
        return read_piped(stdin.lock()).map(Some);
    }
    context.screen.aside()?.put(&format!("Key for {name} (it is not shown): "))?;
    context.screen.flush()?;
    let typed = Keyboard::new(stdin.as_fd()).and_then(|mut keyboard| keyboard.secret());
    context.screen.end_lines()?;
    typed.map_err(|error| unreadable(&error.to_string()).into())
}

fn read_piped(source: impl Read) -> Result<String, Error> {
    let mut bytes = Vec::new();
    source.take(MAX_KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error.to_string()))?;
    // The error must not quote what was read.
    String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text").into())
}

/// The key without the blanks around it.
fn checked(typed: &str, name: &str) -> Result<String, Problem> {
    let key = typed.trim();
    let wrong = if key.is_empty() {
        "it is empty"
    } else if key.len() > MAX_KEY_BYTES {
        "it is too long for a key"
    } else if key.chars().any(|character| character.is_whitespace() || character.is_control()) {
        "there are blanks or control characters within it"
    } else {
        return Ok(key.to_owned());
    };
    Err(Problem::new(Code::InvalidRequest, format!("the key for {name} was not kept: {wrong}"))
        .remedy("copy it again; pipe it in or type it at the prompt, as one line"))
}

fn unreadable(why: &str) -> Problem {
    Problem::new(Code::InvalidRequest, format!("the key could not be read: {why}"))
        .remedy("type it at the prompt, or pipe it in as one line of text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, daemon};

    #[test]
    fn where_it_is_kept_and_who_uses_it_is_what_the_daemon_says() {
        let list =
            r#"{"keys":[{"name":"work","origin":"kept","place":"/s/keys/work","present":true,"used_by":["fast"]}]}"#;
        let daemon = daemon(&["{}", list]);
        let (mut context, out, aside) = testing::context(&daemon);
        let set = Set { name: "work".into(), keyring: true };
        assert_eq!(set.send(&mut context, "sk-1\n", "work").unwrap(), Exit::GOOD);
        assert_eq!(out.text(), "the key work is kept (tinkerbell: /s/keys/work)\n");
        assert_eq!(aside.text(), "used by fast\n");
        let heard = daemon.heard();
        assert!(heard[0].starts_with("PUT /v1/keys/work "), "{heard:?}");
        assert!(heard[0].ends_with("{\"key\":\"sk-1\",\"keyring\":true}"), "{heard:?}");
    }

    #[test]
    fn a_key_that_no_model_uses_is_not_said_to_be_a_providers() {
        let list = r#"{"keys":[{"name":"snapshots","origin":"kept","place":"/s/keys/snapshots","present":true}]}"#;
        let daemon = daemon(&["{}", list]);
        let (mut context, _, aside) = testing::context(&daemon);
        Set { name: "snapshots".into(), keyring: false }.send(&mut context, "word\n", "snapshots").unwrap();
        assert!(aside.text().contains("where snapshots is a provider"), "{}", aside.text());
        daemon.heard();
    }

    #[test]
    fn a_key_is_one_word_and_no_error_quotes_it() {
        assert_eq!(checked(" sk-123\r\n", "x").unwrap(), "sk-123");
        let long = "k".repeat(MAX_KEY_BYTES + 1);
        for wrong in ["", " \n", "sk-secret two", "sk-secret\u{1b}[A", &long] {
            let problem = checked(wrong, "openai").unwrap_err();
            assert_eq!(problem.code, Code::InvalidRequest);
            assert!(!format!("{problem:?}").contains("sk-secret"), "{problem:?}");
        }
        assert_eq!(read_piped(&b"sk-1\n"[..]).unwrap(), "sk-1\n");
        let Err(Error::Problem(problem)) = read_piped(&b"sk-secret\xff"[..]) else { panic!("it was read") };
        assert!(!format!("{problem:?}").contains("secret"));
        assert!(read_piped(long.as_bytes()).unwrap().len() <= MAX_KEY_BYTES + 1);
    }
}
