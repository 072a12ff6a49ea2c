//! Servers side by side → log; servers may come and go.
//!
//! A task for each server reads it by the best way that it allows and tries again, for ever, when that fails; it disturbs no
//! other. Admitted events go through one bounded channel to the appender, so that a slow log holds the sockets back. A server's
//! bookmark follows its marks after the appends that they stand for.
//!
//! A server is read by its stream. While there is none its timeline is polled, and the stream is asked for again: after a second
//! at first, then less and less often.
//!
//! On shutdown the collectors stop, their deliveries are appended, and the bookmarks are saved, in this order. The history of
//! each timeline, the times in which it was not read and what was left out, is saved beside its bookmark, now and then; its last posts
//! are saved with the records of them.

use std::collections::{HashMap, HashSet};
use std::future;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fedilake_log::{Bookmarks, LogError, LogWriter};
use fedilake_model::{PostEvent, Server};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use reqwest::StatusCode;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::appender::{Appender, Delivery, Whence};
use crate::bookmarks::{Keeper, Saved};
use crate::counts::{Counts, ServerState};
use crate::names;
use crate::server::config::ServerConfig;
use crate::server::error::SourceError;
use crate::server::health::{Health, Note};
use crate::server::http::{Http, HttpError};
use crate::server::reason::advice;
use crate::server::timeline::Timeline;
use crate::server::via::Via;
use crate::settings::CollectorSettings;
use crate::way::arrival::{Arrival, EventStream};
use crate::way::backoff::{Backoff, jittered};
use crate::way::cursor::Cursor;
use crate::way::feed::Feed;
use crate::way::hearsay::Hearsay;
use crate::way::socket::Sockets;
use crate::way::source::Source;
use crate::way::{live, poll};

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The log failed. The log has every record that it acknowledged, and no bookmark is beyond those.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The HTTP client could not be made.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// The most deliveries on their way to the appender. Each holds one event, so a flood from any server takes some
/// megabytes here.
const DELIVERIES_MAX: usize = 1024;

/// The most changes that are made together.
const TOGETHER_MAX: usize = 1024;

/// A change of the collected servers.
#[derive(Clone, Debug)]
pub enum Change {
    /// Collects this server from its bookmark on. A server that is already collected goes on unchanged, unless its
    /// address or its token changed: then it is started again.
    Begin(ServerConfig),
    /// Stops collecting this timeline. Its accepted posts are appended.
    End(Server, Timeline),
    /// Collects exactly these servers: starts and stops what is needed. If a timeline is listed twice, the first
    /// entry counts.
    Only(Vec<ServerConfig>),
    /// Sends this contact to the servers from now on. A contact that is not valid in a header is refused with a
    /// warning.
    Contact(String),
}

/// Collects `servers` until `shutdown`, then returns when every accepted event is durable. Only a failing log ends it
/// early.
///
/// If a timeline is listed twice, such as one server in two spellings, the first entry counts.
pub async fn run(
    servers: Vec<ServerConfig>,
    settings: CollectorSettings,
    writer: Arc<dyn LogWriter>,
    bookmarks: Arc<dyn Bookmarks>,
    counts: Arc<Counts>,
    shutdown: CancellationToken,
) -> Result<(), CollectError> {
    let changes = stream::iter([Change::Only(servers)]).boxed();
    run_changing(changes, settings, writer, bookmarks, counts, shutdown).await
}

/// Like [`run`], for servers that change with `changes`. When `changes` ends, the present servers go on being
/// collected.
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
        counts: counts.clone(),
        sender: Some(sender),
        stop: shutdown.child_token(),
        collectors: JoinSet::new(),
        running: HashMap::new(),
        sockets: HashMap::new(),
        saved: HashMap::new(),
        hearsay: Arc::default(),
        returning: HashMap::new(),
    };
    let outcome = tokio::select! {
        appended = appender.run() => appended,
        error = keeper.save_at_times(settings.bookmark_interval) => Err(error),
        never = keeper.save_histories_at_times(&counts, settings.history_interval) => match never {},
        error = fleet.run(changes) => Err(error),
    };
    fleet.end().await;
    outcome?;
    keeper.save_histories(&counts).await;
    Ok(keeper.save().await?)
}

