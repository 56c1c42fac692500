//! Columns that line up.

use crate::error::Error;
use crate::screen::{HEAD, Sink};

/// A table with its headings.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    headings: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub(crate) fn new(headings: [&'static str; N]) -> Table<N> {
        Table { headings, rows: Vec::new() }
    }

    /// Adds a row; whoever adds it has made its words harmless.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Prints it. Nothing is wrapped or cut: a terminal does the first, and `less -S` the second.
    pub(crate) fn print(&self, sink: &mut Sink) -> Result<(), Error> {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.headings[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let heading = line(&self.headings, &widths);
        let heading = sink.paint(HEAD, &heading);
        sink.line(&heading)?;
        self.rows.iter().try_for_each(|row| sink.line(&line(row, &widths)))
    }
}

fn line<T: AsRef<str>, const N: usize>(cells: &[T; N], widths: &[usize; N]) -> String {
    let padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{:width$}", cell.as_ref())).collect();
    padded.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["NAME", "N"]);
        table.row(["ä".into(), "1".into()]);
        table.row(["longer".into(), String::new()]);
        let (mut screen, out, _) = testing::screen(false);
        table.print(screen.out()).unwrap();
        assert_eq!(out.text(), "NAME    N\nä       1\nlonger\n");
    }
}
