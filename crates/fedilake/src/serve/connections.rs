//! Connections to the server, bounded in number and, for strangers, in time.
//!
//! A **guest** has shown the data folder's secret, a **reader** is a browser or program that may read posts; everyone else is a
//! **stranger**. A stranger gets one answer a connection, and has little time for it, which nothing that it sends or reads extends. A
//! reader keeps its connection while it asks. When all places are taken, the oldest stranger leaves for whoever comes. So strangers and
//! readers take neither the descriptors that log and table need nor the places of guests and probes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::socket::{Socket, Tls};

/// The bounds of all connections.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Open connections.
    connections_max: usize,
    /// Guests among them.
    guests_max: usize,
    /// Readers among them.
    readers_max: usize,
    /// The time until a request is complete up to its body, since the opening.
    asks_within: Duration,
    /// The time until a stranger has its answer, since the opening.
    stranger_max: Duration,
    /// How long a reader's connection stays open without a request.
    idle_max: Duration,
}

/// Far below the usual limit of 1,024 descriptors. All questions that strangers may ask are answered at once.
const LIMITS: Limits = Limits {
    connections_max: 512,
    guests_max: 128,
    readers_max: 256,
    asks_within: Duration::from_secs(5),
    stranger_max: Duration::from_secs(30),
    idle_max: Duration::from_secs(20),
};
/// Pause after a failed accept: out of descriptors, or a client that left early.
const PAUSE: Duration = Duration::from_millis(50);
/// What a connection holds at most of what it reads, and of what it is to write. A longer head is refused.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// Answers with `routes` until `stop`, then ends when the answers under way have ended.
pub(super) async fn serve(listener: TcpListener, tls: Option<Tls>, routes: Router, stop: CancellationToken) {
    serve_within(LIMITS, listener, tls, routes, stop).await;
}

async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    tls: Option<Tls>,
    routes: Router,
    stop: CancellationToken,
) {
    let places = Arc::new(Places::new(limits));
    let routes = TowerToHyperService::new(routes);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let caller = places.admit().await;
                connections.spawn(open(stream, tls.clone(), routes.clone(), caller, limits, stop.clone()));
            }
            Err(error) => {
                tracing::debug!(%error, "accept");
                sleep(PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

/// Opens one connection, which takes a handshake with TLS, and answers on it.
async fn open(
    stream: TcpStream,
    tls: Option<Tls>,
    routes: TowerToHyperService<Router>,
    caller: Arc<Caller>,
    limits: Limits,
    stop: CancellationToken,
) {
    // Else the end of an answer waits until its beginning is acknowledged, which clients delay by 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "set TCP_NODELAY");
    }
    let socket = match tls {
        None => Socket::Plain(stream),
        Some(tls) => tokio::select! {
            opened = tls.accept(stream) => match opened {
                Ok(opened) => opened,
                Err(error) => return tracing::debug!(%error, "a handshake"),
            },
            () = stop.cancelled() => return,
            () = caller.gives_way.cancelled() => return,
            () = sleep(limits.asks_within) => return,
        },
    };
    converse(socket, routes, caller, limits, stop).await;
}

/// Answers on one connection, over HTTP/1 alone, until either side has enough of it.
async fn converse(
    socket: Socket,
    routes: TowerToHyperService<Router>,
    caller: Arc<Caller>,
    limits: Limits,
    stop: CancellationToken,
) {
    let answering = service_fn(|mut request: Request<Incoming>| {
        caller.has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Arc::clone(&caller));
        let asking = Asking::begin(&caller);
        let answer = routes.call(request);
        let caller = Arc::clone(&caller);
        async move {
            let mut answer = answer.await?;
            if !caller.stays() {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer.map(|body| Answer { body, asking }))
        }
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), answering);
    let mut time_is_over = pin!(caller.time_is_over(limits));
    let mut is_told = false;
    loop {
        tokio::select! {
            // What came in time is looked at first, however late this task is.
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection");
                }
                return;
            }
            () = stop.cancelled(), if !is_told => {
                is_told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            () = caller.gives_way.cancelled() => break,
            () = time_is_over.as_mut() => break,
        }
    }
    // Closed with RST: the kernel would keep an answer that nobody reads. If that cannot be set, it does.
    let _ = connection.into_parts().io.into_inner().tcp().set_zero_linger();
}

