//! What each key means: the state of a choice, without keyboard, screen or daemon.

use super::piece::{Piece, runs};
use crate::terminal::Key;
use wire::rest::{ChosenHunks, FileHunks, FileRow, FileStatus, HunkChoice, HunkList};
use wire::{Code, Problem};

/// What the keys do.
pub(super) const HELP: &str = "\
y - accept this hunk
n - do not accept it
q - accept what was chosen so far, and leave the rest
a - accept this hunk and all later ones of the file
d - do not accept this hunk nor any later one of the file
s - split it into smaller hunks
j - leave it undecided, go to the next undecided one; J to the next one
k - leave it undecided, go to the undecided one before; K to the one before
g - go to a hunk by its number
? - this help; Ctrl-C leaves and accepts nothing";

/// What is to be done after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Show the present hunk.
    Show,
    /// Say what the keys do.
    Help,
    /// Say this.
    Say(&'static str),
    /// Ask for the finer list, if it is not there, and split.
    Split,
    /// Ask for a number.
    GoTo,
    /// All is decided, or somebody has had enough.
    Done,
    /// Nothing is to happen.
    Aborted,
}

/// A choice in the making.
#[derive(Debug)]
pub(super) struct Chooser {
    list: HunkList,
    /// The same with no lines of context, once something is to be split.
    finer: Option<HunkList>,
    is_split: bool,
    pieces: Vec<Piece>,
    at: usize,
}

impl Chooser {
    /// Nothing is decided yet; the list has at least one file, and each file at least one hunk.
    pub(super) fn new(list: HunkList) -> Chooser {
        let mut pieces = Vec::new();
        for (file, hunks) in list.files.iter().enumerate() {
            for (hunk, row) in hunks.hunks.iter().enumerate() {
                let (header, lines) = (row.header.clone(), row.patch.clone());
                pieces.push(Piece { file, hunk, runs: 0..runs(&row.patch), header, lines, decision: None });
            }
        }
        Chooser { list, finer: None, is_split: false, pieces, at: 0 }
    }

    pub(super) fn present(&self) -> &Piece {
        &self.pieces[self.at]
    }

    /// The file of the present hunk.
    pub(super) fn file(&self) -> &FileRow {
        &self.list.files[self.present().file].file
    }

