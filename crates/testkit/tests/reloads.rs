//! Another configuration while the daemon runs: by the file, by SIGHUP, by the API; and what running turns make of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{Client, Daemon, Home, World};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");
/// Reloads under load.
const RELOADS: u64 = 1_000;
/// Sessions whose turns run meanwhile.
const SESSIONS: usize = 4;

fn world(config: &str) -> (World, Daemon) {
    World::new(DAEMON, config)
}

/// The daemon's own updates after a number, until one is what is looked for.
fn noted(client: &Client, after: u64, found: impl Fn(&Value) -> bool) -> Value {
    let mut stream = client.stream(&format!("/v1/events?after={after}"), &[]).unwrap();
    stream.find(|update| found(update)).expect("the stream ended before what was looked for")
}

fn head(client: &Client) -> u64 {
    let page = client.get("/v1/events").unwrap().json();
    page["events"].as_array().unwrap().last().unwrap()["seq"].as_u64().unwrap()
}

fn status(client: &Client) -> Value {
    client.get("/v1/daemon").unwrap().json()["config"].clone()
}

fn reload(client: &Client) -> testkit::Answer {
    client.post("/v1/config/reload", &json!({})).unwrap()
}

fn steps(client: &Client) -> String {
    let view = client.get("/v1/config").unwrap().json();
    let keys = view["keys"].as_array().unwrap().clone();
    keys.iter().find(|one| one["key"] == "limits.steps").unwrap()["value"].as_str().unwrap().to_owned()
}

#[test]
fn the_file_a_signal_and_the_api_each_bring_another_configuration() {
    let (world, daemon) = world("limits.steps = 10\n");
    let client = &world.client;
    // By the file, written in place and renamed over, as editors do.
    for (n, text) in [(1, "limits.steps = 11\n"), (2, "limits.steps = 12\n")] {
        let after = head(client);
        if n == 1 {
            world.home.configure(text);
        } else {
            let beside = world.home.tinkerbell().join("config.toml~");
            std::fs::write(&beside, text).unwrap();
            std::fs::rename(beside, world.home.tinkerbell().join("config.toml")).unwrap();
        }
        let event = noted(client, after, |update| update["kind"] == "config.reloaded");
        assert_eq!((&event["data"]["cause"], &event["data"]["changed"]), (&json!("watch"), &json!(["limits.steps"])));
        assert_eq!(steps(client), format!("{}", 10 + n));
    }
    // By a signal: the watch may be quicker, so what counts is that the file counts.
    let after = head(client);
    world.home.configure("limits.steps = 13\n");
    kill_process(Pid::from_raw(daemon.pid() as i32).unwrap(), Signal::HUP).unwrap();
    noted(client, after, |update| update["kind"] == "config.reloaded");
    assert_eq!(steps(client), "13");
    // By the API, which answers when it counts.
    world.home.configure("limits.steps = 14\n[daemon]\nlog = \"debug\"\n");
    let answer = reload(client);
    assert_eq!((answer.status, steps(client)), (200, "14".to_owned()), "{}", answer.json());
    let checked = client.post("/v1/config/check", &json!({ "text": "limits.steps = 15\n" })).unwrap().json();
    assert_eq!(checked["would"]["changed"], json!(["daemon.log", "limits.steps"]), "{checked}");
    let checked = client.post("/v1/config/check", &json!({ "text": "\nlimits.step = 15\n" })).unwrap().json();
    assert_eq!((&checked["valid"], &checked["faults"][0]["line"]), (&json!(false), &json!(2)), "{checked}");
    assert_eq!(steps(client), "14", "a check changes nothing");
    assert!(status(client)["watched"].as_bool().unwrap());
}

