//! A simulation: servers started, watched and stopped together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::access::Feed;
use super::audit::{Audit, Held};
use super::connection::{Peer, Resettable};
use super::fault::Fault;
use super::limits::{RateLimits, USER_REQUESTS};
use super::live_post::Map;
use super::manner::Manner;
use super::message::Message;
use super::routes::{self, Fleet};
use super::scopes::Scopes;
use super::script::Script;
use super::scripted::Answer;
use super::server::{Nature, Server};
use super::software::Software;
use super::stage::{Stage, State};
use super::tokens::Holder;
use super::truth::{ServerTotals, TruthPost};
use super::visits::Visit;
use super::world::World;

/// Settings of a simulation. The default is five servers with 500 posts a second on free ports of 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the first server; the others take the ports after it. Port 0: each takes a free one.
    pub listen: SocketAddr,
    /// Number of servers; at least one is started.
    pub servers: usize,
    /// Posts a second over all servers, each counted once however many servers show it. 0: only those by hand.
    pub rate: f64,
    /// Seed of everything but the times.
    pub seed: u64,
    /// Tokens of users, with scope `read`, that every server knows. A known token has a rate limit of its own.
    pub tokens: Vec<String>,
    /// `/oauth/authorize` lets each app in at once instead of showing a page that asks.
    pub approves: bool,
    /// Streams want one of the tokens, as real servers do since 4.2; 401 without.
    pub stream_needs_token: bool,
    /// Software of the servers, over and over again; none: all are Mastodon's.
    pub software: Vec<Software>,
    /// Share of the Mastodon and GoToSocial servers whose members have another domain than the server's host, as `ann@ann.example` has
    /// her home on `social.ann.example`. The fourth server's is `server-3.example` then.
    pub apart: f64,
    /// Access for readers without a token.
    pub feed: Feed,
    /// A CDN keeps pages of those without a token for so long; `None`: there is none. Mastodon asks it to keep them for 15 s.
    pub cached: Option<Duration>,
    /// Share of posts by members of these servers; the rest comes from hosts that are not served.
    pub local_ratio: f64,
    /// Servers that show a post, its home among them. More than there are means all.
    pub reach: usize,
    /// Share of posts that are edited, once or twice, within a minute.
    pub edits: f64,
    /// Share of posts that are deleted, half of them at once.
    pub deletes: f64,
    /// Share of posts that arrive 1 to 30 minutes after their `created_at`, with ids of that time.
    pub backdated: f64,
    /// Median time until another server shows a post; none but the late ones takes longer than 20 times that.
    pub delay: Duration,
    /// Share of sightings at other servers that are late: they take up to `late_max`, and half of them less than a tenth of it.
    pub late: f64,
    /// The longest time until another server shows a post that is late.
    pub late_max: Duration,
    /// Other servers show a post as late as was observed, times this, instead of by `delay` and `late`: 95% within 2 s, 4% within 12 s,
    /// 0.8% within a minute, 0.2% within five. 0: by `delay` and `late`.
    pub tail: f64,
    /// Faults from the start on.
    pub script: Script,
    /// Interval between heartbeats of a stream, and half of that between pings of a WebSocket.
    pub heartbeat: Duration,
    /// Rate limits of the servers.
    pub limits: RateLimits,
    /// Requests to the API for a user with all of her tokens together, in the window of [`RateLimits::requests`].
    pub user_requests: u32,
    /// The forms in which limits and waits are told; `None`: as each software does.
    pub manner: Option<Manner>,
    /// Posts that are there at the start, as far apart as `rate` says (a second, if it is 0).
    pub history: u64,
    /// Posts after which no more are published, beside the history.
    pub posts_max: Option<u64>,
    /// Pages of more posts are refused with 400, as by some software; `None`: they get as many as are allowed.
    pub page_limit_max: Option<usize>,
    /// Requests that each server keeps for [`Simulation::visits`], the last ones.
    pub visits_max: usize,
    /// Posts that a server remembers. All servers together remember at most 4 million.
    pub recent_max: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            servers: 5,
            rate: 500.0,
            seed: 7,
            tokens: Vec::new(),
            approves: false,
            stream_needs_token: false,
            software: Vec::new(),
            apart: 0.0,
            feed: Feed::Public,
            cached: None,
            local_ratio: 0.5,
            reach: 4,
            edits: 0.02,
            deletes: 0.03,
            backdated: 0.001,
            delay: Duration::from_millis(800),
            late: 0.0,
            late_max: Duration::from_secs(300),
            tail: 0.0,
            script: Script::default(),
            heartbeat: Duration::from_secs(15),
            limits: RateLimits::default(),
            user_requests: USER_REQUESTS,
            manner: None,
            history: 0,
            posts_max: None,
            page_limit_max: None,
            visits_max: 0,
            recent_max: 200_000,
        }
    }
}

/// The error of a simulation that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not one of this machine.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's error.
        source: io::Error,
    },
    /// More servers than ports from the first one on.
    #[error("no room for {servers} servers from port {port} on")]
    Ports {
        /// Number of servers asked for.
        servers: usize,
        /// The first port.
        port: u16,
    },
}

