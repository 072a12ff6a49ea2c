//! What can go wrong with a table, by what a caller can do about it.

use fedilake_log::Offset;

use crate::Chain;

/// An error of a table. Each variant is something a caller does differently.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the message of their variant names")]
pub enum TableError {
    /// The log's start lies beyond the table's end: what is between was lost before the table had it.
    #[error("table lacks offsets {first}..{next} of {chain}, and the log no longer has them")]
    Gap { chain: Chain, first: Offset, next: Offset },
    /// The table holds more of the log than the log says it ever had: the log's end was lost, or it is another log under the same id.
    #[error("table holds {chain} up to offset {next}, but the log ends at {end}")]
    BeyondEnd { chain: Chain, next: Offset, end: Offset },
    /// The file does not begin where its chain ends; writing it would leave a hole between them.
    #[error("{chain} ends at offset {tail}: a file that begins at {first} would not join it")]
    Disjoint { chain: Chain, first: Offset, tail: Offset },
    /// Nothing was ever written of this chain, not even where it begins.
    #[error("the table has no {chain}")]
    NoChain { chain: Chain },
    /// The range was to be accepted as lost, but the log still holds a part of it.
    #[error("offsets {first}..{next} of {chain} are not lost: the log holds them from {start} on")]
    NotLost { chain: Chain, first: Offset, next: Offset, start: Offset },
    /// What the store holds under this name is not what was written.
    #[error("{location} is damaged: {why}")]
    Damaged { location: String, why: String },
    /// A newer fedilake wrote the file. Nothing is wrong with it: the newer program reads it.
    #[error(
        "{location} was made by a newer fedilake: {why}\nhint: use that version or a later one; nothing is wrong with the file"
    )]
    Newer { location: String, why: String },
    /// The store refused or failed: a full disk, a missing permission, a network.
    #[error("{doing} {location}: {source}")]
    Store { doing: &'static str, location: String, source: object_store::Error },
}