    /// The place of the present hunk.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// How many hunks there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// What the present hunk is.
    pub(super) fn kind(&self) -> &'static str {
        match self.file().status {
            FileStatus::Added => "new file",
            FileStatus::Deleted => "deletion",
            FileStatus::Modified if self.present().header.starts_with("mode ") => "change of mode",
            FileStatus::Modified if self.file().binary => "file",
            FileStatus::Modified => "hunk",
        }
    }

    /// The keys that do something here.
    pub(super) fn keys(&self) -> String {
        let mut keys = vec!["y", "n", "q", "a", "d"];
        let is_open = |at: &usize| self.pieces[*at].decision.is_none();
        let here = self.at;
        let offers = [
            ("s", self.present().runs.len() > 1),
            ("j", (here + 1..self.len()).any(|at| is_open(&at))),
            ("J", here + 1 < self.len()),
            ("k", (0..here).any(|at| is_open(&at))),
            ("K", here > 0),
            ("g", self.len() > 1),
            ("?", true),
        ];
        keys.extend(offers.iter().filter(|(_, serves)| *serves).map(|(key, _)| key));
        keys.join(",")
    }

    /// Every hunk by its number, with what was decided.
    pub(super) fn summary(&self) -> impl Iterator<Item = (usize, String)> + '_ {
        self.pieces.iter().enumerate().map(|(at, piece)| {
            let mark = match piece.decision {
                Some(true) => "+ ",
                Some(false) => "- ",
                None => "",
            };
            (at + 1, format!("{mark}{} {}", self.list.files[piece.file].file.path, piece.header))
        })
    }

    /// Takes a key.
    pub(super) fn press(&mut self, key: Key) -> Step {
        match key {
            Key::Char('y') => self.decide(true, false),
            Key::Char('n') => self.decide(false, false),
            Key::Char('a') => self.decide(true, true),
            Key::Char('d') => self.decide(false, true),
            Key::Char('q') | Key::End => Step::Done,
            Key::Interrupt => Step::Aborted,
            Key::Char('s') if self.present().runs.len() > 1 => Step::Split,
            Key::Char('s') => Step::Say("this hunk cannot be split"),
            Key::Char('g') => Step::GoTo,
            Key::Char('j') => self.walk((self.at + 1..self.len()).find(|at| self.is_open(*at))),
            Key::Char('k') => self.walk((0..self.at).rev().find(|at| self.is_open(*at))),
            Key::Char('J') => self.walk(Some(self.at + 1).filter(|at| *at < self.len())),
            Key::Char('K') => self.walk(self.at.checked_sub(1)),
            _ => Step::Help,
        }
    }

    /// Goes to a hunk by its number; false where there is none.
    pub(super) fn go_to(&mut self, number: usize) -> bool {
        let is_there = (1..=self.len()).contains(&number);
        if is_there {
            self.at = number - 1;
        }
        is_there
    }

    /// Whether the finer list is there.
    pub(super) fn has_finer(&self) -> bool {
        self.finer.is_some()
    }

    /// Takes the same changes with no lines of context; refused when they are not the same.
    pub(super) fn set_finer(&mut self, finer: HunkList) -> Result<(), Problem> {
        let fits = |(coarse, fine): (&FileHunks, &FileHunks)| {
            let parts: usize = coarse.hunks.iter().map(|hunk| runs(&hunk.patch)).sum();
            let same = (&coarse.file.path, coarse.before, coarse.after) == (&fine.file.path, fine.before, fine.after);
            same && parts == fine.hunks.len()
        };
        if finer.files.len() != self.list.files.len() || !self.list.files.iter().zip(&finer.files).all(fits) {
            return Err(Problem::new(Code::Conflict, "the canvas changed while you chose, so nothing was accepted")
                .remedy("look at it again: `tinkerbell accept -p`"));
        }
        self.finer = Some(finer);
        Ok(())
    }

    /// Puts the parts of the present hunk in its place.
    pub(super) fn split(&mut self) {
        let mut parts = self.present().split();
        parts.iter_mut().for_each(|part| part.decision = None);
        self.pieces.splice(self.at..=self.at, parts);
        self.is_split = true;
    }

    /// What was chosen; `None` where that is nothing.
    pub(super) fn choice(&self) -> Option<HunkChoice> {
        let list = self.finer.as_ref().filter(|_| self.is_split);
        let chosen = |(number, file): (usize, &FileHunks)| {
            let taken = self.pieces.iter().filter(|piece| piece.file == number && piece.decision == Some(true));
            let take: Vec<u32> = match list {
                Some(finer) => {
                    let places = taken.flat_map(|piece| self.finer_places(piece));
                    places.map(|place| finer.files[number].hunks[place].index).collect()
                }
                None => taken.map(|piece| file.hunks[piece.hunk].index).collect(),
            };
            let (path, before, after) = (file.file.path.clone(), file.before, file.after);
            (!take.is_empty()).then_some(ChosenHunks { path, before, after, take })
        };
        let files: Vec<ChosenHunks> = self.list.files.iter().enumerate().filter_map(chosen).collect();
        let context = list.map_or(self.list.context_lines, |finer| finer.context_lines);
        (!files.is_empty()).then_some(HunkChoice { context_lines: context, files })
    }

    /// Where the runs of a piece stand in the finer list: all hunks before it fall into one place for each run.
    fn finer_places(&self, piece: &Piece) -> impl Iterator<Item = usize> + use<> {
        let before: usize = self.list.files[piece.file].hunks[..piece.hunk].iter().map(|hunk| runs(&hunk.patch)).sum();
        piece.runs.clone().map(move |run| before + run)
    }

    fn is_open(&self, at: usize) -> bool {
        self.pieces[at].decision.is_none()
    }

    fn walk(&mut self, to: Option<usize>) -> Step {
        let Some(to) = to else { return Step::Say("there is no other hunk that way") };
        self.at = to;
        Step::Show
    }

    /// Decides the present hunk, and the open ones after it in its file where all are meant; goes to what is open.
    fn decide(&mut self, decision: bool, all: bool) -> Step {
        let file = self.present().file;
        self.pieces[self.at].decision = Some(decision);
        if all {
            let later = self.pieces[self.at..].iter_mut().filter(|piece| piece.file == file);
            later.filter(|piece| piece.decision.is_none()).for_each(|piece| piece.decision = Some(decision));
        }
        let next = (self.at..self.len()).chain(0..self.at).find(|at| self.is_open(*at));
        next.map_or(Step::Done, |next| {
            self.at = next;
            Step::Show
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use wire::RelPath;
    use wire::rest::HunkRow;

    /// Keys, the number of context lines of the choice that they make, and what it takes of each file.
    type Case = (&'static str, Option<u32>, &'static [(&'static str, &'static [u32])]);

    const FIRST: &str = " one\n+new\n two\n three\n-four\n+vier\n five\n six\n";
    const SECOND: &str = " x\n-y\n+z\n w\n";

    /// Two hunks of a file, of which the first has two runs, and a new file.
    pub(crate) fn list(context: u32) -> HunkList {
        let row = |path: &str, status| FileRow {
            path: RelPath::new(path).unwrap(),
            status,
            added: 1,
            removed: 0,
            binary: false,
            mode: None,
        };
        let hunks = |hunks: &[(&str, &str)]| {
            let rows = hunks.iter().enumerate().map(|(index, (header, patch))| HunkRow {
                index: u32::try_from(index).unwrap(),
                header: (*header).into(),
                patch: (*patch).into(),
            });
            rows.collect::<Vec<_>>()
        };
        let coarse = [("@@ -1,6 +1,7 @@", FIRST), ("@@ -20,3 +21,3 @@", SECOND)];
        let fine = [("@@ -1,0 +2 @@", "+new\n"), ("@@ -4 +5 @@", "-four\n+vier\n"), ("@@ -21 +22 @@", "-y\n+z\n")];
        let changed = if context == 0 { hunks(&fine) } else { hunks(&coarse) };
        let file = |file, hunks| FileHunks { file, before: None, after: None, hunks };
        let files = vec![
            file(row("a.rs", FileStatus::Modified), changed),
            file(row("b.txt", FileStatus::Added), hunks(&[("@@ -0,0 +1 @@", "+hello\n")])),
        ];
        HunkList { context_lines: context, files }
    }

    /// What is chosen by these keys: of each file the numbers taken. A split is given the finer list.
    fn chosen(keys: &str) -> (Option<u32>, Vec<(String, Vec<u32>)>) {
        let mut chooser = Chooser::new(list(3));
        for key in keys.chars() {
            match chooser.press(Key::Char(key)) {
                Step::Split => {
                    chooser.set_finer(list(0)).unwrap();
                    chooser.split();
                }
                Step::Done => break,
                _ => {}
            }
        }
        let choice = chooser.choice();
        let files = choice.iter().flat_map(|choice| &choice.files);
        let taken = files.map(|file| (file.path.to_string(), file.take.clone())).collect();
        (choice.map(|choice| choice.context_lines), taken)
    }

    #[test]
    fn the_keys_choose_as_the_table_says() {
        let table: &[Case] = &[
            ("yyy", Some(3), &[("a.rs", &[0, 1]), ("b.txt", &[0])]),
            ("nnn", None, &[]),
            ("q", None, &[]),
            ("yq", Some(3), &[("a.rs", &[0])]),
            ("nyy", Some(3), &[("a.rs", &[1]), ("b.txt", &[0])]),
            ("ay", Some(3), &[("a.rs", &[0, 1]), ("b.txt", &[0])]),
            ("an", Some(3), &[("a.rs", &[0, 1])]),
            ("dy", Some(3), &[("b.txt", &[0])]),
            ("nan", Some(3), &[("a.rs", &[1])]),
            ("jynn", Some(3), &[("a.rs", &[1])]),
            ("jjykny", Some(3), &[("a.rs", &[1]), ("b.txt", &[0])]),
            ("jjj", None, &[]),
            ("JJykq", Some(3), &[("b.txt", &[0])]),
            ("yKnq", None, &[]),
            ("kK?xs", None, &[]),
            ("syq", Some(0), &[("a.rs", &[0])]),
            ("snynn", Some(0), &[("a.rs", &[1])]),
            ("saq", Some(0), &[("a.rs", &[0, 1, 2])]),
            ("snnyy", Some(0), &[("a.rs", &[2]), ("b.txt", &[0])]),
            ("ssyy", Some(0), &[("a.rs", &[0, 1])]),
            ("jyKKsnyq", Some(0), &[("a.rs", &[1, 2])]),
        ];
        for (keys, context, files) in table {
            let expected: Vec<(String, Vec<u32>)> =
                files.iter().map(|(path, take)| ((*path).to_owned(), take.to_vec())).collect();
            assert_eq!(chosen(keys), (*context, expected), "{keys}");
        }
        println!("keys of a choice: {} cases, 0 failures", table.len());
    }

    #[test]
    fn only_what_serves_is_offered() {
        let mut chooser = Chooser::new(list(3));
        assert_eq!((chooser.keys(), chooser.kind()), ("y,n,q,a,d,s,j,J,g,?".into(), "hunk"));
        assert!(chooser.go_to(3) && !chooser.go_to(4) && !chooser.go_to(0));
        assert_eq!((chooser.keys(), chooser.kind()), ("y,n,q,a,d,k,K,g,?".into(), "new file"));
        assert_eq!(chooser.press(Key::Char('s')), Step::Say("this hunk cannot be split"));
        assert_eq!(chooser.press(Key::Char('J')), Step::Say("there is no other hunk that way"));
        assert_eq!((chooser.press(Key::Interrupt), chooser.press(Key::End)), (Step::Aborted, Step::Done));
    }

    #[test]
    fn a_finer_list_of_another_change_is_refused() {
        let mut chooser = Chooser::new(list(3));
        let mut other = list(0);
        other.files[0].after = Some(wire::BlobHash::of(b"other"));
        assert_eq!(chooser.set_finer(other).unwrap_err().code, Code::Conflict);
        let mut fewer = list(0);
        fewer.files[0].hunks.pop();
        assert_eq!(chooser.set_finer(fewer).unwrap_err().code, Code::Conflict);
        assert!(!chooser.has_finer() && chooser.set_finer(list(0)).is_ok());
    }
}
