//! `sessions replay`: a recorded session, run again.

use crate::confirm::confirm;
use crate::current::Which;
use crate::error::Error;
use crate::plain;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use crate::screen::{BAD, FAINT, GOOD, NAME, NOTE, Screen};
use crate::words;
use agent::{ModelName, Money, Seq, TurnId};
use anstyle::Style;
use std::time::Duration;
use wire::operation;
use wire::rest::{Divergence, ReplayRequest, ReplayWith, Replayed, Rerun, RerunStep};

/// How long a replay may take. With a model it takes as long as its answers.
const LIMIT: Duration = Duration::from_secs(3600);

/// Runs a recorded session again, offline, and shows where this version would go another way
///
/// What happened is taken from the record: prompts, what models said, what tools did. What followed from it is worked out
/// anew and compared. Nothing is written or run, and nothing goes over a network. The exit code is 0 when all is the same.
///
/// With another model or prompt the last turn, or the one that --turn names, is run with a real model, which may cost
/// money: it is announced first. Tools are answered from the record where the call is the same; where it is not, the turn
/// stops there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell sessions replay
  tinkerbell sessions replay 0a1b2c3d --until 41
  tinkerbell sessions replay --with model=offline
  tinkerbell sessions replay --with prompt=\"Say it in French.\" --turn trn_3")]
pub(crate) struct Replay {
    /// The session: its id, or the beginning or end of it [default: the current one]
    #[arg(value_name = "ID", conflicts_with = "session")]
    id: Option<String>,

    /// The last update that is compared (see `tinkerbell sessions show --events`) [default: all of them]
    #[arg(long, value_name = "SEQ")]
    until: Option<u64>,

    /// What shall be otherwise: model=NAME or prompt=TEXT; may be given twice
    #[arg(long, value_name = "WHAT=VALUE", value_parser = otherwise)]
    with: Vec<Otherwise>,

    /// The turn that shall be run otherwise, such as trn_3 [default: the last one]
    #[arg(long, value_name = "TURN", requires = "with")]
    turn: Option<TurnId>,

    /// Do not ask before a model is called
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Clone)]
enum Otherwise {
    Model(ModelName),
    Prompt(String),
}

fn otherwise(text: &str) -> Result<Otherwise, String> {
    match text.split_once('=') {
        Some(("model", name)) if !name.is_empty() => Ok(Otherwise::Model(ModelName::new(name))),
        Some(("prompt", words)) if !words.trim().is_empty() => Ok(Otherwise::Prompt(words.to_owned())),
        _ => Err("say model=NAME or prompt=TEXT".to_owned()),
    }
}

impl Replay {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        client.wait_for("running it again".to_owned(), LIMIT);
        let session = self.which.clone().or(self.id.clone()).find_id(&mut client)?;
        let mut body = ReplayRequest { until: self.until.map(Seq), with: self.changes(), agreed: false };
        let mut ask = |body: &ReplayRequest| -> Result<_, Error> {
            client.call(&Request::new(&operation::SESSION_REPLAY)?.at("session", session).json(body))
        };
        let mut answer = ask(&body)?;
        let mut replayed: Replayed = answer.read()?;
        if let Some(rerun) = replayed.rerun.as_ref().filter(|rerun| rerun.end.is_none()) {
            let question = announced(rerun);
            let free = !rerun.leaves_machine && rerun.call_microusd == Some(Money(0));
            if !confirm(&mut context.screen, &question, self.yes || free)? {
                return Ok(Exit::BAD);
            }
            body.agreed = true;
            answer = ask(&body)?;
            replayed = answer.read()?;
        }
        if context.globals.json {
            context.print_json(&answer.body)?;
        } else {
            print(&mut context.screen, &replayed)?;
        }
        Ok(if is_same(&replayed) { Exit::GOOD } else { Exit::BAD })
    }

    fn changes(&self) -> Option<ReplayWith> {
        let mut with = ReplayWith { turn: self.turn, ..ReplayWith::default() };
        for one in &self.with {
            match one {
                Otherwise::Model(name) => with.model = Some(name.clone()),
                Otherwise::Prompt(words) => with.prompt = Some(words.clone()),
            }
        }
        (!self.with.is_empty()).then_some(with)
    }
}

fn is_same(replayed: &Replayed) -> bool {
    let steps = replayed.rerun.as_ref().map_or(&[][..], |rerun| &rerun.steps);
    replayed.divergence.is_none() && steps.iter().all(|step| step.as_recorded)
}

/// What is about to be done, as a question.
fn announced(rerun: &Rerun) -> String {
    let most = words::count(rerun.calls_at_most.into(), "call");
    let price = match rerun.call_microusd {
        Some(price) => format!("the first costs up to {}", words::dollars(price)),
        None => "what they cost is not known".to_owned(),
    };
    let leaves = if rerun.leaves_machine { "; what was said there leaves this machine" } else { "" };
    format!("Run {} with {}? That takes up to {most}, {price}{leaves}.", rerun.turn, rerun.model)
}

