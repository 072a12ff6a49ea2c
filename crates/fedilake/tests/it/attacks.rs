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
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n");
    // Too long a head may be refused, and the connection closed, before all of it is sent: the answer tells.
    let _ = socket.write_all(head.as_bytes());
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
    let allocates = "select list(a.range) from range(100000000) a, range(100) b";
    let grows = "select repeat('x', 2000000000) || repeat('y', 2000000000)";
    let recurses = "with recursive r as (select 1 as n union all select n + 1 from r) select count(*) from r";
    let of_time = [(ENDLESS, &["time"][..], "sql.seconds_max"), (recurses, &["time", "memory"], "")];
    let of_memory =
        [(allocates, &["memory"][..], "lake.memory_bytes_max"), (grows, &["memory"], "lake.memory_bytes_max")];
    // To fill the memory takes a slow machine longer than the time that the others have.
    for (seconds_max, statements) in [("2", of_time), ("60", of_memory)] {
        let settings = [("FEDILAKE_SQL_SECONDS_MAX", seconds_max), ("FEDILAKE_LAKE_MEMORY_BYTES_MAX", "200000000")];
        let (owner, address) = serve(&data, &settings);
        for (query, kinds, setting) in statements {
            let answer = sql(address, query);
            assert!(kinds.iter().any(|kind| answer.contains(&format!("\"kind\":\"{kind}\""))), "{query}: {answer}");
            assert!(answer.contains(setting), "{query}: {answer}");
            still_answers(address, 1);
        }
        owner.interrupt().done();
    }
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
    let named = |length: usize| format!("/api/v1/names?of=app&prefix={}", "x".repeat(length));
    let cookie = |length: usize| format!("Cookie: a={}\r\n", "x".repeat(length));
    for (answer, status, words) in [
        (sql(address, &long), "413 Payload Too Large", "more than 1 MiB"),
        (get(address, &named(40_000)), "414 URI Too Long", "the address has 40028 bytes: expected at most 32768"),
        (
            rest(begin(address, "GET", "/", &cookie(20_000))),
            "431 Request Header Fields Too Large",
            "bytes: expected at most 16384",
        ),
        (rest(begin(address, "GET", "/", &cookie(60_000))), " 431 ", "bytes: expected at most 16384"),
        // Beyond what a connection keeps of a head, the status is all.
        (rest(begin(address, "GET", "/", &"A: b\r\n".repeat(200))), " 431 ", ""),
    ] {
        assert!(answer.starts_with("HTTP/1.1 4") && answer.contains(status), "{status}: {answer}");
        assert!(words.is_empty() || answer.contains("\"hint\":") && answer.contains(words), "{words}: {answer}");
    }
    // The address or the head is found too long, whichever is read first.
    let longer = get(address, &named(70_000));
    assert!(longer.contains(" 414 ") || longer.contains(" 431 "), "{longer}");
    assert!(get(address, &named(30_000)).contains("200 OK"));
    assert!(rest(begin(address, "GET", "/", &cookie(15_000))).contains("200 OK"));
    let many: String = (0..100).map(|number| format!("name=r{number}&")).collect();
    assert!(get(address, &format!("/api/v1/panels?{many}")).contains("expected 1 to 64"));
    assert!(get(address, "/api/v1/posts?limit=100000").contains("expected a whole number from 1 to 500"));
    let rows = begin(address, "POST", "/api/v1/sql", "Content-Type: text/plain\r\nContent-Length: 0\r\n");
    assert!(rest(rows).contains(" 415 "), "a page of another site could send this without asking");
    still_answers(address, 1);
    owner.interrupt().done();
}

#[test]
fn requests_that_come_too_slowly_are_ended_in_time_and_others_are_answered_meanwhile() {
    const EACH: usize = 40;
    let data = filled(&[status(1, "one")]);
    let (owner, address) = serve(&data, &[]);
    // Sends a byte now and then until the connection ends; the answer, and the time that it took.
    let trickle = |mut socket: TcpStream| {
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(40) {
            // A socket that was closed says so at one of the two.
            let sent = socket.write_all(b"x");
            match socket.read(&mut piece) {
                Ok(read @ 1..) => answer.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && sent.is_ok() => {}
                Ok(_) | Err(_) => return (String::from_utf8_lossy(&answer).into_owned(), began.elapsed()),
            }
        }
        panic!("the connection is still open: {}", String::from_utf8_lossy(&answer));
    };
    let body = || begin(address, "POST", "/api/v1/sql", "Content-Type: application/json\r\nContent-Length: 100000\r\n");
    let head = || {
        let mut socket = TcpStream::connect(address).unwrap();
        write!(socket, "GET / HTTP/1.1\r\nHost: {address}\r\nX: ").unwrap();
        socket
    };
    let (bodies, heads, answered) = std::thread::scope(|scope| {
        let bodies: Vec<_> = (0..EACH).map(|_| scope.spawn(|| trickle(body()))).collect();
        let heads: Vec<_> = (0..EACH).map(|_| scope.spawn(|| trickle(head()))).collect();
        let mut answered = 0;
        while !heads.iter().any(|head| head.is_finished()) {
            let asked = Instant::now();
            still_answers(address, 1);
            assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
            answered += 1;
        }
        let ended = |all: Vec<std::thread::ScopedJoinHandle<'_, _>>| {
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<(String, Duration)>>()
        };
        (ended(bodies), ended(heads), answered)
    });
    assert!(answered > 1, "{answered}");
    // What is promised is 5 s for a head and 10 s for a body; the rest is for a busy machine.
    for (answer, time) in bodies {
        assert!(answer.contains("408 Request Timeout") && answer.contains("\"message\":"), "{answer}");
        assert!((9..20).contains(&time.as_secs()), "{time:?}");
    }
    for (answer, time) in heads {
        assert_eq!(answer, "");
        assert!((4..15).contains(&time.as_secs()), "{time:?}");
    }
    still_answers(address, 1);
    owner.interrupt().done();
}

