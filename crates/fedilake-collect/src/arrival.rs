//! The events of a way in.

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
    /// A frame of an unknown event.
    Unknown,
    /// A status that cannot be translated.
    Rejected(Rejected),
    /// Everything of the timeline up to this id was given before this: once that is durable, the bookmark may stand here.
    Mark(Cursor),
    /// The newest page does not reach back to the place: pages in between are walked.
    GapFound,
    /// The walked pages reached the newest one.
    GapFilled,
    /// A look at the timeline came to its end: the server is read.
    Read,
    /// This way in works: no post of the timeline is missing, and new ones come.
    CaughtUp,
    /// A request beside the stream failed; the stream goes on.
    Trouble(SourceError),
}

/// The arrivals of a server until the way in ends, always with an error. Dropping the stream closes the connection.
pub type EventStream = BoxStream<'static, Result<Arrival, SourceError>>;
