//! Tool calls alike in a row: the sign of a model that goes round in circles.

use wire::BlobHash;

/// The last call that was asked for, and how often in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Alike {
    last: Option<BlobHash>,
    times: u32,
}

impl Alike {
    /// What an earlier owner knew: the call that was asked for last, and the count that stands in the journal.
    pub(super) fn recalled(name: &str, arguments: &str, times: u32) -> Alike {
        Alike { last: Some(mark(name, arguments)), times }
    }

    /// Counts a call; how often in a row it was asked for by now.
    pub(super) fn count(&mut self, name: &str, arguments: &str) -> u32 {
        let mark = mark(name, arguments);
        self.times = if self.last == Some(mark) { self.times.saturating_add(1) } else { 1 };
        self.last = Some(mark);
        self.times
    }
}

fn mark(name: &str, arguments: &str) -> BlobHash {
    BlobHash::of(format!("{name}\0{arguments}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::Alike;

    #[test]
    fn only_the_same_call_in_a_row_counts() {
        let mut alike = Alike::default();
        let counts = [("a", "{}"), ("a", "{}"), ("b", "{}"), ("a", "{}"), ("a", "{1}")].map(|(n, a)| alike.count(n, a));
        assert_eq!(counts, [1, 2, 1, 1, 1]);
        assert_eq!(Alike::recalled("a", "{1}", 4).count("a", "{1}"), 5);
    }
}
