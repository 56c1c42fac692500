//! `approve`: answers a question with yes; and how `deny` answers one too.

use crate::current::{self, Which};
use crate::error::Error;
use crate::question;
use crate::request::Request;
use crate::run::{Context, Exit, Starting};
use agent::{Answer, EffectId, Question};
use wire::rest::{AnswerRequest, ApprovalView};
use wire::{Code, Problem, operation};

/// Answers a question of the session with yes
///
/// A tool call that waits for permission is allowed; a call that was lost when the daemon ended is tried again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tinkerbell approve
  tinkerbell approve trn_1.2.ask.0.1
  tinkerbell approve trn_1.2.ask.0.1 --answer skip")]
pub(crate) struct Approve {
    #[command(flatten)]
    reply: Reply,
}

/// What `approve` and `deny` take.
#[derive(Debug, clap::Args)]
pub(crate) struct Reply {
    /// The question [default: the only one that is open]
    #[arg(value_name = "ID")]
    id: Option<EffectId>,

    /// The answer in its own word
    #[arg(long, value_enum, value_name = "WORD")]
    answer: Option<Word>,

    #[command(flatten)]
    which: Which,
}

/// The answers by their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Word {
    /// Let the call run
    Allow,
    /// Do not let it run
    Deny,
    /// Try the lost call again, or go on with the turn
    Retry,
    /// Leave the lost call out
    Skip,
    /// Give the turn up
    Abandon,
}

impl Approve {
    /// Runs it.
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Error> {
        self.reply.send(context, question::approval)
    }
}

impl Reply {
    /// Answers the question; `usual` is the answer where none was given.
    pub(crate) fn send(self, context: &mut Context, usual: fn(Question) -> Answer) -> Result<Exit, Error> {
        let mut client = context.client(Starting::IfNeeded)?;
        let session = self.which.find_id(&mut client)?;
        let (id, answer) = match (self.id, self.answer) {
            (Some(id), Some(word)) => (id, Answer::from(word)),
            (id, word) => {
                let open = one_of(current::get(&mut client, session)?.approvals, id)?;
                (open.id, word.map_or_else(|| usual(open.question), Answer::from))
            }
        };
        let request = Request::new(&operation::SESSION_ANSWER)?
            .at("session", session)
            .at("approval", id)
            .json(&AnswerRequest { answer });
        let body = client.call(&request)?.body;
        if context.globals.json {
            return context.print_json(&body);
        }
        context.screen.out().line(&format!("answered {id}: {}", answer.word()))?;
        Ok(Exit::GOOD)
    }
}

/// The question with this id, or the only one.
fn one_of(mut open: Vec<ApprovalView>, id: Option<EffectId>) -> Result<ApprovalView, Problem> {
    if let Some(id) = id {
        open.retain(|view| view.id == id);
    }
    match (open.len(), id) {
        (1, _) => Ok(open.remove(0)),
        (0, Some(id)) => Err(Problem::new(Code::NotFound, format!("no question {id} waits for an answer"))
            .remedy("`tinkerbell sessions show` tells what happened to it")),
        (0, None) => Err(Problem::new(Code::NotFound, "no question of this session waits for an answer")
            .remedy("`tinkerbell sessions ls` shows which sessions wait")),
        (several, _) => {
            let ids: Vec<String> = open.iter().map(|view| format!("{} ({})", view.id, view.question.word())).collect();
            Err(Problem::new(Code::InvalidRequest, format!("{several} questions wait: {}", ids.join(", ")))
                .remedy("say which one, by its id"))
        }
    }
}

impl From<Word> for Answer {
    fn from(word: Word) -> Answer {
        match word {
            Word::Allow => Answer::Allow,
            Word::Deny => Answer::Deny,
            Word::Retry => Answer::Retry,
            Word::Skip => Answer::Skip,
            Word::Abandon => Answer::Abandon,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_open_question_needs_no_name() {
        let view = |id: &str| ApprovalView {
            id: id.parse().unwrap(),
            question: Question::Permission,
            message: String::new(),
            answers: Vec::new(),
        };
        let (first, second) = (view("trn_1.1.ask.0.1"), view("trn_1.1.ask.1.1"));
        assert_eq!(one_of(vec![first.clone()], None).unwrap(), first);
        assert_eq!(one_of(vec![first.clone(), second.clone()], Some(second.id)).unwrap(), second);
        assert_eq!(one_of(vec![first.clone(), second], None).unwrap_err().code, Code::InvalidRequest);
        assert_eq!(one_of(Vec::new(), Some(first.id)).unwrap_err().code, Code::NotFound);
    }
}
