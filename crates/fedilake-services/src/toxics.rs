//! A bad network: toxiproxy's API, as far as tests need it.

use serde_json::{Value, json};

use crate::http::{call, exchange};

/// A running toxiproxy.
#[derive(Debug, Clone)]
pub struct Toxics {
    api: String,
}

/// A proxy: a port that leads to a service. A proxy made by `Toxics::through` is closed when dropped.
#[derive(Debug)]
pub struct Proxy {
    api: String,
    name: String,
    listen: String,
    made: bool,
}

/// A fault of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toxic {
    /// Data comes late by so many milliseconds, plus or minus the jitter.
    Latency {
        /// Milliseconds.
        ms: u64,
        /// Milliseconds.
        jitter_ms: u64,
    },
    /// No data comes through, and the connection is closed after so many milliseconds. 0 never closes it: a black
    /// hole.
    Timeout {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is reset after so many milliseconds.
    ResetPeer {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is closed after so many bytes: an answer cut in the middle.
    LimitData {
        /// Bytes.
        bytes: u64,
    },
    /// At most so many kilobytes a second.
    Bandwidth {
        /// Kilobytes a second.
        kb_s: u64,
    },
}

/// A direction of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// From the client to the service: requests. A black hole here loses requests.
    Up,
    /// From the service to the client: answers. A black hole here loses answers to requests that were carried out.
    Down,
}

impl Toxics {
    /// The toxiproxy whose API is at this URL (`Services::proxy`).
    pub fn at(api: &str) -> Self {
        Self { api: api.to_owned() }
    }

    /// An existing proxy: `kafka`, `registry` and `s3` are there from the start. In the shared set all tests use
    /// them: add no toxics.
    pub fn proxy(&self, name: &str) -> Proxy {
        let answer = call("GET", &self.api, &format!("/proxies/{name}"), None);
        self.named(&answer, false)
    }

    /// Makes a proxy for this test to `upstream` (`host:port`, or a URL of one), on a free port. The name must be
    /// unique to the test.
    pub fn through(&self, name: &str, upstream: &str) -> Proxy {
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/');
        let body = json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true});
        let answer = call("POST", &self.api, "/proxies", Some(&body));
        self.named(&answer, true)
    }

    fn named(&self, answer: &Value, made: bool) -> Proxy {
        let text = |key: &str| answer[key].as_str().expect("a proxy has a name and an address").to_owned();
        Proxy { api: self.api.clone(), name: text("name"), listen: text("listen"), made }
    }
}

impl Proxy {
    /// The address for clients, `host:port`.
    pub fn address(&self) -> &str {
        &self.listen
    }

    /// Adds a toxic to one direction, also for open connections. At most one toxic of a kind in a direction.
    pub fn add(&self, stream: Stream, toxic: Toxic) {
        let (kind, attributes) = match toxic {
            Toxic::Latency { ms, jitter_ms } => ("latency", json!({"latency": ms, "jitter": jitter_ms})),
            Toxic::Timeout { ms } => ("timeout", json!({"timeout": ms})),
            Toxic::ResetPeer { ms } => ("reset_peer", json!({"timeout": ms})),
            Toxic::LimitData { bytes } => ("limit_data", json!({"bytes": bytes})),
            Toxic::Bandwidth { kb_s } => ("bandwidth", json!({"rate": kb_s})),
        };
        let stream = match stream {
            Stream::Up => "upstream",
            Stream::Down => "downstream",
        };
        let body = json!({"type": kind, "stream": stream, "toxicity": 1.0, "attributes": attributes});
        call("POST", &self.api, &format!("/proxies/{}/toxics", self.name), Some(&body));
    }

    /// Removes every toxic that `add` added.
    pub fn clear(&self) {
        let answer = call("GET", &self.api, &format!("/proxies/{}/toxics", self.name), None);
        for toxic in answer.as_array().expect("a list of toxics") {
            let toxic = toxic["name"].as_str().expect("a toxic has a name");
            call("DELETE", &self.api, &format!("/proxies/{}/toxics/{toxic}", self.name), None);
        }
    }

    /// Closes every connection and accepts no more, as if the cable were unplugged.
    pub fn down(&self) {
        self.enable(false);
    }

    /// Accepts connections again.
    pub fn up(&self) {
        self.enable(true);
    }

    fn enable(&self, enabled: bool) {
        call("POST", &self.api, &format!("/proxies/{}", self.name), Some(&json!({"enabled": enabled})));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // If the set is gone, the proxy is gone too.
        if self.made {
            let _ = exchange("DELETE", &self.api, &format!("/proxies/{}", self.name), None);
        }
    }
}
