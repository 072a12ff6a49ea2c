//! The messages of a source of events.

use fedilake_model::{PostEvent, Rejected};
use futures::stream::BoxStream;

use crate::server::error::SourceError;
use crate::way::cursor::Cursor;

/// A message of a source.
#[derive(Debug)]
pub enum Arrival {
    /// Something happened to a post. Not admitted yet.
    Event(PostEvent),
    /// This version of a post came before.
    Duplicate,
    /// A frame of an unknown event.
    Unknown,
    /// A status that cannot be translated.
    Rejected(Rejected),
    /// Everything of the timeline up to this id came before. Once that is durable, the bookmark may move here.
    Mark(Cursor),
    /// The newest page does not reach back to the place: the pages between are read.
    GapFound,
    /// The pages that were read have reached the newest one.
    GapFilled,
    /// A fill of the timeline has ended: the server can be read.
    Read,
    /// A fill found nothing new: no post of the timeline is missing. Whether an open stream brings new ones is not known yet.
    Whole,
    /// The source works: no post of the timeline is missing, and new ones come.
    CaughtUp,
    /// A request beside the stream failed; the stream goes on.
    Trouble(SourceError),
}

/// The arrivals from a server until the source ends, always with an error. Dropping the stream closes the connection.
pub type EventStream = BoxStream<'static, Result<Arrival, SourceError>>;
