//! Choosing hunks one after the other, as `git add -p` does: the talk with the person and with the daemon.
//!
//! What a key means is in [`chooser`], and what a hunk falls into in [`piece`]; both know neither keyboard nor daemon.
//! A split asks the daemon for the same changes with fewer lines of context: numbers of hunks hold for one number of
//! context lines, so a choice that has split anything is made of the finer list.

mod chooser;
mod piece;

use crate::client::Client;
use crate::error::Error;
use crate::patch;
use crate::plain;
use crate::request::Request;
use crate::screen::{FAINT, HEAD, NOTE, Screen};
use crate::terminal::{Key, Keyboard};
use agent::SessionId;
use chooser::{Chooser, HELP, Step};
use std::io;
use std::os::fd::AsFd;
use wire::operation;
use wire::rest::{HunkChoice, HunkList};
use wire::{Code, Problem};

/// The most digits of a hunk's number.
const MAX_DIGITS: usize = 6;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// These hunks.
    Hunks(HunkChoice),
    /// None of them.
    Nothing,
    /// There was nothing to choose from.
    NoChange,
    /// Somebody pressed Ctrl-C.
    Aborted,
}

/// Lets somebody choose among the hunks of these paths, or of all.
pub(crate) fn choose(
    client: &mut Client,
    screen: &mut Screen,
    session: SessionId,
    paths: &[String],
    ends_are_watched: bool,
) -> Result<Chosen, Error> {
    let list = hunks(client, session, paths, None)?;
    if list.files.is_empty() {
        return Ok(Chosen::NoChange);
    }
    let stdin = io::stdin();
    let keyboard = if ends_are_watched { Keyboard::within } else { Keyboard::new };
    let mut keyboard = keyboard(stdin.as_fd()).map_err(no_keys)?;
    talk(Chooser::new(list), &mut keyboard, screen, &mut || hunks(client, session, paths, Some(0)))
}

/// The hunks with so many lines of context, or with as many as the daemon finds good.
fn hunks(client: &mut Client, session: SessionId, paths: &[String], context: Option<u32>) -> Result<HunkList, Error> {
    let mut request = Request::new(&operation::CANVAS_HUNKS)?.at("session", session);
    if !paths.is_empty() {
        request = request.query("path", paths.join("\n"));
    }
    if let Some(context) = context {
        request = request.query("context", context);
    }
    client.call(&request)?.read()
}

fn talk<F: AsFd>(
    mut chooser: Chooser,
    keyboard: &mut Keyboard<F>,
    screen: &mut Screen,
    finer: &mut dyn FnMut() -> Result<HunkList, Error>,
) -> Result<Chosen, Error> {
    show(&mut chooser, screen)?;
    loop {
        let key = keyboard.key().map_err(no_keys)?;
        // Somebody who pipes keys in may put each on a line of its own.
        if key == Key::Enter {
            continue;
        }
        echo(screen, key)?;
        match chooser.press(key) {
            Step::Show => {}
            Step::Help => screen.remark(NOTE, HELP)?,
            Step::Say(words) => screen.remark(NOTE, words)?,
            Step::Split => {
                if !chooser.has_finer() {
                    chooser.set_finer(finer()?)?;
                }
                chooser.split();
            }
            Step::GoTo => {
                list(&chooser, screen)?;
                match number(keyboard, screen)? {
                    Some(number) if chooser.go_to(number) => {}
                    _ => screen.remark(NOTE, "there is no such hunk")?,
                }
            }
            Step::Done => return Ok(chooser.choice().map_or(Chosen::Nothing, Chosen::Hunks)),
            Step::Aborted => return Ok(Chosen::Aborted),
        }
        show(&mut chooser, screen)?;
    }
}

/// Shows the present hunk and what can be said to it.
fn show(chooser: &mut Chooser, screen: &mut Screen) -> Result<(), Error> {
    screen.end_lines()?;
    let piece = chooser.present();
    let aside = screen.aside()?;
    let path = chooser.file().path.as_str();
    let heading = format!("{} ({} of {})", plain::name(path), chooser.position() + 1, chooser.len());
    let heading = aside.paint(HEAD, &heading);
    aside.line(&heading)?;
    patch::print_hunk(aside, path, &piece.header, &piece.lines)?;
    let prompt = format!("Accept this {} [{}]? ", chooser.kind(), chooser.keys());
    let prompt = aside.paint(NOTE, &prompt);
    aside.put(&prompt)?;
    screen.flush()
}

