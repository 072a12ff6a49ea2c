//! Events as records of the log.

use bytes::Bytes;
use fedilake_log::Key;
use fedilake_model::PostEvent;
use fedilake_model::avro;

/// Each event's key (`server/id`, so that a post's create, edit and delete keep their order) and its Avro record.
pub(crate) fn records(events: &[PostEvent]) -> Vec<(Key, Bytes)> {
    let keys = events.iter().map(|event| Key(Bytes::from(event.key())));
    keys.zip(avro::encode(events)).collect()
}
