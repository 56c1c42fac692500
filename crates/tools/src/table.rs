//! The table of tools: what the model is told, from which the check of its arguments works too.

use agent::Access;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use wire::ToolSpec;

/// The built-in tools as the model is told of them, in an order that does not change.
pub fn table() -> &'static [ToolSpec] {
    static TABLE: LazyLock<Vec<ToolSpec>> = LazyLock::new(|| TOOLS.iter().map(Definition::spec).collect());
    &TABLE
}

/// A tool of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    ReadFile,
    WriteFile,
    EditFile,
    ApplyPatch,
    MoveFile,
    DeleteFile,
    ListDirectory,
    FindFiles,
    SearchText,
}

/// What a tool is and takes.
pub(crate) struct Definition {
    pub(crate) tool: Tool,
    pub(crate) name: &'static str,
    pub(crate) access: Access,
    about: &'static str,
    pub(crate) fields: &'static [Field],
}

/// One argument of a tool.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) about: &'static str,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The path of a file.
    File,
    /// The path of a directory or a file; empty or `.` for the workspace.
    Place,
    /// Any text.
    Text,
    /// A text that is not empty.
    SomeText,
    /// A whole number from this one on.
    Count(u64),
    /// True or false.
    Flag,
}

impl Kind {
    /// What it is, in words.
    pub(crate) fn words(self) -> String {
        match self {
            Kind::File | Kind::Place | Kind::Text => "a string".to_owned(),
            Kind::SomeText => "a string that is not empty".to_owned(),
            Kind::Count(minimum) => format!("a whole number from {minimum} on"),
            Kind::Flag => "true or false".to_owned(),
        }
    }

    fn schema(self, about: &str) -> Value {
        match self {
            Kind::File | Kind::Place | Kind::Text => json!({ "type": "string", "description": about }),
            Kind::SomeText => json!({ "type": "string", "minLength": 1, "description": about }),
            Kind::Count(minimum) => json!({ "type": "integer", "minimum": minimum, "description": about }),
            Kind::Flag => json!({ "type": "boolean", "description": about }),
        }
    }
}

impl Definition {
    /// The tool of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Definition> {
        TOOLS.iter().find(|tool| tool.name == name)
    }

    /// The names of all tools.
    pub(crate) fn names() -> String {
        TOOLS.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ")
    }

    /// The arguments in a few words.
    pub(crate) fn usage(&self) -> String {
        let fields = self.fields.iter().map(|field| match field.required {
            true => field.name.to_owned(),
            false => format!("{} (optional)", field.name),
        });
        fields.collect::<Vec<_>>().join(", ")
    }

    fn spec(&self) -> ToolSpec {
        let properties = self.fields.iter().map(|field| (field.name.to_owned(), field.kind.schema(field.about)));
        let required: Vec<&str> = self.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        let parameters = json!({
            "type": "object",
            "properties": Value::Object(properties.collect::<Map<String, Value>>()),
            "required": required,
            "additionalProperties": false,
        });
        ToolSpec { name: self.name.to_owned(), description: self.about.to_owned(), parameters, access: self.access }
    }
}

const fn required(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: true, about }
}

const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about }
}

const FILE: &str = "Path of the file, relative to the workspace, such as src/main.rs";

