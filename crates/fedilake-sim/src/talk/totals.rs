//! The figures that a file of recorded frames must give.

use serde::{Deserialize, Serialize};

/// Figures of the posts that remain: one for each uri, in its last version, without those that were deleted and those
/// that must not be kept.
///
/// | frames of the file | and the figures |
/// |---|---|
/// | `update` of a post that remains | one each, counted |
/// | `status.update` | replaces a counted post; the last version has the counted length |
/// | `update` of a counted post by a second server | a copy: same uri, another id; not counted again |
/// | `update` of a post that is deleted | beside the counted ones; a `delete` for at least one of its sightings hides it |
/// | `delete` of a post that is in no frame | hides nothing |
/// | `update` that admission must refuse | beside the counted ones, by authors and uris of their own |
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Distinct uris that remain.
    pub posts: u64,
    /// Distinct `acct@domain`, and distinct usernames: no two authors have the same one.
    pub authors: u64,
    /// Distinct home servers.
    pub origins: u64,
    /// Distinct languages, "not said" among them.
    pub languages: u64,
    /// Unicode scalar values of the shortest text.
    pub characters_min: u64,
    /// Unicode scalar values of the longest text.
    pub characters_max: u64,
    /// Unicode scalar values of all texts.
    pub characters_sum: u64,
    /// Frames by event.
    pub frames: FrameCounts,
    /// Posts of `posts` that are edited once.
    pub edited: u64,
    /// Posts beside `posts` that are shown and deleted.
    pub deleted: u64,
    /// Deletes of posts that are in no frame.
    pub deletes_of_unseen: u64,
    /// Posts beside `posts` that must not be kept, by reason.
    pub refused: Refused,
    /// By day, from 3 to 12 February 2023, of `created_at` and of `observed_at` alike.
    pub days: Vec<DayTotals>,
}

/// Frames by event, copies and what must not be kept among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounts {
    /// `update`.
    pub updates: u64,
    /// `status.update`.
    pub edits: u64,
    /// `delete`.
    pub deletes: u64,
}

impl FrameCounts {
    /// Returns the number of all frames: the lines of the file.
    pub fn all(&self) -> u64 {
        self.updates + self.edits + self.deletes
    }
}

/// Figures of the posts that remain of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTotals {
    /// Distinct uris.
    pub posts: u64,
    /// Distinct authors.
    pub authors: u64,
    /// Distinct home servers.
    pub origins: u64,
}

/// Posts that must not be kept: one frame each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// `#nobot` stands in the author's note.
    pub nobot: u64,
    /// `#noindex` stands in the author's note, or the account says `noindex`.
    pub noindex: u64,
    /// The visibility is not `public`.
    pub visibility: u64,
    /// The status is a boost.
    pub boost: u64,
}

impl Refused {
    /// Returns the number of all refused posts.
    pub fn all(&self) -> u64 {
        self.nobot + self.noindex + self.visibility + self.boost
    }
}
