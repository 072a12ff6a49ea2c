//! `/api/v1/apps`: registers apps, and tells an app of itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::access::Bearer;
use super::answer::refusal;
use super::oauth::{App, OUT_OF_BAND};
use super::parameters::Parameters;
use super::scopes::Scopes;
use super::server::Server;

/// `POST /api/v1/apps`.
pub(crate) async fn register(State(server): State<Arc<Server>>, asked: Parameters) -> Response {
    let invalid = |error: &str| refusal(StatusCode::UNPROCESSABLE_ENTITY, &format!("Validation failed: {error}"));
    let Some(name) = asked.get("client_name") else { return invalid("Application name can't be blank") };
    let redirect_uris: Vec<String> =
        asked.all("redirect_uris").flat_map(str::split_whitespace).map(str::to_owned).collect();
    if redirect_uris.is_empty() {
        return invalid("Redirect URI can't be blank");
    }
    if !redirect_uris.iter().all(|uri| uri == OUT_OF_BAND || uri.contains("://")) {
        return invalid("Redirect URI must be an absolute URI.");
    }
    let Some(scopes) = Scopes::parse(asked.get("scopes")) else {
        return invalid("Scopes doesn't match configured on the server.");
    };
    let app = server.oauth().register(name, asked.get("website"), redirect_uris, scopes);
    let mut document = describe(&app);
    document["client_id"] = app.client_id.into();
    document["client_secret"] = app.client_secret.into();
    document["client_secret_expires_at"] = 0.into();
    Json(document).into_response()
}

/// `GET /api/v1/apps/verify_credentials`: with a user's token or an app's.
pub(crate) async fn verify(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let invalid = || refusal(StatusCode::UNAUTHORIZED, "The access token is invalid");
    let known = match Bearer::of(&headers, None, &server).admitted(Scopes::offered()) {
        Ok(Some(known)) => known,
        Ok(None) => return invalid(),
        Err(refused) => return refused.into_response(),
    };
    let oauth = server.oauth();
    match known.token.app.and_then(|number| oauth.app_of_number(number)) {
        Some(app) => Json(describe(app)).into_response(),
        // A token of the configuration: its app is not registered here.
        None => Json(json!({"id": "0", "name": "operator", "website": null, "scopes": known.token.scopes.names()}))
            .into_response(),
    }
}

fn describe(app: &App) -> Value {
    json!({
        "id": app.number.to_string(),
        "name": app.name,
        "website": app.website,
        "scopes": app.scopes.names(),
        "redirect_uris": app.redirect_uris,
        "redirect_uri": app.redirect_uris.join("\n"),
        "vapid_key": ""
    })
}
