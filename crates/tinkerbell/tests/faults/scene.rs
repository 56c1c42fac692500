//! A world whose daemon can be hurt at any call, with one session in it, and what is true of it whatever happens.

use crate::world::{LOOK, PATIENCE, Ran, TINKERBELL, World, journal, process, ran};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use testkit::syscalls::{Injector, available};
use testkit::{Client, Daemon};

/// The world. Fields are dropped in order: the daemon first.
pub(crate) struct Scene {
    pub(crate) daemon: Option<Daemon>,
    pub(crate) injector: Injector,
    pub(crate) world: World,
    /// The session that things are done in.
    pub(crate) session: String,
    /// What clients were told of it while something was hurt.
    told: Mutex<BTreeMap<u64, Value>>,
    /// The user's own state of the repository, before.
    pub(crate) before: Mutex<String>,
}

/// What came of asking for something.
#[derive(Debug)]
pub(crate) enum Came {
    /// It was acknowledged.
    Done(Value),
    /// It was refused, with this status and problem.
    Refused(u16, Value),
    /// The daemon was gone before it answered.
    Cut,
}

impl Scene {
    /// A daemon that nothing hurts yet, and an empty session; in a repository of the user's, or in a plain folder.
    pub(crate) fn new(repository: bool) -> Scene {
        let world = if repository { World::repository() } else { World::new() };
        if repository {
            // The daemon's git commits as somebody.
            world.git(&["config", "user.name", "User"]);
            world.git(&["config", "user.email", "user@example.org"]);
        }
        let injector = Injector::new(&world.home.path(""));
        let (told, before) = (Mutex::default(), Mutex::default());
        let mut scene = Scene { daemon: None, injector, world, session: String::new(), told, before };
        scene.start().expect("nothing is hurt yet");
        let created = scene.client().post("/v1/sessions", &json!({ "workspace": scene.world.home.workspace() }));
        scene.session = created.unwrap().json()["session"].as_str().unwrap().to_owned();
        scene
    }

    pub(crate) fn client(&self) -> Client {
        self.world.client()
    }

