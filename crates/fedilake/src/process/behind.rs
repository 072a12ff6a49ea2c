//! The lake's distance to the log, for `/readyz` and `/metrics`.
//!
//! The log's ends are asked for again and again, and requests are answered from the last answer.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fedilake_log::{Log, Offset, Partition};
use tokio::sync::watch;

use crate::figures::Distance;
use crate::task::Task;

/// The interval between two readings of the log's ends.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Readings kept until the lake has caught up with them. Their times bound the age of an answer.
const LOOKS_MAX: usize = 600;

/// Watches the distance until dropped.
pub struct Behind {
    _task: Task,
    distance: watch::Receiver<(Distance, Option<Instant>)>,
    reached: watch::Receiver<HashMap<Partition, Offset>>,
}

impl Behind {
    /// Starts to read the ends of `log`; `reached` has the lake's positions.
    pub fn watch(log: Arc<dyn Log>, reached: watch::Receiver<HashMap<Partition, Offset>>) -> Behind {
        // The distance, and when the log's ends were last read.
        let (sender, distance) = watch::channel((Distance::default(), None));
        let positions = reached.clone();
        let task = Task::until_dropped("the distance", async move {
            let (mut looks, mut interval) = (Looks::default(), tokio::time::interval(LOOK_AGAIN));
            loop {
                interval.tick().await;
                let ends = ends(log.as_ref()).await;
                let (now, reached) = (Instant::now(), positions.borrow().clone());
                sender.send_modify(|(distance, read_at)| {
                    *read_at = ends.is_some().then_some(now).or(*read_at);
                    *distance = looks.look(now, ends, &reached);
                });
            }
        });
        Behind { _task: task, distance, reached }
    }

    /// The distance between the lake as it is now and the log as it was last read.
    pub fn distance(&self) -> Distance {
        let looked = self.distance.borrow();
        let (distance, read_at) = &*looked;
        // A question to a log that is away takes long, so the silence is measured here.
        distance.now(read_at.map(|at| at.elapsed()), &self.reached.borrow())
    }
}

type Ends = Vec<(Partition, Offset)>;

async fn ends(log: &dyn Log) -> Option<Ends> {
    Some(log.bounds().await.ok()?.into_iter().map(|(partition, bounds)| (partition, bounds.end)).collect())
}

/// Past readings of the log's ends that the lake has not reached yet.
#[derive(Debug, Default)]
struct Looks {
    unreached: VecDeque<(Instant, Ends)>,
    last: Option<Ends>,
    /// The time of the newest reading that the lake has reached, or of the first reading.
    current_at: Option<Instant>,
    /// True once the lake has reached a reading.
    has_reached: bool,
}

impl Looks {
    fn look(&mut self, now: Instant, ends: Option<Ends>, positions: &HashMap<Partition, Offset>) -> Distance {
        let position = |partition: &Partition| positions.get(partition).copied().unwrap_or(Offset(0));
        let is_reached = |ends: &Ends| ends.iter().all(|(partition, end)| position(partition) >= *end);
        let current_at = *self.current_at.get_or_insert(now);
        if let Some(ends) = ends {
            if self.unreached.len() < LOOKS_MAX {
                self.unreached.push_back((now, ends.clone()));
            }
            self.last = Some(ends);
        }
        let mut newest = current_at;
        while let Some((at, _)) = self.unreached.front().filter(|(_, ends)| is_reached(ends)) {
            newest = *at;
            self.has_reached = true;
            self.unreached.pop_front();
        }
        self.current_at = Some(newest);
        let Some(last) = &self.last else { return Distance::default() };
        let distance = Distance::between(last.iter().copied(), positions, now.duration_since(newest).as_secs_f64());
        Distance { has_caught_up: self.has_reached, ..distance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_records_and_is_as_old_as_the_last_end_that_the_lake_reached() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let ends = |a, b| Some(vec![(Partition(0), Offset(a)), (Partition(1), Offset(b))]);
        let reached = |a, b| HashMap::from([(Partition(0), Offset(a)), (Partition(1), Offset(b))]);
        let mut looks = Looks::default();
        let cases = [
            // Seconds, the log's ends, the lake's positions, records, seconds behind, whether the lake has caught up.
            (0, ends(10, 0), reached(0, 0), 10, 0.0, false),
            (5, ends(20, 3), reached(9, 0), 14, 5.0, false),
            (6, ends(20, 3), reached(10, 0), 13, 6.0, true),
            (7, ends(20, 3), reached(20, 3), 0, 0.0, true),
            (9, ends(25, 3), reached(20, 3), 5, 2.0, true),
            // The log does not answer.
            (19, None, reached(24, 3), 1, 12.0, true),
            (20, ends(25, 3), reached(25, 3), 0, 0.0, true),
        ];
        for (seconds, ends, positions, records, behind, has_caught_up) in cases {
            let distance = looks.look(at(seconds), ends, &positions);
            let found = (distance.records, distance.seconds, distance.has_caught_up);
            assert_eq!(found, (records, behind, has_caught_up), "after {seconds} s");
            assert!(distance.is_known);
        }
        assert!(looks.unreached.is_empty());
        assert_eq!(Looks::default().look(began, None, &HashMap::new()), Distance::default());
    }

    #[test]
    fn a_log_that_does_not_answer_is_said_and_the_answers_grow_older() {
        let ends = [(Partition(0), Offset(10))];
        let at = |position| HashMap::from([(Partition(0), Offset(position))]);
        let looked = Distance::between(ends, &at(4), 3.0);
        let cases = [
            // Seconds of silence, the lake's position, whether the log answers, records, seconds behind.
            (Some(1), 4, true, 6, 3.0),
            (Some(1), 10, true, 0, 0.0),
            (Some(60), 10, false, 0, 60.0),
            (Some(60), 4, false, 6, 60.0),
            (None, 10, false, 0, 0.0),
        ];
        for (silence, position, log_answers, records, seconds) in cases {
            let now = looked.now(silence.map(Duration::from_secs), &at(position));
            assert_eq!((now.log_answers, now.records, now.seconds), (log_answers, records, seconds), "{silence:?}");
        }
    }

    #[test]
    fn looks_are_bounded_while_a_lake_is_rebuilt() {
        let began = Instant::now();
        let mut looks = Looks::default();
        for second in 0..5_000 {
            let ends = Some(vec![(Partition(0), Offset(1_000 + second))]);
            looks.look(began + Duration::from_secs(second), ends, &HashMap::new());
        }
        assert_eq!(looks.unreached.len(), LOOKS_MAX);
        let reached = HashMap::from([(Partition(0), Offset(10_000))]);
        let after = looks.look(began + Duration::from_secs(5_000), Some(vec![(Partition(0), Offset(6_000))]), &reached);
        assert_eq!(after.records, 0);
    }
}
