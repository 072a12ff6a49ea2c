//! The table of servers: how each is read, from the process that reads it or else from what was saved, and what it says of itself.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use chrono::{DateTime, Utc};
use fedilake_collect::server::about::{self, About};
use fedilake_collect::server::address::{self, ServerAddress};
use fedilake_collect::{Missed, Timeline};
use fedilake_model::Server;

use super::{asking, of_owner, print, refuse_other_folders};
use crate::cli::Format;
use crate::figures::Estimates;
use crate::owner::{self, Access, Ownership};
use crate::process::completeness;
use crate::render::{self, Column, counted};
use crate::serve::api::ServersRequest;
use crate::servers::configured;
use crate::servers::listed::Listed;
use crate::servers::roster::Roster;
use crate::settings::{Settings, key};
use crate::telemetry;
use crate::tokens;
use crate::wire::{self, OpenLog, SharedList, Use};

/// The most servers that are asked about themselves, and how long each may take.
const ASKED_MAX: usize = 100;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Histories are saved every few seconds: a timeline that was complete this lately is read.
const READ_WITHIN: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// The state of a server that a process elsewhere reads.
const READ: &str = "read";

/// A server, as far as it is known here.
#[derive(Debug, Default)]
struct Row {
    server: String,
    timeline: Option<String>,
    url: Option<String>,
    state: String,
    posts_a_minute: Option<f64>,
    lag_seconds: Option<f64>,
    gap_minutes: Option<f64>,
    /// The part of its members' posts of the last day that it showed, 0 to 1, by an estimate.
    completeness: Option<f64>,
    /// True if it is read, and lately showed less than half of its members' posts.
    is_blind: bool,
    last_error: Option<String>,
    has_token: bool,
    about: Option<About>,
}

impl Row {
    fn estimated(&mut self, estimates: &Estimates) {
        let Some(estimate) = estimates.get(&self.server.to_lowercase()) else { return };
        let mut timelines = self.timeline.as_deref().unwrap_or("public").split(',').filter_map(Timeline::parse);
        self.completeness = Some(estimate.share);
        self.is_blind = self.state == READ && timelines.any(|timeline| estimate.is_blind(&timeline));
    }
}