#[test]
fn a_refused_file_stands_in_the_status_with_its_line_until_a_good_one_comes() {
    let (world, _daemon) = world("limits.steps = 10\n");
    let client = &world.client;
    let file = world.home.tinkerbell().join("config.toml");
    let wrong = [
        ("[limits]\nsteps = 20\nturn_ms = \"long\"\n", "line 3"),
        ("[limits]\nsteps = 20\nturns = 1\n", "Did you mean"),
        ("[limits]\nsteps = 20\nturn_m", "line 3"),
        ("", "is empty"),
    ];
    for (text, said) in wrong {
        let after = head(client);
        world.home.configure(text);
        noted(client, after, |update| {
            update["kind"] == "config.rejected" && update["data"]["message"].as_str().unwrap().contains(said)
        });
        let refused = status(client)["refused"].clone();
        assert!(refused["message"].as_str().unwrap().contains(said), "{refused}");
        assert_eq!((reload(client).status, steps(client)), (400, "10".to_owned()));
    }
    let after = head(client);
    std::fs::remove_file(&file).unwrap();
    noted(client, after, |update| update["data"]["message"].as_str().is_some_and(|said| said.contains("is gone")));
    assert_eq!((reload(client).status, steps(client)), (404, "10".to_owned()));
    // The whole directory may go and come again.
    let after = head(client);
    world.home.configure("limits.steps = 30\n");
    noted(client, after, |update| update["kind"] == "config.reloaded");
    assert_eq!((steps(client), &status(client)["refused"]), ("30".to_owned(), &Value::Null));
    assert_eq!(world.ask("say it")["outcome"], "done");
}

#[test]
fn the_daemons_own_updates_are_pages_and_a_stream_with_a_cursor() {
    let (world, _daemon) = world("");
    let client = &world.client;
    for steps in 10..14 {
        world.home.configure(&format!("limits.steps = {steps}\n"));
        assert_eq!(reload(client).status, 200);
    }
    let whole = client.get("/v1/events").unwrap().json();
    let all = whole["events"].as_array().unwrap().clone();
    let numbers: Vec<u64> = all.iter().map(|update| update["seq"].as_u64().unwrap()).collect();
    assert!(numbers.iter().zip(1..).all(|(seq, place)| *seq == place), "dense from 1: {numbers:?}");
    assert_eq!(all[0]["kind"], "daemon.began");
    let (mut pages, mut after) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("/v1/events?after={after}&limit=2")).unwrap().json();
        pages.extend(page["events"].as_array().unwrap().clone());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(pages, all);
    let streamed: Vec<Value> =
        client.stream("/v1/events", &[("last-event-id", "1")]).unwrap().take(all.len() - 1).collect();
    assert_eq!(streamed, all[1..]);
    for (last, expected) in [("2", &all[all.len() - 2..]), ("500", &all), ("0", &[])] {
        let page = client.get(&format!("/v1/events?last={last}")).unwrap().json();
        assert_eq!((page["events"].as_array().unwrap().as_slice(), &page["next"]), (expected, &Value::Null), "{last}");
    }
    // Fewer at a time are the first of them, and say how it goes on.
    let page = client.get("/v1/events?last=3&limit=1").unwrap().json();
    assert_eq!(page, json!({ "events": [all[all.len() - 3]], "next": all[all.len() - 3]["seq"] }));
    for wrong in ["after=x", "last=x", "after=1&last=1"] {
        assert_eq!(client.get(&format!("/v1/events?{wrong}")).unwrap().status, 400, "{wrong}");
    }
    let beyond = client.send("GET", "/v1/events?after=999", &[("accept", "text/event-stream")], b"").unwrap();
    assert_eq!(beyond.status, 400);
}

