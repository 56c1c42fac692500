//! What can be wrong with a configuration, and where. No message quotes a value that could be a key.

use std::fmt;
use std::path::PathBuf;
use wire::rest::ConfigFault;

/// The largest file that is read.
pub(super) const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// One thing that is wrong in the file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The line, from 1; `None` where the fault is that something is not there at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The key it is about; empty where the text is no TOML.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Fault {
    /// A fault at a byte of a text.
    pub(super) fn at(text: &str, byte: Option<usize>, key: &str, message: impl Into<String>) -> Fault {
        let (line, column) = byte.map(|byte| place(text, byte)).unzip();
        Fault { line, column, key: key.to_owned(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A configuration that cannot be used. Nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is too large to be a configuration.
    #[error("the configuration {path} has more than {MAX_CONFIG_BYTES} bytes; this is probably the wrong file")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else could have written it.
    #[error("the configuration {path} is not believed: {why}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Who else could have, and the way out.
        why: String,
    },
    /// It is not TOML, or says what no key means.
    #[error("the configuration {path} is not valid:\n{}", lines(faults))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of the file.
        faults: Vec<Fault>,
    },
}

impl ConfigError {
    /// What is wrong in the file, with lines, as doors tell it.
    pub fn faults(&self) -> Vec<ConfigFault> {
        let ConfigError::Invalid { faults, .. } = self else { return Vec::new() };
        let number = |n: Option<usize>| n.map(|n| n as u32);
        let told = faults.iter().map(|fault| ConfigFault {
            line: number(fault.line),
            column: number(fault.column),
            key: fault.key.clone(),
            message: fault.message.clone(),
        });
        told.collect()
    }
}

/// Faults, one a line.
pub(super) fn lines(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}

/// Line and column of a byte, as people count.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}
