//! How collecting goes: servers, log, table, lake and disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, Utc};
use fedilake_collect::{ServerSnapshot, ServerState};
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use crate::figures::Distance;
use crate::figures::{self, Estimate};

/// The state of collecting.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Collector {
    /// True if this process collects; else `servers` is empty, because others do.
    collects: bool,
    servers: Vec<CollectedServer>,
    log: LogStanding,
    table: TableStanding,
    lake: LakeStanding,
    disk: Disk,
}

/// A server that is read.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct CollectedServer {
    server: String,
    /// public or local.
    timeline: String,
    /// connecting, live, polling, backing_off or stopped.
    state: &'static str,
    /// The way in: stream or pages; null while there is none.
    via: Option<&'static str>,
    /// The time of the next try of a server that failed.
    retry_at: Option<String>,
    /// Posts, edits and deletes that were kept since the start.
    posts: u64,
    last_post_at: Option<String>,
    /// New posts that came in the last minute, kept or not.
    posts_a_minute: f64,
    /// The mean time from writing to arrival of the last posts.
    lag_seconds: Option<f64>,
    /// Failures since the start, by kind.
    failures: BTreeMap<&'static str, u64>,
    /// The part of its members' posts of the last day that it showed, 0 to 1, estimated from what other servers showed of them; null if they
    /// showed none.
    completeness: Option<f64>,
    /// True if it is read, and lately showed less than half of its members' posts that others showed.
    blind: bool,
    last_error: Option<String>,
    /// Ranges of the timeline that had to be read page by page since the start.
    pages: Pages,
    /// The times of a minute or more in which the server was not read, the oldest first; kept over restarts.
    gaps: Vec<Gap>,
    /// What was skipped or rejected, by hour and reason, of the last ten days; kept over restarts.
    left_out: Vec<LeftOut>,
    /// Posts that were not kept because their authors or servers do not want it, by reason.
    skipped: BTreeMap<&'static str, u64>,
    /// Events that could not be used, by reason.
    rejected: BTreeMap<&'static str, u64>,
}

/// Ranges of a timeline that had to be read page by page.
#[derive(Debug, Serialize, ToSchema)]
struct Pages {
    planned: u64,
    filled: u64,
    /// True while a range is being read.
    filling: bool,
}

/// A time in which a server was not read.
#[derive(Debug, Serialize, ToSchema)]
struct Gap {
    from: String,
    /// Null while the server is not read.
    to: Option<String>,
    /// True if its posts were read from the timeline afterwards. Edits and deletes of that time may be missing.
    filled: bool,
}

/// Events of an hour that were left out for one reason.
#[derive(Debug, Serialize, ToSchema)]
struct LeftOut {
    /// The beginning of the hour.
    hour: String,
    /// As in `skipped` and `rejected`.
    reason: String,
    events: u64,
}

