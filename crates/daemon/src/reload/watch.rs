//! Notices that files change, by inotify. Directories are watched, since editors rename over a file and mounted secrets are
//! links that change; where a directory is missing, the nearest one above it is watched until it comes. A link on the way,
//! also one to a directory, is watched where it lies, since it may be turned elsewhere.
//!
//! A descriptor in the runtime that we have is all it takes: a library would bring a thread and an event loop of its own.

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tokio::io::unix::AsyncFd;
use tokio::time::{Duration, Instant, timeout};

/// A file counts as written when nothing happened to it for so long.
const QUIET: Duration = Duration::from_millis(200);
/// Whoever writes without end is read all the same.
const LONGEST: Duration = Duration::from_secs(2);
/// Directories may come while we look for them; more often than this is nobody's intention.
const LOOKS: usize = 8;
/// Links on the way to a file, as many as Linux follows.
const LINKS: usize = 40;
/// Room for some hundred events at once.
const EVENT_BYTES: usize = 16 * 1024;

/// Watches some files.
pub(super) struct Watch {
    inotify: AsyncFd<OwnedFd>,
    directories: BTreeMap<i32, PathBuf>,
    ways: Ways,
    /// Something happened, and nobody was told yet.
    happened: bool,
}

impl Watch {
    /// Watches these files; `None` where the first of them cannot be watched. Who reads them afterwards misses nothing.
    pub(super) fn new(first: &Path, others: &[PathBuf]) -> io::Result<Option<Watch>> {
        for _ in 0..LOOKS {
            let main = nearest(first);
            let ways = Ways::to(first, others);
            let places = ways.files.iter().chain(&ways.links);
            let beside = places.filter_map(|place| place.parent().filter(|parent| parent.is_dir()));
            let wanted: BTreeSet<PathBuf> = main.iter().cloned().chain(beside.map(Path::to_owned)).collect();
            let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let mut directories = BTreeMap::new();
            for directory in wanted {
                match inotify::add_watch(&inotify, &directory, changes()) {
                    Ok(watched) => drop(directories.insert(watched, directory)),
                    Err(error) => tracing::warn!(directory = %directory.display(), %error, "it cannot be watched"),
                }
            }
            if nearest(first) == main {
                let watched = main.is_some_and(|main| directories.values().any(|directory| *directory == main));
                // SAFETY: an owned descriptor stays the same one until it is dropped, which it is with what is made here.
                let inotify = unsafe { AsyncFd::register(inotify) }?;
                return Ok(watched.then_some(Watch { inotify, directories, ways, happened: false }));
            }
        }
        Ok(None)
    }

    /// Whether these are the files that are watched.
    pub(super) fn covers(&self, first: &Path, others: &[PathBuf]) -> bool {
        self.ways == Ways::to(first, others)
    }

    /// Waits until something happened to a file, and nothing any more for a moment. Cancel-safe: what was noticed is told
    /// by the next call.
    pub(super) async fn changed(&mut self) {
        while !self.happened {
            self.look().await;
        }
        let since = Instant::now();
        while since.elapsed() < LONGEST && timeout(QUIET, self.look()).await.is_ok() {}
        self.happened = false;
    }

    /// Takes the next events.
    async fn look(&mut self) {
        let Ok(mut ready) = self.inotify.readable().await else { return std::future::pending().await };
        let mut room = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut events = Reader::new(self.inotify.get_ref(), &mut room);
        while let Ok(event) = events.next() {
            let directory = self.directories.get(&event.wd());
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            self.happened |= match (directory, name) {
                (Some(directory), Some(name)) => self.ways.lead_over(&directory.join(name)),
                // Of the directory itself; or events were lost, and whoever looks finds out.
                _ => !event.events().contains(ReadFlags::IGNORED),
            };
        }
        ready.clear_ready();
    }
}

/// What changes a file or its directory. That somebody reads it does not.
fn changes() -> WatchFlags {
    let of_files = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE;
    let of_names = WatchFlags::MOVE | WatchFlags::ATTRIB | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
    of_files | of_names | WatchFlags::ONLYDIR
}

/// The directory of a file, or the nearest above it that is there.
fn nearest(file: &Path) -> Option<PathBuf> {
    file.ancestors().skip(1).find(|directory| directory.is_dir()).map(Path::to_owned)
}

/// The ways to some files.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ways {
    /// The files, and where those of them really lie that are reached by links.
    files: Vec<PathBuf>,
    /// The links on the way.
    links: Vec<PathBuf>,
}

