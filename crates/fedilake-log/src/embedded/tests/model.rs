//! The log against a vector: after any operations, both hold the same records.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::tempdir;

use super::*;
use crate::{Bookmarks, Bounds};

#[derive(Clone, Debug)]
enum Step {
    /// Appends records of these lengths.
    Append(Vec<usize>),
    /// Releases this share of the records, in sixteenths.
    Release(u64),
    /// Reads from this share of the records on, in sixteenths.
    Read(u64),
    /// Saves a value under one of a few names.
    Save(u8, String),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(0_usize..3_000, 0..40).prop_map(Step::Append),
        1 => prop::collection::vec(100_000_usize..300_000, 1..4).prop_map(Step::Append),
        3 => (0_u64..=16).prop_map(Step::Release),
        2 => (0_u64..=16).prop_map(Step::Read),
        1 => (0_u8..3, ".{0,20}").prop_map(|(name, value)| Step::Save(name, value)),
        1 => Just(Step::Reopen),
    ]
}

/// The expected content of the log.
#[derive(Default)]
struct Model {
    records: Vec<(Key, Bytes)>,
    start: u64,
    bookmarks: BTreeMap<u8, String>,
}

impl Model {
    fn end(&self) -> u64 {
        self.records.len() as u64
    }

    fn share(&self, sixteenths: u64) -> Offset {
        Offset(self.start + (self.end() - self.start) * sixteenths / 16)
    }

    async fn take(&mut self, log: &EmbeddedLog, step: Step) {
        match step {
            Step::Append(lengths) => {
                let records: Vec<_> = (self.end()..).zip(lengths).map(|(nth, length)| record(nth, length)).collect();
                append(log, records.clone()).await;
                self.records.extend(records);
            }
            Step::Release(sixteenths) => {
                let offset = self.share(sixteenths);
                release(log, offset).await;
                self.start = offset.0;
            }
            Step::Read(sixteenths) => self.check_from(log, self.share(sixteenths)).await,
            Step::Save(name, value) => {
                log.save(&name.to_string(), &value).await.unwrap();
                self.bookmarks.insert(name, value);
            }
            Step::Reopen => unreachable!("taken by the caller, who owns the log"),
        }
    }

    async fn check(&self, log: &EmbeddedLog) {
        assert_eq!(log.bounds(), Bounds { start: Offset(self.start), end: Offset(self.end()) });
        self.check_from(log, Offset(self.start)).await;
        for name in 0..3 {
            assert_eq!(log.load(&name.to_string()).await.unwrap().as_ref(), self.bookmarks.get(&name));
        }
    }

    async fn check_from(&self, log: &EmbeddedLog, from: Offset) {
        let records = read(log, from).await.unwrap();
        assert!(records.iter().map(|record| record.offset.0).eq(from.0..self.end()));
        assert!(records.is_sorted_by_key(|record| record.appended_at_ms));
        let read = records.into_iter().map(|record| (record.key, record.value));
        assert!(read.eq(self.records[from.0 as usize..].iter().cloned()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_log_holds_what_a_vector_would(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempdir().unwrap();
            let mut log = open(folder.path()).unwrap();
            let mut model = Model::default();
            for step in steps.into_iter().chain([Step::Reopen]) {
                if let Step::Reopen = step {
                    drop(log);
                    log = open(folder.path()).unwrap();
                    model.check(&log).await;
                } else {
                    model.take(&log, step).await;
                }
            }
        });
    }
}
