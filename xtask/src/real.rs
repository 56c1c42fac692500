//! Real counterparts: programs by others that tests and benchmarks run against, fetched into a cache directory by the
//! scripts in `scripts/real`.
//!
//! A script is run once and again whenever its text changes: the stamp it leaves is that text. What a machine cannot
//! have is skipped with the script's own reason; what should have worked and did not is an error.

use crate::process::Program;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one script may take: a slow network and two busy cores included.
const INSTALL_LIMIT: Duration = Duration::from_secs(20 * 60);

/// The exit code by which a script says that this machine cannot have the thing.
const CANNOT_HAVE: i32 = 77;

/// A program by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counterpart {
    /// llama.cpp's own server, with a scripted model.
    Llama,
    /// A desktop's keyring, on a message bus of its own.
    Keyring,
    /// A small real language model.
    Smollm2,
    /// libfaketime, for clocks that are set.
    Faketime,
    /// strace, for faults at the Nth system call.
    Strace,
    /// codex, a peer for the benchmarks.
    Codex,
}

impl Counterpart {
    /// What tests need.
    pub(crate) const FOR_TESTS: [Counterpart; 5] =
        [Counterpart::Faketime, Counterpart::Keyring, Counterpart::Llama, Counterpart::Smollm2, Counterpart::Strace];

    /// The name of its script and of its directory in the cache.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Counterpart::Llama => "llama",
            Counterpart::Keyring => "keyring",
            Counterpart::Smollm2 => "smollm2",
            Counterpart::Faketime => "faketime",
            Counterpart::Strace => "strace",
            Counterpart::Codex => "codex",
        }
    }

    /// Files whose text decides whether what is installed is still what is wanted.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Counterpart::Llama => &["llama.sh", "make_model.py", "llama_server.py", "check_llama.py"],
            Counterpart::Keyring => &["keyring.sh"],
            Counterpart::Smollm2 => &["smollm2.sh"],
            Counterpart::Faketime => &["faketime.sh"],
            Counterpart::Strace => &["strace.sh"],
            Counterpart::Codex => &["codex.sh"],
        }
    }
}

/// What became of a counterpart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Installed {
    /// It is there.
    Ready,
    /// This machine cannot have it, for this reason.
    Skipped(String),
}

/// Where counterparts are kept.
#[derive(Debug)]
pub(crate) struct Cache {
    scripts: PathBuf,
    directory: PathBuf,
}

impl Cache {
    /// `$TINKERBELL_REAL_CACHE`, or `.cache/real` in the project.
    pub(crate) fn of(root: &Path) -> anyhow::Result<Cache> {
        let directory = match std::env::var_os("TINKERBELL_REAL_CACHE").filter(|value| !value.is_empty()) {
            Some(chosen) => PathBuf::from(chosen),
            None => root.join(".cache/real"),
        };
        if !directory.is_absolute() {
            bail!("TINKERBELL_REAL_CACHE is {}, which is not an absolute path", directory.display());
        }
        Ok(Cache { scripts: root.join("scripts/real"), directory })
    }

    /// The directory, for tests to find their counterparts in.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of one counterpart.
    pub(crate) fn place(&self, counterpart: Counterpart) -> PathBuf {
        self.directory.join(counterpart.name())
    }

    /// Makes sure that a counterpart is there.
    pub(crate) fn install(&self, counterpart: Counterpart) -> anyhow::Result<Installed> {
        let (name, place) = (counterpart.name(), self.place(counterpart));
        let stamp = place.join("installed-by");
        let wanted = self.stamp_text(counterpart)?;
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            println!("real: {name} is there, in {}", place.display());
            return Ok(Installed::Ready);
        }
        std::fs::create_dir_all(&place).with_context(|| format!("{} could not be made", place.display()))?;
        println!("real: {name}: installing into {}", place.display());
        let script = self.scripts.join(format!("{name}.sh"));
        let mut last = String::new();
        let program = Program::new("bash", &self.scripts, INSTALL_LIMIT).args([&script, &place]);
        let status = program.lines(|line| {
            println!("real: {name}: {line}");
            last = line.to_owned();
        })?;
        match status.code() {
            Some(0) => {
                std::fs::write(&stamp, wanted).with_context(|| format!("{} could not be written", stamp.display()))?;
                Ok(Installed::Ready)
            }
            Some(CANNOT_HAVE) => Ok(Installed::Skipped(last)),
            _ => bail!(
                "{} ended with {status}; its last word was {last:?}. Run it by hand to see more",
                script.display()
            ),
        }
    }

    fn stamp_text(&self, counterpart: Counterpart) -> anyhow::Result<String> {
        let mut text = String::new();
        for source in counterpart.sources() {
            let path = self.scripts.join(source);
            text += &std::fs::read_to_string(&path).with_context(|| format!("{} could not be read", path.display()))?;
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache whose strace script is `script`, in a directory that goes with the guard.
    fn cache(script: &str) -> (Cache, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let scripts = directory.path().join("scripts");
        std::fs::create_dir(&scripts).unwrap();
        std::fs::write(scripts.join("strace.sh"), script).unwrap();
        (Cache { scripts, directory: directory.path().join("cache") }, directory)
    }

    #[test]
    fn what_is_installed_is_not_installed_again_until_its_script_changes() {
        let (cache, _guard) = cache("echo ran >> \"$1/runs\"");
        let runs = || std::fs::read_to_string(cache.place(Counterpart::Strace).join("runs")).unwrap().lines().count();
        for _ in 0..2 {
            assert_eq!(cache.install(Counterpart::Strace).unwrap(), Installed::Ready);
        }
        assert_eq!(runs(), 1);
        std::fs::write(cache.scripts.join("strace.sh"), "echo ran anew >> \"$1/runs\"").unwrap();
        cache.install(Counterpart::Strace).unwrap();
        assert_eq!(runs(), 2);
    }

    #[test]
    fn what_a_machine_cannot_have_is_skipped_with_the_scripts_reason() {
        let (cache, _guard) = cache("echo looking; echo 'this kernel forbids it'; exit 77");
        assert_eq!(cache.install(Counterpart::Strace).unwrap(), Installed::Skipped("this kernel forbids it".into()));
    }

    #[test]
    fn what_should_have_worked_is_an_error_and_leaves_no_stamp() {
        let (cache, _guard) = cache("echo 'no route to the registry'; exit 1");
        let error = cache.install(Counterpart::Strace).unwrap_err().to_string();
        assert!(error.contains("strace.sh") && error.contains("no route to the registry"), "{error}");
        assert!(!cache.place(Counterpart::Strace).join("installed-by").exists());
    }
}
