//! Columns that line up, within the terminal's width.

use crate::columns::{pad, shorten, width};
use crate::error::Error;
use crate::screen::{HEAD, Sink};
use anstyle::Style;

/// Columns between two cells.
const GAP: usize = 2;
/// A flexible column is not made narrower than this while others can give.
const MIN_FLEXIBLE: usize = 12;
/// No column is made narrower than this.
const MIN_COLUMN: usize = 3;

/// A table with its headings.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    headings: [&'static str; N],
    /// Columns that are shortened first where the terminal is narrow.
    flexible: Vec<usize>,
    rows: Vec<[Cell; N]>,
}

/// A cell: one line of harmless words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Words in a style.
    pub(crate) fn styled(style: Style, text: impl Into<String>) -> Cell {
        Cell { style, ..Cell::from(text.into()) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        // A tabulator would end the column, here and for a program that takes the table apart.
        Cell { text: text.replace(['\t', '\n'], " "), style: Style::new() }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::from(text.to_owned())
    }
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub(crate) fn new(headings: [&'static str; N]) -> Table<N> {
        Table { headings, flexible: Vec::new(), rows: Vec::new() }
    }

    /// Lets a column be shortened where the terminal is narrow.
    pub(crate) fn flexible(mut self, column: usize) -> Table<N> {
        self.flexible.push(column);
        self
    }

    /// Adds a row; whoever adds it has made its words harmless.
    pub(crate) fn row<C: Into<Cell>>(&mut self, cells: [C; N]) {
        self.rows.push(cells.map(Into::into));
    }

    /// Prints it in at most so many columns; without a bound, as for a pipe, nothing is left out.
    pub(crate) fn print(&self, sink: &mut Sink, columns: Option<usize>) -> Result<(), Error> {
        let widths = self.widths(columns);
        let headings = self.headings.map(|heading| Cell::styled(HEAD, heading));
        if self.headings.iter().any(|heading| !heading.is_empty()) {
            sink.line(&line(sink, &headings, &widths))?;
        }
        self.rows.iter().try_for_each(|row| sink.line(&line(sink, row, &widths)))
    }

    fn widths(&self, columns: Option<usize>) -> [usize; N] {
        let widest = |column: usize| {
            let cells = self.rows.iter().map(|row| width(&row[column].text));
            cells.chain([width(self.headings[column])]).max().unwrap_or(0)
        };
        let mut widths: [usize; N] = std::array::from_fn(widest);
        let room = columns.unwrap_or(usize::MAX);
        while widths.iter().sum::<usize>() + GAP * (N - 1) > room {
            let flexible = self.flexible.iter().copied().filter(|column| widths[*column] > MIN_FLEXIBLE);
            let Some(column) = flexible.max_by_key(|column| widths[*column]).or_else(|| {
                let any = (0..N).filter(|column| widths[*column] > MIN_COLUMN);
                any.max_by_key(|column| widths[*column])
            }) else {
                break;
            };
            widths[column] -= 1;
        }
        widths
    }
}

fn line<const N: usize>(sink: &Sink, cells: &[Cell; N], widths: &[usize; N]) -> String {
    let Some(last) = cells.iter().rposition(|cell| !cell.text.trim().is_empty()) else { return String::new() };
    let shown = cells[..=last].iter().zip(widths).enumerate().map(|(at, (cell, columns))| {
        let text = shorten(&cell.text, *columns);
        let text = if at < last { pad(&text, *columns) } else { text.trim_end().to_owned() };
        if cell.style.is_plain() { text } else { sink.paint(cell.style, &text) }
    });
    shown.collect::<Vec<_>>().join(&" ".repeat(GAP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::testing;

    fn printed(table: &Table<3>, columns: Option<usize>) -> String {
        let (mut screen, out, _) = testing::screen(false);
        table.print(screen.out(), columns).unwrap();
        out.text()
    }

    #[test]
    fn columns_line_up_by_what_is_seen() {
        let mut table = Table::new(["NAME", "N", ""]);
        table.row(["日本", "1", ""]);
        table.row(["longer", "", "x\ty"]);
        assert_eq!(printed(&table, None), "NAME    N\n日本    1\nlonger     x y\n");
    }

    #[test]
    fn a_narrow_terminal_shortens_what_may_be_and_nothing_wraps() {
        let mut table = Table::new(["ID", "TITLE", "WHERE"]).flexible(1).flexible(2);
        table.row(["0a1b2c3d", &"long title ".repeat(5), "/home/somebody/a/rather/long/path"]);
        let whole = printed(&table, None);
        assert!(whole.contains("long title long title") && whole.contains("rather/long/path"));
        for columns in 17..100 {
            let text = printed(&table, Some(columns));
            assert!(text.lines().all(|line| width(line) <= columns), "{columns}: {text}");
            assert!(columns < 40 || text.contains("0a1b2c3d  "), "the id is kept whole: {text}");
        }
    }
}
