//! What is to be said of a state that came from another machine: where its sessions work now, which workspaces are not
//! there, and which secrets are to be set again.

use daemon::snapshots::restore::{Chosen, Held};
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

/// Where a snapshot was put.
pub(crate) struct Place<'a> {
    /// The directory that it all lies below, where that is not the usual place.
    pub(crate) home: Option<&'a Path>,
    /// The state.
    pub(crate) state_dir: &'a Path,
    /// Whether there was no state before.
    pub(crate) is_new: bool,
}

/// What is to be said of a snapshot that was put somewhere.
pub(crate) fn news(manifest: &Manifest, chosen: &Chosen, held: &Held, place: &Place<'_>) -> News {
    let mut news = News { missing: Vec::new(), to_set: Vec::new(), remarks: roots(manifest, chosen, held) };
    if let Some(lines) = place.home.and_then(|home| old_paths(chosen, &home.join(CONFIG))) {
        news.remarks.push(format!("the configuration still speaks of the old place in line {lines}"));
    }
    match &manifest.portable {
        Some(portable) => of_portable(portable, manifest, chosen, place, &mut news),
        None => news.remarks.extend(left_out(manifest, place.state_dir)),
    }
    if place.is_new || manifest.portable.is_some() {
        news.remarks.extend(schedules(held.schedules));
    }
    news
}

/// Where sessions work from the first start on.
fn roots(manifest: &Manifest, chosen: &Chosen, held: &Held) -> Vec<String> {
    let home = manifest.portable.as_ref().and_then(|portable| portable.home.as_deref());
    let told = |(from, to, is_used): (&str, &str, bool)| match is_used {
        true => Some(format!("sessions in {from} will work in {to}")),
        // Nobody typed the home directory.
        false if held.all_workspaces && home != Some(from) => Some(format!("no session works in {from}")),
        false => None,
    };
    chosen.roots.with_use(&held.workspaces).into_iter().filter_map(told).collect()
}

/// What happens by itself where a daemon starts.
fn schedules(active: u64) -> Option<String> {
    match active {
        0 => None,
        1 => Some("1 schedule is active: it runs here from the first start".to_owned()),
        several => Some(format!("{several} schedules are active: they run here from the first start")),
    }
}

fn of_portable(portable: &Portable, manifest: &Manifest, chosen: &Chosen, place: &Place<'_>, news: &mut News) {
    let home = place.home;
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
        if secret.place == SecretPlace::Kept && place.state_dir.join("keys").join(&secret.name).exists() {
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

/// What has to be put there again by hand: in place, what was there has stayed.
fn left_out(manifest: &Manifest, state_dir: &Path) -> Option<String> {
    let secret = manifest.left_out.iter().filter(|left| left.why == Why::Secret);
    let names: Vec<&str> =
        secret.map(|left| left.name.as_str()).filter(|name| !state_dir.join(name).exists()).collect();
    (!names.is_empty()).then(|| format!("not in it, because they are secrets: {}", names.join(", ")))
}