/// Posts that a simulation keeps over all servers.
const RECENT_TOTAL_MAX: usize = 4_000_000;
/// Events that wait for slow streams over all servers.
const BACKLOG_TOTAL: usize = 131_072;

/// Longest wait for connections to close at the stop.
const STOP_MAX: Duration = Duration::from_secs(1);

/// Starts the servers; they run until `shutdown` is cancelled or the simulation is stopped or dropped.
pub async fn serve(config: Config, shutdown: CancellationToken) -> Result<Simulation, ServeError> {
    let config = Config { servers: config.servers.max(1), ..config };
    let mut listeners = Vec::with_capacity(config.servers);
    for index in 0..config.servers {
        listeners.push(bind(&config, index).await?);
    }
    let addresses: Vec<SocketAddr> = listeners.iter().map(|(_, address)| *address).collect();
    let map = Arc::new(Map::new(&config, &addresses));
    let stopping = shutdown.child_token();
    let fleet: Fleet = Arc::new(
        addresses
            .iter()
            .enumerate()
            .map(|(index, address)| {
                Arc::new(Server::new(Nature {
                    index,
                    address: *address,
                    map: map.clone(),
                    feed: config.feed,
                    stream_needs_token: config.stream_needs_token,
                    tokens: config.tokens.clone(),
                    approves: config.approves,
                    heartbeat: config.heartbeat,
                    limits: config.limits,
                    user_requests: config.user_requests,
                    manner: config.manner,
                    cached: config.cached,
                    page_limit_max: config.page_limit_max,
                    visits_max: config.visits_max,
                    recent_max: config.recent_max.min(RECENT_TOTAL_MAX / config.servers),
                    backlog_max: (BACKLOG_TOTAL / config.servers).clamp(256, 8_192),
                    stopping: stopping.clone(),
                }))
            })
            .collect(),
    );
    let script = config.script.clone();
    let world = World::new(config, map, fleet.clone(), now_ms());
    let stage = Arc::new(Stage::new(fleet.clone(), world, script));
    let tasks = TaskTracker::new();
    for ((listener, _), server) in listeners.into_iter().zip(fleet.iter()) {
        let app = routes::router(server.clone(), stage.clone()).into_make_service_with_connect_info::<Peer>();
        let stop = stopping.clone().cancelled_owned();
        let name = server.name().to_owned();
        let serving = axum::serve(Resettable(listener), app).with_graceful_shutdown(stop);
        let stopped = stopping.clone();
        tasks.spawn(async move {
            let late = async {
                stopped.cancelled().await;
                tokio::time::sleep(STOP_MAX).await;
            };
            tokio::select! {
                served = serving => if let Err(error) = served {
                    tracing::error!(%error, server = name, "serve");
                },
                // A client that does not read keeps its connection open; the server stops without waiting for it.
                () = late => {}
            }
        });
    }
    let (playing, until) = (stage.clone(), stopping.clone());
    tasks.spawn(async move { playing.play(&until).await });
    let (living, until) = (stage.clone(), stopping.clone());
    tasks.spawn(async move { living.live(&until).await });
    tasks.close();
    Ok(Simulation { stage, tasks, _stop: stopping.clone().drop_guard(), stopping })
}

async fn bind(config: &Config, index: usize) -> Result<(TcpListener, SocketAddr), ServeError> {
    let mut address = config.listen;
    if address.port() != 0 {
        let port = usize::from(address.port()) + index;
        let out_of_room = || ServeError::Ports { servers: config.servers, port: config.listen.port() };
        address.set_port(u16::try_from(port).map_err(|_| out_of_room())?);
    }
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A post that was published by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The post's uri: its identity on every server.
    pub uri: String,
    /// The post's id at its home.
    pub id: String,
}

/// A way to publish a post by hand.
#[derive(Clone, Copy, Debug)]
pub struct ByHand {
    /// The time that the author claims and that the id carries, in milliseconds since 1970; `None`: now.
    pub created_at_ms: Option<i64>,
    /// Streams carry it; else only timelines show it.
    pub streamed: bool,
}

impl Default for ByHand {
    fn default() -> ByHand {
        ByHand { created_at_ms: None, streamed: true }
    }
}

/// Running servers. Dropping a simulation stops its servers without waiting.
pub struct Simulation {
    stage: Arc<Stage>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    _stop: DropGuard,
}