/// The tools. Their order is part of what providers cache, so it changes only with a version.
static TOOLS: [Definition; 9] = [
    Definition {
        tool: Tool::ReadFile,
        name: "read_file",
        access: Access::Read,
        about: "Reads a text file. The first line of the result says which lines are shown; then they follow as they \
                are, without line numbers. A long file is shown in pages: the last line then says with which offset \
                to read on. Images (PNG, JPEG, GIF, WebP) and PDF documents are shown as they are.",
        fields: &[
            required("path", Kind::File, FILE),
            optional("offset", Kind::Count(1), "First line to show, counted from 1. Default: 1"),
            optional("limit", Kind::Count(1), "How many lines to show at most. Default: as many as fit"),
        ],
    },
    Definition {
        tool: Tool::WriteFile,
        name: "write_file",
        access: Access::Write,
        about: "Creates a file, or replaces all of an existing one, which must have been read before. Directories are \
                made as needed. To change a part of a file use edit_file.",
        fields: &[
            required("path", Kind::File, FILE),
            required("content", Kind::Text, "The whole content of the file, exactly as it shall be"),
        ],
    },
    Definition {
        tool: Tool::EditFile,
        name: "edit_file",
        access: Access::Write,
        about: "Replaces a text in a file by another. The text must occur exactly once, white space included, unless \
                all is true. If it does not occur, whole lines that differ only in indentation or in white space at \
                their ends are taken, and the result says so. The result shows the changed lines with their numbers. \
                For changes in several places or files use apply_patch.",
        fields: &[
            required("path", Kind::File, FILE),
            required("old", Kind::SomeText, "The text to replace, copied exactly, with lines around it if needed"),
            required("new", Kind::Text, "The text to put there; empty to remove the old one"),
            optional("all", Kind::Flag, "Whether to replace every occurrence. Default: false"),
        ],
    },
    Definition {
        tool: Tool::ApplyPatch,
        name: "apply_patch",
        access: Access::Write,
        about: "Changes several places or files at once: all of the patch is applied, or nothing. It takes a unified \
                diff, as git writes it, or this form:\n\
                *** Begin Patch\n\
                *** Update File: src/greet.py\n\
                @@ def greet():\n\
                \u{20}    name = ask()\n\
                -    print(\"Hi\")\n\
                +    print(\"Hello\", name)\n\
                *** Add File: docs/new.md\n\
                +# New\n\
                *** Delete File: old.txt\n\
                *** End Patch\n\
                Lines begin with a blank (kept), - (removed) or + (added). Kept and removed lines must be in the file; \
                give three kept lines before and after a change, so that its place is clear, and after @@ a line that \
                stands above if it still is not. Under *** Update File the line *** Move to: path renames the file. \
                Line numbers need not be right.",
        fields: &[required("patch", Kind::SomeText, "The whole patch, with paths relative to the workspace")],
    },
    Definition {
        tool: Tool::MoveFile,
        name: "move_file",
        access: Access::Write,
        about: "Moves or renames a file. Nothing may be at the new path. Directories are made as needed.",
        fields: &[
            required("from", Kind::File, FILE),
            required("to", Kind::File, "Path where the file shall be, its name included"),
        ],
    },
    Definition {
        tool: Tool::DeleteFile,
        name: "delete_file",
        access: Access::Write,
        about: "Deletes a file. Directories are not deleted.",
        fields: &[required("path", Kind::File, FILE)],
    },
    Definition {
        tool: Tool::ListDirectory,
        name: "list_directory",
        access: Access::Read,
        about: "Lists a directory in the order of names, with the sizes of files. What .gitignore and .ignore exclude \
                is left out, unless the directory itself is named.",
        fields: &[
            optional("path", Kind::Place, "The directory, relative to the workspace. Default: the workspace"),
            optional("depth", Kind::Count(1), "How many levels to list. Default: 1"),
        ],
    },
    Definition {
        tool: Tool::FindFiles,
        name: "find_files",
        access: Access::Read,
        about: "Finds files by name or path in the whole workspace, except what .gitignore and .ignore exclude.",
        fields: &[required(
            "pattern",
            Kind::SomeText,
            "A glob: *.rs finds by name at any depth, src/**/*.rs by path from the workspace, {a,b} is a choice. A \
             plain word finds every file whose name contains it",
        )],
    },
    Definition {
        tool: Tool::SearchText,
        name: "search_text",
        access: Access::Read,
        about: "Searches the lines of text files for a regular expression, except in files that .gitignore and .ignore \
                exclude. Results are lines of the form path:line: text, in the order of paths. When there are too many, the \
                last line says so: narrow the pattern or the path.",
        fields: &[
            required("pattern", Kind::SomeText, "A regular expression in Rust's syntax, matched within lines"),
            optional("path", Kind::Place, "A directory or file to search in. Default: the workspace"),
            optional("context", Kind::Count(0), "How many lines to show before and after each match. Default: 0"),
            optional("case_insensitive", Kind::Flag, "Whether upper and lower case are the same. Default: false"),
        ],
    },
];
