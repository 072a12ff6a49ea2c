//! One HTTP request and its answer over plain TCP: enough for toxiproxy's API, without an HTTP client's crates in
//! every test.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Sends a request with JSON. Panics if the service cannot be reached or answers with an error. An answer without a
/// body is null.
pub(crate) fn call(method: &str, base: &str, path: &str, body: Option<&Value>) -> Value {
    let (status, text) = exchange(method, base, path, body).unwrap_or_else(|e| panic!("{method} {base}{path}: {e}"));
    assert!((200..300).contains(&status), "{method} {base}{path}: HTTP {status}: {text}");
    if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).expect("the answer is JSON") }
}

/// Sends a request. Returns the answer's status and body.
pub(crate) fn exchange(method: &str, base: &str, path: &str, body: Option<&Value>) -> std::io::Result<(u16, String)> {
    let host = base.trim_start_matches("http://").trim_end_matches('/');
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut connection = TcpStream::connect(host)?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    // HTTP/1.0 has neither chunks nor kept connections: the answer ends where the connection ends.
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n");
    write!(connection, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}
