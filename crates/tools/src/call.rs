//! Reads what a model asks for. Nothing of it is trusted, and every error says how to repair the call.

use crate::patch::{Patch, PatchError};
use crate::search::Wanted;
use crate::table::{Definition, Field, Kind, Tool};
use crate::text;
use agent::Access;
use serde_json::{Map, Value};
use wire::{PathError, RelPath};

/// The longest arguments that are read, in bytes.
pub const MAX_ARGUMENTS_BYTES: usize = 8 << 20;

/// How much of a model's own words an error repeats, in bytes.
const QUOTED_BYTES: usize = 80;

/// A call that can be run, as often as one likes.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The tool.
    pub name: &'static str,
    /// What it may do.
    pub access: Access,
    /// What it is about, in a few words for people.
    pub about: String,
    /// What the call touches, for permission rules: paths in their one form, `.` for the workspace, and the pattern of
    /// `find_files`. Contents and regular expressions are left out on purpose: a rule that allows a path must not be
    /// met by words that the model chose.
    pub strings: Vec<String>,
    pub(crate) call: Call,
}

/// The arguments of each tool.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    ReadFile { path: RelPath, offset: Option<u64>, limit: Option<u64> },
    WriteFile { path: RelPath, content: String },
    EditFile { path: RelPath, old: String, new: String, all: bool },
    ApplyPatch { patch: Patch },
    MoveFile { from: RelPath, to: RelPath },
    DeleteFile { path: RelPath },
    ListDirectory { path: Option<RelPath>, depth: u64 },
    FindFiles { pattern: String },
    SearchText { wanted: Wanted, path: Option<RelPath> },
}

