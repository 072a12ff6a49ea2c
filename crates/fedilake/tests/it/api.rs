//! The API of the page, asked over HTTP: its answers, and the requests that it refuses.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::beside::metrics;
use crate::health::ready;
use crate::program::{Data, Running, fedilake, wait_until};
use crate::replay::status;

/// An answer to a request.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// JSON lines.
    fn lines(&self) -> Vec<Value> {
        self.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Sends a request with a Host that is the address unless `headers` has one.
fn send(address: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut socket = TcpStream::connect(address).unwrap();
    let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    }
    write!(socket, "{head}\r\n{body}").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
    let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: if is_chunked { joined(rest) } else { rest.to_owned() } }
}

/// The chunks of a body, joined.
fn joined(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&behind[..size]);
        rest = behind[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    body
}

fn get(address: SocketAddr, target: &str) -> Answer {
    send(address, "GET", target, &[], "")
}

fn sql(address: SocketAddr, query: &str) -> Answer {
    send(address, "POST", "/api/v1/sql", &[], &json!({ "query": query }).to_string())
}

/// A folder with posts that have these texts, in two languages.
fn filled(texts: &[&str]) -> Data {
    let data = Data::new();
    let file = data.beside("posts.jsonl");
    let post = |(n, text): (usize, &&str)| {
        let mut post = status(n as u64 + 1, text);
        post["language"] = json!(if n % 2 == 0 { "en" } else { "de" });
        post.to_string() + "\n"
    };
    fs::write(&file, texts.iter().enumerate().map(post).collect::<String>()).unwrap();
    data.run(["replay", file.to_str().unwrap()]).done();
    data
}

/// A process that answers for the folder, once its lake has all of its posts.
fn served(data: &Data) -> (Running, SocketAddr) {
    let mut owner = data.start(["serve", "--listen", "127.0.0.1:0"]);
    let address = owner.address();
    wait_until("a lake that has everything", || ready(address).0 == 200);
    (owner, address)
}

