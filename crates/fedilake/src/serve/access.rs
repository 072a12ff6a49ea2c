//! Who may read posts from the server.
//!
//! On loopback everyone on this machine may. On an address that other machines reach, a reader shows a token that was made once and lies
//! in the data folder, as a cookie that `/?token=…` sets or as `Authorization: Bearer …`. Where a file of users is set, on any address,
//! a reader shows a name and a password instead ([`users`](super::users)). A web page of somebody else may
//! send requests in a reader's name, so those that browsers mark as foreign are refused, and so is a name that is not ours: it may have
//! been bound to this address to get around that.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use super::connections::Caller;
use super::guard::{equal_in_constant_time, names_of_this_machine};
use super::socket::Tls;
use super::users::{Credentials, Users};
use super::v1::Problem;
use crate::settings::{Settings, key};

/// The name of the file with the token in a data folder.
const TOKEN_FILE: &str = "token";
/// The cookie with the token.
const COOKIE: &str = "fedilake";

/// The rules for readers.
#[derive(Debug)]
pub struct Access {
    /// Names by which readers reach the server, beside its address.
    hosts: Vec<String>,
    proof: Proof,
    /// True if questions in SQL are answered.
    pub sql: bool,
    pub tls: Option<Tls>,
}

/// What a reader must show.
#[derive(Debug)]
enum Proof {
    Nothing,
    Token(Token),
    Password(Box<Users>),
}

/// What a reader shows on an address that other machines reach, unless there are users.
#[derive(Debug)]
struct Token {
    text: String,
    file: PathBuf,
    /// True if this process made it.
    is_new: bool,
}

impl Access {
    /// The rules of the settings for a server on `address`; the token lies in `folder`, and is made if it is needed and not there.
    pub fn of(settings: &Settings, address: SocketAddr, folder: &Path) -> anyhow::Result<Access> {
        let is_ours_alone = address.ip().is_loopback();
        let sql = match settings.get(key::SERVE_SQL) {
            "auto" => is_ours_alone,
            choice => choice == "true",
        };
        let tls = tls(settings)?;
        let proof = match settings.get(key::SERVE_USERS) {
            "" if is_ours_alone => Proof::Nothing,
            "" => Proof::Token(Token::in_folder(folder)?),
            file => Proof::Password(Box::new(Users::read(Path::new(file))?)),
        };
        Ok(Access { hosts: settings.get(key::SERVE_HOSTS), proof, sql, tls })
    }

    /// Reads the files that the settings name, and keeps nothing of them.
    pub fn check_files(settings: &Settings) -> anyhow::Result<()> {
        tls(settings)?;
        match settings.get(key::SERVE_USERS) {
            "" => Ok(()),
            file => Users::read(Path::new(file)).map(drop),
        }
    }

    /// The scheme of the server's URLs.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// True if readers need nothing to be let in.
    pub fn is_open(&self) -> bool {
        matches!(self.proof, Proof::Nothing)
    }

