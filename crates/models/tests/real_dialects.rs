//! A real llama.cpp server, which nobody here wrote, asked in Anthropic's dialect and in OpenAI's responses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

#[path = "shared/llama.rs"]
mod llama;

use agent::{Access, Stop, Tokens};
use llama::Llama;
use models::{Backend, Ended, GenAi, GenAiConfig, GenAiProvider, Message, Reply, Request, Sink};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wire::ToolSpec;

fn asking(messages: Vec<Message>) -> Request {
    let string = serde_json::json!({"type": "string"});
    let parameters = serde_json::json!({"type": "object", "properties": {"path": string, "content": string}, "required": ["path", "content"]});
    let tool =
        ToolSpec { name: "write_file".into(), description: "Writes a file.".into(), parameters, access: Access::Write };
    Request {
        model: "scripted".into(),
        system: "Be brief.".into(),
        messages,
        tools: [tool].into(),
        max_output_tokens: Tokens(400),
        schema: None,
    }
}

async fn ask(backend: &GenAi, messages: Vec<Message>) -> Reply {
    let deaf: Sink = Arc::new(|_, _| {});
    match backend.call(asking(messages), deaf, CancellationToken::new()).await {
        Ended::Finished(reply) => reply,
        other => panic!("not a reply: {other:?}"),
    }
}

#[tokio::test]
#[ignore = "real: needs a llama.cpp server"]
async fn real_llama_is_understood_in_two_dialects_that_it_bends() {
    let llama = match Llama::start("llama/write_file.gguf", &[]) {
        Ok(llama) => llama,
        Err(reason) => return println!("skipped: {reason}"),
    };
    for provider in [GenAiProvider::Anthropic, GenAiProvider::OpenAiResponses] {
        let base_url = Some(format!("{}/v1", llama.url));
        let backend = GenAi::new(GenAiConfig { base_url, ..GenAiConfig::new(provider) }).unwrap();
        let prompt = Message::User { text: "Write the file.".into(), attachments: vec![] };
        let reply = ask(&backend, vec![prompt.clone()]).await;
        println!("{provider:?}: {reply:?}");
        assert_eq!((reply.stop, reply.calls.len()), (Stop::ToolCalls, 1));
        let call = &reply.calls[0];
        let arguments: serde_json::Value = serde_json::from_str(&call.arguments).unwrap();
        assert_eq!((call.name.as_str(), &arguments["path"]), ("write_file", &"notes/llama.txt".into()));
        assert!(!reply.usage.estimated && reply.usage.input_tokens > Tokens(0));
        let result = Message::Tool {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text: "wrote notes/llama.txt".into(),
            attachments: vec![],
        };
        let said =
            Message::Assistant { text: reply.text.clone(), calls: reply.calls.clone(), carry: reply.carry.clone() };
        let reply = ask(&backend, vec![prompt, said, result]).await;
        println!("{provider:?}: {reply:?}");
        assert_eq!((reply.text.as_str(), reply.stop), ("The file is très joli now 😀.", Stop::End));
    }
}