/// The running collectors.
struct Fleet {
    http: Http,
    settings: Arc<CollectorSettings>,
    keeper: Arc<Keeper>,
    counts: Arc<Counts>,
    /// Cloned into each new collector. Dropped at shutdown, which closes the appender's channel.
    sender: Option<mpsc::Sender<Delivery>>,
    stop: CancellationToken,
    /// The collectors' tasks. Each returns the name of its bookmark.
    collectors: JoinSet<Arc<str>>,
    /// The running collectors by the names of their bookmarks.
    running: HashMap<Arc<str>, Running>,
    /// The sockets of each server, shared by its timelines.
    sockets: HashMap<Server, Arc<Sockets>>,
    /// What was saved of timelines that begin together, by the names of their bookmarks; empty otherwise.
    saved: HashMap<String, Saved>,
    hearsay: Arc<Hearsay>,
    /// Servers whose collector is stopping and which are to be started again afterwards, by bookmark.
    returning: HashMap<Arc<str>, ServerConfig>,
}

struct Running {
    config: ServerConfig,
    stop: CancellationToken,
}

impl Fleet {
    /// Starts and stops collectors until it is cancelled. Returns only with an error of the log.
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
                    Some(change) => {
                        let mut together = vec![change];
                        while together.len() < TOGETHER_MAX
                            && let Some(Some(change)) = changes.next().now_or_never()
                        {
                            together.push(change);
                        }
                        self.change_all(together).await
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

    /// Makes changes that came together; what was saved of the servers that begin is looked up once.
    async fn change_all(&mut self, changes: Vec<Change>) -> Result<(), LogError> {
        let begun = changes.iter().flat_map(|change| match change {
            Change::Begin(config) => std::slice::from_ref(config),
            Change::Only(configs) => configs,
            Change::End(..) | Change::Contact(_) => &[],
        });
        let new = begun.filter(|config| !self.running.contains_key(&*names::name(config)));
        let new: Vec<&ServerConfig> = new.collect();
        if !new.is_empty() {
            self.saved = self.keeper.load_each(&new).await?;
        }
        for change in changes {
            self.change(change).await?;
        }
        self.saved.clear();
        Ok(())
    }

    async fn change(&mut self, change: Change) -> Result<(), LogError> {
        match change {
            Change::Begin(config) => self.begin(config).await?,
            Change::End(server, timeline) => self.end_one(&names::name_of(&server, &timeline)),
            Change::Only(configs) => self.begin_only(configs).await?,
            Change::Contact(contact) => {
                if let Err(error) = self.http.set_contact(&contact) {
                    tracing::warn!(%error, "the contact stays as it is");
                }
            }
        }
        Ok(())
    }

    async fn begin_only(&mut self, configs: Vec<ServerConfig>) -> Result<(), LogError> {
        let mut wanted: Vec<(Arc<str>, ServerConfig)> = Vec::new();
        let mut names: HashSet<Arc<str>> = HashSet::new();
        for config in configs {
            let name: Arc<str> = names::name(&config).into();
            if names.insert(name.clone()) {
                wanted.push((name, config));
            } else {
                tracing::info!(server = %config.address.server, "listed more than once; read once");
            }
        }
        let ended: Vec<Arc<str>> = self.running.keys().filter(|name| !names.contains(*name)).cloned().collect();
        ended.iter().for_each(|name| self.end_one(name));
        for (_, config) in wanted {
            self.begin(config).await?;
        }
        Ok(())
    }

    async fn begin(&mut self, config: ServerConfig) -> Result<(), LogError> {
        let name: Arc<str> = names::name(&config).into();
        if let Some(running) = self.running.get(&name) {
            if running.stop.is_cancelled() || running.config != config {
                running.stop.cancel();
                self.returning.insert(name, config);
            }
            return Ok(());
        }
        let Some(sender) = self.sender.clone() else { return Ok(()) };
        let saved = match self.saved.remove(&*name) {
            Some(saved) => saved,
            None => self.keeper.load_each(&[&config]).await?.into_values().next().unwrap_or_default(),
        };
        let stop = self.stop.child_token();
        let (server, timeline) = (config.address.server.clone(), config.timeline.clone());
        let recent = names::recent_of(&server, &timeline);
        let sockets = self.sockets.entry(server.clone()).or_default().clone();
        let counts = self.counts.register(server, timeline, &self.settings);
        let learned = counts.learned();
        if let Some(history) = saved.history {
            counts.restore(&history, Utc::now());
        }
        learned.restore_recent(&saved.recent, Utc::now());
        let hearsay = self.hearsay.clone();
        let source = Source::known(config.clone(), self.http.clone(), self.settings.clone(), learned, sockets, hearsay);
        let collector = Collector {
            from: Arc::new(Whence { bookmark: name.clone(), recent, counts }),
            source: Arc::new(source),
            place: saved.place,
            sender,
            stop: stop.clone(),
            stream_backoff: Backoff::default(),
            stream_at: Instant::now(),
            poll_backoff: Backoff::default(),
            health: Health::default(),
        };
        self.running.insert(name, Running { config, stop });
        self.collectors.spawn(collector.run());
        Ok(())
    }

    fn end_one(&mut self, name: &str) {
        self.returning.remove(name);
        if let Some(running) = self.running.get(name) {
            running.stop.cancel();
        }
    }

    /// Re-raises a collector's panic: swallowed, its server would silently go unread.
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
            // Without a sender no collector is started again, so the log is not read.
            let _ = self.ended(ended).await;
        }
    }
}

