//! `/oauth/token` and `/oauth/revoke`: gives out tokens and takes them back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::oauth::App;
use super::parameters::Parameters;
use super::scopes::Scopes;
use super::server::Server;
use super::simulation::now_ms;
use super::tokens::Holder;

/// `POST /oauth/token`.
pub(crate) async fn token(State(server): State<Arc<Server>>, headers: HeaderMap, asked: Parameters) -> Response {
    let Some(app) = client(&server, &headers, &asked) else {
        return refused(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
        );
    };
    let (holder, scopes) = match asked.get("grant_type") {
        Some("authorization_code") => match exchanged(&server, &app, &asked) {
            Some(scopes) => (Holder::User, scopes),
            None => {
                return refused(
                    StatusCode::BAD_REQUEST,
                    "invalid_grant",
                    "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.",
                );
            }
        },
        Some("client_credentials") => {
            match Scopes::parse(asked.get("scope")).filter(|scopes| scopes.are_within(&app.scopes)) {
                Some(scopes) => (Holder::App, scopes),
                None => {
                    return refused(
                        StatusCode::BAD_REQUEST,
                        "invalid_scope",
                        "The requested scope is invalid, unknown, or malformed.",
                    );
                }
            }
        }
        Some(_) => {
            return refused(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
            );
        }
        None => return refused(StatusCode::BAD_REQUEST, "invalid_request", "Missing required parameter: grant_type."),
    };
    let now_ms = now_ms();
    let scope = scopes.to_string();
    let token = server.oauth().issue(holder, scopes, Some(app.number));
    let document = json!({"access_token": token, "token_type": "Bearer", "scope": scope, "created_at": now_ms / 1_000});
    ([(header::CACHE_CONTROL, "no-store")], Json(document)).into_response()
}

/// `POST /oauth/revoke`: a token that nobody knows is as good as revoked.
pub(crate) async fn revoke(State(server): State<Arc<Server>>, headers: HeaderMap, asked: Parameters) -> Response {
    let app = client(&server, &headers, &asked);
    let text = asked.get("token").unwrap_or_default();
    let oauth = server.oauth();
    match (app, oauth.tokens.get(text)) {
        (Some(app), Some(token)) if token.app == Some(app.number) => {
            oauth.tokens.revoke(text);
        }
        (Some(_), None) => {}
        _ => {
            return refused(
                StatusCode::FORBIDDEN,
                "unauthorized_client",
                "You are not authorized to revoke this token",
            );
        }
    }
    Json(json!({})).into_response()
}

/// The app of the request, by parameters or by HTTP's Basic authentication.
fn client(server: &Server, headers: &HeaderMap, asked: &Parameters) -> Option<App> {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok());
    let (id, secret) = match &basic {
        Some(basic) => basic.split_once(':')?,
        None => (asked.get("client_id")?, asked.get("client_secret")?),
    };
    server.oauth().app(id).filter(|app| app.client_secret == secret).cloned()
}

/// The scopes to which a person consented, for the right code; a code is used up by the first try.
fn exchanged(server: &Server, app: &App, asked: &Parameters) -> Option<Scopes> {
    let consent = server.oauth().redeem(asked.get("code")?)?;
    let fits = consent.app == app.number
        && asked.get("redirect_uri") == Some(consent.redirect_uri.as_str())
        && consent.is_proved_by(asked.get("code_verifier"));
    fits.then_some(consent.scopes)
}

fn refused(status: StatusCode, error: &str, description: &str) -> Response {
    (status, Json(json!({"error": error, "error_description": description}))).into_response()
}
