//! Readers of a group share its partitions.

use std::collections::BTreeSet;
use std::time::Duration;

use fedilake_log::{Assignment, Key, Log, LogError, LogEvent, LogReader, LogWriter, Offset, Partition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::time::timeout;

use crate::services::{client, open, settings};

const PATIENCE: Duration = Duration::from_secs(30);

/// A member, what is assigned to it, and the values that it has read.
struct Member {
    reader: Box<dyn LogReader>,
    assigned: BTreeSet<u32>,
    values: BTreeSet<String>,
}

impl Member {
    fn new(reader: Box<dyn LogReader>) -> Member {
        Member { reader, assigned: BTreeSet::new(), values: BTreeSet::new() }
    }

    /// One event; each partition is read from its start.
    async fn step(&mut self) {
        match self.reader.next().await.unwrap() {
            LogEvent::Assigned(partition) => {
                assert!(self.assigned.insert(partition.0), "assigned twice");
                self.reader.seek(partition, Offset(0)).await.unwrap();
            }
            LogEvent::Revoked(partition) => {
                assert!(self.assigned.remove(&partition.0), "revoked without being assigned");
                self.has_lost(partition).await;
            }
            LogEvent::Records(records) => {
                assert!(records.iter().all(|record| self.assigned.contains(&record.partition.0)));
                self.values.extend(records.iter().map(|r| String::from_utf8_lossy(&r.value).into_owned()));
            }
            LogEvent::Reached(..) => {}
        }
    }

    async fn has_lost(&mut self, partition: Partition) {
        let lost = LogError::NotAssigned { partition };
        assert_eq!(self.reader.seek(partition, Offset(0)).await.unwrap_err(), lost);
        assert_eq!(self.reader.release(partition, Offset(0)).await.unwrap_err(), lost);
    }
}

fn records(from: usize, to: usize) -> Vec<(Key, bytes::Bytes)> {
    (from..to).map(|nth| (Key(format!("key {nth}").into()), nth.to_string().into())).collect()
}

#[tokio::test]
async fn members_share_the_partitions_and_take_over_from_each_other() {
    let Some(settings) = settings("group") else { return };
    let log = open(&settings).await;
    log.append(records(0, 100)).await.unwrap();
    let mut first = Member::new(log.reader(Assignment::Group(&settings.topic)).unwrap());
    timeout(PATIENCE, async {
        while first.assigned.len() < 4 || first.values.len() < 100 {
            first.step().await;
        }
    })
    .await
    .expect("a lone member gets all");

    let mut second = Member::new(log.reader(Assignment::Group(&settings.topic)).unwrap());
    timeout(PATIENCE, async {
        while (first.assigned.len(), second.assigned.len()) != (2, 2) {
            tokio::select! {
                () = first.step() => {}
                () = second.step() => {}
            }
        }
    })
    .await
    .expect("two members get two each");
    assert!(first.assigned.is_disjoint(&second.assigned));
    log.append(records(100, 200)).await.unwrap();
    timeout(PATIENCE, async {
        while first.values.union(&second.values).count() < 200 {
            tokio::select! {
                () = first.step() => {}
                () = second.step() => {}
            }
        }
    })
    .await
    .expect("all are read");

    drop(first);
    timeout(PATIENCE, async {
        while second.assigned.len() < 4 || second.values.len() < 200 {
            second.step().await;
        }
    })
    .await
    .expect("who is left gets all, from the start where it wants");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_releases_is_the_groups_offset() {
    let Some(mut settings) = settings("commits") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    log.append(records(0, 10)).await.unwrap();
    let mut member = Member::new(log.reader(Assignment::Group(&settings.topic)).unwrap());
    timeout(PATIENCE, async {
        while member.values.len() < 10 {
            member.step().await;
        }
    })
    .await
    .unwrap();
    member.reader.release(Partition(0), Offset(7)).await.unwrap();
    let looker: BaseConsumer = client(&settings).set("group.id", &settings.topic).create().unwrap();
    let committed = || {
        let mut asked = rdkafka::TopicPartitionList::new();
        asked.add_partition(&settings.topic, 0);
        looker.committed_offsets(asked, PATIENCE).unwrap().elements()[0].offset()
    };
    let committed = tokio::task::block_in_place(|| {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            match committed() {
                rdkafka::Offset::Offset(offset) => break offset,
                _ => assert!(std::time::Instant::now() < end, "the offset is never committed"),
            }
        }
    });
    assert_eq!(committed, 7);
}
