//! An entry of the list of servers: `{"url":"https://mastodon.social","timeline":"public"}`, with the host as its
//! key.

use anyhow::Context;
use fedilake_collect::address::{self, ServerAddress};
use fedilake_collect::{ServerConfig, Timeline, Token};
use serde::{Deserialize, Serialize};

use crate::command::collecting;

/// The value of an entry. Fields that later versions add are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    /// The URL of the server's API, without a slash at the end.
    pub url: String,
    /// `public` or `local`.
    pub timeline: String,
}

impl Listed {
    pub(super) fn new(address: &ServerAddress, timeline: Timeline) -> Listed {
        Listed { url: address.to_string(), timeline: timeline.as_str().to_owned() }
    }

    pub(super) fn parse(value: &str) -> anyhow::Result<Listed> {
        serde_json::from_str(value).with_context(|| format!("invalid entry of the list of servers: {value:?}"))
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("two texts are JSON")
    }

    pub(super) fn timeline(&self) -> anyhow::Result<Timeline> {
        let text = &self.timeline;
        Timeline::parse(text).with_context(|| format!("invalid timeline {text:?}: expected `public` or `local`"))
    }

    /// How to read the server, with its token from `tokens` if there is one.
    pub(super) fn config(&self, tokens: &[(String, Token)]) -> anyhow::Result<ServerConfig> {
        Ok(collecting::config(address::parse(&self.url)?, self.timeline()?, tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_how_the_server_is_read() {
        let typed = address::parse("http://127.0.0.1:4000").unwrap();
        let text = Listed::new(&typed, Timeline::Local).to_text();
        assert_eq!(text, r#"{"url":"http://127.0.0.1:4000","timeline":"local"}"#);
        let token = Token::new("abc").unwrap();
        let tokens = [("other.example".to_owned(), token.clone()), ("127.0.0.1:4000".to_owned(), token)];
        let config = Listed::parse(&text).unwrap().config(&tokens).unwrap();
        assert_eq!((config.address, config.timeline, config.token.is_some()), (typed, Timeline::Local, true));
        for wrong in ["", "{}", r#"{"url":"x y","timeline":"public"}"#, r#"{"url":"a.example","timeline":"home"}"#] {
            assert!(Listed::parse(wrong).and_then(|listed| listed.config(&[])).is_err(), "{wrong}");
        }
    }
}