/// A request that is being answered, until the answer is sent or given up.
struct Asking(Arc<Caller>);

impl Asking {
    fn begin(caller: &Arc<Caller>) -> Asking {
        caller.asking.send_modify(|requests| *requests += 1);
        Asking(Arc::clone(caller))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.send_modify(|requests| *requests -= 1);
    }
}

/// An answer's body, which ends its request when it is dropped.
struct Answer {
    body: Body,
    asking: Asking,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        *lock(&self.asking.0.given_at) = matches!(frame, Poll::Ready(Some(_))).then(Instant::now);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The places for connections.
#[derive(Debug)]
struct Places {
    free: Arc<Semaphore>,
    free_for_guests: Arc<Semaphore>,
    free_for_readers: Arc<Semaphore>,
    opened: AtomicU64,
    /// Strangers by the number of their connection, so the oldest is the first; each leaves when its token is cancelled.
    strangers: Mutex<BTreeMap<u64, CancellationToken>>,
}

impl Places {
    fn new(limits: Limits) -> Places {
        assert!(limits.guests_max + limits.readers_max < limits.connections_max, "a place is left for strangers");
        Places {
            free: Arc::new(Semaphore::new(limits.connections_max)),
            free_for_guests: Arc::new(Semaphore::new(limits.guests_max)),
            free_for_readers: Arc::new(Semaphore::new(limits.readers_max)),
            opened: AtomicU64::new(0),
            strangers: Mutex::default(),
        }
    }

    /// Gives a new connection a place: a free one, else that of the oldest stranger. Waits only until that one has left, since guests
    /// and readers never have all places.
    async fn admit(self: &Arc<Self>) -> Arc<Caller> {
        let free = Arc::clone(&self.free);
        let place = match Arc::clone(&free).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                if let Some((_, gives_way)) = self.strangers().pop_first() {
                    gives_way.cancel();
                }
                free.acquire_owned().await.expect("the semaphore is never closed")
            }
        };
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let gives_way = CancellationToken::new();
        self.strangers().insert(number, gives_way.clone());
        Arc::new(Caller {
            number,
            places: Arc::clone(self),
            has_asked: AtomicBool::new(false),
            asking: watch::Sender::new(0),
            given_at: Mutex::default(),
            guest: OnceLock::new(),
            reader: OnceLock::new(),
            gives_way,
            _place: place,
        })
    }

    fn strangers(&self) -> MutexGuard<'_, BTreeMap<u64, CancellationToken>> {
        lock(&self.strangers)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The other side of a connection; has a place until it is dropped.
