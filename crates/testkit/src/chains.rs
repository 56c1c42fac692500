//! A look into a journal whose daemon is gone.

use crate::Home;
use store::{JournalId, ListQuery, Options, Store};

/// Opens the journal of a home whose daemon has ended, verifies every chain in it, and has SQLite look for damage. Panics with what is wrong.
/// Returns how many sessions and how many events there are.
pub fn verify_chains(home: &Home) -> (u64, u64) {
    let store = Store::open(&home.state(), Options::default()).expect("the journal opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        store.verify(JournalId::Daemon).await.expect("the daemon's chain verifies");
        let (mut sessions, mut events, mut before) = (0, 0, None);
        loop {
            let page = store.list(ListQuery { before, limit: 500, ..ListQuery::default() }).await.expect("a list");
            let Some(last) = page.last() else { break };
            before = Some(last.cursor);
            for listed in page {
                let verified =
                    store.verify(JournalId::Session(listed.session)).await.expect("a session's chain verifies");
                sessions += 1;
                events += verified.events;
            }
        }
        store.verify_heads().await.expect("the chain of heads verifies");
        store.close().await;
        let journal = rusqlite::Connection::open(home.state().join("journal.db")).expect("the journal opens");
        let sound = journal.query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0));
        assert_eq!(sound.as_deref(), Ok("ok"), "SQLite finds nothing wrong");
        (sessions, events)
    })
}
