//! The checker of bundles that anybody can run: docs/audit_verify.py. It is ours, but Python is not, so this belongs to the
//! tests with real counterparts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "the counts are what these tests are run for")]

mod world;

use std::path::Path;
use std::process::{Command, Output};
use world::{World, project};

/// Flips of one bit.
const FLIPS: usize = 150;

fn check(bundle: &Path) -> Result<Output, String> {
    let script = project().join("docs/audit_verify.py");
    Command::new("python3").arg(script).arg(bundle).output().map_err(|error| format!("python3 cannot be run: {error}"))
}

#[test]
#[ignore = "real: needs python3 for docs/audit_verify.py"]
fn real_audit_the_script_takes_what_is_sound_and_no_damage() {
    let world = World::new();
    world.write("a.txt", "alpha\n");
    world.good(&["ask", "create b.txt with the text hi"]);
    world.good(&["ask", &"a long prompt ".repeat(2000)]);
    let session = world.json(&["sessions", "ls"])["sessions"][0]["id"].as_str().unwrap().to_owned();
    world.good(&["sessions", "redact", "--yes", &session, "3", "--reason", "a test"]);
    world.good(&["sessions", "fork", &session]);
    assert!(world.good(&["audit", "verify"]).contains("sound: "));
    let place = |name: &str| world.home.path(name);
    let (whole, bare, one) = (place("whole.jsonl"), place("bare.jsonl"), place("one.jsonl"));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    world.good(&["audit", "export", "-o", &text(&whole)]);
    world.good(&["audit", "export", "--headers-only", "-o", &text(&bare)]);
    world.good(&["audit", "export", "--session", &session, "-o", &text(&one)]);
    for bundle in [&whole, &bare, &one] {
        match check(bundle) {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success() && said.starts_with("sound: "), "{output:?}");
                println!("{}: {}", bundle.file_name().unwrap().display(), said.trim_end());
            }
            Err(why) => return println!("skipped: {why}"),
        }
    }
    let bytes = std::fs::read(&whole).unwrap();
    let seed = std::env::var("TINKERBELL_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let (mut state, mut accepted) = (seed, 0);
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let damaged = place("damaged.jsonl");
    for trial in 0..FLIPS {
        let mut flipped = bytes.clone();
        let (at, bit) = (below(bytes.len()), below(8));
        match trial % 10 {
            9 => flipped.truncate(at),
            _ => flipped[at] ^= 1 << bit,
        }
        std::fs::write(&damaged, &flipped).unwrap();
        if check(&damaged).unwrap().status.success() {
            accepted += 1;
            println!("accepted: bit {bit} of byte {at}");
        }
    }
    println!("script: seed {seed}, trials {FLIPS}, accepted {accepted}");
    assert_eq!(accepted, 0);
}
