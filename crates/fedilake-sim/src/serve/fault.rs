//! Faults of a server, on demand.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::watch;
use tokio::time::Instant;

/// A fault of one server. The control routes below `/_sim/` go on working through all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Requests are taken and never answered; open streams say nothing.
    Hang,
    /// Open streams say nothing, not even a heartbeat; what happens meanwhile is lost to them. Requests are answered.
    Stall,
    /// Streams carry heartbeats only; what happens meanwhile is lost to them.
    Silent,
    /// Connections end with RST: each on its next request, open streams at once.
    Reset,
    /// Each API request gets 429, with rate limit headers as the server's [`Manner`](super::Manner) is.
    TooManyRequests,
    /// Each API request gets 500 and an HTML page.
    ServerError,
    /// Each API request gets 200 and an HTML page.
    Html,
    /// Streams and API answers hold a line that never ends.
    EndlessLine,
    /// Each stream gets one status of 100 MB, and each timeline page holds one.
    HugeStatus,
    /// Streams end cleanly, the open ones and each new one.
    Disconnect,
    /// Each API request gets 401, open streams end cleanly: the token was revoked.
    Unauthorized,
    /// API answers begin after 3 s, streams carry one event a second.
    Slow,
    /// Open streams are dead without a word: neither side hears of the other any more. Later connections are good.
    HalfOpen,
    /// Each stream is reset in the middle of its next event.
    Torn,
    /// Bytes of answers and streams leave one by one, 50 a second.
    Drip,
    /// Requests for streams are taken and never answered; open streams go on, pages are served.
    Headerless,
    /// The streaming server is away: open streams end, new ones get the proxy's 502. Pages are served.
    Restart,
    /// Streams carry events out of order, some of them twice, deletes before their updates.
    Shuffled,
    /// Nonsense stands between the events of streams: no JSON, unknown events, bytes that are no UTF-8.
    Malformed,
    /// Every token is refused, streams of those who have one end; who has none is served.
    Revoked,
    /// Each API request gets 403.
    Forbidden,
    /// Each API request gets 410.
    Gone,
    /// Each API request gets 422.
    Unprocessable,
    /// Each API request gets 502 and an HTML page.
    BadGateway,
    /// Each API request gets 503 and a Retry-After of two seconds, in the form of the server's [`Manner`](super::Manner).
    Unavailable,
    /// Each API request is sent on to the same port of `localhost`, which answers.
    Redirected,
    /// The server's clock is an hour ahead, in `Date` and in the times of its limits.
    Skewed,
    /// Streams carry heartbeats only and timelines are empty, as for an account whose filters hide everything.
    Blind,
}

impl Fault {
    /// Every fault, for tests that go through them.
    pub const ALL: [Fault; 28] = [
        Fault::Hang,
        Fault::Stall,
        Fault::Silent,
        Fault::Reset,
        Fault::TooManyRequests,
        Fault::ServerError,
        Fault::Html,
        Fault::EndlessLine,
        Fault::HugeStatus,
        Fault::Disconnect,
        Fault::Unauthorized,
        Fault::Slow,
        Fault::HalfOpen,
        Fault::Torn,
        Fault::Drip,
        Fault::Headerless,
        Fault::Restart,
        Fault::Shuffled,
        Fault::Malformed,
        Fault::Revoked,
        Fault::Forbidden,
        Fault::Gone,
        Fault::Unprocessable,
        Fault::BadGateway,
        Fault::Unavailable,
        Fault::Redirected,
        Fault::Skewed,
        Fault::Blind,
    ];

