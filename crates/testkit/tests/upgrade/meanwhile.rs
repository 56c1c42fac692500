//! What happens to the configuration, and what asks the daemon to stop, while it hands over.

use super::*;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

/// Denies what the session of these tests wants, and bounds what it may spend.
const TIGHT: &str =
    "[budget]\nper_day_usd = 1.0\n[permissions]\nrules = [{ tool = \"write_file\", decision = \"deny\" }]\n";

/// The keys of the configuration in force that somebody has said, and whether one was refused.
fn in_force(client: &Client) -> (Vec<(String, Value)>, bool) {
    let view = client.get("/v1/config").unwrap().json();
    let keys = view["keys"].as_array().unwrap().iter().filter(|key| key["origin"]["from"] == "file");
    let said = keys.map(|key| (key["key"].as_str().unwrap().to_owned(), key["value"].clone())).collect();
    (said, !view["status"]["refused"].is_null())
}

/// Hands over to a binary; when it serves.
fn hand_over_to(client: &Client, binary: &Path) {
    let begun = upgrade(client, binary);
    assert_eq!(begun.status, 202, "{:?}", begun.json());
    wait_until("the new one serves", || status(client)["pid"] == begun.json()["to_pid"]);
}

#[test]
fn what_was_refused_does_not_come_with_an_upgrade() {
    type Spoil = (&'static str, fn(&Path));
    let spoils: [Spoil; 4] = [
        ("for all to write", |file| {
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o666)).unwrap();
            std::fs::write(file, "# nothing is denied\n").unwrap();
        }),
        ("empty", |file| std::fs::write(file, "").unwrap()),
        ("gone", |file| std::fs::remove_file(file).unwrap()),
        ("no configuration", |file| std::fs::write(file, "limits.step = 3").unwrap()),
    ];
    let trials = spoils.len();
    for (what, spoil) in spoils {
        let place = Place::new(&format!("{CONFIG}{TIGHT}"));
        let daemon = place.start(&[]).unwrap();
        let client = place.home.client();
        let (before, refused) = in_force(&client);
        assert!(!refused && before.len() >= 4, "{before:?}");
        spoil(&place.home.tinkerbell().join("config.toml"));
        wait_until("it is refused", || in_force(&client).1);
        hand_over_to(&client, &place.home.binary("new", DAEMON, &[]));
        assert!(daemon.wait().unwrap());
        assert_eq!(in_force(&client), (before, true), "{what}: and the new one says so, too");
        place.stop();
    }
    println!("refused configurations: {trials} hand-overs, 0 put one in force");
}

#[test]
fn what_is_denied_while_it_hands_over_does_not_begin() {
    let place = Place::new(CONFIG);
    let daemon = place.start(&[]).unwrap();
    let client = place.home.client();
    let created = insist(&client, "/v1/sessions", "create", &json!({ "workspace": place.home.workspace() }));
    let session = created["session"].as_str().unwrap().to_owned();
    let write = json!({ "path": "denied.txt", "content": "words" });
    let prompt =
        json!({ "text": format!("[[pause 1000]] one two three four five [[tool write_file {write}]] [[then]] over") });
    insist(&client, &format!("/v1/sessions/{session}/prompts"), "say", &prompt);
    assert!(client.follow(&session, 0).unwrap().any(|update| update["kind"] == "message.delta"));
    // Nobody reads the file between the end of the old one and the first look of the new one; and this one takes its time
    // to be proved, for a server that says nothing.
    let (silent, held) = (TcpListener::bind("127.0.0.1:0").unwrap(), place.home.path("held"));
    std::fs::write(&held, "").unwrap();
    let begun = upgrade(&client, &place.home.binary("new", DAEMON, &[&format!("wait=taken,{}", held.display())]));
    assert_eq!(begun.status, 202, "{:?}", begun.json());
    wait_for_border(&place);
    let address = silent.local_addr().unwrap();
    place.home.configure(&format!(
        "{CONFIG}{TIGHT}[models.slow]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"http://{address}/v1/\"\nkey = {{ env = \"HOME\" }}\n"
    ));
    std::fs::remove_file(&held).unwrap();
    wait_until("the new one serves", || status(&client)["pid"] == begun.json()["to_pid"]);
    assert!(daemon.wait().unwrap());
    wait_until("the turn ends", || journal(&client, &session).iter().any(|event| event["kind"] == "turn.finished"));
    // What the old one began, where the machine is slow, is its own affair.
    let events = journal(&client, &session);
    let of_new = events.iter().rposition(|event| event["kind"] == "owner.began").unwrap();
    let begun = events[of_new..].iter().filter(|event| event["kind"] == "tool.started").count();
    assert_eq!(begun, 0, "a tool that is denied has begun: {events:#?}");
    place.stop();
}

