//! Functions of librdkafka that the crate rdkafka does not wrap: a topic's id, taking many messages at once (each end of a
//! partition with its offset among them), and a single header of a message.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int};
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::*;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::listener::Listener;

/// A topic as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    /// Its id, made when it was created.
    pub(crate) id: TopicId,
    pub(crate) partitions: u32,
}

/// A topic's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TopicId(u128);

impl TopicId {
    /// Writes the id as Kafka's own tools do: 22 characters of base64 for URLs.
    pub(crate) fn for_urls(self) -> String {
        self.base64(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    }

    /// Writes the id as librdkafka does: 22 characters of common base64.
    pub(crate) fn of_librdkafka(self) -> String {
        self.base64(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    }

    fn base64(self, alphabet: &[u8; 64]) -> String {
        let sextet = |nth: u32| if nth < 21 { self.0 >> (122 - 6 * nth) } else { self.0 << 4 };
        (0..22).map(|nth| char::from(alphabet[(sextet(nth) & 63) as usize])).collect()
    }
}

/// The reason for which there was no answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) why: String,
}

impl Refusal {
    pub(crate) fn because(why: &str) -> Refusal {
        Refusal { code: RDKafkaErrorCode::Fail, why: why.to_owned() }
    }

    /// True if the client or the partition's leader does not know the partition.
    pub(crate) fn is_of_unknown_partition(&self) -> bool {
        matches!(self.code, RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopicOrPartition)
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> String {
        refusal.why
    }
}

impl From<KafkaError> for Refusal {
    fn from(error: KafkaError) -> Refusal {
        Refusal { code: error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail), why: error.to_string() }
    }
}

/// Asks for the topic; `None` where there is none of that name. Blocks, at most for about `patience`.
pub(crate) fn describe<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    patience: Duration,
) -> Result<Option<Topic>, Refusal> {
    let name = CString::new(topic).map_err(|_| Refusal::because("the topic's name has a zero byte"))?;
    let timeout_ms = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
    let rk = client.native_ptr();
    let mut names = [name.as_ptr()];
    let mut why = [0; 512];
    // SAFETY: `rk` lives as long as `client`. Each pointer that a `_new` or a `poll` gave is owned by its guard, which lives
    // until the end of the block; what is read from the event is read before that.
    unsafe {
        let topics = rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let topics = Owned(topics, rd_kafka_TopicCollection_destroy);
        let options = rd_kafka_AdminOptions_new(rk, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        let options = Owned(options, rd_kafka_AdminOptions_destroy);
        rd_kafka_AdminOptions_set_request_timeout(options.0, timeout_ms, why.as_mut_ptr(), why.len());
        let queue = Owned(rd_kafka_queue_new(rk), rd_kafka_queue_destroy);
        rd_kafka_DescribeTopics(rk, topics.0, options.0, queue.0);
        let event = rd_kafka_queue_poll(queue.0, timeout_ms.saturating_add(1_000));
        if event.is_null() {
            return Err(Refusal::because("no answer in time"));
        }
        let event = Owned(event, rd_kafka_event_destroy);
        let error = rd_kafka_event_error(event.0);
        if error != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(Refusal { code: error.into(), why: text(rd_kafka_event_error_string(event.0)) });
        }
        let result = rd_kafka_event_DescribeTopics_result(event.0);
        let mut count = 0;
        let found = rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if result.is_null() || found.is_null() || count != 1 {
            return Err(Refusal::because("an answer about another topic"));
        }
        let found = *found;
        let error = rd_kafka_TopicDescription_error(found);
        match rd_kafka_error_code(error) {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => return Ok(None),
            code => return Err(Refusal { code: code.into(), why: text(rd_kafka_error_string(error)) }),
        }
        let id = rd_kafka_TopicDescription_topic_id(found);
        let (most, least) = (rd_kafka_Uuid_most_significant_bits(id), rd_kafka_Uuid_least_significant_bits(id));
        let mut partitions = 0;
        rd_kafka_TopicDescription_partitions(found, &mut partitions);
        let id = TopicId((u128::from(most as u64) << 64) | u128::from(least as u64));
        Ok(Some(Topic { id, partitions: u32::try_from(partitions).unwrap_or(u32::MAX) }))
    }
}

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
        Messages { messages, next: 0, _consumer: self.consumer.clone() }
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

