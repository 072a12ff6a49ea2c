//! What the lake knows of posts that no collector read or kept.

use std::path::Path;

use fedilake_log::Bookmarks;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_sim::Config;
use tokio::runtime::Runtime;

use crate::live::Servers;
use crate::program::{Data, Running, wait_until};

/// Saves a bookmark of a folder that nobody owns.
fn save(log: &Path, name: &str, value: &str) {
    let log = EmbeddedLog::open(log).unwrap();
    Runtime::new().unwrap().block_on(log.save(name, value)).unwrap();
}

/// The lines of an answer as CSV, without the names of its columns.
fn csv<const N: usize>(data: &Data, arguments: [&str; N]) -> Vec<Vec<String>> {
    let answer = data.run(arguments.into_iter().chain(["--format", "csv"])).done().stdout;
    answer.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

const GAPS: &str = "select server, epoch_ms(from_at), epoch_ms(to_at), filled from gaps";

#[test]
fn a_time_without_a_collector_is_in_views_and_reports_before_and_after_it_is_filled() {
    let servers = Servers::start(Config { servers: 1, rate: 0.0, ..Config::default() });
    let data = Data::new();
    let running = Running::answering(&mut servers.run(&data));
    wait_until("the first post", || {
        servers.simulation.publish(0);
        data.number("select count(*) from posts") > 0
    });
    running.interrupt().done();
    assert!(csv(&data, ["sql", GAPS]).is_empty());
    let server = csv(&data, ["sql", "select distinct server from sightings"]).concat().concat();

    // As of a process that was killed an hour ago, and had left out seven boosts.
    let (hour_ago, hour) = {
        let now = chrono::Utc::now().timestamp_millis();
        ((now - 3_600_000).to_string(), now / 3_600_000)
    };
    let history = format!("timeline/{server}/public/history");
    save(&data.path().join("log"), &history, &format!("read {hour_ago}\nleft {hour} boost 7\n"));
    for is_rebuilt in [false, true] {
        if is_rebuilt {
            std::fs::remove_file(data.path().join("lake.duckdb")).unwrap();
        }
        assert_eq!(csv(&data, ["sql", GAPS]), [[&server, &hour_ago, "", "false"]]);
        let [gap] = csv(&data, ["report", "gaps"]).try_into().unwrap();
        assert_eq!((gap[0].as_str(), gap[2].as_str(), gap[3].as_str()), (server.as_str(), "", "planned"));
        assert_eq!(csv(&data, ["report", "skipped"]), [["boost", &server, "7"]]);
        let steps = csv(&data, ["report", "collection", "--by", "hour"]);
        let minutes: f64 = steps.iter().map(|step| step[3].parse::<f64>().unwrap()).sum();
        assert!((59.0..=63.0).contains(&minutes), "{steps:?}");
        assert!(steps.len() >= 2 && steps.iter().all(|step| step[1] == server && step[4] == "planned"), "{steps:?}");
        assert_eq!(steps.last().unwrap()[5], "7", "{steps:?}");
    }

    let running = Running::answering(&mut servers.run(&data));
    // The lake is told while the collector goes on.
    wait_until("the end of the gap", || {
        servers.simulation.publish(0);
        data.number("select count(*) from gaps where filled") == 1
    });
    running.interrupt().done();
    let [gap] = csv(&data, ["sql", GAPS]).try_into().unwrap();
    assert_eq!((&gap[1], gap[3].as_str()), (&hour_ago, "true"));
    let lasted = gap[2].parse::<i64>().unwrap() - hour_ago.parse::<i64>().unwrap();
    assert!(lasted >= 3_600_000, "{lasted}");
    let steps = csv(&data, ["report", "collection", "--by", "hour"]);
    assert!(steps.iter().any(|step| step[4] == "filled") && steps.iter().all(|step| step[4] != "planned"), "{steps:?}");
    assert_eq!(csv(&data, ["report", "skipped"]), [["boost", &server, "7"]]);
    // The table does not have it.
    assert_eq!(
        csv(&data, ["sql", "--direct", "select (select count(*) from gaps), (select count(*) from skips)"]),
        [["0", "0"]]
    );
    servers.stop();
}
