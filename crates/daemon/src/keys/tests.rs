//! Keys in real files and directories; and, where there is one, in a real keyring.

use super::*;
use crate::config::{Config, KeySource};
use agent::ModelName;
use models::ProviderInfo;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wire::rest::{KeyOrigin, KeyRow};

const CANARY: &str = "sk-canary-0123456789";

fn environment(name: &str) -> Option<OsString> {
    match name {
        "GOOD_KEY" | "ANTHROPIC_API_KEY" => Some(format!("{CANARY}-env\n").into()),
        "BAD_KEY" => Some(format!("two {CANARY}").into()),
        "EMPTY_KEY" => Some("".into()),
        _ => None,
    }
}

fn store() -> (TempDir, KeyStore) {
    let home = tempfile::tempdir().unwrap();
    let store = KeyStore::with_environment(home.path(), environment);
    (home, store)
}

fn named(text: &str) -> ModelName {
    ModelName::new(text)
}

fn config(text: &str) -> Config {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file).unwrap()
}

fn list(store: &KeyStore) -> Vec<KeyRow> {
    store.list(&config(""))
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn kept(name: &str) -> KeySource {
    KeySource::Kept(name.to_owned())
}

fn provider(word: &str) -> &'static ProviderInfo {
    models::provider(word).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// What an error says, which is never a key.
fn refusal(store: &KeyStore, source: &KeySource) -> String {
    let error = store.secret(source).unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(!said.contains("canary"), "a key stands in {said}");
    error.to_string()
}

#[test]
fn a_key_is_kept_for_its_user_alone_and_forgotten_again() {
    let (home, store) = store();
    assert_eq!(list(&store), []);
    let place = PathBuf::from(store.set("work", &secret(&format!("{CANARY}\n")), false).unwrap());
    assert_eq!(place, home.path().join("keys/work"));
    assert_eq!((mode(&home.path().join("keys")), mode(&place)), (0o700, 0o600));
    assert_eq!(store.secret(&kept("work")).unwrap(), secret(CANARY));
    assert_eq!(store.resolve(&kept("work")).unwrap(), secret(CANARY).key());
    store.set("work", &secret("sk-another-key"), false).unwrap();
    assert_eq!(store.secret(&kept("work")).unwrap(), secret("sk-another-key"));
    let row = &list(&store)[0];
    assert_eq!((row.name.as_str(), row.origin, row.present), ("work", KeyOrigin::Kept, true));
    assert_eq!(std::fs::read_dir(home.path().join("keys")).unwrap().count(), 1, "nothing is left beside it");
    assert!(store.remove("work").unwrap());
    assert!(!store.remove("work").unwrap());
    assert!(refusal(&store, &kept("work")).contains("tinkerbell keys set work"));
}

#[test]
fn what_a_killed_daemon_had_half_written_goes_with_the_next_key_of_that_name() {
    let (home, store) = store();
    store.set("work", &secret(CANARY), false).unwrap();
    let keys = home.path().join("keys");
    let count = || std::fs::read_dir(&keys).unwrap().count();
    let leave = || [".work.4711.new", ".work2.4711.new"].map(|name| std::fs::write(keys.join(name), CANARY).unwrap());
    leave();
    store.set("work", &secret("sk-another-key"), false).unwrap();
    assert_eq!(count(), 2, "the key, and what belongs to another name");
    leave();
    assert!(store.remove("work").unwrap());
    assert_eq!(count(), 1, "what belongs to another name");
}

#[test]
fn what_others_could_have_touched_is_refused() {
    let (home, store) = store();
    let place = PathBuf::from(store.set("work", &secret(CANARY), false).unwrap());
    let directory = home.path().join("keys");
    chmod(&place, 0o640);
    assert!(refusal(&store, &kept("work")).contains("mode 640"));
    let row = &list(&store)[0];
    assert!(!row.present && row.missing.as_ref().unwrap().contains("chmod 600"), "{row:?}");
    chmod(&place, 0o600);
    chmod(&directory, 0o755);
    assert!(refusal(&store, &kept("work")).contains("chmod 700"));
    assert!(store.set("other", &secret(CANARY), false).is_err());
    chmod(&directory, 0o700);

    let elsewhere = home.path().join("elsewhere");
    std::fs::write(&elsewhere, CANARY).unwrap();
    chmod(&elsewhere, 0o600);
    symlink(&elsewhere, directory.join("link")).unwrap();
    assert!(refusal(&store, &kept("link")).contains("not a plain file"));
    store.set("link", &secret("sk-new-key-01"), false).unwrap();
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), CANARY, "what a link points at stays");
    std::fs::create_dir(directory.join("folder")).unwrap();
    assert!(refusal(&store, &kept("folder")).contains("not a plain file"));

    std::fs::rename(&directory, home.path().join("moved")).unwrap();
    symlink(home.path().join("moved"), &directory).unwrap();
    assert!(refusal(&store, &kept("work")).contains("not a plain file or directory"));
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give a file away");
        return;
    }
    let (home, store) = store();
    let place = PathBuf::from(store.set("work", &secret(CANARY), false).unwrap());
    std::os::unix::fs::chown(&place, Some(65534), None).unwrap();
    assert!(refusal(&store, &kept("work")).contains("another user"));
    std::os::unix::fs::chown(home.path().join("keys"), Some(65534), None).unwrap();
    assert!(refusal(&store, &kept("work")).contains("another user"));
}

