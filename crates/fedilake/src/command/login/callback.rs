//! The port of this machine to which a browser brings the code.
//!
//! Anybody on this machine can ask there, so an answer without the state of this login is refused and waited on.

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};
use url::Url;

use crate::door::shown_in_line;
use crate::telemetry;

/// The path of the redirect.
const PATH: &str = "/fedilake/login";
/// How long a browser may take to say what it wants, and how much of it is read.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
const REQUEST_BYTES_MAX: usize = 16 << 10;

/// A port that waits for a code.
pub(super) struct Callback {
    listener: TcpListener,
    port: u16,
}

/// The answer of the server, by way of the browser.
#[derive(Debug, PartialEq, Eq)]
enum Arrived {
    Code(String),
    /// The person, or the server, said no.
    Refused(String),
    /// An answer to another login, or of somebody else.
    Foreign,
    /// Another page than that of the redirect.
    Elsewhere,
}

impl Callback {
    /// Takes a free port of loopback.
    pub async fn bind() -> anyhow::Result<Callback> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.context("listen on a port of this machine for the code\nhint: --paste needs none")?;
        let port = listener.local_addr().context("listen for the code")?.port();
        Ok(Callback { listener, port })
    }

    /// The address to which the server sends the browser.
    pub fn redirect(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the code that comes with `state`.
    pub async fn code(self, state: &str, server: &str) -> anyhow::Result<String> {
        let (sender, mut arrivals) = mpsc::channel(1);
        let accepting = async {
            loop {
                let Ok((socket, _)) = self.listener.accept().await else { continue };
                tokio::spawn(answer(socket, state.to_owned(), server.to_owned(), sender.clone()));
            }
        };
        let arrived = tokio::select! {
            never = accepting => never,
            arrived = arrivals.recv() => arrived.expect("a sender is kept"),
        };
        match arrived {
            Arrived::Code(code) => Ok(code),
            Arrived::Refused(why) => bail!(
                "{server} did not let fedilake in: {}\nhint: `fedilake login {server}` asks again",
                shown_in_line(&why)
            ),
            Arrived::Foreign | Arrived::Elsewhere => unreachable!("they are not sent"),
        }
    }
}

/// Answers one request, and passes on what it brought.
async fn answer(mut socket: TcpStream, state: String, server: String, found: mpsc::Sender<Arrived>) {
    let Ok(Some(target)) = timeout(REQUEST_WITHIN, target(&mut socket)).await else { return };
    let arrived = read(&target, &state);
    let (status, words) = match &arrived {
        Arrived::Code(_) => ("200 OK", "fedilake has the code. You can close this page; the terminal goes on."),
        Arrived::Refused(_) => ("200 OK", "fedilake was not let in. You can close this page."),
        Arrived::Foreign => ("400 Bad Request", "This is not the answer to the login that fedilake waits for."),
        Arrived::Elsewhere => ("404 Not Found", "There is nothing here."),
    };
    let page = format!("<!doctype html><meta charset=\"utf-8\"><title>fedilake</title><p>{words}</p>");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n",
        page.len()
    );
    // A browser that is gone has brought what it had.
    let _ = socket.write_all([head, page].concat().as_bytes()).await;
    let _ = socket.shutdown().await;
    match arrived {
        Arrived::Foreign => telemetry::say(&format!(
            "an answer with another state than this login's was left alone; still waiting for {server}\n\
             hint: use the address above, not that of an earlier login"
        )),
        Arrived::Elsewhere => {}
        arrived => drop(found.send(arrived).await),
    }
}

/// The target in a request's first line.
async fn target(socket: &mut TcpStream) -> Option<String> {
    let (mut request, mut part) = (Vec::new(), [0; 2048]);
    while !request.windows(4).any(|window| window == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        match socket.read(&mut part).await {
            Ok(0) | Err(_) => break,
            Ok(read) => request.extend_from_slice(&part[..read]),
        }
    }
    let line = String::from_utf8_lossy(&request).lines().next()?.to_owned();
    let mut words = line.split(' ');
    (words.next()? == "GET").then(|| words.next().map(str::to_owned)).flatten()
}

fn read(target: &str, state: &str) -> Arrived {
    let Ok(url) = Url::parse("http://127.0.0.1").and_then(|base| base.join(target)) else { return Arrived::Elsewhere };
    if url.path() != PATH {
        return Arrived::Elsewhere;
    }
    let value = |key: &str| url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned());
    if value("state").as_deref() != Some(state) {
        return Arrived::Foreign;
    }
    match (value("code"), value("error_description").or_else(|| value("error"))) {
        (Some(code), None) if !code.is_empty() => Arrived::Code(code),
        (_, Some(why)) => Arrived::Refused(why),
        _ => Arrived::Refused("it sent no code".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_this_login_counts() {
        let refused = |why: &str| Arrived::Refused(why.to_owned());
        for (target, expected) in [
            ("/fedilake/login?code=abc&state=s", Arrived::Code("abc".to_owned())),
            ("/fedilake/login?state=s&code=a%2Bb", Arrived::Code("a+b".to_owned())),
            ("/fedilake/login?code=abc&state=other", Arrived::Foreign),
            ("/fedilake/login?code=abc", Arrived::Foreign),
            ("/fedilake/login", Arrived::Foreign),
            ("/fedilake/login?error=access_denied&state=s", refused("access_denied")),
            ("/fedilake/login?error=access_denied&error_description=no+way&state=s", refused("no way")),
            ("/fedilake/login?state=s", refused("it sent no code")),
            ("/favicon.ico", Arrived::Elsewhere),
            ("http://evil.example/fedilake/login?code=x&state=t", Arrived::Foreign),
        ] {
            assert_eq!(read(target, "s"), expected, "{target}");
        }
    }
}
