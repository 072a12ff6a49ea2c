//! What the lake is told of posts that no collector read or kept.

use fedilake_query::{By, Calendar, Missed, Question};

use crate::support::{Bench, Event, decode};

/// Milliseconds of `minutes` after 2023-02-03 00:00 UTC.
fn at(minutes: i64) -> i64 {
    1_675_382_400_000 + minutes * 60_000
}

fn missed(server: &str, gaps: &[(i64, Option<i64>)], skips: &[(i64, &str, u64)]) -> Missed {
    Missed {
        server: server.to_owned(),
        gaps: gaps.iter().map(|(from, to)| (at(*from), to.map(at))).collect(),
        skips: skips.iter().map(|(hour, reason, events)| (at(hour * 60), (*reason).to_owned(), *events)).collect(),
    }
}

const GAPS: &str = "select server, epoch_ms(from_at - '2023-02-03'::timestamptz) // 60000, \
    epoch_ms(to_at - '2023-02-03'::timestamptz) // 60000, filled from gaps order by all";
const SKIPS: &str = "select server, hour(hour), reason, events from skips order by all";

#[test]
fn what_is_told_of_a_server_replaces_what_was_told_of_it_before_and_nothing_else() {
    let mut bench = Bench::new();
    bench.tell(&[
        missed("alpha.test", &[(5, Some(9)), (60, None)], &[(0, "boost", 2), (1, "boost", 1)]),
        missed("it's.test", &[(0, None)], &[(3, "nobot", 1)]),
    ]);
    bench.tell(&[missed("alpha.test", &[(5, Some(9)), (60, Some(90))], &[(1, "boost", 4), (1, "it's odd", u64::MAX)])]);
    let bench = bench.reopen();
    let gaps = [["alpha.test", "5", "9", "true"], ["alpha.test", "60", "90", "true"], ["it's.test", "0", "", "false"]];
    assert_eq!(bench.ask(GAPS), gaps);
    let most = i64::MAX.to_string();
    let skips = [
        ["alpha.test", "1", "boost", "4"],
        ["alpha.test", "1", "it's odd", most.as_str()],
        ["it's.test", "3", "nobot", "1"],
    ];
    assert_eq!(bench.ask(SKIPS), skips);
}

#[test]
fn what_is_told_again_writes_nothing() {
    let bench = Bench::new();
    let told = [missed("alpha.test", &[(5, Some(9)), (60, None)], &[(0, "boost", 2)])];
    let written = || std::fs::metadata(bench.path().join("lake.duckdb.wal")).map_or(0, |wal| wal.len());
    bench.lake.tell_missed(&told).unwrap();
    let once = written();
    assert!(once > 0);
    bench.lake.tell_missed(&told).unwrap();
    bench.lake.tell_missed(&[]).unwrap();
    assert_eq!(written(), once);
}

#[test]
fn more_rows_than_one_statement_takes_are_told_and_forgotten() {
    let mut bench = Bench::new();
    let gaps: Vec<_> = (0..2_500).map(|n| (n * 10, Some(n * 10 + 5))).collect();
    bench.tell(&[missed("alpha.test", &gaps, &[])]);
    assert_eq!(bench.ask("select count(*) from gaps"), [["2500"]]);
    bench.tell(&[missed("alpha.test", &gaps[..1], &[])]);
    assert_eq!(bench.ask(GAPS), [["alpha.test", "0", "5", "true"]]);
}

#[test]
fn a_step_shows_what_is_missing_of_it_beside_its_posts() {
    let mut bench = Bench::new();
    let post = |server: &str, n: i64, minute: i64| Event::created(server, n, "ann@one.test", minute * 60);
    bench.take(&[post("alpha.test", 1, 10), post("beta.test", 2, 70), post("beta.test", 3, 170)]);
    bench.tell(&[
        missed("alpha.test", &[(15, Some(45)), (50, Some(80)), (150, None)], &[(0, "boost", 2), (0, "nobot", 1)]),
        missed("quiet.test", &[(170, None)], &[]),
    ]);
    let ask = |by| {
        let calendar = Calendar { by, ..Calendar::default() };
        let question = Question { calendar, ..Question::of("collection") };
        let rows = decode(&bench.lake.report(&question).unwrap().ipc);
        rows.into_iter().map(|row| row[1..].join(" ")).collect::<Vec<_>>()
    };
    // The newest moment that is known is that of the last post, two seconds after minute 170.
    let last = "quiet.test 0 0.03333333333333333 planned 0";
    let hours = [
        "beta.test 0 0.0  0",
        "alpha.test 1 40.0 filled 3",
        "quiet.test 0 0.0  0",
        "beta.test 1 0.0  0",
        "alpha.test 0 20.0 filled 0",
        "quiet.test 0 0.0  0",
        "beta.test 1 0.0  0",
        "alpha.test 0 20.033333333333335 planned 0",
        last,
    ];
    assert_eq!(ask(By::Hour), hours);
    assert_eq!(ask(By::Day), ["beta.test 2 0.0  0", "alpha.test 1 80.03333333333333 planned 3", last]);
}
