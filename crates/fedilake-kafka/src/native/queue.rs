//! A consumer's queue, and the log messages of a client.

use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::*;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{Messages, Owned, text};
use crate::listener::Listener;

/// A client's log messages, kept apart for its listener: the functions here that serve a client's queue would print them.
pub(crate) struct Logs(Owned<rd_kafka_queue_t>);

// SAFETY: librdkafka's queues are locked inside and bound to no thread.
unsafe impl Send for Logs {}
unsafe impl Sync for Logs {}

impl Logs {
    /// Takes a client's log queue. The result must be dropped before the client is.
    pub(crate) fn of<C: ClientContext>(client: &Client<C>) -> Logs {
        // SAFETY: the client is there, and keeps the queue for itself after the handle here is destroyed.
        unsafe {
            let queue = rd_kafka_queue_new(client.native_ptr());
            rd_kafka_set_log_queue(client.native_ptr(), queue);
            Logs(Owned(queue, rd_kafka_queue_destroy))
        }
    }

    /// Passes all log messages to `listener`.
    pub(crate) fn hear(&self, listener: &impl ClientContext) {
        self.0.hear(listener);
    }
}

impl Owned<rd_kafka_queue_t> {
    /// Passes all log messages of a queue to `listener`; the queue has nothing else of worth.
    fn hear(&self, listener: &impl ClientContext) {
        // SAFETY: what is read from the event is read before it is destroyed.
        unsafe {
            loop {
                let event = rd_kafka_queue_poll(self.0, 0);
                if event.is_null() {
                    break;
                }
                let event = Owned(event, rd_kafka_event_destroy);
                let (mut facility, mut message, mut level) = (ptr::null(), ptr::null(), 0);
                if rd_kafka_event_log(event.0, &mut facility, &mut message, &mut level) == 0 {
                    listener.log(level_of(level), text(facility).trim(), text(message).trim());
                }
            }
        }
    }
}

/// A syslog level.
fn level_of(level: c_int) -> RDKafkaLogLevel {
    match level {
        ..=4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}

/// A consumer's queue.
pub(crate) struct Queue {
    // Both before the consumer, so that they go before it.
    queue: Owned<rd_kafka_queue_t>,
    logs: Logs,
    consumer: Arc<BaseConsumer<Listener>>,
}

// SAFETY: librdkafka's queues are locked inside and bound to no thread.
unsafe impl Send for Queue {}
unsafe impl Sync for Queue {}

impl Queue {
    /// Of a consumer that is assigned nothing yet.
    pub(crate) fn of(consumer: Arc<BaseConsumer<Listener>>) -> Queue {
        let logs = Logs::of(consumer.client());
        // SAFETY: the consumer lives at least as long as the queue, which holds it.
        let queue = unsafe { rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        assert!(!queue.is_null(), "a consumer with a group has a queue");
        let queue = Owned(queue, rd_kafka_queue_destroy);
        // Messages from the making of the consumer are here.
        queue.hear(&**consumer.context());
        Queue { queue, logs, consumer }
    }

    /// Takes the messages that are there now, at most `max`; waits up to `patience` for the first. The [`Listener`] has heard
    /// everything that the client logged before it fetched them.
    pub(crate) fn take(&self, max: usize, patience: Duration) -> Messages {
        let mut messages: Vec<*mut rd_kafka_message_t> = Vec::with_capacity(max.max(1));
        if !patience.is_zero() {
            // librdkafka waits for as many as it is asked for.
            self.take_into(&mut messages, 1, patience);
        }
        let more = max - messages.len();
        self.take_into(&mut messages, more, Duration::ZERO);
        self.logs.hear(&**self.consumer.context());
        Messages::new(messages, self.consumer.clone())
    }

    fn take_into(&self, messages: &mut Vec<*mut rd_kafka_message_t>, max: usize, patience: Duration) {
        let timeout_ms = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
        messages.reserve(max);
        let room = messages.spare_capacity_mut();
        // SAFETY: there is room for `max` pointers, and the first `taken` of them are set.
        unsafe {
            let taken = rd_kafka_consume_batch_queue(self.queue.0, timeout_ms, room.as_mut_ptr().cast(), max);
            messages.set_len(messages.len() + usize::try_from(taken).unwrap_or(0));
        }
    }
}
