//! A session in another home directory, and run again, as people do both: by commands.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod world;

use world::World;

const HELLO: &str = "Create a file hello.txt that contains the word hi.";

#[test]
fn a_session_is_opened_in_another_home_and_the_conversation_goes_on() {
    let (there, here) = (World::repository(), World::new());
    there.good(&["ask", HELLO]);
    let file = there.home.path("engine.session").display().to_string();
    assert!(there.good(&["sessions", "export", "-o", &file]).starts_with(&file));
    there.run(&["sessions", "export", "-o", &file]).refused(4, &["is there already"]);

    let workspace = here.home.workspace().display().to_string();
    let imported = here.run(&["sessions", "import", &file, "--workspace", &workspace]);
    assert!(imported.err.contains(&format!("it works in {workspace}")), "{imported:?}");
    let id = imported.good().trim().to_owned();
    assert_eq!(here.good(&["show", "hello.txt"]), "hi\n", "it is the current session of its workspace");
    assert_eq!(here.good(&["diff"]), there.good(&["diff"]));
    assert!(here.good(&["accept"]).contains("A hello.txt"));
    assert_eq!((here.read("hello.txt").as_deref(), there.read("hello.txt")), (Some("hi\n"), None));
    here.good(&["ask", "-s", &id, "Replace \"hi\" with \"ho\" in hello.txt."]);
    assert_eq!(here.good(&["show", "hello.txt"]), "ho\n");
    here.run(&["sessions", "import", &file, "--workspace", &workspace]).refused(4, &["--as-new"]);
    let copy = here.good(&["sessions", "import", &file, "--workspace", &workspace, "--as-new"]);
    assert_ne!(copy.trim(), id);

    // By a pipe, and damaged on the way.
    let text = there.good(&["sessions", "export"]);
    assert_eq!(text, std::fs::read_to_string(&file).unwrap());
    let piped = here.run_with_input(&["sessions", "import", "-", "--workspace", &workspace, "--as-new"], &text);
    assert!(piped.good().starts_with("ses_"));
    let changed = text.replacen("hello.txt", "hallo.txt", 1);
    let refused = here.run_with_input(&["sessions", "import", "-", "--workspace", &workspace, "--as-new"], &changed);
    refused.refused(2, &["nothing was imported"]);
}

#[test]
fn a_session_is_run_again_and_a_turn_otherwise() {
    let world = World::repository();
    world.good(&["ask", HELLO]);
    let same = world.run(&["sessions", "replay"]);
    assert!(same.err.contains("requests the same to the byte"), "{same:?}");
    assert_eq!(same.good(), "the same as recorded\n");
    let otherwise = world.run(&["sessions", "replay", "--with", "prompt=Create a file b.txt with the word ho."]);
    assert_eq!(otherwise.code, 1, "{otherwise:?}");
    assert!(otherwise.out.contains("step 1: otherwise") && otherwise.out.contains("Nothing is run"), "{otherwise:?}");
    let again = world.run(&["sessions", "replay", "--with", "model=offline"]);
    assert!(again.out.contains("The turn ends: done. It cost $0.00."), "{again:?}");
    assert_eq!(again.code, 0, "{again:?}");
}
