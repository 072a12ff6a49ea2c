//! `fedilake servers --probe HOST`: what a server says of itself, and whether strangers may read it, before it is added.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use fedilake_collect::server::about::{self, About, Streams, Visit};
use fedilake_collect::server::address::{self, ServerAddress};
use fedilake_collect::{SourceError, advice};
use serde_json::json;

use super::asking;
use crate::cli::Format;
use crate::door::shown_in_line;
use crate::output;
use crate::render::{self, Style};
use crate::servers::configured;
use crate::settings::Settings;
use crate::telemetry;
use crate::tokens::TokenFile;

/// Asks one server.
pub(super) async fn run(typed: &str, format: Format, settings: &Settings) -> anyhow::Result<ExitCode> {
    if !matches!(format, Format::Table | Format::Json | Format::Ndjson) {
        bail!("--probe prints a table or JSON\nhint: --format json");
    }
    let address = address::parse(typed)?;
    let http = asking::client(settings, about::ANSWER_WITHIN)?;
    let is_own = configured::own_with_tokens(settings)?.contains(&address.server);
    let (visit, is_inside) = match Visit::begin(&http, &address, is_own).await {
        Ok(visit) => (visit, about::is_inside(&address)),
        // The name leads into a private network, which is where the operator's own server may be.
        Err(SourceError::Forbidden { .. }) => {
            about::allow(&http, &address);
            (Visit::begin(&http, &address, is_own).await.map_err(|error| told(&address, error))?, true)
        }
        Err(error) => return Err(told(&address, error)),
    };
    let mut about = visit.about().await.map_err(|error| told(&address, error))?;
    about::allow(&http, &address);
    visit.more(&mut about).await;
    let timeline = visit.timeline_with(None).await;
    let probed = Probed { address, about, is_inside, timeline };
    match format {
        Format::Table => probed.print()?,
        _ => writeln!(output::stdout(), "{:#}", probed.json())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The error for a server that says nothing of itself.
fn told(address: &ServerAddress, error: SourceError) -> anyhow::Error {
    let server = &address.server;
    let is_no_mastodon = match &error {
        SourceError::Malformed { .. } | SourceError::TooLong { .. } => true,
        SourceError::Refused { status, .. } => matches!(status.as_u16(), 404 | 405 | 406 | 410),
        _ => false,
    };
    if is_no_mastodon {
        return anyhow::anyhow!(
            "{server} does not answer as Mastodon does: {error}\n\
             hint: give the host of its API, which may be another than that in the handles of its members"
        );
    }
    let hint = advice(&error, server, false).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    anyhow::anyhow!("ask {server} about itself: {error}{hint}")
}

/// What was found.
struct Probed {
    address: ServerAddress,
    about: About,
    is_inside: bool,
    timeline: Result<usize, SourceError>,
}

impl Probed {
    fn print(&self) -> anyhow::Result<()> {
        let style = Style::of_stdout();
        let (about, server) = (&self.about, &self.address.server);
        let mut lines: Vec<(&str, String)> = vec![("address", self.address.to_string())];
        let mut line = |name, text: Option<String>| lines.extend(text.map(|text| (name, text)));
        line(
            "network",
            self.is_inside.then(|| "this machine, or a private network: strangers do not reach it".to_owned()),
        );
        line("title", about.title.clone());
        line("software", Some(asking::software(about).unwrap_or_else(|| "not said".to_owned())));
        line("moved", asking::moved(server, about).map(|(says, todo)| format!("{says}; {todo}")));
        line("domain", about.domain.as_ref().map(|domain| format!("{domain}, in the handles of its members")));
        line(
            "streams",
            Some(match &about.streams {
                _ if about.disallowed.is_some() => "not asked for: robots.txt disallows its document".to_owned(),
                Streams::At(url) => format!("at {url}"),
                Streams::None => "none: its timeline is polled".to_owned(),
                Streams::Unsaid => "it names no address: they are looked for at its own".to_owned(),
            }),
        );
        line(
            "live posts",
            about.feeds.as_ref().map(|feeds| {
                format!("members': {}; others': {}", asking::reader(&feeds.local), asking::reader(&feeds.remote))
            }),
        );
        line(
            "timeline",
            Some(match &self.timeline {
                Ok(0) => "shown without a token, and empty".to_owned(),
                Ok(_) => "shown without a token".to_owned(),
                Err(SourceError::Disallowed { .. }) => "not asked for: robots.txt disallows it".to_owned(),
                Err(error) => format!("not shown without a token: {error}"),
            }),
        );
        line(
            "limit",
            about.limit.map(|limit| {
                format!("{} requests in its window, {} left to this address", limit.limit, limit.remaining)
            }),
        );
        line("clock", about.clock_ahead.map(clock));
        line(
            "robots.txt",
            Some(match asking::robots(about) {
                Some("allow") => "allows the API".to_owned(),
                Some(_) => match &self.timeline {
                    Err(SourceError::Disallowed { rule, .. }) => format!("disallows the API ({rule})"),
                    _ => "disallows the API; it is your own server, so this speaks to others".to_owned(),
                },
                None => "none".to_owned(),
            }),
        );
        line(
            "token",
            TokenFile::of(server.as_str())
                .ok()
                .filter(TokenFile::exists)
                .map(|_| "saved by `fedilake login`".to_owned()),
        );
        match about.rules.as_slice() {
            [] if about.disallowed.is_some() => {}
            [] => line("rules", Some("none".to_owned())),
            rules => rules.iter().enumerate().for_each(|(n, rule)| {
                line(if n == 0 { "rules" } else { "" }, Some(format!("{}. {rule}", n + 1)));
            }),
        }
        let mut out = output::page();
        writeln!(out, "{}", style.bold(server.as_str()))?;
        render::print_fields(
            lines.iter().map(|(name, text)| (*name, shown_in_line(text).into_owned())),
            &style,
            &mut out,
        )?;
        telemetry::say(&self.hint());
        Ok(())
    }

    fn hint(&self) -> String {
        let typed = if self.address.base.scheme() == "https" {
            self.address.server.to_string()
        } else {
            self.address.to_string()
        };
        match &self.timeline {
            Ok(_) => format!(
                "hint: `fedilake servers add {typed}` reads it beside the others, `fedilake run --server {typed}` alone"
            ),
            Err(SourceError::Disallowed { .. }) => format!(
                "hint: it is not read, unless it is your own: `fedilake run --own-server {typed}`, after `fedilake login {typed}`"
            ),
            Err(_) => format!("hint: `fedilake login {typed}` gets a token, with which it may be read"),
        }
    }

    fn json(&self) -> serde_json::Value {
        let about = &self.about;
        json!({
            "server": self.address.server.as_str(),
            "address": self.address.to_string(),
            "is_private": self.is_inside,
            "title": about.title,
            "software": about.software,
            "version": about.version,
            "domain": about.domain,
            "streams": match &about.streams {
                Streams::At(url) => json!(url),
                Streams::None => json!(false),
                Streams::Unsaid => json!(null),
            },
            "readers": about.feeds.as_ref().map(|feeds| json!({"local": feeds.local, "remote": feeds.remote})),
            "timeline_without_token": self.timeline.is_ok(),
            "timeline_error": self.timeline.as_ref().err().map(ToString::to_string),
            "limit": about.limit.map(|limit| json!({"requests": limit.limit, "left": limit.remaining})),
            "clock_ahead_seconds": about.clock_ahead.map(|ahead| ahead.num_seconds()),
            "robots": asking::robots(about),
            "rules": about.rules,
        })
    }
}

/// How a server's clock stands to ours.
fn clock(ahead: chrono::TimeDelta) -> String {
    match ahead.num_seconds() {
        -2..=2 => "as this machine's".to_owned(),
        seconds @ 3.. => format!("{seconds} s ahead of this machine's"),
        seconds => format!("{} s behind this machine's", -seconds),
    }
}
