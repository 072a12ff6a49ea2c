//! N Mastodon servers on real sockets, federating with one another.
//!
//! The servers behave as real ones were observed to: streams that open with `:)\n` glued to the first
//! event, heartbeats as comments, no ids and no replay; deletes that overtake their update; timelines paged by ids
//! that are times; rate limits with ISO 8601 resets and no Retry-After (other software has other forms).
//!
//! A server's name is its address, `127.0.0.1:4000`, and stands so in the uris of its members' posts
//! (`http://127.0.0.1:4000/users/una_berg/statuses/110…`): a collector that derives an origin from an account's address
//! and one that takes the server it read find the same, but for servers of [`Config::apart`]. Posts by others than the
//! members of these servers come from invented hosts under `.example`.
//!
//! Memory is bounded: each server remembers its newest [`Config::recent_max`] posts, and so does [`Simulation::truth`].
//!
//! Beside the API, on every server's address:
//!
//! - `GET /_sim/truth?after=ID&limit=N`: this server's posts, as JSON lines of [`TruthPost`] in the order of ids
//!   (all of it without parameters).
//! - `GET /_sim/totals`: [`ServerTotals`].
//! - `GET /_sim/state`: what goes on at all servers, and whether anything is still to come: a [`State`].
//! - `POST /_sim/audit`: compares posts with the truth of all servers, JSON lines of `uri` and `edited_at` (a time or null), as
//!   `fedilake sql --format ndjson 'SELECT uri, edited_at FROM posts'` prints them; answers with an [`Audit`].
//! - `POST /_sim/token?scope=read[&holder=app]`: gives out a token, as if a member had authorised an app.
//! - `POST /_sim/revoke[?token=TOKEN]`: revokes a token, or all of this server.
//! - `POST /_sim/fault?kind=KIND&for=10s[&all=true]`: sets a [`Fault`] on this server, or on all; `kind=none` ends it.

mod access;
mod answer;
mod apps;
mod audit;
mod authorization;
mod cache;
mod channel;
mod connection;
mod control;
mod fault;
mod grant;
mod instance;
mod limits;
mod listener;
mod live_post;
mod manner;
mod member;
mod message;
mod oauth;
mod parameters;
mod routes;
mod scopes;
mod script;
mod scripted;
mod server;
mod simulation;
mod socket;
mod software;
mod stage;
mod stream;
mod streaming;
mod timeline;
mod timelines;
mod tokens;
mod truth;
mod visits;
mod world;

pub use access::Feed;
pub use audit::{Audit, Held};
pub use fault::Fault;
pub use limits::RateLimits;
pub use manner::{Manner, Reset, RetryAfter};
pub use script::{Script, Step};
pub use scripted::Answer;
pub use simulation::{ByHand, Config, Published, ServeError, Simulation, serve};
pub use software::{Software, UnknownSoftware};
pub use stage::State;
pub use tokens::Holder;
pub use truth::{ServerTotals, TruthPost};
pub use visits::Visit;
