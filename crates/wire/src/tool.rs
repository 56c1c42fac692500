//! A tool as the model is told of it.

use agent::Access;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name, meaning and arguments of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name: letters, digits, `_`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Its arguments, a JSON schema of an object.
    pub parameters: Value,
    /// What it may do. Not told to the model.
    pub access: Access,
}
