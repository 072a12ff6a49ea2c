//! Figures of a running process at one moment: what its loops measure, and what the page, the view and metrics show.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fedilake_collect::{ServerState, Timeline};
use fedilake_log::{Offset, Partition};
use fedilake_query::Completeness;
use serde::{Deserialize, Serialize};

/// A log whose ends could not be read for this long does not answer. A reading takes milliseconds.
const SILENCE: Duration = Duration::from_secs(5);
/// Fewer posts lately do not make a server blind: they may be chance.
const POSTS_MIN: u64 = 10;

/// The lake's distance to the log at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Distance {
    /// False until the log's ends were read for the first time.
    pub is_known: bool,
    /// Records of all partitions that answers do not include yet.
    pub records: u64,
    /// Answers include every record older than this, in seconds. While the log does not answer, the time since it last did.
    pub seconds: f64,
    /// True once the lake has had every record that the log had at one moment since this process started. Until then
    /// nothing is known about the age of its answers.
    pub has_caught_up: bool,
    /// False if the log does not answer: `records` is then the distance to its last known ends.
    pub log_answers: bool,
    /// The distances of the log's partitions, in order.
    pub partitions: Vec<PartitionDistance>,
}

/// The lake's distance to one log partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionDistance {
    pub partition: u32,
    /// The next offset that the lake needs.
    pub position: u64,
    /// The offset that the log's next record gets.
    pub end: u64,
    pub records: u64,
}

impl Distance {
    /// The same distance with the lake's positions of now, `silence` after the log's ends were last read.
    pub fn now(&self, silence: Option<Duration>, reached: &HashMap<Partition, Offset>) -> Distance {
        let ends = self.partitions.iter().map(|partition| (Partition(partition.partition), Offset(partition.end)));
        let mut now = Distance::between(ends, reached, self.seconds);
        now.is_known = self.is_known;
        now.has_caught_up = self.has_caught_up || (now.is_known && now.records == 0);
        now.log_answers = silence.is_some_and(|silence| silence < SILENCE);
        match silence {
            Some(silence) if !now.log_answers => now.seconds = now.seconds.max(silence.as_secs_f64()),
            _ if now.records == 0 => now.seconds = 0.0,
            _ => {}
        }
        now
    }

    /// The distance from where the lake is to these ends of the log.
    pub fn between(
        ends: impl IntoIterator<Item = (Partition, Offset)>,
        reached: &HashMap<Partition, Offset>,
        seconds: f64,
    ) -> Distance {
        let distance = |(partition, end): (Partition, Offset)| {
            let position = reached.get(&partition).copied().unwrap_or(Offset(0));
            PartitionDistance {
                partition: partition.0,
                position: position.0,
                end: end.0,
                records: end.0.saturating_sub(position.0),
            }
        };
        let partitions: Vec<PartitionDistance> = ends.into_iter().map(distance).collect();
        let records = partitions.iter().map(|partition| partition.records).sum();
        Distance { is_known: true, records, seconds, has_caught_up: records == 0, log_answers: true, partitions }
    }
}

/// A sink's distance to the end of a log partition, in records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionLag {
    pub partition: u32,
    /// Records that the sink has not read.
    pub lag_records: u64,
    /// Records that are not in the table.
    pub uncommitted_records: u64,
}

/// The sizes at one moment, in bytes; `None` for what is elsewhere or could not be measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    pub log_bytes: Option<u64>,
    pub table_bytes: Option<u64>,
    pub lake_bytes: Option<u64>,
    pub disk_bytes: Option<u64>,
    pub disk_free_bytes: Option<u64>,
}

/// Estimates by server, in lower case.
pub type Estimates = BTreeMap<String, Estimate>;

/// The estimate of one server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The part of its members' posts of the last day that it showed, 0 to 1.
    pub share: f64,
    /// True if it lately showed less than half of them: it is blind, if it is read at all.
    pub is_low: bool,
}

impl Estimate {
    pub fn of(found: &Completeness) -> Estimate {
        Estimate {
            share: found.common as f64 / found.elsewhere.max(1) as f64,
            is_low: found.elsewhere_lately >= POSTS_MIN && 2 * found.common_lately < found.elsewhere_lately,
        }
    }

    /// True for a server whose members' posts should come by `timeline`, and do not.
    pub fn is_blind(&self, timeline: &Timeline) -> bool {
        self.is_low && matches!(timeline, Timeline::Public | Timeline::Local)
    }
}

/// True for a server that is read now.
pub fn is_read(state: ServerState) -> bool {
    matches!(state, ServerState::Live | ServerState::Polling)
}
