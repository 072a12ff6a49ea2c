//! Servers → log.
//!
//! Sources of events: a server's live stream ([`live`]), its timeline page by page ([`poll`]), and recorded files
//! ([`replay`]). Each event is admitted or skipped ([`admit`], and the operator's [`admission`]). An admitted event becomes an Avro record and is
//! appended to the log before it is counted and before a bookmark moves past it. [`collector`] collects servers side
//! by side; a server that fails is tried again and affects no other; a log that fails ends the run.

pub mod about;
pub mod address;
pub mod admission;
pub mod admit;
mod again;
pub mod collector;
pub mod feed;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod http;
pub mod limits;
pub mod live;
pub mod poll;
pub mod replay;
pub mod robots;
pub mod sse;

mod appender;
mod arrival;
mod backoff;
mod bookmarks;
mod counts;
mod cursor;
mod delay;
mod error;
mod gap;
mod gone;
mod guard;
mod health;
mod hearsay;
mod history;
mod instance;
mod late;
mod learned;
mod mark;
mod missed;
mod number;
mod opt_out;
mod pace;
mod page;
mod permission;
mod places;
mod reason;
mod recent;
mod records;
mod rhythm;
mod seen;
mod server_config;
mod settings;
mod socket;
mod source;
mod timeline;
mod token;
mod via;
mod watch;

pub use address::ServerAddress;
pub use arrival::{Arrival, EventStream};
pub use bookmarks::name_of as bookmark_name;
pub use counts::{Counts, ServerSnapshot, ServerState, Tally};
pub use cursor::Cursor;
pub use error::SourceError;
pub use history::Gap;
pub use http::HttpSettings;
pub use missed::{Missed, missed};
pub use opt_out::{OptOut, OptOutError};
pub use page::Page;
pub use reason::advice;
pub use records::append_deletions;
pub use server_config::ServerConfig;
pub use settings::CollectorSettings;
pub use source::{At, Source};
pub use timeline::{Hashtag, ListId, Timeline};
pub use token::Token;
pub use via::Via;
