//! Roots: directories of another machine, each with the one that stands for it here. They lie beside the journal as a
//! list until a daemon has followed them.
//!
//! Following may be killed and begun again, so no path may be moved twice: what a root leads to lies below no root.

use super::RestoreError;
use super::disk::Disk;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Component, Path};

/// The list, beside the journal.
pub(crate) const FILE: &str = "roots.json";
/// The most roots.
const MAX_ROOTS: usize = 100;
/// The most bytes of the list: so many roots with paths as long as Linux has them, each byte written as `\u0000` at worst.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// The longest path.
const MAX_PATH_BYTES: usize = 4096;

/// A directory of another machine, and the one that stands for it here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// As it was there: absolute, without a slash at its end.
    from: String,
    /// As it is here.
    to: String,
}

/// Roots that no path is moved twice by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roots(Vec<Root>);

/// Why roots cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// It is not OLD=NEW with two absolute paths.
    #[error("{0:?} does not name two absolute paths as OLD=NEW, without . and .. in them")]
    Malformed(String),
    /// One root has two places.
    #[error("{0:?} cannot lead to two places")]
    Twice(String),
    /// What was moved would be moved again.
    #[error(
        "{from:?} and {to:?} lie one in the other, so what was moved there might be moved once more: name another place \
         for it with --root, or move it in two steps"
    )]
    Nested {
        /// The root that is left.
        from: String,
        /// Where something is moved to.
        to: String,
    },
    /// There are too many.
    #[error("there are more than {MAX_ROOTS} roots; name directories further up")]
    TooMany,
}

impl Root {
    /// Reads `OLD=NEW`. What NEW leads to by links is its real path, as far as it is there.
    pub fn parse(text: &str) -> Result<Root, RootError> {
        let wrong = || RootError::Malformed(text.to_owned());
        let (from, to) = text.split_once('=').ok_or_else(wrong)?;
        Root::new(from, to).ok_or_else(wrong)
    }

    fn new(from: &str, to: &str) -> Option<Root> {
        let (from, to) = (plain(from)?, plain(to)?);
        let real = std::fs::canonicalize(&to).ok().and_then(|real| real.into_os_string().into_string().ok());
        Some(Root { from, to: real.unwrap_or(to) })
    }

    fn stays(&self) -> bool {
        self.from == self.to
    }
}

impl Roots {
    /// The roots that somebody named, and the home directory, where it was another one there.
    pub fn new(named: Vec<Root>, old_home: Option<&str>, home: Option<&str>) -> Result<Roots, RootError> {
        let mut roots = named;
        if let Some(root) = old_home.zip(home).and_then(|(old, home)| Root::new(old, home))
            && !roots.iter().any(|other| other.from == root.from)
        {
            roots.push(root);
        }
        if roots.len() > MAX_ROOTS {
            return Err(RootError::TooMany);
        }
        // The longest first: what is named within another root is not a matter of that one.
        roots.sort_by(|one, other| other.from.len().cmp(&one.from.len()).then_with(|| one.from.cmp(&other.from)));
        if let Some(twice) = roots.windows(2).find(|pair| pair[0].from == pair[1].from) {
            return Err(RootError::Twice(twice[0].from.clone()));
        }
        for Root { to, .. } in roots.iter().filter(|root| !root.stays()) {
            let moves_again =
                |other: &&Root| !other.stays() && (is_below(to, &other.from) || is_below(&other.from, to));
            if let Some(Root { from, .. }) = roots.iter().find(moves_again) {
                return Err(RootError::Nested { from: from.clone(), to: to.clone() });
            }
        }
        // What stays is needed only where something around it does not.
        if roots.iter().all(Root::stays) {
            roots.clear();
        }
        Ok(Roots(roots))
    }

    /// Whether all paths stay as they are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each that does not stay: what it leads from and to, and whether any of these paths goes by it.
    pub fn with_use(&self, paths: &[String]) -> Vec<(&str, &str, bool)> {
        let goes_by = |path: &str, root: &Root| self.0.iter().find(|one| is_below(path, &one.from)) == Some(root);
        let leads = |root: &'_ Root| paths.iter().any(|path| goes_by(path, root));
        self.0.iter().filter(|root| !root.stays()).map(|root| (&*root.from, &*root.to, leads(root))).collect()
    }

    /// Whether a text speaks of a directory that is elsewhere now.
    pub fn stand_in(&self, text: &str) -> bool {
        self.0.iter().any(|root| !root.stays() && text.contains(&root.from))
    }

