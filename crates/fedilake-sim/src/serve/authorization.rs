//! `/oauth/authorize`: the page on which a person lets an app in, and the way back to the app.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::{escaped, page};
use super::oauth::{App, Consent, OUT_OF_BAND};
use super::parameters::Parameters;
use super::scopes::Scopes;
use super::server::Server;

/// A request that may be put before a person.
struct Asked {
    app: App,
    consent: Consent,
    state: Option<String>,
}

/// `GET /oauth/authorize`: the page, or the way back at once where the simulation approves by itself.
pub(crate) async fn ask(State(server): State<Arc<Server>>, parameters: Parameters) -> Response {
    match read(&server, &parameters) {
        Ok(asked) if server.approves => approve(&server, asked),
        Ok(asked) => show(&server, &asked),
        Err(refused) => *refused,
    }
}

/// `POST /oauth/authorize`: the person's answer; `_method=delete` is a no, as Rails writes it into forms.
pub(crate) async fn answer(State(server): State<Arc<Server>>, parameters: Parameters) -> Response {
    match read(&server, &parameters) {
        Ok(asked) if parameters.get("_method") == Some("delete") => {
            let denied = "The resource owner or authorization server denied the request.";
            failed(&asked.consent.redirect_uri, asked.state.as_deref(), "access_denied", denied)
        }
        Ok(asked) => approve(&server, asked),
        Err(refused) => *refused,
    }
}

/// `GET /oauth/authorize/native`: shows the code for pasting.
pub(crate) async fn native(parameters: Parameters) -> Response {
    let code = escaped(parameters.get("code").unwrap_or_default());
    let body = format!(
        "<p>Copy this authorization code and paste it to the application.</p><input type=\"text\" class=\"oauth-code\" readonly value=\"{code}\">"
    );
    page(StatusCode::OK, "Authorization code", &body)
}

fn read(server: &Server, parameters: &Parameters) -> Result<Asked, Box<Response>> {
    let broken = |status, error: &str| Err(Box::new(page(status, "An error has occurred", &format!("<p>{error}</p>"))));
    let Some(app) = parameters.get("client_id").and_then(|id| server.oauth().app(id).cloned()) else {
        let unknown = "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.";
        return broken(StatusCode::UNAUTHORIZED, unknown);
    };
    let redirect_uri = parameters.get("redirect_uri").unwrap_or_default().to_owned();
    if !app.redirects_to(&redirect_uri) {
        return broken(StatusCode::BAD_REQUEST, "The redirect uri included is not valid.");
    }
    let state = parameters.get("state").map(str::to_owned);
    let back =
        |error: &str, description: &str| Err(Box::new(failed(&redirect_uri, state.as_deref(), error, description)));
    if parameters.get("response_type") != Some("code") {
        return back("unsupported_response_type", "The authorization server does not support this response type.");
    }
    let Some(scopes) = Scopes::parse(parameters.get("scope")).filter(|scopes| scopes.are_within(&app.scopes)) else {
        return back("invalid_scope", "The requested scope is invalid, unknown, or malformed.");
    };
    let challenge = parameters.get("code_challenge").map(str::to_owned);
    if challenge.is_some() && parameters.get("code_challenge_method") != Some("S256") {
        return back("invalid_code_challenge_method", "The code_challenge_method must be S256.");
    }
    let consent = Consent { app: app.number, redirect_uri: redirect_uri.clone(), scopes, challenge };
    Ok(Asked { app, consent, state })
}

fn show(server: &Server, asked: &Asked) -> Response {
    let Asked { app, consent, state } = asked;
    let hidden =
        |name: &str, value: &str| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value));
    let mut fields = hidden("client_id", &app.client_id)
        + &hidden("redirect_uri", &consent.redirect_uri)
        + &hidden("response_type", "code")
        + &hidden("scope", &consent.scopes.to_string());
    if let Some(state) = state {
        fields += &hidden("state", state);
    }
    if let Some(challenge) = &consent.challenge {
        fields += &(hidden("code_challenge", challenge) + &hidden("code_challenge_method", "S256"));
    }
    let form = |extra: &str, name: &str, label: &str| {
        format!(
            "<form action=\"/oauth/authorize\" method=\"post\">{fields}{extra}<button type=\"submit\" name=\"{name}\">{label}</button></form>"
        )
    };
    let body = format!(
        "<h1>Authorization required</h1><p><strong>{}</strong> wants to read posts on {} as one of its members (scope: {}).</p>{}{}",
        escaped(&app.name),
        escaped(server.name()),
        consent.scopes,
        form("", "authorize", "Authorize"),
        form("<input type=\"hidden\" name=\"_method\" value=\"delete\">", "deny", "Deny"),
    );
    page(StatusCode::OK, "Authorization required", &body)
}

fn approve(server: &Server, asked: Asked) -> Response {
    let redirect_uri = asked.consent.redirect_uri.clone();
    let code = server.oauth().consent(asked.consent);
    match redirect_uri.as_str() {
        OUT_OF_BAND => found(&format!("/oauth/authorize/native?code={code}")),
        uri => found(&with_parameters(uri, &[("code", Some(&code)), ("state", asked.state.as_deref())])),
    }
}

fn failed(redirect_uri: &str, state: Option<&str>, error: &str, description: &str) -> Response {
    if redirect_uri == OUT_OF_BAND {
        return page(StatusCode::BAD_REQUEST, "An error has occurred", &format!("<p>{description}</p>"));
    }
    let parameters = [("error", Some(error)), ("error_description", Some(description)), ("state", state)];
    found(&with_parameters(redirect_uri, &parameters))
}

fn found(location: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

fn with_parameters(uri: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut uri = uri.to_owned();
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        uri.push(if uri.contains('?') { '&' } else { '?' });
        uri.push_str(name);
        uri.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => uri.push(byte.into()),
                byte => uri.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_behind_what_a_uri_already_has() {
        let uri = with_parameters("http://127.0.0.1/cb?x=1", &[("code", Some("a b&c")), ("state", None)]);
        assert_eq!(uri, "http://127.0.0.1/cb?x=1&code=a%20b%26c");
    }
}