#[derive(Debug)]
pub(super) struct Caller {
    number: u64,
    places: Arc<Places>,
    /// True once a request was complete up to its body.
    has_asked: AtomicBool,
    /// Requests that are being answered.
    asking: watch::Sender<usize>,
    /// When the last part of an answer was given to the socket, which has not asked for the next one since.
    given_at: Mutex<Option<Instant>>,
    /// A guest's place among the guests.
    guest: OnceLock<OwnedSemaphorePermit>,
    /// A reader's place among the readers.
    reader: OnceLock<OwnedSemaphorePermit>,
    gives_way: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Caller {
    /// Makes it a guest, whose questions may run, and whose reading may pause, without limit. False if there are too many guests.
    pub(super) fn become_guest(&self) -> bool {
        if self.is_guest() {
            return true;
        }
        let Ok(place) = Arc::clone(&self.places.free_for_guests).try_acquire_owned() else { return false };
        self.places.strangers().remove(&self.number);
        // It fails if it is one already, by a request that came before.
        let _ = self.guest.set(place);
        true
    }

    /// Makes it a reader, which keeps its connection while it asks. Without a free place it stays a stranger, which is answered too.
    pub(super) fn become_reader(&self) {
        if self.stays() {
            return;
        }
        let Ok(place) = Arc::clone(&self.places.free_for_readers).try_acquire_owned() else { return };
        self.places.strangers().remove(&self.number);
        let _ = self.reader.set(place);
    }

    fn is_guest(&self) -> bool {
        self.guest.get().is_some()
    }

    /// True if its connection takes further requests.
    fn stays(&self) -> bool {
        self.is_guest() || self.reader.get().is_some()
    }

    /// Resolves when a stranger's time, which begins with this call, is over, or when a reader has asked nothing for long; never for a
    /// guest.
    async fn time_is_over(&self, limits: Limits) {
        let opened = Instant::now();
        sleep_until(opened + limits.asks_within).await;
        if !self.has_asked.load(Ordering::Relaxed) {
            return;
        }
        sleep_until(opened + limits.stranger_max).await;
        let mut asking = self.asking.subscribe();
        while self.stays() {
            if self.is_guest() {
                std::future::pending::<()>().await;
            }
            let is_idle = *asking.borrow_and_update() == 0;
            tokio::select! {
                _ = asking.changed() => {}
                () = sleep(limits.idle_max) => if is_idle || self.takes_nothing_for(limits.idle_max) { return },
            }
        }
    }

    /// True if a part of an answer has waited for so long for the socket.
    fn takes_nothing_for(&self, time: Duration) -> bool {
        lock(&self.given_at).is_some_and(|given_at| given_at.elapsed() >= time)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.places.strangers().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::SocketAddr;
    use std::sync::LazyLock;

    use anyhow::{Context, ensure};
    use axum::Extension;
    use axum::body::Bytes;
    use axum::routing::{get, post};
    use futures::{Stream, StreamExt};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
    use tokio::task::{JoinSet, yield_now};
    use tokio::time::timeout;
    use tokio_util::sync::DropGuard;

    use super::*;

    /// Far longer than any of the limits in these tests, and than what a busy machine adds.
    const PATIENCE: Duration = Duration::from_secs(60);
    /// No end of a test's time: who leaves is made to.
    const NEVER: Duration = Duration::from_secs(24 * 3_600);

    const SHORT: Limits = Limits {
        connections_max: 8,
        guests_max: 4,
        readers_max: 2,
        asks_within: Duration::from_millis(300),
        stranger_max: Duration::from_millis(900),
        idle_max: Duration::from_millis(300),
    };

    /// Larger than any socket's buffers.
    static LARGE: LazyLock<Bytes> = LazyLock::new(|| vec![b'x'; 32 << 20].into());
    const GUEST: &[u8] = b"GET /guest HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    /// A server with a page for everyone, a large one, an echo, and an answer for guests that comes when `late` is cancelled; each guest
    /// is noted in `came`.
    async fn start(
        limits: Limits,
        late: CancellationToken,
        came: Arc<Semaphore>,
    ) -> anyhow::Result<(SocketAddr, DropGuard)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, stop) = (listener.local_addr()?, CancellationToken::new());
        let guest = move |Extension(caller): Extension<Arc<Caller>>| async move {
            if !caller.become_guest() {
                return "too many";
            }
            came.add_permits(1);
            late.cancelled().await;
            "late"
        };
        let routes = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(|| async { LARGE.clone() }))
            .route("/parts", get(|| async { Body::from_stream(in_parts()) }))
            .route("/echo", post(|body: String| async { body }))
            .route("/reader", get(|Extension(caller): Extension<Arc<Caller>>| async move { caller.become_reader() }))
            .route("/guest", get(guest));
        tokio::spawn(serve_within(limits, listener, None, routes, stop.clone()));
        Ok((address, stop.drop_guard()))
    }

    /// Three parts, each of which is sent before the next is there.
    fn in_parts() -> impl Stream<Item = Result<Bytes, Infallible>> {
        futures::stream::iter(0..3).then(async |part: usize| {
            // The connection's task flushes when nothing more is ready.
            yield_now().await;
            Ok(Bytes::from(format!("part {part}\n")))
        })
    }

    fn came() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(0))
    }

    async fn send(address: SocketAddr, request: &[u8]) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        Ok(stream)
    }

    async fn answer(mut stream: TcpStream) -> anyhow::Result<String> {
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await??;
        Ok(answer)
    }

    async fn ask(address: SocketAddr, path: &str) -> anyhow::Result<String> {
        answer(send(address, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await?).await
    }

    /// What a stranger sends first, then again and again; and whether it reads.
    const STRANGERS: [(&str, &[u8], &[u8], bool); 8] = [
        ("silent", b"", b"", false),
        ("a head by the byte", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x", true),
        ("heads without end", b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: x\r\n", true),
        ("a body by the byte", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"x", true),
        ("request on request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("request on request, unread", b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", false),
        ("a large answer by the byte", b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", b"", true),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", b"", true),
    ];

    /// Goes on until the other side closes the connection.
    async fn persist(mut stream: TcpStream, more: &[u8], reads: bool) {
        let mut byte = [0];
        loop {
            if !more.is_empty()
                && timeout(Duration::from_millis(10), stream.write_all(more)).await.is_ok_and(|sent| sent.is_err())
            {
                return;
            }
            // The end is seen without a read, too.
            match timeout(Duration::from_millis(10), stream.ready(Interest::READABLE)).await {
                Ok(Ok(ready)) if !ready.is_read_closed() => {}
                Ok(_) => return,
                Err(_) => continue,
            }
            let read = if reads { stream.try_read(&mut byte) } else { Ok(1) };
            if matches!(&read, Ok(0)) || read.is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_strangers_time_is_over_whatever_it_sends_and_however_it_reads() -> anyhow::Result<()> {
        let (address, _stop) = start(SHORT, CancellationToken::new(), came()).await?;
        for (name, first, more, reads) in STRANGERS {
            let stream = send(address, first).await?;
            let left = timeout(PATIENCE, persist(stream, more, reads)).await;
            assert!(left.is_ok(), "{name}: the connection stays open");
        }
        Ok(())
    }

    #[tokio::test]
    async fn whoever_asks_is_answered_at_once_while_strangers_take_all_places() -> anyhow::Result<()> {
        // No time ends here: only a stranger that gives way makes room.
        let limits = Limits { asks_within: NEVER, stranger_max: NEVER, ..SHORT };
        for (name, first, more, reads) in STRANGERS {
            let (late, came) = (CancellationToken::new(), came());
            let (address, _stop) = start(limits, late.clone(), Arc::clone(&came)).await?;
            let guest = send(address, GUEST).await?;
            timeout(PATIENCE, came.acquire()).await??.forget();
            let mut strangers = JoinSet::new();
            for _ in 0..40 {
                let stream = send(address, first).await?;
                strangers.spawn(persist(stream, more, reads));
            }
            for _ in 0..3 {
                let answer = ask(address, "/").await?;
                assert!(answer.ends_with("here"), "{name}: {answer}");
            }
            // A guest keeps its place.
            late.cancel();
            let answer = answer(guest).await?;
            assert!(answer.ends_with("late"), "{name}: {answer}");
        }
        Ok(())
    }

    const READER: &[u8] = b"GET /reader HTTP/1.1\r\nHost: a\r\n\r\n";

    /// Reads an answer without a body.
    async fn read_head(stream: &mut TcpStream) -> anyhow::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await??);
        }
        Ok(String::from_utf8(head)?)
    }

    #[tokio::test]
    async fn a_reader_keeps_its_connection_while_it_asks_and_reads_and_no_longer() -> anyhow::Result<()> {
        let (address, _stop) = start(SHORT, CancellationToken::new(), came()).await?;
        let mut reader = send(address, READER).await?;
        let began = Instant::now();
        while began.elapsed() < 3 * SHORT.stranger_max {
            let head = read_head(&mut reader).await?;
            assert!(!head.contains("connection: close"), "{head}");
            sleep(SHORT.idle_max / 4).await;
            reader.write_all(READER).await?;
        }
        read_head(&mut reader).await?;
        timeout(PATIENCE, persist(reader, b"", true)).await.expect("a reader that asks nothing more leaves");
        let mut deaf = send(address, READER).await?;
        read_head(&mut deaf).await?;
        deaf.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await?;
        timeout(PATIENCE, persist(deaf, b"", false)).await.expect("a reader that does not read leaves");
        // Those without a place are answered as strangers.
        let mut readers = Vec::new();
        for number in 0..=SHORT.readers_max {
            let mut reader = send(address, READER).await?;
            let head = read_head(&mut reader).await?;
            assert_eq!(head.contains("connection: close"), number == SHORT.readers_max, "{head}");
            readers.push(reader);
        }
        Ok(())
    }

    /// A client acknowledges a first part 40 ms late, once it has asked a few times.
    #[tokio::test]
    async fn a_part_of_an_answer_does_not_wait_until_the_part_before_is_acknowledged() -> anyhow::Result<()> {
        let limits = Limits { asks_within: NEVER, stranger_max: NEVER, idle_max: NEVER, ..SHORT };
        let (address, _stop) = start(limits, CancellationToken::new(), came()).await?;
        let mut stream = send(address, READER).await?;
        stream.set_nodelay(true)?;
        read_head(&mut stream).await?;
        let mut times = Vec::new();
        for _ in 0..60 {
            let began = Instant::now();
            stream.write_all(b"GET /parts HTTP/1.1\r\nHost: a\r\n\r\n").await?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"0\r\n\r\n") {
                ensure!(timeout(PATIENCE, stream.read_buf(&mut answer)).await?? > 0, "the connection ended");
            }
            times.push(began.elapsed());
        }
        let fastest = times[40..].iter().min().context("no answers")?;
        ensure!(*fastest < Duration::from_millis(20), "answers took {times:?}");
        Ok(())
    }

    #[tokio::test]
    async fn a_guest_may_wait_for_longer_than_a_stranger_and_guests_leave_places_for_others() -> anyhow::Result<()> {
        let (late, came) = (CancellationToken::new(), came());
        let (address, _stop) = start(SHORT, late.clone(), Arc::clone(&came)).await?;
        let mut guests = Vec::new();
        for _ in 0..SHORT.guests_max {
            guests.push(send(address, GUEST).await?);
        }
        timeout(PATIENCE, came.acquire_many(SHORT.guests_max as u32)).await??.forget();
        assert!(ask(address, "/guest").await?.ends_with("too many"));
        assert!(ask(address, "/").await?.ends_with("here"));
        // All of a stranger's time.
        let stranger = send(address, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await?;
        timeout(PATIENCE, persist(stranger, b"", false)).await?;
        late.cancel();
        for guest in guests {
            let answer = answer(guest).await?;
            assert!(answer.ends_with("late"), "{answer}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_stranger_has_one_answer_a_connection() -> anyhow::Result<()> {
        let (address, _stop) = start(Limits { stranger_max: NEVER, ..SHORT }, CancellationToken::new(), came()).await?;
        let twice = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
        let mut stream = send(address, &twice).await?;
        let mut answers = Vec::new();
        // The close with a request unread may be a reset.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answers)).await?;
        let answers = String::from_utf8_lossy(&answers).into_owned();
        assert!(answers.matches("HTTP/1.1 200").count() <= 1 && !answers.contains("HTTP/2"), "{answers}");
        Ok(())
    }
}
