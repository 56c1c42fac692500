//! A real llama.cpp server, which nobody here wrote, asked in Anthropic's dialect and in OpenAI's responses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use agent::{Access, Stop, Tokens};
use models::{Backend, Ended, GenAi, GenAiConfig, GenAiProvider, Message, Reply, Request, Sink};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wire::ToolSpec;

/// The server. It ends when its standard input closes.
struct Llama {
    child: Child,
    url: String,
}

impl Llama {
    /// Starts it with the scripted model, or says why it cannot be had.
    fn start() -> Result<Llama, String> {
        let real =
            std::env::var_os("TINKERBELL_REAL").ok_or("TINKERBELL_REAL is not set; run `cargo xtask test --real`")?;
        let place = PathBuf::from(real).join("llama");
        let (python, model) = (place.join("venv/bin/python"), place.join("write_file.gguf"));
        if !python.exists() || !model.exists() {
            return Err(format!("there is no llama.cpp server in {}", place.display()));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/real/llama_server.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(model)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening ").map(str::to_owned));
        Ok(Llama { child, url: url.expect("the server says where it listens") })
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
    let llama = match Llama::start() {
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