/// The task that reads one server.
struct Collector {
    from: Arc<Whence>,
    source: Arc<Source>,
    /// The place up to which the timeline was delivered.
    place: Option<Cursor>,
    sender: mpsc::Sender<Delivery>,
    stop: CancellationToken,
    stream_backoff: Backoff,
    /// When the stream is tried next.
    stream_at: Instant,
    poll_backoff: Backoff,
    health: Health,
}

/// The appender is gone: the run has ended.
struct Over;

impl Collector {
    async fn run(mut self) -> Arc<str> {
        let stop = self.stop.clone();
        let reading = async {
            loop {
                let stream = self.bridge().await?;
                self.follow(stream).await?;
            }
        };
        let _: Option<Result<(), Over>> = stop.run_until_cancelled(reading).await;
        self.from.counts.broke(Utc::now());
        self.from.counts.state(ServerState::Stopped);
        self.from.bookmark.clone()
    }

    /// Asks for the stream until it is open. Polls the timeline meanwhile, unless the stream comes at once.
    async fn bridge(&mut self) -> Result<Feed, Over> {
        let settings = self.source.clone();
        let settings = settings.settings();
        let mut opening: Option<BoxFuture<'static, Result<Feed, SourceError>>> = None;
        let mut polls: Option<EventStream> = None;
        let polls_only = settings.via == Via::Poll;
        let mut poll_at = Instant::now() + if polls_only { Duration::ZERO } else { settings.bridge_after };
        loop {
            tokio::select! {
                biased;
                opened = wait_for(&mut opening) => {
                    opening = None;
                    match opened {
                        Ok(stream) => {
                            if let Some(mut polls) = polls {
                                self.take_ready(&mut polls, false).await?;
                            }
                            return Ok(stream);
                        }
                        Err(error) => {
                            self.stream_failed(&error);
                            poll_at = poll_at.min(Instant::now());
                        }
                    }
                }
                () = sleep_until(self.stream_at), if opening.is_none() && !polls_only => {
                    if polls.is_none() {
                        self.from.counts.state(ServerState::Connecting);
                    }
                    let source = self.source.clone();
                    opening = Some(async move { source.stream().await }.boxed());
                }
                () = self.source.new_token() => {
                    // A request without it may be under way.
                    opening = None;
                    self.stream_backoff.reset();
                    self.stream_at = Instant::now();
                    poll_at = poll_at.min(Instant::now());
                }
                arrival = next_of(&mut polls) => match arrival {
                    Ok(arrival) => self.take(arrival, false).await?,
                    Err(error) => {
                        polls = None;
                        poll_at = Instant::now() + self.poll_failed(&error);
                    }
                },
                () = sleep_until(poll_at), if polls.is_none() => {
                    self.from.counts.state(ServerState::Polling);
                    polls = Some(poll::open(self.source.clone(), self.place.clone()));
                }
            }
        }
    }

