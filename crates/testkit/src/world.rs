//! A daemon with one session, and the questions that tests ask of it.

use crate::http::{Answer, Client};
use crate::{Daemon, Home};
use serde_json::{Value, json};

/// A session in a world of its own.
pub struct World {
    /// Its home.
    pub home: Home,
    /// A client of its daemon.
    pub client: Client,
    /// The session.
    pub session: String,
}

impl World {
    /// A daemon with this configuration, and an empty session.
    pub fn new(program: &str, config: &str) -> (World, Daemon) {
        let home = Home::new();
        home.configure(config);
        let daemon = home.start(program).expect("the daemon answers");
        let client = home.client();
        let created =
            client.post("/v1/sessions", &json!({ "workspace": home.workspace() })).expect("the daemon answers");
        assert_eq!(created.status, 200, "{:?}", created.json());
        let session = created.json()["session"].as_str().expect("the daemon answers").to_owned();
        (World { home, client, session }, daemon)
    }

    /// Posts to a path below the session.
    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.client.post(&format!("/v1/sessions/{}{path}", self.session), &body).expect("the daemon answers")
    }

    /// Gets a path below the session.
    pub fn get(&self, path: &str) -> Answer {
        self.client.get(&format!("/v1/sessions/{}{path}", self.session)).expect("the daemon answers")
    }

    /// Says something; the end of the turn that answers.
    pub fn ask(&self, text: &str) -> Value {
        let turn = self.prompt(text)["turn"].as_str().expect("the daemon answers").to_owned();
        self.finished(&turn)
    }

    /// What was said in reply to the newest prompt.
    pub fn reply(&self) -> String {
        let events = self.get("/events").json();
        let events = events["events"].as_array().expect("the daemon answers").clone();
        let reply = events.iter().rev().find(|event| event["kind"] == "model.finished");
        let text = reply.map(|reply| reply["data"]["text"].clone()).unwrap_or_default();
        match text["blob"].as_str() {
            Some(blob) => String::from_utf8_lossy(&self.get(&format!("/blobs/{blob}")).body).into_owned(),
            None => text.as_str().unwrap_or_default().to_owned(),
        }
    }

    /// Says something; what was acknowledged.
    pub fn prompt(&self, text: &str) -> Value {
        let answer = self.post("/prompts", json!({ "text": text }));
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        answer.json()
    }

    /// Updates from the beginning, until one is what is looked for; that one is last.
    pub fn until(&self, found: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        for update in self.client.follow(&self.session, 0).expect("the daemon answers") {
            let last = found(&update);
            seen.push(update);
            if last {
                return seen;
            }
        }
        panic!("the stream ended before what was looked for; it had {:#?}", seen.last())
    }

    /// The end of a turn.
    pub fn finished(&self, turn: &str) -> Value {
        self.until(|update| update["kind"] == "turn.finished" && update["turn"] == turn)
            .pop()
            .expect("the daemon answers")
    }

    /// The session as it is.
    pub fn view(&self) -> Value {
        self.client.get(&format!("/v1/sessions/{}", self.session)).expect("the daemon answers").json()
    }

    /// Answers the newest open question.
    pub fn answer(&self, answer: &str) -> Answer {
        let question = self.view()["approvals"][0]["id"].as_str().expect("the daemon answers").to_owned();
        self.post(&format!("/approvals/{question}"), json!({ "answer": answer }))
    }

    /// How often the counter tool ran.
    pub fn counted(&self) -> usize {
        std::fs::read_to_string(self.home.path("count")).map_or(0, |text| text.lines().count())
    }
}
