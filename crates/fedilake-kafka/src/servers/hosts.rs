//! The partition of the servers' topic that a key belongs to: one for all keys of a host.

/// Prefix of the names of timelines' bookmarks.
const TIMELINE: &str = "timeline/";

/// True if the name is of a timeline's bookmark.
pub(crate) fn is_of_a_timeline(name: &str) -> bool {
    name.starts_with(TIMELINE)
}

/// The beginning of the names of a host's timelines.
pub(crate) fn timeline(host: &str) -> String {
    format!("{TIMELINE}{host}/")
}

/// The key of a bookmark: `bookmark/HOST/TIMELINE` for `timeline/HOST/TIMELINE`, `bookmark/NAME` for any other.
pub(crate) fn bookmark_key(name: &str) -> String {
    format!("bookmark/{}", name.strip_prefix(TIMELINE).unwrap_or(name))
}

/// The host that a key of the servers' topic is about: `server/HOST` and `bookmark/HOST/TIMELINE` are about `HOST`; any other
/// key is about its first part.
pub fn host_of(key: &str) -> &str {
    let name = key.strip_prefix("bookmark/").or_else(|| key.strip_prefix("server/")).unwrap_or(key);
    name.split('/').next().unwrap_or(name)
}

/// The partition, of `partitions`, that a key of the servers' topic belongs to: that of its [`host_of`], as Kafka's Java
/// clients choose it for a record whose key is the host.
pub fn partition_by_host(key: &str, partitions: u32) -> u32 {
    (murmur2(host_of(key).as_bytes()) & 0x7fff_ffff) % partitions.max(1)
}

/// The hash `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ bytes.len() as u32;
    let (chunks, rest) = bytes.as_chunks::<4>();
    for chunk in chunks {
        let mut k = u32::from_le_bytes(*chunk).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (nth, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * nth);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_kafkas_java_clients() {
        // From org.apache.kafka.common.utils.UtilsTest.
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn all_of_a_host_is_in_one_partition() {
        for partitions in [1, 3, 4, 50] {
            let bookmarks = ["timeline/a.example/public", "timeline/a.example/local"].map(bookmark_key);
            let keys = ["server/a.example", &bookmarks[0], &bookmarks[1]];
            let places = keys.map(|key| partition_by_host(key, partitions));
            assert_eq!(places, [places[0]; 3]);
            assert!(places[0] < partitions);
        }
        assert_eq!(bookmark_key("timeline/a.example/public"), "bookmark/a.example/public");
        assert_eq!(bookmark_key("replay/a"), "bookmark/replay/a");
        assert_eq!(host_of("bookmark/a"), "a");
        assert_eq!(host_of("bookmark/"), "");
        assert_eq!(host_of(""), "");
    }
}
