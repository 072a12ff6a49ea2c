//! The name of the lake's state: the same name, the same answers.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use fedilake_log::{Offset, Partition};
use xxhash_rust::xxh3::Xxh3;

/// A state of the lake: the offsets that it has reached, in a lake of one edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SnapshotId(u64);

impl SnapshotId {
    /// The state at these positions. Lakes of different `editions` answer differently at the same positions.
    pub(super) fn at(reached: &HashMap<Partition, Offset>, edition: &str) -> SnapshotId {
        let positions: BTreeMap<u32, u64> = reached.iter().map(|(partition, offset)| (partition.0, offset.0)).collect();
        let mut hash = Xxh3::new();
        hash.update(edition.as_bytes());
        for (partition, offset) in positions {
            hash.update(&partition.to_le_bytes());
            hash.update(&offset.to_le_bytes());
        }
        SnapshotId(hash.digest())
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_positions_and_edition_and_not_for_their_order() {
        let at = |pairs: &[(u32, u64)]| pairs.iter().map(|(p, o)| (Partition(*p), Offset(*o))).collect();
        let name = |pairs: &[(u32, u64)], edition| SnapshotId::at(&at(pairs), edition).to_string();
        let one = name(&[(0, 7), (1, 9)], "a");
        assert_eq!(one, name(&[(1, 9), (0, 7)], "a"));
        for other in [name(&[(0, 9), (1, 7)], "a"), name(&[(0, 7)], "a"), name(&[(0, 7), (1, 9)], "b"), name(&[], "a")]
        {
            assert_ne!(one, other);
        }
    }
}
