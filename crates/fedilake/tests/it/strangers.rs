//! Hostile servers and files: the program goes on, and good data beside them is kept.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fedilake_sim::Config;

use crate::live::Servers;
use crate::peaks::peak_bytes;
use crate::program::{Data, Running, wait_until};
use crate::replay::{frame, status};

/// The answer to a request for a path: a status line, a content type and a body. `None` closes the connection.
pub type Answer = dyn Fn(&str) -> Option<(&'static str, &'static str, String)> + Send + Sync;

/// A server with any answers, for as long as the test runs.
pub struct Stranger {
    pub address: SocketAddr,
    answered: Arc<AtomicUsize>,
}

impl Stranger {
    pub fn start(answer: Arc<Answer>) -> Stranger {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, answered) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&answered);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
                std::thread::spawn(move || serve(connection, &*answer, &count));
            }
        });
        Stranger { address, answered }
    }

    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Answers one request; the client may be gone.
fn serve(connection: TcpStream, answer: &Answer, count: &AtomicUsize) -> Option<()> {
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while lines.next()?.is_ok_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1)?;
    let (status, kind, body) = answer(path)?;
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    (&connection).write_all(head.as_bytes()).and_then(|()| (&connection).write_all(body.as_bytes())).ok()?;
    count.fetch_add(1, Ordering::Relaxed);
    Some(())
}

/// Values nested so deep that a recursive parser overflows its stack.
fn deep_values() -> Vec<String> {
    let nested = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    vec![
        nested("[", "]", 10_000),
        nested("{\"error\":", "}", 10_000),
        nested("[{\"configuration\":", "}]", 100_000),
        nested("[", "", 1_000_000),
        nested(" [ \n", "]", 50_000),
    ]
}

const JSON: &str = "application/json";

#[test]
fn servers_whose_answers_are_nested_deep_do_not_end_a_run() {
    let mut strangers = Vec::new();
    for deep in deep_values() {
        let pages = [
            deep.clone(),
            format!("[{deep}]"),
            format!("[{{\"id\":\"1\",\"uri\":\"u\",\"account\":{deep}}}]"),
            format!("[{{}},{{\"id\":{deep}}},{{}}]"),
        ];
        for page in pages {
            strangers.push(Stranger::start(Arc::new(move |path| match path {
                "/api/v2/instance" => Some(("404 Not Found", JSON, "{}".to_owned())),
                _ if path.starts_with("/api/v1/timelines") => Some(("200 OK", JSON, page.clone())),
                _ => Some(("401 Unauthorized", JSON, "{}".to_owned())),
            })));
        }
        let document = deep.clone();
        strangers.push(Stranger::start(Arc::new(move |path| match path {
            "/api/v2/instance" => Some(("200 OK", JSON, document.clone())),
            _ => Some(("200 OK", JSON, "[]".to_owned())),
        })));
        let refusals = [deep.clone(), format!("{{\"error\":{deep}}}"), format!("{{\"error\":{{\"error\":{deep}}}}}")];
        for refusal in refusals {
            strangers
                .push(Stranger::start(Arc::new(move |_| Some(("422 Unprocessable Entity", JSON, refusal.clone())))));
        }
        strangers.push(Stranger::start(Arc::new(move |path| match path {
            "/api/v2/instance" => Some(("200 OK", JSON, "{}".to_owned())),
            _ if path.starts_with("/api/v1/timelines") => Some(("200 OK", JSON, "[]".to_owned())),
            _ => Some((
                "200 OK",
                "text/event-stream",
                format!(":)\nevent: update\ndata: {}\n\n", deep.replace('\n', " ")),
            )),
        })));
    }
    let servers = Servers::start(Config { servers: 1, rate: 50.0, ..Config::default() });
    let data = Data::new();
    let mut command = servers.run(&data);
    command.args(strangers.iter().flat_map(|stranger| ["--server".to_owned(), format!("http://{}", stranger.address)]));
    let running = Running::start(&mut command);
    wait_until("an answer of each stranger", || {
        assert!(running.is_running());
        // The instance document, then at least a page or a stream.
        strangers.iter().all(|stranger| stranger.answered() >= 2)
    });
    let posts = data.number("select count(*) from posts");
    wait_until("posts of the good server", || data.number("select count(*) from posts") > posts + 20);
    running.interrupt().done();
    servers.stop();
}

#[test]
fn recorded_lines_nested_deep_cost_only_themselves() {
    let mut lines = vec![status(1, "first").to_string()];
    for deep in deep_values() {
        let deep = deep.replace('\n', " ");
        lines.extend([
            deep.clone(),
            format!("{{\"x\":{deep}}}"),
            status(2, "deep").to_string().replace("\"reblog\":null", &format!("\"reblog\":{deep}")),
            format!("{{\"server\":\"a.example\",\"event\":\"update\",\"payload\":{deep}}}"),
            format!("{{\"server\":\"a.example\",\"event\":\"delete\",\"payload\":{deep}}}"),
            format!("{{\"server\":\"a.example\",\"observed_at\":\"2026-02-03T10:00:00Z\",\"event\":\"update\",\"payload\":{{\"id\":{deep}}}}}"),
            frame("update", &serde_json::json!(deep), "2026-02-03T10:00:00Z"),
        ]);
    }
    lines.push(status(3, "last").to_string());
    let data = Data::new();
    let file = data.beside("deep.jsonl");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let said = data.run(["replay", file.to_str().unwrap()]);
    assert!(matches!(said.code(), Some(0 | 1)), "{said:#?}");
    assert!(said.stderr.contains("(too_deep)"), "{}", said.stderr);
    assert_eq!(data.number("select count(*) from posts"), 2);
}

/// Answers as long as the cap, whose parts take far more memory than their bytes.
fn wide_pages() -> Vec<String> {
    const BYTES: usize = 15 << 20;
    let many = |part: &str| vec![part; BYTES / (part.len() + 1)].join(",");
    let status = |field: &str, list: String| {
        let status = status(1, "x").to_string();
        format!("[{}]", status.replace(&format!("\"{field}\":[]"), &format!("\"{field}\":[{list}]")))
    };
    vec![
        format!("[{}]", many("[]")),
        format!("[{}]", many("{}")),
        format!("[{}]", many("1")),
        format!("[{}]", many("\"\"")),
        format!("[{}]", many("{\"id\":\"1\"}")),
        format!("[[{}]]", many("[]")),
        format!("[{{\"id\":\"1\",\"x\":[{}]}}]", many("[]")),
        status("tags", many("{\"name\":\"a\"}")),
        status("mentions", many("{}")),
    ]
}

#[test]
fn pages_of_many_small_parts_take_memory_in_proportion_to_their_bytes() {
    // The page itself, while it arrives and complete, and the memory for one status of it.
    const KILOBYTES_MAX: u64 = 200 * 1024;
    for page in wide_pages() {
        let start = page[..60].to_owned();
        let stranger = Stranger::start(Arc::new(move |path| match path {
            "/api/v2/instance" => {
                Some(("200 OK", JSON, "{\"configuration\":{\"urls\":{\"streaming\":null}}}".to_owned()))
            }
            _ => Some(("200 OK", JSON, page.clone())),
        }));
        let data = Data::new();
        let server = format!("http://{}", stranger.address);
        let running = data.start(["collect", "--server", server.as_str()]);
        // A second page is requested after the first one was read.
        wait_until("a second page", || stranger.answered() >= 3);
        let peak = peak_bytes(running.pid()).unwrap() >> 10;
        running.interrupt().done();
        assert!(peak < KILOBYTES_MAX, "{peak} kB for {start}");
    }
}
