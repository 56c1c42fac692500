//! Schedules and tidying as their users have them: by the command line, in real time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use world::{TINKERBELL, World, wait_until};

const CONFIG: &str = "default_model = \"offline\"\n[daemon]\ndiscover = false\n";

#[test]
fn a_prompt_is_said_by_itself_and_told_of() {
    let world = World::new();
    world.home.configure(CONFIG);
    let id = world.good(&["schedule", "add", "--in", "1s", "create notes.txt with the text hello"]).trim().to_owned();
    assert!(id.starts_with("sch_"), "{id}");
    let shown = || world.json(&["schedule", "show", &id]);
    wait_until("it is done", || shown()["status"] == "done");
    let view = shown();
    let run = &view["runs"][0];
    assert_eq!((run["outcome"].as_str(), run["occasion"].as_str()), (Some("done"), Some("due")), "{view:#}");
    let session = run["session"].as_str().unwrap();
    let told = world.good(&["sessions", "show", session]);
    assert!(told.contains("(scheduled)"), "{told}");
    assert!(world.good(&["diff", "-s", session]).contains("+hello"));
    let table = world.good(&["schedule", "ls"]);
    assert!(table.contains("once") && table.contains("done"), "{table}");
    assert!(world.good(&["schedule", "show", &id[id.len() - 8..]]).contains("1 fired, 0 skipped, 0 missed"));
    world.good(&["schedule", "rm", &id]);
    world.run(&["schedule", "show", &id]).refused(3, &["no schedule"]);
}

#[test]
fn schedules_outlive_their_daemon_and_can_be_run_by_hand() {
    let world = World::new();
    world.home.configure(CONFIG);
    world.good(&["ask", "create a.txt with the text one"]);
    let typed = ["schedule", "add", "-c", "--cron", "0 9 * * 1-5", "--zone", "Europe/Berlin", "--name", "news"];
    world.good(&[&typed[..], &["--day-usd", "0.5", "create b.txt with the text two"]].concat());
    world.good(&["schedule", "pause", "news"]);
    world.good(&["daemon", "stop"]);
    let view = world.json(&["schedule", "show", "news"]);
    assert_eq!((view["status"].as_str(), view["when"].as_str()), (Some("paused"), Some("0 9 * * 1-5 (Europe/Berlin)")));
    assert!(world.good(&["schedule", "resume", "news"]).contains("goes on, next 2"));
    let ran = world.good(&["schedule", "run", "news"]);
    assert!(ran.starts_with("ses_"), "{ran}");
    wait_until("it ran", || world.json(&["schedule", "show", "news"])["runs"][0]["outcome"] == "done");
    assert!(world.good(&["diff"]).contains("+two"));
    world.run(&["schedule", "add", "--cron", "61 * * * *", "x"]).refused(2, &["61 * * * *"]);
    world.run(&["schedule", "add", "--every", "1s", "x"]).refused(2, &["interval"]);
    world.run(&["schedule", "rm", "olds"]).refused(3, &["no schedule \"olds\""]);
}

#[test]
fn a_machine_whose_zone_has_no_name_is_not_taken_for_utc() {
    let world = World::new();
    world.home.configure(CONFIG);
    let mut command = world.home.command(TINKERBELL);
    command.args(["daemon", "run", "--detached"]).env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3").current_dir("/");
    let daemon = world.home.start_as(&mut command).unwrap();
    let daily = ["schedule", "add", "--cron", "0 9 * * *", "--name", "daily", "hello"];
    world.run(&daily).refused(2, &["zone has no name", "--zone"]);
    world.good(&[&daily[..], &["--zone", "Europe/Berlin"]].concat());
    assert_eq!(world.json(&["schedule", "show", "daily"])["when"], "0 9 * * * (Europe/Berlin)");
    assert!(daemon.stop().unwrap());
}

#[test]
fn a_daemon_says_what_lies_where_and_tidies_up() {
    let world = World::new();
    world.home.configure(CONFIG);
    world.good(&["ask", "create a.txt with the text one"]);
    world.good(&["log"]);
    let status = world.json(&["status"]);
    let storage = &status["storage"];
    assert!(
        storage["pictures_bytes"].as_u64().unwrap() > 0 && storage["log_bytes"].as_u64().unwrap() > 0,
        "{status:#}"
    );
    assert_eq!(storage["sessions"]["idle"], 1, "{status:#}");
    assert!(storage["journal_shrinks"].as_bool().unwrap());
    let dry = world.json(&["daemon", "gc", "--dry-run"]);
    assert_eq!((dry["dry_run"].as_bool(), dry["pictures"].as_u64()), (Some(true), Some(0)));
    world.good(&["daemon", "stop"]);
    world.home.configure(&format!("{CONFIG}[retention]\npictures_idle_ms = 0\nfree_bytes = 0\n"));
    let gone = world.json(&["daemon", "gc"]);
    assert_eq!(gone["pictures"], 1, "{gone:#}");
    assert!(world.good(&["log"]).contains("a.txt"), "the picture is drawn anew");
    assert!(world.good(&["status"]).contains("  tidied    "));
}
