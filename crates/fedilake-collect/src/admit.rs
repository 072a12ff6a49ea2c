//! Admission: decides, before anything is stored and for every source, whether an event may be kept.
//!
//! A post is kept if its visibility is exactly `public` and its author has not refused: by #nobot or #noindex in the
//! profile (note, fields, display name), or by `noindex`. A server that suspended an account hides the account's
//! profile, so its author's wish is unknown and its posts are not kept. A boost is not a post. A delete is always
//! admitted: its post may be stored. What the operator decides beyond that is in [`admission`](crate::admission).

use fedilake_model::{Post, PostEvent};

/// The reason why an event is not kept. Nothing of the event is stored; it is counted under [`Skipped::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skipped {
    /// A boost of another post.
    Boost,
    /// Any visibility except `public`, including those that Mastodon does not have.
    NotPublic,
    /// The author's profile says #nobot.
    Nobot,
    /// The author's profile says #noindex, or the account has `noindex` set.
    Noindex,
    /// The server has suspended the author and hides the profile.
    Suspended,
    /// The operator's list names the author, or the author's domain.
    OptedOut,
    /// The author did not agree to be indexed, and the policy is `strict`.
    NotIndexable,
}

impl Skipped {
    /// True if the author, or the operator on her behalf, wants none of her posts kept.
    pub fn is_of_author(self) -> bool {
        matches!(self, Skipped::Nobot | Skipped::Noindex | Skipped::OptedOut | Skipped::NotIndexable)
    }

    /// The label of the count.
    pub fn as_str(self) -> &'static str {
        match self {
            Skipped::Boost => "boost",
            Skipped::NotPublic => "not_public",
            Skipped::Nobot => "nobot",
            Skipped::Noindex => "noindex",
            Skipped::Suspended => "suspended",
            Skipped::OptedOut => "opted_out",
            Skipped::NotIndexable => "not_indexable",
        }
    }
}

/// Fails with the reason if `event` may not be kept.
pub fn admit(event: &PostEvent) -> Result<(), Skipped> {
    event.post().map_or(Ok(()), admit_post)
}

/// Fails with the reason if `post` may not be kept.
pub(crate) fn admit_post(post: &Post) -> Result<(), Skipped> {
    if post.consent.boost {
        Err(Skipped::Boost)
    } else if post.visibility != "public" {
        Err(Skipped::NotPublic)
    } else if post.consent.nobot {
        Err(Skipped::Nobot)
    } else if post.consent.noindex {
        Err(Skipped::Noindex)
    } else if post.consent.suspended {
        Err(Skipped::Suspended)
    } else {
        Ok(())
    }
}
