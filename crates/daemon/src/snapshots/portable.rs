//! What a portable snapshot says of the machine that it comes from: the home directory, where sessions work, and which
//! secrets were in use. The secrets themselves are not in it.

use crate::config::{Config, keys_with};
use crate::keys::KeyStore;
use crate::secrets::Secrets;
use std::path::Path;
use store::{OpenError, Store};
use wire::rest::{KeyOrigin, KeyRow};
use wire::snapshot::{MAX_WORKSPACES, Portable, Secret, SecretPlace, Workspace};

/// All but the workspaces. `text` is the configuration as it stands in its file. Waits for disks, perhaps for the keyring.
pub(super) fn describe(keys: &KeyStore, config: &Config, text: Option<&str>, secrets: &Secrets) -> Portable {
    let mut named: Vec<Secret> = keys.list(config).into_iter().map(secret).collect();
    let masked = keys_with(text.unwrap_or_default(), |value| secrets.holds(value.as_bytes()).is_some());
    named.extend(masked.into_iter().map(|name| Secret { place: SecretPlace::Config, name }));
    Portable { home: home(), workspaces: Vec::new(), more_workspaces: 0, secrets: named }
}

/// The home directory of whoever runs this process, if there is one.
pub fn home() -> Option<String> {
    let home = std::env::var_os("HOME").filter(|home| Path::new(home).is_absolute())?;
    let real = std::fs::canonicalize(&home).unwrap_or_else(|_| home.into());
    real.into_os_string().into_string().ok()
}

fn secret(row: KeyRow) -> Secret {
    match row.origin {
        KeyOrigin::Kept => Secret { place: SecretPlace::Kept, name: row.name },
        KeyOrigin::Keyring => Secret { place: SecretPlace::Keyring, name: row.name },
        KeyOrigin::Environment => Secret { place: SecretPlace::Environment, name: row.name },
        KeyOrigin::File => Secret { place: SecretPlace::File, name: row.place },
    }
}

/// Adds where the sessions of a copy work.
pub(super) fn with_workspaces(portable: Portable, copy: &Path) -> Result<Portable, OpenError> {
    let (named, all) = Store::workspaces_of_copy(copy, MAX_WORKSPACES)?;
    let more_workspaces = all.saturating_sub(named.len() as u64);
    let workspaces = named.into_iter().map(|(path, sessions)| Workspace { path, sessions }).collect();
    Ok(Portable { workspaces, more_workspaces, ..portable })
}
