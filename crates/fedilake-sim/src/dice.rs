//! Repeatable chance: SplitMix64, seeded by what is drawn rather than by when.
//!
//! Everything invented hangs on (seed, purpose, number), so a post can be drawn again at any time, for another server
//! or another version, without having been kept. SplitMix64 is written out here because its output must never change
//! with a dependency's version: files of recorded frames are compared byte by byte.

/// The purpose of a draw: two purposes never share a sequence.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Host = 1,
    Person,
    Profile,
    Post,
    Edit,
    Words,
    Origins,
    Days,
    Amounts,
    Hours,
    Extras,
    World,
    Account,
    Answers,
    Secret,
    Faults,
    Script,
}

/// A sequence of draws.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: Purpose, number: u64) -> Dice {
        Dice(mix(mix(seed ^ (purpose as u64).wrapping_mul(0xd6e8_feb8_6659_fd93)).wrapping_add(number)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Evenly in `0..bound`; `bound` is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// Evenly in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// An index in `0..len` that is taken about in proportion to 1 / (index + 1): Zipf's law.
    /// `log2_len` is the base-2 logarithm of `len + 1`.
    pub(crate) fn zipf(&mut self, len: usize, log2_len: f64) -> usize {
        (((self.unit() * log2_len).exp2()) as usize - 1).min(len - 1)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
