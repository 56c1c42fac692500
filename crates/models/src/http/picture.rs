//! Images and documents in a request: their bytes as text, their weight in tokens, and where those that a tool read go.

use crate::backend::{Attachment, Message, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Tokens that an image is taken to cost where the provider does not say. Providers cut images into tiles and charge some
/// 300 to 1,600; the estimate guards a budget, so it is from the upper end.
const IMAGE_TOKENS: usize = 1_500;
/// Bytes of a document for each token of its text, very roughly: most of a PDF is fonts and pictures.
const DOCUMENT_BYTES_PER_TOKEN: usize = 16;
/// The bytes that [`agent::Tokens::estimate`] takes for a token.
const BYTES_PER_TOKEN: usize = 4;

/// The bytes in base64 (RFC 4648, section 4), padded.
pub(crate) fn base64_of(attachment: &Attachment) -> String {
    STANDARD.encode(&attachment.bytes)
}

/// The bytes of text that a request of `rendered` bytes is taken for when tokens are estimated: an attachment weighs what
/// models count for it, not what its base64 would as text.
pub(crate) fn prompt_bytes(request: &Request, rendered: usize) -> usize {
    let mut bytes = rendered;
    for attachment in request.messages.iter().flat_map(attachments) {
        let length = attachment.bytes.len();
        let tokens = if attachment.media_type.is_image() { IMAGE_TOKENS } else { length / DOCUMENT_BYTES_PER_TOKEN };
        bytes = bytes.saturating_sub(length.div_ceil(3) * 4) + tokens * BYTES_PER_TOKEN;
    }
    bytes
}

fn attachments(message: &Message) -> &[Attachment] {
    match message {
        Message::User { attachments, .. } | Message::Tool { attachments, .. } => attachments,
        Message::Assistant { .. } => &[],
    }
}

/// What the model reads in place of an attachment that its server takes in no form. The daemon sends none of these; if
/// one comes all the same, the model must not believe that it saw it.
pub(crate) fn left_out(attachment: &Attachment) -> String {
    format!(
        "[{} is {}, which this server does not take: you do not see it]",
        attachment.name,
        attachment.media_type.word()
    )
}

/// What tools read, in the place where dialects without attachments in results can have it: behind the last of the
/// results that belong together, since nothing may stand between them.
pub(crate) fn read_by_tools(messages: &[Message], at: usize) -> Vec<&Attachment> {
    let is_result = |message: &Message| matches!(message, Message::Tool { .. });
    if !is_result(&messages[at]) || messages.get(at + 1).is_some_and(is_result) {
        return Vec::new();
    }
    let first = messages[..=at].iter().rposition(|message| !is_result(message)).map_or(0, |before| before + 1);
    messages[first..=at].iter().flat_map(attachments).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::Tokens;
    use wire::MediaType;

    fn attachment(name: &str, media: MediaType, length: usize) -> Attachment {
        Attachment { name: name.into(), media_type: media, bytes: vec![7; length].into() }
    }

    fn tool(attachments: Vec<Attachment>) -> Message {
        Message::Tool { call_id: "c".into(), name: "read_file".into(), text: "read".into(), attachments }
    }

    #[test]
    fn what_tools_read_comes_once_and_behind_the_last_result() {
        let picture = |name| attachment(name, MediaType::Png, 1);
        let user = Message::User { text: "look".into(), attachments: vec![picture("u")] };
        let messages = [user, tool(vec![picture("a")]), tool(vec![]), tool(vec![picture("b")])];
        let names = |at| read_by_tools(&messages, at).iter().map(|found| found.name.as_str()).collect::<Vec<_>>();
        assert_eq!([0, 1, 2].map(names), [vec![], vec![], vec![]] as [Vec<&str>; 3]);
        assert_eq!(names(3), ["a", "b"]);
    }

    #[test]
    fn an_attachment_weighs_what_models_count_for_it() {
        let request = |attachments| Request {
            model: "m".into(),
            system: String::new(),
            messages: vec![Message::User { text: "x".into(), attachments }],
            tools: [].into(),
            max_output_tokens: Tokens(1),
            schema: None,
        };
        assert_eq!(prompt_bytes(&request(vec![]), 100), 100);
        let big = request(vec![attachment("a.png", MediaType::Png, 3_000_000)]);
        assert_eq!(Tokens::estimate(prompt_bytes(&big, 4_000_100)), Tokens(1_525));
        let paper = request(vec![attachment("a.pdf", MediaType::Pdf, 1_600)]);
        assert_eq!(Tokens::estimate(prompt_bytes(&paper, 2_136 + 40)), Tokens(110));
    }
}
