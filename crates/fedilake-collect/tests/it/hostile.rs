//! Hostile servers: their costs are bounded, the attack is named, and other servers are not affected.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fedilake_collect::{ServerConfig, Timeline, address};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::memory::MemoryLog;
use crate::run::{Run, settings, until};
use crate::single::Single;
use crate::status::{status, with};

/// The bytes of an answer, and what follows them.
#[derive(Clone)]
struct Answer {
    begin: Vec<u8>,
    /// Bytes that are sent again and again at this interval; `None` for an answer that ends.
    then: Option<(Vec<u8>, Duration)>,
}

impl Answer {
    fn whole(head: &str, body: &[u8]) -> Answer {
        let mut begin = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{head}\r\n", body.len()).into_bytes();
        begin.extend_from_slice(body);
        Answer { begin, then: None }
    }

    fn page(body: &[u8]) -> Answer {
        Answer::whole("content-type: application/json\r\n", body)
    }

    fn endless(kind: &str, begin: &str, then: &[u8], apart: Duration) -> Answer {
        let begin = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n{begin}").into_bytes();
        Answer { begin, then: Some((then.to_vec(), apart)) }
    }

    fn stream(begin: &str, then: &[u8]) -> Answer {
        Answer::endless("text/event-stream", begin, then, Duration::ZERO)
    }

    fn refused() -> Answer {
        Answer { begin: b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_vec(), then: None }
    }
}

/// A server that answers with any bytes.
struct Hostile {
    address: SocketAddr,
    /// The number of bytes that the client has read.
    sent: Arc<AtomicUsize>,
}

impl Hostile {
    async fn start(stream: Answer, page: Answer) -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, sent) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let answers = Arc::new((stream, page));
        let counted = sent.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, answers.clone(), counted.clone()));
            }
        });
        Hostile { address, sent }
    }

    fn config(&self) -> ServerConfig {
        let address = address::parse(&format!("http://{}", self.address)).unwrap();
        ServerConfig::new(address, Timeline::Public)
    }
}

async fn serve(mut socket: TcpStream, answers: Arc<(Answer, Answer)>, sent: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let answer = if request.contains("/streaming") {
        answers.0.clone()
    } else if request.contains("/timelines") {
        answers.1.clone()
    } else {
        Answer::page(b"{}")
    };
    // The client may have closed the connection.
    if socket.write_all(&answer.begin).await.is_err() {
        return;
    }
    while let Some((bytes, apart)) = &answer.then {
        if socket.write_all(bytes).await.is_err() {
            return;
        }
        sent.fetch_add(bytes.len(), Ordering::Relaxed);
        tokio::time::sleep(*apart).await;
    }
    let _ = socket.shutdown().await;
}

fn gzipped(byte: u8, megabytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    (0..megabytes).for_each(|_| encoder.write_all(&vec![byte; 1 << 20]).unwrap());
    encoder.finish().unwrap()
}

