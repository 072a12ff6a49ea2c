//! `fedilake login`: tokens of simulated servers, got and given back.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fedilake_sim::Config;
use fedilake_sim::serve::Feed;
use reqwest::redirect::Policy;
use tokio::runtime::Runtime;

use crate::live::Servers;
use crate::program::{Data, Running, Said, fedilake, wait_until};

/// A server that shows its posts to members alone, and lets each app in.
fn closed() -> Servers {
    Servers::start(Config {
        servers: 1,
        rate: 0.0,
        feed: Feed::Authenticated,
        stream_needs_token: true,
        approves: true,
        ..Config::default()
    })
}

fn url(servers: &Servers) -> String {
    format!("http://{}", servers.simulation.addresses()[0])
}

/// A command with a configuration folder of its own.
fn with_config(config: &Path, arguments: &[&str]) -> Command {
    let mut command = fedilake(arguments);
    command.env("XDG_CONFIG_HOME", config);
    command
}

fn token_file(config: &Path, servers: &Servers) -> PathBuf {
    config.join("fedilake/tokens").join(servers.simulation.addresses()[0].to_string())
}

/// A login that waits for a browser, and the address that it printed.
struct Login {
    child: Child,
    page: String,
}

impl Login {
    fn begin(command: &mut Command) -> Login {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut page = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut page).unwrap();
        Login { child, page: page.trim().to_owned() }
    }

    fn end(self) -> Said {
        self.child.wait_with_output().unwrap().into()
    }
}

/// A browser: where the address leads in the end, and with which status; redirects to `until` are not followed.
fn browse(address: &str, until: &'static str) -> (u16, String) {
    Runtime::new().unwrap().block_on(async {
        let policy = Policy::custom(move |attempt| match attempt.url().as_str().contains(until) {
            true => attempt.stop(),
            false => attempt.follow(),
        });
        let client = reqwest::Client::builder().no_proxy().redirect(policy).build().unwrap();
        let answer = client.get(address).send().await.unwrap();
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status().as_u16(), to.unwrap_or_else(|| answer.url().to_string()))
    })
}

/// Nowhere stops a browser.
const TO_THE_END: &str = "\u{0}";

#[test]
fn a_token_is_got_in_a_browser_used_by_run_and_given_back() {
    let (servers, data) = (closed(), Data::new());
    let (config, url) = (data.beside("config"), url(&servers));
    let login = Login::begin(&mut with_config(&config, &["login", &url]));
    assert!(login.page.starts_with(&format!("{url}/oauth/authorize?response_type=code&")), "{}", login.page);
    assert!(login.page.contains("scope=read%3Astatuses") && login.page.contains("code_challenge_method=S256"));
    assert_eq!(browse(&login.page, TO_THE_END).0, 200);
    let said = login.end().done();
    let file = token_file(&config, &servers);
    let token = fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(said.stderr.contains("logged in to") && !said.stderr.contains(&token), "{}", said.stderr);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));

    // No flag names the token, and no word of the process does.
    let running = Running::answering(servers.run(&data).arg("-vv").env("XDG_CONFIG_HOME", &config));
    wait_until("the first post", || {
        servers.simulation.publish(0);
        data.number("select count(*) from posts") > 0
    });
    let said = running.interrupt().done();
    assert!(!said.stderr.contains(&token), "{}", said.stderr);

    let out = with_config(&config, &["login", "--logout", &url]).output().unwrap();
    let said = Said::from(out).done();
    assert!(said.stderr.contains("is revoked and deleted") && !said.stderr.contains(&token), "{}", said.stderr);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 0);
    assert!(!servers.simulation.revoke(0, &token), "the server has revoked it");
    let again = Said::from(with_config(&config, &["login", "--logout", &url]).output().unwrap());
    assert!(again.code() == Some(2) && again.stderr.contains("no token of"), "{again:#?}");
    servers.stop();
}

