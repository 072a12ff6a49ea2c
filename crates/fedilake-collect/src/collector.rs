//! Servers side by side → log; they may come and go.
//!
//! A task a server reads it by the best way that it allows and tries again, for ever, when that fails; it disturbs no other.
//! What is admitted goes through one bounded channel to the appender, so that a slow log holds the sockets back. A server's
//! bookmark follows its marks after the appends that they stand for.
//!
//! On shutdown the collectors stop, what they handed over is appended, and the bookmarks are saved, in this order.

use std::collections::HashMap;
use std::future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fedilake_log::{Bookmarks, LogError, LogWriter};
use fedilake_model::Server;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::admit::admit;
use crate::appender::{Appender, Delivery, Whence};
use crate::arrival::{Arrival, EventStream};
use crate::backoff::{Backoff, jittered};
use crate::bookmarks::{self, Keeper};
use crate::counts::{Counts, ServerState};
use crate::cursor::Cursor;
use crate::error::SourceError;
use crate::http::{Http, HttpError};
use crate::server_config::ServerConfig;
use crate::settings::CollectorSettings;
use crate::source::Source;
use crate::timeline::Timeline;
use crate::{live, poll};

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The log failed. What it acknowledged is in it, and no bookmark is beyond that.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The client could not be made.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// One timeline was given twice: the two would move one bookmark.
    #[error("{0} is given twice")]
    Twice(String),
}

/// Deliveries on their way to the appender.
const DELIVERIES_MAX: usize = 1024;
/// Failures in a row of a stream that we may read, after which its timeline is polled for a while.
const LIVE_FAILURES_MAX: u32 = 3;

/// What is to be read, as it changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// Reads this server from its bookmark on; one that is being read already goes on as it is.
    Begin(ServerConfig),
    /// Reads this timeline no more. What was accepted of it is appended.
    End(Server, Timeline),
}

/// Reads `servers` until `shutdown`, then returns when all that was accepted is durable. Only a failing log ends it early.
pub async fn run(
    servers: Vec<ServerConfig>,
    settings: CollectorSettings,
    writer: Arc<dyn LogWriter>,
    bookmarks: Arc<dyn Bookmarks>,
    counts: Arc<Counts>,
    shutdown: CancellationToken,
) -> Result<(), CollectError> {
    let names: Vec<String> = servers.iter().map(bookmarks::name).collect();
    if let Some(twice) = names.iter().enumerate().find_map(|(i, name)| names[..i].contains(name).then_some(name)) {
        return Err(CollectError::Twice(twice.trim_start_matches("timeline/").to_owned()));
    }
    let changes = stream::iter(servers.into_iter().map(Change::Begin)).boxed();
    run_changing(changes, settings, writer, bookmarks, counts, shutdown).await
}

/// The same for servers that come and go. When `changes` ends, what is read then goes on.
pub async fn run_changing(
    changes: BoxStream<'static, Change>,
    settings: CollectorSettings,
    writer: Arc<dyn LogWriter>,
    bookmarks: Arc<dyn Bookmarks>,
    counts: Arc<Counts>,
    shutdown: CancellationToken,
) -> Result<(), CollectError> {
    let settings = Arc::new(settings);
    let keeper = Arc::new(Keeper::new(bookmarks));
    let (sender, deliveries) = mpsc::channel(DELIVERIES_MAX);
    let appender = Appender {
        deliveries,
        writer,
        keeper: keeper.clone(),
        events_max: settings.gather_events_max,
        time_max: settings.gather_time_max,
    };
    let mut fleet = Fleet {
        http: Http::new(settings.http.clone())?,
        settings: settings.clone(),
        keeper: keeper.clone(),
        counts,
        sender: Some(sender),
        stop: shutdown.child_token(),
        collectors: JoinSet::new(),
        running: HashMap::new(),
        returning: HashMap::new(),
    };
    let outcome = tokio::select! {
        appended = appender.run() => appended,
        error = keeper.save_at_times(settings.bookmark_interval) => Err(error),
        error = fleet.run(changes) => Err(error),
    };
    fleet.end().await;
    outcome?;
    Ok(keeper.save().await?)
}

