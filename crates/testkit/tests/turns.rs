//! Turns through the real daemon: cancel, queue, steer, questions, limits, budgets, stop, watching.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use testkit::{Daemon, World};

const DAEMON: &str = env!("CARGO_BIN_EXE_testkit-daemon");

fn world(config: &str) -> (World, Daemon) {
    World::new(DAEMON, config)
}

fn asks(update: &Value) -> bool {
    update["kind"] == "approval.requested"
}

/// Speaks for much longer than a test has patience.
const LONG: &str = "[[pause 60]] word word word word word word word word word word word word word word word word word word \
                    word word word word word word word word word word word word word word word word word word word \
                    word word word word word word word word word word word word word word word word word word word";

#[test]
fn a_running_turn_can_be_cancelled() {
    let (world, _daemon) = world("");
    world.prompt(LONG);
    world.until(|update| update["kind"] == "message.delta");
    let cancelled = world.post("/cancel", json!({}));
    assert_eq!((cancelled.status, &cancelled.json()["turn"]), (200, &json!("trn_1")));
    let events = world.until(|update| update["kind"] == "turn.finished");
    assert_eq!(events.last().unwrap()["outcome"], "cancelled");
    let interrupted = events.iter().find(|event| event["kind"] == "model.interrupted").unwrap();
    assert_eq!(interrupted["interruption"], "cancelled");
    assert!(interrupted["data"]["text"].as_str().unwrap().starts_with("word"), "the partial text is kept");
    assert!(interrupted["cost_microusd"].as_u64().unwrap() > 0, "an interrupted call is never settled at zero");
    assert_eq!(world.post("/cancel", json!({})).status, 409, "there is nothing left to cancel");
}

#[test]
fn a_second_prompt_waits_for_its_own_turn_or_joins_the_running_one() {
    let (world, _daemon) = world("");
    world.prompt("[[pause 500]] one two three four [[tool list_directory {}]]");
    let queued = world.prompt("and this afterwards");
    assert_eq!(queued["turn"], "trn_2");
    let steered = world.post("/prompts", json!({ "text": "look here too", "while_running": "steer" }));
    assert_eq!(steered.json()["turn"], "trn_1");
    assert_eq!(world.finished("trn_2")["outcome"], "done");
    let events = world.until(|update| update["kind"] == "turn.finished" && update["turn"] == "trn_2");
    let place = |kind: &str, turn: &str| events.iter().position(|e| e["kind"] == kind && e["turn"] == turn).unwrap();
    assert!(place("turn.finished", "trn_1") < place("turn.started", "trn_2"), "turns do not overlap");
    let steer = place("prompt.steered", "trn_1");
    let messages = |e: &Value| e["data"]["message_count"].as_u64().unwrap();
    let mut calls = events.iter().filter(|e| e["kind"] == "model.started" && e["turn"] == "trn_1").map(messages);
    let (before, after) = (calls.next().unwrap(), calls.next().unwrap());
    assert!(place("model.finished", "trn_1") > steer, "the prompt came while the first call ran");
    assert_eq!(after - before, 3, "the reply, its result and the steering prompt are in the next call's recipe");
}

#[test]
fn a_tool_that_touches_the_world_is_asked_about_first() {
    let (world, _daemon) = world("");
    world.prompt("[[tool count {\"label\":\"x\"}]]");
    world.until(asks);
    assert_eq!((world.view()["status"].clone(), world.counted()), (json!("waiting"), 0));
    assert_eq!(world.answer("retry").status, 400, "that is no answer to this question");
    assert_eq!(world.answer("allow").status, 200);
    assert_eq!((world.finished("trn_1")["outcome"].clone(), world.counted()), (json!("done"), 1));
    world.prompt("[[tool count {\"label\":\"y\"}]]");
    world.until(|update| asks(update) && update["turn"] == "trn_2");
    assert_eq!(world.answer("deny").status, 200);
    assert_eq!((world.finished("trn_2")["outcome"].clone(), world.counted()), (json!("done"), 1));
}

