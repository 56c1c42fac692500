//! Paths as the model, the canvas and every door speak of them: relative to the workspace, with slashes, in UTF-8.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A path below the workspace. Never absolute, never empty, no `.` or `..`, no empty part, no NUL, nothing inside
/// `.git`. Names that are not UTF-8 cannot be written in JSON and so cannot be touched; listings show them marked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Arc<str>);

/// The longest path that is taken, in bytes.
pub const MAX_PATH_BYTES: usize = 4096;
/// The longest name within a path, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a text is not a path below the workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is empty, or means the workspace itself.
    #[error("the path is empty; give a path below the workspace")]
    Empty,
    /// It begins at the root.
    #[error("{0:?} is absolute; give a path relative to the workspace")]
    Absolute(String),
    /// It leaves the workspace.
    #[error("{0:?} leaves the workspace")]
    Outside(String),
    /// It holds a NUL or is too long.
    #[error("the path holds a NUL byte or is longer than {MAX_PATH_BYTES} bytes (a name: {MAX_NAME_BYTES})")]
    Malformed,
    /// It lies in git's own directory.
    #[error("{0:?} lies in .git, which only git changes")]
    Git(String),
}

impl RelPath {
    /// Takes a path as somebody wrote it: `./a//b/` is `a/b`.
    pub fn new(text: &str) -> Result<RelPath, PathError> {
        if text.contains('\0') || text.len() > MAX_PATH_BYTES {
            return Err(PathError::Malformed);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute(text.to_owned()));
        }
        let mut parts = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return Err(PathError::Outside(text.to_owned()));
                    }
                }
                name if name.len() > MAX_NAME_BYTES => return Err(PathError::Malformed),
                name => parts.push(name),
            }
        }
        if parts.is_empty() {
            return Err(PathError::Empty);
        }
        // Case-insensitively, since a repository may be checked out where names are.
        if parts.iter().any(|part| part.eq_ignore_ascii_case(".git")) {
            return Err(PathError::Git(text.to_owned()));
        }
        Ok(RelPath(parts.join("/").into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The directory it lies in; `None` for the workspace itself.
    pub fn parent(&self) -> Option<RelPath> {
        self.0.rsplit_once('/').map(|(parent, _)| RelPath(parent.into()))
    }

    /// A path below this one; `name` must be a plain name.
    pub fn join(&self, name: &str) -> Result<RelPath, PathError> {
        RelPath::new(&format!("{}/{name}", self.0))
    }

    /// Whether this path is `other` or lies below it.
    pub fn is_at_or_below(&self, other: &RelPath) -> bool {
        self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsRef<std::path::Path> for RelPath {
    fn as_ref(&self) -> &std::path::Path {
        std::path::Path::new(&*self.0)
    }
}

impl Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        RelPath::new(&Cow::<'_, str>::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_put_into_its_one_form() {
        for (given, expected) in
            [("a", "a"), ("./a//b/", "a/b"), ("a/../b", "b"), ("a/b/..", "a"), (".gitignore", ".gitignore")]
        {
            assert_eq!(RelPath::new(given).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn what_is_not_below_the_workspace_is_refused() {
        for wrong in
            ["", ".", "/", "/etc/passwd", "..", "a/../..", "../root-evil", "a\0b", ".git/hooks/x", "sub/.GIT/config"]
        {
            assert!(RelPath::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(RelPath::new(&"a".repeat(256)).is_err());
        assert!(RelPath::new(&"a/".repeat(3000)).is_err());
    }

    #[test]
    fn a_sibling_with_the_same_beginning_is_not_below() {
        let path = |text| RelPath::new(text).unwrap();
        assert!(path("a/b").is_at_or_below(&path("a")) && path("a").is_at_or_below(&path("a")));
        assert!(!path("a-evil").is_at_or_below(&path("a")));
    }
}
