//! `fedilake login`: a token for a server, by OAuth with PKCE, saved in a file of the user's own.
//!
//! The server registers this program as an app that may read posts and nothing else. A person lets the app in, in a browser; the code comes
//! back to a port of this machine, or is pasted, and is changed into a token. The token is tried before it is saved.

mod callback;
mod oauth;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_collect::server::about::{self, Visit};
use fedilake_collect::server::address::{self, ServerAddress};
use fedilake_collect::server::http::Http;
use fedilake_collect::{HttpSettings, SourceError, Token};
use std::io::Write;

use self::callback::Callback;
use self::oauth::{Asked, Granted, OAuth};
use crate::cli;
use crate::command::browser;
use crate::output;
use crate::servers::configured;
use crate::settings::Settings;
use crate::telemetry;
use crate::tokens::TokenFile;

/// How long a person may take to let the app in.
const PATIENCE: Duration = Duration::from_secs(600);
/// The redirect that makes a server show the code.
const BY_HAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// Logs in to a server, or out of it.
pub(super) async fn run(typed: &cli::Login, settings: &Settings) -> anyhow::Result<ExitCode> {
    let address = address::parse(&typed.server)?;
    let file = TokenFile::of(address.server.as_str())?;
    let oauth = OAuth::new(&address, configured::contact(settings))?;
    if typed.logout {
        logout(&address, &file, &oauth).await?;
    } else {
        login(typed.paste, &address, &file, &oauth, settings).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn login(
    paste: bool,
    address: &ServerAddress,
    file: &TokenFile,
    oauth: &OAuth,
    settings: &Settings,
) -> anyhow::Result<()> {
    file.prepare()?;
    let callback = if paste { None } else { Some(Callback::bind().await?) };
    let redirect = callback.as_ref().map_or_else(|| BY_HAND.to_owned(), Callback::redirect);
    let registered = oauth.register(&redirect).await?;
    let asked = Asked::new(registered, redirect);
    let url = oauth.authorize_url(&asked);
    telemetry::say(&format!("let fedilake read posts of {} as you, at this address:", address.server));
    writeln!(output::stdout(), "{url}")?;
    let code = match callback {
        Some(callback) => {
            if !browser::open(url) {
                telemetry::say(&format!(
                    "hint: the browser must be on this machine; elsewhere, `fedilake login --paste {}`",
                    address.server
                ));
            }
            let waiting = callback.code(&asked.state, address.server.as_str());
            tokio::time::timeout(PATIENCE, waiting).await.with_context(|| {
                format!(
                    "nobody let fedilake in within {} minutes, so nothing was saved\nhint: `fedilake login {1}` again, or with --paste",
                    PATIENCE.as_secs() / 60,
                    address.server
                )
            })??
        }
        None => pasted().await?,
    };
    let Granted { token, scope } = oauth.token(&asked, &code).await?;
    let read =
        Token::new(&token).with_context(|| format!("{} gave a token that no header can hold", address.server))?;
    try_out(address, &read, settings).await?;
    file.save(&token, &asked.app)?;
    let may = scope.map(|scope| format!(", which may {scope}")).unwrap_or_default();
    telemetry::say(&format!(
        "logged in to {0}: {1} holds the token{may}\nhint: `fedilake run --server {2}` uses it, and so does a process that runs; `fedilake login --logout {2}` revokes it",
        address.server,
        file.path().display(),
        in_words(address)
    ));
    Ok(())
}

/// The server as a person types it.
fn in_words(address: &ServerAddress) -> String {
    match address.base.scheme() {
        "https" => address.server.to_string(),
        _ => address.to_string(),
    }
}

/// Reads the timeline once with the token, as collectors will, unless robots.txt forbids it.
async fn try_out(address: &ServerAddress, token: &Token, settings: &Settings) -> anyhow::Result<()> {
    let http = Http::new(HttpSettings {
        answer_timeout: about::ANSWER_WITHIN,
        ..HttpSettings::new(configured::contact(settings))
    })?;
    about::allow(&http, address);
    let server = &address.server;
    let is_own = configured::named_own(settings)?.contains(server);
    let read = async { Visit::begin(&http, address, is_own).await?.timeline_with(Some(token)).await };
    let read = match read.await {
        Err(error @ SourceError::Disallowed { .. }) => {
            telemetry::say(&format!(
                "{server}: {error}, so the token was not tried\nhint: if it is your own server, name it in collect.own_servers"
            ));
            return Ok(());
        }
        read => read,
    };
    read.map(drop).with_context(|| {
        format!("{} gave a token and does not let it read its timeline, so it was not saved", address.server)
    })
}

/// The code that a person pastes: alone, or in the address of the page that shows it.
async fn pasted() -> anyhow::Result<String> {
    telemetry::say("paste the code that the page shows, and press Enter:");
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = line.await?.context("read the code from standard input")?;
    let typed = line.trim();
    let in_url = url::Url::parse(typed)
        .ok()
        .and_then(|url| url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned()));
    let code = in_url.unwrap_or_else(|| typed.to_owned());
    if code.is_empty() || code.contains(char::is_whitespace) {
        bail!("no code was pasted, so nothing was saved\nhint: copy the whole code from the page, in one line");
    }
    Ok(code)
}

async fn logout(address: &ServerAddress, file: &TokenFile, oauth: &OAuth) -> anyhow::Result<()> {
    if !file.exists() {
        bail!("no token of {} is saved\nhint: `fedilake servers` shows which servers have one", address.server);
    }
    let (token, app) = file.read()?;
    let by_hand = || {
        format!(
            "hint: revoke it at {address}/oauth/authorized_applications, and `rm {}` forgets it here",
            telemetry::shell_word(&file.path().display().to_string())
        )
    };
    let Some(app) = app else {
        bail!(
            "the token of {} was not saved by `fedilake login`, so it cannot be revoked here\n{}",
            address.server,
            by_hand()
        );
    };
    oauth
        .revoke(&app, &token)
        .await
        .with_context(|| format!("revoke the token of {}\n{}", address.server, by_hand()))?;
    file.remove()?;
    telemetry::say(&format!("logged out of {}: its token is revoked and deleted", address.server));
    Ok(())
}
