//! What people read before they type: the help of every command, held by a golden file, and the promise that every
//! operation of the daemon with a command has that command.

use std::fmt::Write;
use std::path::Path;

/// Commands of which one line says all.
const BRIEF: [&str; 6] = [
    "tinkerbell config check",
    "tinkerbell config get",
    "tinkerbell config path",
    "tinkerbell config set",
    "tinkerbell config unset",
    "tinkerbell daemon status",
];
const GOLDEN: &str = "tests/golden/help.txt";

/// The help of a command and of all commands below it.
fn help(command: &mut clap::Command, name: &str, out: &mut String) {
    let text = command.clone().bin_name(name).term_width(100).render_long_help().to_string();
    writeln!(out, "$ {name} --help\n{}\n", text.trim_end()).expect("a string takes whatever is written");
    let below: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    for below in below {
        help(command.find_subcommand_mut(&below).expect("it was just listed"), &format!("{name} {below}"), out);
    }
}

#[test]
fn the_help_is_the_golden_one() {
    let mut tree = cli::tree();
    tree.build();
    let mut now = String::new();
    help(&mut tree, "tinkerbell", &mut now);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let differs = golden.lines().zip(now.lines()).find(|(golden, now)| golden != now);
    assert_eq!(golden.len(), now.len(), "first difference: {differs:?}; UPDATE_GOLDEN=1 rewrites {GOLDEN}");
    assert_eq!(differs, None, "UPDATE_GOLDEN=1 rewrites {GOLDEN}");
}

#[test]
fn every_operation_with_a_command_has_it() {
    let tree = cli::tree();
    for operation in wire::operation::ALL {
        let Some(words) = operation.command else { continue };
        let mut command = &tree;
        for word in words.split(' ') {
            match word.strip_prefix("--") {
                Some(flag) => {
                    let has_flag = command.get_arguments().any(|argument| argument.get_long() == Some(flag));
                    assert!(has_flag, "{}: `tinkerbell {words}` has no --{flag}", operation.name);
                }
                None => {
                    let found = command.find_subcommand(word);
                    command = found.unwrap_or_else(|| panic!("{}: no `tinkerbell {words}`", operation.name));
                }
            }
        }
    }
}

#[test]
fn every_command_says_what_it_does_and_shows_examples() {
    fn check(command: &clap::Command, name: &str) {
        assert!(command.get_about().is_some(), "{name} does not say what it does");
        let is_leaf = command.get_subcommands().next().is_none();
        if is_leaf {
            let is_told = BRIEF.contains(&name) || command.get_long_about().is_some();
            assert!(is_told, "{name} says what it does in one line and no more");
            let examples = command.get_after_help().unwrap_or_else(|| panic!("{name} shows no example")).to_string();
            assert!(examples.contains("tinkerbell"), "{name} shows no example");
        }
        for argument in command.get_arguments() {
            let is_own = !matches!(argument.get_id().as_str(), "help" | "version");
            assert!(!is_own || argument.get_help().is_some(), "{name}: {} has no help", argument.get_id());
        }
        command.get_subcommands().for_each(|below| check(below, &format!("{name} {}", below.get_name())));
    }
    check(&cli::tree(), "tinkerbell");
}