/// The collectors that run.
struct Fleet {
    http: Http,
    settings: Arc<CollectorSettings>,
    keeper: Arc<Keeper>,
    counts: Arc<Counts>,
    /// For those that begin; gone when none does any more, so that the appender sees the end.
    sender: Option<mpsc::Sender<Delivery>>,
    stop: CancellationToken,
    /// Each says at its end whose it was.
    collectors: JoinSet<Arc<str>>,
    /// What stops each, by bookmark.
    running: HashMap<Arc<str>, CancellationToken>,
    /// Those that begin again when their end, which is under way, is reached.
    returning: HashMap<Arc<str>, ServerConfig>,
}

impl Fleet {
    /// Begins and ends collectors until they are to stop. Returns only with an error of the log.
    async fn run(&mut self, mut changes: BoxStream<'static, Change>) -> LogError {
        let mut is_open = true;
        loop {
            let done = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                ended = self.collectors.join_next(), if !self.collectors.is_empty() => {
                    self.ended(ended.expect("there is a collector")).await
                }
                change = changes.next(), if is_open => match change {
                    Some(Change::Begin(config)) => self.begin(config).await,
                    Some(Change::End(server, timeline)) => {
                        self.end_one(&bookmarks::name_of(&server, timeline));
                        Ok(())
                    }
                    None => {
                        is_open = false;
                        Ok(())
                    }
                },
            };
            if let Err(error) = done {
                return error;
            }
        }
        self.sender = None;
        future::pending().await
    }

    async fn begin(&mut self, config: ServerConfig) -> Result<(), LogError> {
        let name: Arc<str> = bookmarks::name(&config).into();
        if let Some(stop) = self.running.get(&name) {
            if stop.is_cancelled() {
                self.returning.insert(name, config);
            }
            return Ok(());
        }
        let Some(sender) = self.sender.clone() else { return Ok(()) };
        let place = self.keeper.load(&name).await?;
        let stop = self.stop.child_token();
        let counts = self.counts.register(config.address.server.clone(), config.timeline);
        let collector = Collector {
            from: Arc::new(Whence { bookmark: name.clone(), counts }),
            source: Arc::new(Source::new(config, self.http.clone(), self.settings.clone())),
            place,
            sender,
            stop: stop.clone(),
            live_backoff: Backoff::default(),
            poll_backoff: Backoff::default(),
            live_at: Instant::now(),
        };
        self.running.insert(name, stop);
        self.collectors.spawn(collector.run());
        Ok(())
    }

    fn end_one(&mut self, name: &str) {
        self.returning.remove(name);
        if let Some(stop) = self.running.get(name) {
            stop.cancel();
        }
    }

    /// A panic of a collector, which would else be a server that nobody reads, goes on here.
    async fn ended(&mut self, ended: Result<Arc<str>, JoinError>) -> Result<(), LogError> {
        let name = match ended {
            Ok(name) => name,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_cancelled) => return Ok(()),
            },
        };
        self.running.remove(&name);
        match self.returning.remove(&name) {
            Some(config) => self.begin(config).await,
            None => Ok(()),
        }
    }

    /// Stops all collectors and waits for their ends.
    async fn end(mut self) {
        self.stop.cancel();
        self.sender = None;
        while let Some(ended) = self.collectors.join_next().await {
            // None begins again without a sender, so the log is not asked.
            let _ = self.ended(ended).await;
        }
    }
}

/// The task that reads one server.
struct Collector {
    from: Arc<Whence>,
    source: Arc<Source>,
    /// Up to where the timeline was handed over.
    place: Option<Cursor>,
    sender: mpsc::Sender<Delivery>,
    stop: CancellationToken,
    live_backoff: Backoff,
    poll_backoff: Backoff,
    /// Its stream is not asked for before this.
    live_at: Instant,
}

/// How a way in ended.
enum End {
    Stopped,
    /// It is time to ask for the stream again.
    LiveIsDue,
    Failed(SourceError),
}

