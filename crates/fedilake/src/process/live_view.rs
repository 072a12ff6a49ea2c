//! The calm view of a `run` on a terminal: how collecting goes, each server, and what is behind it, in a few lines that stay in place.
//!
//! Pure: from figures to lines of a width.

use chrono::{DateTime, Utc};
use fedilake_collect::{ServerSnapshot, ServerState, Tally};
use unicode_width::UnicodeWidthStr;

use crate::figures;
use crate::process::collecting::servers_line;
use crate::process::watching::Standing;
use crate::render::{cut, pad, with_separators};

/// The most servers with a line of their own, however high the terminal is.
const SERVERS_MAX: usize = 20;
/// Lines beside those of servers, and some for the log above.
const LINES_BESIDE: usize = 10;
/// The width of a server's name that is not cut without need.
const NAME_MIN: usize = 12;

/// The figures of one moment.
pub struct Figures<'a> {
    pub servers: &'a [ServerSnapshot],
    pub tally: &'a Tally,
    pub standing: &'a Standing,
    pub now: DateTime<Utc>,
}

/// The lines, each at most `width` columns wide; at most `height` of them if there is room for that.
pub fn lines(figures: &Figures<'_>, width: usize, height: usize) -> Vec<String> {
    let Figures { servers, tally, standing, now } = figures;
    let servers: Vec<&ServerSnapshot> = servers.iter().filter(|server| server.state != ServerState::Stopped).collect();
    let shown = servers.len().min(SERVERS_MAX).min(height.saturating_sub(LINES_BESIDE).max(1));
    let mut lines = vec![String::new()];
    lines.extend(within(&headline(figures), width));
    let all: Vec<&ServerSnapshot> = match servers.len() > shown {
        // Those that need a look come first, in the order in which they were named.
        true => {
            let (first, others): (Vec<&ServerSnapshot>, Vec<&ServerSnapshot>) =
                servers.iter().partition(|server| needs_a_look(server) || blindness(server, standing).is_some());
            [first, others].concat()
        }
        false => servers.clone(),
    };
    let rows: Vec<[String; 6]> =
        all.iter().take(shown).map(|server| row(server, blindness(server, standing), *now)).collect();
    lines.extend(table(&rows, width));
    if servers.len() > shown {
        let others = with_separators(&(servers.len() - shown).to_string());
        lines.push(format!("and {others} more; `fedilake servers` shows all"));
    }
    lines.extend(within(&behind(standing), width));
    if tally.skipped_total() + tally.rejected_total() > 0 {
        let (skipped, rejected) =
            (with_separators(&tally.skipped_total().to_string()), with_separators(&tally.rejected_total().to_string()));
        lines.push(format!("{skipped} skipped, {rejected} not usable"));
    }
    lines.iter().take(height.saturating_sub(1).max(1)).map(|line| cut(line, width)).collect()
}

/// `3 servers: 2 live, 1 polling · 12,345 posts · 12.3/s · lag 0.4 s · 1 gap being filled`.
fn headline(figures: &Figures<'_>) -> Vec<String> {
    let Figures { servers, tally, now, .. } = figures;
    let a_second: f64 = servers.iter().map(|server| server.posts_a_minute(*now)).sum::<f64>() / 60.0;
    let mut parts = vec![
        servers_line(servers).split(" (").next().unwrap_or_default().to_owned(),
        format!("{} kept", with_separators(&tally.accepted.to_string())),
        format!("{a_second:.1} a second"),
    ];
    let lags: Vec<f64> = servers.iter().filter_map(|server| server.lag).map(|lag| lag.as_secs_f64()).collect();
    if let Some(worst) = lags.iter().copied().reduce(f64::max) {
        parts.push(format!("lag up to {}", seconds(worst)));
    }
    match servers.iter().filter(|server| server.is_filling).count() {
        0 => {}
        1 => parts.push("1 gap being filled".to_owned()),
        gaps => parts.push(format!("{gaps} gaps being filled")),
    }
    parts
}

/// Name, state, posts a minute, lag, posts kept, and what is to be known beside.
fn row(server: &ServerSnapshot, blindness: Option<String>, now: DateTime<Utc>) -> [String; 6] {
    let state = match server.state {
        ServerState::Live => "live".to_owned(),
        ServerState::Polling => "polling".to_owned(),
        ServerState::Connecting => "connecting".to_owned(),
        ServerState::BackingOff { until } => format!("again in {} s", (until - now).num_seconds().max(0)),
        ServerState::Stopped => "stopped".to_owned(),
    };
    let beside = match (&server.last_error, server.is_filling) {
        (_, true) => "fills a gap".to_owned(),
        (Some(error), false) if needs_a_look(server) => error.clone(),
        _ => blindness.unwrap_or_default(),
    };
    [
        server.server.to_string(),
        state,
        with_separators(&format!("{:.0}", server.posts_a_minute(now))),
        server.lag.map_or_else(|| "-".to_owned(), |lag| seconds(lag.as_secs_f64())),
        with_separators(&server.tally.accepted.to_string()),
        beside,
    ]
}

/// `blind: showed 12 % of its members' posts`, of a server that is read and does not show what it should.
fn blindness(server: &ServerSnapshot, standing: &Standing) -> Option<String> {
    let estimate = standing.estimates.get(&server.server.as_str().to_lowercase())?;
    let is_blind = figures::is_read(server.state) && estimate.is_blind(&server.timeline);
    is_blind.then(|| format!("blind: showed {:.0} % of its members' posts", 100.0 * estimate.share))
}

fn needs_a_look(server: &ServerSnapshot) -> bool {
    server.is_filling || matches!(server.state, ServerState::BackingOff { .. } | ServerState::Connecting)
}

