//! `sessions redact`: takes the words of events out of the journal.

use crate::confirm::confirm;
use crate::current::{self, Which};
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::NOTE;
use crate::typed;
use crate::words;
use agent::Seq;
use std::str::FromStr;
use wire::operation;
use wire::rest::{EventPlace, RedactRequest, Redacted, SnapshotRow};

/// What is said where bytes are left in files for now.
pub(crate) const NOT_CLEARED: &str =
    "! bytes may be left in files for now; they go with later writes, or when the daemon is next started";

/// Takes the words of events out of the journal; this cannot be taken back
///
/// What an event says goes, with its files and long texts where no other event holds them, with what search knows of it
/// and the title that was taken from it; the event itself stays, and the chain still verifies. Copies in forks go as well.
/// A path of the canvas whose bytes go leaves the canvas; your files stay as they are. While a turn is open it is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions show 0a1b2c3d --events | grep secret
  tinkerbell sessions redact 0a1b2c3d 12 14-17 --reason \"a customer's name\"
  tinkerbell sessions redact --yes --keep-forks 0a1b2c3d 12")]
pub(crate) struct Redact {
    /// The session: its id, or the beginning or end of it
    #[arg(value_name = "ID")]
    id: String,

    /// The events: numbers, or ranges such as 14-17
    #[arg(value_name = "SEQ", required = true)]
    events: Vec<Events>,

    /// Why; it is kept, so do not repeat the words
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Leave the copies in forks as they are
    #[arg(long)]
    keep_forks: bool,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Events from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Events(u64, u64);

/// The most events that a range may have; the daemon takes fewer.
const MOST_EVENTS: u64 = 1000;

impl FromStr for Events {
    type Err = String;

    fn from_str(text: &str) -> Result<Events, String> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| "a number of an event, or a range such as 14-17");
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (number(first)?, number(last)?) {
            (first, last) if first >= 1 && first <= last && last - first < MOST_EVENTS => Ok(Events(first, last)),
            (1.., _) => Err(format!("a range goes from the smaller number to the larger, over at most {MOST_EVENTS}")),
            _ => Err("events are numbered from 1".to_owned()),
        }
    }
}

impl Redact {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let id = Which::of(&self.id).find_id(&mut client)?;
        let mut seqs: Vec<Seq> = self.events.iter().flat_map(|Events(first, last)| (*first..=*last).map(Seq)).collect();
        seqs.sort_unstable();
        seqs.dedup();
        let many = words::count(seqs.len() as u64, "event");
        if !confirm(&mut context.screen, &format!("Forget the words of {many} of {id} for good?"), self.yes)? {
            return Ok(Exit::BAD);
        }
        let said = typed::prompts(&mut client, id, Some(&seqs))?;
        let wish = RedactRequest { seqs, reason: self.reason, keep_forks: self.keep_forks };
        let answer = client.call(&Request::new(&operation::SESSION_REDACT)?.at("session", id).json(&wish))?;
        typed::forget(context, &said)?;
        let redacted: Redacted = answer.read()?;
        let left = redacted.forks.iter().any(|fork| fork.refused.is_some());
        match context.globals.json {
            true => context.print_json(&answer.body).map(drop)?,
            false => print(context, &redacted)?,
        }
        // What was asked is not wholly done while a fork still has the words.
        Ok(if left { Exit::BAD } else { Exit::GOOD })
    }
}

fn print(context: &mut Context, redacted: &Redacted) -> Result<(), Error> {
    let listed = |seqs: &[Seq]| seqs.iter().map(Seq::to_string).collect::<Vec<_>>().join(" ");
    let line = match redacted.forgotten.as_slice() {
        [] => "nothing to forget: these events had no words any more".to_owned(),
        seqs => format!("forgot the words of {}: {}", words::count(seqs.len() as u64, "event"), listed(seqs)),
    };
    context.screen.out().line(&line)?;
    if redacted.paths_left > 0 {
        let paths = words::count(u64::from(redacted.paths_left), "path");
        context.screen.out().line(&format!("{paths} left the canvas; the files in the workspace are as they were"))?;
    }
    for fork in &redacted.forks {
        let short = current::short(fork.session);
        match &fork.refused {
            None => context.screen.out().line(&format!("in its fork {short}: {}", listed(&fork.forgotten)))?,
            Some(why) => {
                let why = plain::strip(why);
                context.screen.remark(NOTE, &format!("! its fork {short} still has them: {why}"))?;
            }
        }
    }
    places(context, "! the same files or long texts are still held by", &redacted.still_held)?;
    places(context, "! the sessions that it was forked from still say the same:", &redacted.originals)?;
    in_snapshots(context, &redacted.snapshots, &redacted.held_in)?;
    in_kept_states(context, &redacted.kept_states)?;
    match redacted.cleared {
        true => Ok(()),
        false => context.screen.remark(NOTE, NOT_CLEARED),
    }
}

