//! Functions of librdkafka that the crate rdkafka does not wrap: a topic's id, the bounds of many partitions at once, taking many
//! messages at once (each end of a partition with its offset among them), and a single header of a message.
#![allow(unsafe_code)]

mod bounds;
mod message;
mod question;
mod queue;
mod topic;

use std::ffi::{CStr, c_char};
use std::slice;

pub(crate) use self::bounds::bounds;
pub(crate) use self::message::{Message, Messages, What};
pub(crate) use self::question::Refusal;
use self::question::asked;
pub(crate) use self::queue::{Logs, Queue};
pub(crate) use self::topic::{Topic, TopicId, describe};

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
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: as above.
    if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() }
}
