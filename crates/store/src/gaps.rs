//! Blanking the gaps of pages, so that forgotten words are in none.
//!
//! `secure_delete` overwrites a row where it lies. But where SQLite moves rows from one page of a table to another, it leaves
//! the old bytes in the gap between the page's pointers and its cells, and no statement reaches them there. So after
//! words went, a pass looks at each page, from the last to the first, and overwrites its gap unless that is blank: in slices
//! between other appends, each a transaction of its own. From the last, because giving pages back moves them to the
//! front. A pass that was cut short is made anew, by whoever next opens the file if need be.
//!
//! Words are in rows, and rows with words are in leaves of tables; indexes hold numbers, names and keys, and the pages
//! that rows overflow into have no gaps. Which page is what the file's own map of pages says, which a file has that
//! gives pages back (`auto_vacuum`). Pages are read and written by `sqlite_dbpage`, which `.cargo/config.toml` has built
//! into SQLite. The layout of pages: <https://www.sqlite.org/fileformat2.html>.
//!
//! One way is left: where SQLite balances neighbours during a pass, it may give a page that is still to come the number
//! of one that was looked at.

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
/// A leaf of a table.
const TABLE_LEAF: u8 = 13;
/// Bytes before a leaf's pointers, and of each pointer.
const LEAF_HEADER_BYTES: usize = 8;
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

/// Whether a pass is due.
pub(crate) fn due(connection: &Connection) -> rusqlite::Result<Due> {
    let gone = query::meta(connection, GONE)?;
    if gone <= query::meta(connection, BLANKED)? {
        return Ok(Due::Nothing);
    }
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

/// Where a leaf of a table has its gap. `None` for other pages, and where the header makes no sense.
fn gap(page: &[u8]) -> Option<Range<usize>> {
    let number = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    if page.first() != Some(&TABLE_LEAF) {
        return None;
    }
    let pointers_end = LEAF_HEADER_BYTES + POINTER_BYTES * number(3)?;
    let cells = match number(5)? {
        0 => 1 << 16,
        cells => cells,
    };
    (pointers_end <= cells && cells <= page.len()).then_some(pointers_end..cells)
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

    #[test]
    fn a_gap_is_between_pointers_and_cells_and_a_page_that_makes_no_sense_has_none() {
        let leaf = |cells: u16, content: u16| {
            let mut page = vec![9; 64];
            page[0] = TABLE_LEAF;
            page[3..5].copy_from_slice(&cells.to_be_bytes());
            page[5..7].copy_from_slice(&content.to_be_bytes());
            page
        };
        assert_eq!(gap(&leaf(2, 40)), Some(12..40));
        let blank = blanked(&leaf(2, 40)).unwrap();
        assert!(blank[..12] == leaf(2, 40)[..12] && blank[12..40].iter().all(|byte| *byte == 0));
        assert!(blank[40..].iter().all(|byte| *byte == 9));
        assert_eq!(blanked(&blank), None);
        assert_eq!((gap(&leaf(30, 40)), gap(&leaf(2, 65)), gap(&leaf(2, 0)), gap(&[13, 0])), (None, None, None, None));
        assert_eq!(gap(&[5; 64]), None, "an inner page holds no rows");
    }
}
