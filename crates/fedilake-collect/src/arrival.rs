//! What a way in gives.

use fedilake_model::{PostEvent, Rejected};
use futures::stream::BoxStream;

use crate::cursor::Cursor;
use crate::error::SourceError;

/// One thing that came from a server.
#[derive(Debug)]
pub enum Arrival {
    /// Something happened to a post. Not yet admitted.
    Event(PostEvent),
    /// This version of a post was given before.
    Duplicate,
    /// A frame of an event that we do not know.
    Unknown,
    /// A status that cannot be translated.
    Rejected(Rejected),
    /// Everything of the timeline up to this id was given before this: once that is durable, the bookmark may stand here.
    Mark(Cursor),
    /// Nothing of the timeline is missing, and this way in brings what is new: it works.
    CaughtUp,
    /// Something failed beside the stream, which goes on.
    Trouble(SourceError),
}

/// What comes from a server until the way in ends, which is always with an error. Dropping it closes the connection.
pub type EventStream = BoxStream<'static, Result<Arrival, SourceError>>;
