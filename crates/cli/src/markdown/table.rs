//! Tables, aligned once all of their rows are there.

use super::inline;
use super::wrap::{Wrap, paint};
use crate::plain;
use crate::screen::{FAINT, HEAD};
use anstyle::Style;
use unicode_width::UnicodeWidthStr;

/// The narrowest that a column is made where the table is wider than the terminal.
const MIN_COLUMN_CELLS: usize = 6;
/// What stands between columns.
const BETWEEN: &str = " │ ";
/// The most columns that are set; a table with more of them is shown as it was written.
const MAX_COLUMNS: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Middle,
    Right,
}

/// A cell as it is shown: its lines, each with the cells it takes.
type Cell = Vec<(String, usize)>;

/// Writes the rows as a table, or as they are where they are none.
pub(super) fn write(rows: &[String], width: usize, colour: bool, out: &mut String) {
    let parted: Vec<Vec<&str>> = rows.iter().map(|row| cells(row)).collect();
    let Some(aligns) = parted.get(1).and_then(|row| alignment(row)) else {
        return as_written(rows, out);
    };
    let columns = parted[0].len();
    let room = width.saturating_sub((columns.saturating_sub(1)) * BETWEEN.width());
    if aligns.len() != columns || columns > MAX_COLUMNS || room < columns * MIN_COLUMN_CELLS {
        return as_written(rows, out);
    }
    let lines: Vec<(&[&str], Style)> = std::iter::once((parted[0].as_slice(), HEAD))
        .chain(parted[2..].iter().map(|row| (row.as_slice(), Style::new())))
        .collect();
    let natural = |column: usize| {
        let cells = lines.iter().map(|(row, style)| set(row.get(column).unwrap_or(&""), usize::MAX, *style, colour));
        cells.flatten().map(|(_, cells)| cells).max().unwrap_or(0).max(1)
    };
    let widths = fit((0..columns).map(natural).collect(), room);
    for (at, (row, style)) in lines.iter().enumerate() {
        let cells: Vec<Cell> =
            (0..columns).map(|column| set(row.get(column).unwrap_or(&""), widths[column], *style, colour)).collect();
        write_row(&cells, &widths, &aligns, colour, out);
        if at == 0 {
            let rules: Vec<String> = widths.iter().map(|cells| "─".repeat(*cells)).collect();
            paint(colour, FAINT, &rules.join("─┼─"), out);
            out.push('\n');
        }
    }
}

fn as_written(rows: &[String], out: &mut String) {
    for row in rows {
        out.push_str(row);
        out.push('\n');
    }
}

/// Parts a row at its bars; a bar in code or behind a backslash parts nothing.
fn cells(row: &str) -> Vec<&str> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let (mut cells, mut from, mut in_code, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in row.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '`' => in_code = !in_code,
            '|' if !in_code => {
                cells.push(row[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    if !row[from..].trim().is_empty() {
        cells.push(row[from..].trim());
    }
    cells
}

/// What the second row says of the columns; `None` when it is a row like others.
fn alignment(row: &[&str]) -> Option<Vec<Align>> {
    let one = |cell: &&str| {
        let dashes = cell.trim_matches(':');
        let is_rule = !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-');
        is_rule.then(|| match (cell.starts_with(':'), cell.ends_with(':')) {
            (true, true) => Align::Middle,
            (false, true) => Align::Right,
            _ => Align::Left,
        })
    };
    row.iter().map(one).collect::<Option<Vec<_>>>().filter(|aligns| !aligns.is_empty())
}

/// Makes the widest columns narrower until all of them fit.
fn fit(mut widths: Vec<usize>, room: usize) -> Vec<usize> {
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max() else { break };
        if *widest <= MIN_COLUMN_CELLS {
            break;
        }
        *widest -= 1;
    }
    widths
}

/// A cell set into lines of a width.
fn set(text: &str, width: usize, style: Style, colour: bool) -> Cell {
    let mut wrap = Wrap::new(width, colour);
    let mut set = String::new();
    inline::spans(text, style, colour, &mut |style, text| wrap.text(style, text, &mut set));
    wrap.end(&mut set);
    set.lines().map(|line| (line.to_owned(), plain::strip(line).width())).collect()
}

fn write_row(cells: &[Cell], widths: &[usize], aligns: &[Align], colour: bool, out: &mut String) {
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        for (column, cell) in cells.iter().enumerate() {
            if column > 0 {
                paint(colour, FAINT, BETWEEN, out);
            }
            let (text, taken) = cell.get(line).map_or(("", 0), |(text, taken)| (text.as_str(), *taken));
            let room = widths[column].saturating_sub(taken);
            let left = match aligns[column] {
                Align::Left => 0,
                Align::Middle => room / 2,
                Align::Right => room,
            };
            out.push_str(&" ".repeat(left));
            out.push_str(text);
            // Nothing stands behind the last column.
            if column + 1 < cells.len() {
                out.push_str(&" ".repeat(room - left));
            }
        }
        out.push('\n');
    }
}
