//! Snapshots against real files: what is damaged is refused, and no kill leaves half a state.

mod damage;
mod forged;
mod kills;
mod world;