#[test]
fn a_lost_effect_becomes_a_question_with_answers() {
    for (answer, outcome) in [("skip", "done"), ("retry", "done"), ("abandon", "abandoned")] {
        let (world, daemon) = world("");
        world.prompt("[[tool stall {}]]");
        world.until(asks);
        world.answer("allow");
        world.until(|update| update["kind"] == "tool.started");
        daemon.kill();
        let _daemon = world.home.start(DAEMON).unwrap();
        let asked = world.until(|update| update["question"] == "unknown_outcome");
        assert_eq!(world.answer(answer).status, 200, "{answer}");
        if answer == "retry" {
            let again = world.until(|update| update["effect"] == "trn_1.1.tool.0.2");
            assert!(again.len() > asked.len());
            world.post("/cancel", json!({}));
            assert_eq!(world.finished("trn_1")["outcome"], "cancelled");
        } else {
            assert_eq!(world.finished("trn_1")["outcome"], outcome, "{answer}");
        }
    }
}

#[test]
fn a_turn_that_keeps_dying_asks() {
    let (world, mut daemon) = world("");
    world.prompt(LONG);
    world.until(|update| update["kind"] == "message.delta");
    for epoch in 2..5 {
        daemon.kill();
        daemon = world.home.start(DAEMON).unwrap();
        world.until(|update| update["kind"] == "owner.began" && update["epoch"] == epoch);
    }
    let asked = world.until(asks).pop().unwrap();
    assert_eq!(asked["question"], "keeps_dying");
    let began = world.until(asks).iter().filter(|event| event["kind"] == "owner.began").count();
    assert_eq!(began, 4, "one for its creation, three after kills");
    assert_eq!(world.answer("abandon").status, 200);
    assert_eq!(world.finished("trn_1")["outcome"], "abandoned");
}

#[test]
fn a_stop_in_mid_turn_loses_nothing_and_the_next_start_goes_on() {
    // The call takes longer than the grace, so it is let go of.
    let (world, daemon) = world("[daemon]\ngrace_ms = 50\n");
    world.prompt(&format!("{LONG} [[tool write_file {{\"path\":\"a\",\"content\":\"b\"}}]]"));
    world.until(|update| update["kind"] == "message.delta");
    assert!(daemon.stop().unwrap(), "it ends in good order");
    let _daemon = world.home.start(DAEMON).unwrap();
    let events = world.until(|update| update["kind"] == "turn.finished");
    let kinds: Vec<_> = events.iter().filter_map(|event| event["kind"].as_str()).collect();
    let interrupted = events.iter().find(|event| event["kind"] == "model.interrupted").unwrap();
    assert_eq!(interrupted["interruption"], "released");
    assert!(kinds.contains(&"turn.resumed"));
    assert_eq!(events.last().unwrap()["outcome"], "done");
}

#[test]
fn a_stop_lets_a_running_call_end_within_its_grace_and_begins_nothing_new() {
    let (world, daemon) = world("[daemon]\ngrace_ms = 60000\n");
    world.prompt(&format!("{LONG} [[tool write_file {{\"path\":\"a\",\"content\":\"b\"}}]]"));
    let mut updates = world.client.follow(&world.session, 0).unwrap();
    updates.find(|update| update["kind"] == "message.delta").unwrap();
    assert!(daemon.stop().unwrap(), "it ends in good order");
    // The stream says that the daemon leaves, and still tells what ends.
    let kinds: Vec<_> = updates.map(|update| update["kind"].as_str().unwrap_or_default().to_owned()).collect();
    let at = |kind: &str| kinds.iter().position(|one| one == kind);
    assert!(at("daemon.draining").unwrap() < at("model.finished").unwrap(), "{kinds:?}");
    assert_eq!(at("tool.started"), None, "{kinds:?}");
    let _daemon = world.home.start(DAEMON).unwrap();
    let events = world.until(|update| update["kind"] == "turn.finished");
    let calls = events.iter().filter(|event| event["kind"] == "model.started").count();
    assert_eq!((calls, &events.last().unwrap()["outcome"]), (2, &json!("done")), "the first call was not made again");
}

#[test]
fn a_budget_stops_the_turn_before_the_call_and_keeps_the_work() {
    let (world, _daemon) = world("[budget]\nper_session_usd = 0.03\n");
    world.prompt("one [[tool write_file {\"path\":\"a\",\"content\":\"b\"}]] [[then]] two");
    let first = world.finished("trn_1");
    assert_eq!(first["outcome"], "done", "{first}");
    let mut turn = 1;
    let stopped = loop {
        turn += 1;
        assert!(turn < 10_000, "the budget was never reached");
        let id = format!("trn_{turn}");
        world.prompt(&"words ".repeat(2_000));
        let finished = world.finished(&id);
        if finished["outcome"] != "done" {
            break finished;
        }
    };
    assert_eq!((&stopped["outcome"], &stopped["limit"]), (&json!("limit"), &json!("budget")));
    assert!(stopped["data"]["message"].as_str().unwrap().contains("per_session_usd"), "it says what to raise");
    let spent = world.view()["cost_microusd"].as_u64().unwrap();
    assert!(spent <= 30_000, "{spent} micro-USD are more than the budget");
    assert_eq!(world.view()["pending"], 1, "the work is kept");
}

