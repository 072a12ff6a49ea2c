//! A server's OAuth, as Mastodon has it: an app, a code, a token, and its end.

use std::time::Duration;

use anyhow::{Context, bail};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedilake_collect::server::address::ServerAddress;
use fedilake_model::json::Object;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, USER_AGENT};
use reqwest::{Client, StatusCode, Url, redirect};
use url::form_urlencoded;

use crate::door::shown_in_line;
use crate::tokens::App;

/// The narrowest scope that reads timelines and streams, and the one for servers that do not know it.
const SCOPES: [&str; 2] = ["read:statuses", "read"];
/// How long a server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// The most characters of a server's own words that are shown.
const SAID_MAX: usize = 200;

/// A server that is asked for a token.
pub(super) struct OAuth {
    address: ServerAddress,
    client: Client,
    user_agent: String,
    website: String,
}

/// An app that was registered, and what it was registered for.
pub(super) struct Registered {
    app: App,
    scope: &'static str,
}

/// A login under way.
pub(super) struct Asked {
    pub app: App,
    pub state: String,
    scope: &'static str,
    redirect: String,
    verifier: String,
}

/// A token, and what it may do by the server's own words.
pub(super) struct Granted {
    pub token: String,
    pub scope: Option<String>,
}

/// An answer of the server.
struct Answer {
    status: StatusCode,
    path: &'static str,
    location: Option<String>,
    document: Option<Object>,
}

impl Asked {
    pub fn new(registered: Registered, redirect: String) -> Asked {
        let Registered { app, scope } = registered;
        Asked { app, scope, redirect, state: random(), verifier: random() }
    }
}

impl OAuth {
    pub fn new(address: &ServerAddress, contact: &str) -> anyhow::Result<OAuth> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(ANSWER_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .context("set up the HTTP client")?;
        let user_agent = format!("fedilake/{} (+{contact})", env!("CARGO_PKG_VERSION"));
        Ok(OAuth {
            address: address.clone(),
            client,
            user_agent,
            website: crate::servers::configured::PROJECT.to_owned(),
        })
    }

    /// Registers this program as an app, to which codes come by `redirect`.
    pub async fn register(&self, redirect: &str) -> anyhow::Result<Registered> {
        for scope in SCOPES {
            let form = [
                ("client_name", "fedilake"),
                ("redirect_uris", redirect),
                ("scopes", scope),
                ("website", self.website.as_str()),
            ];
            let answer = self.post("/api/v1/apps", &form).await?;
            let is_unknown_scope = matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
            if is_unknown_scope && scope != SCOPES[SCOPES.len() - 1] {
                continue;
            }
            let text = |name| answer.text(name).map(str::to_owned);
            return match (answer.status.is_success(), text("client_id"), text("client_secret")) {
                (true, Some(client_id), Some(client_secret)) => {
                    Ok(Registered { app: App { client_id, client_secret }, scope })
                }
                (true, ..) => Err(self.no_mastodon()),
                _ => Err(self.refused("register fedilake as an app", &answer)),
            };
        }
        unreachable!("the last scope returns")
    }

