//! Every way in which a configuration can be wrong, cut or unreadable, at the task that reads it; and what proves bad.

use super::refusal::Refusal;
use super::serve::Reloader;
use crate::assemble::{Parts, assemble};
use crate::catalog;
use crate::config::{self, Config, ConfigError};
use crate::house::House;
use agent::ModelName;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::JournalId;
use tempfile::TempDir;
use wire::places::Places;
use wire::rest::ReloadCause;

/// A key that the server of [`server`] takes.
const GOOD: &str = "sk-good-0123456789";
/// One that it refuses.
const BAD: &str = "sk-bad-0123456789";

/// A configuration of which every part can be cut.
const WHOLE: &str = "default_model = \"offline\"\n[limits]\nsteps = 77\nturn_ms = 7000\n[routes.two]\nmodels = [\"offline\"]\n\
                     [permissions]\nrules = [{ tool = \"*\", decision = \"deny\" }]\n";

struct Bench {
    home: TempDir,
    reloader: Reloader,
}

impl Bench {
    async fn new(text: &str) -> Bench {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let (state_dir, socket) = (home.path().join("state"), home.path().join("s"));
        std::fs::create_dir(&state_dir).unwrap();
        let parts = Parts {
            config: Config::load(&file).unwrap(),
            state_dir: state_dir.clone(),
            socket: socket.clone(),
            canvas_dir: home.path().join("canvas"),
            store: store::Options::default(),
            tools: Vec::new(),
            models: Vec::new(),
        };
        let registry = assemble(parts).await.unwrap();
        let places = Places { config_file: file, state_dir, sockets: vec![socket], socket_chosen: true };
        Bench { home, reloader: Reloader::new(registry, places, None) }
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("config.toml")
    }