impl Simulation {
    /// Addresses of the servers, in order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.stage.fleet.iter().map(|server| server.address).collect()
    }

    /// Returns a server's name in uris, `host:port`. Panics if there is no such server.
    pub fn name(&self, server: usize) -> &str {
        self.stage.fleet[server].name()
    }

    /// Returns the posts that the servers published and still remember: for each server by id, deleted ones included.
    pub fn truth(&self) -> Vec<TruthPost> {
        self.stage.fleet.iter().flat_map(|server| server.truth(0, usize::MAX)).collect()
    }

    /// Compares a collection of these servers' posts with the truth.
    pub fn audit(&self, held: impl IntoIterator<Item = Held>) -> Audit {
        Audit::of(&self.truth(), held)
    }

    /// Returns counts of the events that each server sent since its start, in order.
    pub fn totals(&self) -> Vec<ServerTotals> {
        self.stage.fleet.iter().map(|server| server.totals()).collect()
    }

    /// Returns the number of requests that came to that server, answered or not. Panics if there is no such server.
    pub fn requests(&self, server: usize) -> u64 {
        self.stage.fleet[server].visits.requests()
    }

    /// Returns the last requests that came to that server, oldest first: at most [`Config::visits_max`]. Panics if there is no such server.
    pub fn visits(&self, server: usize) -> Vec<Visit> {
        self.stage.fleet[server].visits.kept()
    }

    /// Returns the number of streams of that server that were opened, or that got an answer of [`Simulation::answer`] instead. What is
    /// published after a stream counts reaches it. Panics if there is no such server.
    pub fn streams(&self, server: usize) -> u64 {
        self.stage.fleet[server].visits.streams()
    }

    /// Answers requests in that server's stead, or with `None` no longer. `requests` is how the path begins, and perhaps a parameter that
    /// the query has: `/api/v1/streaming`, `/api/v1/timelines?min_id`. The answer that was set last goes first, and all of them before
    /// faults. Panics if there is no such server.
    pub fn answer(&self, server: usize, requests: &str, answer: Option<Answer>) {
        self.stage.fleet[server].answers.set(requests, answer);
    }

    /// Sends these bytes on every open SSE stream of that server. Panics if there is no such server.
    pub fn send(&self, server: usize, bytes: impl Into<Bytes>) {
        self.stage.fleet[server].send(Message::raw(bytes.into()));
    }

    /// Ends every open stream of that server; new ones are good. Panics if there is no such server.
    pub fn end_streams(&self, server: usize) {
        self.stage.fleet[server].ends.send_replace(());
    }

    /// Begins a fault at one server, or ends it with `None`. Without a duration the fault lasts until ended.
    /// Panics if there is no such server.
    pub fn set_fault(&self, server: usize, fault: Option<Fault>, lasts: Option<Duration>) {
        self.stage.fleet[server].faults.set(fault, lasts);
    }

    /// Gives out a token of that server with these scopes, as if a member had authorised an app. `None` if a word is no scope.
    /// Panics if there is no such server.
    pub fn token(&self, server: usize, holder: Holder, scope: &str) -> Option<String> {
        Some(self.stage.fleet[server].oauth().issue(holder, Scopes::parse(Some(scope))?, None))
    }

    /// Revokes a token of that server: its streams end cleanly, and each later request with it is refused. False if there is
    /// none, or it was revoked before. Panics if there is no such server.
    pub fn revoke(&self, server: usize, token: &str) -> bool {
        self.stage.fleet[server].oauth().tokens.revoke(token)
    }

    /// Publishes a post by a member of that server and shows it on all servers at once. When this returns, timelines
    /// hold it and it was handed to the open streams. Panics if there is no such server.
    pub fn publish(&self, server: usize) -> Published {
        self.publish_with(server, &ByHand::default())
    }

    /// The same in another way.
    pub fn publish_with(&self, server: usize, how: &ByHand) -> Published {
        let (uri, id) = self.stage.world().publish_by_hand(server, how, now_ms());
        Published { uri, id: self.stage.fleet[server].ids().text(id) }
    }

    /// Edits a post that was published by hand, on all servers at once; false if there is none with that uri.
    pub fn edit(&self, uri: &str) -> bool {
        self.stage.world().edit_by_hand(uri, now_ms())
    }

    /// Deletes a post that was published by hand, on all servers at once; false if there is none with that uri.
    pub fn delete(&self, uri: &str) -> bool {
        self.stage.world().delete_by_hand(uri, now_ms())
    }

    /// Takes a post that was published by hand off all servers without an event, as when its author is suspended; false if there is none
    /// with that uri.
    pub fn hide(&self, uri: &str) -> bool {
        self.stage.world().hide_by_hand(uri, now_ms())
    }

    /// Ends the posts of [`Config::rate`]: no further posts, sightings, edits or deletes. Posts shown so far stay, and posts by hand
    /// are still possible.
    pub fn end_flow(&self) {
        self.stage.world().end_flow();
    }

    /// Returns what goes on, and whether anything is still to come.
    pub fn state(&self) -> State {
        self.stage.state()
    }

    /// The posts of [`Config::posts_max`] are out, all their sightings, edits and deletes have happened, and the faults of
    /// [`Config::script`] are over.
    pub fn is_quiet(&self) -> bool {
        self.state().quiet
    }

    /// Waits until the faults of [`Config::script`] are over.
    pub async fn faults_over(&self) {
        self.stage.until(|state| state.faults_over).await;
    }

    /// Waits until [`Simulation::is_quiet`]; forever, if posts have no end.
    pub async fn quiet(&self) {
        self.stage.until(|state| state.quiet).await;
    }

    /// Stops the servers and waits until their connections are closed, or for a second.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.tasks.wait().await;
    }
}