/// Messages taken off a queue and not yet looked at.
pub(crate) struct Messages {
    messages: Vec<*mut rd_kafka_message_t>,
    /// All before it are destroyed.
    next: usize,
    /// Messages must not outlive their consumer.
    _consumer: Arc<BaseConsumer<Listener>>,
}

// SAFETY: a message is owned by whoever took it, and bound to no thread.
unsafe impl Send for Messages {}

/// A message.
pub(crate) struct Message<'a> {
    pub(crate) partition: i32,
    /// For [`What::End`] the offset of the next record.
    pub(crate) offset: i64,
    pub(crate) what: What<'a>,
}

/// The content of a message.
pub(crate) enum What<'a> {
    Record {
        time_ms: i64,
        key: &'a [u8],
        /// None in a tombstone, which tells a compacted topic to forget the key.
        value: Option<&'a [u8]>,
    },
    /// Everything of the partition was read.
    End,
    Failed {
        code: rd_kafka_resp_err_t,
        why: String,
    },
}

impl Messages {
    pub(crate) fn len(&self) -> usize {
        self.messages.len() - self.next
    }

    /// The next message.
    pub(crate) fn peek(&self) -> Option<Message<'_>> {
        let message = *self.messages.get(self.next)?;
        // SAFETY: the message was taken and is not destroyed before `self.next` is behind it; its key and payload live as long.
        unsafe {
            let &rd_kafka_message_t { err, partition, offset, payload, len, key, key_len, .. } = &*message;
            let what = match err {
                rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                    let time_ms = rd_kafka_message_timestamp(message, ptr::null_mut());
                    let key = bytes(key.cast(), key_len).unwrap_or_default();
                    What::Record { time_ms, key, value: bytes(payload.cast(), len) }
                }
                rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => What::End,
                code => What::Failed { code, why: text(rd_kafka_message_errstr(message)) },
            };
            Some(Message { partition, offset, what })
        }
    }

    /// The value of a header of the next message.
    pub(crate) fn header(&self, name: &CStr) -> Option<&[u8]> {
        let message = *self.messages.get(self.next)?;
        let (mut headers, mut value, mut length) = (ptr::null_mut(), ptr::null(), 0);
        // SAFETY: the message was taken and is not destroyed before `self.next` is behind it; its headers live as long.
        unsafe {
            let none = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
            if rd_kafka_message_headers(message, &mut headers) != none
                || rd_kafka_header_get_last(headers, name.as_ptr(), &mut value, &mut length) != none
            {
                return None;
            }
            bytes(value.cast(), length)
        }
    }

    /// Destroys the next message.
    pub(crate) fn advance(&mut self) {
        if let Some(&message) = self.messages.get(self.next) {
            self.next += 1;
            // SAFETY: it is behind `self.next` now, so nothing looks at it any more.
            unsafe { rd_kafka_message_destroy(message) }
        }
    }

    /// Destroys all messages of a partition that are left.
    pub(crate) fn discard(&mut self, partition: i32) {
        let rest = self.messages.split_off(self.next);
        self.messages.clear();
        self.next = 0;
        for message in rest {
            // SAFETY: the message was taken and is not destroyed yet; it is either destroyed here or kept.
            unsafe {
                if (*message).partition == partition {
                    rd_kafka_message_destroy(message);
                } else {
                    self.messages.push(message);
                }
            }
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        while self.len() > 0 {
            self.advance();
        }
    }
}

/// A pointer from librdkafka that is ours to destroy.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the pointer came with this function to destroy it, and only here is it used.
            unsafe { (self.1)(self.0) }
        }
    }
}

/// # Safety
/// `start` is null, or `length` bytes are there for as long as the result lives.
unsafe fn bytes<'a>(start: *const u8, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as above.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, length) })
}

/// # Safety
/// `text` is null or a C string.
unsafe fn text(text: *const std::ffi::c_char) -> String {
    // SAFETY: as above.
    if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_kafka_writes_it() {
        assert_eq!(TopicId(0).for_urls(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(TopicId(u128::MAX).for_urls(), "_____________________w");
        assert_eq!(TopicId(u128::MAX).of_librdkafka(), "/////////////////////w");
        assert_eq!(TopicId(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f).for_urls(), "AAECAwQFBgcICQoLDA0ODw");
    }
}