    /// Starts a daemon that asks the injector.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let mut command = self.world.home.command(TINKERBELL);
        command.args(["daemon", "run", "--detached"]).current_dir("/");
        if available().is_ok() {
            self.injector.watch(&mut command).map_err(|error| error.to_string())?;
        }
        self.daemon = Some(self.world.home.start_as(&mut command)?);
        Ok(())
    }

    /// Runs the product's command line, whose calls are asked about as well.
    pub(crate) fn run_watched(&self, arguments: &[&str]) -> Ran {
        let mut command = self.world.command(arguments);
        self.injector.watch(&mut command).unwrap();
        ran(&mut command)
    }

    /// Kills the daemon and waits until it is gone, while somebody may wait for its answer.
    pub(crate) fn kill(&self) {
        let pid = process(self.daemon.as_ref().expect("there is a daemon").pid());
        kill_process(pid, Signal::KILL).expect("it is ours");
        wait("the killed daemon is gone", || self.is_dead()).expect("a killed process ends");
    }

    /// Whether the daemon is gone, and none that took over from it has the state.
    pub(crate) fn is_dead(&self) -> bool {
        self.daemon.as_ref().is_none_or(|daemon| testkit::has_ended(process(daemon.pid()))) && !self.world.is_held()
    }

    /// Sends a request below the session.
    pub(crate) fn send(&self, method: &str, path: &str, key: Option<&str>, body: &Value) -> Came {
        self.send_to(method, &format!("/v1/sessions/{}{path}", self.session), key, body)
    }

    /// Sends a request.
    pub(crate) fn send_to(&self, method: &str, path: &str, key: Option<&str>, body: &Value) -> Came {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        match self.client().send(method, path, &headers, body.to_string().as_bytes()) {
            Ok(answer) if [200, 201, 202, 204].contains(&answer.status) => Came::Done(answer.json()),
            Ok(answer) => Came::Refused(answer.status, answer.json()),
            Err(_) => Came::Cut,
        }
    }

    /// Says something and follows what comes of it to its end; nothing, where the daemon dies.
    pub(crate) fn ask(&self, text: &str, key: &str) -> Came {
        let came = self.send("POST", "/prompts", Some(key), &json!({ "text": text }));
        if let Came::Done(answer) = &came {
            let turn = answer["turn"].clone();
            for update in self.client().follow(&self.session, 0).into_iter().flatten() {
                let ended = update["kind"] == "turn.finished" && update["turn"] == turn;
                self.tell(update);
                if ended {
                    break;
                }
            }
        }
        came
    }

    /// What was told so far may go: it is forgotten on purpose.
    pub(crate) fn untell(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn tell(&self, update: Value) {
        if let Some(seq) = update["seq"].as_u64() {
            self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(seq, update);
        }
    }

    /// The session's journal.
    pub(crate) fn journal(&self) -> Vec<Value> {
        journal(&self.client(), &self.session)
    }

    /// While something is hurt, and while the daemon lives, what only reads is answered.
    pub(crate) fn reads(&self) -> Result<(), String> {
        for path in ["/healthz", "/v1/daemon", "/v1/sessions"] {
            match self.client().get(path) {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => return Err(format!("GET {path} while it is hurt: {} {}", answer.status, answer.json())),
                // It may have been killed just now, and takes a moment to be gone.
                Err(_) if wait("the daemon is gone", || self.is_dead()).is_ok() => return Ok(()),
                Err(error) => return Err(format!("GET {path} while it is hurt: {error}")),
            }
        }
        Ok(())
    }

    /// Nothing is hurt any more: starts the daemon again if it died, or if its store takes no writes any more.
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        self.injector.disarm();
        if !self.is_dead() && self.status()?["store"]["health"] == "read_only" {
            self.client().post("/v1/daemon/stop", &json!({})).map_err(|error| error.to_string())?;
            wait("it stops", || self.is_dead())?;
        }
        if self.is_dead() {
            self.daemon = None;
            self.start().map_err(|said| format!("no start afterwards: {said}"))?;
        }
        Ok(())
    }

    pub(crate) fn status(&self) -> Result<Value, String> {
        self.client().get("/v1/daemon").map(|answer| answer.json()).map_err(|error| error.to_string())
    }

    /// The last words of the daemon's log, for whoever looks into a failure.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read_to_string(self.world.home.state().join("log/daemon.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// The session as it is; null where there is none.
    pub(crate) fn view(&self) -> Value {
        self.client().get(&format!("/v1/sessions/{}", self.session)).map_or(Value::Null, |answer| answer.json())
    }

    /// What must be so whatever was done: no holes, all that was told, turns that end once, and work that goes on.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.heal()?;
        if self.view()["status"].is_string() {
            let events = self.journal();
            if let Some(at) = (0..events.len()).find(|at| events[*at]["seq"] != *at as u64 + 1) {
                return Err(format!("a hole at {at}: {}", events[at]));
            }
            for (seq, update) in self.told.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                if events.get(*seq as usize - 1) != Some(update) {
                    return Err(format!("event {seq} was told and is lost or another: {update}"));
                }
            }
            for started in events.iter().filter(|event| event["kind"] == "turn.started") {
                let ends = |event: &&Value| event["kind"] == "turn.finished" && event["turn"] == started["turn"];
                let ends = events.iter().filter(ends).count();
                if ends != 1 {
                    return Err(format!("{} ended {ends} times", started["turn"]));
                }
            }
        }
        self.goes_on()
    }

    /// A new session does a whole turn and an accept, in a place of its own.
    fn goes_on(&mut self) -> Result<(), String> {
        let workspace = self.world.home.path("elsewhere");
        std::fs::create_dir_all(&workspace).unwrap();
        let body =
            json!({ "workspace": workspace, "prompt": { "text": "Create a file on.txt that contains the word on." } });
        let Came::Done(created) = self.send_to("POST", "/v1/sessions", None, &body) else {
            return Err("a new session was refused afterwards".to_owned());
        };
        let session = created["session"].as_str().unwrap();
        let updates = self.client().follow(session, 0).map_err(|error| error.to_string())?;
        let end = updates.into_iter().find(|update| update["kind"] == "turn.finished");
        if end.as_ref().is_none_or(|end| end["outcome"] != "done") {
            return Err(format!("a new turn afterwards: {end:?}"));
        }
        match self.send_to("POST", &format!("/v1/sessions/{session}/canvas/accept"), None, &json!({})) {
            Came::Done(accepted) if accepted["outcome"] == "done" => {}
            other => return Err(format!("a new accept afterwards: {other:?}")),
        }
        std::fs::remove_file(workspace.join("on.txt")).map_err(|error| error.to_string())
    }

    /// Stops the daemon in good order and looks at what lies on the disk.
    pub(crate) fn rest(mut self) -> Result<(), String> {
        let serving = self.status()?["pid"].as_u64();
        match self.daemon.take().filter(|daemon| serving == Some(daemon.pid().into())).map(Daemon::stop) {
            Some(Ok(true)) => {}
            Some(other) => return Err(format!("it did not stop in good order: {other:?}")),
            // One that took over is nobody's child here.
            None => {
                self.client().post("/v1/daemon/stop", &json!({})).map_err(|error| error.to_string())?;
                wait("the one that took over stops", || self.is_dead())?;
            }
        }
        testkit::verify_chains(&self.world.home);
        let pictures = self.world.home.state().join("canvas");
        for picture in std::fs::read_dir(pictures).into_iter().flatten().flatten() {
            let mut git = self.world.home.command("git");
            let checked = ran(git.arg("--git-dir").arg(picture.path()).args(["fsck", "--strict", "--no-dangling"]));
            if checked.code != 0 || !checked.out.is_empty() {
                return Err(format!("the picture {:?} is broken: {checked:?}", picture.path()));
            }
        }
        Ok(())
    }
}

/// Looks until something is so, or says that it never was.
pub(crate) fn wait(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > PATIENCE {
            return Err(format!("waited in vain until {what}"));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
