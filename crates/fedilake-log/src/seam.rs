//! The traits of a log. Implementations: the embedded log, Kafka, and imported files.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::LogError;

/// A partition's number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(pub u32);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record's place in its partition, from 0. Offsets only grow; they may have holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offset(pub u64);

impl Offset {
    /// All offsets are below this one, and no position is beyond it: Kafka and the table's columns count in signed 64 bits.
    pub const END: Offset = Offset(i64::MAX as u64);

    /// The offset right after this one.
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A log's identity, made when the log is created and never changed: a log that was deleted and made again has
/// another one. Part of object names: letters, digits, `-` and `_` only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(String);

impl LogId {
    /// Accepts an `id` of 1 to 64 characters of `[A-Za-z0-9_-]`.
    pub fn new(id: impl Into<String>) -> Option<LogId> {
        let id = id.into();
        let fits =
            (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        fits.then_some(LogId(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record's key, which decides its partition: records of one key keep their order, for as long as no partitions are added.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub Bytes);

/// A record read back from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's partition.
    pub partition: Partition,
    /// The record's offset in the partition.
    pub offset: Offset,
    /// When the log stored the record by its clock, in milliseconds since 1970 UTC. It is no order: where the log's clock is set back, it
    /// may go back.
    pub appended_at_ms: i64,
    /// The key as it was appended.
    pub key: Key,
    /// The value as it was appended.
    pub value: Bytes,
}

/// A partition's offsets: from `start` up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that can be read.
    pub start: Offset,
    /// The offset that the next record gets.
    pub end: Offset,
}

/// An event of a reader. Rebalances are events in the loop, not callbacks.
#[derive(Debug)]
pub enum LogEvent {
    /// The partition is assigned to this reader. None of its records is returned before its first seek.
    Assigned(Partition),
    /// The partition is no longer assigned to this reader.
    Revoked(Partition),
    /// Records in the order of their offsets within each partition. Never empty.
    Records(Vec<Record>),
    /// No record of the partition lies between the last returned one and this offset. Sent by a log whose last
    /// offsets are holes (see [`Offset`]), once it has read past them.
    Reached(Partition, Offset),
}

/// The writing end of a log.
#[async_trait]
pub trait LogWriter: Send + Sync {
    /// Returns when all `records` are durable (an fsync, or acks=all), in the given order within each partition.
    /// Records of one key go to one partition, in every call until partitions are added. After an error some of the records may be in the
    /// log or appear later; the call may be repeated, so a record can be in the log twice.
    async fn append(&self, records: Vec<(Key, Bytes)>) -> Result<(), LogError>;
}

/// The partitions that a reader is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment<'a> {
    /// Every partition, also those that are added later. The reader is independent of all others.
    All,
    /// Those that the consumer group of this name gives to the reader: each is one member's at a time. A log of one process has one
    /// partition and no groups: it assigns all.
    Group(&'a str),
}

/// An open log: it is asked where its partitions begin and end, and gives readers of its records.
#[async_trait]
pub trait Log: Send + Sync {
    /// The log's identity.
    fn id(&self) -> &LogId;

    /// The bounds of every partition, asked at once, in the order of their numbers. The ends include every append acknowledged
    /// before the call.
    async fn bounds(&self) -> Result<BTreeMap<Partition, Bounds>, LogError>;

    /// The offset at which a table without any of the partition's records begins: the start of `bounds`, if records
    /// expire by themselves; the log's first offset, if the log forgets only released records, which a table had.
    fn table_start(&self, bounds: Bounds) -> Offset {
        bounds.start
    }

    /// A new reader, without a position. It may outlive the log.
    fn reader(&self, assignment: Assignment<'_>) -> Result<Box<dyn LogReader>, LogError>;
}

/// The bounds of one partition of `log`; [`LogError::NotAssigned`] if it has no such partition.
pub async fn bounds_of(log: &dyn Log, partition: Partition) -> Result<Bounds, LogError> {
    log.bounds().await?.remove(&partition).ok_or(LogError::NotAssigned { partition })
}

/// A reader of a log's records, with a position in each of its partitions.
#[async_trait]
pub trait LogReader: Send {
    /// The next event; waits for one. Cancel-safe: a dropped call loses nothing.
    async fn next(&mut self) -> Result<LogEvent, LogError>;

    /// Sets the position: the next record of `partition` is the first at or above `offset`.
    /// `LogError::BelowStart` and `LogError::BeyondEnd` leave the position as it was (an offset equal to the end waits for new records).
    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError>;

    /// Tells the log that every record below `offset` is in the table: the log may forget them, now, later or never.
    async fn release(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError>;
}

/// Small named values stored with the log: how far each timeline was collected.
#[async_trait]
pub trait Bookmarks: Send + Sync {
    /// The value last saved under `name`.
    async fn load(&self, name: &str) -> Result<Option<String>, LogError>;

    /// The values last saved under each of `names`, looked up together.
    async fn load_each(&self, names: &[String]) -> Result<Vec<Option<String>>, LogError> {
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            found.push(self.load(name).await?);
        }
        Ok(found)
    }

    /// Every bookmark whose name begins with `prefix`, by name.
    async fn named(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError>;

    /// The bookmarks whose names begin with each of `prefixes`, as [`Bookmarks::named`] gives them, looked up together. No prefix is the
    /// beginning of another.
    async fn named_each(&self, prefixes: &[String]) -> Result<Vec<BTreeMap<String, String>>, LogError> {
        let mut found = Vec::with_capacity(prefixes.len());
        for prefix in prefixes {
            found.push(self.named(prefix).await?);
        }
        Ok(found)
    }

    /// Returns when `value` is durable under `name`.
    async fn save(&self, name: &str, value: &str) -> Result<(), LogError>;
}
