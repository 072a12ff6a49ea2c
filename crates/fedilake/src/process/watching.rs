//! The line, or the view, that shows what is collected; and the same figures as metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fedilake_collect::{Counts, ServerSnapshot, Tally, Timeline};

use crate::figures::{Distance, Estimates, Measured};
use crate::process::collecting::servers_line;
use crate::process::live_view::{self, Figures};
use crate::render::counted;
use crate::task::Task;
use crate::telemetry::{self, Bar, LiveView, Unit};

/// The interval at which the line is updated.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The view is drawn again at every so many updates: once a second.
const LOOKS_A_VIEW: u32 = 2;
/// Each server's own metrics are updated at every so many updates of the line.
const LOOKS_A_SERVER: u32 = 4;
/// The most servers with metrics of their own; all others count together as the server `others`.
const SERVERS_MAX: usize = 2_000;
const STATES: [&str; 5] = ["live", "polling", "connecting", "backing_off", "stopped"];

/// Where there is neither line nor view, a log line tells the same at every so many updates: once a minute.
const LOOKS_A_LOG_LINE: u32 = 120;

/// How figures are shown to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In one line.
    Line,
    /// In a view, with how the stores stand; in lines of the log where there is no terminal for a view, or if `plain`.
    View { plain: bool },
}

/// How log, table and lake stand at one moment.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The lake's distance to the log.
    pub distance: Distance,
    pub sizes: Measured,
    /// Records of the log that are not in the table; `None` if another process stores them.
    pub waiting: Option<u64>,
    /// How complete each server's posts are.
    pub estimates: Arc<Estimates>,
}

/// The place where figures are shown.
enum Place {
    Line(Bar),
    View(LiveView),
    /// Lines of the log, now and then.
    Log,
}

impl Place {
    fn of(shown: Shown) -> Place {
        match shown {
            Shown::Line => Place::Line(telemetry::progress_bar("collecting", 0, Unit::Posts)),
            Shown::View { plain: true } => Place::Log,
            Shown::View { plain: false } => telemetry::live_view().map_or(Place::Log, Place::View),
        }
    }
}

/// Shows the figures of `counts`, and how the stores stand, until dropped.
pub fn show(counts: Arc<Counts>, shown: Shown, standing: impl Fn() -> Standing + Send + 'static) -> Task {
    let place = Place::of(shown);
    Task::until_dropped("the view", async move {
        let mut looks = tokio::time::interval(LOOK_AGAIN);
        for look in 0_u32.. {
            looks.tick().await;
            let (tally, servers) = (counts.tally(), counts.snapshot());
            match &place {
                Place::Line(bar) => {
                    bar.set_position(tally.accepted);
                    bar.set_message(servers_line(&servers));
                }
                Place::View(view) if look.is_multiple_of(LOOKS_A_VIEW) => {
                    let (standing, now) = (standing(), Utc::now());
                    let figures = Figures { servers: &servers, tally: &tally, standing: &standing, now };
                    view.show(|width, height| live_view::lines(&figures, width, height));
                }
                Place::Log if look > 0 && look.is_multiple_of(LOOKS_A_LOG_LINE) => {
                    tracing::info!("{}; {} so far", servers_line(&servers), counted(tally.accepted, "event"));
                }
                Place::View(_) | Place::Log => {}
            }
            export(&tally, &servers);
            if look.is_multiple_of(LOOKS_A_SERVER) {
                export_each(&servers);
            }
        }
    })
}

/// Exports the figures of all servers together.
fn export(tally: &Tally, servers: &[ServerSnapshot]) {
    metrics::counter!("fedilake_collect_accepted_total").absolute(tally.accepted);
    metrics::counter!("fedilake_collect_duplicates_total").absolute(tally.duplicates);
    metrics::counter!("fedilake_collect_unknown_total").absolute(tally.unknown);
    for (reason, count) in &tally.skipped {
        metrics::counter!("fedilake_collect_skipped_total", "reason" => *reason).absolute(*count);
    }
    for (reason, count) in &tally.rejected {
        metrics::counter!("fedilake_collect_rejected_total", "reason" => *reason).absolute(*count);
    }
    for (flaw, count) in &tally.flaws {
        metrics::counter!("fedilake_collect_flaws_total", "flaw" => *flaw).absolute(*count);
    }
    let mut failures: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (kind, count) in servers.iter().flat_map(|server| &server.failures) {
        *failures.entry(kind).or_default() += count;
    }
    for (kind, count) in failures {
        metrics::counter!("fedilake_collect_failures_total", "kind" => kind).absolute(count);
    }
    for state in STATES.into_iter().filter(|state| *state != "stopped") {
        let servers = servers.iter().filter(|server| server.state.as_str() == state).count();
        metrics::gauge!("fedilake_collect_servers", "state" => state).set(servers as f64);
    }
}

/// Exports each server's figures, `fedilake_collect_server_*`, with the label `server`: a host, or `HOST local` for
/// its local timeline.
fn export_each(servers: &[ServerSnapshot]) {
    for server in servers.iter().take(SERVERS_MAX) {
        export_server(label(server), server);
    }
    if servers.len() > SERVERS_MAX {
        let mut others = Totals::default();
        servers[SERVERS_MAX..].iter().for_each(|server| others.add(server));
        others.export("others");
    }
}

fn label(server: &ServerSnapshot) -> String {
    match &server.timeline {
        Timeline::Public => server.server.to_string(),
        timeline => format!("{} {timeline}", server.server),
    }
}

fn export_server(name: String, server: &ServerSnapshot) {
    for state in STATES {
        let is_in = f64::from(u8::from(server.state.as_str() == state));
        metrics::gauge!("fedilake_collect_server_state", "server" => name.clone(), "state" => state).set(is_in);
    }
    if let Some(at) = server.last_event_at {
        let seconds = at.timestamp_millis() as f64 / 1e3;
        metrics::gauge!("fedilake_collect_server_last_post_timestamp_seconds", "server" => name.clone()).set(seconds);
    }
    let is_filling = f64::from(u8::from(server.is_filling));
    metrics::gauge!("fedilake_collect_server_filling", "server" => name.clone()).set(is_filling);
    if let Some(lag) = server.lag {
        metrics::gauge!("fedilake_collect_server_lag_seconds", "server" => name.clone()).set(lag.as_secs_f64());
    }
    let mut totals = Totals::default();
    totals.add(server);
    totals.export(&name);
}

/// The counters of one server, or of several together.
#[derive(Default)]
struct Totals {
    accepted: u64,
    gaps_found: u64,
    gaps_filled: u64,
    failures: BTreeMap<&'static str, u64>,
}

impl Totals {
    fn add(&mut self, server: &ServerSnapshot) {
        self.accepted += server.tally.accepted;
        self.gaps_found += server.gaps_found;
        self.gaps_filled += server.gaps_filled;
        for (kind, count) in &server.failures {
            *self.failures.entry(kind).or_default() += count;
        }
    }

    fn export(&self, name: &str) {
        let name = || name.to_owned();
        metrics::counter!("fedilake_collect_server_accepted_total", "server" => name()).absolute(self.accepted);
        metrics::counter!("fedilake_collect_server_gaps_planned_total", "server" => name()).absolute(self.gaps_found);
        metrics::counter!("fedilake_collect_server_gaps_filled_total", "server" => name()).absolute(self.gaps_filled);
        for (kind, count) in &self.failures {
            metrics::counter!("fedilake_collect_server_failures_total", "server" => name(), "kind" => *kind)
                .absolute(*count);
        }
    }
}
