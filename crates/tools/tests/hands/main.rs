//! The hands from outside: every case runs over files in memory and over a real directory, and both must agree.

#![allow(clippy::unwrap_used, reason = "a test that finds something else than it set up shall fail there")]

mod arguments;
mod bounds;
mod cases;
mod fuzz;
mod golden;
mod ignoring;
mod patches;
mod patching;
mod tolerance;
mod viewing;
mod worlds;