/// Waits until the old one hands over, and has nothing open any more.
fn wait_for_border(place: &Place) {
    wait_until_logged(place, "handing over");
    std::thread::sleep(Duration::from_millis(300));
}

fn wait_until_logged(place: &Place, words: &str) {
    let log = place.home.state().join("log/daemon.log");
    wait_until(words, || std::fs::read_to_string(&log).is_ok_and(|text| text.contains(words)));
}

#[test]
fn who_asks_to_stop_while_it_hands_over_is_heard() {
    let mut told = String::new();
    for step in ["fit", "taken", "opened", "allowed"] {
        let place = Place::new(CONFIG);
        let daemon = place.start(&[]).unwrap();
        let (client, held) = (place.home.client(), place.home.path("held"));
        std::fs::write(&held, "").unwrap();
        let part = format!("wait={step},{}", held.display());
        let begun = upgrade(&client, &place.home.binary("new", DAEMON, &[&part]));
        assert_eq!(begun.status, 202, "{:?}", begun.json());
        let new = Pid::from_raw(begun.json()["to_pid"].as_i64().unwrap() as i32).unwrap();
        wait_for_border(&place);
        kill_process(Pid::from_raw(daemon.pid() as i32).unwrap(), Signal::TERM).unwrap();
        wait_until_logged(&place, "asked to stop");
        let _ = std::fs::remove_file(&held);
        assert!(daemon.wait().unwrap(), "{step}: the old one leaves in good order");
        wait_until("the new one is gone, too", || has_ended(new));
        let next = place.start(&[]).unwrap();
        assert_eq!(status(&client)["sessions"], 0);
        assert!(next.stop().unwrap());
        told += &format!(" {step}");
    }
    println!("stops in mid-hand-over: asked while the new one waited at:{told}; nobody served any more, 0 failures");
}

#[test]
fn a_new_one_that_died_before_an_end_that_takes_its_time_takes_nothing_over() {
    let place = Place::new(&format!("{CONFIG}[permissions]\nrules = [{{ tool = \"*\", decision = \"allow\" }}]\n"));
    let daemon = place.start(&[]).unwrap();
    let client = place.home.client();
    let created = insist(&client, "/v1/sessions", "create", &json!({ "workspace": place.home.workspace() }));
    let session = created["session"].as_str().unwrap().to_owned();
    // Longer than the grace and the farewell together.
    let prompt = json!({ "text": "[[tool linger {\"label\":\"12000\"}]] [[then]] over" });
    insist(&client, &format!("/v1/sessions/{session}/prompts"), "say", &prompt);
    assert!(client.follow(&session, 0).unwrap().any(|update| update["kind"] == "tool.started"));
    let binary = place.home.binary("dies", DAEMON, &["kill=fit"]);
    assert_eq!(upgrade(&client, &binary).status, 202);
    wait_until("the old one says what failed", || status(&client)["upgrade"]["outcome"] == "failed");
    let now = status(&client);
    assert_eq!(now["pid"], json!(daemon.pid()));
    assert!(now["upgrade"]["why"].as_str().unwrap().contains("before it had taken over"), "{now}");
    assert!(daemon.stop().unwrap());
    verify_chains(&place.home);
}
