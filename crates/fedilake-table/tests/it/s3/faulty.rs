//! A server in front of the store that gives wrong answers on purpose.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The store's answer is passed on.
    Pass,
    /// The request is answered with this status, and the store never sees it.
    Refused(u16),
    /// The store carries the request out, and the answer is lost.
    Lost,
    /// The store carries the request out, and the answer says that it failed, with this status.
    Belied(u16),
    /// Half of the answer comes.
    Torn,
    /// The answer comes late.
    Late,
}

/// Decides the fate from a request's method and its number.
pub(crate) type Decide = Arc<dyn Fn(&str, u64) -> Fate + Send + Sync>;

/// The server. It ends when the value is dropped.
pub(crate) struct Faulty {
    pub(crate) endpoint: String,
    pub(crate) faults: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Every fault in turn, at random, for a third of the requests.
pub(crate) fn by_dice(seed: u64) -> Decide {
    Arc::new(move |method, number| {
        let mut dice = ChaCha8Rng::seed_from_u64(seed ^ (number << 20));
        match dice.random_range(0..24) {
            0 => Fate::Refused(500),
            1 => Fate::Refused(503),
            2 => Fate::Belied(500),
            3 => Fate::Belied(503),
            4 | 5 => Fate::Lost,
            6 => Fate::Torn,
            7 => Fate::Late,
            8 if method == "PUT" => Fate::Refused(409),
            _ => Fate::Pass,
        }
    })
}

impl Faulty {
    /// Starts a server in front of `upstream`, a URL.
    pub(crate) async fn before(upstream: &str, decide: Decide) -> Faulty {
        let upstream: Arc<str> = upstream.trim_start_matches("http://").into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (numbers, faults) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let accepting = tokio::spawn({
            let faults = faults.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (upstream, decide, numbers, faults) =
                        (upstream.clone(), decide.clone(), numbers.clone(), faults.clone());
                    tokio::spawn(async move {
                        // A client that went away is no fault of the server.
                        let _ = serve(client, &upstream, &decide, &numbers, &faults).await;
                    });
                }
            }
        });
        Faulty { endpoint, faults, accepting }
    }

    /// Answers every request with `status` and, unless that is 200, an S3 error of `code`.
    pub(crate) async fn always(status: u16, code: &'static str) -> Faulty {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let accepting = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = message(&mut client).await;
                    client.write_all(&error(status, code)).await
                });
            }
        });
        Faulty { endpoint, faults: Arc::default(), accepting }
    }
}

/// Serves one request of a connection.
async fn serve(
    mut client: TcpStream,
    upstream: &str,
    decide: &Decide,
    numbers: &AtomicU64,
    faults: &AtomicU64,
) -> io::Result<()> {
    let request = message(&mut client).await?;
    let method = String::from_utf8_lossy(&request[..request.len().min(8)]).split(' ').next().unwrap().to_owned();
    let fate = decide(&method, numbers.fetch_add(1, Relaxed));
    if fate != Fate::Pass {
        faults.fetch_add(1, Relaxed);
    }
    if let Fate::Refused(status) = fate {
        return client.write_all(&error(status, "InternalError")).await;
    }
    let answer = ask(upstream, &request).await?;
    match fate {
        Fate::Lost => Ok(()),
        Fate::Belied(status) => client.write_all(&error(status, "InternalError")).await,
        Fate::Torn => client.write_all(&answer[..answer.len() / 2]).await,
        Fate::Late => {
            tokio::time::sleep(Duration::from_millis(200)).await;
            client.write_all(&answer).await
        }
        Fate::Pass | Fate::Refused(_) => client.write_all(&answer).await,
    }
}

async fn ask(upstream: &str, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut store = TcpStream::connect(upstream).await?;
    let line_end = request.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    store.write_all(&request[..line_end]).await?;
    store.write_all(b"Connection: close\r\n").await?;
    store.write_all(&request[line_end..]).await?;
    let mut answer = Vec::new();
    store.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Reads a head, and the body with the length that the head gives.
async fn message(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length =
                text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
            if bytes.len() >= head + 4 + length.unwrap_or(0) {
                return Ok(bytes);
            }
        }
        if from.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn error(status: u16, code: &str) -> Vec<u8> {
    let body =
        if status == 200 { String::new() } else { format!("<Error><Code>{code}</Code><Message>so</Message></Error>") };
    format!("HTTP/1.1 {status} So\r\nETag: \"e\"\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}