#[test]
fn a_new_socket_is_bound_before_the_old_one_goes_and_a_bad_one_changes_nothing() {
    let home = Home::new();
    // In the configuration, since what the command line or the environment says counts more.
    let (first, second) = (home.path("first.sock"), home.path("second.sock"));
    home.configure(&format!("[daemon]\nsocket = {first:?}\n"));
    let _daemon = home.start(DAEMON).unwrap();
    let client = Client::new(&first);
    let mut stream = client.stream("/v1/events", &[]).unwrap();
    home.configure("[daemon]\nsocket = \"/nowhere/at/all.sock\"\nidle_ms = 7\n");
    let refused = reload(&client);
    assert_eq!(refused.status, 409, "{}", refused.json());
    assert!(refused.json()["detail"].as_str().unwrap().contains("/nowhere/at"));
    home.configure(&format!("[daemon]\nsocket = {second:?}\n"));
    // The watch of the file may be quicker.
    let reloaded = client.post("/v1/config/reload", &json!({}));
    assert!(reloaded.is_err() || reloaded.is_ok_and(|answer| answer.status == 200));
    let client = Client::new(&second);
    let status = (0..2_000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        client.get("/v1/daemon").ok()
    });
    assert_eq!(status.expect("it answers at the new socket").json()["socket"], json!(second));
    let last = stream.find(|update| update["kind"] == "config.reloaded");
    assert!(last.is_some(), "who is connected stays");
    assert!(Client::new(&first).get("/healthz").is_err() && !first.exists(), "the old path is gone");
    let lock: Value = serde_json::from_slice(&std::fs::read(home.state().join("daemon.lock")).unwrap()).unwrap();
    assert_eq!(lock["socket"], json!(second));
}

#[test]
fn tighter_permissions_stop_what_runs_and_keep_from_beginning_what_was_allowed() {
    let allowed = "[permissions]\nrules = [{ tool = \"*\", decision = \"allow\" }]\n";
    let (world, _daemon) = world(allowed);
    world.prompt("[[tool stall {}]] [[tool count {\"label\":\"x\"}]] [[then]] over");
    world.until(|update| update["kind"] == "tool.started");
    world.home.configure("[permissions]\nrules = [{ tool = \"stall\", decision = \"deny\" }, { tool = \"count\", decision = \"deny\" }]\n");
    assert_eq!(reload(&world.client).status, 200);
    let events = world.until(|update| update["kind"] == "turn.finished");
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).cloned().collect::<Vec<_>>();
    let tightened = of("permission.tightened");
    assert_eq!(tightened.iter().map(|event| &event["data"]["name"]).collect::<Vec<_>>(), ["stall", "count"]);
    assert_eq!(of("tool.finished").iter().map(|event| &event["outcome"]).collect::<Vec<_>>(), ["cancelled"]);
    assert_eq!((world.counted(), &events.last().unwrap()["outcome"]), (0, &json!("done")));
    // Asked about again only where no person has allowed it, and a question that is open is answered by the rule.
    world.home.configure("# all defaults\n");
    assert_eq!(reload(&world.client).status, 200);
    world.prompt("[[tool count {\"label\":\"y\"}]]");
    world.until(|update| update["kind"] == "approval.requested");
    world.home.configure("[permissions]\nrules = [{ tool = \"count\", decision = \"deny\" }]\n");
    assert_eq!(reload(&world.client).status, 200);
    assert_eq!((world.finished("trn_2")["outcome"].clone(), world.counted()), (json!("done"), 0));
}

#[test]
fn a_budget_and_a_limit_that_are_lowered_count_for_the_running_turn() {
    let words = "word ".repeat(400);
    for (text, ends) in [
        ("[budget]\nper_turn_usd = 0.000001\n", "budget"),
        ("[budget]\nper_session_usd = 0.000001\n", "budget"),
        ("[budget]\nper_day_usd = 0.000001\n", "budget"),
        ("[limits]\nturn_ms = 1\n", "time"),
    ] {
        let (world, _daemon) = world("[budget]\nper_day_usd = 100\n");
        world.prompt(&format!("[[pause 50]] {words}"));
        world.until(|update| update["kind"] == "message.delta");
        world.home.configure(text);
        assert_eq!(reload(&world.client).status, 200);
        let end = world.finished("trn_1");
        assert_eq!((&end["outcome"], &end["limit"]), (&json!("limit"), &json!(ends)), "{text}");
    }
}

/// Values that belong together: who sees two that do not has seen a mixture.
fn whole(n: u64) -> String {
    format!(
        "[limits]\nsteps = {}\noutput_tokens = {}\nturn_ms = {}\n[routes.r{n}]\nmodels = [\"offline\"]\n\
         [permissions]\nrules = [{{ tool = \"*\", argument = \"never-{n}\", decision = \"deny\" }}]\n",
        1_000 + n,
        1_000_000 + n,
        10_000_000 + n
    )
}

