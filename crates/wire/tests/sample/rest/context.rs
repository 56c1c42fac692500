//! What the next model call would be given.

use super::model;
use crate::sample::written::{Written, written};
use agent::{ItemKind, Seq, Tokens};
use wire::BlobHash;
use wire::rest::*;

pub(super) fn samples() -> Vec<Written> {
    let instruction = |path: &str, cut| InstructionView {
        path: wire::RelPath::new(path).expect("a path"),
        blob: BlobHash::of(path.as_bytes()),
        tokens: Tokens(300),
        cut,
    };
    let message = |seq, kind, shortened_to| ContextMessage { seq: Seq(seq), kind, tokens: Tokens(9_000), shortened_to };
    let (whole, cut) = (instruction("AGENTS.md", false), instruction("crates/wire/AGENTS.md", true));
    let (prompt, reply) = (message(12, ItemKind::Prompt, None), message(20, ItemKind::Reply, None));
    let (partial, result) = (message(14, ItemKind::Partial, None), message(21, ItemKind::Result, Some(Tokens(1_000))));
    let messages = vec![prompt.clone(), partial.clone(), reply.clone(), result.clone()];
    let view = |instructions, messages, omitted, tokens| ContextView {
        model: model(),
        context_tokens: Tokens(200_000),
        output_tokens: Tokens(8_192),
        system_tokens: Tokens(700),
        tools_tokens: Tokens(1_300),
        instructions,
        messages,
        omitted,
        tokens: Tokens(tokens),
    };
    written![
        ContextView: [
            view(vec![], vec![], 0, 2_000),
            view(vec![whole.clone(), cut.clone()], messages, 7, 30_600),
        ],
        InstructionView: [whole, cut],
        ContextMessage: [prompt, partial, reply, result],
    ]
}
