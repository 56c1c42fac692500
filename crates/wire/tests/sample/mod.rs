//! Samples of every format: at least one value of each shape, with each optional field once there and once not, and
//! with every word of every closed set. [`source`] reads the definitions themselves, so that what is missing shows.

mod bodies;
mod others;
mod records;
mod rest;
mod shapes;
mod source;
mod written;

pub(crate) use bodies::bodies;
pub(crate) use others::others;
pub(crate) use records::{deltas, records};
pub(crate) use rest::rest;
pub(crate) use source::{Source, gaps};
pub(crate) use written::{Written, by_shape, lines};
