//! llama.cpp's own server for the real tests of this room.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The server. It ends when its standard input closes.
pub(crate) struct Llama {
    child: Child,
    /// Its root.
    pub(crate) url: String,
}

impl Llama {
    /// Starts it with a model below `$TINKERBELL_REAL`, or says why it cannot be had.
    pub(crate) fn start(model: &str, more: &[&str]) -> Result<Llama, String> {
        let real =
            std::env::var_os("TINKERBELL_REAL").ok_or("TINKERBELL_REAL is not set; run `cargo xtask test --real`")?;
        let real = PathBuf::from(real);
        let (python, model) = (real.join("llama/venv/bin/python"), real.join(model));
        for needed in [&python, &model] {
            if !needed.exists() {
                return Err(format!("there is no {}", needed.display()));
            }
        }
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts/real/llama_server.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(model)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
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