/// Prints the table.
pub(super) async fn run(format: Format, settings: &Settings) -> anyhow::Result<ExitCode> {
    render::check(format)?;
    if let Some(roster) = Roster::of_settings(settings)?
        && roster.read()?.is_empty()
    {
        refuse_other_folders(&settings.data()?, settings)?;
    }
    let mut rows = rows(settings).await?;
    if rows.is_empty() {
        telemetry::say(
            "no server is read\nhint: `fedilake servers add mastodon.social`, or `fedilake servers --probe mastodon.social` first",
        );
    }
    let with_token: Vec<String> =
        configured::token_files(settings)?.into_iter().chain(tokens::saved()).map(|(host, _)| host).collect();
    rows.iter_mut().for_each(|row| row.has_token = with_token.contains(&row.server));
    ask(&mut rows, settings).await?;
    match format {
        Format::Table => {
            print_for_people(&rows)?;
            say_blind(&rows);
            say_moved(&rows);
        }
        _ => print(&batch(&rows)?, format)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn rows(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let folder = settings.data()?;
    let shared = SharedList::of(settings)?;
    let listed = listed(settings, shared.as_ref()).await?;
    let now = Utc::now();
    let has_log = wire::parts(&folder, settings)?.log.is_some_and(|log| log.exists());
    let mut estimates = Estimates::default();
    let missed = match has_log || owner::is_signed(&folder) {
        true => match owner::access(&folder).await? {
            Access::Guest(contact) => {
                let answer =
                    of_owner(&contact, &ServersRequest { timeline: "public".to_owned(), ..ServersRequest::default() })
                        .await?;
                if answer.collects {
                    return Ok(of_process(&answer.servers, &listed));
                }
                if shared.is_none() {
                    telemetry::say(&format!("process {} owns the folder and reads no server", contact.pid));
                }
                estimates = answer.completeness;
                None
            }
            Access::Owner(ownership) => {
                ownership.answers_nobody()?;
                let ownership = Arc::new(ownership);
                estimates = of_lake(&ownership, settings, now).await;
                match has_log {
                    true => {
                        let log = OpenLog::open(Some(&ownership), settings, Use::Read).await?;
                        Some(fedilake_collect::missed(log.bookmarks.as_ref(), now).await?)
                    }
                    false => None,
                }
            }
        },
        false => None,
    };
    let missed = match (missed, &shared) {
        (Some(missed), _) => missed,
        (None, None) => Vec::new(),
        (None, Some(list)) => {
            let bookmarks = list.bookmarks()?;
            let read = fedilake_collect::missed(bookmarks.as_ref(), now);
            read.await.context("read what collectors saved")?
        }
    };
    // Whoever holds the folder here reads no server.
    let read_within = if shared.is_none() { chrono::TimeDelta::zero() } else { READ_WITHIN };
    let mut rows = of_histories(missed, &listed, now, read_within);
    rows.iter_mut().for_each(|row| row.estimated(&estimates));
    Ok(rows)
}

/// The estimates of the folder's own lake. A lake that cannot be opened costs their column alone.
async fn of_lake(ownership: &Arc<Ownership>, settings: &Settings, now: DateTime<Utc>) -> Estimates {
    let asked = async {
        if !ownership.folder().join("lake.duckdb").exists() {
            return Ok(Estimates::default());
        }
        let lake = wire::open_lake(Arc::clone(ownership), settings, 0)?;
        let every = settings.get(key::LAKE_COMPLETENESS_SECONDS);
        let ask = move || completeness::estimates(&lake, every, Vec::new(), now);
        anyhow::Ok(tokio::task::spawn_blocking(ask).await??)
    };
    asked.await.unwrap_or_else(|error| {
        tracing::warn!("the completeness of servers is not known: {error:#}");
        Estimates::default()
    })
}

/// The servers that are to be read, by host.
async fn listed(settings: &Settings, shared: Option<&SharedList>) -> anyhow::Result<BTreeMap<String, Listed>> {
    let mut listed = BTreeMap::new();
    if let Some(list) = shared {
        let servers = list.open(Use::Read).await?;
        for (host, value) in servers.list().await.context("read the list of servers")? {
            listed.insert(host, Listed::parse(&value)?);
        }
    } else {
        listed = Roster::of(&settings.data()?).read()?;
    }
    for config in configured::configured(settings)? {
        let timelines = configured::timelines(settings)?;
        listed.insert(config.address.server.to_string(), Listed::new(&config.address, &timelines));
    }
    Ok(listed)
}

/// The rows of a process that reads servers, which knows best.
fn of_process(servers: &serde_json::Value, listed: &BTreeMap<String, Listed>) -> Vec<Row> {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let time = |value: &serde_json::Value| value.as_str()?.parse::<DateTime<Utc>>().ok();
    let row = |server: &serde_json::Value| {
        let host = text(&server["server"])?;
        let gaps = server["gaps"].as_array().into_iter().flatten();
        let gaps = gaps.filter_map(|gap| Some((time(&gap["from"])?, time(&gap["to"]))));
        let state = server["state"].as_str().unwrap_or_default();
        Some(Row {
            url: text(&server["url"]).or_else(|| listed.get(&host).map(|listed| listed.url.clone())),
            timeline: text(&server["timeline"]),
            state: if server["pages"]["filling"] == true {
                format!("{}, fills a gap", in_words(state))
            } else {
                in_words(state).to_owned()
            },
            posts_a_minute: server["posts_a_minute"].as_f64(),
            lag_seconds: server["lag_seconds"].as_f64(),
            gap_minutes: Some(minutes(gaps, Utc::now())),
            completeness: server["completeness"].as_f64(),
            is_blind: server["blind"] == true,
            last_error: text(&server["last_error"]),
            server: host,
            ..Row::default()
        })
    };
    servers.as_array().into_iter().flatten().filter(|server| super::is_read(server)).filter_map(row).collect()
}

/// The rows of what was saved beside the log: of listed servers, and of others that are read right now.
fn of_histories(
    missed: Vec<Missed>,
    listed: &BTreeMap<String, Listed>,
    now: DateTime<Utc>,
    read_within: chrono::TimeDelta,
) -> Vec<Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (host, listed) in listed {
        let row = Row {
            server: host.clone(),
            timeline: Some(listed.names().join(",")),
            url: Some(listed.url.clone()),
            state: "not read".to_owned(),
            ..Row::default()
        };
        rows.insert(host.clone(), row);
    }
    for Missed { server, read_at, gaps, .. } in missed {
        let is_read = read_at.is_some_and(|at| now - at < read_within);
        if !is_read && !rows.contains_key(&server) {
            continue;
        }
        let row = rows.entry(server.clone()).or_insert_with(|| Row { server, ..Row::default() });
        row.gap_minutes = Some(minutes(gaps.iter().map(|gap| (gap.from, gap.to)), now));
        row.state = match read_at {
            _ if is_read => READ.to_owned(),
            Some(at) => format!("last read {}", ago(now - at)),
            None => "never whole".to_owned(),
        };
    }
    rows.into_values().collect()
}

fn minutes(gaps: impl Iterator<Item = (DateTime<Utc>, Option<DateTime<Utc>>)>, now: DateTime<Utc>) -> f64 {
    let total: i64 = gaps.map(|(from, to)| (to.unwrap_or(now) - from).num_seconds().max(0)).sum();
    (total as f64 / 6.0).round() / 10.0
}

/// `12 s ago`, `3 min ago`, `5 h ago`, `9 days ago`.
fn ago(time: chrono::TimeDelta) -> String {
    match time.num_seconds() {
        seconds @ ..120 => format!("{} s ago", seconds.max(0)),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

fn in_words(state: &str) -> &str {
    match state {
        "backing_off" => "trying again",
        state => state,
    }
}

/// Asks the first servers about themselves; a failure is the last error of one that has none.
async fn ask(rows: &mut [Row], settings: &Settings) -> anyhow::Result<()> {
    if rows.len() > ASKED_MAX {
        let others = counted((rows.len() - ASKED_MAX) as u64, "server");
        telemetry::say(&format!("{others} not asked about themselves\nhint: `fedilake servers --probe HOST` asks one"));
    }
    let address = |row: &Row| address_of(row.url.as_deref().unwrap_or(&row.server));
    let asked: Vec<(usize, ServerAddress)> =
        rows.iter().take(ASKED_MAX).enumerate().filter_map(|(n, row)| Some((n, address(row)?))).collect();
    let addresses: Vec<ServerAddress> = asked.iter().map(|(_, address)| address.clone()).collect();
    let http = asking::client(settings, ANSWER_WITHIN)?;
    for ((n, _), told) in
        asked.into_iter().zip(asking::all(&http, &addresses, &configured::own_with_tokens(settings)?, true).await)
    {
        match told {
            Ok(about) => rows[n].about = Some(about),
            Err(error) => drop(rows[n].last_error.get_or_insert_with(|| error.to_string())),
        }
    }
    Ok(())
}

/// The address of a server of which the host may be all that is known: one of this machine has no certificate.
fn address_of(known: &str) -> Option<ServerAddress> {
    let address = address::parse(known).ok()?;
    match about::is_inside(&address) && !known.contains("://") {
        true => address::parse(&format!("http://{known}")).ok(),
        false => Some(address),
    }
}

/// Two tables, because one would be too wide: how each server is read, and what it says of itself; then the errors.
fn print_for_people(rows: &[Row]) -> anyhow::Result<()> {
    let number = |value: Option<f64>, digits: usize| match value {
        Some(value) => render::with_separators(&format!("{value:.digits$}")),
        None => NOT_KNOWN.to_owned(),
    };
    let column = |title: &str, right, cell: &dyn Fn(&Row) -> String| Column {
        title: title.to_owned(),
        cells: rows.iter().map(|row| crate::door::shown_in_line(&cell(row)).into_owned()).collect(),
        right,
    };
    let said = |of: fn(&About) -> Option<String>| {
        move |row: &Row| row.about.as_ref().and_then(of).unwrap_or_else(|| NOT_KNOWN.to_owned())
    };
    let name = |row: &Row| match row.timeline.as_deref() {
        Some("public") | None => row.server.clone(),
        Some(timeline) => format!("{} ({timeline})", row.server),
    };
    let how = vec![
        column("server", false, &name),
        column("state", false, &|row| match row.is_blind {
            true => format!("{}, blind", row.state),
            false => row.state.clone(),
        }),
        column("posts/min", true, &|row| number(row.posts_a_minute, 0)),
        column("lag s", true, &|row| number(row.lag_seconds, 1)),
        column("gap min", true, &|row| number(row.gap_minutes, 1)),
        column("complete %", true, &|row| number(row.completeness.map(|share| share * 100.0), 2)),
    ];
    let what = vec![
        column("server", false, &name),
        column("software", false, &said(asking::software)),
        column("streams", false, &said(|about| Some(asking::streams(about).to_owned()))),
        column("readers", false, &said(asking::readers)),
        column("token", false, &|row| if row.has_token { "yes" } else { "no" }.to_owned()),
        column(
            "limit left",
            true,
            &said(|about| about.limit.map(|limit| format!("{}/{}", limit.remaining, limit.limit))),
        ),
        column("rules", true, &said(|about| Some(about.rules.len().to_string()))),
        column("robots", false, &said(|about| Some(asking::robots(about).unwrap_or("none").to_owned()))),
    ];
    if rows.is_empty() {
        return Ok(());
    }
    let troubles: Vec<&Row> = rows.iter().filter(|row| row.last_error.is_some()).collect();
    let errors = vec![
        Column { title: "server".to_owned(), cells: troubles.iter().map(|row| name(row)).collect(), right: false },
        Column {
            title: "last error".to_owned(),
            cells: troubles
                .iter()
                .map(|row| crate::door::shown_in_line(row.last_error.as_deref().unwrap_or_default()).into_owned())
                .collect(),
            right: false,
        },
    ];
    let tables: Vec<Vec<Column>> = [how, what, errors].into_iter().filter(|table| !table[0].cells.is_empty()).collect();
    render::print_columns(tables)
}

fn say_blind(rows: &[Row]) {
    let blind: Vec<&str> = rows.iter().filter(|row| row.is_blind).map(|row| row.server.as_str()).collect();
    if !blind.is_empty() {
        telemetry::say(&format!(
            "blind: {}: read, and lately showed less than half of their members' posts that others showed\n\
             hint: a token's account may filter or block; `fedilake report completeness` tells since when",
            blind.join(", ")
        ));
    }
}

fn say_moved(rows: &[Row]) {
    let moved = |row: &Row| asking::moved(&Server::new(&row.server), row.about.as_ref()?);
    for (says, todo) in rows.iter().filter_map(moved) {
        telemetry::say(&format!("{says}\nhint: {todo}"));
    }
}

const NOT_KNOWN: &str = "-";

/// All columns, for programs.
fn batch(rows: &[Row]) -> anyhow::Result<RecordBatch> {
    let text = |of: &dyn Fn(&Row) -> Option<String>| Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef;
    let float = |of: &dyn Fn(&Row) -> Option<f64>| Arc::new(rows.iter().map(of).collect::<Float64Array>()) as ArrayRef;
    let count = |of: &dyn Fn(&Row) -> Option<u64>| Arc::new(rows.iter().map(of).collect::<UInt64Array>()) as ArrayRef;
    let about = |of: fn(&About) -> Option<String>| move |row: &Row| row.about.as_ref().and_then(of);
    let tokens = Arc::new(rows.iter().map(|row| Some(row.has_token)).collect::<BooleanArray>()) as ArrayRef;
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("server", text(&|row| Some(row.server.clone())), false),
        ("timeline", text(&|row| row.timeline.clone()), true),
        ("url", text(&|row| row.url.clone()), true),
        ("state", text(&|row| Some(row.state.clone())), false),
        ("posts_a_minute", float(&|row| row.posts_a_minute), true),
        ("lag_seconds", float(&|row| row.lag_seconds), true),
        ("gap_minutes", float(&|row| row.gap_minutes), true),
        ("completeness", float(&|row| row.completeness), true),
        ("blind", Arc::new(rows.iter().map(|row| Some(row.is_blind)).collect::<BooleanArray>()) as ArrayRef, false),
        ("last_error", text(&|row| row.last_error.clone()), true),
        ("software", text(&about(|about| about.software.clone())), true),
        ("version", text(&about(|about| about.version.clone())), true),
        ("moved_to", text(&about(|about| Some(about.moved.as_ref()?.to().to_owned()))), true),
        ("streams", text(&about(|about| Some(asking::streams(about).to_owned()))), true),
        ("readers", text(&about(asking::readers)), true),
        ("token", tokens, false),
        ("requests_max", count(&|row| row.about.as_ref()?.limit.map(|limit| limit.limit)), true),
        ("requests_left", count(&|row| row.about.as_ref()?.limit.map(|limit| limit.remaining)), true),
        ("rules", count(&|row| row.about.as_ref().map(|about| about.rules.len() as u64)), true),
        ("robots", text(&about(|about| asking::robots(about).map(str::to_owned))), true),
    ])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + minutes * 60, 0).unwrap()
    }

    #[test]
    fn what_was_saved_tells_of_listed_servers_and_of_those_that_are_read() {
        let listed = ["a.example", "b.example"].map(|host| {
            let address = address::parse(host).unwrap();
            (host.to_owned(), Listed::new(&address, &[Timeline::Public]))
        });
        let missed = |server: &str, read_at, gaps: &[(i64, Option<i64>)]| Missed {
            server: server.to_owned(),
            read_at: Some(at(read_at)),
            gaps: gaps.iter().map(|(from, to)| fedilake_collect::Gap { from: at(*from), to: to.map(at) }).collect(),
            left_out: Vec::new(),
        };
        let told = vec![
            missed("a.example", 100, &[(10, Some(15)), (20, Some(21))]),
            missed("gone.example", 3, &[(3, None)]),
            missed("b.example", 40, &[(40, None)]),
        ];
        let rows = of_histories(told, &listed.into(), at(100), READ_WITHIN);
        let told: Vec<_> = rows.iter().map(|row| (row.server.as_str(), row.state.as_str(), row.gap_minutes)).collect();
        let expected = [("a.example", "read", Some(6.0)), ("b.example", "last read 60 min ago", Some(60.0))];
        assert_eq!(told, expected, "one that is not listed and no longer read is left out");
    }

    #[test]
    fn a_host_of_this_machine_is_asked_without_tls() {
        for (known, address) in [
            ("a.example", "https://a.example"),
            ("127.0.0.1:4000", "http://127.0.0.1:4000"),
            ("https://127.0.0.1:4000", "https://127.0.0.1:4000"),
        ] {
            assert_eq!(address_of(known).unwrap().to_string(), address);
        }
    }
}
