//! `cargo xtask install`: the stripped binary, its manual and its completions, where the user's programs look for them.
//!
//! Nothing is written outside of the user's own directories, each file is said, and so is how to undo it. With `--root`
//! everything goes below one directory instead. What knows the manual and the completions is the binary itself, so they
//! are those of what was installed.

use crate::process::Program;
use anyhow::{Context, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Building with link-time optimisation takes some minutes on two cores, and more on one.
const BUILD_LIMIT: Duration = Duration::from_secs(3_600);
/// Writing the manual or a shell's completions.
const WRITE_LIMIT: Duration = Duration::from_secs(60);
/// Shells whose places are known.
const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// What to install where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Put everything below this directory: bin, share and config [default: cargo's and the user's own places]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Where things go.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    /// Cargo's root of programs, which lie in its `bin`.
    programs: PathBuf,
    /// What is shared by programs: the manual, completions of bash and zsh.
    data: PathBuf,
    /// Configuration: completions of fish.
    config: PathBuf,
}

/// Builds and installs.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let chosen = options.root.as_ref().map(std::path::absolute).transpose()?;
    let places = Places::of(chosen.as_deref(), &|name| std::env::var_os(name))?;
    let mut build = vec!["install".into(), "--locked".into(), "--force".into(), "--path".into()];
    build.push(OsString::from(root.join("crates/tinkerbell")));
    // Said always: a configuration of cargo's may name another root, where we would look for the binary in vain.
    build.extend(["--root".into(), OsString::from(&places.programs)]);
    ensure!(
        Program::cargo(root, BUILD_LIMIT).args(build).run()?.success(),
        "the build failed, so nothing was installed"
    );
    let bin = places.programs.join("bin");
    let binary = bin.join("tinkerbell");
    let written = complete(&binary, &places)?;
    println!("\ninstalled:");
    for file in &written {
        println!("  {}", file.display());
    }
    println!("\nto undo: cargo uninstall tinkerbell --root {}; rm", places.programs.display());
    for file in &written[1..] {
        println!("  {}", file.display());
    }
    if !is_in_path(&bin) {
        println!("\n{} is not in PATH; add it to use `tinkerbell` by its name", bin.display());
    }
    Ok(true)
}

/// Says the binary's size, has it write the manual and the completions, and gives all files, the binary first.
fn complete(binary: &Path, places: &Places) -> anyhow::Result<Vec<PathBuf>> {
    let about = binary.metadata().with_context(|| format!("{} is not there after the build", binary.display()))?;
    println!("{} has {} bytes ({:.1} MiB)", binary.display(), about.len(), about.len() as f64 / (1 << 20) as f64);
    let mut written = vec![binary.to_owned()];
    let manual = places.data.join("man/man1");
    written.extend(ask(binary, places, &["man".into(), "--dir".into(), OsString::from(&manual)])?);
    for shell in SHELLS {
        written.extend(ask(binary, places, &["completions".into(), shell.into(), "--install".into()])?);
    }
    Ok(written)
}

/// Runs the binary for something that it writes, and gives the files that it says.
fn ask(binary: &Path, places: &Places, arguments: &[OsString]) -> anyhow::Result<Vec<PathBuf>> {
    let mut said = String::new();
    let status = Program::new(binary, Path::new("/"), WRITE_LIMIT)
        .args(arguments.iter().cloned().chain(["--json".into()]))
        .env("XDG_DATA_HOME", &places.data)
        .env("XDG_CONFIG_HOME", &places.config)
        .lines(|line| said.push_str(line))?;
    ensure!(status.success(), "{} {arguments:?} failed", binary.display());
    let answer: serde_json::Value = serde_json::from_str(&said)
        .with_context(|| format!("{} {arguments:?} did not say what it wrote: {said:?}", binary.display()))?;
    let files = answer["written"].as_array().context("the answer names the files written")?;
    Ok(files.iter().filter_map(|file| file.as_str().map(PathBuf::from)).collect())
}

impl Places {
    /// Below the root that was chosen, else where cargo and the desktop's rules (XDG) put them.
    fn of(root: Option<&Path>, variable: &dyn Fn(&str) -> Option<OsString>) -> anyhow::Result<Places> {
        if let Some(root) = root {
            return Ok(Places { programs: root.to_owned(), data: root.join("share"), config: root.join("config") });
        }
        let set = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = set("HOME").context("HOME is not set, so there is no place to install to; name one with --root")?;
        let cargo = set("CARGO_INSTALL_ROOT").or_else(|| set("CARGO_HOME")).unwrap_or_else(|| home.join(".cargo"));
        Ok(Places {
            programs: cargo,
            data: set("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")),
            config: set("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
        })
    }
}

fn is_in_path(bin: &Path) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir == bin))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that writes what tinkerbell would, as far as the names go.
    const BINARY: &str = r#"#!/bin/sh
case "$1" in
man) mkdir -p "$3" && echo page > "$3/tinkerbell.1" && echo "{\"written\":[\"$3/tinkerbell.1\"]}" ;;
completions)
    case "$2" in fish) file="$XDG_CONFIG_HOME/$2" ;; *) file="$XDG_DATA_HOME/$2" ;; esac
    mkdir -p "${file%/*}" && echo "$4" > "$file" && echo "{\"written\":[\"$file\"]}" ;;
esac
"#;

    fn binary(dir: &Path, script: &str) -> PathBuf {
        let (text, path) = (dir.join("text"), dir.join("tinkerbell"));
        std::fs::write(&text, script).unwrap();
        // By another process: what this one has open to write, a child of another test holds too, and it cannot be run.
        assert!(
            std::process::Command::new("install").args(["-m", "700"]).args([&text, &path]).status().unwrap().success()
        );
        path
    }

    #[test]
    fn all_that_is_written_lies_below_the_root_and_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::of(Some(dir.path()), &|_| None).unwrap();
        let written = complete(&binary(dir.path(), BINARY), &places).unwrap();
        assert_eq!(written.len(), 5);
        assert!(written.iter().all(|file| file.starts_with(dir.path()) && file.is_file()), "{written:?}");
        assert!(written.contains(&dir.path().join("config/fish")) && written.contains(&dir.path().join("share/bash")));
    }

    #[test]
    fn a_binary_that_fails_or_says_nothing_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::of(Some(dir.path()), &|_| None).unwrap();
        let failing = complete(&binary(dir.path(), "#!/bin/sh\nexit 3\n"), &places).unwrap_err();
        assert!(failing.to_string().contains("failed"), "{failing}");
        let silent = complete(&binary(dir.path(), "#!/bin/sh\necho hello\n"), &places).unwrap_err();
        assert!(silent.to_string().contains("did not say what it wrote"), "{silent}");
        let missing = complete(&dir.path().join("nothing"), &places).unwrap_err();
        assert!(missing.to_string().contains("is not there after the build"), "{missing}");
    }

    #[test]
    fn without_a_root_the_users_own_places_serve() {
        let home = |name: &str| (name == "HOME").then(|| "/h".into());
        let places = Places::of(None, &home).unwrap();
        let expected =
            Places { programs: "/h/.cargo".into(), data: "/h/.local/share".into(), config: "/h/.config".into() };
        assert_eq!(places, expected);
        assert!(Places::of(None, &|_| None).is_err());
    }
}
