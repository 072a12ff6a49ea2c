//! A server to be read.

use crate::address::ServerAddress;
use crate::http::Token;
use crate::timeline::Timeline;

/// A server that is to be read.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it is.
    pub address: ServerAddress,
    /// What of it.
    pub timeline: Timeline,
    /// With whose permission; most servers let nobody stream without.
    pub token: Option<Token>,
}
