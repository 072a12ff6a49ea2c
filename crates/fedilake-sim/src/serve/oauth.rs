//! A server's state of OAuth: apps, codes that wait to be exchanged, tokens.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::scopes::Scopes;
use super::tokens::{Holder, Tokens};
use crate::dice::{Dice, Purpose};

/// The redirect URI that shows the code for pasting.
pub(crate) const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// A registered app.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) website: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Scopes,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

impl App {
    /// True if a user may be sent there: a URI of the app's, on any port if it is a loopback address (RFC 8252, 7.3).
    pub(crate) fn redirects_to(&self, uri: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|own| own == uri || without_port(own).is_some_and(|own| without_port(uri) == Some(own)))
    }
}

/// A loopback URI's parts before and behind its port; `None` for other hosts, `localhost` among them.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    let host = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| uri.starts_with(host))?;
    let rest = &uri[host.len()..];
    let path = rest.find('/').map_or("", |slash| &rest[slash..]);
    let port = &rest[..rest.len() - path.len()];
    let is_port = port.strip_prefix(':').is_none_or(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    (is_port && (port.is_empty() || port.starts_with(':'))).then_some((host, path))
}

/// A person's consent that waits to be exchanged for a token, once.
#[derive(Clone, Debug)]
pub(crate) struct Consent {
    pub(crate) app: u64,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Scopes,
    /// PKCE's challenge, of method S256.
    pub(crate) challenge: Option<String>,
}

impl Consent {
    /// True if the verifier is the one of the challenge. Neither goes without the other.
    pub(crate) fn is_proved_by(&self, verifier: Option<&str>) -> bool {
        let hashed = verifier.map(|verifier| URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())));
        hashed == self.challenge
    }
}

/// The state.
pub(crate) struct OAuth {
    pub(crate) tokens: Tokens,
    apps: Vec<App>,
    codes: HashMap<String, Consent>,
    secrets: Dice,
}

impl OAuth {
    pub(crate) fn new(seed: u64, server: usize, operators: &[String]) -> OAuth {
        let secrets = Dice::new(seed, Purpose::Secret, server as u64);
        OAuth { tokens: Tokens::of_operator(operators), apps: Vec::new(), codes: HashMap::new(), secrets }
    }

    /// Registers an app.
    pub(crate) fn register(
        &mut self,
        name: &str,
        website: Option<&str>,
        redirect_uris: Vec<String>,
        scopes: Scopes,
    ) -> App {
        let app = App {
            number: self.apps.len() as u64 + 1,
            name: name.to_owned(),
            website: website.map(str::to_owned),
            redirect_uris,
            scopes,
            client_id: self.secret(),
            client_secret: self.secret(),
        };
        self.apps.push(app.clone());
        app
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    pub(crate) fn app_of_number(&self, number: u64) -> Option<&App> {
        self.apps.iter().find(|app| app.number == number)
    }

    /// A code for that consent.
    pub(crate) fn consent(&mut self, consent: Consent) -> String {
        let code = self.secret();
        self.codes.insert(code.clone(), consent);
        code
    }

    /// The consent behind a code, which is used up.
    pub(crate) fn redeem(&mut self, code: &str) -> Option<Consent> {
        self.codes.remove(code)
    }

    /// Gives out a new token.
    pub(crate) fn issue(&mut self, holder: Holder, scopes: Scopes, app: Option<u64>) -> String {
        let text = self.secret();
        self.tokens.put(text.clone(), holder, scopes, app);
        text
    }

    /// 43 characters, as Mastodon's secrets have.
    fn secret(&mut self) -> String {
        let bytes: Vec<u8> = (0..4).flat_map(|_| self.secrets.next().to_le_bytes()).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(uri: &str) -> App {
        let scopes = Scopes::parse(None).unwrap();
        OAuth::new(1, 0, &[]).register("reader", None, vec![uri.to_owned()], scopes)
    }

    #[test]
    fn a_loopback_address_may_have_any_port() {
        let app_at = app("http://127.0.0.1/callback");
        assert!(
            app_at.redirects_to("http://127.0.0.1/callback") && app_at.redirects_to("http://127.0.0.1:4321/callback")
        );
        for wrong in [
            "http://127.0.0.1:4321/",
            "http://127.0.0.1.evil.example/callback",
            "http://127.0.0.1:4321@evil.example/callback",
            "http://localhost/callback",
            OUT_OF_BAND,
        ] {
            assert!(!app_at.redirects_to(wrong), "{wrong}");
        }
        assert!(app(OUT_OF_BAND).redirects_to(OUT_OF_BAND));
        assert!(!app("http://localhost:1/").redirects_to("http://localhost:2/"), "a name is no loopback address");
    }

    #[test]
    fn a_challenge_is_proved_by_its_verifier_alone() {
        // The example of RFC 7636, appendix B.
        let consent = Consent {
            app: 1,
            redirect_uri: OUT_OF_BAND.to_owned(),
            scopes: Scopes::parse(None).unwrap(),
            challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
        };
        assert!(!consent.is_proved_by(Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXj")));
        assert!(consent.is_proved_by(Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));
        assert!(!consent.is_proved_by(None));
        assert!(!Consent { challenge: None, ..consent }.is_proved_by(Some("anything")));
    }
}