    /// Where a path is now; `None` where it stays.
    pub fn moved(&self, path: &str) -> Option<String> {
        let root = self.0.iter().find(|root| is_below(path, &root.from)).filter(|root| !root.stays())?;
        let rest = path[root.from.len()..].trim_start_matches('/');
        Some(match rest {
            "" => root.to.clone(),
            rest => format!("{}/{rest}", root.to.trim_end_matches('/')),
        })
    }

    /// Leaves the list in a state that no daemon runs on, if there is anything to follow; whether there was.
    pub(super) fn leave(&self, directory: &Path, disk: Disk<'_>) -> Result<bool, RestoreError> {
        if !self.is_empty() {
            disk.write(&directory.join(FILE), &serde_json::to_vec(&self.0).expect("roots are plain data"))?;
        }
        Ok(!self.is_empty())
    }

    /// The list that a restore left, if it did.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Roots>> {
        match File::open(path) {
            Ok(file) => Ok(Some(Roots(serde_json::from_reader(io::Read::take(file, MAX_FILE_BYTES))?))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An absolute path of plain parts, without slashes that say nothing.
fn plain(path: &str) -> Option<String> {
    let path = Path::new(path);
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let short = path.as_os_str().len() <= MAX_PATH_BYTES;
    let plain: std::path::PathBuf = path.components().collect();
    let good = path.is_absolute() && short && path.components().all(is_plain);
    good.then_some(plain)?.into_os_string().into_string().ok()
}

/// Whether a path is a directory or lies below it.
fn is_below(path: &str, directory: &str) -> bool {
    Path::new(path).starts_with(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(named: &[&str]) -> Result<Roots, RootError> {
        let named = named.iter().map(|one| Root::parse(one).unwrap()).collect();
        Roots::new(named, Some("/home/ada"), Some("/home/bob"))
    }

    #[test]
    fn a_root_moves_what_is_below_it_and_nothing_beside_it() {
        let roots = roots(&["/srv/old/=/srv/new", "/home/ada/keep=/home/ada/keep"]).unwrap();
        let moved = |path: &str| roots.moved(path);
        assert_eq!(moved("/home/ada/engine").as_deref(), Some("/home/bob/engine"), "the home directory by itself");
        assert_eq!(moved("/home/ada").as_deref(), Some("/home/bob"));
        assert_eq!(moved("/srv/old/x/y").as_deref(), Some("/srv/new/x/y"));
        for stays in ["/home/adam", "/home/ada/keep/x", "/srv", "/srv/older", "/home/bob/engine"] {
            assert_eq!(moved(stays), None, "{stays}");
        }
        let all = Roots(vec![Root { from: "/".into(), to: "/mnt".into() }]);
        assert_eq!(all.moved("/x").as_deref(), Some("/mnt/x"));
        let up = Roots(vec![Root { from: "/a".into(), to: "/".into() }]);
        assert_eq!((up.moved("/a/x").as_deref(), up.moved("/a").as_deref()), (Some("/x"), Some("/")));
    }

    #[test]
    fn one_that_is_named_counts_more_than_the_home_directory() {
        assert_eq!(roots(&["/home/ada=/srv/ada"]).unwrap().moved("/home/ada/x").as_deref(), Some("/srv/ada/x"));
        assert!(roots(&["/home/ada=/home/ada"]).unwrap().is_empty());
        let within = roots(&["/home/ada/x=/srv/x"]).unwrap();
        assert_eq!(within.moved("/home/ada/x/y").as_deref(), Some("/srv/x/y"));
    }

    #[test]
    fn what_would_move_twice_or_is_no_place_is_refused() {
        for nested in [&["/a=/a/b"][..], &["/a=/b", "/b=/c"], &["/a=/b", "/b/c=/d"], &["/a/b=/a"], &["/x=/home/ada/x"]]
        {
            assert!(matches!(roots(nested), Err(RootError::Nested { .. })), "{nested:?}");
        }
        assert!(matches!(roots(&["/a=/b", "/a=/c"]), Err(RootError::Twice(_))));
        for bad in ["", "/a", "a=/b", "/a=b", "/a=../b", "/a/../b=/c", "=", "/a=", "~/a=/b"] {
            assert!(matches!(Root::parse(bad), Err(RootError::Malformed(_))), "{bad}");
        }
        let many: Vec<String> = (0..=MAX_ROOTS).map(|n| format!("/m{n}=/n{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(roots(&many), Err(RootError::TooMany));
    }
}
