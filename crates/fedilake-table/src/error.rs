//! The errors of a table.

use fedilake_log::Offset;

use crate::Chain;

/// An error of a table. Each variant is something a caller does differently.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the message of their variant names")]
pub enum TableError {
    /// The log's start lies beyond the table's end: the records between were lost before the table had them.
    #[error("table lacks offsets {first}..{next} of {chain}, and the log no longer has them")]
    Gap { chain: Chain, first: Offset, next: Offset },
    /// The table's end lies beyond the log's end: the log lost records, or is another log under the same id.
    #[error("table holds {chain} up to offset {next}, but the log ends at {end}")]
    BeyondEnd { chain: Chain, next: Offset, end: Offset },
    /// The file does not begin where its chain ends: committing it would leave a hole between them.
    #[error("{chain} ends at offset {tail}: a file that begins at {first} would not join it")]
    Disjoint { chain: Chain, first: Offset, tail: Offset },
    /// The table has nothing of this chain, not even its start.
    #[error("the table has no {chain}")]
    NoChain { chain: Chain },
    /// The range cannot be accepted as lost: the log still holds a part of it.
    #[error("offsets {first}..{next} of {chain} are not lost: the log holds them from {start} on")]
    NotLost { chain: Chain, first: Offset, next: Offset, start: Offset },
    /// The object in the store is not as it was written.
    #[error("{location} is damaged: {why}")]
    Damaged { location: String, why: String },
    /// A newer fedilake wrote the file. The file is whole; the newer program can read it.
    #[error(
        "{location} was made by a newer fedilake: {why}\nhint: use that version or a later one; nothing is wrong with the file"
    )]
    Newer { location: String, why: String },
    /// A request to the store failed: a full disk, a missing permission, a network.
    #[error("{doing} {location}: {source}")]
    Store { doing: &'static str, location: String, source: object_store::Error },
}
