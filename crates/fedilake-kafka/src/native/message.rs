//! Messages that were taken off a queue.

use std::ffi::CStr;
use std::ptr;
use std::sync::Arc;

use rdkafka::bindings::*;
use rdkafka::consumer::BaseConsumer;

use super::{bytes, text};
use crate::listener::Listener;

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
    /// Of messages that are nobody else's.
    pub(super) fn new(messages: Vec<*mut rd_kafka_message_t>, consumer: Arc<BaseConsumer<Listener>>) -> Messages {
        Messages { messages, next: 0, _consumer: consumer }
    }

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
