//! Admission: decides on every way in, before anything is stored, whether an event may be kept.
//!
//! A post is kept when its visibility is exactly `public` and its author has not said otherwise: #nobot or #noindex in the profile
//! (note, fields, display name), or `noindex`. A server that suspended an account hides the profile, so that nobody can ask it: its
//! posts are not kept. A boost is not a post. A delete is always let through: it takes away, and its post may be known.

use fedilake_model::PostEvent;

/// The reason why an event is not kept. Nothing of the event is stored; it is counted under [`Skipped::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skipped {
    /// A boost of another post.
    Boost,
    /// Any visibility but `public`, also those that Mastodon does not have.
    NotPublic,
    /// #nobot stands in the author's profile.
    Nobot,
    /// #noindex stands in the author's profile, or the account says `noindex`.
    Noindex,
    /// The server has suspended the author, and shows no profile that could be asked.
    Suspended,
}

impl Skipped {
    /// The label of the count.
    pub fn as_str(self) -> &'static str {
        match self {
            Skipped::Boost => "boost",
            Skipped::NotPublic => "not_public",
            Skipped::Nobot => "nobot",
            Skipped::Noindex => "noindex",
            Skipped::Suspended => "suspended",
        }
    }
}

/// Fails with the reason if `event` may not be kept.
pub fn admit(event: &PostEvent) -> Result<(), Skipped> {
    let post = match event {
        PostEvent::Created(post) | PostEvent::Edited(post) => post,
        PostEvent::Deleted(_) => return Ok(()),
    };
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
