//! Requests to the page's server that want too much, come too slowly or leave: each is refused or ended, and the process goes on.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use fedilake_sim::Config;
use serde_json::{Value, json};

use crate::beside::{ENDLESS, is_busy, metrics};
use crate::live::Servers;
use crate::program::{Data, Running, fedilake, wait_until};
use crate::replay::status;

/// A folder with these posts.
fn filled(posts: &[Value]) -> Data {
    let data = Data::new();
    let file = data.beside("posts.jsonl");
    fs::write(&file, posts.iter().map(|post| post.to_string() + "\n").collect::<String>()).unwrap();
    data.run(["replay", file.to_str().unwrap()]).done();
    data
}

fn serve(data: &Data, settings: &[(&str, &str)]) -> (Running, SocketAddr) {
    let mut command = fedilake(["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
    command.envs(settings.iter().copied());
    let mut owner = Running::start(&mut command);
    let address = owner.address();
    (owner, address)
}

/// Opens a request without its body.
fn begin(address: SocketAddr, method: &str, target: &str, more: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n").unwrap();
    socket
}

/// All that comes until the connection ends; what a reset cut off is left out.
fn rest(mut socket: TcpStream) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = socket.read(&mut piece) {
        all.extend_from_slice(&piece[..read]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn get(address: SocketAddr, target: &str) -> String {
    rest(begin(address, "GET", target, ""))
}

fn begin_sql(address: SocketAddr, query: &str) -> TcpStream {
    let body = json!({ "query": query }).to_string();
    let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let mut socket = begin(address, "POST", "/api/v1/sql", &head);
    socket.write_all(body.as_bytes()).unwrap();
    socket
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn sql(address: SocketAddr, query: &str) -> String {
    rest(begin_sql(address, query))
}

#[track_caller]
fn still_answers(address: SocketAddr, posts: u64) {
    let answer = sql(address, "select count(*) as n from posts");
    assert!(answer.contains(&format!("{{\"rows\":[[{posts}]]}}")), "{answer}");
}

#[test]
fn statements_that_loop_or_allocate_are_stopped_with_the_setting_that_gives_more() {
    let data = filled(&[status(1, "one")]);
    let settings = [("FEDILAKE_SQL_SECONDS_MAX", "2"), ("FEDILAKE_LAKE_MEMORY_BYTES_MAX", "200000000")];
    let (owner, address) = serve(&data, &settings);
    let allocates = "select list(a.range) from range(100000000) a, range(100) b";
    let grows = "select repeat('x', 2000000000) || repeat('y', 2000000000)";
    let recurses = "with recursive r as (select 1 as n union all select n + 1 from r) select count(*) from r";
    for (query, kinds, setting) in [
        (ENDLESS, &["time"][..], "sql.seconds_max"),
        (recurses, &["time", "memory"], ""),
        (allocates, &["memory"], "lake.memory_bytes_max"),
        (grows, &["memory"], "lake.memory_bytes_max"),
    ] {
        let answer = sql(address, query);
        assert!(kinds.iter().any(|kind| answer.contains(&format!("\"kind\":\"{kind}\""))), "{query}: {answer}");
        assert!(answer.contains(setting), "{query}: {answer}");
        still_answers(address, 1);
    }
    owner.interrupt().done();
}

#[test]
fn a_statement_and_a_download_end_when_their_readers_go() {
    let data = filled(&[status(1, "one")]);
    let (owner, address) = serve(&data, &[("FEDILAKE_SQL_SECONDS_MAX", "600")]);
    let asked =
        [begin_sql(address, ENDLESS), begin(address, "GET", &format!("/api/v1/sql?query={}", encoded(ENDLESS)), "")];
    for socket in asked {
        wait_until("a question under way", || is_busy(owner.pid()));
        drop(socket);
    }
    wait_until("its end", || !is_busy(owner.pid()));
    still_answers(address, 1);
    // The end of the process ends them too, with words.
    let asked = begin_sql(address, ENDLESS);
    wait_until("a question under way", || is_busy(owner.pid()));
    let began = Instant::now();
    owner.interrupt().done();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let told = rest(asked);
    assert!(told.contains("is stopping"), "{told}");
}

#[test]
fn requests_that_are_too_large_are_refused() {
    let data = filled(&[status(1, "one")]);
    let (owner, address) = serve(&data, &[]);
    let long = format!("select '{}'", "x".repeat(1 << 20));
    assert!(sql(address, &long).contains("413 Payload Too Large"));
    assert!(get(address, &format!("/api/v1/names?of=app&prefix={}", "x".repeat(70_000))).contains(" 431 "));
    let many: String = (0..100).map(|number| format!("name=r{number}&")).collect();
    assert!(get(address, &format!("/api/v1/panels?{many}")).contains("expected 1 to 64"));
    assert!(get(address, "/api/v1/posts?limit=100000").contains("expected a whole number from 1 to 500"));
    let rows = begin(address, "POST", "/api/v1/sql", "Content-Type: text/plain\r\nContent-Length: 0\r\n");
    assert!(rest(rows).contains(" 415 "), "a page of another site could send this without asking");
    still_answers(address, 1);
    owner.interrupt().done();
}

#[test]
fn a_request_that_never_comes_whole_is_ended() {
    let data = filled(&[status(1, "one")]);
    let (owner, address) = serve(&data, &[]);
    let trickle = |mut socket: TcpStream| {
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            // A socket that was closed says so at one of the two.
            let sent = socket.write_all(b"x");
            match socket.read(&mut piece) {
                Ok(0) => return String::from_utf8_lossy(&answer).into_owned(),
                Ok(read) => answer.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && sent.is_ok() => {}
                Err(_) => return String::from_utf8_lossy(&answer).into_owned(),
            }
        }
        panic!("the connection is still open: {}", String::from_utf8_lossy(&answer));
    };
    let head = "Content-Type: application/json\r\nContent-Length: 100000\r\n";
    let body = begin(address, "POST", "/api/v1/sql", head);
    let mut headers = TcpStream::connect(address).unwrap();
    write!(headers, "GET / HTTP/1.1\r\nHost: {address}\r\nX: ").unwrap();
    let (body, headers) = std::thread::scope(|scope| {
        let (body, headers) = (scope.spawn(|| trickle(body)), scope.spawn(|| trickle(headers)));
        (body.join().unwrap(), headers.join().unwrap())
    });
    assert!(body.contains("408 Request Timeout"), "{body}");
    assert_eq!(headers, "");
    still_answers(address, 1);
    owner.interrupt().done();
}

#[test]
fn readers_who_ask_the_same_at_once_get_one_answer() {
    const READERS: usize = 8;
    let posts: Vec<Value> = (1..2_000).map(|number| status(number, "some text")).collect();
    let data = filled(&posts);
    let (owner, address) = serve(&data, &[]);
    let answered = get(address, "/api/v1/reports");
    let named: String = ["daily", "hours", "languages", "lengths", "apps"].map(|name| format!("name={name}&")).concat();
    assert!(answered.contains("\"lengths\""), "{answered}");
    let barrier = Barrier::new(READERS);
    let answers: Vec<String> = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            get(address, &format!("/api/v1/panels?{named}about=some"))
        };
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(ask)).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!(answer.matches("\"columns\":").count(), 5, "{answer}");
    }
    assert!(metrics(address).contains("fedilake_serve_answers_made_total 5"), "{}", metrics(address));
    owner.interrupt().done();
}

#[test]
fn whatever_a_stranger_calls_itself_is_text_in_json() {
    let evil = "\"><script>alert(1)</script>";
    let mut post = status(1, "&lt;script&gt;alert(2)&lt;/script&gt;");
    post["spoiler_text"] = json!(evil);
    post["language"] = json!(evil);
    post["application"] = json!({ "name": evil, "website": format!("javascript:{evil}") });
    post["url"] = json!(format!("javascript:alert(1)//{evil}"));
    post["tags"] = json!([{ "name": evil, "url": evil }]);
    post["account"]["username"] = json!(evil);
    post["account"]["acct"] = json!(evil);
    post["account"]["display_name"] = json!(evil);
    let data = filled(&[post, status(2, "harmless")]);
    let (owner, address) = serve(&data, &[]);
    let targets = [
        "/api/v1/posts?search=alert",
        "/api/v1/names?of=language",
        "/api/v1/names?of=app",
        "/api/v1/names?of=hashtag",
        "/api/v1/names?of=origin",
        "/api/v1/reports/apps?format=json",
        "/api/v1/panels?name=daily&name=apps&name=languages&app=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    ];
    let mut seen = String::new();
    for target in targets {
        let answer = get(address, target);
        assert!(answer.starts_with("HTTP/1.1 200"), "{target}: {answer}");
        let (head, _) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/json") || head.contains("content-type: application/x-ndjson"));
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        // Within a JSON text no quote is bare.
        assert!(!answer.replace("\\\"", "~").contains(evil), "{target}: {answer}");
        assert!(!answer.contains("javascript:"), "{target}: a link that runs a script: {answer}");
        seen.push_str(&answer);
    }
    assert!(seen.contains("\\\"><script>alert(1)</script>"), "{seen}");
    still_answers(address, data.number("select count(*) from posts") as u64);
    owner.interrupt().done();
}

#[test]
fn a_reader_follows_the_lake_until_the_process_ends() {
    let servers = Servers::start(Config { servers: 1, rate: 50.0, ..Config::default() });
    let data = Data::new();
    let mut running = Running::start(&mut servers.run(&data));
    let address = running.address();
    let mut events = BufReader::new(begin(address, "GET", "/api/v1/live", "")).lines();
    let mut told: Vec<(Instant, Value)> = Vec::new();
    while told.len() < 3 {
        let line = events.next().expect("it does not end").unwrap();
        if let Some(snapshot) = line.strip_prefix("data: ") {
            told.push((Instant::now(), serde_json::from_str(snapshot).unwrap()));
        }
    }
    for pair in told.windows(2) {
        assert_ne!(pair[0].1["snapshot"], pair[1].1["snapshot"], "{told:?}");
        assert!(pair[1].1["posts"].as_u64() >= pair[0].1["posts"].as_u64(), "{told:?}");
    }
    assert!(told[2].0 - told[0].0 > Duration::from_millis(1_500), "at most one a second: {told:?}");
    let collector = get(address, "/api/v1/collector");
    let host = servers.simulation.addresses()[0].to_string();
    assert!(
        collector.contains(&format!("\"server\":\"{host}\"")) && collector.contains("\"collects\":true"),
        "{collector}"
    );
    running.interrupt().done();
    while let Some(Ok(line)) = events.next() {
        assert!(!line.contains("error"), "{line}");
    }
    servers.stop();
}

/// Makes a certificate of 127.0.0.1 and its key. False where there is no openssl.
fn make_certificate(folder: &Path) -> bool {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=fedilake \
        -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout page.key -out page.crt";
    let mut openssl = Command::new("openssl");
    let made = openssl.args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null()).output();
    made.map(|made| assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr))).is_ok()
}

