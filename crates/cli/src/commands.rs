//! One file for each command: its help, its arguments and what it does.

pub(crate) mod accept;
pub(crate) mod approve;
pub(crate) mod ask;
pub(crate) mod cancel;
pub(crate) mod completions;
pub(crate) mod config_check;
pub(crate) mod config_path;
pub(crate) mod daemon_logs;
pub(crate) mod daemon_run;
pub(crate) mod daemon_start;
pub(crate) mod daemon_stop;
pub(crate) mod deny;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod log;
pub(crate) mod models_ls;
pub(crate) mod redo;
pub(crate) mod reject;
pub(crate) mod rewind;
pub(crate) mod sessions_ls;
pub(crate) mod sessions_show;
pub(crate) mod show;
pub(crate) mod status;