    /// The page on which a person lets the app in.
    pub fn authorize_url(&self, asked: &Asked) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, asked.verifier.as_bytes()));
        let mut url = self.url("/oauth/authorize");
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", asked.app.client_id.as_str()),
            ("redirect_uri", asked.redirect.as_str()),
            ("scope", asked.scope),
            ("state", asked.state.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
        url.into()
    }

    /// Changes the code into a token.
    pub async fn token(&self, asked: &Asked, code: &str) -> anyhow::Result<Granted> {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", asked.app.client_id.as_str()),
            ("client_secret", asked.app.client_secret.as_str()),
            ("redirect_uri", asked.redirect.as_str()),
            ("scope", asked.scope),
            ("code", code),
            ("code_verifier", asked.verifier.as_str()),
        ];
        let answer = self.post("/oauth/token", &form).await?;
        match (answer.status.is_success(), answer.text("access_token")) {
            (true, Some(token)) => Ok(Granted {
                token: token.to_owned(),
                scope: answer.text("scope").map(|scope| shown_in_line(&cut(scope)).into_owned()),
            }),
            (true, None) => Err(self.no_mastodon()),
            (false, _) => Err(self.refused(
                "take the code\nhint: a code counts once and for some minutes; log in again, and paste it whole",
                &answer,
            )),
        }
    }

    /// Ends the token.
    pub async fn revoke(&self, app: &App, token: &str) -> anyhow::Result<()> {
        let form =
            [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str()), ("token", token)];
        let answer = self.post("/oauth/revoke", &form).await?;
        if answer.status.is_success() { Ok(()) } else { Err(self.refused("revoke it", &answer)) }
    }

    async fn post(&self, path: &'static str, form: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .client
            .post(self.url(path))
            .header(USER_AGENT, &self.user_agent)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let error = fedilake_collect::server::http::unreachable("connect", error);
                let hint = fedilake_collect::advice(&error, &self.address.server, false);
                let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                bail!("ask {}: {error}{hint}", self.address.server);
            }
        };
        let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(part) =
            response.chunk().await.with_context(|| format!("read {}'s answer", self.address.server))?
        {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_BYTES_MAX {
                bail!("{} answered {path} with more than {ANSWER_BYTES_MAX} bytes", self.address.server);
            }
        }
        Ok(Answer { status, path, location, document: Object::parse(&body).ok() })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.address.base.clone();
        url.set_path(path);
        url
    }

    /// The error for an answer that says no. `what` may end with a hint.
    fn refused(&self, what: &str, answer: &Answer) -> anyhow::Error {
        let server = &self.address.server;
        if let Some(to) = answer.location.as_deref().filter(|_| answer.status.is_redirection()) {
            return anyhow::anyhow!(
                "{server} leads to {}\nhint: log in there, if that is the server that you mean",
                shown_in_line(&cut(to))
            );
        }
        let said = answer.text("error_description").or_else(|| answer.text("error"));
        if said.is_none() && matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return self.no_mastodon();
        }
        let said = said.map(|said| format!(": {}", shown_in_line(&cut(said)))).unwrap_or_default();
        let (what, hint) =
            what.split_once('\n').map_or((what, String::new()), |(what, hint)| (what, format!("\n{hint}")));
        anyhow::anyhow!("{server} did not {what}: {} for {}{said}{hint}", answer.status, answer.path)
    }

    fn no_mastodon(&self) -> anyhow::Error {
        anyhow::anyhow!(
            "{0} does not answer as Mastodon does\nhint: `fedilake servers --probe {0}` looks at what it is",
            self.address.server
        )
    }
}

impl Answer {
    fn text(&self, name: &str) -> Option<&str> {
        self.document.as_ref()?.text_at(&[name]).filter(|text| !text.is_empty())
    }
}

fn cut(text: &str) -> String {
    text.chars().take(SAID_MAX).collect()
}

/// 256 bits that nobody can guess, in 43 letters, digits, - and _.
fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_the_hash_of_its_verifier() {
        // The example of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn the_page_is_asked_for_the_narrowest_scope_and_no_two_logins_are_alike() {
        let address = fedilake_collect::server::address::parse("a.example").unwrap();
        let oauth = OAuth::new(&address, "you@a.example").unwrap();
        let asked = || {
            let app = App { client_id: "i d".to_owned(), client_secret: "hunter2".to_owned() };
            Asked::new(Registered { app, scope: SCOPES[0] }, "http://127.0.0.1:1/x".to_owned())
        };
        let (one, other) = (asked(), asked());
        let url = oauth.authorize_url(&one);
        assert!(url.starts_with("https://a.example/oauth/authorize?response_type=code&client_id=i+d&"), "{url}");
        assert!(url.contains("&scope=read%3Astatuses&") && url.contains("&code_challenge_method=S256"), "{url}");
        assert!(!url.contains(&one.verifier) && !url.contains("hunter2"));
        assert_ne!((&one.state, &one.verifier), (&other.state, &other.verifier));
    }
}
