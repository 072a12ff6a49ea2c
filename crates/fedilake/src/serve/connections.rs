//! Connections to the server, bounded in number and in idleness: strangers who connect and say nothing take neither the
//! descriptors that log and table need nor, for long, the places of those who ask.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Open connections; further ones wait in the kernel's queue. Far below the usual limit of 1,024 descriptors.
const CONNECTIONS_MAX: usize = 256;
/// A connection on which nothing comes for this long after it was made, or after the last byte of an answer, is closed. Rows of a
/// long question may be minutes apart.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// A question, or the rest of a half-sent one, may take this long without a byte in either direction.
const QUESTION_MAX: Duration = Duration::from_secs(3_600);
/// Pause after a failed accept: out of descriptors, or a client that left early.
const PAUSE: Duration = Duration::from_millis(50);

/// A listener with a bound on its open connections.
pub(super) struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
    idle_max: Duration,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Bounded {
        Bounded::with(listener, CONNECTIONS_MAX, IDLE_MAX)
    }

    fn with(listener: TcpListener, connections_max: usize, idle_max: Duration) -> Bounded {
        Bounded { listener, places: Arc::new(Semaphore::new(connections_max)), idle_max }
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
                    let deadline = Box::pin(sleep(self.idle_max));
                    return (Connection { stream, deadline, idle_max: self.idle_max, _place: place }, address);
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

/// A connection that ends itself when it is idle for too long.
pub(super) struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    idle_max: Duration,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            if buf.filled().len() > before {
                self.deadline.as_mut().reset(Instant::now() + QUESTION_MAX);
            }
            return Poll::Ready(read);
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        let idle_max = self.idle_max;
        self.deadline.as_mut().reset(Instant::now() + idle_max);
        Poll::Ready(Ok(written))
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
    use axum::routing::{Router, get};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn ask(address: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn idle_connections_are_closed_and_their_places_given_to_those_who_ask() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let bounded = Bounded::with(listener, 3, Duration::from_millis(300));
        let server =
            tokio::spawn(async move { axum::serve(bounded, Router::new().route("/", get(|| async { "here" }))).await });
        let mut idle = Vec::new();
        for _ in 0..20 {
            idle.push(TcpStream::connect(address).await?);
        }
        let answer = tokio::time::timeout(Duration::from_secs(30), ask(address)).await??;
        assert!(answer.ends_with("here"), "{answer}");
        for mut stream in idle {
            let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut [0; 64])).await?;
            assert!(matches!(read, Ok(0) | Err(_)), "an idle connection stays open");
        }
        server.abort();
        Ok(())
    }
}