    /// Reads the open stream to its end.
    async fn follow(&mut self, feed: Feed) -> Result<(), Over> {
        let opened_at = Instant::now();
        self.from.counts.state(ServerState::Live);
        self.health.stream_opened();
        let mut arrivals = live::follow(self.source.clone(), feed, self.place.clone());
        let source = self.source.clone();
        let mut disallowed = pin!(source.stream_disallowed());
        let error = loop {
            let arrival = tokio::select! {
                arrival = arrivals.next() => arrival,
                error = &mut disallowed => Some(Err(error)),
            };
            match arrival {
                Some(Ok(arrival)) => self.take(arrival, true).await?,
                Some(Err(error)) => break error,
                None => break SourceError::Ended,
            }
        };
        if matches!(error, SourceError::Disallowed { .. }) {
            self.take_ready(&mut arrivals, true).await?;
        }
        if opened_at.elapsed() >= self.source.settings().backoff_max {
            self.stream_backoff.reset();
        }
        self.from.counts.broke(Utc::now());
        self.stream_failed(&error);
        Ok(())
    }

    /// Delivers an arrival. A cancelled call has counted nothing.
    async fn take(&mut self, arrival: Arrival, is_live: bool) -> Result<(), Over> {
        let room = self.sender.clone().reserve_owned().await.map_err(|_| Over)?;
        if let Some(delivery) = self.delivery(arrival, is_live) {
            room.send(delivery);
        }
        Ok(())
    }

    /// Delivers what a source that is given up has ready. It would be missing: the server's next source takes it for known.
    async fn take_ready(&mut self, arrivals: &mut EventStream, is_live: bool) -> Result<(), Over> {
        while let Some(Some(Ok(arrival))) = arrivals.next().now_or_never() {
            self.take(arrival, is_live).await?;
        }
        Ok(())
    }

    /// Counts an arrival. Returns the delivery to the appender, if it makes one.
    fn delivery(&mut self, arrival: Arrival, is_live: bool) -> Option<Delivery> {
        let (from, counts) = (self.from.clone(), &self.from.counts);
        match arrival {
            Arrival::Event(event) => {
                counts.arrived(&event, Utc::now());
                let admission = &self.source.settings().admission;
                // By the ids that the server knows, which a hashed post no longer has.
                let is_kept = admission.keeps(&event);
                if is_kept {
                    self.source.hold(&event);
                }
                if let PostEvent::Deleted(deletion) = &event {
                    self.source.forget(&deletion.id);
                }
                let author = event.post().filter(|_| !is_kept).map(|post| (post.author.clone(), post.observed_at));
                let mut admitted = admission.admit(event);
                if let Some(skipped) = admitted.skipped {
                    counts.skip(skipped, Utc::now());
                    // Whoever has a lake deletes the rest.
                    if let Some((author, at)) = author.filter(|_| skipped.is_of_author()) {
                        let held = self.source.let_go(&author).into_iter().map(|id| id.as_str().to_owned());
                        let server = &self.source.config().address.server;
                        admitted.deletes.extend(admission.deletes(server, held, at));
                    }
                }
                if let Some(event) = &admitted.event {
                    counts.tally(|tally| tally.flaw(event));
                }
                if admitted.records() > 0 {
                    return Some(Delivery::Event { from, admitted });
                }
            }
            Arrival::Mark(place) => {
                self.place = Some(place.clone());
                return Some(Delivery::Mark { from, place });
            }
            Arrival::Duplicate => counts.tally(|tally| tally.duplicates += 1),
            Arrival::Unknown => counts.tally(|tally| tally.unknown += 1),
            Arrival::Rejected(rejected) => {
                tracing::debug!(server = %self.source.config().address.server, %rejected, "status not translated");
                counts.reject(rejected.reason.as_str(), Utc::now());
            }
            Arrival::GapFound => counts.gap_found(),
            Arrival::GapFilled => counts.gap_filled(),
            Arrival::Read => self.read(),
            Arrival::Whole => counts.caught_up(Utc::now()),
            Arrival::CaughtUp => {
                counts.caught_up(Utc::now());
                match is_live {
                    true => self.stream_works(),
                    false => self.polled(),
                }
            }
            Arrival::Trouble(error) => self.fill_failed(&error),
        }
        None
    }

    fn stream_failed(&mut self, error: &SourceError) {
        self.from.counts.failed(error);
        let settings = self.source.settings();
        let is_disallowed = matches!(error, SourceError::Disallowed { .. });
        let wait = if self.is_usual(error) && !is_disallowed {
            jittered(settings.live_retry_after)
        } else {
            self.stream_backoff.next_of_stream(error, settings)
        };
        self.stream_at = Instant::now() + wait;
        let note = self.health.stream_failed(error, Instant::now());
        self.tell(note, error);
    }