    /// The faults of scripts: those after which a reader can have everything again.
    pub(crate) fn drawn() -> &'static [Fault] {
        let [drawn @ .., Fault::Blind] = &Fault::ALL else { unreachable!("it is the last") };
        drawn
    }

    /// True if a reader of an open stream can tell: the stream ends, breaks, falls silent or never ends an event.
    pub fn is_felt_by_streams(self) -> bool {
        match self {
            Fault::Hang
            | Fault::Stall
            | Fault::Silent
            | Fault::Reset
            | Fault::EndlessLine
            | Fault::HugeStatus
            | Fault::Disconnect
            | Fault::Unauthorized
            | Fault::Slow
            | Fault::HalfOpen
            | Fault::Torn
            | Fault::Restart => true,
            // Revocation is felt by those who have a token, and a line that drips only in time.
            Fault::Revoked
            | Fault::Drip
            | Fault::TooManyRequests
            | Fault::ServerError
            | Fault::Html
            | Fault::Headerless
            | Fault::Shuffled
            | Fault::Malformed
            | Fault::Forbidden
            | Fault::Gone
            | Fault::Unprocessable
            | Fault::BadGateway
            | Fault::Unavailable
            | Fault::Redirected
            | Fault::Skewed
            | Fault::Blind => false,
        }
    }

    /// The name that `/_sim/fault?kind=` takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Hang => "hang",
            Fault::Stall => "stall",
            Fault::Silent => "silent",
            Fault::Reset => "reset",
            Fault::TooManyRequests => "429",
            Fault::ServerError => "500",
            Fault::Html => "html",
            Fault::EndlessLine => "endless_line",
            Fault::HugeStatus => "huge_status",
            Fault::Disconnect => "disconnect",
            Fault::Unauthorized => "unauthorized",
            Fault::Slow => "slow",
            Fault::HalfOpen => "half_open",
            Fault::Torn => "torn",
            Fault::Drip => "drip",
            Fault::Headerless => "no_headers",
            Fault::Restart => "restart",
            Fault::Shuffled => "shuffled",
            Fault::Malformed => "malformed",
            Fault::Revoked => "revoked",
            Fault::Forbidden => "403",
            Fault::Gone => "410",
            Fault::Unprocessable => "422",
            Fault::BadGateway => "502",
            Fault::Unavailable => "503",
            Fault::Redirected => "redirect",
            Fault::Skewed => "skew",
            Fault::Blind => "blind",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Fault, UnknownFault> {
        Fault::ALL.into_iter().find(|fault| fault.as_str() == name).ok_or_else(|| UnknownFault(name.to_owned()))
    }
}

/// The error for a name that no fault has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown fault {0:?}")]
pub struct UnknownFault(String);

/// A fault until a time, or until it is ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spell {
    fault: Option<Fault>,
    until: Option<Instant>,
}

/// The present fault of a server.
pub(crate) struct Faults(watch::Sender<Spell>);

impl Faults {
    pub(crate) fn new() -> Faults {
        Faults(watch::Sender::new(Spell::default()))
    }

    /// Begins a fault, or ends the present one.
    pub(crate) fn set(&self, fault: Option<Fault>, lasts: Option<Duration>) {
        let until = lasts.and_then(|lasts| Instant::now().checked_add(lasts));
        self.0.send_replace(Spell { fault, until });
    }

    /// A view that can wait for changes.
    pub(crate) fn watch(&self) -> Watch {
        Watch { spells: self.0.subscribe(), until: None }
    }
}

/// Sees a server's faults come and go.
pub(crate) struct Watch {
    spells: watch::Receiver<Spell>,
    /// The end of the fault that was seen last.
    until: Option<Instant>,
}

impl Watch {
    pub(crate) fn now(&mut self) -> Option<Fault> {
        let spell = *self.spells.borrow_and_update();
        let over = spell.until.is_some_and(|until| until <= Instant::now());
        self.until = spell.until.filter(|_| !over);
        if over { None } else { spell.fault }
    }

    /// Completes when the fault that [`Watch::now`] gave may have ended or another begun. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        let until = self.until;
        let end = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.spells.changed() => if changed.is_err() { std::future::pending().await },
            () = end => {}
        }
    }
}

const FILLER: &[u8] = &[b'a'; 64 * 1024];

/// `start`, then a line without an end, at about 64 MB/s at most.
pub(crate) fn endless_line(start: &'static str) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    futures::stream::unfold(Some(start), |start| async move {
        match start {
            Some(start) => Some((Ok(Bytes::from_static(start.as_bytes())), None)),
            None => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Some((Ok(Bytes::from_static(FILLER)), None))
            }
        }
    })
}

/// Length of a huge status's content, in bytes.
pub(crate) const HUGE_BYTES: usize = 100_000_000;

/// `before`, 100 MB of one letter, `after`, without ever holding them.
pub(crate) fn huge(before: String, after: String) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let filler = (0..HUGE_BYTES / FILLER.len() + 1).map(|_| Ok(Bytes::from_static(FILLER)));
    futures::stream::iter(
        std::iter::once(Ok(Bytes::from(before))).chain(filler).chain(std::iter::once(Ok(Bytes::from(after)))),
    )
}