#[tokio::test]
async fn each_attack_is_named_and_disturbs_no_other_server() {
    let (soon, json) = (Duration::from_millis(1), "application/json");
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let gzip_stream = "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n";
    let empty = Answer::page(b"[]");
    let huge_head = format!("x: {}\r\n", "x".repeat(1 << 20));
    let many_heads = (0..10_000).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    let redirect = |to: &str| Answer {
        begin: format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes(),
        then: None,
    };
    let attacks: Vec<(&str, Answer, Answer, &str)> = vec![
        ("a stream of one endless line", Answer::stream("data: ", &[b'x'; 8192]), empty.clone(), "too_long"),
        ("a stream of one endless event name", Answer::stream("event: ", &[b'x'; 8192]), empty.clone(), "too_long"),
        ("a stream of one endless comment", Answer::stream(":", &[b'x'; 8192]), empty.clone(), "too_long"),
        (
            "a frame of endless lines",
            Answer::stream("event: update\n", &b"data: x\n".repeat(1_000)),
            empty.clone(),
            "too_long",
        ),
        (
            "a frame of endless empty lines",
            Answer::stream("event: update\n", &b"data\n".repeat(2_000)),
            empty.clone(),
            "too_long",
        ),
        ("a stream of bytes that are no text", Answer::stream("data: ", &[0xff; 8192]), empty.clone(), "too_long"),
        (
            "a stream that is a compressed bomb",
            Answer::whole(gzip_stream, &gzipped(b'x', 64)),
            empty.clone(),
            "too_long",
        ),
        ("a page that is a compressed bomb", Answer::refused(), Answer::whole(gzip, &gzipped(b' ', 64)), "too_long"),
        ("a page that is compressed and broken", Answer::refused(), Answer::whole(gzip, b"no gzip"), "unreachable"),
        ("an endless page", Answer::refused(), Answer::endless(json, "[", &[b' '; 8192], Duration::ZERO), "too_long"),
        ("a page that drips", Answer::refused(), Answer::endless(json, "[", b" ", soon), "unreachable"),
        ("a huge header", Answer::refused(), Answer::whole(&huge_head, b"[]"), "unreachable"),
        ("ten thousand headers", Answer::refused(), Answer::whole(&many_heads, b"[]"), "unreachable"),
        ("a page that is no text", Answer::refused(), Answer::page(&[0xff, 0xfe, 0, 1]), "malformed"),
        ("a redirect to a file", Answer::refused(), redirect("file:///etc/passwd"), "refused"),
        ("a redirect to nowhere", Answer::refused(), redirect("http://"), "refused"),
        (
            "an answer that is no HTTP",
            Answer::refused(),
            Answer { begin: b"SSH-2.0-x\r\n".to_vec(), then: None },
            "unreachable",
        ),
    ];
    for (attack, stream, page, failure) in attacks {
        let (hostile, good) = (Hostile::start(stream, page).await, Single::start().await);
        let run = Run::start(vec![hostile.config(), good.config()]);
        until(attack, || run.counts.snapshot().first()?.failures.get(failure).copied()).await;
        let server = run.counts.snapshot()[0].clone();
        let error = server.last_error.unwrap();
        assert!(error.len() < 500 && !error.contains(char::is_control), "{attack}: {error:?}");
        good.streams_opened(1).await;
        good.publish_many(10);
        run.log.wait_for(10).await;
        assert!(run.counts.snapshot()[1].failures.is_empty(), "{attack} disturbed the other server");
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_log_that_stops_holds_back_a_flood_of_posts() {
    let deletes: String = (0..1_000).map(|n| format!("event: delete\ndata: {n}\n\n")).collect();
    let flood = Answer::stream(":)\n", deletes.as_bytes());
    let hostile = Hostile::start(flood, Answer::page(b"[]")).await;
    let log = Arc::new(MemoryLog::slow(Duration::from_secs(3600)));
    let run = Run::start_with(vec![hostile.config()], settings(), log, Arc::default());
    let sent = || hostile.sent.load(Ordering::Relaxed);
    let mut before = usize::MAX;
    // Until the sockets' buffers are full too.
    while before != sent() || before == 0 {
        before = sent();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(before < 32 << 20, "{before} bytes were taken, of which none is stored");
    drop(run);
}

#[tokio::test]
async fn ids_that_are_no_places_move_no_bookmark_and_hide_no_post() {
    for odd in [
        "9".repeat(1 << 20),
        "\u{1b}[31m9".to_owned(),
        "9\n9".to_owned(),
        "\u{202e}9".to_owned(),
        " ".to_owned(),
        "9".repeat(129),
    ] {
        let host = "a.example";
        let posts: Vec<serde_json::Value> = (1..=5).map(|n| status(host, &n.to_string())).collect();
        let strange = with(status(host, "6"), "/id", json!(odd));
        let page: Vec<&serde_json::Value> =
            [&strange].into_iter().chain(posts.iter().rev()).chain([&strange]).collect();
        let hostile = Hostile::start(Answer::refused(), Answer::page(&serde_json::to_vec(&page).unwrap())).await;
        let settings = fedilake_collect::CollectorSettings {
            http: fedilake_collect::HttpSettings { answer_bytes_max: 16 << 20, ..settings().http },
            ..settings()
        };
        let run = Run::start_with(vec![hostile.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
        let bookmark = run.bookmark_where(|_| true).await;
        assert_eq!(bookmark, "3", "{:.20}", odd.escape_debug().to_string());
        until("the posts with good ids", || {
            let keys = run.log.keys();
            (1..=5).all(|n| keys.iter().any(|key| key.ends_with(&format!("/{n}")))).then_some(())
        })
        .await;
        run.stop().await.unwrap();
    }
}
