//! OAuth: an app registers, a person lets it in, its token reads and is taken back.

use fedilake_sim::serve::Holder;
use fedilake_sim::{Config, Simulation};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;

use crate::client::{Events, get, json, parse, quiet, start};

const STREAM: &str = "/api/v1/streaming/public";
const CALLBACK: &str = "http://127.0.0.1:8123/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A client that shows redirects instead of following them.
fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

async fn post(simulation: &Simulation, path: &str, fields: &[(&str, &str)]) -> Response {
    let url = format!("http://{}{path}", simulation.name(0));
    let form_type = "application/x-www-form-urlencoded";
    client().post(url).header("content-type", form_type).body(form(fields)).send().await.unwrap()
}

async fn register(simulation: &Simulation, redirect_uris: &str, scopes: &str) -> Value {
    let fields = [("client_name", "a <reader>"), ("redirect_uris", redirect_uris), ("scopes", scopes)];
    let response = post(simulation, "/api/v1/apps", &fields).await;
    assert_eq!(response.status(), 200);
    parse(response).await
}

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap()
}

async fn with_token(simulation: &Simulation, token: &str, path: &str) -> Response {
    client().get(format!("http://{}{path}", simulation.name(0))).bearer_auth(token).send().await.unwrap()
}

/// The code behind a redirect to the app.
fn code_of(response: &Response) -> String {
    let location = response.headers()["location"].to_str().unwrap();
    location.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_lets_an_app_in_and_its_token_reads_until_it_is_revoked() {
    let simulation = start(Config { stream_needs_token: true, ..quiet() }).await;
    let app = register(&simulation, "http://127.0.0.1/callback", "read:statuses profile").await;
    let (id, secret) = (text(&app, "client_id"), text(&app, "client_secret"));
    let asked = [
        ("client_id", id),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "read:statuses profile"),
        ("state", "a&b"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let page = get(&simulation, 0, &format!("/oauth/authorize?{}", form(&asked))).await.text().await.unwrap();
    assert!(page.contains("<strong>a &lt;reader&gt;</strong>") && page.contains("<button"), "{page}");
    let hidden = |name: &str| {
        let value = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1.split('"').next().unwrap();
        value.replace("&amp;", "&")
    };
    let of_form: Vec<(&str, String)> = asked.iter().map(|(name, _)| (*name, hidden(name))).collect();
    let of_form: Vec<(&str, &str)> = of_form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(of_form, asked, "the form says again what was asked");
    let approved = post(&simulation, "/oauth/authorize", &of_form).await;
    assert_eq!(approved.status(), 302);
    let location = approved.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(&format!("{CALLBACK}?code=")) && location.ends_with("&state=a%26b"), "{location}");

    let code = code_of(&approved);
    let exchange = [
        ("grant_type", "authorization_code"),
        ("client_id", id),
        ("client_secret", secret),
        ("redirect_uri", CALLBACK),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let given = parse(post(&simulation, "/oauth/token", &exchange).await).await;
    assert_eq!((text(&given, "token_type"), text(&given, "scope")), ("Bearer", "read:statuses profile"));
    let again = post(&simulation, "/oauth/token", &exchange).await;
    assert_eq!(again.status(), 400);
    assert_eq!(parse(again).await["error"], "invalid_grant", "a code is used up");

    let token = text(&given, "access_token");
    let account = parse(with_token(&simulation, token, "/api/v1/accounts/verify_credentials").await).await;
    assert!(account["username"].is_string() && account["source"].is_object());
    let known = parse(with_token(&simulation, token, "/api/v1/apps/verify_credentials").await).await;
    assert_eq!(known["name"], "a <reader>");
    let mut events = Events::of(with_token(&simulation, token, STREAM).await).await;
    let published = simulation.publish(0);
    assert!(events.next().await.1.contains(&published.uri));

    let revoke = [("client_id", id), ("client_secret", secret), ("token", token)];
    let stranger = register(&simulation, CALLBACK, "read").await;
    let by_stranger = [
        ("client_id", text(&stranger, "client_id")),
        ("client_secret", text(&stranger, "client_secret")),
        ("token", token),
    ];
    assert_eq!(post(&simulation, "/oauth/revoke", &by_stranger).await.status(), 403);
    assert_eq!(post(&simulation, "/oauth/revoke", &revoke).await.status(), 200);
    assert!(!events.more().await, "its streams end cleanly");
    assert_eq!(with_token(&simulation, token, STREAM).await.status(), 401);
    let refused = with_token(&simulation, token, "/api/v1/timelines/public").await;
    assert_eq!(refused.status(), 401);
    assert_eq!(parse(refused).await["error"], "The access token was revoked");
    simulation.stop().await;
}

#[tokio::test]
async fn a_code_is_shown_for_pasting_and_approved_by_itself_where_asked_for() {
    let simulation = start(Config { approves: true, ..quiet() }).await;
    let oob = "urn:ietf:wg:oauth:2.0:oob";
    let app = register(&simulation, oob, "").await;
    let asked = [("client_id", text(&app, "client_id")), ("redirect_uri", oob), ("response_type", "code")];
    // Followed to the page that shows the code.
    let page = get(&simulation, 0, &format!("/oauth/authorize?{}", form(&asked))).await.text().await.unwrap();
    let code = page.split_once("value=\"").unwrap().1.split('"').next().unwrap();
    let url = format!("http://{}/oauth/token", simulation.name(0));
    let body = serde_json::json!({"grant_type": "authorization_code", "code": code, "redirect_uri": oob});
    let basic = client().post(url).basic_auth(text(&app, "client_id"), Some(text(&app, "client_secret")));
    let given = basic.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
    assert_eq!(parse(given).await["scope"], "read", "JSON and Basic authentication do as well as a form");
    simulation.stop().await;
}

#[tokio::test]
async fn wrong_requests_are_refused_in_mastodons_words() {
    let simulation = start(quiet()).await;
    let app = register(&simulation, CALLBACK, "read:statuses").await;
    let (id, secret) = (text(&app, "client_id"), text(&app, "client_secret"));
    let whole = [
        ("client_id", id),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "read:statuses"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let ask = async |changed: (&str, &str)| {
        let asked = whole.map(|(name, value)| if name == changed.0 { changed } else { (name, value) });
        client().get(format!("http://{}/oauth/authorize?{}", simulation.name(0), form(&asked))).send().await.unwrap()
    };
    assert_eq!(ask(("client_id", "nobody")).await.status(), 401);
    assert_eq!(ask(("redirect_uri", "http://127.0.0.1:8123/elsewhere")).await.status(), 400);
    for (changed, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "read"), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_code_challenge_method"),
    ] {
        let response = ask(changed).await;
        let location = response.headers()["location"].to_str().unwrap();
        assert!(location.starts_with(&format!("{CALLBACK}?error={error}&")), "{location}");
    }
    let denied = [
        ("client_id", id),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "read:statuses"),
        ("_method", "delete"),
    ];
    let denied = post(&simulation, "/oauth/authorize", &denied).await;
    assert!(denied.headers()["location"].to_str().unwrap().contains("error=access_denied"));

    let code = code_of(&post(&simulation, "/oauth/authorize", &whole).await);
    for (fields, status, error) in [
        (
            vec![("client_id", id), ("client_secret", "wrong"), ("grant_type", "client_credentials")],
            401,
            "invalid_client",
        ),
        (vec![("client_id", id), ("client_secret", secret), ("grant_type", "password")], 400, "unsupported_grant_type"),
        (
            vec![
                ("client_id", id),
                ("client_secret", secret),
                ("grant_type", "client_credentials"),
                ("scope", "write"),
            ],
            400,
            "invalid_scope",
        ),
        (
            vec![
                ("client_id", id),
                ("client_secret", secret),
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", CALLBACK),
            ],
            400,
            "invalid_grant",
        ),
    ] {
        let response = post(&simulation, "/oauth/token", &fields).await;
        assert_eq!(response.status(), status, "{error}");
        assert_eq!(parse(response).await["error"], error);
    }
    for fields in [
        vec![("redirect_uris", CALLBACK)],
        vec![("client_name", "x"), ("redirect_uris", "nowhere")],
        vec![("client_name", "x"), ("redirect_uris", CALLBACK), ("scopes", "all")],
    ] {
        let response = post(&simulation, "/api/v1/apps", &fields).await;
        assert_eq!(response.status(), 422);
        assert!(text(&parse(response).await, "error").starts_with("Validation failed: "));
    }
    simulation.stop().await;
}

#[tokio::test]
async fn what_a_token_opens_depends_on_its_holder_and_scopes() {
    let simulation =
        start(Config { stream_needs_token: true, feed: fedilake_sim::serve::Feed::Authenticated, ..quiet() }).await;
    let app = register(&simulation, CALLBACK, "read").await;
    let fields = [
        ("client_id", text(&app, "client_id")),
        ("client_secret", text(&app, "client_secret")),
        ("grant_type", "client_credentials"),
        ("scope", "read"),
    ];
    let of_app = parse(post(&simulation, "/oauth/token", &fields).await).await;
    let of_app = text(&of_app, "access_token").to_owned();
    let page = "/api/v1/timelines/public";
    let (account, own_app) = ("/api/v1/accounts/verify_credentials", "/api/v1/apps/verify_credentials");
    let of_user = |scope| simulation.token(0, Holder::User, scope).unwrap();
    for (token, path, status) in [
        (&of_app, STREAM, 401),
        (&of_app, page, 422),
        (&of_app, account, 422),
        (&of_app, own_app, 200),
        (&of_user("read"), STREAM, 200),
        (&of_user("read"), page, 200),
        (&of_user("read:statuses"), STREAM, 200),
        (&of_user("read:statuses"), page, 200),
        (&of_user("read:statuses"), account, 403),
        (&of_user("profile"), account, 200),
        (&of_user("profile"), STREAM, 401),
        (&of_user("profile"), page, 403),
        (&"unknown".to_owned(), own_app, 401),
    ] {
        assert_eq!(with_token(&simulation, token, path).await.status(), status, "{path}");
    }
    assert!(simulation.token(0, Holder::User, "everything").is_none());
    simulation.stop().await;
}

#[tokio::test]
async fn tokens_are_given_out_and_revoked_over_http() {
    let simulation = start(Config { stream_needs_token: true, ..quiet() }).await;
    let token = post(&simulation, "/_sim/token?scope=read:statuses", &[]).await.text().await.unwrap();
    assert_eq!(with_token(&simulation, &token, STREAM).await.status(), 200);
    assert_eq!(post(&simulation, "/_sim/revoke?token=unknown", &[]).await.status(), 404);
    assert_eq!(post(&simulation, "/_sim/revoke", &[]).await.status(), 204);
    assert_eq!(with_token(&simulation, &token, STREAM).await.status(), 401);
    assert!(!simulation.revoke(0, &token), "revoked already");
    let app = post(&simulation, "/_sim/token?holder=app", &[]).await.text().await.unwrap();
    assert_eq!(with_token(&simulation, &app, STREAM).await.status(), 401);
    simulation.stop().await;
}

#[tokio::test]
async fn a_server_says_where_apps_are_let_in() {
    let simulation = start(quiet()).await;
    let document = json(&simulation, 0, "/.well-known/oauth-authorization-server").await;
    let base = format!("http://{}", simulation.name(0));
    assert_eq!(document["authorization_endpoint"], format!("{base}/oauth/authorize"));
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    simulation.stop().await;
}
