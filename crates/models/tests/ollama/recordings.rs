//! Every recorded answer of `/api/chat`, once more over HTTP: what it becomes for the caller.

use crate::server::*;
use agent::Failure;
use models::{Backend, Ended, Ollama, OllamaConfig};
use serde::Deserialize;
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

const RECORDINGS: [(&str, &str); 2] = [
    ("0.24.0", include_str!("../recordings/ollama/0.24.0.jsonl")),
    ("0.33.0-rc2", include_str!("../recordings/ollama/0.33.0-rc2.jsonl")),
];

#[derive(Deserialize)]
struct Recording {
    name: String,
    path: String,
    status: u16,
    content_type: Option<String>,
    body: String,
}

fn recordings() -> Vec<(&'static str, Recording)> {
    let lines = RECORDINGS.iter().flat_map(|(version, text)| text.lines().map(move |line| (*version, line)));
    lines
        .map(|(version, line)| (version, serde_json::from_str::<Recording>(line).unwrap()))
        .filter(|(_, recording)| recording.path == "/api/chat")
        .collect()
}

fn replayed(recording: &Recording) -> Vec<Step> {
    let content_type = recording.content_type.as_deref().unwrap_or("text/plain");
    if recording.body.lines().count() < 2 {
        return vec![plain(&format!("{} Recorded", recording.status), content_type, "", &recording.body)];
    }
    let head = format!(
        "HTTP/1.1 {} Recorded\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n",
        recording.status
    );
    let lines = recording.body.split_inclusive('\n').map(piece);
    std::iter::once(Step::Send(head.into_bytes())).chain(lines).chain([end()]).collect()
}

async fn ask(server: &Server) -> Ended {
    let ollama = Ollama::new(OllamaConfig::new(server.base.trim_end_matches("/v1"))).unwrap();
    ollama.call(request("hi"), deaf(), CancellationToken::new()).await
}

#[tokio::test]
async fn every_recorded_answer_ends_as_it_ended_there() {
    let all = recordings();
    let server = Server::start(all.iter().map(|(_, recording)| replayed(recording))).await;
    let (mut finished, mut failed) = (0, BTreeMap::new());
    for (version, recording) in &all {
        let name = format!("{version} {}", recording.name);
        match ask(&server).await {
            Ended::Finished(reply) => {
                assert_eq!(recording.status, 200, "{name}");
                assert!(recording.body.contains(r#""done":true"#), "{name}: {reply:?}");
                finished += 1;
            }
            Ended::Failed { failure, message, .. } => {
                let odd = recording.body.contains(r#"{"error""#) || !recording.body.contains(r#""eval_count""#);
                assert!(recording.status != 200 || odd, "{name}: {message}");
                *failed.entry((recording.status, failure)).or_insert(0) += 1;
            }
            Ended::Interrupted { .. } => panic!("{name}: nobody stopped it"),
        }
    }
    println!("recordings {}, finished {finished}, failed {failed:?}", all.len());
    assert_eq!(finished + failed.values().sum::<usize>(), all.len());
    assert!(finished > 180 && failed.len() >= 4, "the recordings are all there");
}

#[tokio::test]
async fn each_refusal_has_its_kind() {
    let all = recordings();
    for (name, expected, words) in [
        ("err_unknown_model_chat", Failure::UnknownModel, "model 'nope' not found"),
        ("chat_prompt_too_long_truncate_false", Failure::ContextTooLong, "context"),
        ("chat_prompt_too_long_truncate_false_stream", Failure::ContextTooLong, "context_tokens"),
        ("chat_on_embed_model", Failure::Rejected, "does not support chat"),
        ("think_on_plain_model", Failure::Rejected, "does not support thinking"),
        ("tools_on_model_without_template_support", Failure::Rejected, "does not support tools"),
        ("err_option_wrong_type", Failure::Rejected, "num_ctx"),
        ("chat_format_bad_schema", Failure::Rejected, "schema"),
        ("chat_format_bad_string", Failure::Rejected, "format"),
        ("s-think_string_arguments_in_history", Failure::Rejected, "400"),
        ("err_empty_body", Failure::Rejected, "400"),
        ("cloud_model_disabled", Failure::Unauthorized, "cloud is disabled"),
        ("queue_other_model_2", Failure::Overloaded, "server busy"),
    ] {
        let found: Vec<_> = all.iter().filter(|(_, recording)| recording.name == name).collect();
        assert!(!found.is_empty(), "{name} is recorded");
        for (version, recording) in found {
            let server = Server::start([replayed(recording)]).await;
            let (failure, _, message, partial) = failed(ask(&server).await);
            assert_eq!(failure, expected, "{version} {name}: {message}");
            assert!(message.contains(words), "{version} {name}: {message}");
            assert!(
                !message.contains(r#"{\"error"#) && partial.usage == agent::Usage::default(),
                "{version} {name}: {message}"
            );
        }
    }
}
