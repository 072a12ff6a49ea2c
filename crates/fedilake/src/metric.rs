//! The metrics: every name in /metrics, with its kind, labels and help.
//!
//! docs/metrics.md is generated from [`METRICS`]; `FEDILAKE_BLESS=1 cargo test --release -p fedilake metric` writes
//! it again. A test compares the list with every metric in the sources.

use std::time::Duration;

use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of a histogram's buckets, in seconds: a take of new records needs up to a quarter of a second, a
/// rebuild minutes.
const SECONDS_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Samples of histograms are kept one by one until they are sorted into buckets: by a scrape, or after this long without one.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric: its name, kind, labels and help.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: MetricKind,
    /// Names of the labels. Each has few values, or one for each configured server.
    #[cfg_attr(not(test), expect(dead_code, reason = "for docs/metrics.md, which a test writes"))]
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, labels, help }
}

/// Every metric of this program, in the order in which posts pass. The crate `metrics-process` adds those of the
/// process.
pub const METRICS: &[Metric] = &[
    gauge("fedilake_build_info", &["version"], "Always 1; the label is the version that runs"),
    counter("fedilake_collect_accepted_total", &[], "Events appended to the log"),
    counter("fedilake_collect_duplicates_total", &[], "Events seen just before, and not appended again"),
    counter("fedilake_collect_unknown_total", &[], "Events of a kind that is not known"),
    counter("fedilake_collect_skipped_total", &["reason"], "Posts not kept, by the reason of admission"),
    counter("fedilake_collect_rejected_total", &["reason"], "Frames of which no event could be made, by reason"),
    counter("fedilake_collect_flaws_total", &["flaw"], "Fields of kept posts that could not be read, by flaw"),
    counter("fedilake_collect_failures_total", &["kind"], "Failed requests and streams of all servers, by kind"),
    gauge("fedilake_collect_servers", &["state"], "Collected servers by state: live, polling, connecting, backing_off"),
    gauge(
        "fedilake_collect_server_state",
        &["server", "state"],
        "1 for the state that the server is in, 0 for the others",
    ),
    counter("fedilake_collect_server_accepted_total", &["server"], "Events of the server appended to the log"),
    counter(
        "fedilake_collect_server_failures_total",
        &["server", "kind"],
        "Failed requests and streams of the server, by kind",
    ),
    counter(
        "fedilake_collect_server_gaps_planned_total",
        &["server"],
        "Ranges of the server's timeline that had to be walked page by page",
    ),
    counter(
        "fedilake_collect_server_gaps_filled_total",
        &["server"],
        "Ranges of the server's timeline that were walked to their end",
    ),
    gauge(
        "fedilake_collect_server_filling",
        &["server"],
        "1 while a range of the server's timeline is walked page by page, else 0",
    ),
    gauge(
        "fedilake_collect_server_last_post_timestamp_seconds",
        &["server"],
        "When the server last showed a post or a delete, in seconds since 1970",
    ),
    gauge(
        "fedilake_collect_server_lag_seconds",
        &["server"],
        "Mean time from writing to arrival of the server's last posts, in seconds",
    ),
    counter("fedilake_sink_rows_total", &[], "Rows committed to the table"),
    counter("fedilake_sink_files_total", &[], "Data files committed to the table"),
    counter("fedilake_sink_bytes_total", &[], "Bytes of committed data files"),
    counter("fedilake_sink_superseded_total", &[], "Data files that another sink had put first"),
    gauge("fedilake_sink_lag_records", &["partition"], "Records of the log that the sink has not read"),
    gauge("fedilake_sink_uncommitted_records", &["partition"], "Records of the log that are not in the table"),
    counter("fedilake_store_requests_total", &["kind"], "Requests to the object store, each try counted"),
    counter("fedilake_store_bytes_total", &["direction"], "Bytes to and from the object store"),
    gauge(
        "fedilake_lake_lag_seconds",
        &[],
        "Age of the newest event in the lake when the lake took it, in seconds; 0 while no records wait",
    ),
    gauge("fedilake_lake_behind_records", &["partition"], "Records of the log that the lake does not have"),
    gauge(
        "fedilake_lake_server_completeness_ratio",
        &["server"],
        "Part of its members' posts of the last day that the server showed, 0 to 1, estimated from what other servers showed",
    ),
    gauge(
        "fedilake_lake_server_blind",
        &["server"],
        "1 for a server that is read and lately showed less than half of its members' posts that others showed, else 0",
    ),
    gauge("fedilake_lake_missing_offsets", &[], "Offsets that the table lost, so that answers lack their records"),
    histogram("fedilake_lake_take_seconds", &[], "Time that each take of new records into the lake took, in seconds"),
    counter(
        "fedilake_serve_answers_made_total",
        &[],
        "Reports and lists of names made for readers of the page; those that readers share count once",
    ),
    counter(
        "fedilake_serve_passwords_hashed_total",
        &["result"],
        "Readers' passwords that were compared with serve.users, by result: right or wrong; remembered ones are not",
    ),
    gauge("fedilake_log_bytes", &[], "Bytes of the log in the data folder"),
    gauge("fedilake_table_bytes", &[], "Bytes of the table in the data folder"),
    gauge("fedilake_lake_bytes", &[], "Bytes of the lake and its write-ahead log"),
    gauge("fedilake_disk_free_bytes", &[], "Bytes free on the data folder's disk"),
    gauge("fedilake_disk_bytes", &[], "Size of the data folder's disk in bytes"),
];

/// Why nothing is counted.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error(transparent)]
    Recorder(#[from] BuildError),
    #[error("start the thread that keeps histograms small: {0}")]
    Upkeep(std::io::Error),
}