#[test]
fn limits_end_a_turn_with_their_names() {
    for (config, limit) in [
        ("[limits]\nsteps = 2\n", "steps"),
        ("[limits]\nturn_ms = 60\n", "time"),
        ("[limits]\noutput_tokens = 2\n", "output_tokens"),
    ] {
        let (world, _daemon) = world(config);
        let step = "[[pause 15]] some words to say [[tool list_directory {}]]";
        world.prompt(&[step; 40].join("[[then]]"));
        let finished = world.finished("trn_1");
        assert_eq!((&finished["outcome"], &finished["limit"]), (&json!("limit"), &json!(limit)));
    }
}

#[test]
fn a_failing_model_is_tried_again_and_then_the_turn_fails() {
    let (world, _daemon) = world("[limits]\nattempts = 3\nbackoff_ms = 5\n");
    world.prompt("[[fail overloaded]] partial words");
    let events = world.until(|update| update["kind"] == "turn.finished");
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((of("model.failed"), of("timer.fired")), (3, 2));
    let finished = events.last().unwrap();
    assert_eq!((&finished["outcome"], &finished["failure"]), (&json!("failed"), &json!("overloaded")));
    world.prompt("[[fail rejected]]");
    let events = world.until(|update| update["kind"] == "turn.finished" && update["turn"] == "trn_2");
    let failed = events.iter().filter(|event| event["kind"] == "model.failed" && event["turn"] == "trn_2").count();
    assert_eq!(failed, 1, "what would fail again is not tried again");
}

#[test]
fn the_same_key_happens_once() {
    let (world, _daemon) = world("");
    let path = format!("/v1/sessions/{}/prompts", world.session);
    let send = |body: &str| world.client.send("POST", &path, &[("idempotency-key", "k1")], body.as_bytes()).unwrap();
    let first = send(r#"{"text":"hello"}"#);
    let again = send(r#"{"text":"hello"}"#);
    assert_eq!((first.status, first.json()), (again.status, again.json()));
    assert_eq!(send(r#"{"text":"another"}"#).status, 422);
    world.finished("trn_1");
    assert_eq!(world.view()["turns"], 1);
}

#[test]
fn who_comes_late_sees_the_same_as_who_was_there() {
    let (world, _daemon) = world("");
    world.prompt(LONG);
    let durable = |events: Vec<Value>| events.into_iter().filter(|e| !e["seq"].is_null()).collect::<Vec<_>>();
    let text_of = |events: &[Value]| {
        let mut text = String::new();
        for delta in events.iter().filter(|event| event["kind"] == "message.delta") {
            assert_eq!(delta["offset"].as_u64().unwrap() as usize, text.len(), "no gap and no overlap");
            text.push_str(delta["text"].as_str().unwrap());
        }
        text
    };
    world.until(|update| update["kind"] == "message.delta" && update["offset"].as_u64() > Some(20));
    // This one comes in the middle of the reply.
    let late = world.until(|update| update["kind"] == "turn.finished");
    let whole = late.iter().find(|event| event["kind"] == "model.finished").unwrap();
    assert_eq!(text_of(&late), whole["data"]["text"].as_str().unwrap());
    let afterwards = world.until(|update| update["kind"] == "turn.finished");
    assert_eq!(durable(late), durable(afterwards));
}

#[test]
fn a_child_does_not_outlive_a_killed_daemon_nor_hold_its_lock() {
    let (world, daemon) = world("[permissions]\nrules = [{ tool = \"*\", decision = \"allow\" }]\n");
    world.prompt("[[tool sleep_in_child {}]]");
    world.finished("trn_1");
    let child: u32 = std::fs::read_to_string(world.home.path("sleeper")).unwrap().parse().unwrap();
    assert!(alive(child));
    daemon.kill();
    let _next = world.home.start(DAEMON).expect("the lock is free at once");
    // The kernel delivers the signal when the daemon's thread ends, which its reaping has waited for.
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        !alive(child)
    });
    assert!(gone, "the child lives on");
}

/// Whether a process exists and is no zombie.
fn alive(pid: u32) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}