#[test]
fn what_is_missing_is_said_with_the_way_out() {
    let (home, store) = store();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        KeySource::File(path)
    };
    let pipe = home.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let env = |name: &str| KeySource::Env(name.to_owned());
    for (source, words) in [
        (env("NO_SUCH_KEY"), ["NO_SUCH_KEY", "does not see what is exported", "tinkerbell keys set"]),
        (env("EMPTY_KEY"), ["EMPTY_KEY", "does not see what is exported", "tinkerbell keys set"]),
        (env("BAD_KEY"), ["BAD_KEY", "holds no key", "copy it again"]),
        (KeySource::File(home.path().join("none")), ["none", "cannot be read", "tinkerbell keys set"]),
        (file("blank", " \n"), ["blank", "holds no key", "empty"]),
        (file("page", &format!("<html>{CANARY} </html>")), ["page", "holds no key", "copy it again"]),
        (KeySource::File(pipe), ["pipe", "holds no key", "empty"]),
        (file("large", &"k".repeat(100_000)), ["large", "holds no key", "wrong file"]),
        (kept("none"), ["none", "is kept", "tinkerbell keys set none"]),
        (kept("../etc/passwd"), ["a key's name", "letters", "dot"]),
    ] {
        let said = refusal(&store, &source);
        assert!(words.iter().all(|word| said.contains(word)), "{source:?}: {said}");
    }
    assert_eq!(store.secret(&env("GOOD_KEY")).unwrap(), secret(&format!("{CANARY}-env")));
    assert_eq!(store.secret(&file("good", &format!("{CANARY}\n"))).unwrap(), secret(CANARY));
}

#[test]
fn a_model_without_a_key_uses_the_nearest() {
    let (home, store) = store();
    let anthropic = provider("anthropic");
    assert_eq!(store.usual(&named("sonnet"), anthropic), Some(KeySource::Env("ANTHROPIC_API_KEY".to_owned())));
    assert_eq!(store.usual(&named("gpt"), provider("openai")), None);
    assert_eq!(store.usual(&named("local"), provider("ollama")), None);
    store.set("anthropic", &secret(CANARY), false).unwrap();
    assert_eq!(store.usual(&named("sonnet"), anthropic), Some(kept("anthropic")));
    store.set("sonnet", &secret(CANARY), false).unwrap();
    assert_eq!(store.usual(&named("sonnet"), anthropic), Some(kept("sonnet")));
    // A name that is no file's name is skipped, not an error.
    assert_eq!(store.usual(&named("a/b"), anthropic), Some(kept("anthropic")));
    // A directory that cannot be trusted is told of, rather than another key taken; who needs no key does not care.
    chmod(&home.path().join("keys"), 0o755);
    assert_eq!(store.usual(&named("sonnet"), anthropic), Some(kept("sonnet")));
    assert!(refusal(&store, &kept("sonnet")).contains("chmod 700"));
    assert_eq!(store.usual(&named("local"), provider("ollama")), None);
}

