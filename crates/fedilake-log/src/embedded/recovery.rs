//! Recovery: reads a log's state from its store and checks it against the rules in [`super`].

use super::block::BlockKey;
use super::end_mark::EndMark;
use super::fault::storage;
use super::layout::{BOOKMARKS_KEY, ID_KEY, LAYOUT_KEY, START_KEY, Start};
use super::store::Store;
use super::version;
use crate::{Bounds, LogError, LogId, Offset};

/// A log that was found whole.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) id: LogId,
    pub(super) bounds: Bounds,
    /// The time of the last record: no later record may have an earlier one.
    pub(super) appended_at_ms: i64,
    /// Number of the next block.
    pub(super) block_number: u64,
    pub(super) end_mark: EndMark,
}

/// Reads the log's state from `store` and checks that every offset from its start to its end is there.
pub(super) fn recover(store: &Store) -> Result<Recovered, LogError> {
    check_layout(store)?;
    check_bookmarks(store)?;
    let id = identity(store)?;
    let start = start(store)?;
    let last = store.last_block()?;
    let end = last.as_ref().map_or(start.offset, |last| last.next);
    if end < start.offset {
        return Err(lost(store, end, start.offset));
    }

    let mark_path = store.end_mark_path();
    let mut end_mark = EndMark::open(&mark_path).map_err(|error| storage("open", &mark_path, error))?;
    let acknowledged = end_mark.read().map_err(|error| storage("read", &mark_path, error))?;
    if let Some(acknowledged) = acknowledged
        && end < acknowledged
    {
        return Err(lost(store, end, acknowledged));
    }

    let bounds = Bounds { start: start.offset, end };
    let (appended_at_ms, block_number) = match last {
        Some(last) => {
            check_contiguous(store, bounds, last.key)?;
            (last.appended_at_ms.max(start.appended_at_ms), last.key.number + 1)
        }
        None => (start.appended_at_ms, start.block_number),
    };
    Ok(Recovered { id, bounds, appended_at_ms, block_number, end_mark })
}

fn check_layout(store: &Store) -> Result<(), LogError> {
    match store.state(LAYOUT_KEY)? {
        Some(layout) => version::check_layout(&layout, store.folder()),
        None => Err(damaged(store, "it does not say its layout".to_owned())),
    }
}

fn check_bookmarks(store: &Store) -> Result<(), LogError> {
    match store.state(BOOKMARKS_KEY)? {
        Some(version) => version::check_bookmarks(&version, store.folder()),
        None => Ok(()),
    }
}

fn identity(store: &Store) -> Result<LogId, LogError> {
    let id = store.state(ID_KEY)?;
    id.and_then(|id| LogId::new(String::from_utf8(id.into()).ok()?))
        .ok_or_else(|| damaged(store, "it does not say its identity".to_owned()))
}

fn start(store: &Store) -> Result<Start, LogError> {
    let start = store.state(START_KEY)?;
    start
        .and_then(|start| Start::decode(&start))
        .ok_or_else(|| damaged(store, "it does not say where it starts".to_owned()))
}

/// Checks that no block is missing. Counts entries if their numbers suffice; reads every block if the store may have
/// entries twice.
fn check_contiguous(store: &Store, bounds: Bounds, last: BlockKey) -> Result<(), LogError> {
    let first = store.first_key()?.unwrap_or(last);
    if first.first <= bounds.start && store.block_count() == last.number - first.number + 1 {
        return Ok(());
    }
    let mut expected = bounds.start;
    for block in store.blocks_from(bounds.start)? {
        let block = block?;
        if block.key.first > expected {
            return Err(store.missing(expected));
        }
        expected = expected.max(block.next);
    }
    if expected < bounds.end { Err(store.missing(expected)) } else { Ok(()) }
}

fn lost(store: &Store, end: Offset, acknowledged: Offset) -> LogError {
    LogError::Damaged {
        at: store.journals(),
        why: format!("the log ends at offset {end}, but everything below {acknowledged} was acknowledged"),
    }
}

fn damaged(store: &Store, why: String) -> LogError {
    LogError::Damaged { at: store.folder().display().to_string(), why }
}
