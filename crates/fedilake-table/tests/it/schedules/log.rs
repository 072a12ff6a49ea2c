//! A log that follows a script: it grows, has holes, forgets released records, and loses the records that retention
//! cuts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use fedilake_log::{Bounds, Key, LogError, LogEvent, LogId, LogReader, Offset, Partition, Record};

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

/// A reader of the log. Each of its calls waits for its turn.
pub(crate) struct Reader {
    pub(crate) log: Arc<Log>,
    pub(crate) stage: Arc<Stage>,
    /// The number of records that it returns at a time.
    pub(crate) batch: usize,
    /// True if a release makes the log forget at once.
    pub(crate) forgets: bool,
    pub(crate) assigned: bool,
    pub(crate) position: Option<Offset>,
}

impl Reader {
    fn below_start(&self, wanted: Offset) -> Option<LogError> {
        let start = self.log.bounds().start;
        (wanted < start).then_some(LogError::BelowStart { partition: PARTITION, wanted, start })
    }
}

#[async_trait]
impl LogReader for Reader {
    fn id(&self) -> &LogId {
        &self.log.id
    }

    async fn next(&mut self) -> Result<LogEvent, LogError> {
        loop {
            self.stage.turn(|| ()).await;
            if !self.assigned {
                self.assigned = true;
                return Ok(LogEvent::Assigned(PARTITION));
            }
            let Some(position) = self.position else { continue };
            if let Some(error) = self.below_start(position) {
                return Err(error);
            }
            let records = self.log.read(position, self.batch);
            if let Some(last) = records.last() {
                self.position = Some(last.offset.next());
                return Ok(LogEvent::Records(records));
            }
        }
    }

    async fn seek(&mut self, _: Partition, offset: Offset) -> Result<(), LogError> {
        self.stage.turn(|| ()).await;
        let end = self.log.bounds().end;
        if offset > end {
            return Err(LogError::BeyondEnd { partition: PARTITION, wanted: offset, end });
        }
        if let Some(error) = self.below_start(offset) {
            return Err(error);
        }
        self.position = Some(offset);
        Ok(())
    }

    async fn partitions(&mut self) -> Result<Vec<Partition>, LogError> {
        Ok(vec![PARTITION])
    }

    async fn bounds(&mut self, _: Partition) -> Result<Bounds, LogError> {
        self.stage.turn(|| ()).await;
        Ok(self.log.bounds())
    }

    async fn release(&mut self, _: Partition, offset: Offset) -> Result<(), LogError> {
        self.stage.turn(|| ()).await;
        if self.forgets {
            self.log.release(offset);
        }
        Ok(())
    }
}
