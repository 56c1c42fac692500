//! Programs by others that the tests named `real_…` run against: where they are, and servers that go with their handles.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(unused_imports, reason = "each test program uses its own part of this")]

mod llama;
mod place;
mod stub;
mod trace;

pub(crate) use llama::{ANSWER, Llama, OPENING, scripted_model};
pub(crate) use place::place;
pub(crate) use stub::Stub;
pub(crate) use trace::{Call, calls};