fn names(address: SocketAddr) -> Vec<String> {
    let reports = get(address, "/api/v1/reports").json();
    reports["reports"].as_array().unwrap().iter().map(|report| report["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_report_is_a_panel_and_a_download_with_the_rows_that_the_command_prints() {
    let data = filled(&["one", "two and three", "four", "five"]);
    let (owner, address) = served(&data);
    let names = names(address);
    assert!(names.len() > 15, "{names:?}");
    let query: String = names.iter().map(|name| format!("name={name}&")).collect();
    for state in ["", "language=en", "not-language=en&bot=people", "timezone=Asia/Tokyo&by=day", "app=Nobody's"] {
        let panels = get(address, &format!("/api/v1/panels?{query}{state}"));
        assert_eq!(panels.status, 200, "{}", panels.body);
        let panels = panels.lines();
        assert_eq!(panels.len(), names.len());
        let flags: Vec<String> = state
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .flat_map(|(key, value)| match (key, value) {
                ("bot", "people") => vec!["--no-bot".to_owned()],
                _ => vec![format!("--{key}"), value.to_owned()],
            })
            .collect();
        for panel in panels {
            let name = panel["name"].as_str().unwrap();
            let printed = data
                .run(["report", name, "--format", "csv"].into_iter().chain(flags.iter().map(String::as_str)))
                .done();
            let file = get(address, &format!("/api/v1/reports/{name}?format=csv&{state}"));
            assert_eq!(file.body, printed.stdout, "{name} {state}");
            assert!(file.header("content-disposition").is_some_and(|value| value.contains(name)), "{}", file.head);
            let rows = panel["rows"].as_array().unwrap_or_else(|| panic!("{panel}"));
            assert_eq!(rows.len(), printed.stdout.lines().count() - 1, "{name} {state}: {panel}");
        }
    }
    owner.interrupt().done();
}

#[test]
fn the_sql_of_a_report_runs_as_it_is() {
    let data = filled(&["one", "two"]);
    let (owner, address) = served(&data);
    for name in names(address) {
        let text = get(address, &format!("/api/v1/reports/{name}/sql?language=en&word=one"));
        let answer = sql(address, &text.body);
        assert!(answer.lines().last().unwrap()["end"].is_object(), "{name}: {}\n{}", answer.body, text.body);
    }
    owner.interrupt().done();
}

#[test]
fn every_documented_path_is_answered() {
    let data = filled(&["one"]);
    let (owner, address) = served(&data);
    let document = get(address, "/api/v1/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 9, "{paths:?}");
    for (path, methods) in paths {
        let filled = format!("/api/v1{}", path.replace("{name}", "daily"));
        let query = match path.as_str() {
            "/panels" => "?name=daily",
            "/sql" => "?query=select%201&format=csv",
            "/names" => "?of=app",
            // Does not end by itself.
            "/live" => continue,
            _ => "",
        };
        assert!(methods["get"].is_object(), "{path}");
        let answer = get(address, &(filled + query));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    owner.interrupt().done();
}

#[test]
fn an_unchanged_answer_is_told_by_its_tag_and_made_once_for_all_readers() {
    let data = filled(&["one", "two"]);
    let (owner, address) = served(&data);
    let made = || {
        let figures = metrics(address);
        let line = figures.lines().find_map(|line| line.strip_prefix("fedilake_serve_answers_made_total "));
        line.map_or(0.0, |number| number.parse::<f64>().unwrap())
    };
    let target = "/api/v1/panels?name=daily&name=apps";
    let first = get(address, target);
    assert_eq!(made(), 2.0);
    let tag = first.header("etag").unwrap().to_owned();
    let second = get(address, target);
    assert_eq!((made(), second.header("etag")), (2.0, Some(tag.as_str())));
    let known = send(address, "GET", target, &[("if-none-match", &tag)], "");
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let other = send(address, "GET", "/api/v1/panels?name=daily&language=de", &[("if-none-match", &tag)], "");
    assert_eq!(other.status, 200);
    owner.interrupt().done();
}

#[test]
fn what_cannot_be_read_in_a_request_is_said() {
    let data = filled(&["one"]);
    let (owner, address) = served(&data);
    for (target, status, said) in [
        ("/api/v1/reports/dayly", 404, "dayly"),
        ("/api/v1/panels", 400, "expected 1 to"),
        ("/api/v1/panels?name=daily&from=yesterday", 400, "yesterday"),
        ("/api/v1/panels?name=daily&bot=maybe", 400, "maybe"),
        ("/api/v1/panels?name=daily&colour=red", 400, "colour"),
        ("/api/v1/reports/daily?format=xml", 400, "xml"),
        ("/api/v1/nothing", 404, "nothing"),
        ("/nothing.js", 404, "nothing.js"),
        ("/../../etc/passwd", 404, "passwd"),
        ("/assets/..%2f..%2fCargo.toml", 404, "Cargo.toml"),
        ("//etc/passwd", 404, "passwd"),
    ] {
        let answer = get(address, target);
        assert_eq!(answer.status, status, "{target}: {}", answer.body);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(said), "{target}: {message}");
    }
    let zone = get(address, "/api/v1/panels?name=daily&timezone=Middle/Earth");
    assert!(zone.body.contains("invalid time zone `Middle/Earth`"), "{}", zone.body);
    owner.interrupt().done();
}

#[test]
fn what_strangers_wrote_is_text_in_every_answer() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u{2028}\"'&\u{202e}";
    let data = filled(&[&evil.replace('<', "&lt;")]);
    let (owner, address) = served(&data);
    let posts = get(address, "/api/v1/posts");
    let text = posts.json()["posts"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("<script>alert(1)</script>"), "{text}");
    for answer in
        [posts, sql(address, "select text from posts"), get(address, "/api/v1/panels?name=daily&about=%3Cscript%3E")]
    {
        let kind = answer.header("content-type").unwrap();
        assert!(kind.contains("json"), "{kind}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    let page = get(address, "/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(page.body.contains("<script type=\"module\"") && !page.body.contains("http://"), "{}", page.body);
    owner.interrupt().done();
}

#[test]
fn statements_that_do_more_than_read_are_refused_at_their_place_and_the_process_goes_on() {
    let data = filled(&["one"]);
    let (owner, address) = served(&data);
    for query in [
        "drop view posts",
        "copy (select 1) to '/tmp/x.csv'",
        "select * from read_text('/etc/hostname')",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '1TB'",
        "attach 'x.db'",
        "select 1; select 2",
        "select nothing from posts",
        "selct 1",
    ] {
        let answer = sql(address, query);
        let error = answer.lines().last().unwrap()["error"].clone();
        assert!(error["message"].is_string(), "{query}: {}", answer.body);
    }
    let misspelt = sql(address, "select count(*)\nfrom poosts").lines().last().unwrap()["error"].clone();
    assert_eq!(misspelt["line"], 2, "{misspelt}");
    assert_eq!(sql(address, "select count(*) as n from posts").lines()[1]["rows"], json!([[1]]));
    owner.interrupt().done();
}

#[test]
fn pages_of_other_sites_and_other_names_are_refused() {
    let data = filled(&["one"]);
    let (owner, address) = served(&data);
    let own = format!("http://{address}");
    for (headers, status) in [
        (vec![("origin", own.as_str()), ("sec-fetch-site", "same-origin")], 200),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("host", "evil.example")], 403),
        (vec![("host", "evil.example:7878")], 403),
    ] {
        let answer = send(address, "GET", "/api/v1/reports", &headers, "");
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
        if status == 403 {
            assert!(answer.json()["error"]["hint"].is_string(), "{}", answer.body);
        }
    }
    owner.interrupt().done();
}

#[test]
fn other_machines_need_the_token_and_ask_no_sql() {
    let data = filled(&["one"]);
    let mut owner = data.start(["serve", "--listen", "0.0.0.0:0"]);
    let port = owner.address().port();
    let invitation = owner.wait_for_line("readers need a token");
    let token = invitation.rsplit_once(": ").unwrap().1.trim().to_owned();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let kept = data.path().join("token");
    assert_eq!(fs::read_to_string(&kept).unwrap().trim(), token);
    let reports = |headers: &[(&str, &str)]| send(address, "GET", "/api/v1/reports", headers, "").status;
    let bearing = format!("Bearer {token}");
    assert_eq!(reports(&[]), 401);
    assert_eq!(reports(&[("authorization", "Bearer 0123456789abcdef0123456789abcdef")]), 401);
    assert_eq!(reports(&[("authorization", &bearing)]), 200);
    let entered = get(address, &format!("/?token={token}"));
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert_eq!(reports(&[("cookie", cookie.split(';').next().unwrap())]), 200);
    let body = json!({ "query": "select 1" }).to_string();
    let refused = send(address, "POST", "/api/v1/sql", &[("authorization", &bearing)], &body);
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(owner.interrupt().code(), Some(0));
}

#[test]
fn readers_with_a_name_and_a_password_are_let_in_and_their_file_is_read_again() {
    let data = filled(&["one"]);
    let users = data.beside("users");
    // The passwords `correct horse` and `battery`, hashed by crypt(3) as `htpasswd -B` does.
    let anna = "anna:$2y$05$Vj3tS0aYw9Qk2LmNxP4rTeFpf9vjQNZOS6FgzlVRHLl7/20nFmnBi";
    let berta = "berta:$2y$05$h8WcZ1uR5oKd7FgJ3sXvBObI2hcMGAqbS92wSh77DqdhJgjWG7DYy";
    let write = |text: String| {
        fs::write(data.beside("new"), text).unwrap();
        fs::rename(data.beside("new"), &users).unwrap();
    };
    write(format!("# readers\n{anna}\n"));
    let mut command = fedilake(["serve", "--listen", "0.0.0.0:0", "--data", data.path().to_str().unwrap()]);
    let mut owner = Running::start(command.env("FEDILAKE_SERVE_USERS", &users));
    let port = owner.address().port();
    owner.wait_for_line("readers need a name and a password");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let asked = |shown: &str| send(address, "GET", "/api/v1/reports", &[("authorization", shown)], "");
    let basic = |shown: &str| asked(&format!("Basic {}", STANDARD.encode(shown)));
    let hashed = |result: &str| {
        let name = format!("fedilake_serve_passwords_hashed_total{{result=\"{result}\"}} ");
        let figures = metrics(address);
        figures.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap_or(0)
    };
    for refused in [get(address, "/"), asked("Bearer 0123456789abcdef"), basic("anna:wrong"), basic("berta:battery")] {
        assert_eq!(refused.status, 401, "{}", refused.body);
        assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"fedilake\", charset=\"UTF-8\""));
        assert!(refused.json()["error"]["hint"].as_str().unwrap().contains("serve.users"), "{}", refused.body);
    }
    assert_eq!((hashed("right"), hashed("wrong")), (0, 2), "a name that is not listed costs as much as one that is");
    assert_eq!(basic("anna:correct horse").status, 200);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..50).map(|_| scope.spawn(|| basic("anna:correct horse").status)).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 50]);
    assert_eq!(hashed("right"), 1, "remembered for all others");

    write(format!("{anna}\n{berta}\n"));
    assert_eq!((basic("berta:battery").status, basic("anna:correct horse").status), (200, 200));
    assert_eq!(hashed("right"), 2, "her line is the same");
    write(format!("{berta}\nanna\n"));
    assert_eq!((basic("berta:battery").status, basic("anna:correct horse").status), (200, 200));
    let warned = owner.wait_for_line("users stay as they were");
    assert!(warned.contains("line 2: expected NAME:HASH"), "{warned}");
    write(format!("{berta}\n"));
    assert_eq!((basic("berta:battery").status, basic("anna:correct horse").status), (200, 401));
    assert!(!data.path().join("token").exists());
    assert_eq!(data.number("select count(*) from posts"), 1, "guests of the folder need no name");
    assert_eq!(owner.interrupt().code(), Some(0));

    write("anna:correct horse\n".to_owned());
    let mut command = fedilake(["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
    let said = command.env("FEDILAKE_SERVE_USERS", &users).output().unwrap();
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.code() == Some(2) && told.contains("line 1: expected a bcrypt hash"), "{told}");
    assert!(!told.contains("correct horse"), "{told}");
}