fn places(context: &mut Context, what: &str, places: &[EventPlace]) -> Result<(), Error> {
    if places.is_empty() {
        return Ok(());
    }
    context.screen.remark(NOTE, what)?;
    for EventPlace { session, seq } in places {
        let short = current::short(*session);
        context.screen.remark(NOTE, &format!("  tinkerbell sessions redact {short} {seq}"))?;
    }
    Ok(())
}

/// Says which snapshots still hold it, and where they lie: one that was written elsewhere is not found by its name.
pub(crate) fn in_snapshots(context: &mut Context, names: &[String], held_in: &[SnapshotRow]) -> Result<(), Error> {
    let lines = |noted| -> Vec<String> {
        let some = held_in.iter().filter(|row| row.noted == noted);
        some.map(|row| format!("{}  {}", row.id, plain::name(&row.file.display().to_string()))).collect()
    };
    // Where they could not be looked through, the answer has words in place of names.
    let told = if held_in.is_empty() { names.iter().map(|name| plain::strip(name)).collect() } else { lines(true) };
    for (what, lines) in [
        ("! snapshots that were made before still hold it:", told),
        ("! snapshots that the journal does not know may hold it:", lines(false)),
    ] {
        if !lines.is_empty() {
            context.screen.remark(NOTE, what)?;
        }
        lines.iter().try_for_each(|line| context.screen.remark(NOTE, &format!("  {line}")))?;
    }
    Ok(())
}

/// Says where the states lie that restores have replaced.
pub(crate) fn in_kept_states(context: &mut Context, states: &[String]) -> Result<(), Error> {
    if states.is_empty() {
        return Ok(());
    }
    context
        .screen
        .remark(NOTE, "! these states, which a restore has replaced and kept, may hold it; `rm -r` removes one:")?;
    for state in states {
        context.screen.remark(NOTE, &format!("  {}", plain::strip(state)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SESSION, daemon, run};

    #[test]
    fn events_are_numbers_and_ranges() {
        assert_eq!("7".parse(), Ok(Events(7, 7)));
        assert_eq!("7-9".parse(), Ok(Events(7, 9)));
        for wrong in ["", "0", "0-3", "9-7", "a", "1-", "1-2000"] {
            assert!(wrong.parse::<Events>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_left_elsewhere_is_told_with_the_way_out() {
        let place = format!("{{\"session\":\"{SESSION}\",\"seq\":12}}");
        let answer = format!(
            "{{\"session\":\"{SESSION}\",\"seq\":20,\"forgotten\":[3,4],\"paths_left\":1,\"forks\":[{{\"session\":\
             \"{SESSION}\",\"forgotten\":[],\"refused\":\"a turn is open there\"}}],\"still_held\":[{place}],\
             \"originals\":[],\"snapshots\":[\"monday\"],\"kept_states\":[\"/s/before-restore-1\"],\"cleared\":true}}"
        );
        let page = "{\"events\":[]}";
        let done = run(daemon(&[page, &answer]), &["sessions", "redact", "-y", SESSION, "3-4"]);
        assert_eq!(done.exit, Some(Exit::BAD), "a fork still has the words");
        assert!(done.out.starts_with("forgot the words of 2 events: 3 4\n1 path left the canvas"), "{}", done.out);
        for told in ["a turn is open there", "sessions redact 00000007 12", "  monday", "  /s/before-restore-1"] {
            assert!(done.aside.contains(told), "{told}: {}", done.aside);
        }
        let row = |file: &str, noted: bool| {
            serde_json::json!({
                "id": "snp_01kav9ft000000000000000009", "file": file, "bytes": 9, "noted": noted, "reason": "asked",
                "created_at": "2025-11-23T09:00:00.000000Z", "sealed": false, "sessions": 1,
            })
        };
        let held_in = serde_json::json!([row("/usb/a.tar", true), row("/old/b.tar", false)]);
        let answer = answer.replace("\"cleared\"", &format!("\"held_in\":{held_in},\"cleared\""));
        let told = run(daemon(&[page, &answer]), &["sessions", "redact", "-y", SESSION, "3-4"]).aside;
        let (known, unknown) = told.split_once("may hold it:\n").unwrap();
        assert!(known.contains("still hold it:\n  snp_01kav9ft000000000000000009  /usb/a.tar\n"), "{told}");
        assert!(unknown.contains("  snp_01kav9ft000000000000000009  /old/b.tar\n"), "{told}");
        let asked = done.heard.last().unwrap();
        assert!(asked.starts_with(&format!("POST /v1/sessions/{SESSION}/redact ")), "{asked}");
        assert!(asked.ends_with("{\"seqs\":[3,4]}"), "{asked}");
    }

    #[test]
    fn it_needs_a_yes_where_nobody_can_be_asked() {
        let refused = run(daemon(&[]), &["sessions", "redact", SESSION, "3"]);
        assert!(refused.problem.unwrap().detail.contains("Forget the words of 1 event of"));
    }
}