/// Which configuration settings are, where they are one.
fn which(settings: &Value) -> Option<u64> {
    let n = settings["limits"]["steps"].as_u64()?.checked_sub(1_000)?;
    let parts = [
        settings["limits"]["output_tokens"].as_u64()? == 1_000_000 + n,
        settings["limits"]["turn_ms"].as_u64()? == 10_000_000 + n,
        settings["routes"].as_object()?.keys().eq([&format!("r{n}")]),
        settings["rules"][0]["argument"] == format!("never-{n}"),
    ];
    parts.iter().all(|part| *part).then_some(n)
}

#[test]
fn a_thousand_reloads_under_load_drop_no_turn_and_mix_no_settings() {
    let home = Home::new();
    home.configure(&whole(0));
    let _daemon = home.start(DAEMON).unwrap();
    let client = home.client();
    let over = AtomicBool::new(false);
    let turns: Vec<(String, u64)> = std::thread::scope(|scope| {
        let talking: Vec<_> = (0..SESSIONS).map(|_| scope.spawn(|| talk(&home, &over))).collect();
        for n in 1..=RELOADS {
            home.configure(&whole(n));
            let answer = reload(&client);
            assert_eq!(answer.status, 200, "{}", answer.json());
        }
        over.store(true, Ordering::Relaxed);
        talking.into_iter().map(|talk| talk.join().unwrap()).collect()
    });
    let (mut calls, mut seen, mut known) = (0, BTreeSet::new(), BTreeMap::new());
    for (session, prompted) in &turns {
        let events = all_events(&client, session);
        let of = |kind: &'static str| events.iter().filter(move |event| event["kind"] == kind);
        assert_eq!(of("turn.finished").count() as u64, *prompted, "{session}: each turn has one end");
        assert!(of("turn.finished").all(|end| end["outcome"] == "done"), "{session}: none was dropped");
        for call in of("model.started") {
            let blob = call["data"]["settings"].as_str().unwrap().to_owned();
            let settings = known
                .entry(blob.clone())
                .or_insert_with(|| client.get(&format!("/v1/sessions/{session}/blobs/{blob}")).unwrap().json());
            calls += 1;
            seen.insert(which(settings).unwrap_or_else(|| panic!("a mixture: {settings}")));
        }
    }
    let noted = client.get("/v1/events?after=1&limit=500").unwrap().json();
    assert_eq!(noted["events"].as_array().unwrap().len(), 500);
    let prompted: u64 = turns.iter().map(|(_, prompted)| prompted).sum();
    println!(
        "{RELOADS} reloads, {SESSIONS} sessions, {prompted} turns, {calls} model calls under {} of the configurations; dropped 0, \
         mixed 0, failures 0",
        seen.len()
    );
    assert!(prompted > 0 && seen.len() > 1, "there was load");
}

/// Prompts a session again and again, until it is over.
fn talk(home: &Home, over: &AtomicBool) -> (String, u64) {
    let client = home.client();
    let created = client.post("/v1/sessions", &json!({ "workspace": home.workspace() })).unwrap().json();
    let session = created["session"].as_str().unwrap().to_owned();
    let mut updates = client.follow(&session, 0).unwrap();
    let mut prompted = 0;
    while !over.load(Ordering::Relaxed) {
        let text = "[[pause 1]] I look around [[tool list_directory {}]] [[then]] [[pause 1]] and again \
                    [[tool list_directory {}]] [[then]] that was all";
        let turn = client.post(&format!("/v1/sessions/{session}/prompts"), &json!({ "text": text })).unwrap();
        assert_eq!(turn.status, 200, "{}", turn.json());
        prompted += 1;
        updates.find(|update| update["kind"] == "turn.finished").expect("the turn ends");
    }
    (session, prompted)
}

fn all_events(client: &Client, session: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("/v1/sessions/{session}/events?after={after}")).unwrap().json();
        all.extend(page["events"].as_array().unwrap().clone());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => return all,
        }
    }
}
