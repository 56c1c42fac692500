//! Blanking the gaps of pages, so that forgotten words are in none.
//!
//! `secure_delete` overwrites a row where it lies. But where SQLite moves rows from one page of a table to another, it leaves
//! the old bytes in the gap between the page's pointers and its cells, and no statement reaches them there. So after
//! words went, a pass looks at each page, from the last to the first, and overwrites its gap unless that is blank: in slices
//! between other appends, each a transaction of its own. From the last, because giving pages back moves them to the
//! front. A pass that was cut short is made anew, by whoever next opens the file if need be.
//!
//! Words are in leaves of tables, hashes of what was said in leaves and inner pages of indexes. Inner pages of tables hold
//! numbers of rows alone, and the pages that rows overflow into have no gaps. Which page is what the file's own map of
//! pages says, which a file has that gives pages back (`auto_vacuum`). Pages are read and written by `sqlite_dbpage`,
//! which `.cargo/config.toml` has built into SQLite. The layout of pages: <https://www.sqlite.org/fileformat2.html>.
//!
//! One way is left: where SQLite balances neighbours during a pass, it may give a page that is still to come the number
//! of one that was looked at. So a pass is made anew where rows were swept or copied meanwhile; an append balances little.

use crate::query;
use crate::sql::{Int, Refusal};
use rusqlite::Connection;
use std::ops::Range;

/// How often words went, in `meta`.
const GONE: &str = "words gone";
/// The same count, as it was when the last whole pass began.
const BLANKED: &str = "words blanked";

/// Pages looked at in one slice: 4 MiB.
const LOOKS: usize = 1024;
/// Pages written in one slice: a mebibyte.
const WRITES: usize = 256;

/// The map's words for the root of a table or an index, and for its other pages.
const TREE: [u8; 2] = [1, 5];
/// Bytes of an entry of the map.
const ENTRY_BYTES: usize = 5;
/// The byte at which locks are taken, whose page holds nothing.
const PENDING_BYTE: usize = 0x4000_0000;
/// Bytes before the pointers of a leaf, and of an inner page.
const LEAF_HEADER_BYTES: usize = 8;
const INNER_HEADER_BYTES: usize = 12;
/// Bytes of a pointer.
const POINTER_BYTES: usize = 2;

/// A pass under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pass {
    /// The page that is next.
    next: usize,
    /// How often words had gone when it began.
    gone: u64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Words went since the last pass began.
    Pass(Pass),
    /// None did.
    Nothing,
    /// Some did, but the pages of this file cannot be told apart, or not be written by this SQLite.
    Unable,
}

/// What a slice did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    /// What is left of the pass.
    pub(crate) rest: Option<Pass>,
    /// Whether anything was written.
    pub(crate) wrote: bool,
}

/// Notes that words went, in the transaction in which they do.
pub(crate) fn words_went(connection: &Connection) -> rusqlite::Result<()> {
    note(connection, GONE, query::meta(connection, GONE)? + 1)
}

/// Whether words went since the last whole pass began.
pub(crate) fn are_due(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(query::meta(connection, GONE)? > query::meta(connection, BLANKED)?)
}

/// Whether a pass is due, and can be made.
pub(crate) fn due(connection: &Connection) -> rusqlite::Result<Due> {
    if !are_due(connection)? {
        return Ok(Due::Nothing);
    }
    let gone = query::meta(connection, GONE)?;
    let has_map = query::pragma(connection, "auto_vacuum")? != 0;
    let has_pages: bool =
        connection.query_row("SELECT sqlite_compileoption_used('ENABLE_DBPAGE_VTAB')", (), |row| row.get(0))?;
    if !has_map || !has_pages {
        return Ok(Due::Unable);
    }
    let next = usize::try_from(query::pragma(connection, "page_count")?).unwrap_or(usize::MAX);
    Ok(Due::Pass(Pass { next, gone }))
}

/// The next slice of a pass; the last one notes that it was.
pub(crate) fn slice(connection: &Connection, pass: Pass) -> Result<Slice, Refusal> {
    let layout = Layout::of(connection)?;
    let (mut map_at, mut map) = (0, Vec::new());
    let (mut looks, mut writes) = (0, 0);
    // The first page is the root of the schema.
    for number in (2..=pass.next).rev() {
        if looks >= LOOKS || writes >= WRITES {
            return Ok(Slice { rest: Some(Pass { next: number, ..pass }), wrote: writes > 0 });
        }
        let at = layout.map_of(number);
        if number == at || number == layout.pending() {
            continue;
        }
        if map_at != at {
            (map_at, map) = (at, with_page(connection, at, <[u8]>::to_vec)?.unwrap_or_default());
            looks += 1;
        }
        // Of pages that were given back since the pass began there may be neither map nor page.
        if !map.get(ENTRY_BYTES * (number - at - 1)).is_some_and(|kind| TREE.contains(kind)) {
            continue;
        }
        looks += 1;
        if let Some(blank) = with_page(connection, number, blanked)?.flatten() {
            connection
                .prepare_cached("UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?")?
                .execute((blank, Int(number as u64)))?;
            writes += 1;
        }
    }
    note(connection, BLANKED, pass.gone)?;
    Ok(Slice { rest: None, wrote: true })
}