impl Collector {
    async fn run(mut self) -> Arc<str> {
        let stop = self.stop.clone();
        loop {
            let started = Instant::now();
            let is_live = started >= self.live_at;
            let end = if is_live { self.live().await } else { self.poll().await };
            let error = match end {
                End::Stopped => break,
                End::LiveIsDue => continue,
                End::Failed(error) => error,
            };
            if started.elapsed() >= self.source.settings().backoff_max {
                self.backoff(is_live).reset();
            }
            self.tell(&error, is_live);
            let wait = self.after(is_live, &error);
            self.from.counts.state(ServerState::BackingOff { until: Utc::now() + wait });
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(wait) => {}
            }
        }
        self.from.counts.state(ServerState::Stopped);
        self.from.bookmark.clone()
    }

    async fn live(&mut self) -> End {
        self.from.counts.state(ServerState::Connecting);
        let opened = tokio::select! {
            () = self.stop.cancelled() => return End::Stopped,
            opened = live::open(self.source.clone(), self.place.clone()) => opened,
        };
        match opened {
            Ok(arrivals) => {
                self.from.counts.state(ServerState::Live);
                self.pass_on(arrivals, true).await
            }
            Err(error) => End::Failed(error),
        }
    }

    async fn poll(&mut self) -> End {
        self.from.counts.state(ServerState::Polling);
        let arrivals = poll::open(self.source.clone(), self.place.clone());
        self.pass_on(arrivals, false).await
    }

    async fn pass_on(&mut self, mut arrivals: EventStream, is_live: bool) -> End {
        let (stop, live_at) = (self.stop.clone(), self.live_at);
        loop {
            let arrival = tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stopped,
                arrival = arrivals.next() => arrival,
                () = sleep_until(live_at), if !is_live => return End::LiveIsDue,
            };
            match arrival {
                Some(Ok(arrival)) => {
                    if self.take(arrival, is_live).await.is_err() {
                        return End::Stopped;
                    }
                }
                Some(Err(error)) => return End::Failed(error),
                None => return End::Failed(SourceError::Ended),
            }
        }
    }

    /// Fails when the appender is gone.
    async fn take(&mut self, arrival: Arrival, is_live: bool) -> Result<(), mpsc::error::SendError<Delivery>> {
        let from = &self.from;
        match arrival {
            Arrival::Event(event) => {
                self.from.counts.arrived(Utc::now());
                match admit(&event) {
                    Ok(()) => self.sender.send(Delivery::Event { from: from.clone(), event }).await?,
                    Err(skipped) => self.from.counts.tally(|tally| tally.skip(skipped)),
                }
            }
            Arrival::Mark(place) => {
                self.place = Some(place.clone());
                self.sender.send(Delivery::Mark { from: from.clone(), place }).await?;
            }
            Arrival::Duplicate => self.from.counts.tally(|tally| tally.duplicates += 1),
            Arrival::Unknown => self.from.counts.tally(|tally| tally.unknown += 1),
            Arrival::Rejected(rejected) => {
                tracing::debug!(server = %self.source.config().address.server, %rejected, "status not translated");
                self.from.counts.tally(|tally| tally.reject(rejected.reason.as_str()));
            }
            Arrival::CaughtUp => self.backoff(is_live).reset(),
            Arrival::Trouble(error) => self.tell(&error, false),
        }
        Ok(())
    }

    /// The failures of each way in are its own.
    fn backoff(&mut self, is_live: bool) -> &mut Backoff {
        if is_live { &mut self.live_backoff } else { &mut self.poll_backoff }
    }

    /// How long to wait, and whether to stream or to poll then.
    fn after(&mut self, is_live: bool, error: &SourceError) -> Duration {
        let (source, backoff) = (self.source.clone(), self.backoff(is_live));
        let settings = source.settings();
        match error {
            SourceError::Refused { .. } | SourceError::NoStreaming | SourceError::Malformed { .. } if is_live => {
                backoff.reset();
                self.live_at = Instant::now() + jittered(settings.live_retry_after);
                Duration::ZERO
            }
            SourceError::RateLimited { .. } => backoff.next(error, settings),
            _ if is_live && backoff.failures() >= LIVE_FAILURES_MAX => {
                self.live_at = Instant::now() + jittered(settings.backoff_max);
                jittered(settings.backoff_min)
            }
            _ => backoff.next(error, settings),
        }
    }

    /// Counts a failure. The first of its kind is a warning; whoever wants to know more looks at the counts. That a server lets
    /// nobody stream without a token is no failure to warn of.
    fn tell(&self, error: &SourceError, is_live: bool) {
        let config = self.source.config();
        let server = &config.address.server;
        let is_usual = is_live
            && config.token.is_none()
            && matches!(error, SourceError::Refused { .. } | SourceError::NoStreaming);
        if !self.from.counts.failed(error) {
            tracing::debug!(%server, %error, "server failed again");
        } else if is_usual {
            tracing::info!(%server, %error, "no stream; the timeline is polled");
        } else {
            tracing::warn!(%server, %error, "server failed; it is tried again");
        }
    }
}
