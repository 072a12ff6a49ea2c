//! The servers that are read, their tokens, and this machine's clock against theirs.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use fedilake_collect::server::about::About;
use fedilake_collect::server::address::ServerAddress;
use fedilake_collect::{ServerConfig, Token, advice};

use super::Finding;
use crate::render::counted;
use crate::servers::asking;
use crate::servers::configured;
use crate::servers::contact;
use crate::servers::listed::Listed;
use crate::servers::roster::Roster;
use crate::settings::Settings;
use crate::tokens;
use crate::wire::{SharedList, Use};

/// The most servers that are asked, and how long each may take.
const ASKED_MAX: usize = 30;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the list of servers in Kafka may take.
const LIST_WITHIN: Duration = Duration::from_secs(20);
/// Clocks further apart than this give posts wrong times.
const APART_MAX: TimeDelta = TimeDelta::seconds(30);

/// Looks at servers and tokens.
pub(super) async fn all(settings: &Settings) -> Vec<Finding> {
    let (mut found, is_whole) = tokens(settings);
    let servers = match is_whole {
        true => servers(settings).await,
        // Servers without their tokens.
        false => configured::configured_with(&Vec::new(), settings),
    };
    let servers = match servers {
        Ok(servers) => servers,
        Err(error) => {
            found.push(Finding::failed("servers", &error));
            return found;
        }
    };
    if servers.is_empty() {
        found.push(Finding::note(
            "servers",
            "no server is named to be read",
            "`fedilake run --server HOST`, `fedilake servers add HOST` or collect.servers names one",
        ));
        return found;
    }
    found.extend(contact_of(settings, &servers));
    let addresses: Vec<ServerAddress> = servers.iter().take(ASKED_MAX).map(|config| config.address.clone()).collect();
    let http = match asking::client(settings, ANSWER_WITHIN) {
        Ok(http) => http,
        Err(error) => {
            found.push(Finding::failed("servers", &error));
            return found;
        }
    };
    // What keeps the tokens from being read was told above.
    let own = configured::own_with_tokens(settings).unwrap_or_default();
    let told = asking::all(&http, &addresses, &own, false).await;
    let ahead: Vec<TimeDelta> = told.iter().flatten().filter_map(|about| about.clock_ahead).collect();
    found.extend(clock(&ahead));
    for (config, told) in servers.iter().zip(told) {
        let (server, has_token) = (&config.address.server, config.token.is_some());
        found.push(match told {
            Ok(about) => server_says(config, &about),
            Err(error) => {
                let todo = advice(&error, server, has_token).unwrap_or_else(|| {
                    "it is tried again for as long as a process reads it; is it down for everyone?".to_owned()
                });
                Finding::wrong("server", format!("{server}: {error}"), todo)
            }
        });
    }
    if servers.len() > ASKED_MAX {
        let others = counted((servers.len() - ASKED_MAX) as u64, "further server");
        found.push(Finding::ok("servers", format!("{others} not asked")));
    }
    found
}

fn server_says(config: &ServerConfig, about: &About) -> Finding {
    let server = &config.address.server;
    if let Some(rule) = &about.disallowed {
        return Finding::wrong(
            "server",
            format!("{server}: its robots.txt does not allow this program to read it ({rule})"),
            format!(
                "`fedilake servers remove {server}`; if it is your own, name it in collect.own_servers, with a token by `fedilake login {server}`"
            ),
        );
    }
    let software = asking::software(about).unwrap_or_else(|| "software not said".to_owned());
    let streams = match asking::streams(about) {
        "no" => "no streams, so its timeline is polled",
        "yes" => "streams",
        _ => "streams not said",
    };
    if let Some((says, todo)) = asking::moved(server, about) {
        return Finding::note("server", says, todo);
    }
    let says = format!("{server}: {software}, {streams}");
    let is_closed =
        about.feeds.as_ref().is_some_and(|feeds| feeds.local == "authenticated" || feeds.remote == "authenticated");
    match config.token.is_some() {
        true => Finding::ok("server", format!("{says}, with a token")),
        false if is_closed => Finding::note(
            "server",
            format!("{says}; its live posts are for members, and there is no token"),
            format!("`fedilake login {server}` gets one"),
        ),
        false => Finding::ok("server", says),
    }
}

/// The servers of the settings and of the list.
async fn servers(settings: &Settings) -> anyhow::Result<Vec<ServerConfig>> {
    let mut servers = configured::configured(settings)?;
    let tokens = configured::tokens(settings)?;
    let listed: Vec<Listed> = match SharedList::of(settings)? {
        None => Roster::of(&settings.data()?).read()?.into_values().collect(),
        Some(list) if servers.is_empty() => {
            let listed = async { anyhow::Ok(list.open(Use::Read).await?.list().await?) };
            match tokio::time::timeout(LIST_WITHIN, listed).await {
                Ok(Ok(listed)) => listed.values().filter_map(|value| Listed::parse(value).ok()).collect(),
                // The broker's own look says why.
                Ok(Err(_)) | Err(_) => Vec::new(),
            }
        }
        Some(_) => Vec::new(),
    };
    for listed in listed {
        // Of several timelines one is enough to look at the server.
        let config = listed.configs(&tokens)?.into_iter().next();
        servers.extend(config.filter(|config| !servers.iter().any(|known| known.address == config.address)));
    }
    Ok(servers)
}