    fn house(&self) -> &House {
        self.reloader.house()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    async fn reload(&mut self) -> Result<Vec<String>, Refusal> {
        self.reloader.reload(ReloadCause::Asked, false).await.map(|reloaded| reloaded.changed)
    }

    /// Kinds of the daemon's own events.
    async fn noted(&self) -> Vec<String> {
        let events = self.house().store.events(JournalId::Daemon, agent::Seq(0), 500).await.unwrap();
        let kinds = events.iter().map(|event| wire::Header::from_json(&event.header).unwrap().event.kind().to_owned());
        kinds.collect()
    }

    /// A reload is refused, what was in force is in force to the pointer, and the status says why.
    async fn refused(&mut self, said: &str, what: &str) {
        let before = self.house().catalog.current();
        let refusal = self.reload().await.expect_err(what);
        assert!(refusal.to_string().contains(said), "{what}: {refusal}");
        assert!(Arc::ptr_eq(&before, &self.house().catalog.current()), "{what}: something was put in force");
        let status = super::status(self.house());
        assert!(status.refused.is_some_and(|refused| refused.message.contains(said)), "{what}: the status is silent");
    }
}

#[tokio::test]
async fn whatever_is_wrong_changes_nothing_and_is_said_until_a_good_one_comes() {
    let mut bench = Bench::new("limits.steps = 9").await;
    let wrong: &[(&str, &str)] = &[
        ("[limits]\nsteps = \"many\"\n", "line 2, column 1: limits.steps: must be a whole number"),
        ("limits.step = 3", "Did you mean `steps`?"),
        ("default_model = \"nobody\"", "names no model"),
        ("[limits", "line 1"),
        ("", "is empty"),
        ("  \n\t\n", "is empty"),
        (
            "[models.x]\nprovider = \"openai\"\nmodel = \"m\"\nkey = \"sk-canary-0123456789\"",
            "a key is not written here",
        ),
    ];
    for (text, said) in wrong {
        bench.write(text);
        bench.refused(said, text).await;
    }
    let large = "#".repeat((1 << 20) + 1);
    bench.write(&large);
    bench.refused("probably the wrong file", "too large").await;
    std::fs::write(bench.file(), b"\xff\xfe").unwrap();
    bench.refused("UTF-8", "not text").await;
    std::fs::remove_file(bench.file()).unwrap();
    bench.refused("is gone", "deleted").await;
    std::fs::create_dir(bench.file()).unwrap();
    bench.refused("no plain file", "a directory in its place").await;
    std::fs::remove_dir(bench.file()).unwrap();
    std::os::unix::fs::symlink("/nowhere", bench.file()).unwrap();
    bench.refused("is gone", "a link that leads nowhere").await;
    std::fs::remove_file(bench.file()).unwrap();
    bench.write("limits.steps = 10");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(bench.file(), open).unwrap();
    bench.refused("can be written by others", "a file for all to write").await;

    type Fault = (&'static str, fn() -> io::Error);
    let faults: [Fault; 3] = [
        ("No space left", || io::Error::from_raw_os_error(28)),
        ("Input/output error", || io::Error::from_raw_os_error(5)),
        ("Permission denied", || io::Error::from_raw_os_error(13)),
    ];
    for (said, fault) in faults {
        bench.reloader.reader =
            Arc::new(move |path: &Path| Err(ConfigError::Unreadable { path: path.to_owned(), error: fault() }));
        bench.refused(said, said).await;
    }
    bench.reloader.reader = Arc::new(|_: &Path| panic!("the reader breaks down"));
    bench.refused("a fault in tinkerbell", "a reader that panics").await;

    bench.reloader.reader = Arc::new(config::read_own);
    std::fs::remove_file(bench.file()).unwrap();
    bench.write("limits.steps = 10");
    assert_eq!(bench.reload().await.unwrap(), ["limits.steps"]);
    assert_eq!((super::status(bench.house()).refused, bench.house().config().limits.steps), (None, 10));
    let (trials, noted) = (wrong.len() + 6 + faults.len() + 1, bench.noted().await);
    // The same words twice in a row are noted once: empty and blank.
    assert_eq!(noted.iter().filter(|kind| *kind == "config.rejected").count(), trials - 1);
    assert_eq!(noted.last().unwrap(), "config.reloaded");
    println!("broken configurations: {trials} trials, 0 put in force, 0 failures");
}

#[tokio::test]
async fn a_half_written_file_is_taken_whole_or_not_at_all() {
    let mut bench = Bench::new("limits.steps = 9").await;
    let (mut taken, mut refused) = (0, 0);
    for cut in 0..=WHOLE.len() {
        let text = &WHOLE[..cut];
        bench.write(text);
        let before = bench.house().catalog.current();
        match bench.reload().await {
            Ok(_) => {
                let meant = Config::parse(&bench.file(), text, true).unwrap();
                let (now, outfit) = (bench.house().config(), bench.house().catalog.current());
                assert_eq!(now.changed(&meant), [""; 0], "{text}");
                assert_eq!((outfit.settings.limits, &outfit.settings.rules), (meant.limits, &meant.rules), "{text}");
                taken += 1;
            }
            Err(_) => {
                assert!(Arc::ptr_eq(&before, &bench.house().catalog.current()), "{text}");
                refused += 1;
            }
        }
    }
    assert_eq!(bench.house().config().limits.steps, 77);
    println!("half-written: {} trials, {taken} valid by themselves, {refused} refused, 0 failures", taken + refused);
    assert!(refused > WHOLE.len() / 2);
}

/// A server that says what models it has to whoever has the good key.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut heard = [0; 2048];
            let read = stream.read(&mut heard).unwrap_or(0);
            let known = String::from_utf8_lossy(&heard[..read]).contains(GOOD);
            let status = if known { "200 OK" } else { "401 Unauthorized" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
        }
    });
    format!("http://{address}/v1")
}

fn model(base_url: &str, key_file: &Path, steps: u32) -> String {
    format!(
        "limits.steps = {steps}\n[models.m]\nprovider = \"openai\"\nmodel = \"gpt\"\nbase_url = {base_url:?}\nkey = {{ file = {key_file:?} }}\n"
    )
}