impl Ways {
    fn to(first: &Path, others: &[PathBuf]) -> Ways {
        let mut ways = Ways::default();
        for file in std::iter::once(first).chain(others.iter().map(PathBuf::as_path)) {
            ways.files.push(file.to_owned());
            let mut at = file.to_owned();
            while ways.links.len() < LINKS * (others.len() + 1)
                && let Some((link, beyond)) = next_link(&at)
            {
                ways.links.push(link);
                at = beyond;
            }
            if at != file {
                ways.files.push(at);
            }
        }
        ways
    }

    /// Whether what happened at a path may have changed a file: it is the file, something beside it, a directory above, or
    /// a link on the way.
    fn lead_over(&self, at: &Path) -> bool {
        let of_file = |file: &PathBuf| file.starts_with(at) || file.parent() == at.parent();
        self.files.iter().any(of_file) || self.links.iter().any(|link| link.starts_with(at))
    }
}

/// The first link on the way to a path, and the path by where it leads.
fn next_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut above: Vec<&Path> = path.ancestors().collect();
    above.reverse();
    let (link, target) = above.into_iter().find_map(|at| Some((at, std::fs::read_link(at).ok()?)))?;
    let rest = path.strip_prefix(link).ok()?;
    let beyond = link.parent()?.join(target);
    // Joined with nothing it would end in a slash.
    Some((link.to_owned(), if rest.as_os_str().is_empty() { beyond } else { beyond.join(rest) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_noticed_however_it_comes_and_goes() {
        let home = tempfile::tempdir().unwrap();
        let (deep, elsewhere) = (home.path().join("a/b"), home.path().join("elsewhere"));
        let (file, target) = (deep.join("config.toml"), elsewhere.join("real.toml"));
        for directory in ["elsewhere", "one", "two"] {
            std::fs::create_dir(home.path().join(directory)).unwrap();
        }
        std::fs::write(&target, "").unwrap();
        let mut trials = 0;
        type Step<'a> = (&'static str, &'a dyn Fn() -> io::Result<()>);
        fn step<'a>(what: &'static str, act: &'a dyn Fn() -> io::Result<()>) -> Step<'a> {
            (what, act)
        }
        for (what, act) in [
            step("its directories come", &|| std::fs::create_dir_all(&deep)),
            step("it is written", &|| std::fs::write(&file, "1")),
            step("it is renamed over", &|| {
                std::fs::write(deep.join("new"), "2")?;
                std::fs::rename(deep.join("new"), &file)
            }),
            step("it is removed", &|| std::fs::remove_file(&file)),
            step("it is a link", &|| std::os::unix::fs::symlink(&target, &file)),
            step("what the link leads to changes", &|| std::fs::write(&target, "3")),
            step("its directory is removed", &|| std::fs::remove_dir_all(&deep)),
            step("and comes again", &|| std::fs::create_dir(&deep)),
            step("and it with it", &|| std::fs::write(&file, "4")),
            step("its directory is a link", &|| {
                std::fs::remove_dir_all(&deep)?;
                std::os::unix::fs::symlink("../one", &deep)
            }),
            step("what that leads to changes", &|| std::fs::write(home.path().join("one/config.toml"), "5")),
            step("the link is turned elsewhere", &|| {
                std::os::unix::fs::symlink("../two", home.path().join("a/new"))?;
                std::fs::rename(home.path().join("a/new"), &deep)
            }),
            step("where it leads now something changes", &|| std::fs::write(home.path().join("two/config.toml"), "6")),
        ] {
            let mut watch = Watch::new(&file, &[]).unwrap().unwrap();
            act().unwrap();
            let noticed = timeout(Duration::from_secs(60), watch.changed()).await;
            assert!(noticed.is_ok(), "{what}: nobody noticed");
            trials += 1;
        }
        println!("watching: {trials} trials, 0 missed");
    }

    #[test]
    fn only_what_may_change_the_file_concerns_it() {
        let ways = Ways {
            files: vec![PathBuf::from("/home/ada/.config/tinkerbell/config.toml")],
            links: vec![PathBuf::from("/home/ada/.config")],
        };
        let concerns = |at: &str| ways.lead_over(Path::new(at));
        assert!(["/home/ada/.config/tinkerbell", "/home/ada/.config/tinkerbell/..data"].map(concerns) == [true; 2]);
        assert!(["/home/ada/.config/other", "/home/ada/.cache"].map(concerns) == [false; 2]);
        assert!(["/home/ada/.config", "/home"].map(concerns) == [true; 2]);
    }
}
