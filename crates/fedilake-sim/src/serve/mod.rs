//! N Mastodon servers on real sockets, federating with one another.
//!
//! The servers behave as real ones were observed to: streams that open with `:)\n` glued to the first
//! event, heartbeats as comments, no ids and no replay; deletes that overtake their update; timelines paged by ids
//! that are times; rate limits with ISO 8601 resets and no Retry-After.
//!
//! A server's name is its address, `127.0.0.1:4000`, and stands so in the uris of its members' posts
//! (`http://127.0.0.1:4000/users/una_berg/statuses/110…`): a collector that derives an origin from an account's address
//! and one that takes the server it read find the same. Posts by others than the members of these servers come from
//! invented hosts under `.example`.
//!
//! Memory is bounded: each server remembers its newest [`Config::recent_max`] posts, and so does [`Simulation::truth`].
//!
//! Beside the API, on every server's address:
//!
//! - `GET /_sim/truth?after=ID&limit=N`: this server's posts, as JSON lines of [`TruthPost`] in the order of ids
//!   (all of it without parameters).
//! - `GET /_sim/totals`: [`ServerTotals`].
//! - `POST /_sim/fault?kind=KIND&for=10s[&all=true]`: sets a [`Fault`] on this server, or on all; `kind=none` ends it.

mod access;
mod connection;
mod fault;
mod instance;
mod limits;
mod live_post;
mod routes;
mod server;
mod simulation;
mod stream;
mod timeline;
mod truth;
mod world;

pub use access::Feed;
pub use fault::Fault;
pub use limits::RateLimits;
pub use simulation::{Config, Published, ServeError, Simulation, serve};
pub use truth::{ServerTotals, TruthPost};
