//! Servers → log.
//!
//! Sources of events: a server's live stream ([`live`]), its timeline page by page ([`poll`]), and recorded files
//! ([`replay`]). Each event is admitted or skipped ([`admit`]). An admitted event becomes an Avro record and is
//! appended to the log before it is counted and before a bookmark moves past it. [`collector`] collects servers side
//! by side; a server that fails is tried again and affects no other; a log that fails ends the run.

pub mod address;
pub mod admit;
mod again;
pub mod collector;
pub mod http;
pub mod limits;
pub mod live;
pub mod poll;
pub mod replay;
pub mod sse;

mod appender;
mod arrival;
mod backoff;
mod bookmarks;
mod counts;
mod cursor;
mod error;
mod gap;
mod gone;
mod guard;
mod health;
mod history;
mod instance;
mod late;
mod mark;
mod missed;
mod page;
mod records;
mod rhythm;
mod seen;
mod server_config;
mod settings;
mod source;
mod timeline;
mod watch;

pub use address::ServerAddress;
pub use arrival::{Arrival, EventStream};
pub use bookmarks::name_of as bookmark_name;
pub use counts::{Counts, ServerSnapshot, ServerState, Tally};
pub use cursor::Cursor;
pub use error::SourceError;
pub use history::Gap;
pub use http::{HttpSettings, Token};
pub use missed::{Missed, missed};
pub use page::Page;
pub use server_config::ServerConfig;
pub use settings::CollectorSettings;
pub use source::{At, Source};
pub use timeline::Timeline;
