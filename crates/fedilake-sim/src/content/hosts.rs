//! Origins: mastodon.social, and thousands of invented hosts under `.example`.

use crate::dice::{Dice, Purpose};

/// The one real name: the talk's most frequent host, which the calibration needs.
pub(crate) const LARGEST: &str = "mastodon.social";

const FIRST: [&str; 96] = [
    "amber", "apple", "arbor", "ashen", "autumn", "azure", "basalt", "birch", "bitter", "bramble", "brass", "brook",
    "candle", "cedar", "chalk", "cinder", "clay", "clover", "cobalt", "copper", "coral", "cotton", "crimson",
    "crystal", "dapple", "dusk", "ember", "fable", "feather", "fern", "flint", "foggy", "frost", "garnet", "ginger",
    "glass", "golden", "granite", "hazel", "heather", "hollow", "honey", "hushed", "indigo", "iron", "ivory", "jade",
    "juniper", "kindle", "lantern", "lark", "lemon", "lichen", "lilac", "linen", "lunar", "maple", "marble", "marsh",
    "meadow", "mellow", "merry", "misty", "moon", "moss", "nettle", "nimble", "north", "oaken", "ochre", "olive",
    "onyx", "opal", "orchid", "pebble", "pepper", "pine", "plum", "quartz", "quiet", "rowan", "russet", "sable",
    "saffron", "salt", "silver", "slate", "snowy", "sorrel", "spruce", "summer", "thistle", "velvet", "violet",
    "willow", "winter",
];
const SECOND: [&str; 96] = [
    "acre", "alley", "anchor", "arch", "attic", "bank", "bay", "beacon", "bend", "bluff", "bower", "bridge", "burrow",
    "cabin", "camp", "canal", "castle", "cliff", "coast", "corner", "cottage", "court", "cove", "creek", "crossing",
    "dale", "dell", "den", "dock", "dune", "eddy", "fell", "field", "ford", "forge", "garden", "gate", "glade", "glen",
    "grove", "gulf", "hall", "harbor", "haven", "hearth", "heath", "hill", "hut", "inlet", "island", "kiln", "knoll",
    "lagoon", "lake", "landing", "lane", "ledge", "library", "lodge", "loft", "market", "mead", "mill", "moor", "nest",
    "nook", "orchard", "pass", "path", "pier", "plaza", "pond", "porch", "port", "quarry", "reach", "reef", "ridge",
    "river", "shed", "shelf", "shore", "spring", "square", "stable", "station", "stream", "tavern", "terrace", "tower",
    "trail", "vale", "wharf", "wood", "workshop", "yard",
];
const BEFORE: [&str; 12] = ["", "", "", "", "", "social.", "mastodon.", "m.", "fedi.", "toot.", "masto.", "town."];

/// A host's software, which decides the form of a post's uri and url.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Software {
    Mastodon,
    Misskey,
    Pleroma,
}

/// Host `index` of the fediverse of `seed`: mastodon.social first, then invented ones, no two the same.
pub(crate) fn host(seed: u64, index: usize) -> String {
    if index == 0 {
        return LARGEST.to_owned();
    }
    let mut dice = Dice::new(seed, Purpose::Host, index as u64);
    let turned = (index + (seed % 9_216) as usize) * 2_503;
    let (first, second) = (FIRST[turned / SECOND.len() % FIRST.len()], SECOND[turned % SECOND.len()]);
    let around = (index - 1) / (FIRST.len() * SECOND.len());
    let number = if around == 0 { String::new() } else { (around + 1).to_string() };
    format!("{}{first}{second}{number}.example", dice.pick(&BEFORE))
}

/// Returns the software of host `index`. The servers that are read run Mastodon.
pub(crate) fn software(seed: u64, index: usize) -> Software {
    if index < 8 {
        return Software::Mastodon;
    }
    match Dice::new(seed, Purpose::Host, !(index as u64)).below(100) {
        0..=6 => Software::Misskey,
        7..=12 => Software::Pleroma,
        _ => Software::Mastodon,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_hosts_are_the_same() {
        for seed in [0, 7, u64::MAX] {
            let hosts: HashSet<String> = (0..20_000).map(|index| host(seed, index)).collect();
            assert_eq!(hosts.len(), 20_000);
        }
    }
}
