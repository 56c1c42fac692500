//! What the daemon says of itself.

use crate::registry::Registry;
use crate::reload;
use agent::Usage;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Account, ListQuery, ListRow, Mode};
use wire::rest::{Archived, DaemonStatus, SessionList, SessionRow, SessionStatus, SessionView, StoreStatus};
use wire::{Code, Problem};

/// Sessions on a page of the list, unless fewer are asked for.
const PAGE: usize = 50;
/// The most sessions on a page.
pub(crate) const MOST: usize = 500;

/// How the daemon fares.
pub(crate) async fn status(registry: &Arc<Registry>) -> Result<DaemonStatus, Problem> {
    let house = registry.house();
    let (health, sizes) = (house.store.health(), house.store.sizes().map_err(internal)?);
    let today = wire::time::day(house.clock.now());
    let spent = house.store.spent(Account::Day(today)).await.map_err(internal)?;
    let (config, socket) = (house.config(), house.socket.borrow().clone());
    let running = house.store.waking().await.map_err(internal)?.len() as u32;
    Ok(DaemonStatus {
        version: crate::VERSION.to_owned(),
        pid: std::process::id(),
        generation: house.generation,
        started_at: house.started_at,
        state_dir: house.state_dir.clone(),
        socket,
        config_file: config.file.clone(),
        config_found: config.found,
        config: Some(reload::status(house)),
        default_model: house.catalog.current().settings.default_model.clone(),
        cache: registry.cache(),
        running,
        sessions: house.store.count().await.map_err(internal)?,
        store: StoreStatus {
            health: match health.mode {
                Mode::Open => "open",
                Mode::ReadOnly => "read_only",
            }
            .to_owned(),
            journal_bytes: sizes.database_bytes,
            wal_bytes: sizes.log_bytes,
        },
        storage: house.janitor.sizes(registry).await,
        snapshots: house.snapshots.status().await?,
        upgrade: house.upgrades.last(),
        resident_bytes: resident_bytes(),
        spent_today_microusd: spent.settled,
    })
}

/// A page of sessions, newest first.
pub(crate) async fn list(registry: &Registry, query: &BTreeMap<String, String>) -> Result<SessionList, Problem> {
    let invalid = |detail: String| Problem::new(Code::InvalidRequest, detail);
    let limit = match query.get("limit") {
        None => PAGE,
        Some(text) => text.parse().map_err(|_| invalid(format!("limit must be a whole number, not {text:?}")))?,
    };
    let before = query.get("before").map(|text| text.parse()).transpose();
    let before = before.map_err(|error: agent::ParseIdError| invalid(format!("before: {error}")))?;
    let (workspace, limit) = (query.get("workspace").cloned(), limit.clamp(1, MOST));
    let archived = match query.get("archived").map(String::as_str) {
        None | Some("false") => Some(false),
        Some("true") => Some(true),
        Some("any") => None,
        Some(other) => return Err(invalid(format!("archived is true, false or any, not {other:?}"))),
    };
    let wanted = ListQuery { workspace, before, archived, limit };
    let rows = registry.house().store.list(wanted).await.map_err(internal)?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.cursor.to_string());
    Ok(SessionList { sessions: rows.into_iter().map(row).collect(), next })
}

pub(crate) fn row(listed: ListRow) -> SessionRow {
    SessionRow {
        id: listed.session,
        workspace: listed.row.workspace,
        title: listed.row.title.unwrap_or_default(),
        status: SessionStatus::from_word(&listed.row.state).unwrap_or(SessionStatus::Idle),
        head: listed.head,
        model: listed.row.model,
        cost_microusd: listed.row.cost,
        created_at: listed.row.created,
        updated_at: listed.row.updated,
        archived: listed.archived.map(|(at, bytes)| Archived { at, bytes }),
    }
}

/// An archived session, as far as its row tells.
pub(crate) fn at_rest(listed: ListRow) -> SessionView {
    SessionView {
        row: row(listed),
        turns: 0,
        pending: 0,
        turn: None,
        queued: Vec::new(),
        approvals: Vec::new(),
        usage: Usage::default(),
    }
}

/// Resident memory of this process.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages: Option<u64> = pages.and_then(|text| text.split(' ').nth(1)?.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

pub(crate) fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, error.to_string()).remedy("see `tinkerbell daemon logs`")
}
