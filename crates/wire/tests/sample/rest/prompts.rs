//! Prompts with what is attached to them, and their acknowledgement.

use super::{model, words};
use crate::sample::shapes::session;
use crate::sample::written::{Written, written};
use agent::{ModelName, Seq, TurnId};
use wire::rest::*;

pub(super) fn samples() -> Vec<Written> {
    let route = Some(ModelName::new("careful"));
    let acknowledged = |turn, model, why| Acknowledged { session: session(), seq: Seq(12), turn, model, why };
    let (image, empty) = (attachment("größe \"a\".png", "iVBORw0KGgo="), attachment("docs/empty.pdf", ""));
    written![
        PromptRequest: [
            prompt(vec![], None, WhileRunning::Queue),
            prompt(vec![], route.clone(), WhileRunning::Steer),
            prompt(vec![image.clone(), empty.clone()], Some(model()), WhileRunning::Queue),
        ],
        AttachmentRequest: [image, empty],
        Acknowledged: [
            acknowledged(None, None, None),
            acknowledged(Some(TurnId(3)), route, None),
            acknowledged(Some(TurnId(3)), Some(model()), words("the configuration's default")),
        ],
    ]
}

/// A prompt with an image and a model, as it opens a session.
pub(super) fn full() -> PromptRequest {
    prompt(vec![attachment("screen.png", "iVBORw0KGgo=")], Some(model()), WhileRunning::Queue)
}

fn prompt(attachments: Vec<AttachmentRequest>, model: Option<ModelName>, while_running: WhileRunning) -> PromptRequest {
    PromptRequest { text: "Fix the carry.".to_owned(), attachments, model, while_running }
}

fn attachment(name: &str, data: &str) -> AttachmentRequest {
    AttachmentRequest { name: name.to_owned(), data: data.to_owned() }
}
