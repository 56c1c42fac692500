//! Logs by tracing: for people on a terminal, JSON lines in a bounded file otherwise.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, reload};

/// A log file is renamed to `daemon.log.1` at this size, replacing the one before: twice this is the most on disk.
pub(crate) const LOG_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// How much is logged, which may change.
#[derive(Clone)]
pub(crate) struct LogLevel(reload::Handle<LevelFilter, Registry>);

impl LogLevel {
    /// From now on so much is logged.
    pub(crate) fn set(&self, level: LevelFilter) {
        // It fails only where nobody logs any more.
        let _ = self.0.modify(|now| *now = level);
    }
}

/// Starts logging for the whole process; to be called once.
pub(crate) fn start(file: &Path, level: LevelFilter) -> io::Result<LogLevel> {
    let json = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(Mutex::new(BoundedFile::open(file.to_owned(), LOG_FILE_BYTES)?));
    let (level, handle) = reload::Layer::new(level);
    let subscriber = tracing_subscriber::registry().with(level).with(json);
    let outcome = if io::stderr().is_terminal() {
        let human = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
        tracing::subscriber::set_global_default(subscriber.with(human))
    } else {
        tracing::subscriber::set_global_default(subscriber)
    };
    outcome.map(|()| LogLevel(handle)).map_err(io::Error::other)
}

/// Logs panics, without the words that may not be seen, in place of the words on standard error, which may be anybody's
/// journal.
pub(crate) fn panics(masked: impl Fn(&str) -> String + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(panic = masked(&panic.to_string()), "a thread panicked; this is a fault in tinkerbell");
    }));
}

/// A file that starts anew when it is full.
struct BoundedFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    limit: u64,
}

impl BoundedFile {
    fn open(path: PathBuf, limit: u64) -> io::Result<BoundedFile> {
        if let Some(dir) = path.parent() {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(BoundedFile { path, file, bytes, limit })
    }

    /// The full file gets its other name and a new one begins. Where that fails, on a full disk for instance, this line is
    /// lost and the next one tries again: the old file may have its other name by then.
    fn start_anew(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        match std::fs::rename(&self.path, old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        *self = BoundedFile::open(self.path.clone(), self.limit)?;
        Ok(())
    }
}

impl Write for BoundedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes + line.len() as u64 > self.limit {
            self.start_anew()?;
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_starts_anew_and_keeps_one_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log").join("daemon.log");
        let mut file = BoundedFile::open(path.clone(), 100).unwrap();
        for n in 0..50 {
            file.write_all(format!("line {n:02} .........\n").as_bytes()).unwrap();
        }
        let bytes = |p: &Path| std::fs::metadata(p).unwrap().len();
        assert!(bytes(&path) <= 100 && bytes(&dir.path().join("log/daemon.log.1")) <= 100);
        assert!(std::fs::read_to_string(&path).unwrap().contains("line 49"));
    }

    #[test]
    fn a_log_that_could_not_start_anew_does_so_when_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log").join("daemon.log");
        let mut file = BoundedFile::open(path.clone(), 20).unwrap();
        file.write_all(b"line 1 .........\n").unwrap();
        // As when the name was changed and the new file found no room: nothing is where it should be.
        std::fs::rename(&path, dir.path().join("log/daemon.log.1")).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(file.write_all(b"line 2 .........\n").is_err());
        std::fs::remove_dir(&path).unwrap();
        file.write_all(b"line 3 .........\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "line 3 .........\n");
    }
}
