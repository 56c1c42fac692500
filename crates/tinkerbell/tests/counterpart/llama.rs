//! llama.cpp's own server, with a real model or with one whose weights say a script.

use super::place;
use crate::world::{World, project, ran};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a scripted model says before it calls its tool.
pub(crate) const OPENING: &str = "I will write it. ";
/// What a scripted model says to a tool's result.
pub(crate) const ANSWER: &str = "The file is très joli now 😀.";

/// The server. It ends when its standard input closes.
pub(crate) struct Llama {
    child: Child,
    /// Its root.
    pub(crate) url: String,
}

impl Llama {
    /// Starts it with a model, or says why it cannot be had.
    pub(crate) fn start(model: &Path, more: &[&str]) -> Result<Llama, String> {
        let mut child = Command::new(place("llama/venv/bin/python")?)
            .arg(project().join("scripts/real/llama_server.py"))
            .arg(model)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening ").map(str::to_owned));
        Ok(Llama { child, url: url.expect("the server says where it listens") })
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a model that calls `write_file` with each of these arguments in one reply, or says why it cannot be made.
pub(crate) fn scripted_model(world: &World, arguments: &[&str]) -> Result<PathBuf, String> {
    let python = place("llama/venv/bin/python")?;
    let model = world.home.path("model.gguf");
    let mut make = Command::new(python);
    make.arg(project().join("scripts/real/make_model.py")).arg(&model);
    for given in arguments {
        make.args(["--arguments", given]);
    }
    ran(&mut make).good();
    Ok(model)
}