#[test]
fn a_code_is_pasted_where_the_browser_is_elsewhere() {
    let (servers, data) = (closed(), Data::new());
    let (config, url) = (data.beside("config"), url(&servers));
    for whole in [false, true] {
        let mut login = Login::begin(&mut with_config(&config, &["login", "--paste", &url]));
        let (_, shown) = browse(&login.page, TO_THE_END);
        let code = shown.split_once("code=").unwrap().1;
        let typed = if whole { shown.clone() } else { code.to_owned() };
        writeln!(login.child.stdin.take().unwrap(), " {typed} ").unwrap();
        login.end().done();
        assert!(token_file(&config, &servers).exists());
    }
    for (typed, part) in [("", "no code was pasted"), ("not-the-code", "did not take the code")] {
        let mut login = Login::begin(&mut with_config(&config, &["login", "--paste", &url]));
        writeln!(login.child.stdin.take().unwrap(), "{typed}").unwrap();
        let said = login.end();
        assert!(said.code() == Some(2) && said.stderr.contains(part) && said.stderr.contains("hint: "), "{said:#?}");
    }
    servers.stop();
}

#[test]
fn an_answer_to_another_login_is_left_alone_and_a_no_is_told() {
    let (servers, data) = (closed(), Data::new());
    let (config, url) = (data.beside("config"), url(&servers));
    let mut login = Login::begin(&mut with_config(&config, &["login", &url]));
    let (_, back) = browse(&login.page, "/fedilake/login");
    let foreign = back.split_once("&state=").map(|(before, _)| format!("{before}&state=other")).unwrap();
    assert_eq!(browse(&foreign, TO_THE_END).0, 400);
    let home = back.split_once("/fedilake/login").unwrap().0;
    assert_eq!(browse(&format!("{home}/favicon.ico"), TO_THE_END).0, 404);
    assert!(login.child.try_wait().unwrap().is_none(), "it goes on waiting");
    assert_eq!(browse(&back, TO_THE_END).0, 200);
    assert!(login.end().done().stderr.contains("another state"));

    let login = Login::begin(&mut with_config(&config, &["login", &url]));
    let (_, back) = browse(&login.page, "/fedilake/login");
    let (home, state) = (back.split_once("?").unwrap().0, back.split_once("&state=").unwrap().1);
    browse(&format!("{home}?error=access_denied&error_description=The+owner+said+no%1b[2J&state={state}"), TO_THE_END);
    let said = login.end();
    assert_eq!(said.code(), Some(2));
    assert!(said.stderr.contains("The owner said no") && !said.stderr.contains('\u{1b}'), "{said:#?}");
    servers.stop();
}

#[test]
fn what_stands_in_the_way_of_a_login_is_told_before_anybody_is_asked() {
    let (servers, data) = (closed(), Data::new());
    let url = url(&servers);
    let file = data.beside("a-file");
    fs::write(&file, "").unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = data.beside("config");
    for (config, server, part) in [
        (&file, url.as_str(), "write a token file in"),
        (&config, &format!("http://{nobody}"), "Connection refused"),
        (&config, "http://ann@127.0.0.1:1", "names an account"),
        (&config, &format!("https://{}", servers.simulation.addresses()[0]), "does not speak TLS"),
    ] {
        let said = Said::from(with_config(config, &["login", server]).output().unwrap());
        assert!(said.code() == Some(2) && said.stderr.contains(part), "{server}: {said:#?}");
        assert_eq!(said.stdout, "", "{server}");
    }
    servers.stop();
}

#[test]
fn a_server_that_is_no_mastodon_gives_no_token_and_says_so() {
    let page =
        "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let _ = socket.read(&mut [0; 4096]);
            let _ = socket.write_all(page.as_bytes());
        }
    });
    let data = Data::new();
    let config = data.beside("config");
    for arguments in [&["login"][..], &["servers", "--probe"]] {
        let address = format!("http://{address}");
        let said = Said::from(with_config(&config, &[arguments, &[&address]].concat()).output().unwrap());
        assert!(said.code() == Some(2) && said.stderr.contains("does not answer as Mastodon does"), "{said:#?}");
        assert!(said.stderr.contains("hint: "), "{said:#?}");
    }
}
