//! Damage to a stream, from a seed: what the fuzzers of all dialects share. Included by path, also by tests in the crate.

/// A small generator of its own (SplitMix64), so that a printed seed gives the same streams for ever.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// A copy of `base` with one to three pieces of it gone, doubled, overwritten, or spiced with what means something in its
/// dialect.
pub(crate) fn damaged(random: &mut Random, base: &[u8], spice: &[&str]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let to = (at + random.below(40)).min(bytes.len());
        match random.below(6) {
            0 => drop(bytes.drain(at..to)),
            1 => bytes.truncate(at),
            2 => bytes.splice(at..at, spice[random.below(spice.len())].bytes()).for_each(drop),
            3 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            4 => {
                let copy = bytes[at..to].to_vec();
                let into = random.below(bytes.len() + 1);
                bytes.splice(into..into, copy).for_each(drop);
            }
            _ => bytes.splice(at..to, spice[random.below(spice.len())].bytes()).for_each(drop),
        }
    }
    bytes
}