#[test]
fn with_a_certificate_readers_need_tls_and_guests_of_the_folder_do_not() {
    let data = filled(&[status(1, "one")]);
    let folder = tempfile::tempdir().unwrap();
    if !make_certificate(folder.path()) {
        println!("skipped: with_a_certificate_readers_need_tls: no openssl here");
        return;
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("page.crt"), path("page.key"));
    let mut command = fedilake(["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
    command.env("FEDILAKE_SERVE_TLS_CERT", &certificate).env("FEDILAKE_SERVE_TLS_KEY", &key);
    let mut owner = Running::start(&mut command);
    let line = owner.wait_for_line("answering on https://");
    let address: SocketAddr = line.split("https://").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();

    let trusted = reqwest::Certificate::from_pem(&fs::read(&certificate).unwrap()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime.block_on(async {
        client.get(format!("https://{address}/api/v1/names?of=language")).send().await?.text().await
    });
    assert!(answer.unwrap().contains("English"));
    assert!(!get(address, "/").contains("200 OK"), "no answer without TLS");
    assert_eq!(data.number("select count(*) from posts"), 1);
    owner.interrupt().done();

    let half = fedilake(["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()])
        .env("FEDILAKE_SERVE_TLS_CERT", &certificate)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&half.stderr).into_owned();
    assert!(half.status.code() == Some(2) && said.contains("serve.tls_key") && said.contains("hint: "), "{said}");
}