    /// The thing that readers show, for a sentence about them; None if they need none.
    pub fn proof(&self) -> Option<&'static str> {
        match self.proof {
            Proof::Nothing => None,
            Proof::Token(_) => Some("the token"),
            Proof::Password(_) => Some("a password"),
        }
    }

    /// Where to get in, for people: the URL with the token if it is new, else the file of the token or the users.
    pub fn invitation(&self, address: SocketAddr) -> Option<String> {
        let token = match &self.proof {
            Proof::Nothing => return None,
            Proof::Password(users) => {
                return Some(format!("readers need a name and a password of {}", users.file().display()));
            }
            Proof::Token(token) => token,
        };
        let shown = match address.ip().is_unspecified() {
            true => format!("localhost:{}", address.port()),
            false => address.to_string(),
        };
        Some(match token.is_new {
            // Not within the URL, in which secrets are hidden wherever they are written.
            true => format!(
                "readers need a token, which is shown only now: {}\nhint: open {}://{shown}/?token=TOKEN with it once",
                token.text,
                self.scheme()
            ),
            false => format!("readers need the token in {}: /?token=TOKEN", token.file.display()),
        })
    }

    /// Decides about a request, from its head alone.
    fn check(&self, address: SocketAddr, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Entry, Problem> {
        let host = text(headers, header::HOST);
        if !self.is_ours(address, host) {
            return Err(Problem::new(StatusCode::FORBIDDEN, format!("this is {address}, not {host:?}"))
                .hint("open it by its address, or list its name in the setting serve.hosts"));
        }
        if headers.contains_key(header::ORIGIN) {
            let origin = text(headers, header::ORIGIN);
            let of_host = origin.split_once("://").map(|(_, host)| host);
            if !of_host.is_some_and(|of_host| of_host.eq_ignore_ascii_case(host)) {
                return Err(foreign(&format!("a page of {origin:?}")));
            }
        }
        // A person who follows a link to the page comes from another site, too; what the page then asks does not.
        let is_of_api = uri.path().starts_with("/api/");
        let is_visit = *method == Method::GET && !is_of_api && text(headers, "sec-fetch-mode") == "navigate";
        if matches!(text(headers, "sec-fetch-site"), "cross-site" | "same-site") && !is_visit {
            return Err(foreign("a page of another site"));
        }
        let token = match &self.proof {
            Proof::Nothing => return Ok(Entry::In),
            Proof::Password(_) => {
                let shown = Credentials::of(text(headers, header::AUTHORIZATION));
                return shown.map(Entry::Shows).ok_or_else(|| unknown("a name and a password are needed"));
            }
            Proof::Token(token) => token,
        };
        let is_it = |shown: &str| equal_in_constant_time(shown.as_bytes(), token.text.as_bytes());
        if !is_of_api && queried(uri, "token").is_some_and(is_it) {
            return Ok(Entry::Enters);
        }
        if bearer(headers).is_some_and(is_it) || cookies(headers).any(is_it) {
            return Ok(Entry::In);
        }
        let wrong = bearer(headers).is_some() || cookies(headers).next().is_some() || queried(uri, "token").is_some();
        let what = if wrong { "this is not the token" } else { "a token is needed" };
        Err(Problem::new(StatusCode::UNAUTHORIZED, what)
            .hint("open /?token=TOKEN once, or send `Authorization: Bearer TOKEN`; the token is in the file `token` of the data folder"))
    }

    /// True for a name under which the server is meant to be reached. An address in digits cannot be re-bound by somebody else.
    fn is_ours(&self, address: SocketAddr, host: &str) -> bool {
        let name = without_port(host);
        names_of_this_machine(address).iter().any(|ours| ours.eq_ignore_ascii_case(host))
            || self.hosts.iter().any(|listed| listed.eq_ignore_ascii_case(name) || listed.eq_ignore_ascii_case(host))
            || !address.ip().is_loopback() && name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
    }

    fn cookie(&self, token: &str) -> String {
        let secure = if self.tls.is_some() { "; Secure" } else { "" };
        format!("{COOKIE}={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict{secure}")
    }
}

fn tls(settings: &Settings) -> anyhow::Result<Option<Tls>> {
    match (settings.get(key::SERVE_TLS_CERT), settings.get(key::SERVE_TLS_KEY)) {
        ("", "") => Ok(None),
        (certificate, key) => {
            ensure!(
                !certificate.is_empty() && !key.is_empty(),
                "TLS needs both serve.tls_cert and serve.tls_key\nhint: give the certificate's file and its key's file, in PEM"
            );
            Tls::read(Path::new(certificate), Path::new(key)).map(Some)
        }
    }
}

/// What becomes of a request that may read.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    In,
    /// The reader has just shown the token in the URL, and gets it as a cookie.
    Enters,
    /// The reader shows a name and a password, which may be wrong.
    Shows(Credentials),
}

/// The address of a server, with its rules.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub address: SocketAddr,
    pub access: Arc<Access>,
}

/// Lets in who may read, as a reader.
pub(super) async fn admit(
    State(gate): State<Gate>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
    next: Next,
) -> Response {
    let refused = match gate.access.check(gate.address, request.method(), request.uri(), request.headers()) {
        Ok(Entry::In) => None,
        Ok(Entry::Enters) => return enter(&gate.access),
        Ok(Entry::Shows(shown)) => match &gate.access.proof {
            Proof::Password(users) if users.know(&shown).await => None,
            _ => Some(unknown("this is not the name and the password of a reader")),
        },
        Err(refused) => Some(refused),
    };
    if let Some(refused) = refused {
        let mut answer = refused.into_response();
        if matches!(gate.access.proof, Proof::Password(_)) && answer.status() == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, ASKS_FOR_PASSWORD);
        }
        return answer;
    }
    caller.become_reader();
    next.run(request).await
}

/// Makes a browser ask its user for a name and a password.
const ASKS_FOR_PASSWORD: HeaderValue = HeaderValue::from_static("Basic realm=\"fedilake\", charset=\"UTF-8\"");

