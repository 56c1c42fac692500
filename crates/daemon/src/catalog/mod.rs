//! The models of a daemon: which there are, how they are reached, what they may be told.
//!
//! [`Catalog`] knows them and puts an [`Outfit`] together, an immutable value that sessions decide and call by. It is
//! replaced whole when a server of this machine is found, a key comes, somebody names a model as `provider::model`, or the configuration is
//! replaced.
//!
//! Deliberately absent: the choice of a model for a call, which is the brain's, out of the outfit's settings.

mod current;
mod examine;
mod list;
mod outfit;
mod replace;
mod voices;
mod wardrobe;

pub(crate) use current::Catalog;
pub(crate) use examine::test;
pub(crate) use list::{keys, list, remove_key, set_key};
pub(crate) use outfit::{Outfit, Voice};
pub(crate) use replace::{keys_changed, take_back};