fn echo(screen: &mut Screen, key: Key) -> Result<(), Error> {
    let shown = match key {
        Key::Char(character) => plain::name(&character.to_string()),
        Key::Interrupt => "^C".to_owned(),
        _ => String::new(),
    };
    screen.aside()?.line(&shown)
}

/// Lists the hunks by their numbers.
fn list(chooser: &Chooser, screen: &mut Screen) -> Result<(), Error> {
    for (number, line) in chooser.summary() {
        screen.remark(FAINT, &format!("{number:>4}: {}", plain::first_line(&line, 100)))?;
    }
    screen.aside()?.put("Go to which hunk? ")?;
    screen.flush()
}

fn number<F: AsFd>(keyboard: &mut Keyboard<F>, screen: &mut Screen) -> Result<Option<usize>, Error> {
    let mut digits = String::new();
    loop {
        match keyboard.key().map_err(no_keys)? {
            Key::Char(digit) if digit.is_ascii_digit() && digits.len() < MAX_DIGITS => {
                screen.aside()?.put(&digit.to_string())?;
                screen.flush()?;
                digits.push(digit);
            }
            Key::Backspace if digits.pop().is_some() => screen.aside()?.put("\u{8} \u{8}")?,
            Key::Enter | Key::End => break,
            Key::Interrupt => {
                digits.clear();
                break;
            }
            _ => {}
        }
    }
    screen.end_lines()?;
    Ok(digits.parse().ok())
}

fn no_keys(error: io::Error) -> Problem {
    Problem::new(Code::Internal, format!("no keys can be read, so nothing was accepted: {error}"))
        .remedy("choose whole files instead: tinkerbell accept PATH")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;
    use chooser::tests::list as hunk_list;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    /// What comes of the keys, and what was shown meanwhile.
    fn talked(keys: &str) -> (Chosen, String) {
        let (mut hands, source) = UnixStream::pair().unwrap();
        hands.write_all(keys.as_bytes()).unwrap();
        drop(hands);
        let (mut screen, _, aside) = testing::screen(false);
        let mut keyboard = Keyboard::new(source).unwrap();
        let chooser = Chooser::new(hunk_list(3));
        let chosen = talk(chooser, &mut keyboard, &mut screen, &mut || Ok(hunk_list(0))).unwrap();
        (chosen, aside.text())
    }

    #[test]
    fn keys_may_be_piped_in_and_what_was_decided_holds_at_their_end() {
        let (chosen, shown) = talked("y\nn\n");
        let Chosen::Hunks(choice) = chosen else { panic!("{chosen:?}") };
        assert_eq!((choice.context_lines, choice.files.len(), &choice.files[0].take[..]), (3, 1, &[0][..]));
        assert!(shown.starts_with("a.rs (1 of 3)\n@@ -1,6 +1,7 @@\n one\n"), "{shown}");
        assert!(shown.contains("Accept this hunk [y,n,q,a,d,s,j,J,g,?]? y\n"), "{shown}");
        assert!(shown.contains("Accept this new file [y,n,q,a,d,K,g,?]? "), "{shown}");
    }

    #[test]
    fn nothing_chosen_is_nothing_and_an_abort_forgets_all() {
        assert_eq!(talked("nnn").0, Chosen::Nothing);
        assert_eq!(talked("").0, Chosen::Nothing);
        assert_eq!(talked("yy\u{3}").0, Chosen::Aborted);
    }

    #[test]
    fn help_and_a_number_lead_back_to_the_question() {
        let (chosen, shown) = talked("?xg3\nyq");
        let Chosen::Hunks(choice) = chosen else { panic!("{chosen:?}") };
        assert_eq!(choice.files[0].path.as_str(), "b.txt");
        assert_eq!(shown.matches("y - accept this hunk").count(), 2, "an unknown key shows the help too: {shown}");
        assert!(shown.contains("   2: a.rs @@ -20,3 +21,3 @@\n"), "{shown}");
        assert!(talked("g9\nq").1.contains("there is no such hunk"));
    }

    #[test]
    fn a_split_is_of_the_finer_list() {
        let (chosen, shown) = talked("snyq");
        let Chosen::Hunks(choice) = chosen else { panic!("{chosen:?}") };
        assert_eq!((choice.context_lines, &choice.files[0].take[..]), (0, &[1][..]));
        assert!(shown.contains("a.rs (2 of 4)"), "{shown}");
    }
}
