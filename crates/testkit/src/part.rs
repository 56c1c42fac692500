//! Other versions of the daemon, as far as hand-overs can tell: what tests put before its arguments.
//!
//! `--part schema=next` knows a version of the tables that the real one does not, `schema=broken` one that fails,
//! `kill=STEP` ends the process with SIGKILL at a step of a hand-over, `hang=STEP` stops it there for ever, and
//! `wait=STEP,FILE` for as long as there is such a file.

use crate::Home;
use daemon::{Options, Step};
use rustix::process::{Signal, getpid, kill_process};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// What happens at which step: `kill`, `hang`, or the file that is waited for.
static PART: OnceLock<(String, Step)> = OnceLock::new();

/// Reads the arguments of this process, and plays its part.
pub fn play_part(options: &mut Options) {
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--take-over" => options.takes_over = true,
            "--part" => play(options, &arguments.next().unwrap_or_default()),
            _ => {}
        }
    }
}

fn play(options: &mut Options, part: &str) {
    let (what, of) = part.split_once('=').unwrap_or((part, ""));
    match (what, of) {
        ("schema", "next") => options.store.later = &["CREATE TABLE of_the_next_version (word TEXT) STRICT;"],
        ("schema", "broken") => options.store.later = &["INSERT INTO there_is_no_such_table VALUES (1);"],
        ("kill" | "hang" | "wait", name) => {
            let (name, what) = match name.split_once(',') {
                Some((name, file)) => (name, file),
                None => (name, what),
            };
            let step = Step::ALL.into_iter().find(|step| step.name() == name).expect("the test names a step");
            PART.set((what.to_owned(), step)).expect("one part is enough");
            options.at_step = at_step;
        }
        _ => panic!("no such part: {part}"),
    }
}

fn at_step(step: Step) {
    match PART.get() {
        Some((what, at)) if *at == step && what == "kill" => {
            kill_process(getpid(), Signal::KILL).expect("a process may end itself");
        }
        Some((what, at)) if *at == step && what == "hang" => loop {
            std::thread::park();
        },
        Some((file, at)) if *at == step => {
            while Path::new(file).exists() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        _ => {}
    }
}

impl Home {
    /// A binary that plays parts, as one that was installed under a path of its own.
    pub fn binary(&self, name: &str, program: impl AsRef<Path>, parts: &[&str]) -> PathBuf {
        let parts: String = parts.iter().map(|part| format!(" --part {part}")).collect();
        self.script(name, &format!("exec {}{parts} \"$@\"", program.as_ref().display()))
    }

    /// A shell script that can be run.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a script can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("its mode can be set");
        path
    }
}
