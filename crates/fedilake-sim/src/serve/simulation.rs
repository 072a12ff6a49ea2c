//! A simulation: servers started, watched and stopped together.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::access::Feed;
use super::connection::{Peer, Resettable};
use super::fault::Fault;
use super::limits::RateLimits;
use super::live_post::Map;
use super::routes::{self, Fleet};
use super::server::{Nature, Server};
use super::truth::{ServerTotals, TruthPost};
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
    /// Tokens that the servers know. A known token has a rate limit of its own.
    pub tokens: Vec<String>,
    /// Streams want one of the tokens, as real servers do since 4.2; 401 without.
    pub stream_needs_token: bool,
    /// Access for readers without a token.
    pub feed: Feed,
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
    /// Interval between heartbeats of a stream.
    pub heartbeat: Duration,
    /// Rate limits of the servers.
    pub limits: RateLimits,
    /// Posts that are there at the start, as far apart as `rate` says (a second, if it is 0).
    pub history: u64,
    /// Posts after which no more are published, beside the history.
    pub posts_max: Option<u64>,
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
            stream_needs_token: false,
            feed: Feed::Public,
            local_ratio: 0.5,
            reach: 4,
            edits: 0.02,
            deletes: 0.03,
            backdated: 0.001,
            delay: Duration::from_millis(800),
            late: 0.0,
            late_max: Duration::from_secs(300),
            heartbeat: Duration::from_secs(15),
            limits: RateLimits::default(),
            history: 0,
            posts_max: None,
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
/// Interval between steps of the world.
const TICK: Duration = Duration::from_millis(5);

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
    let map = Arc::new(Map { seed: config.seed, names: addresses.iter().map(SocketAddr::to_string).collect() });
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
                    heartbeat: config.heartbeat,
                    limits: config.limits,
                    recent_max: config.recent_max.min(RECENT_TOTAL_MAX / config.servers),
                    backlog_max: (BACKLOG_TOTAL / config.servers).clamp(256, 8_192),
                    stopping: stopping.clone(),
                }))
            })
            .collect(),
    );
    let tasks = TaskTracker::new();
    for ((listener, _), server) in listeners.into_iter().zip(fleet.iter()) {
        let app = routes::router(server.clone(), fleet.clone()).into_make_service_with_connect_info::<Peer>();
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
    let world = Arc::new(Mutex::new(World::new(config, map, fleet.clone(), now_ms())));
    tasks.spawn(live(world.clone(), stopping.clone()));
    tasks.close();
    Ok(Simulation { fleet, world, tasks, _stop: stopping.clone().drop_guard(), stopping })
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

async fn live(world: Arc<Mutex<World>>, stopping: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => lock(&world).advance(now_ms()),
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Running servers. Dropping a simulation stops its servers without waiting.
pub struct Simulation {
    fleet: Fleet,
    world: Arc<Mutex<World>>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    _stop: DropGuard,
}

impl Simulation {
    /// Addresses of the servers, in order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.fleet.iter().map(|server| server.address).collect()
    }

    /// Returns a server's name in uris, `host:port`. Panics if there is no such server.
    pub fn name(&self, server: usize) -> &str {
        self.fleet[server].name()
    }

    /// Returns the posts that the servers published and still remember: for each server by id, deleted ones included.
    pub fn truth(&self) -> Vec<TruthPost> {
        self.fleet.iter().flat_map(|server| server.truth(0, usize::MAX)).collect()
    }

    /// Returns counts of the events that each server sent since its start, in order.
    pub fn totals(&self) -> Vec<ServerTotals> {
        self.fleet.iter().map(|server| server.totals()).collect()
    }

    /// Begins a fault at one server, or ends it with `None`. Without a duration the fault lasts until ended.
    /// Panics if there is no such server.
    pub fn set_fault(&self, server: usize, fault: Option<Fault>, lasts: Option<Duration>) {
        self.fleet[server].faults.set(fault, lasts);
    }

    /// Publishes a post by a member of that server and shows it on all servers at once. When this returns, timelines
    /// hold it and it was handed to the open streams. Panics if there is no such server.
    pub fn publish(&self, server: usize) -> Published {
        let (uri, id) = lock(&self.world).publish_by_hand(server, now_ms());
        Published { uri, id: id.to_string() }
    }

    /// Edits a post that was published by hand, on all servers at once; false if there is none with that uri.
    pub fn edit(&self, uri: &str) -> bool {
        lock(&self.world).edit_by_hand(uri, now_ms())
    }

    /// Deletes a post that was published by hand, on all servers at once; false if there is none with that uri.
    pub fn delete(&self, uri: &str) -> bool {
        lock(&self.world).delete_by_hand(uri, now_ms())
    }

    /// Ends the posts of [`Config::rate`]: no further posts, sightings, edits or deletes. Posts shown so far stay, and posts by hand
    /// are still possible.
    pub fn end_flow(&self) {
        lock(&self.world).end_flow();
    }

    /// The posts of [`Config::posts_max`] are out, and all their sightings, edits and deletes have happened.
    pub fn is_quiet(&self) -> bool {
        lock(&self.world).is_quiet()
    }

    /// Stops the servers and waits until their connections are closed, or for a second.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.tasks.wait().await;
    }
}