/// The log.
#[derive(Debug, Serialize, ToSchema)]
struct LogStanding {
    /// False if the log does not answer.
    answers: bool,
    partitions: Vec<LogPartition>,
    /// Space on this machine's disk; null if the log is elsewhere.
    bytes: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LogPartition {
    partition: u32,
    /// The offset that the next record gets.
    end: u64,
    /// The next offset that the lake needs.
    lake: u64,
}

/// The table.
#[derive(Debug, Serialize, ToSchema)]
struct TableStanding {
    /// Records of the log that are not in the table yet; null if another process stores them.
    waiting_records: Option<u64>,
    /// Space on this machine's disk; null if the table is elsewhere.
    bytes: Option<u64>,
}

/// The lake.
#[derive(Debug, Serialize, ToSchema)]
struct LakeStanding {
    /// True if the lake answers questions.
    is_open: bool,
    behind_records: u64,
    behind_seconds: f64,
    bytes: Option<u64>,
}

/// The disk of the data folder.
#[derive(Debug, Serialize, ToSchema)]
struct Disk {
    bytes: Option<u64>,
    free_bytes: Option<u64>,
}

/// Says how collecting goes.
#[utoipa::path(
    get, path = "/collector", tag = "collector",
    responses((status = 200, description = "Servers, log, table, lake and disk", body = Collector))
)]
pub(super) async fn collector(State(state): Shared) -> Json<Collector> {
    let Distance { records, seconds, log_answers, partitions, .. } = (state.distance)();
    let sizes = *state.sizes.borrow();
    let waiting = state.sink_lag.as_ref().and_then(|lag| lag.borrow().clone());
    let log_partition = |partition: crate::figures::PartitionDistance| LogPartition {
        partition: partition.partition,
        end: partition.end,
        lake: partition.position,
    };
    let now = Utc::now();
    Json(Collector {
        collects: state.collectors.get().is_some(),
        servers: servers_now(&state, now),
        log: LogStanding {
            answers: log_answers,
            partitions: partitions.into_iter().map(log_partition).collect(),
            bytes: sizes.log_bytes,
        },
        table: TableStanding {
            waiting_records: waiting.map(|lags| lags.iter().map(|lag| lag.uncommitted_records).sum()),
            bytes: sizes.table_bytes,
        },
        lake: LakeStanding {
            is_open: state.lake.is_open(),
            behind_records: records,
            behind_seconds: seconds,
            bytes: sizes.lake_bytes,
        },
        disk: Disk { bytes: sizes.disk_bytes, free_bytes: sizes.disk_free_bytes },
    })
}

/// The servers that this process reads.
pub(in crate::serve) fn servers_now(state: &crate::serve::State, now: DateTime<Utc>) -> Vec<CollectedServer> {
    let snapshot = state.collectors.get().map(|collectors| collectors.counts.snapshot()).unwrap_or_default();
    let estimates = Arc::clone(&state.estimates.borrow());
    let estimate = |counts: &ServerSnapshot| estimates.get(&counts.server.as_str().to_lowercase()).copied();
    snapshot
        .into_iter()
        .map(|counts| (estimate(&counts), counts))
        .map(|(estimate, counts)| server(counts, estimate, now))
        .collect()
}

fn server(server: ServerSnapshot, estimate: Option<Estimate>, now: DateTime<Utc>) -> CollectedServer {
    let gap = |gap: fedilake_collect::Gap| Gap {
        from: rfc_3339(gap.from),
        to: gap.to.map(rfc_3339),
        // A gap ends when nothing of it is missing.
        filled: gap.to.is_some(),
    };
    let posts_a_minute = (server.posts_a_minute(now) * 10.0).round() / 10.0;
    let gaps = server.gaps(now).into_iter().map(gap).collect();
    let left_out = server.left_out().into_iter();
    let left_out = left_out.map(|(hour, reason, events)| LeftOut { hour: rfc_3339(hour), reason, events }).collect();
    let (via, retry_at) = match server.state {
        ServerState::Live => (Some("stream"), None),
        ServerState::Polling => (Some("pages"), None),
        ServerState::BackingOff { until } => (None, Some(rfc_3339(until))),
        ServerState::Connecting | ServerState::Stopped => (None, None),
    };
    CollectedServer {
        server: server.server.to_string(),
        timeline: server.timeline.to_string(),
        state: server.state.as_str(),
        via,
        retry_at,
        posts: server.tally.accepted,
        last_post_at: server.last_event_at.map(rfc_3339),
        posts_a_minute,
        lag_seconds: server.lag.map(|lag| lag.as_secs_f64()),
        failures: server.failures,
        completeness: estimate.map(|estimate| estimate.share),
        blind: figures::is_read(server.state) && estimate.is_some_and(|estimate| estimate.is_blind(&server.timeline)),
        last_error: server.last_error,
        pages: Pages { planned: server.gaps_found, filled: server.gaps_filled, filling: server.is_filling },
        gaps,
        left_out,
        skipped: server.tally.skipped,
        rejected: server.tally.rejected,
    }
}

fn rfc_3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
