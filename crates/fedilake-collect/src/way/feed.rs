//! An open stream: frames, by server-sent events or by a WebSocket.

use bytes::Bytes;

use crate::server::error::SourceError;
use crate::server::http::Stream;
use crate::way::socket::Subscription;
use crate::way::sse::{Framer, SseFrame};

/// A stream that is open.
#[derive(Debug)]
pub struct Feed(Way);

#[derive(Debug)]
enum Way {
    Sse(Box<Sse>),
    Socket(Subscription),
}

#[derive(Debug)]
struct Sse {
    stream: Stream,
    framer: Framer,
    frame_bytes_max: usize,
    /// The stream's error, returned after the frames before it.
    broken: Option<SourceError>,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedFrame {
    /// The event's name.
    pub event: String,
    /// The event's payload.
    pub payload: Bytes,
}

impl Feed {
    /// The stream of server-sent events in `stream`, whose frames are no longer than this.
    pub(crate) fn sse(stream: Stream, frame_bytes_max: usize) -> Feed {
        let framer = Framer::new(frame_bytes_max);
        Feed(Way::Sse(Box::new(Sse { stream, framer, frame_bytes_max, broken: None })))
    }

    pub(crate) fn socket(subscription: Subscription) -> Feed {
        Feed(Way::Socket(subscription))
    }

    /// The next frames, none for a heartbeat; an error when the stream ends, breaks, or is silent for too long. Cancel-safe.
    pub async fn next(&mut self) -> Result<Vec<FeedFrame>, SourceError> {
        match &mut self.0 {
            Way::Sse(sse) => sse.next().await,
            Way::Socket(subscription) => Ok(vec![subscription.next().await?]),
        }
    }
}

impl Sse {
    async fn next(&mut self) -> Result<Vec<FeedFrame>, SourceError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let bytes = self.stream.next().await?;
        let mut frames = Vec::new();
        let take = |SseFrame { event, data }| frames.push(FeedFrame { event, payload: data });
        if self.framer.push(&bytes, take).is_err() {
            self.broken = Some(SourceError::TooLong { what: "a frame", bytes_max: self.frame_bytes_max });
        }
        Ok(frames)
    }
}