/// What is wrong with a call, said so that a model can repair it.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No such tool.
    #[error("there is no tool {name:?}; the tools are {tools}")]
    UnknownTool {
        /// What was asked for.
        name: String,
        /// All names.
        tools: String,
    },
    /// More than [`MAX_ARGUMENTS_BYTES`].
    #[error(
        "the arguments of {tool} are {bytes} bytes; at most {MAX_ARGUMENTS_BYTES} are read; do it in smaller steps"
    )]
    TooLarge {
        /// The tool.
        tool: &'static str,
        /// The size of the arguments.
        bytes: usize,
    },
    /// Not JSON, or cut short.
    #[error("the arguments of {tool} are not JSON ({source}); send one JSON object with {usage}")]
    NotJson {
        /// The tool.
        tool: &'static str,
        /// What it takes.
        usage: String,
        /// Where the JSON ends to be JSON.
        source: serde_json::Error,
    },
    /// JSON, but no object.
    #[error("the arguments of {tool} are {found}; send one JSON object with {usage}")]
    NotAnObject {
        /// The tool.
        tool: &'static str,
        /// What it takes.
        usage: String,
        /// What came instead.
        found: &'static str,
    },
    /// An argument that must be there is not.
    #[error("{tool} needs {field:?}: {about}; it takes {usage}")]
    Missing {
        /// The tool.
        tool: &'static str,
        /// The argument.
        field: &'static str,
        /// What it is for.
        about: &'static str,
        /// What the tool takes.
        usage: String,
    },
    /// An argument that the tool does not know.
    #[error("{tool} takes no {field:?}; it takes {usage}")]
    Unknown {
        /// The tool.
        tool: &'static str,
        /// The argument.
        field: String,
        /// What the tool takes.
        usage: String,
    },
    /// An argument of another type, out of range, or empty.
    #[error("{field:?} of {tool} is {found}; it must be {expected}")]
    WrongValue {
        /// The tool.
        tool: &'static str,
        /// The argument.
        field: &'static str,
        /// What came.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// A path that is none, or that is not below the workspace.
    #[error("{field:?} of {tool}: {source}")]
    BadPath {
        /// The tool.
        tool: &'static str,
        /// The argument.
        field: &'static str,
        /// What is wrong with it.
        source: PathError,
    },
    /// A path with a slash at its end where a file is meant.
    #[error("{field:?} of {tool} ends in a slash, as directories do; give the path of a file")]
    NamesADirectory {
        /// The tool.
        tool: &'static str,
        /// The argument.
        field: &'static str,
    },
    /// A patch that is none.
    #[error("the patch cannot be read: {source}")]
    BadPatch {
        /// What is wrong with it.
        #[from]
        source: PatchError,
    },
    /// Two arguments that must differ are the same.
    #[error("{first:?} and {second:?} of {tool} are the same, so nothing would change")]
    Same {
        /// The tool.
        tool: &'static str,
        /// One argument.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

/// Reads a call: `name` and `arguments` as the model wrote them. No arguments at all count as an empty object, and
/// `null` as an argument that was left out.
pub fn check(name: &str, arguments: &str) -> Result<Checked, CallError> {
    let definition = Definition::find(name).ok_or_else(|| CallError::UnknownTool {
        name: text::short(name, QUOTED_BYTES).into_owned(),
        tools: Definition::names(),
    })?;
    let call = Arguments::read(definition, arguments)?.call()?;
    let (about, strings) = call.about();
    Ok(Checked { name: definition.name, access: definition.access, about, strings, call })
}

impl Call {
    /// What the call is about, and what it touches.
    fn about(&self) -> (String, Vec<String>) {
        let place = |path: &Option<RelPath>| path.as_ref().map_or(".", RelPath::as_str).to_owned();
        match self {
            Call::ReadFile { path, .. }
            | Call::WriteFile { path, .. }
            | Call::EditFile { path, .. }
            | Call::DeleteFile { path } => (text::path(path).into_owned(), vec![path.to_string()]),
            Call::ApplyPatch { patch } => (patch.about(), patch.paths().into_iter().map(RelPath::to_string).collect()),
            Call::MoveFile { from, to } => {
                (format!("{} to {}", text::path(from), text::path(to)), vec![from.to_string(), to.to_string()])
            }
            Call::ListDirectory { path, .. } => (text::directory(path.as_ref()).into_owned(), vec![place(path)]),
            Call::FindFiles { pattern } => (text::short(pattern, QUOTED_BYTES).into_owned(), vec![pattern.clone()]),
            Call::SearchText { wanted, path } => {
                let pattern = text::quoted(&text::short(&wanted.pattern, QUOTED_BYTES));
                (format!("{pattern} in {}", text::directory(path.as_ref())), vec![place(path)])
            }
        }
    }
}

/// The arguments of one call while they are read.
struct Arguments {
    definition: &'static Definition,
    values: Map<String, Value>,
}

impl Arguments {
    /// An object in which every name is known.
    fn read(definition: &'static Definition, arguments: &str) -> Result<Arguments, CallError> {
        let tool = definition.name;
        if arguments.len() > MAX_ARGUMENTS_BYTES {
            return Err(CallError::TooLarge { tool, bytes: arguments.len() });
        }
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        let value = serde_json::from_str(arguments).map_err(|source| CallError::NotJson {
            tool,
            usage: definition.usage(),
            source,
        })?;
        let mut values = match value {
            Value::Object(values) => values,
            other => return Err(CallError::NotAnObject { tool, usage: definition.usage(), found: kind_of(&other) }),
        };
        if let Some(field) = values.keys().find(|name| definition.fields.iter().all(|field| field.name != **name)) {
            let field = text::short(field, QUOTED_BYTES).into_owned();
            return Err(CallError::Unknown { tool, field, usage: definition.usage() });
        }
        values.retain(|_, value| !value.is_null());
        Ok(Arguments { definition, values })
    }

    /// The call that they make.
    fn call(mut self) -> Result<Call, CallError> {
        Ok(match self.definition.tool {
            Tool::ReadFile => {
                Call::ReadFile { path: self.file("path")?, offset: self.count("offset")?, limit: self.count("limit")? }
            }
            Tool::WriteFile => Call::WriteFile { path: self.file("path")?, content: self.text("content")? },
            Tool::EditFile => {
                let (path, old, new) = (self.file("path")?, self.text("old")?, self.text("new")?);
                self.differ("old", &old, "new", &new)?;
                Call::EditFile { path, old, new, all: self.flag("all")? }
            }
            Tool::ApplyPatch => Call::ApplyPatch { patch: Patch::read(&self.text("patch")?)? },
            Tool::MoveFile => {
                let (from, to) = (self.file("from")?, self.file("to")?);
                self.differ("from", &from, "to", &to)?;
                Call::MoveFile { from, to }
            }
            Tool::DeleteFile => Call::DeleteFile { path: self.file("path")? },
            Tool::ListDirectory => {
                Call::ListDirectory { path: self.place("path")?, depth: self.count("depth")?.unwrap_or(1) }
            }
            Tool::FindFiles => Call::FindFiles { pattern: self.text("pattern")? },
            Tool::SearchText => {
                let (pattern, path) = (self.text("pattern")?, self.place("path")?);
                let (context, ignore_case) = (self.count("context")?.unwrap_or(0), self.flag("case_insensitive")?);
                Call::SearchText { wanted: Wanted { pattern, context, ignore_case }, path }
            }
        })
    }

    fn field(&self, name: &str) -> &'static Field {
        self.definition.fields.iter().find(|field| field.name == name).expect("a tool reads fields of its own table")
    }

    /// A value by its name, or an error if it must be there and is not.
    fn take(&mut self, field: &'static Field) -> Result<Option<Value>, CallError> {
        let value = self.values.remove(field.name);
        if value.is_none() && field.required {
            let (tool, usage) = (self.definition.name, self.definition.usage());
            return Err(CallError::Missing { tool, field: field.name, about: field.about, usage });
        }
        Ok(value)
    }

    fn wrong(&self, field: &'static Field, value: &Value) -> CallError {
        let found = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) if text.is_empty() => "empty".to_owned(),
            other => kind_of(other).to_owned(),
        };
        CallError::WrongValue { tool: self.definition.name, field: field.name, found, expected: field.kind.words() }
    }

    fn string(&mut self, field: &'static Field) -> Result<Option<String>, CallError> {
        match self.take(field)? {
            None => Ok(None),
            Some(Value::String(text)) if field.kind != Kind::SomeText || !text.is_empty() => Ok(Some(text)),
            Some(other) => Err(self.wrong(field, &other)),
        }
    }

    fn text(&mut self, name: &'static str) -> Result<String, CallError> {
        let field = self.field(name);
        Ok(self.string(field)?.unwrap_or_default())
    }

    fn file(&mut self, name: &'static str) -> Result<RelPath, CallError> {
        let (tool, text) = (self.definition.name, self.text(name)?);
        let path = RelPath::new(&text).map_err(|source| self.bad_path(name, source))?;
        if text.ends_with('/') { Err(CallError::NamesADirectory { tool, field: name }) } else { Ok(path) }
    }

    fn place(&mut self, name: &'static str) -> Result<Option<RelPath>, CallError> {
        match RelPath::new(&self.text(name)?) {
            Ok(path) => Ok(Some(path)),
            Err(PathError::Empty) => Ok(None),
            Err(source) => Err(self.bad_path(name, source)),
        }
    }

    fn bad_path(&self, field: &'static str, source: PathError) -> CallError {
        let source = match source {
            PathError::Absolute(path) => PathError::Absolute(text::short(&path, QUOTED_BYTES).into_owned()),
            PathError::Outside(path) => PathError::Outside(text::short(&path, QUOTED_BYTES).into_owned()),
            PathError::Git(path) => PathError::Git(text::short(&path, QUOTED_BYTES).into_owned()),
            PathError::Empty | PathError::Malformed => source,
        };
        CallError::BadPath { tool: self.definition.name, field, source }
    }

    fn count(&mut self, name: &'static str) -> Result<Option<u64>, CallError> {
        let field = self.field(name);
        let Some(value) = self.take(field)? else { return Ok(None) };
        let minimum = if let Kind::Count(minimum) = field.kind { minimum } else { 0 };
        // JSON schema counts 3.0 among the integers, and some models write it so.
        let whole = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=u32::MAX.into()).contains(number));
        match value.as_u64().or(whole.map(|number| number as u64)) {
            Some(count) if count >= minimum => Ok(Some(count)),
            _ => Err(self.wrong(field, &value)),
        }
    }

    fn flag(&mut self, name: &'static str) -> Result<bool, CallError> {
        let field = self.field(name);
        match self.take(field)? {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.wrong(field, &other)),
        }
    }

    fn differ<T: PartialEq>(
        &self,
        first: &'static str,
        one: &T,
        second: &'static str,
        other: &T,
    ) -> Result<(), CallError> {
        if one == other {
            return Err(CallError::Same { tool: self.definition.name, first, second });
        }
        Ok(())
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
