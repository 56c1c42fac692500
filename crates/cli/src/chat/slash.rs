//! Commands within a conversation: what can be typed after a slash, and what it means.

/// A command with what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slash {
    /// Shows the commands.
    Help,
    /// Names the model of the next prompts, or tells which it is.
    Model(Option<String>),
    /// Opens another session.
    New,
    /// Cancels the running turn.
    Cancel,
    /// Says something to the running turn.
    Steer(String),
    /// What a prompt does while a turn runs.
    WhileRunning(Option<String>),
    /// Sends a file with the next prompt.
    Attach(String),
    /// Leaves.
    Quit,
    /// A command of the command line, as it would be typed there, for this session.
    Typed(Vec<String>),
}

/// What a command is called, what it takes, and what it does.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) takes: &'static str,
    pub(super) does: &'static str,
}

/// All of them, in the order in which help shows them.
pub(super) const ALL: &[Entry] = &[
    entry("help", "", "show these commands"),
    entry("model", "[NAME]", "ask another model from now on"),
    entry("models", "", "list the models"),
    entry("diff", "[PATH…]", "show what the session changed"),
    entry("accept", "[PATH…] [--patch] [--commit MESSAGE]", "write it to your files"),
    entry("undo", "", "take the last accept back"),
    entry("reject", "PATH… | --all", "drop changes from the canvas"),
    entry("rewind", "[STEP]", "go back a step, or to one"),
    entry("redo", "", "go forward again"),
    entry("log", "", "list the steps"),
    entry("context", "", "show what the model is given"),
    entry("sessions", "", "list the sessions of this workspace"),
    entry("new", "", "begin another session"),
    entry("title", "TEXT", "give the session a title"),
    entry("cancel", "", "stop the running turn (or Ctrl-C)"),
    entry("steer", "TEXT", "say something to the running turn"),
    entry("while-running", "queue|steer", "what a prompt does while a turn runs"),
    entry("attach", "PATH", "send an image or a PDF with the next prompt"),
    entry("quit", "", "leave (or Ctrl-D); a running turn goes on"),
];

const fn entry(name: &'static str, takes: &'static str, does: &'static str) -> Entry {
    Entry { name, takes, does }
}

/// What stands after the slash, if a text is a command and no path.
pub(super) fn command(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('/')?;
    let name = rest.split_whitespace().next().unwrap_or_default();
    let is_name = name.chars().all(|character| character.is_ascii_alphabetic() || character == '-');
    (is_name && !name.is_empty() && !rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// Reads a command; `session` is the one that the others are about. An error says what to type instead.
pub(super) fn parse(typed: &str, session: &str) -> Result<Slash, String> {
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let rest = rest.trim();
    let given = || (!rest.is_empty()).then(|| rest.to_owned());
    let needed = |what: &str| given().ok_or_else(|| format!("/{name} needs {what}"));
    let line = |command: &[&str]| -> Result<Slash, String> {
        let words = words(rest)?;
        let own = command.iter().map(|word| (*word).to_owned());
        let session = ["-s".to_owned(), session.to_owned()];
        Ok(Slash::Typed(own.chain(session).chain(words).collect()))
    };
    match name {
        "help" => Ok(Slash::Help),
        "model" => Ok(Slash::Model(given())),
        "models" => Ok(Slash::Typed(vec!["models".into(), "ls".into()])),
        "sessions" => Ok(Slash::Typed(vec!["sessions".into(), "ls".into()])),
        "diff" => line(&["diff"]),
        "accept" => line(&["accept"]),
        "undo" => line(&["accept", "--undo"]),
        "reject" => line(&["reject"]),
        "rewind" => line(&["rewind"]),
        "redo" => line(&["redo"]),
        "log" => line(&["log"]),
        "context" => line(&["context", "show"]),
        "title" => {
            let title = needed("a title")?;
            Ok(Slash::Typed(["sessions", "title", "-s", session, "--", &title].map(str::to_owned).into()))
        }
        "new" => Ok(Slash::New),
        "cancel" => Ok(Slash::Cancel),
        "steer" => needed("what to say").map(Slash::Steer),
        "while-running" => Ok(Slash::WhileRunning(given())),
        "attach" => needed("the path of an image or a PDF").map(Slash::Attach),
        "quit" | "exit" => Ok(Slash::Quit),
        other => Err(unknown(other)),
    }
}

fn unknown(name: &str) -> String {
    let nearest = ALL.iter().map(|entry| (strsim::levenshtein(name, entry.name), entry.name)).min();
    match nearest {
        Some((distance, nearest)) if distance <= nearest.len().div_ceil(3).max(1) || nearest.starts_with(name) => {
            format!("there is no /{name}; did you mean /{nearest}?")
        }
        _ => format!("there is no /{name}; /help shows what there is"),
    }
}

/// Parts words as a shell would: at spaces, unless they are quoted or escaped.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), closing) if open == closing => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let next = characters.next().ok_or("a backslash stands at the end with nothing after it")?;
                word.get_or_insert_default().push(next);
            }
            (None, space) if space.is_whitespace() => words.extend(word.take()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    match quote {
        Some(open) => Err(format!("{open} is opened and not closed")),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_begins_a_command_but_not_a_path() {
        assert_eq!(command("/diff src"), Some("diff src"));
        assert_eq!(command("/while-running steer"), Some("while-running steer"));
        for prompt in ["/etc/passwd is what?", "/", "/ x", "no /diff", "/tmp/x.png look", "//"] {
            assert_eq!(command(prompt), None, "{prompt}");
        }
    }

    #[test]
    fn commands_become_what_would_be_typed_in_a_shell() {
        let typed = |text| match parse(text, "ses_1") {
            Ok(Slash::Typed(words)) => words.join("|"),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(typed("accept src --commit \"two words\""), "accept|-s|ses_1|src|--commit|two words");
        assert_eq!(typed("undo"), "accept|--undo|-s|ses_1");
        assert_eq!(typed("title -x b"), "sessions|title|-s|ses_1|--|-x b");
        assert_eq!(typed("context"), "context|show|-s|ses_1");
        assert_eq!(parse("steer go on", ""), Ok(Slash::Steer("go on".into())));
        assert!(parse("accept \"open", "").is_err() && parse("steer", "").is_err());
    }

    #[test]
    fn every_command_that_help_shows_is_known() {
        for entry in ALL {
            let read = parse(&format!("{} x", entry.name), "s");
            assert!(read.is_ok(), "/{}: {read:?}", entry.name);
        }
    }

    #[test]
    fn a_wrong_one_names_the_nearest() {
        assert_eq!(parse("dif", ""), Err("there is no /dif; did you mean /diff?".into()));
        assert_eq!(parse("modle x", ""), Err("there is no /modle; did you mean /model?".into()));
        assert_eq!(parse("xyzzy", ""), Err("there is no /xyzzy; /help shows what there is".into()));
    }
}