#[test]
fn keys_are_listed_with_their_places_and_masked_wherever_they_are() {
    let (home, store) = store();
    let path = home.path().join("file");
    std::fs::write(&path, "sk-in-a-file-01").unwrap();
    store.set("spare", &secret("sk-a-spare-key"), false).unwrap();
    let config = config(&format!(
        "[models.a]\nprovider = \"openai\"\nmodel = \"m\"\nkey = {{ file = {path:?} }}\n\
         [models.b]\nprovider = \"openai\"\nmodel = \"m\"\nkey = {{ env = \"NONE\" }}\n\
         [models.c]\nprovider = \"anthropic\"\nmodel = \"m\"\n[models.d]\nprovider = \"anthropic\"\nmodel = \"m\"\n"
    ));
    let rows = store.list(&config);
    let shown: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.origin, row.present)).collect();
    let expected = [
        ("ANTHROPIC_API_KEY", KeyOrigin::Environment, true),
        ("NONE", KeyOrigin::Environment, false),
        ("a", KeyOrigin::File, true),
        ("spare", KeyOrigin::Kept, true),
    ];
    assert_eq!(shown, expected);
    assert_eq!(rows[3].place, kept("spare").place());
    let secrets = crate::secrets::Secrets::new(store.secrets(&config));
    let text = format!("sk-in-a-file-01 sk-a-spare-key {CANARY}-env");
    assert_eq!(secrets.mask(&text), "[key a] [key spare] [key ANTHROPIC_API_KEY]");
}

#[test]
fn nothing_shows_a_key() {
    let shown = secret(CANARY);
    let text = format!("{shown} {shown:?} {:#?} {:?} {}", Some(&shown), shown.key(), shown.key());
    assert!(!text.contains("canary"), "{text}");
}

/// Run by the test below within a session of its own; alone, it shows that a machine without a keyring gets an answer.
#[test]
#[ignore = "real: needs gnome-keyring-daemon and dbus-run-session"]
fn real_keyring_keeps_a_key() {
    const INSIDE: &str = "TINKERBELL_TEST_INSIDE_KEYRING";
    if std::env::var_os(INSIDE).is_some() {
        return within_a_session();
    }
    let there = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|directory| directory.join(program).exists())
    };
    if !there("dbus-run-session") || !there("gnome-keyring-daemon") {
        return println!("skipped: there is no dbus-run-session or no gnome-keyring-daemon");
    }
    let script = "printf '' | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec \"$@\"";
    let home = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    let status = std::process::Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script, "sh"])
        .arg(this)
        .args(["--ignored", "--exact", "--nocapture", "keys::tests::real_keyring_keeps_a_key"])
        .env(INSIDE, "1")
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .status()
        .expect("dbus-run-session is there");
    assert!(status.success());
}

fn within_a_session() {
    let (home, store) = store();
    let source = KeySource::Keyring("work".to_owned());
    assert!(refusal(&store, &source).contains("tinkerbell keys set work --keyring"));
    store.set("work", &secret("sk-kept-in-a-file"), false).unwrap();
    store.set("work", &secret(CANARY), true).unwrap();
    assert_eq!(store.secret(&source).unwrap(), secret(CANARY));
    assert!(!home.path().join("keys/work").exists(), "the file has gone");
    assert_eq!(store.usual(&named("work"), provider("openai")), Some(source.clone()));
    let row = &list(&store)[0];
    assert_eq!((row.name.as_str(), row.origin, row.present), ("work", KeyOrigin::Keyring, true));
    store.set("work", &secret("sk-another-key"), true).unwrap();
    assert_eq!(store.secret(&source).unwrap(), secret("sk-another-key"));
    // Within a runtime too, as the daemon's assembly is.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(async { store.secret(&source) }).unwrap(), secret("sk-another-key"));
    assert!(store.remove("work").unwrap());
    assert!(refusal(&store, &source).contains("has no key work"));
    println!("a real keyring kept, gave, replaced and forgot a key");
}
