//! What is to be said of a state that came from another machine: where its sessions work now, which workspaces are not
//! there, and which secrets are to be set again.

use daemon::snapshots::restore::Chosen;
use std::path::Path;
use wire::snapshot::{CONFIG, Manifest, Portable, SecretPlace, Why};

/// The most workspaces that are named one by one; `--json` has all.
const NAMED: usize = 20;

/// What is to be said.
pub(crate) struct News {
    /// Workspaces, as they are called here, that are not there.
    pub(crate) missing: Vec<String>,
    /// What sets the secrets again.
    pub(crate) to_set: Vec<String>,
    /// All of it in words.
    pub(crate) remarks: Vec<String>,
}

/// What is to be said of a snapshot that was put into `state_dir`. `home` is the directory that it all lies below, where
/// that is not the usual place.
pub(crate) fn news(manifest: &Manifest, chosen: &Chosen, home: Option<&Path>, state_dir: &Path) -> News {
    let moved = chosen.roots.words().into_iter().map(|words| format!("sessions moved from {words}"));
    let mut news = News { missing: Vec::new(), to_set: Vec::new(), remarks: moved.collect() };
    if let Some(lines) = home.and_then(|home| old_paths(chosen, &home.join(CONFIG))) {
        news.remarks.push(format!("the configuration still speaks of the old place in line {lines}"));
    }
    match &manifest.portable {
        Some(portable) => of_portable(portable, manifest, chosen, home, state_dir, &mut news),
        None => news.remarks.extend(left_out(manifest)),
    }
    news
}

fn of_portable(
    portable: &Portable,
    manifest: &Manifest,
    chosen: &Chosen,
    home: Option<&Path>,
    state_dir: &Path,
    news: &mut News,
) {
    let here = portable
        .workspaces
        .iter()
        .map(|workspace| chosen.roots.moved(&workspace.path).unwrap_or_else(|| workspace.path.clone()));
    news.missing = here.filter(|path| !Path::new(path).is_dir()).collect();
    let named = news
        .missing
        .iter()
        .take(NAMED)
        .map(|path| format!("not there: the workspace {path}; its sessions say so until it is"));
    news.remarks.extend(named);
    if let Some(more @ 1..) = news.missing.len().checked_sub(NAMED) {
        news.remarks.push(format!("not there: {more} more workspaces; --json names them"));
    }
    let before = home.map(|home| format!("TINKERBELL_HOME={} ", home.display())).unwrap_or_default();
    for secret in &portable.secrets {
        // The configuration of this machine stays where it is restored in place.
        if secret.place == SecretPlace::Config && home.is_none() {
            continue;
        }
        // One of the same name that this machine keeps already stays.
        if secret.place == SecretPlace::Kept && state_dir.join("keys").join(&secret.name).exists() {
            continue;
        }
        let how = secret.how();
        news.to_set.push(if how.starts_with("tinkerbell ") { format!("{before}{how}") } else { how });
    }
    news.remarks.extend(news.to_set.iter().map(|how| format!("to be set again: {how}")));
    if home.is_none() && manifest.sealed_bytes.is_none() && manifest.files.iter().any(|file| file.name == CONFIG) {
        let file = chosen.path.display();
        news.remarks
            .push(format!("the configuration of this machine stays; `tar -xOf {file} {CONFIG}` shows the other one"));
    }
}

/// The lines of a configuration in which something stands that is elsewhere now.
fn old_paths(chosen: &Chosen, config: &Path) -> Option<String> {
    let text = std::fs::read_to_string(config).ok()?;
    let lines = text.lines().zip(1..).filter(|(line, _)| chosen.roots.stand_in(line));
    let lines: Vec<String> = lines.map(|(_, number): (_, u32)| number.to_string()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// What has to be put there again by hand.
fn left_out(manifest: &Manifest) -> Option<String> {
    let secret = manifest.left_out.iter().filter(|left| left.why == Why::Secret);
    let names: Vec<&str> = secret.map(|left| left.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("not in it, because they are secrets: {}", names.join(", ")))
}
