//! Where `cargo xtask test --real` put them.

use std::path::PathBuf;

/// A file below `$TINKERBELL_REAL`, or why it is not there.
pub(crate) fn place(name: &str) -> Result<PathBuf, String> {
    let real =
        std::env::var_os("TINKERBELL_REAL").ok_or("TINKERBELL_REAL is not set; run `cargo xtask test --real`")?;
    let path = PathBuf::from(real).join(name);
    if path.exists() { Ok(path) } else { Err(format!("there is no {}", path.display())) }
}