/// Installs the recorder with the help of every metric. Call it once a process.
pub fn install() -> Result<PrometheusHandle, MetricsError> {
    let handle = PrometheusBuilder::new().set_buckets(&SECONDS_BUCKETS)?.install_recorder()?;
    for metric in METRICS {
        let unit = unit(metric.name);
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
    let kept = handle.clone();
    let upkeep = move || loop {
        std::thread::sleep(UPKEEP_EVERY);
        kept.run_upkeep();
    };
    std::thread::Builder::new().name("metrics".to_owned()).spawn(upkeep).map_err(MetricsError::Upkeep)?;
    metrics_process::Collector::default().describe();
    metrics::gauge!("fedilake_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// All metrics in Prometheus' text format, with current figures of the process.
pub fn render(handle: &PrometheusHandle) -> String {
    metrics_process::Collector::default().collect();
    handle.render()
}

fn unit(name: &str) -> Unit {
    match name.trim_end_matches("_total").rsplit('_').next() {
        Some("seconds") => Unit::Seconds,
        Some("bytes") => Unit::Bytes,
        _ => Unit::Count,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    fn page() -> String {
        let rows = METRICS.iter().map(|metric| {
            let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            let kind = format!("{:?}", metric.kind).to_lowercase();
            format!("| `{}` | {kind} | {labels} | {} |\n", metric.name, metric.help)
        });
        format!(
            "# Metrics\n\n\
             Generated from `crates/fedilake/src/metric.rs`. `run`, `serve` and `demo` answer `/metrics` on their address, `collect` and\n\
             `sink` on that of `--listen`, as Prometheus reads them. A verb exports what its loops do: a `sink` has no\n\
             `fedilake_collect_…`. A time series begins with its first event.\n\n\
             | metric | kind | labels | says |\n|---|---|---|---|\n{}\n\
             Beside them each process has the usual `process_cpu_seconds_total`, `process_resident_memory_bytes`,\n\
             `process_virtual_memory_bytes`, `process_virtual_memory_max_bytes`, `process_open_fds`, `process_max_fds`,\n\
             `process_threads` and `process_start_time_seconds`.\n",
            rows.collect::<String>()
        )
    }

    #[test]
    fn the_page_of_metrics_is_generated_from_them() {
        let path = root().join("docs/metrics.md");
        if std::env::var_os("FEDILAKE_BLESS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page(), "FEDILAKE_BLESS=1 writes it anew");
    }

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// The names in calls of `counter!`, `gauge!` and `histogram!`, each with the labels of every call.
    fn used() -> BTreeMap<String, BTreeSet<Vec<String>>> {
        let mut files = Vec::new();
        for name in ["fedilake", "fedilake-collect", "fedilake-table", "fedilake-kafka", "fedilake-log"] {
            sources(&root().join("crates").join(name).join("src"), &mut files);
        }
        let mut names: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
        for file in files {
            let text = std::fs::read_to_string(file).unwrap();
            for call in ["counter!(", "gauge!(", "histogram!("] {
                for rest in text.split(call).skip(1) {
                    let Some((name, rest)) = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'))
                    else {
                        continue;
                    };
                    if name.starts_with("fedilake_") {
                        let statement = rest.split(';').next().unwrap();
                        names.entry(name.to_owned()).or_default().insert(labels(statement));
                    }
                }
            }
        }
        names
    }

    /// The labels of a call: texts before an arrow.
    fn labels(call: &str) -> Vec<String> {
        let parts: Vec<&str> = call.split('"').collect();
        let is_label = |pair: &&[&str]| pair[1].trim_start().starts_with("=>");
        parts.windows(2).skip(1).step_by(2).filter(is_label).map(|pair| pair[0].to_owned()).collect()
    }

    /// <https://prometheus.io/docs/practices/naming/>: the program's name first, then words of small letters; base units, written out;
    /// `_total` at the end of counters alone.
    #[test]
    fn names_follow_prometheus_conventions_and_every_metric_has_a_help_of_one_sentence() {
        let not_base =
            ["milliseconds", "ms", "minutes", "hours", "kilobytes", "megabytes", "mb", "percent", "count", "number"];
        for metric in METRICS {
            let words: Vec<&str> = metric.name.split('_').collect();
            let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
            assert!(words[0] == "fedilake" && words.iter().all(is_word), "{}", metric.name);
            assert!(!words.iter().any(|word| not_base.contains(word)), "{}", metric.name);
            assert_eq!(words.last() == Some(&"total"), metric.kind == MetricKind::Counter, "{}", metric.name);
            let is_label = |label: &&str| !label.contains(|c: char| !c.is_ascii_lowercase() && c != '_');
            assert!(metric.labels.iter().all(is_label), "{}", metric.name);
            assert!(
                metric.help.len() > 10 && !metric.help.ends_with('.') && !metric.help.contains('\n'),
                "{}",
                metric.name
            );
        }
    }

    #[test]
    fn every_metric_in_the_sources_is_listed_with_its_labels_and_every_listed_one_is_used() {
        let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        let listed: BTreeMap<String, BTreeSet<Vec<String>>> =
            METRICS.iter().map(|metric| (metric.name.to_owned(), BTreeSet::from([owned(metric.labels)]))).collect();
        assert_eq!(listed.len(), METRICS.len(), "a name stands twice");
        assert_eq!(used(), listed);
        assert_eq!(labels(", \"server\" => name(), \"kind\" => \"a\").set(1.0)"), ["server", "kind"]);
    }
}
