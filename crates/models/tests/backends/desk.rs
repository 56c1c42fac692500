//! A desk with files in memory and the tools that the offline model calls, answering in the forms that the tools
//! document. Enough to carry a turn through; the daemon's own tests do it with the real hands.

use agent::Access;
use models::{Message, ReplyCall, Request, answer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::ToolSpec;

const TOOLS: [&str; 8] =
    ["read_file", "write_file", "edit_file", "move_file", "delete_file", "list_directory", "find_files", "search_text"];

/// Replies after which a turn must have ended.
const MAX_REPLIES: usize = 60;

/// The desk.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) files: BTreeMap<String, String>,
    seen: BTreeSet<String>,
    /// Lines that `read_file` shows at once.
    pub(crate) lines_per_read: usize,
}

/// What came of a prompt.
pub(crate) struct Turn {
    /// Every call, in order.
    pub(crate) calls: Vec<ReplyCall>,
    /// How many calls each reply asked for.
    pub(crate) replies: Vec<usize>,
    /// The first reply's words.
    pub(crate) opening: String,
    /// The last reply's words.
    pub(crate) closing: String,
}

impl Desk {
    pub(crate) fn with(files: &[(&str, &str)]) -> Desk {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Desk { files, seen: BTreeSet::new(), lines_per_read: 2000 }
    }

    /// Carries a prompt through to the last reply.
    pub(crate) fn ask(&mut self, messages: &mut Vec<Message>, prompt: &str) -> Turn {
        messages.push(Message::User { text: prompt.to_owned(), attachments: vec![] });
        let mut turn = Turn { calls: vec![], replies: vec![], opening: String::new(), closing: String::new() };
        for number in 0.. {
            assert!(number < MAX_REPLIES, "the turn does not end: {prompt}");
            let request = Request { messages: messages.clone(), tools: tools(), ..crate::server::request("") };
            let reply = answer(&request);
            assert_eq!(answer(&request), reply, "the same request gives the same reply");
            messages.push(Message::Assistant { text: reply.text.clone(), calls: reply.calls.clone(), carry: None });
            turn.replies.push(reply.calls.len());
            if number == 0 {
                turn.opening.clone_from(&reply.text);
            }
            if reply.calls.is_empty() {
                turn.closing = reply.text;
                break;
            }
            for call in reply.calls {
                let text = self.run(&call.name, &serde_json::from_str(&call.arguments).unwrap());
                messages.push(Message::Tool {
                    call_id: call.id.clone(),
                    name: call.name.clone(),
                    text,
                    attachments: vec![],
                });
                turn.calls.push(call);
            }
        }
        turn
    }

    fn run(&mut self, tool: &str, arguments: &Value) -> String {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let path = text("path");
        match tool {
            "read_file" => self.read(&path, arguments.get("offset").and_then(Value::as_u64).unwrap_or(1) as usize),
            "write_file" if self.files.contains_key(&path) && !self.seen.contains(&path) => {
                format!(
                    "{path} exists (1 line, 6 bytes) and you have not read it; read it with read_file first, or use edit_file"
                )
            }
            "write_file" => {
                self.seen.insert(path.clone());
                self.files.insert(path.clone(), text("content"));
                format!("wrote {path}: 1 line, {} bytes (new file)", text("content").len())
            }
            "edit_file" => self.edit(&path, &text("old"), &text("new"), arguments.get("all").is_some()),
            "move_file" => match self.files.remove(&text("from")) {
                Some(content) => {
                    self.files.insert(text("to"), content);
                    format!("moved {} to {}: 1 line, 6 bytes", text("from"), text("to"))
                }
                None => absent(&text("from")),
            },
            "delete_file" => match self.files.remove(&path) {
                Some(_) => format!("deleted {path}: 1 line, 6 bytes"),
                None => absent(&path),
            },
            "list_directory" => format!("{path}: {} entries\n{}", self.files.len(), self.names()),
            "find_files" => format!("\"{}\": {} files\n{}", text("pattern"), self.files.len(), self.names()),
            "search_text" => format!("\"{}\": 1 matching line in 1 file (3 searched)\nsrc/a.rs:1: x", text("pattern")),
            _ => panic!("there is no tool {tool}"),
        }
    }

    fn read(&mut self, path: &str, offset: usize) -> String {
        let Some(content) = self.files.get(path) else { return absent(path) };
        self.seen.insert(path.to_owned());
        let lines: Vec<&str> = content.split_inclusive('\n').collect();
        let shown = &lines[(offset - 1).min(lines.len())..(offset - 1 + self.lines_per_read).min(lines.len())];
        let (first, last, total) = (offset.min(lines.len()), offset - 1 + shown.len(), lines.len());
        let note = match total - last {
            0 => String::new(),
            more => format!("[… {more} more lines; read on with offset {}]", last + 1),
        };
        format!("{path}: lines {first}-{last} of {total}, {} bytes\n{}{note}", content.len(), shown.concat())
    }

    fn edit(&mut self, path: &str, old: &str, new: &str, all: bool) -> String {
        let Some(content) = self.files.get_mut(path) else { return absent(path) };
        match content.matches(old).count() {
            0 => format!("old does not occur in {path}; read the file and copy the text exactly, white space included"),
            times if times > 1 && !all => {
                format!("old occurs {times} times in {path} (at lines 1); add lines around it, or set all to true")
            }
            times => {
                *content = content.replace(old, new);
                format!("edited {path}: {times} replacement at line 1; it now has 1 line, 6 bytes")
            }
        }
    }

    fn names(&self) -> String {
        self.files.keys().cloned().collect::<Vec<_>>().join("\n")
    }
}

fn absent(path: &str) -> String {
    format!("there is no {path}; find_files and list_directory show what there is")
}

fn tools() -> Arc<[ToolSpec]> {
    let tool = |name: &&str| ToolSpec {
        name: (*name).to_owned(),
        description: String::new(),
        parameters: serde_json::json!({"type": "object"}),
        access: Access::Write,
    };
    TOOLS.iter().map(tool).collect()
}
