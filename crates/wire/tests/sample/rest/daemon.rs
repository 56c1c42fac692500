//! What the daemon says of itself, and what every door says when something goes wrong.

use super::model;
use crate::sample::shapes::MORNING;
use crate::sample::written::{Written, written};
use agent::{Generation, ModelName, Money};
use std::path::PathBuf;
use wire::rest::*;
use wire::{Code, Problem};

pub(super) fn samples() -> Vec<Written> {
    let problem = Problem::new(Code::NotFound, "there is no session ses_x");
    written![
        StoreStatus: [store("open"), store("read_only")],
        CacheStatus: [cache()],
        DaemonStatus: [
            status(None),
            DaemonStatus { config: Some(config()), ..status(Some(model())) },
            DaemonStatus { upgrade: Some(report(UpgradeOutcome::TakenOver, None)), ..status(Some(model())) },
            DaemonStatus { storage: Some(storage(None)), ..status(Some(model())) },
        ],
        StorageStatus: [storage(None), storage(Some(tidied()))],
        Tidied: [tidied()],
        UpgradeRequest: [UpgradeRequest::default(), UpgradeRequest { binary: Some(binary()) }],
        UpgradeBegun: [begun()],
        UpgradeReport: [
            report(UpgradeOutcome::TakenOver, None),
            report(UpgradeOutcome::Failed, Some("the new binary ended (exit status: 1)")),
        ],
        Problem: [problem.clone(), problem.remedy("`tinkerbell sessions ls` lists those that there are")],
    ]
}

fn store(health: &str) -> StoreStatus {
    StoreStatus { health: health.to_owned(), journal_bytes: 1_048_576, wal_bytes: 0 }
}

fn storage(tidied: Option<Tidied>) -> StorageStatus {
    StorageStatus {
        measured_at: MORNING,
        journal_free_bytes: 65_536,
        journal_shrinks: true,
        search_bytes: 262_144,
        pictures_bytes: 1_450_000,
        log_bytes: 4_096,
        snapshot_bytes: 0,
        archived: 4,
        archive_bytes: 16_384,
        sessions: [("idle".to_owned(), 39), ("running".to_owned(), 1)].into(),
        tidied,
    }
}

fn tidied() -> Tidied {
    Tidied {
        at: MORNING,
        dry_run: false,
        answers: 7,
        partials: 1,
        freed_bytes: 1_048_576,
        journal_bytes_before: 9_437_184,
        journal_bytes_after: 8_388_608,
        pictures: 1,
        pictures_bytes: 1_450_000,
        archived: 2,
        lasted_ms: 42,
    }
}

fn cache() -> CacheStatus {
    CacheStatus {
        awake: 2,
        bytes: 3_145_728,
        limit_bytes: 268_435_456,
        idle_ms: 600_000,
        wakings: 9,
        let_go: 7,
        evicted: 1,
    }
}

fn config() -> ConfigStatus {
    ConfigStatus { loaded_at: MORNING, cause: ReloadCause::Start, watched: true, refused: None, held: vec![] }
}

fn status(default_model: Option<ModelName>) -> DaemonStatus {
    DaemonStatus {
        version: "0.1.0".to_owned(),
        pid: 4_711,
        generation: Generation(7),
        started_at: MORNING,
        state_dir: PathBuf::from("/home/ada/.local/state/tinkerbell"),
        socket: PathBuf::from("/tmp/tinkerbell.sock"),
        config_file: PathBuf::from("/home/ada/.config/tinkerbell/config.toml"),
        config_found: true,
        config: None,
        default_model,
        cache: cache(),
        running: 1,
        sessions: 40,
        store: store("open"),
        storage: None,
        snapshots: super::snapshots::status(),
        upgrade: None,
        resident_bytes: 25_165_824,
        spent_today_microusd: Money(4_800),
    }
}

fn binary() -> PathBuf {
    PathBuf::from("/usr/local/bin/tinkerbell")
}

fn begun() -> UpgradeBegun {
    UpgradeBegun {
        binary: binary(),
        from_pid: 4_711,
        from_version: "0.1.0".to_owned(),
        to_pid: 4_822,
        to_version: "0.2.0".to_owned(),
        migrates: true,
    }
}

fn report(outcome: UpgradeOutcome, why: Option<&str>) -> UpgradeReport {
    UpgradeReport {
        outcome,
        binary: binary(),
        at: MORNING,
        from_version: "0.1.0".to_owned(),
        why: why.map(str::to_owned),
    }
}
