//! Statements of people with intent beside a collecting process: each is answered, nothing is lost, and no process takes more memory
//! than docs/operations.md says.

use fedilake_sim::Config;

use crate::live::{Servers, uris};
use crate::peaks::Peaks;
use crate::program::{Data, Running, fedilake, wait_until};

/// `lake.memory_bytes_max` of these tests.
const LAKE_BYTES_MAX: u64 = 64 << 20;
/// The most memory of the lake's process: twice the lake's limit and 512 MB.
const LAKE_PROCESS_MB_MAX: u64 = 2 * (LAKE_BYTES_MAX >> 20) + 512;
/// The most memory of the process beside it.
const PROCESS_MB_MAX: u64 = 512;

/// `function(…function(inner)…)`.
fn nested(function: &str, depth: usize, inner: &str) -> String {
    format!("{}{inner}{}", format!("{function}(").repeat(depth), ")".repeat(depth))
}

/// Statements that want more memory or more time than there is, each another way.
fn statements() -> Vec<String> {
    let written = [
        // Within a row: no operator of the engine counts it.
        "select max(length(list_reduce(list_transform(range(60), x -> 'aaaaaaaa'), (a, b) -> a || a)))",
        "select len(list_reduce(list_transform(range(60), x -> [x]), (a, b) -> list_concat(a, a)))",
        "select max(len(string_split(repeat(text, 100000), ''))) from posts",
        "select max(length(regexp_replace(repeat('a', 100000), 'a', repeat('b', 1000000), 'g')))",
        "select max(length(replace(repeat('a', 1000000), 'a', repeat('b', 100000))))",
        "select max(len(regexp_extract_all(repeat(text, 1000000), '.'))) from posts",
        "select length(printf('%2000000000d', 1))",
        "select length(format('{:>2000000000}', 1))",
        "select length(repeat('x', 4000000000))",
        "select length(lpad('x', 2000000000, 'y'))",
        "select length(to_json(range(500000000))::varchar)",
        "select len(list_sort(range(2000000000)))",
        "select cardinality(map(range(50000000), range(50000000)))",
        "select max(length(hex(repeat(text, 10000000)))) from posts",
        // Aggregates and windows, whose states are one row's.
        "select quantile_cont(range, 0.5) from range(2000000000)",
        "select mode(range) from range(2000000000)",
        "select histogram(range) from range(2000000000)",
        "select len(list(range)) from range(2000000000)",
        "select length(string_agg(text, repeat('x', 1000000))) from posts, range(100000)",
        "select max(len(l)) from (select list(range) over (order by range) as l from range(1000000))",
        "select max(length(t)) from (select string_agg(repeat('x', 1000), '') over (order by range) t from range(10000000))",
        // Rows without end.
        "with recursive r(t) as (select 'x' union all select t || t from r) select max(length(t)) from r",
        "with recursive r(n, l) as (select 1, [1] union all select n + 1, list_concat(l, l) from r) select max(len(l)) from r",
        "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
        "select count(distinct a.range * b.range) from range(10000000) a, range(10000000) b",
        "select count(*) from range(100000000000000) where range % 7 = 8",
        // An error as large as what it is about.
        "select repeat(text, 20000000)::integer from posts",
        "select error(repeat('x', 500000000))",
    ];
    let mut statements: Vec<String> = written.map(str::to_owned).to_vec();
    statements.push(format!("select max(length({})) from posts", nested("bin", 10, "left(text, 8)")));
    statements.push(format!("select max(length({})) from posts", nested("hex", 40, "text")));
    // As deep as a stack is not.
    statements.push(format!("select {}1{}", "(".repeat(50_000), ")".repeat(50_000)));
    statements.push(format!("select {}1{}", "[".repeat(20_000), "]".repeat(20_000)));
    statements.push(format!("select {}", nested("abs", 20_000, "1")));
    statements.push(format!("{}select 1{}", "select * from (".repeat(5_000), ")".repeat(5_000)));
    statements.push(format!("select {}1", "not ".repeat(200_000)));
    statements
}

fn run(data: &Data, servers: &Servers) -> Running {
    let mut command = servers.run(data);
    command.env("FEDILAKE_LAKE_MEMORY_BYTES_MAX", LAKE_BYTES_MAX.to_string()).env("FEDILAKE_SQL_SECONDS_MAX", "2");
    Running::answering(&mut command)
}

#[test]
fn no_statement_takes_the_collector_down_or_a_post_away_or_goes_unanswered() {
    let config = Config { servers: 2, rate: 40.0, deletes: 0.0, backdated: 0.0, ..Config::default() };
    let servers = Servers::start(config);
    let data = Data::new();
    let running = run(&data, &servers);
    wait_until("the first posts", || data.number("select count(*) from posts") > 100);
    let began_ms = chrono::Utc::now().timestamp_millis();
    let peaks = Peaks::watch(running.pid());
    let mut posts = 0;
    for statement in statements() {
        let shown: String = statement.chars().take(120).collect();
        let said = data.run_with_input(["sql", "-"], statement.as_bytes());
        assert_eq!(said.code(), Some(2), "{shown}: {said:#?}");
        let is_sentence = said.stderr.starts_with("error: ") && said.stderr.len() < 20_000;
        assert!(is_sentence && !said.stderr.contains("panicked"), "{shown}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{shown}");
        // On a slow machine a count may exceed its two seconds while the lake opens again.
        let mut counted = None;
        wait_until("a count", || {
            let said = data.run(["sql", "select count(*) as n from posts", "--format", "json"]);
            counted = (said.code() == Some(0)).then(|| said.json()[0]["n"].as_i64().unwrap());
            counted.is_some()
        });
        let now = counted.unwrap();
        assert!(now >= posts, "{shown}: {now} posts after {posts}");
        posts = now;
    }
    let expected: std::collections::BTreeSet<String> = {
        let truth = servers.simulation.truth();
        truth.iter().filter(|post| post.shown_at_ms > began_ms).map(|post| post.uri.clone()).collect()
    };
    assert!(expected.len() > 100, "{}", expected.len());
    wait_until("everything that was shown meanwhile", || uris(&data).is_superset(&expected));
    let (process, lake) = peaks.of_process_and_children();
    assert!(process < PROCESS_MB_MAX, "the collecting process had {process} MB");
    assert!(lake < LAKE_PROCESS_MB_MAX, "the lake's process had {lake} MB");
    running.interrupt().done();
    data.run(["check"]).done();
    servers.stop();
}

#[test]
fn a_question_to_plain_files_stays_within_its_bound_too() {
    let data = Data::new();
    crate::faults::replay(&data, 0..100).done();
    let bin = format!("select max(length({})) from posts", nested("bin", 10, "left(text, 8)"));
    for statement in [bin.as_str(), "select quantile_cont(range, 0.5) from range(2000000000)"] {
        let mut command = fedilake(["sql", "--direct", statement]);
        command.env("FEDILAKE_LAKE_MEMORY_BYTES_MAX", LAKE_BYTES_MAX.to_string()).arg("--data").arg(data.path());
        let asking = Running::start(&mut command);
        let peaks = Peaks::watch(asking.pid());
        let said = asking.end();
        assert!(said.code() == Some(2) && said.stderr.contains("error: "), "{statement}: {said:#?}");
        let (process, lake) = peaks.of_process_and_children();
        assert!(process < PROCESS_MB_MAX && lake < LAKE_PROCESS_MB_MAX, "{statement}: {process} and {lake} MB");
    }
}
