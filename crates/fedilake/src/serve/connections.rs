//! Connections to the server, bounded in number and, for strangers, in time: who connects and says nothing, or a byte now and then,
//! takes neither the descriptors that log and table need nor, for long, the places of those who ask.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Open connections; further ones wait in the kernel's queue. Far below the usual limit of 1,024 descriptors.
const CONNECTIONS_MAX: usize = 256;
/// A stranger's connection is closed this long after it was opened, or after the last byte of an answer, whatever it
/// sends and however slowly. All questions that strangers may ask are answered at once.
const STRANGER_MAX: Duration = Duration::from_secs(30);
/// Pause after a failed accept: out of descriptors, or a client that left early.
const PAUSE: Duration = Duration::from_millis(50);

/// A listener with a bound on its open connections.
pub(super) struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
    stranger_max: Duration,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Bounded {
        Bounded::with(listener, CONNECTIONS_MAX, STRANGER_MAX)
    }

    fn with(listener: TcpListener, connections_max: usize, stranger_max: Duration) -> Bounded {
        Bounded { listener, places: Arc::new(Semaphore::new(connections_max)), stranger_max }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let (deadline, trust) = (Box::pin(sleep(self.stranger_max)), Trust::default());
                    let connection =
                        Connection { stream, deadline, stranger_max: self.stranger_max, trust, _place: place };
                    return (connection, address);
                }
                Err(error) => {
                    tracing::debug!(%error, "accept");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Records whether the client of a connection has shown the data folder's secret. Such a client may take its time:
/// its questions may run, and its reading may pause, without limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust(Arc<AtomicBool>);

impl Trust {
    /// From now on the connection stays open until its other side closes it.
    pub(super) fn grant(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_granted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Trust {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Trust {
        stream.io().trust.clone()
    }
}

/// A connection that ends itself when a stranger keeps it for too long.
pub(super) struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    stranger_max: Duration,
    trust: Trust,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// The end of a stranger's time, of which `cx` hears.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.trust.is_granted() {
            return Poll::Pending;
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Before bytes are looked for: a stranger who sends one now and then has no more time than a silent one.
        if let Poll::Ready(error) = self.poll_deadline(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(written) => {
                let next = Instant::now() + self.stranger_max;
                self.deadline.as_mut().reset(next);
                Poll::Ready(written)
            }
            // A client that does not read its answer counts as a stranger too.
            Poll::Pending => self.poll_deadline(cx).map(Err),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::ConnectInfo;
    use axum::routing::{Router, get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn ask(address: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// A client that goes silent, or goes on with a byte now and then.
    #[derive(Clone, Copy, Debug)]
    enum Stranger {
        Silent,
        DripsHead,
        DripsBody,
        KeepsAlive,
    }

    impl Stranger {
        async fn behave(self, stream: &mut TcpStream) -> io::Result<()> {
            let (first, drop): (&[u8], &[u8]) = match self {
                Stranger::Silent => return Ok(()),
                Stranger::DripsHead => (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
                Stranger::DripsBody => (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"x"),
                Stranger::KeepsAlive => return stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await,
            };
            stream.write_all(first).await?;
            loop {
                stream.write_all(drop).await?;
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    #[tokio::test]
    async fn strangers_who_say_nothing_or_a_byte_at_a_time_are_closed_and_their_places_given_to_those_who_ask()
    -> anyhow::Result<()> {
        for stranger in [Stranger::Silent, Stranger::DripsHead, Stranger::DripsBody, Stranger::KeepsAlive] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let bounded = Bounded::with(listener, 3, Duration::from_millis(300));
            let routes =
                Router::new().route("/", get(|| async { "here" })).route("/echo", post(|body: String| async { body }));
            let server = tokio::spawn(async move { axum::serve(bounded, routes).await });
            let mut ends = tokio::task::JoinSet::new();
            for _ in 0..20 {
                let mut stream = TcpStream::connect(address).await?;
                ends.spawn(async move {
                    let behaved = stranger.behave(&mut stream).await;
                    let mut answer = Vec::new();
                    // An end, or a reset: what must not be is that it stays open.
                    let _ = (behaved, stream.read_to_end(&mut answer).await);
                });
            }
            let answer = tokio::time::timeout(Duration::from_secs(30), ask(address)).await??;
            assert!(answer.ends_with("here"), "{stranger:?}: {answer}");
            let all = async { while ends.join_next().await.is_some() {} };
            let closed = tokio::time::timeout(Duration::from_secs(30), all).await;
            assert!(closed.is_ok(), "{stranger:?}: a connection stays open");
            server.abort();
        }
        Ok(())
    }

    #[tokio::test]
    async fn whoever_is_trusted_may_wait_for_an_answer_for_longer() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let bounded = Bounded::with(listener, 3, Duration::from_millis(200));
        let slow = |ConnectInfo(trust): ConnectInfo<Trust>| async move {
            trust.grant();
            sleep(Duration::from_millis(800)).await;
            "late"
        };
        let routes = Router::new().route("/", get(slow)).into_make_service_with_connect_info::<Trust>();
        let server = tokio::spawn(async move { axum::serve(bounded, routes).await });
        let answer = tokio::time::timeout(Duration::from_secs(30), ask(address)).await??;
        assert!(answer.ends_with("late"), "{answer}");
        server.abort();
        Ok(())
    }
}