/// The rows below their titles: names give way first, then what stands beside.
fn table(rows: &[[String; 6]], width: usize) -> Vec<String> {
    const TITLES: [&str; 6] = ["server", "state", "posts/min", "lag", "kept", ""];
    const GAP: &str = "  ";
    let titles = TITLES.map(str::to_owned);
    let all = || std::iter::once(&titles).chain(rows);
    let mut widths = [0; 6];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let fixed: usize = widths[1..5].iter().sum::<usize>() + 4 * GAP.len();
    widths[0] = widths[0].min(width.saturating_sub(fixed).max(NAME_MIN));
    let line = |row: &[String; 6]| {
        let cell = |n: usize| pad(&cut(&row[n], widths[n]), widths[n], (2..5).contains(&n));
        let cells: Vec<String> = (0..5).map(cell).chain([row[5].clone()]).collect();
        cells.join(GAP).trim_end().to_owned()
    };
    all().map(line).collect()
}

/// `log: 12 records not in the lake · table: 1,204 records to come, 12 MB · lake: 0.2 s behind, 40 MB · disk: 41.0 GB free`.
fn behind(standing: &Standing) -> Vec<String> {
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
    let records = |records: u64| with_separators(&records.to_string());
    let Standing { distance, sizes, waiting, .. } = standing;
    let log = match distance.is_known && !distance.log_answers {
        true => "log: does not answer".to_owned(),
        false => format!(
            "log: {} records{}",
            records(distance.partitions.iter().map(|partition| partition.end).sum()),
            bytes(sizes.log_bytes)
        ),
    };
    let table = match waiting {
        Some(waiting) => format!("table: {} to come{}", records(*waiting), bytes(sizes.table_bytes)),
        None => format!("table{}", bytes(sizes.table_bytes)),
    };
    let lake = format!("lake: {} behind{}", seconds(distance.seconds), bytes(sizes.lake_bytes));
    let disk = sizes.disk_free_bytes.map(|free| format!("disk: {} free", size(free)));
    [Some(log), Some(table), Some(lake), disk].into_iter().flatten().collect()
}

/// The parts with dots between them, on as many lines as they need.
fn within(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.width() + 3 + part.width() <= width => line.push_str(&format!(" · {part}")),
            _ => lines.push(part.clone()),
        }
    }
    lines
}

/// `0.4 s`, `12 s`, `5 min`, `3 h`.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3_600.0),
    }
}

/// `12 MB`, `3.4 GB`.
fn size(bytes: u64) -> String {
    match bytes {
        ..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fedilake_collect::{CollectorSettings, Counts, Timeline};
    use fedilake_model::Server;

    use super::*;
    use crate::figures::Estimate;

    fn drawn(names: &[&str], width: usize, height: usize) -> Vec<String> {
        let counts = Arc::new(Counts::default());
        let settings = CollectorSettings::new("a");
        names.iter().for_each(|name| counts.named(Server::new(name), Timeline::Public, &settings));
        let (servers, tally, standing) = (counts.snapshot(), counts.tally(), Standing::default());
        lines(&Figures { servers: &servers, tally: &tally, standing: &standing, now: Utc::now() }, width, height)
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_view_higher() {
        let long = "a.server.whose.name.is.longer.than.that.of.any.other.one.example";
        let names: Vec<String> = (0..60).map(|n| format!("server-{n}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).chain([long]).collect();
        for (width, height) in [(20, 10), (80, 24), (80, 50), (120, 24), (200, 100)] {
            let view = drawn(&names, width, height);
            assert!(view.iter().all(|line| line.width() <= width), "{width}: {view:#?}");
            assert!(view.len() < height, "{height}: {view:#?}");
            assert!(width < 80 || view.iter().any(|line| line.starts_with("and ")), "{view:#?}");
        }
        let whole = drawn(&["a.example", "b.example"], 80, 24);
        assert_eq!(whole.len(), 6, "{whole:#?}");
        assert!(whole[1].starts_with("2 servers: 2 connecting · 0 kept · 0.0 a second"), "{whole:#?}");
        assert!(whole[5].starts_with("log: 0 records · table · lake: 0.0 s behind"), "{whole:#?}");
    }

    #[test]
    fn a_server_that_is_read_and_shows_little_is_called_blind() {
        let counts = Counts::default();
        counts.named(Server::new("a.example"), Timeline::Public, &CollectorSettings::new("a"));
        let mut servers = counts.snapshot();
        let estimates = [("a.example".to_owned(), Estimate { share: 0.124, is_low: true })].into();
        let standing = Standing { estimates: Arc::new(estimates), ..Standing::default() };
        assert_eq!(blindness(&servers[0], &standing), None, "it is not read yet");
        servers[0].state = ServerState::Live;
        let says = "blind: showed 12 % of its members' posts";
        assert_eq!(blindness(&servers[0], &standing).as_deref(), Some(says));
        let figures = Figures { servers: &servers, tally: &counts.tally(), standing: &standing, now: Utc::now() };
        assert!(lines(&figures, 120, 24).iter().any(|line| line.starts_with("a.example") && line.ends_with(says)));
        servers[0].timeline = Timeline::parse("hashtag:rust").unwrap();
        assert_eq!(blindness(&servers[0], &standing), None, "a hashtag's posts are not all of its members'");
    }

    #[test]
    fn times_and_sizes_are_short() {
        for (time, text) in [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (300.0, "5 min"), (10_800.0, "3 h")] {
            assert_eq!(seconds(time), text);
        }
        for (bytes, text) in [(0, "0 kB"), (12_400_000, "12 MB"), (41_000_000_000, "41.0 GB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
