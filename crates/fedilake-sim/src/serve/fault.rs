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
    /// Each API request gets 429, with rate limit headers and no Retry-After.
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
}

impl Fault {
    /// Every fault, for tests that go through them.
    pub const ALL: [Fault; 12] = [
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
    ];

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
