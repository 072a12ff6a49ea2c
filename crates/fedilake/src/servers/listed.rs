//! An entry of the list of servers: `{"url":"https://mastodon.social","timeline":"public"}`, with the host as its
//! key. With several timelines all of them follow, `"timelines":["public","hashtag:rust"]`; versions that know of one read the first.

use anyhow::Context;
use fedilake_collect::server::address::{self, ServerAddress};
use fedilake_collect::{ServerConfig, Timeline};
use serde::{Deserialize, Serialize};

use crate::servers::configured::{self, TokenOfFile};

/// The value of an entry. Fields that later versions add are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The URL of the server's API, without a slash at the end.
    pub url: String,
    /// The name of the first timeline, such as `public`.
    timeline: String,
    /// The names of all timelines, if they are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timelines: Vec<String>,
}

impl Listed {
    /// The entry of a server that is read in these timelines, of which there is at least one.
    pub fn new(address: &ServerAddress, timelines: &[Timeline]) -> Listed {
        let names: Vec<String> = timelines.iter().map(Timeline::to_string).collect();
        let timeline = names.first().expect("a server is read in a timeline").clone();
        Listed { url: address.to_string(), timeline, timelines: if names.len() > 1 { names } else { Vec::new() } }
    }

    pub fn parse(value: &str) -> anyhow::Result<Listed> {
        serde_json::from_str(value).with_context(|| format!("invalid entry of the list of servers: {value:?}"))
    }

    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts are JSON")
    }

    /// The names of its timelines.
    pub fn names(&self) -> &[String] {
        if self.timelines.is_empty() { std::slice::from_ref(&self.timeline) } else { &self.timelines }
    }

    /// Its timelines.
    pub fn timelines(&self) -> anyhow::Result<Vec<Timeline>> {
        self.names().iter().map(|name| timeline(name)).collect()
    }

    /// The server's address.
    pub fn address(&self) -> anyhow::Result<ServerAddress> {
        Ok(address::parse(&self.url)?)
    }

    /// How to read the server in each of its timelines, with its token from `tokens` if there is one.
    pub fn configs(&self, tokens: &[(String, TokenOfFile)]) -> anyhow::Result<Vec<ServerConfig>> {
        let address = self.address()?;
        let config = |timeline| configured::config(address.clone(), timeline, tokens);
        Ok(self.timelines()?.into_iter().map(config).collect())
    }
}

/// The timeline of a name.
pub fn timeline(name: &str) -> anyhow::Result<Timeline> {
    Timeline::parse(name).with_context(|| {
        format!("invalid timeline {name:?}: expected `public`, `local`, `remote`, `hashtag:TAG` or `list:ID`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_how_the_server_is_read() {
        let typed = address::parse("http://127.0.0.1:4000").unwrap();
        let text = Listed::new(&typed, &[Timeline::Local]).to_text();
        assert_eq!(text, r#"{"url":"http://127.0.0.1:4000","timeline":"local"}"#);
        let token = TokenOfFile { token: fedilake_collect::Token::new("abc").unwrap(), file: "abc.token".into() };
        let tokens = [("other.example".to_owned(), token.clone()), ("127.0.0.1:4000".to_owned(), token)];
        let configs = Listed::parse(&text).unwrap().configs(&tokens).unwrap();
        let [config] = &configs[..] else { panic!("{configs:?}") };
        assert_eq!((&config.address, &config.timeline, config.token.is_some()), (&typed, &Timeline::Local, true));
        for wrong in [
            "",
            "{}",
            r#"{"url":"x y","timeline":"public"}"#,
            r#"{"url":"a.example","timeline":"home"}"#,
            r#"{"url":"a.example","timeline":"public","timelines":["public","home"]}"#,
        ] {
            assert!(Listed::parse(wrong).and_then(|listed| listed.configs(&[])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_entry_with_several_timelines_names_the_first_as_earlier_versions_do() {
        let typed = address::parse("a.example").unwrap();
        let timelines = ["local", "hashtag:rust"].map(|name| timeline(name).unwrap());
        let listed = Listed::new(&typed, &timelines);
        let text = listed.to_text();
        assert_eq!(text, r#"{"url":"https://a.example","timeline":"local","timelines":["local","hashtag:rust"]}"#);
        let read = Listed::parse(&text).unwrap();
        assert_eq!((read.names(), read.timelines().unwrap()), (listed.names(), timelines.to_vec()));
        assert_eq!(read.configs(&[]).unwrap().len(), 2);
    }
}
