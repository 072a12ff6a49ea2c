//! What a client of librdkafka says by itself, heard: into `tracing`, never to stderr.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// Hears one client.
///
/// Trouble with a broker is told once as a warning, then as a detail: librdkafka reconnects by itself, and says so each time.
#[derive(Default)]
pub(crate) struct Listener {
    trouble: Mutex<Option<String>>,
    has_warned: AtomicBool,
    /// The topic's id, as librdkafka writes it, for a client that must read no other.
    topic_id: Option<String>,
    has_changed: AtomicBool,
}

impl Listener {
    /// One that takes note when librdkafka meets the topic under another id: see [`Listener::topic_has_changed`].
    pub(crate) fn of_topic(id: String) -> Listener {
        Listener { topic_id: Some(id), ..Listener::default() }
    }

    /// What went wrong last.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether librdkafka goes on, or is about to go on, with another topic of the same name. It is known before the
    /// first record of that topic is fetched.
    pub(crate) fn topic_has_changed(&self) -> bool {
        self.has_changed.load(Ordering::Acquire)
    }

    fn hear_trouble(&self, what: &str) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.to_owned());
        if self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::debug!("kafka: {what}");
        } else {
            tracing::warn!("kafka: {what}; further trouble is logged as debug");
        }
    }

    /// librdkafka says no other way that a topic was made again: it goes on at the same offset of the new one. The test
    /// `a_topic_that_is_made_again_ends_its_readers` holds the wording.
    fn hear_detail(&self, facility: &str, message: &str) {
        let Some(expected) = &self.topic_id else { return };
        if facility != "METADATA" {
            return;
        }
        if let Some((_, change)) = message.split_once(" changed id from ")
            && let Some((_, id)) = change.split_once(" to ")
            && id.trim() != expected
        {
            self.has_changed.store(true, Ordering::Release);
        }
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Debug => self.hear_detail(facility, message),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => tracing::debug!("kafka: {facility}: {message}"),
            _ => self.hear_trouble(message),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let _ = error;
        self.hear_trouble(reason);
    }
}

impl ConsumerContext for Listener {}