fn unknown(what: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, what)
        .hint("send them by HTTP Basic, as `curl --user NAME` does; whoever runs this server has them in the file of serve.users")
}

/// Sets the cookie. The page then loads itself: a browser that came by a link of another site would keep a strict cookie to itself on a
/// redirect.
fn enter(access: &Access) -> Response {
    const PAGE: &str = "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url=/\">\
        <title>fedilake</title><p><a href=\"/\">fedilake</a>";
    let mut page = Html(PAGE).into_response();
    if let Proof::Token(token) = &access.proof {
        let cookie = HeaderValue::from_str(&access.cookie(&token.text)).expect("a token has letters, digits, - and _");
        page.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

fn foreign(who: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, format!("{who} may not ask this server"))
        .hint("open the address itself; programs send neither Origin nor Sec-Fetch-Site")
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    text(headers, header::AUTHORIZATION).strip_prefix("Bearer ").map(str::trim)
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// A value of the query that needs no decoding.
fn queried<'a>(uri: &'a Uri, key: &str) -> Option<&'a str> {
    uri.query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == key).then_some(value))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && (name.starts_with('[') || !name.contains(':')) => name,
        _ => host,
    }
}

impl Token {
    fn in_folder(folder: &Path) -> anyhow::Result<Token> {
        let file = folder.join(TOKEN_FILE);
        let context = || format!("read the readers' token {}", file.display());
        match crate::secret::read(&file) {
            Ok(text) => {
                let text = text.trim().to_owned();
                ensure!(
                    text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
                    "{}: expected at least 16 letters, digits, - or _\nhint: delete the file, and a token is made at the next start",
                    file.display()
                );
                Ok(Token { text, file, is_new: false })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = format!("{:032x}", rand::random::<u128>());
                let mut options = std::fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let written = options.open(&file).and_then(|mut made| writeln!(made, "{text}"));
                written.with_context(|| format!("write the readers' token {}", file.display()))?;
                Ok(Token { text, file, is_new: true })
            }
            Err(error) => Err(error).with_context(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn access(with_token: bool) -> Access {
        let token = Token { text: TOKEN.to_owned(), file: PathBuf::from("token"), is_new: false };
        let proof = if with_token { Proof::Token(token) } else { Proof::Nothing };
        Access { hosts: vec!["lake.example".to_owned()], proof, sql: true, tls: None }
    }

    fn asked(access: &Access, address: &str, path: &str, headers: &[(&'static str, &str)]) -> Result<Entry, u16> {
        let map = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        let uri = path.parse().unwrap();
        let answer = access.check(address.parse().unwrap(), &Method::GET, &uri, &map.collect());
        answer.map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn on_loopback_only_this_machine_under_its_own_names_may_ask() {
        let access = access(false);
        let api = "/api/v1/reports";
        for (host, expected) in [
            ("127.0.0.1:7878", Ok(Entry::In)),
            ("localhost:7878", Ok(Entry::In)),
            ("LOCALHOST:7878", Ok(Entry::In)),
            ("[::1]:7878", Ok(Entry::In)),
            ("lake.example", Ok(Entry::In)),
            ("lake.example:443", Ok(Entry::In)),
            ("127.0.0.1:7879", Err(403)),
            ("localhost", Err(403)),
            ("evil.example:7878", Err(403)),
            ("lake.example.evil.example", Err(403)),
            ("10.0.0.7:7878", Err(403)),
            ("", Err(403)),
        ] {
            assert_eq!(asked(&access, "127.0.0.1:7878", api, &[("host", host)]), expected, "{host}");
        }
    }

    #[test]
    fn pages_of_others_are_refused_and_a_link_to_the_page_is_followed() {
        let access = access(false);
        let host = ("host", "127.0.0.1:7878");
        for (path, headers, expected) in [
            ("/api/v1/panels", &[("origin", "http://127.0.0.1:7878"), ("sec-fetch-site", "same-origin")][..], true),
            ("/api/v1/panels", &[("sec-fetch-site", "none")], true),
            ("/api/v1/panels", &[("origin", "https://evil.example")], false),
            ("/api/v1/panels", &[("origin", "http://127.0.0.1:3000")], false),
            ("/api/v1/panels", &[("origin", "null")], false),
            ("/api/v1/panels", &[("origin", "")], false),
            ("/api/v1/panels", &[("sec-fetch-site", "cross-site")], false),
            ("/api/v1/panels", &[("sec-fetch-site", "same-site")], false),
            ("/api/v1/sql", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], false),
            ("/assets/a.js", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], false),
            ("/?from=2023-02-04", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], true),
        ] {
            let headers: Vec<_> = headers.iter().copied().chain([host]).collect();
            let expected = if expected { Ok(Entry::In) } else { Err(403) };
            assert_eq!(asked(&access, "127.0.0.1:7878", path, &headers), expected, "{path} {headers:?}");
        }
    }

    #[test]
    fn other_machines_need_the_token() {
        let access = access(true);
        let (host, wrong) = (("host", "10.0.0.7:7878"), "f".repeat(32));
        let (entering, guessing) = (format!("/?tab=sql&token={TOKEN}"), format!("/?token={wrong}"));
        let (in_api, bearing) = (format!("/api/v1/sql?token={TOKEN}"), format!("Bearer {TOKEN}"));
        let (kept, guessed) = (format!("a=b; fedilake={TOKEN}"), format!("fedilake={wrong}"));
        for (path, header, expected) in [
            ("/", host, Err(401)),
            (entering.as_str(), host, Ok(Entry::Enters)),
            (guessing.as_str(), host, Err(401)),
            (in_api.as_str(), host, Err(401)),
            ("/api/v1/sql", ("authorization", bearing.as_str()), Ok(Entry::In)),
            ("/api/v1/sql", ("authorization", TOKEN), Err(401)),
            ("/api/v1/sql", ("cookie", kept.as_str()), Ok(Entry::In)),
            ("/api/v1/sql", ("cookie", guessed.as_str()), Err(401)),
        ] {
            assert_eq!(asked(&access, "0.0.0.0:7878", path, &[host, header]), expected, "{path} {header:?}");
        }
        let named = [("host", "evil.example"), ("authorization", bearing.as_str())];
        assert_eq!(asked(&access, "0.0.0.0:7878", "/", &named), Err(403));
    }

    #[test]
    fn a_token_is_made_once_for_its_user_alone() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let settings = Settings::load(None, [], &[])?;
        let open = || Access::of(&settings, "0.0.0.0:7878".parse()?, folder.path());
        let (first, second) = (open()?, open()?);
        let text = |access: &Access| match &access.proof {
            Proof::Token(token) => token.text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(text(&first), text(&second));
        let address = "0.0.0.0:7878".parse()?;
        assert!(first.invitation(address).unwrap().contains(&text(&first)));
        assert!(!second.invitation(address).unwrap().contains(&text(&first)));
        assert!(!first.sql, "off where others come");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join(TOKEN_FILE))?.permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let alone = Access::of(&settings, "127.0.0.1:0".parse()?, folder.path())?;
        assert!(alone.is_open() && alone.sql);
        std::fs::write(folder.path().join(TOKEN_FILE), "short")?;
        assert!(open().unwrap_err().to_string().contains("expected at least 16"));
        Ok(())
    }

    #[test]
    fn users_stand_in_for_the_token_and_are_asked_on_loopback_too() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("users");
        std::fs::write(&file, format!("anna:{}\n", bcrypt::hash("one", 4).unwrap()))?;
        let settings = Settings::load(None, [], &[("serve.users", file.display().to_string())])?;
        for address in ["127.0.0.1:7878", "0.0.0.0:7878"] {
            let access = Access::of(&settings, address.parse()?, folder.path())?;
            assert!(access.invitation(address.parse()?).unwrap().contains("users"));
            let (host, shown) = (("host", "127.0.0.1:7878"), ("authorization", "Basic YW5uYTpvbmU="));
            let known = || Entry::Shows(Credentials::of("Basic YW5uYTpvbmU=").unwrap());
            let bearing = format!("Bearer {TOKEN}");
            for (path, headers, expected) in [
                ("/api/v1/posts", &[host][..], Err(401)),
                ("/", &[host], Err(401)),
                ("/api/v1/posts", &[host, shown], Ok(known())),
                ("/api/v1/posts", &[host, shown, ("origin", "https://evil.example")], Err(403)),
                ("/api/v1/posts", &[("host", "evil.example"), shown], Err(403)),
                ("/api/v1/posts", &[host, ("authorization", bearing.as_str())], Err(401)),
            ] {
                assert_eq!(asked(&access, address, path, headers), expected, "{address} {path} {headers:?}");
            }
        }
        assert!(!folder.path().join(TOKEN_FILE).exists(), "no token is made");
        Ok(())
    }
}
