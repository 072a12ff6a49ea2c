//! Authors and uris in few bytes.

/// The number of an author or a uri. Two that share one only make more posts be asked for.
pub(crate) fn number(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}