#[tokio::test]
async fn what_works_is_not_given_up_for_a_key_or_an_address_that_does_not() {
    let (base, nobody) = (server(), "http://127.0.0.1:1/v1");
    let keys = tempfile::tempdir().unwrap();
    let (good, bad) = (keys.path().join("good"), keys.path().join("bad"));
    std::fs::write(&good, GOOD).unwrap();
    std::fs::write(&bad, BAD).unwrap();
    let mut bench = Bench::new(&model(&base, &good, 9)).await;
    for (text, said) in [
        (model(&base, &bad, 10), "refuses the key, and what is used now works"),
        (model(nobody, &good, 10), "nobody answers at http://127.0.0.1:1/v1"),
        (model(&base, &keys.path().join("none"), 10), "cannot be read"),
    ] {
        bench.write(&text);
        bench.refused(said, said).await;
        assert_eq!(bench.house().config().limits.steps, 9, "nothing of it counts");
    }
    // Who wants it all the same has it; and what did not work before is no reason to refuse another that does not.
    let forced = bench.reloader.reload(ReloadCause::Asked, true).await.unwrap();
    assert!(forced.warnings[0].starts_with("models.m: "), "{forced:?}");
    bench.write(&model(nobody, &good, 11));
    let taken = bench.reloader.reload(ReloadCause::Asked, false).await.unwrap();
    assert!(taken.warnings[0].contains("nobody answers"), "{taken:?}");
    bench.write(
        &(model(nobody, &good, 12)
            + "[models.new]\nprovider = \"llamacpp\"\nmodel = \"x\"\nbase_url = \"http://127.0.0.1:1/v1\"\n"),
    );
    let taken = bench.reloader.reload(ReloadCause::Asked, false).await.unwrap();
    assert_eq!((taken.warnings.len(), bench.house().config().limits.steps), (1, 12), "{taken:?}");
}

#[tokio::test]
async fn what_proves_bad_at_its_first_call_is_taken_back_until_it_changes() {
    let base = server();
    let keys = tempfile::tempdir().unwrap();
    let (key, name) = (keys.path().join("key"), ModelName::new("m"));
    std::fs::write(&key, GOOD).unwrap();
    let mut bench = Bench::new(&model(&base, &key, 9)).await;
    let voice = |bench: &Bench| bench.house().catalog.current().voices[&name].clone();
    let first = voice(&bench);

    // The key file changes under the daemon: the new key is refused, the old one is known and works.
    std::fs::write(&key, BAD).unwrap();
    bench.reloader.file_changed().await;
    bench.reloader.file_changed().await;
    assert!(Arc::ptr_eq(&voice(&bench).backend, &first.backend), "the old key is used");
    let held = super::status(bench.house()).held;
    assert!(held[0].model == name && held[0].reason.contains("refuses the key"), "{held:?}");

    // A key that the probe cannot tell, and the first call can.
    std::fs::write(&key, format!("{GOOD}-and-more")).unwrap();
    bench.reload().await.unwrap();
    let second = voice(&bench);
    assert!(!Arc::ptr_eq(&second.backend, &first.backend) && second.trial.is_some());
    assert!(super::status(bench.house()).held.is_empty());
    assert!(catalog::take_back(bench.house(), &name, &second, "it said 401").await);
    assert!(Arc::ptr_eq(&voice(&bench).backend, &first.backend), "what worked before is back");
    assert!(
        catalog::take_back(bench.house(), &name, &second, "it said 401").await,
        "another call may be tried again too"
    );
    assert!(!catalog::take_back(bench.house(), &name, &first, "it said 401").await, "there is nothing behind it");
    let held = super::status(bench.house()).held;
    assert!(held.len() == 1 && held[0].reason.contains("it said 401"), "{held:?}");

    // Not tried again as it is by itself, but by somebody who asks; and once it answers, it is what works.
    bench.reloader.file_changed().await;
    assert!(Arc::ptr_eq(&voice(&bench).backend, &first.backend));
    bench.reload().await.unwrap();
    let third = voice(&bench);
    assert!(!Arc::ptr_eq(&third.backend, &first.backend));
    third.trial.as_ref().unwrap().prove();
    std::fs::write(&key, format!("{GOOD}-other")).unwrap();
    bench.reload().await.unwrap();
    let fourth = voice(&bench);
    assert!(catalog::take_back(bench.house(), &name, &fourth, "it said 401").await);
    assert!(Arc::ptr_eq(&voice(&bench).backend, &third.backend), "back to the last that proved good");
    let reverted = bench.noted().await.into_iter().filter(|kind| kind == "config.reverted").count();
    assert_eq!(reverted, 3);
}
