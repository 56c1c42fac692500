//! Keys of providers. The key itself goes one way only.

use agent::ModelName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `keys.list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// The keys, by name.
    pub keys: Vec<KeyRow>,
}

/// Where a key is and whether it is there; never the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Its name: that of a provider, or one of the configuration's.
    pub name: String,
    /// Where it is.
    pub origin: KeyOrigin,
    /// The variable, the file or the entry.
    pub place: String,
    /// Whether it is there and can be read.
    pub present: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// The models that use it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<ModelName>,
}

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrigin {
    /// In a variable of the daemon's environment.
    Environment,
    /// In a file that the configuration names.
    File,
    /// In the keyring of the desktop.
    Keyring,
    /// In a file that tinkerbell keeps, readable by its user alone.
    Kept,
}

/// `keys.set`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetKey {
    /// The key.
    pub key: String,
    /// Put it into the keyring of the desktop instead of a file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyring: bool,
}

impl fmt::Debug for SetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetKey").field("key", &"[key]").field("keyring", &self.keyring).finish()
    }
}
