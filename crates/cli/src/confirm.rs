//! Asks whether something that cannot be taken back is meant.
//!
//! Who cannot be asked, because nobody sits before the terminal, has to have said yes beforehand.

use crate::error::Error;
use crate::screen::Screen;
use std::io::{self, BufRead};
use wire::{Code, Problem};

/// Asks, unless the answer was given with `--yes`; what is not clearly yes is no.
pub(crate) fn confirm(screen: &mut Screen, question: &str, said_yes: bool) -> Result<bool, Error> {
    if said_yes {
        return Ok(true);
    }
    if !screen.is_interactive() {
        return Err(Problem::new(
            Code::InvalidRequest,
            format!("{question} Nobody can be asked here, so nothing was done"),
        )
        .remedy("say so beforehand, with --yes")
        .into());
    }
    screen.end_lines()?;
    screen.aside()?.put(&format!("{question} [y/N] "))?;
    screen.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| {
        Problem::new(Code::Internal, format!("the answer could not be read, so nothing was done: {error}"))
            .remedy("say yes beforehand, with --yes")
    })?;
    screen.line_was_typed();
    Ok(is_yes(&line))
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" YES "));
        assert!(!is_yes("\n") && !is_yes("") && !is_yes("yep") && !is_yes("n"));
    }

    #[test]
    fn where_nobody_can_be_asked_it_must_have_been_said() {
        let (mut screen, _, aside) = testing::screen(false);
        assert!(confirm(&mut screen, "Remove it?", true).unwrap());
        let Err(Error::Problem(problem)) = confirm(&mut screen, "Remove it?", false) else { panic!("it was taken") };
        assert_eq!(
            (problem.code, problem.remedy.as_deref()),
            (Code::InvalidRequest, Some("say so beforehand, with --yes"))
        );
        assert_eq!(aside.text(), "", "and nothing was asked");
    }
}
