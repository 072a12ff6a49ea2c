//! Servers → log.
//!
//! Events come from a server's live stream ([`way::live`]), from its timeline page by page ([`way::poll`]), and from recorded files
//! ([`replay`]). Each event is admitted or skipped ([`admit`], and the operator's [`admission`]). An admitted event becomes an Avro record and is
//! appended to the log before it is counted and before a bookmark moves past it. [`collector`] collects servers side
//! by side; a server that fails is tried again and affects no other; a log that fails ends the run.
//!
//! [`server`] is who is asked, [`way`] how it is read; a server knows nothing of the ways.

pub mod admission;
pub mod admit;
pub mod collector;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod replay;
pub mod server;
pub mod way;

mod appender;
mod bookmarks;
mod counts;
mod history;
mod missed;
mod names;
mod opt_out;
mod pace;
mod records;
mod settings;

pub use counts::{Counts, ServerSnapshot, ServerState, Tally};
pub use history::Gap;
pub use missed::{Missed, missed};
pub use names::name_of as bookmark_name;
pub use opt_out::{OptOut, OptOutError};
pub use records::append_deletions;
pub use server::address::{self, ServerAddress};
pub use server::config::ServerConfig;
pub use server::error::SourceError;
pub use server::http::HttpSettings;
pub use server::reason::advice;
pub use server::timeline::{Hashtag, ListId, Timeline};
pub use server::token::Token;
pub use server::via::Via;
pub use settings::CollectorSettings;
pub use way::arrival::{Arrival, EventStream};
pub use way::cursor::Cursor;
pub use way::page::Page;
pub use way::source::{At, Source};
