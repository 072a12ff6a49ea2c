//! A server to be read.

use std::path::PathBuf;

use crate::server::address::ServerAddress;
use crate::server::timeline::Timeline;
use crate::server::token::Token;

/// A server that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The server's address.
    pub address: ServerAddress,
    /// The timeline to be read.
    pub timeline: Timeline,
    /// A user's token; most servers let nobody stream without one.
    pub token: Option<Token>,
    /// The file that the token comes from: it is read again when it changes, and there may be none yet.
    pub token_file: Option<PathBuf>,
}

impl ServerConfig {
    /// A server that is read without a token.
    pub fn new(address: ServerAddress, timeline: Timeline) -> ServerConfig {
        ServerConfig { address, timeline, token: None, token_file: None }
    }
}
