//! Events as records of the log.

use bytes::Bytes;
use fedilake_log::{Key, LogError, LogWriter};
use fedilake_model::avro;
use fedilake_model::{Deletion, PostEvent};

/// The most deletes of one append.
const DELETIONS_MAX: usize = 1_000;

/// Appends deletes that no server told; returns when they are durable.
pub async fn append_deletions(writer: &dyn LogWriter, deletions: &[Deletion]) -> Result<(), LogError> {
    for deletions in deletions.chunks(DELETIONS_MAX) {
        let events: Vec<PostEvent> = deletions.iter().cloned().map(PostEvent::Deleted).collect();
        writer.append(records(&events)).await?;
    }
    Ok(())
}

/// Each event's key (`server/id`, so that a post's create, edit and delete keep their order) and its Avro record.
pub(crate) fn records(events: &[PostEvent]) -> Vec<(Key, Bytes)> {
    let keys = events.iter().map(|event| Key(Bytes::from(event.key())));
    keys.zip(avro::encode(events)).collect()
}
