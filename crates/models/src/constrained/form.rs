//! The forms that an answer may have: the schema that the server holds the model to, and the lines that tell the model.

use serde_json::{Map, Value, json};
use wire::ToolSpec;

/// The key that makes an answer a call; its value is the tool's name.
pub(super) const TOOL: &str = "tool";
/// The key that makes an answer words.
pub(super) const REPLY: &str = "reply";
/// The key below which the arguments of a tool lie that has an argument of its own with the name of the first key.
pub(super) const ARGUMENTS: &str = "arguments";

/// Whether a tool's arguments stand in an object of their own.
pub(super) fn is_nested(tool: &ToolSpec) -> bool {
    properties(tool).is_some_and(|properties| properties.contains_key(TOOL))
}

/// The schema: one object for each tool, and one for words. The key that tells them apart comes first, since a model
/// decides when it writes it. `reply` is the schema of the words, where they have one.
pub(super) fn schema(tools: &[ToolSpec], reply: Option<&Value>) -> Value {
    let mut forms: Vec<Value> = tools.iter().map(call_form).collect();
    let words = reply.cloned().unwrap_or_else(|| json!({"type": "string"}));
    forms.push(object(Map::from_iter([(REPLY.to_owned(), words)]), vec![json!(REPLY)]));
    json!({ "anyOf": forms })
}

fn call_form(tool: &ToolSpec) -> Value {
    let mut fields = Map::from_iter([(TOOL.to_owned(), json!({"const": tool.name}))]);
    let mut required = vec![json!(TOOL)];
    if is_nested(tool) {
        fields.insert(ARGUMENTS.to_owned(), closed(&tool.parameters));
        required.push(json!(ARGUMENTS));
    } else {
        fields.extend(properties(tool).into_iter().flatten().map(|(name, field)| (name.clone(), closed(field))));
        required.extend(tool.parameters.get("required").and_then(Value::as_array).into_iter().flatten().cloned());
    }
    object(fields, required)
}

fn object(properties: Map<String, Value>, required: Vec<Value>) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn properties(tool: &ToolSpec) -> Option<&Map<String, Value>> {
    tool.parameters.get("properties").and_then(Value::as_object)
}

/// The schema of a field, which now stands at another place: one that points elsewhere would point nowhere, so it allows
/// anything, and the tool itself checks what it gets.
fn closed(schema: &Value) -> Value {
    if points_elsewhere(schema) { json!({}) } else { schema.clone() }
}

fn points_elsewhere(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => fields.contains_key("$ref") || fields.values().any(points_elsewhere),
        Value::Array(items) => items.iter().any(points_elsewhere),
        _ => false,
    }
}

/// What the model is told about the tools: what each is for and how a call of it looks, a line each. Found by experiment
/// with the smallest model that there is: more words, examples and signatures made it worse.
pub(super) fn instructions(tools: &[ToolSpec]) -> String {
    let mut text = "Answer with one JSON object.\n".to_owned();
    for tool in tools {
        let purpose = first_clause(&tool.description);
        let purpose = if purpose.is_empty() { &tool.name } else { purpose };
        text += &format!("{purpose}: {}\n", example(tool));
    }
    text + &format!("To answer in words: {{\"{REPLY}\":\"...\"}}")
}

/// A call with everything that is required, in the form that the schema allows.
fn example(tool: &ToolSpec) -> String {
    let mut call = format!("{{\"{TOOL}\":{}", json!(tool.name));
    let required = tool.parameters.get("required").and_then(Value::as_array).into_iter().flatten();
    let fields: Vec<String> = required.map(|name| format!("{name}:\"...\"")).collect();
    if is_nested(tool) {
        call += &format!(",\"{ARGUMENTS}\":{{{}}}", fields.join(","));
    } else {
        fields.iter().for_each(|field| call += &format!(",{field}"));
    }
    call + "}"
}

/// The description up to its first comma or full stop: what the tool is for, without what it is careful about.
fn first_clause(description: &str) -> &str {
    let end = description.find([',', '.', '\n', ';', ':']).unwrap_or(description.len());
    description[..end].trim()
}
