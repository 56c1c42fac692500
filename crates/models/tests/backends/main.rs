//! The backends from outside: the contract that all keep, the chat dialect on a raw server, the offline model's page.

#![allow(clippy::unwrap_used, reason = "all of this crate is tests")]

mod contract;
mod desk;
mod offline;
mod openai_chat;
mod server;
