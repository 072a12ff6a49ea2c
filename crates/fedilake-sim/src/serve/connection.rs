//! A listener whose connections can be spoiled from within a request: reset, torn, half open, slow.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// The other end of a connection, with ways to spoil it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    line: Arc<Line>,
}

/// The condition of a connection.
#[derive(Debug, Default)]
struct Line {
    state: AtomicU8,
    /// Bytes that still pass before a torn connection is reset.
    left: AtomicUsize,
}

const GOOD: u8 = 0;
const RESET: u8 = 1;
const TORN: u8 = 2;
const DEAD: u8 = 3;
const DRIPPING: u8 = 4;

/// Time between the bytes of a dripping connection.
const DRIP: Duration = Duration::from_millis(20);

impl Peer {
    /// The connection fails at its next read or write, and its socket is closed with RST.
    pub(crate) fn reset(&self) {
        self.line.state.store(RESET, Ordering::Release);
    }

    /// The connection is reset after so many more bytes.
    pub(crate) fn tear_after(&self, bytes: usize) {
        self.line.left.store(bytes, Ordering::Release);
        self.line.state.store(TORN, Ordering::Release);
    }

    /// From now on neither side hears of the other: the connection is half open for good.
    pub(crate) fn die(&self) {
        self.line.state.store(DEAD, Ordering::Release);
    }

    /// True if [`Peer::die`] was called.
    pub(crate) fn is_dead(&self) -> bool {
        self.line.state.load(Ordering::Acquire) == DEAD
    }

    /// Bytes leave one by one, or as usual again.
    pub(crate) fn drip(&self, drips: bool) {
        let (from, to) = if drips { (GOOD, DRIPPING) } else { (DRIPPING, GOOD) };
        // A connection that is reset or dead stays so.
        let _ = self.line.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl Connected<IncomingStream<'_, Resettable>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Resettable>) -> Peer {
        stream.remote_addr().clone()
    }
}

/// The listener.
pub(crate) struct Resettable(pub(crate) TcpListener);

impl Listener for Resettable {
    type Io = Connection;
    type Addr = Peer;

    async fn accept(&mut self) -> (Connection, Peer) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    let line = Arc::new(Line::default());
                    // Without it small frames wait for the reader's acknowledgement. A socket that refuses still works.
                    let _ = stream.set_nodelay(true);
                    return (Connection { stream, line: line.clone(), pause: None }, Peer { address, line });
                }
                Err(error) => {
                    // Out of descriptors, or a client that left early: neither ends the server.
                    tracing::debug!(%error, "accept");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.0.local_addr()?, line: Arc::default() })
    }
}

/// A socket that obeys its [`Peer`].
pub(crate) struct Connection {
    stream: TcpStream,
    line: Arc<Line>,
    /// The wait before the next byte of a dripping connection.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    fn state(&self) -> io::Result<u8> {
        match self.line.state.load(Ordering::Acquire) {
            RESET => Err(io::ErrorKind::ConnectionReset.into()),
            state => Ok(state),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.line.state.load(Ordering::Acquire) == RESET {
            // With a linger of zero, closing sends RST. If it cannot be set, the client sees FIN instead.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.state()? != DEAD {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        // A dead line carries nothing here, but a client that closes it is let go.
        loop {
            let mut ignored = [0; 1_024];
            let mut ignored = ReadBuf::new(&mut ignored);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut ignored))?;
            if ignored.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match self.state()? {
            DEAD => Poll::Ready(Ok(buffer.len())),
            DRIPPING if !buffer.is_empty() => {
                if let Some(pause) = &mut self.pause {
                    ready!(pause.as_mut().poll(cx));
                }
                self.pause = Some(Box::pin(tokio::time::sleep(DRIP)));
                Pin::new(&mut self.stream).poll_write(cx, &buffer[..1])
            }
            TORN => {
                let left = self.line.left.load(Ordering::Acquire).min(buffer.len());
                if left == 0 && !buffer.is_empty() {
                    self.line.state.store(RESET, Ordering::Release);
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &buffer[..left]))?;
                self.line.left.fetch_sub(written, Ordering::AcqRel);
                Poll::Ready(Ok(written))
            }
            _ => Pin::new(&mut self.stream).poll_write(cx, buffer),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.state()? {
            DEAD => Poll::Ready(Ok(())),
            _ => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}