#[test]
fn readers_who_keep_their_connections_and_ask_nothing_leave_room_for_others() {
    let data = filled(&[status(1, "one")]);
    let (owner, address) = serve(&data, &[]);
    // More than have a place as readers: those beyond are answered, and their connections closed.
    let mut stays = 0;
    let idle: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut socket = TcpStream::connect(address).unwrap();
            write!(socket, "HEAD / HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
            let mut head = String::new();
            let mut lines = BufReader::new(&socket).lines();
            while let Some(line) = lines.next().map(Result::unwrap).filter(|line| !line.is_empty()) {
                head += &(line.to_lowercase() + "\n");
            }
            assert!(head.starts_with("http/1.1 200 ok"), "{head}");
            stays += usize::from(!head.contains("connection: close"));
            socket
        })
        .collect();
    assert!((200..=256).contains(&stays), "{stays}");
    let asked = Instant::now();
    still_answers(address, 1);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    // Each is closed in its time: until then a read waits.
    for mut socket in idle {
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let ended = socket.read(&mut [0; 16]);
        assert!(!matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{ended:?}");
    }
    owner.interrupt().done();
}

/// Waits until an answer has begun.
fn has_begun(socket: &mut TcpStream) {
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.read_exact(&mut [0]).unwrap();
}

#[test]
fn the_places_of_statements_are_free_when_their_readers_go() {
    /// As many as run at the same time.
    const PLACES: usize = 4;
    let data = filled(&[status(1, "one")]);
    let (owner, address) = serve(&data, &[("FEDILAKE_SQL_SECONDS_MAX", "600")]);
    for _ in 0..2 {
        let mut asked: Vec<TcpStream> = (0..PLACES).map(|_| begin_sql(address, ENDLESS)).collect();
        asked.iter_mut().for_each(has_begun);
        let mut next = begin_sql(address, "select count(*) as n from posts");
        next.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        assert!(next.read(&mut [0]).is_err(), "no place is free");
        // A reader who leaves the queue takes no place later.
        drop(begin_sql(address, ENDLESS));
        drop(asked);
        next.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let answer = rest(next);
        assert!(answer.contains("{\"rows\":[[1]]}"), "{answer}");
    }
    still_answers(address, 1);
    owner.interrupt().done();
}

#[test]
fn panels_whose_readers_go_are_not_made() {
    const READERS: usize = 60;
    const NAMES: [&str; 8] = ["daily", "hours", "languages", "lengths", "apps", "statistics", "topics", "origins"];
    let posts: Vec<Value> = (1..2_000).map(|number| status(number, "some text")).collect();
    let data = filled(&posts);
    let (owner, address) = serve(&data, &[]);
    let made = || {
        let figures = metrics(address);
        let line = figures.lines().find_map(|line| line.strip_prefix("fedilake_serve_answers_made_total "));
        line.map_or(0, |number| number.parse::<usize>().unwrap())
    };
    let named: String = NAMES.map(|name| format!("name={name}&")).concat();
    // Each asks for something else, so none waits for another's answer.
    let ask =
        |reader: usize| begin(address, "GET", &format!("/api/v1/panels?{named}about=some&not-about=x{reader}"), "");
    let mut asked: Vec<TcpStream> = (0..READERS).map(ask).collect();
    asked.iter_mut().for_each(has_begun);
    drop(asked);
    // Places are given in the order of asking: this one comes after all that are still wanted.
    let answer = rest(ask(READERS));
    assert_eq!(answer.matches("\"snapshot\":").count(), NAMES.len(), "{answer}");
    let made = made();
    assert!((NAMES.len()..READERS * NAMES.len() / 2).contains(&made), "{made} answers were made");
    still_answers(address, 1_999);
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
        let test = "with_a_certificate_readers_need_tls_and_guests_of_the_folder_do_not";
        fedilake_services::missing::<()>(test, "no openssl here");
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
