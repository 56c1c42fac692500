//! Files of sessions that somebody made up: the lines are theirs, what vouches for them is right.

use std::borrow::Borrow;
use wire::export::{self, Line, Voucher};

/// A file of these lines, with the last line that vouches for all before it.
pub fn session_file<L: Borrow<Line>>(lines: impl IntoIterator<Item = L>) -> Vec<u8> {
    let (mut voucher, mut file) = (Voucher::default(), Vec::new());
    for line in lines {
        let text = export::write(line.borrow()) + "\n";
        voucher.take(text.as_bytes());
        file.extend_from_slice(text.as_bytes());
    }
    file.extend_from_slice((voucher.end() + "\n").as_bytes());
    file
}
