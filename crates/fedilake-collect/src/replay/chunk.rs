//! A piece of an input: where its values stand, and those that could not be used.

use bytes::Bytes;

use super::position::Position;

/// A piece of an input.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) text: Bytes,
    /// Where in the input `text` begins.
    pub(super) first_byte: u64,
    /// In the input's order, within `text`.
    pub(super) values: Vec<Value>,
    /// In the input's order.
    pub(super) bad: Vec<Bad>,
    /// Where the input stands after this.
    pub(super) end: Position,
}

/// Where a value stands in its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The line that it begins in, from 1.
    pub(super) line: u64,
}

/// A value that could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// The line that it begins in, from 1.
    pub(super) line: u64,
    /// Where it begins in the input, from 0.
    pub(super) byte: u64,
    /// The label under which it is counted.
    pub(super) why: &'static str,
}
