//! A server to be read.

use crate::address::ServerAddress;
use crate::http::Token;
use crate::timeline::Timeline;

/// A server that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The server's address.
    pub address: ServerAddress,
    /// The timeline to be read.
    pub timeline: Timeline,
    /// A user's token; most servers let nobody stream without one.
    pub token: Option<Token>,
}
