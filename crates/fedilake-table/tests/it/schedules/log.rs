//! A log that follows a script: it grows, has holes, forgets released records, and loses the records that retention
//! cuts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use fedilake_log::{Assignment, Bounds, Key, LogError, LogEvent, LogId, LogReader, Offset, Partition, Record};

use super::stage::Stage;

pub(crate) const PARTITION: Partition = Partition(0);

/// A log of one partition, for any number of readers.
pub(crate) struct Log {
    pub(crate) id: LogId,
    state: Mutex<State>,
}

struct State {
    /// Every record that is or will be in the log.
    records: BTreeMap<u64, Bytes>,
    bounds: Bounds,
    /// Records below this offset may have been cut before the table had them.
    cut: Offset,
}

impl Log {
    /// A log that will have records at `offsets`, ascending, and begins at the first of them.
    pub(crate) fn new(id: &str, offsets: &[u64]) -> Log {
        let first = Offset(offsets[0]);
        let record = |offset: &u64| (*offset, Bytes::from(format!("{id}/{offset}")));
        Log {
            id: LogId::new(id).unwrap(),
            state: Mutex::new(State {
                records: offsets.iter().map(record).collect(),
                bounds: Bounds { start: first, end: first },
                cut: first,
            }),
        }
    }

    /// All records that were ever in the log.
    pub(crate) fn records(&self) -> BTreeMap<u64, Bytes> {
        self.state.lock().unwrap().records.clone()
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.state.lock().unwrap().bounds
    }

    /// The offset below which records may be missing from the table.
    pub(crate) fn cut(&self) -> Offset {
        self.state.lock().unwrap().cut
    }

    /// Makes up to `count` more records readable. False if there are no more.
    pub(crate) fn grow(&self, count: usize) -> bool {
        let state = &mut *self.state.lock().unwrap();
        let last = state.records.range(state.bounds.end.0..).take(count).last();
        match last {
            Some((last, _)) => state.bounds.end = Offset(last + 1),
            None => return false,
        }
        true
    }

    /// Cuts the log's oldest `part` (0 to 1), even if the table lacks it.
    pub(crate) fn retain(&self, part: f64) {
        let state = &mut *self.state.lock().unwrap();
        let Bounds { start, end } = state.bounds;
        state.bounds.start = Offset(start.0 + ((end.0 - start.0) as f64 * part) as u64);
        state.cut = state.cut.max(state.bounds.start);
    }

    fn release(&self, below: Offset) {
        let state = &mut *self.state.lock().unwrap();
        assert!(below <= state.bounds.end, "released what the log never had");
        state.bounds.start = state.bounds.start.max(below);
    }

    fn read(&self, from: Offset, count: usize) -> Vec<Record> {
        let state = self.state.lock().unwrap();
        let readable = state.records.range(from.0..state.bounds.end.0.max(from.0)).take(count);
        readable
            .map(|(offset, value)| Record {
                partition: PARTITION,
                offset: Offset(*offset),
                appended_at_ms: 0,
                key: Key(Bytes::new()),
                value: value.clone(),
            })
            .collect()
    }
}

/// The log as one sink sees it. Each call of it and of its readers waits for its turn.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) log: Arc<Log>,
    pub(crate) stage: Arc<Stage>,
    /// The number of records that a reader returns at a time.
    pub(crate) batch: usize,
    /// True if a release makes the log forget at once.
    pub(crate) forgets: bool,
}

#[async_trait]
impl fedilake_log::Log for Seen {
    fn id(&self) -> &LogId {
        &self.log.id
    }

    async fn bounds(&self) -> Result<BTreeMap<Partition, Bounds>, LogError> {
        self.stage.turn(|| ()).await;
        Ok(BTreeMap::from([(PARTITION, self.log.bounds())]))
    }

    fn reader(&self, _: Assignment<'_>) -> Result<Box<dyn LogReader>, LogError> {
        Ok(Box::new(Reader { seen: self.clone(), assigned: false, position: None }))
    }
}

struct Reader {
    seen: Seen,
    assigned: bool,
    position: Option<Offset>,
}

impl Reader {
    fn below_start(&self, wanted: Offset) -> Option<LogError> {
        let start = self.seen.log.bounds().start;
        (wanted < start).then_some(LogError::BelowStart { partition: PARTITION, wanted, start })
    }
}

#[async_trait]
impl LogReader for Reader {
    async fn next(&mut self) -> Result<LogEvent, LogError> {
        loop {
            self.seen.stage.turn(|| ()).await;
            if !self.assigned {
                self.assigned = true;
                return Ok(LogEvent::Assigned(PARTITION));
            }
            let Some(position) = self.position else { continue };
            if let Some(error) = self.below_start(position) {
                return Err(error);
            }
            let records = self.seen.log.read(position, self.seen.batch);
            if let Some(last) = records.last() {
                self.position = Some(last.offset.next());
                return Ok(LogEvent::Records(records));
            }
        }
    }

    async fn seek(&mut self, _: Partition, offset: Offset) -> Result<(), LogError> {
        self.seen.stage.turn(|| ()).await;
        let end = self.seen.log.bounds().end;
        if offset > end {
            return Err(LogError::BeyondEnd { partition: PARTITION, wanted: offset, end });
        }
        if let Some(error) = self.below_start(offset) {
            return Err(error);
        }
        self.position = Some(offset);
        Ok(())
    }

    async fn release(&mut self, _: Partition, offset: Offset) -> Result<(), LogError> {
        self.seen.stage.turn(|| ()).await;
        if self.seen.forgets {
            self.seen.log.release(offset);
        }
        Ok(())
    }
}
