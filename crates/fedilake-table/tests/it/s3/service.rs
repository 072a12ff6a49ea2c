//! The S3 store that tests use, and a network proxy before it.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use fedilake_table::s3::{Environment, S3, S3Settings, S3Url};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "fedilake";
pub(crate) const SECRET: &str = "fedilake-secret";

/// The URL that `variable` names, or None after saying that `test` is skipped.
pub(crate) fn service(test: &str, variable: &str, what: &str) -> Option<String> {
    let found = env::var(variable).ok().filter(|value| !value.is_empty());
    if found.is_none() {
        let required = env::var_os("FEDILAKE_REQUIRE_SERVICES").is_some_and(|value| !value.is_empty());
        assert!(!required, "{test}: no {what} here\nhint: run `make services`");
        let _ = writeln!(std::io::stderr(), "skipped: {test}: no {what} here ({variable} is not set)");
    }
    found
}

/// The store's endpoint.
pub(crate) fn store(test: &str) -> Option<String> {
    service(test, "FEDILAKE_TEST_S3", "S3 store")
}

/// A place of its own in the bucket, asked with `key` and `secret`.
pub(crate) fn place(endpoint: &str, key: &str, secret: &str) -> S3 {
    let url = S3Url::parse(&format!("s3://fedilake/test-table/{}", uuid::Uuid::new_v4())).unwrap();
    open(&url, endpoint, key, secret)
}

pub(crate) fn open(url: &S3Url, endpoint: &str, key: &str, secret: &str) -> S3 {
    let settings = S3Settings { endpoint: Some(endpoint.to_owned()), ..S3Settings::default() };
    let variables = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)];
    S3::open(url, &settings, &Environment::of(&variables)).unwrap()
}

/// A proxy of the test's own before the store; it goes when this is dropped.
pub(crate) struct Proxy {
    api: String,
    name: String,
    pub(crate) endpoint: String,
}

impl Proxy {
    pub(crate) fn new(api: &str, upstream: &str) -> Proxy {
        let name = format!("table-{}", uuid::Uuid::new_v4());
        let upstream = upstream.trim_start_matches("http://");
        let made = call(
            api,
            "POST",
            "/proxies",
            &json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true}),
        );
        let endpoint = format!("http://{}", made["listen"].as_str().unwrap());
        Proxy { api: api.to_owned(), name, endpoint }
    }

    pub(crate) fn add(&self, kind: &str, stream: &str, toxicity: f64, attributes: &Value) {
        let toxic = json!({"type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes});
        call(&self.api, "POST", &format!("/proxies/{}/toxics", self.name), &toxic);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        call(&self.api, "DELETE", &format!("/proxies/{}", self.name), &Value::Null);
    }
}

fn call(api: &str, method: &str, path: &str, body: &Value) -> Value {
    let host = api.trim_start_matches("http://").trim_end_matches('/');
    let body = body.to_string();
    let mut connection = TcpStream::connect(host).unwrap();
    write!(connection, "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.split(' ').nth(1).unwrap().starts_with('2'), "{method} {path}: {answer}");
    serde_json::from_str(body).unwrap_or_default()
}
