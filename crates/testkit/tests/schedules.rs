//! Schedules: each occurrence is a prompt once or never, whoever dies in between; and what becomes of it when clocks
//! jump, disks fail, sessions are busy or gone, money runs out, nobody is there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]
#![allow(clippy::print_stdout, reason = "a campaign says how often it tried")]

#[path = "schedules/clocks.rs"]
mod clocks;
#[path = "schedules/disks.rs"]
mod disks;
#[path = "schedules/house.rs"]
mod house;
#[path = "schedules/kills.rs"]
mod kills;
#[path = "schedules/reasons.rs"]
mod reasons;
#[path = "schedules/room.rs"]
mod room;