fn print(screen: &mut Screen, replayed: &Replayed) -> Result<(), Error> {
    let told = format!(
        "{} up to {}, {} decided; {} the same to the byte",
        words::count(replayed.events, "event"),
        replayed.until,
        replayed.decisions,
        words::count(replayed.requests, "request"),
    );
    let unchecked = match replayed.unchecked {
        0 => String::new(),
        some => format!(", {some} not made again"),
    };
    screen.remark(FAINT, &format!("{told}{unchecked}"))?;
    if let Some(divergence) = &replayed.divergence {
        return diverged(screen, divergence);
    }
    match &replayed.rerun {
        None => painted(screen, GOOD, "the same as recorded"),
        Some(rerun) => {
            rerun.steps.iter().enumerate().try_for_each(|(at, step)| shown(screen, at, step)).and_then(|()| {
                let cost = words::dollars(rerun.cost_microusd);
                screen
                    .out()
                    .line(&format!("{} It cost {cost}.", plain::strip(rerun.end.as_deref().unwrap_or_default())))
            })
        }
    }
}

fn diverged(screen: &mut Screen, divergence: &Divergence) -> Result<(), Error> {
    painted(screen, BAD, &format!("event {}: {}", divergence.seq, plain::strip(&divergence.what)))?;
    for line in &divergence.diff {
        let line = plain::visible(line);
        match line.chars().next() {
            Some('-') => painted(screen, BAD, &line)?,
            Some('+') => painted(screen, GOOD, &line)?,
            _ => screen.out().line(&line)?,
        }
    }
    Ok(())
}

fn painted(screen: &mut Screen, style: Style, text: &str) -> Result<(), Error> {
    let out = screen.out();
    let line = out.paint(style, text);
    out.line(&line)
}

fn shown(screen: &mut Screen, at: usize, step: &RerunStep) -> Result<(), Error> {
    let (style, same) = if step.as_recorded { (GOOD, "as recorded") } else { (NOTE, "otherwise") };
    painted(screen, style, &format!("step {}: {same}", at + 1))?;
    if !step.text.is_empty() {
        screen.out().line(&plain::strip(&step.text))?;
    }
    for call in &step.calls {
        let answered = call.answered_by.map_or_else(String::new, |seq| format!("  (answered by event {seq})"));
        let line = format!("{} {}{answered}", plain::name(&call.name), plain::visible(&call.arguments));
        painted(screen, NAME, &line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::run::Exit;
    use crate::testing::{SESSION, daemon, run};
    use serde_json::{Value, json};

    fn replayed(more: Value) -> String {
        let mut replayed =
            json!({"session": SESSION, "until": 9, "events": 9, "decisions": 4, "requests": 2, "unchecked": 0});
        for (name, value) in more.as_object().unwrap() {
            replayed[name] = value.clone();
        }
        replayed.to_string()
    }

    #[test]
    fn what_is_the_same_is_said_in_a_line_and_what_is_not_in_a_few() {
        let same = run(daemon(&[&replayed(json!({}))]), &["sessions", "replay", SESSION]);
        assert_eq!((same.exit, same.out.as_str()), (Some(Exit::GOOD), "the same as recorded\n"));
        assert_eq!(same.aside, "9 events up to 9, 4 decided; 2 requests the same to the byte\n");
        let divergence = json!({"divergence": {
            "seq": 4, "what": "then came a, now comes b", "recorded": "a", "now": "b", "diff": ["- a", "+ b"],
        }});
        let not = run(daemon(&[&replayed(divergence)]), &["sessions", "replay", SESSION, "--until", "9"]);
        assert_eq!((not.exit, not.out.as_str()), (Some(Exit::BAD), "event 4: then came a, now comes b\n- a\n+ b\n"));
        assert!(not.heard[0].ends_with("{\"until\":9}"), "{:?}", not.heard);
    }

    fn rerun(price: u64, more: Value) -> String {
        let mut rerun = json!({
            "turn": "trn_3", "model": "big", "leaves_machine": price > 0, "calls_at_most": 20,
            "call_microusd": price, "cost_microusd": 0, "steps": [],
        });
        for (name, value) in more.as_object().unwrap() {
            rerun[name] = value.clone();
        }
        replayed(json!({ "rerun": rerun }))
    }

    #[test]
    fn a_call_that_costs_is_announced_and_not_made_unasked() {
        let typed = ["sessions", "replay", SESSION, "--with", "model=big", "--turn", "trn_3"];
        let asked = run(daemon(&[&rerun(20_000, json!({}))]), &typed);
        let detail = asked.problem.unwrap().detail;
        let question = "Run trn_3 with big? That takes up to 20 calls, the first costs up to $0.02; what was said there leaves \
                        this machine.";
        assert!(detail.starts_with(question), "{detail}");
        assert_eq!(asked.heard.len(), 1);
        assert!(asked.heard[0].ends_with("{\"with\":{\"turn\":\"trn_3\",\"model\":\"big\"}}"), "{:?}", asked.heard);

        let steps = json!({"end": "The turn ends: done.", "cost_microusd": 1_000, "steps": [
            {"text": "Bien.", "as_recorded": false, "calls": [
                {"name": "read_file", "arguments": "{}", "answered_by": 12}]},
        ]});
        let yes = [&typed[..], &["--yes"]].concat();
        let done = run(daemon(&[&rerun(20_000, json!({})), &rerun(20_000, steps)]), &yes);
        let out =
            "step 1: otherwise\nBien.\nread_file {}  (answered by event 12)\nThe turn ends: done. It cost $0.001.\n";
        assert_eq!((done.exit, done.out.as_str()), (Some(Exit::BAD), out));
        assert!(done.heard[1].ends_with("\"agreed\":true}"), "{:?}", done.heard);
    }
}