fn note(connection: &Connection, key: &str, count: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")?.execute((key, Int(count)))?;
    Ok(())
}

/// Gives the bytes of a page; `None` if the file has no such page.
fn with_page<T>(connection: &Connection, number: usize, look: impl FnOnce(&[u8]) -> T) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?")?;
    let mut rows = statement.query([Int(number as u64)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(look(row.get_ref(0)?.as_blob()?)))
}

/// The page with its gap overwritten; `None` where there is nothing to overwrite.
fn blanked(page: &[u8]) -> Option<Vec<u8>> {
    let gap = gap(page)?;
    if page[gap.clone()].iter().all(|byte| *byte == 0) {
        return None;
    }
    let mut blank = page.to_vec();
    blank[gap].fill(0);
    Some(blank)
}

/// Where a page that may hold words or hashes has its gap. `None` for other pages, and where what stands in it makes no
/// sense: nothing that a pointer leads to may be overwritten.
fn gap(page: &[u8]) -> Option<Range<usize>> {
    let number = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    let pointers = match page.first()? {
        // Leaves of tables and of indexes.
        13 | 10 => LEAF_HEADER_BYTES,
        // Inner pages of indexes.
        2 => INNER_HEADER_BYTES,
        _ => return None,
    };
    let pointers_end = pointers + POINTER_BYTES * number(3)?;
    let cells = match number(5)? {
        0 => 1 << 16,
        cells => cells,
    };
    let is_sane = pointers_end <= cells
        && cells <= page.len()
        && (pointers..pointers_end).step_by(POINTER_BYTES).all(|at| number(at).is_some_and(|cell| cell >= cells));
    is_sane.then_some(pointers_end..cells)
}

/// Where a file has what.
struct Layout {
    page_bytes: usize,
    /// Pages that one page of the map tells of, itself included.
    mapped: usize,
}

impl Layout {
    fn of(connection: &Connection) -> rusqlite::Result<Layout> {
        /// Where the first page has the size of a page's end that is set apart.
        const RESERVED: usize = 20;
        let page_bytes = query::pragma(connection, "page_size")? as usize;
        let reserved = with_page(connection, 1, |page| page.get(RESERVED).copied())?.flatten().unwrap_or(0);
        Ok(Layout { page_bytes, mapped: (page_bytes - usize::from(reserved)) / ENTRY_BYTES + 1 })
    }

    fn pending(&self) -> usize {
        PENDING_BYTE / self.page_bytes + 1
    }

    /// The page of the map that tells of this one, which may be that page itself.
    fn map_of(&self, number: usize) -> usize {
        let map = (number - 2) / self.mapped * self.mapped + 2;
        if map == self.pending() { map + 1 } else { map }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_steps_aside_for_the_page_of_locks() {
        let layout = Layout { page_bytes: 4096, mapped: 820 };
        assert_eq!((layout.map_of(2), layout.map_of(821), layout.map_of(822)), (2, 2, 822));
        let layout = Layout { page_bytes: 512, mapped: 127 };
        let pending = layout.pending();
        assert_eq!((pending, (pending - 2) % 127), (2_097_153, 0), "the map's turn is at the page of locks itself");
        assert_eq!((layout.map_of(pending), layout.map_of(pending + 2)), (pending + 1, pending + 1));
        assert_eq!(layout.map_of(pending - 1), pending - 127);
    }

    /// A page of 64 bytes with two cells, at 40 and 52.
    fn page(kind: u8, header: usize, content: u16) -> Vec<u8> {
        let mut page = vec![9; 64];
        page[0] = kind;
        page[3..5].copy_from_slice(&2_u16.to_be_bytes());
        page[5..7].copy_from_slice(&content.to_be_bytes());
        for (at, cell) in [40_u16, 52].into_iter().enumerate() {
            let at = header + POINTER_BYTES * at;
            page[at..at + POINTER_BYTES].copy_from_slice(&cell.to_be_bytes());
        }
        page
    }

    #[test]
    fn a_gap_is_between_pointers_and_cells_and_all_else_stays() {
        for (kind, header) in [(13, 8), (10, 8), (2, 12)] {
            let page = page(kind, header, 40);
            let from = header + 4;
            assert_eq!(gap(&page), Some(from..40), "{kind}");
            let blank = blanked(&page).unwrap();
            assert!(blank[..from] == page[..from] && blank[40..] == page[40..], "{kind}");
            assert!(blank[from..40].iter().all(|byte| *byte == 0), "{kind}");
            assert_eq!(blanked(&blank), None, "{kind}");
        }
        assert_eq!(gap(&page(5, 12, 40)), None, "an inner page of a table holds numbers alone");
    }

    #[test]
    fn a_page_that_makes_no_sense_has_no_gap() {
        let mut many = page(13, 8, 40);
        many[4] = 30;
        assert_eq!(gap(&many), None, "pointers over cells");
        assert_eq!((gap(&page(13, 8, 65)), gap(&page(13, 8, 0))), (None, None), "cells behind the end");
        assert_eq!(gap(&page(13, 8, 41)), None, "a cell that a pointer leads to would be overwritten");
        assert_eq!((gap(&[13, 0]), gap(&[])), (None, None));
    }
}