/// The token files; false if one of them cannot be used.
fn tokens(settings: &Settings) -> (Vec<Finding>, bool) {
    let files = match configured::token_files(settings) {
        Ok(files) => files,
        Err(error) => return (vec![Finding::failed("tokens", &error)], false),
    };
    let (mut found, mut is_whole) = (Vec::new(), true);
    let files: Vec<_> = files.into_iter().chain(tokens::saved()).collect();
    for (host, file) in &files {
        let shown = file.display();
        match std::fs::read_to_string(file) {
            Err(error) => {
                is_whole = false;
                found.push(Finding::wrong(
                    "token",
                    format!("the token for {host} in {shown} cannot be read: {error}"),
                    format!("`fedilake login {host}` gets another"),
                ));
            }
            Ok(text) if Token::new(&text).is_none() => {
                is_whole = false;
                found.push(Finding::wrong(
                    "token",
                    format!("{shown} does not contain a token for {host}"),
                    format!("one line with the token alone; `fedilake login {host}` gets one"),
                ));
            }
            Ok(_) if is_open_to_others(file) => found.push(Finding::wrong(
                "token",
                format!("other users of this machine can read the token for {host}"),
                format!("`chmod 600 {shown}`"),
            )),
            Ok(_) => found.push(Finding::ok("token", format!("{host}: {shown}"))),
        }
    }
    (found, is_whole)
}

/// Without a contact, servers of other machines are not read.
fn contact_of(settings: &Settings, servers: &[ServerConfig]) -> Option<Finding> {
    let unread = servers.iter().find(|config| !contact::allows(settings, &config.address))?;
    Some(Finding::wrong(
        "contact",
        format!("no contact is set, and {} is not read without one", unread.address.server),
        "set collect.contact to a URL or an e-mail address of yours: admins of the servers learn whom to ask",
    ))
}

/// This machine's clock against that of most servers.
fn clock(ahead: &[TimeDelta]) -> Option<Finding> {
    let mut sorted = ahead.to_vec();
    sorted.sort();
    let middle = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
    let seconds = middle.num_seconds();
    Some(if middle.abs() <= APART_MAX {
        Finding::ok("clock", format!("as that of {}", counted(ahead.len() as u64, "server")))
    } else {
        let (far, way) = (seconds.abs(), if seconds > 0 { "behind" } else { "ahead of" });
        Finding::wrong(
            "clock",
            format!("this machine's clock is {far} s {way} that of most servers"),
            "set it, and let NTP keep it: `timedatectl set-ntp true`",
        )
    })
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    let mode = std::fs::metadata(path).map(|found| std::os::unix::fs::MetadataExt::mode(&found));
    mode.is_ok_and(|mode| mode & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::key;

    #[test]
    fn a_missing_contact_is_wrong_only_for_servers_of_other_machines() {
        let settings = Settings::load(None, [], &[]).unwrap();
        let config = |typed: &str| {
            ServerConfig::new(
                fedilake_collect::server::address::parse(typed).unwrap(),
                fedilake_collect::Timeline::Public,
            )
        };
        let here = config("http://127.0.0.1:4000");
        assert!(contact_of(&settings, std::slice::from_ref(&here)).is_none());
        let told = contact_of(&settings, &[here, config("a.example")]).unwrap();
        assert!(told.verdict == super::super::Verdict::Wrong && told.says.contains("a.example"), "{told:?}");
        let with = settings.with(key::COLLECT_CONTACT, "you@example.org".to_owned());
        assert!(contact_of(&with, &[config("a.example")]).is_none());
    }

    #[test]
    fn one_server_with_a_wrong_clock_does_not_make_ours_wrong() {
        let seconds = |all: &[i64]| all.iter().map(|n| TimeDelta::seconds(*n)).collect::<Vec<_>>();
        for (ahead, says) in [
            (&[][..], None),
            (&[0, 1, 400], Some("as that of 3 servers")),
            (&[-400], Some("400 s ahead of that of most servers")),
            (&[90, 91, 0], Some("90 s behind that of most servers")),
        ] {
            let told = clock(&seconds(ahead)).map(|finding| finding.says);
            assert_eq!(told.is_some(), says.is_some());
            assert!(told.unwrap_or_default().contains(says.unwrap_or_default()), "{ahead:?}");
        }
    }
}