    fn stream_works(&mut self) {
        self.stream_backoff.reset();
        let note = self.health.stream_works(Instant::now());
        self.log(note);
    }

    /// The wait until the next poll.
    fn poll_failed(&mut self, error: &SourceError) -> Duration {
        self.from.counts.failed(error);
        self.from.counts.broke(Utc::now());
        let wait = self.poll_backoff.next(error, self.source.settings());
        self.from.counts.state(ServerState::BackingOff { until: Utc::now() + wait });
        let note = self.health.poll_failed(error, Instant::now());
        self.tell(note, error);
        wait
    }

    fn polled(&mut self) {
        self.poll_backoff.reset();
        self.from.counts.state(ServerState::Polling);
        let note = self.health.polled(Instant::now());
        if matches!(note, Some(Note::Up(_))) {
            self.stream_at = self.stream_at.min(Instant::now());
        }
        self.log(note);
    }

    fn read(&mut self) {
        self.poll_backoff.reset();
        let note = self.health.filled(Instant::now());
        self.log(note);
    }

    fn fill_failed(&mut self, error: &SourceError) {
        self.from.counts.fill_failed(error);
        let note = self.health.fill_failed(error, Instant::now());
        self.tell(note, error);
    }

    /// True for refusals that are common: most servers do not stream without a token, some do not stream at all.
    fn is_usual(&self, error: &SourceError) -> bool {
        let is_anonymous = self.source.config().token.is_none();
        match error {
            SourceError::NoStreaming | SourceError::Disallowed { .. } => true,
            SourceError::Refused { status, .. } => is_anonymous && *status == StatusCode::UNAUTHORIZED,
            _ => false,
        }
    }

    /// Logs a failure: at its level when an outage begins, at debug level while it lasts.
    fn tell(&self, note: Option<Note>, error: &SourceError) {
        if note.is_none() {
            tracing::debug!(server = %self.source.config().address.server, %error, "request failed");
        }
        self.log(note);
    }

    fn log(&self, note: Option<Note>) {
        let Some(note) = note else { return };
        let server = &self.source.config().address.server;
        let hint = |error: &SourceError| advice(error, server, self.source.config().token.is_some());
        match note {
            Note::Down(error @ SourceError::Disallowed { .. }) => {
                tracing::info!(%server, %error, "server is not read; its robots.txt is asked again every hour");
            }
            Note::Down(error) => {
                tracing::warn!(%server, %error, hint = hint(&error), "server cannot be read; trying again");
            }
            Note::Up(after) => tracing::info!(%server, "server is read again after {}", span(after)),
            Note::NoStream(error) if self.is_usual(&error) => {
                tracing::info!(%server, %error, "no stream; the timeline is polled");
            }
            Note::NoStream(error) => {
                tracing::warn!(%server, %error, hint = hint(&error), "no stream; the timeline is polled meanwhile");
            }
            Note::Stream(after) => {
                tracing::info!(%server, "server streams again, and nothing is missing, after {}", span(after))
            }
            Note::NoFill(error @ SourceError::Disallowed { .. }) => {
                tracing::info!(%server, %error, "the stream goes on, and the timeline is not read");
            }
            Note::NoFill(error) => {
                tracing::warn!(%server, %error, "the stream goes on, but the timeline cannot be read")
            }
            Note::Fill(after) => tracing::info!(%server, "the timeline is read again after {}", span(after)),
        }
    }
}

/// `0.4 s`, `12 s`, `5 min 7 s`, `3 h 20 min`.
fn span(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The result of the stream's opening, if one is under way; otherwise pending for ever.
async fn wait_for<T>(opening: &mut Option<BoxFuture<'static, T>>) -> T {
    match opening {
        Some(opening) => opening.await,
        None => future::pending().await,
    }
}

/// The next arrival of the stream; pending for ever without a stream.
async fn next_of(arrivals: &mut Option<EventStream>) -> Result<Arrival, SourceError> {
    match arrivals {
        Some(arrivals) => arrivals.next().await.unwrap_or(Err(SourceError::Ended)),
        None => future::pending().await,
    }
}
