//! `context show`: what the next model call would be given.

use crate::current::Which;
use crate::error::Error;
use crate::pager::Paging;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{FAINT, GOOD, HEAD, NOTE, Sink};
use crate::table::{Cell, Table};
use crate::words;
use agent::{ItemKind, Tokens};
use wire::operation;
use wire::rest::{ContextMessage, ContextView};

/// How many columns the bar of the window has.
const BAR_COLUMNS: u64 = 40;

/// Shows what the next model call would be given
///
/// The system prompt, the table of tools, the files of instructions with their origin, and each message with its size;
/// what is shortened or left out for want of room is said. Sizes are estimates.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tinkerbell context show\n  tinkerbell context show -s 0a1b2c3d --json")]
pub(crate) struct Show {
    #[command(flatten)]
    paging: Paging,

    #[command(flatten)]
    which: Which,
}

impl Show {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.find_id(&mut client)?;
        let answer = client.call(&Request::new(&operation::SESSION_CONTEXT)?.at("session", session))?;
        if context.globals.json {
            return context.print_json(&answer.body);
        }
        let view: ContextView = answer.read()?;
        let columns = context.columns();
        self.paging.show(context, |sink| print(sink, &view, columns))
    }
}

fn print(out: &mut Sink, view: &ContextView, columns: Option<usize>) -> Result<(), Error> {
    let heading = out.paint(HEAD, &format!("For {}", plain::name(view.model.as_str())));
    out.line(&heading)?;
    window(out, view)?;
    let mut table = Table::new(["SEQ", "WHAT", "TOKENS", ""]).flexible(3);
    table.row(["-".into(), "system prompt".into(), size(view.system_tokens), Cell::default()]);
    table.row(["-".into(), "tools".into(), size(view.tools_tokens), Cell::default()]);
    for file in &view.instructions {
        let cut = if file.cut { ", its beginning" } else { "" };
        let origin = format!("{}{cut} ({:.12})", plain::name(file.path.as_str()), file.blob.to_string());
        table.row(["-".into(), "instructions".into(), size(file.tokens), origin.into()]);
    }
    if view.omitted > 0 {
        let words = format!("{} left out for want of room", words::count(view.omitted, "older message"));
        table.row(["-".into(), Cell::styled(NOTE, "left out"), "-".into(), Cell::styled(NOTE, words)]);
    }
    view.messages.iter().for_each(|message| table.row(row(message)));
    table.print(out, columns)
}

/// How full the window is, as a bar and in numbers.
fn window(out: &mut Sink, view: &ContextView) -> Result<(), Error> {
    let whole = view.context_tokens.0.max(1);
    let columns = |tokens: u64| (tokens.min(whole) * BAR_COLUMNS).div_ceil(whole);
    let used = columns(view.tokens.0);
    let reply = columns(view.output_tokens.0).min(BAR_COLUMNS - used);
    let bar = |mark: &str, columns: u64| mark.repeat(usize::try_from(columns).unwrap_or(0));
    let used_bar = out.paint(GOOD, &bar("█", used));
    let reply_bar = out.paint(NOTE, &bar("▒", reply));
    let free_bar = out.paint(FAINT, &bar("░", BAR_COLUMNS - used - reply));
    let number = |tokens: Tokens| words::number(tokens.0);
    let percent = view.tokens.0.saturating_mul(100) / whole;
    out.line(&format!(
        "{used_bar}{reply_bar}{free_bar}  {} of {} tokens ({percent} %), {} kept free for the reply",
        number(view.tokens),
        number(view.context_tokens),
        number(view.output_tokens)
    ))
}

fn row(message: &ContextMessage) -> [Cell; 4] {
    let what = match message.kind {
        ItemKind::Prompt => "prompt",
        ItemKind::Reply => "reply",
        ItemKind::Partial => "interrupted reply",
        ItemKind::Result => "tool result",
    };
    let shortened = match message.shortened_to {
        Some(tokens) => Cell::styled(NOTE, format!("shortened to {}", words::number(tokens.0))),
        None => Cell::default(),
    };
    [message.seq.to_string().into(), what.into(), size(message.tokens), shortened]
}

fn size(tokens: Tokens) -> Cell {
    words::number(tokens.0).into()
}

#[cfg(test)]
mod tests {
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn all_that_goes_in_is_shown_and_all_that_does_not() {
        let hash = "a".repeat(64);
        let view = format!(
            r#"{{"model":"smol","context_tokens":2000,"output_tokens":500,"system_tokens":300,"tools_tokens":400,"tokens":1000,
            "instructions":[{{"path":"AGENTS.md","blob":"{hash}","tokens":50,"cut":true}}],"omitted":3,
            "messages":[{{"seq":12,"kind":"prompt","tokens":20}},{{"seq":14,"kind":"result","tokens":4000,"shortened_to":230}}]}}"#
        );
        let got = run(daemon(&[&view]), &["context", "show", "-s", SESSION]);
        let bar = format!("{}{}{}", "█".repeat(20), "▒".repeat(10), "░".repeat(10));
        let window = format!("{bar}  1,000 of 2,000 tokens (50 %), 500 kept free for the reply\n");
        assert!(got.out.starts_with(&format!("For smol\n{window}")), "{}", got.out);
        for line in [
            "-    system prompt  300\n",
            "-    instructions   50      AGENTS.md, its beginning (aaaaaaaaaaaa)\n",
            "-    left out       -       3 older messages left out for want of room\n",
            "12   prompt         20\n",
            "14   tool result    4,000   shortened to 230\n",
        ] {
            assert!(got.out.contains(line), "{line:?} in {}", got.out);
        }
    }

    #[test]
    fn a_window_that_overflows_has_a_bar_that_does_not() {
        let view = r#"{"model":"m","context_tokens":0,"output_tokens":9,"system_tokens":1,"tools_tokens":1,"tokens":90,
            "instructions":[],"messages":[],"omitted":0}"#;
        let got = run(daemon(&[view]), &["context", "show", "-s", SESSION]);
        assert_eq!(got.out.lines().nth(1).unwrap().matches('█').count(), 40);
    }
}
