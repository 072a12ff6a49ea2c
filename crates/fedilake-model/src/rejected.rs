//! A frame that could not be translated, without its payload.

use std::fmt;

use crate::json::JsonError;

/// The report of a frame that is not a post event. Never contains the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({length} bytes, hash {hash:016x})")]
pub struct Rejected {
    /// Why the frame was rejected.
    pub reason: RejectedReason,
    /// The payload's length in bytes.
    pub length: usize,
    /// The payload's FNV-1a hash: tells whether the same payload was sent again.
    pub hash: u64,
}

impl Rejected {
    /// Rejects a payload for its length, without reading it.
    pub fn too_long(payload: &[u8]) -> Rejected {
        Rejected::new(RejectedReason::TooLong, payload)
    }

    pub(crate) fn new(reason: RejectedReason, payload: &[u8]) -> Rejected {
        let hash = payload.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Rejected { reason, length: payload.len(), hash }
    }
}

/// Why a frame is not a post event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RejectedReason {
    /// The payload is not a JSON object.
    NotJson,
    /// The payload is longer than the reader's limit.
    TooLong,
    /// Lists and objects are nested deeper than [`json::DEPTH_MAX`](crate::json::DEPTH_MAX).
    TooDeep,
    /// The status, or the delete, has no id.
    NoId,
    /// The status has no uri.
    NoUri,
    /// The status has no account, or one without a name.
    NoAccount,
    /// The id is longer than its column holds, or has white space or control characters.
    BadId,
    /// The uri is longer than its column holds, or has control characters.
    BadUri,
    /// The author's name is longer than its column holds, or has control characters.
    BadAccount,
}

impl RejectedReason {
    /// Every reason.
    pub const ALL: [RejectedReason; 9] = [
        RejectedReason::NotJson,
        RejectedReason::TooLong,
        RejectedReason::TooDeep,
        RejectedReason::NoId,
        RejectedReason::NoUri,
        RejectedReason::NoAccount,
        RejectedReason::BadId,
        RejectedReason::BadUri,
        RejectedReason::BadAccount,
    ];

    /// The reason as a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            RejectedReason::NotJson => "not_json",
            RejectedReason::TooLong => "too_long",
            RejectedReason::TooDeep => "too_deep",
            RejectedReason::NoId => "no_id",
            RejectedReason::NoUri => "no_uri",
            RejectedReason::NoAccount => "no_account",
            RejectedReason::BadId => "bad_id",
            RejectedReason::BadUri => "bad_uri",
            RejectedReason::BadAccount => "bad_account",
        }
    }
}

impl fmt::Display for RejectedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<JsonError> for RejectedReason {
    fn from(error: JsonError) -> RejectedReason {
        match error {
            JsonError::TooLong => RejectedReason::TooLong,
            JsonError::TooDeep => RejectedReason::TooDeep,
            JsonError::NotJson => RejectedReason::NotJson,
        }
    }
}
