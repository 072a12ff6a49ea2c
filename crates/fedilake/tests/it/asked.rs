//! Questions to a running process, and those that it refuses.

use std::fs;
use std::process::Stdio;

use serde_json::json;

use crate::program::{Data, fedilake, run};
use crate::replay::status;

/// A folder with `posts` posts.
fn filled(posts: u64) -> Data {
    let data = Data::new();
    let file = data.beside("posts.jsonl");
    fs::write(&file, (1..=posts).map(|n| status(n, "some text").to_string() + "\n").collect::<String>()).unwrap();
    data.run(["replay", file.to_str().unwrap()]).done();
    data
}

#[test]
fn an_owner_answers_as_the_folder_alone_does() {
    let data = filled(40);
    let questions: &[&[&str]] = &[
        &["report", "statistics", "--format", "json"],
        &["report", "daily", "--format", "csv"],
        &["report"],
        &["sql", "select count(*) as posts, min(uri) as least from posts", "--format", "json"],
        &["check", "--format", "json"],
    ];
    let alone: Vec<String> = questions.iter().map(|question| data.run(*question).done().stdout).collect();
    let owner = data.serve();
    let asked: Vec<String> = questions.iter().map(|question| data.run(*question).done().stdout).collect();
    assert_eq!(asked, alone);
    owner.interrupt().done();
}

#[test]
fn sql_that_writes_or_reaches_out_is_refused_and_the_owner_lives_on() {
    let data = filled(10);
    let outside = data.beside("outside.csv");
    fs::write(&outside, "a,b\n1,2\n").unwrap();
    let outside = outside.to_str().unwrap();
    let owner = data.serve();
    let refused = [
        "delete from post".to_owned(),
        "create table mine as select 1".to_owned(),
        "drop view posts".to_owned(),
        format!("copy (select 1) to '{outside}'"),
        format!("attach '{outside}.duckdb' as other"),
        format!("select * from read_csv('{outside}')"),
        format!("select * from '{outside}'"),
        "select * from read_text('/etc/hostname')".to_owned(),
        "install httpfs".to_owned(),
        "load httpfs".to_owned(),
        "set memory_limit = '1TB'".to_owned(),
        "pragma database_list; select 1".to_owned(),
        "select 1; drop view posts".to_owned(),
        "checkpoint".to_owned(),
    ];
    for sql in &refused {
        let said = data.run(["sql", sql]);
        assert_eq!(said.code(), Some(2), "{sql}: {said:#?}");
        assert!(said.stderr.starts_with("error:"), "{sql}: {}", said.stderr);
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "a,b\n1,2\n");
    assert_eq!(data.number("select count(*) from posts"), 10);
    owner.interrupt().done();
}

#[test]
fn a_question_that_never_ends_or_eats_memory_is_stopped() {
    let data = filled(10);
    let endless = "select count(*) from range(10000000000000) where range % 7 = 8";
    let hungry = "select list(a.range) from range(100000000) a, range(100) b";
    for (sql, seconds_max, limit) in [(endless, "2", "sql.seconds_max"), (hungry, "60", "lake.memory_bytes_max")] {
        let mut command = fedilake(["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
        command.env("FEDILAKE_SQL_SECONDS_MAX", seconds_max).env("FEDILAKE_LAKE_MEMORY_BYTES_MAX", "200000000");
        let mut owner = crate::program::Running::start(&mut command);
        owner.wait_for_line("answering on");
        let said = data.run(["sql", sql]);
        assert_eq!(said.code(), Some(2), "{sql}: {said:#?}");
        assert!(said.stderr.contains("error:"), "{}", said.stderr);
        assert!(!said.stderr.contains("(SET "), "DuckDB's advice is refused here: {}", said.stderr);
        assert!(said.stderr.contains("hint: ") && said.stderr.contains(limit), "{}", said.stderr);
        assert_eq!(data.number("select count(*) from posts"), 10);
        owner.interrupt().done();
    }
}

#[test]
fn a_plan_keeps_its_lines() {
    let data = filled(1);
    let plan = data.run(["sql", "explain select count(*) from posts"]).done().stdout;
    assert!(plan.starts_with('┌') && plan.lines().count() > 5, "{plan}");
}

#[test]
fn languages_and_hosts_may_be_typed_as_people_know_them_and_what_no_post_has_is_said() {
    let data = filled(3);
    let asked = |filter: &[&str]| {
        let words = ["report", "statistics", "--format", "json"].into_iter().chain(filter.iter().copied());
        let said = data.run(words).done();
        (said.json()[0]["posts"].as_i64().unwrap(), said.stderr)
    };
    for filter in [
        &["--language", "en"][..],
        &["--language", "EN"],
        &["--language", "english"],
        &["--origin", "https://A.example/@ada"],
        &["--server", "https://a.example", "--origin", "A.EXAMPLE"],
    ] {
        assert_eq!(asked(filter), (3, String::new()), "{filter:?}");
    }
    for (filter, posts, unknown) in [
        (&["--language", "Klingonese"][..], 0, "no such language: no post has Klingonese\nhint: "),
        (&["--origin", "b.example", "--origin", "a.example"], 3, "no such origin: no post has b.example\nhint: "),
        (&["--server", "https://b.example"], 0, "no such server: no post has b.example\nhint: "),
    ] {
        let (found, said) = asked(filter);
        assert!(found == posts && said.starts_with(unknown), "{filter:?}: {found} {said}");
    }
    let nothing = data.run(["report", "statistics", "--from", "2024-01-01"]).done().stdout;
    assert!(nothing.ends_with("no posts: collect some, or widen the filter\n"), "{nothing}");
}

#[test]
fn a_topic_counts_once_however_often_it_is_asked_for_and_also_when_nobody_wrote_it() {
    let data = filled(3);
    let rows = json!([{"day": "2023-02-04", "topic": "text", "posts": 3}]);
    let topics = ["report", "topics", "--format", "json"];
    assert_eq!(data.run(topics.iter().chain(&["--topic", "text", "--topic", "TEXT"])).done().json(), rows);
    let mut command = fedilake(topics.iter().chain(&["--data", data.path().to_str().unwrap()]));
    let said = command.env("FEDILAKE_REPORT_TOPICS", "text,text").output().unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&said.stdout).unwrap(), rows);
    let none = data.run(["report", "topics", "--topic", "nobody"]).done().stdout;
    assert!(none.ends_with("day             nobody\n2023/02/04 Sat       0\n"), "{none}");
}

#[test]
fn an_error_in_sql_shows_where() {
    let data = filled(1);
    let said = data.run(["sql", "select auhtor\nfrom posts"]);
    assert_eq!(said.code(), Some(2));
    assert!(said.stderr.contains("auhtor") && said.stderr.contains('^'), "{}", said.stderr);
}

#[test]
fn every_format_carries_the_same_rows() {
    let data = filled(3);
    let sql = "select uri, characters, tags from posts order by uri";
    let rows = data.run(["sql", sql, "--format", "json"]).done().json();
    assert_eq!(rows[0], json!({"uri": "https://a.example/users/ada/statuses/1", "characters": 9, "tags": []}));
    let csv = data.run(["sql", sql, "--format", "csv"]).done().stdout;
    assert_eq!(csv.lines().next(), Some("uri,characters,tags"));
    assert_eq!(csv.lines().count(), 4, "{csv}");
    let parquet = data.beside("rows.parquet");
    let status = fedilake(["sql", sql, "--format", "parquet", "--data", data.path().to_str().unwrap()])
        .stdout(Stdio::from(fs::File::create(&parquet).unwrap()))
        .status()
        .unwrap();
    assert!(status.success());
    let file = fs::File::open(&parquet).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3);
}

#[test]
fn an_answer_without_rows_keeps_its_columns() {
    let data = filled(1);
    let none = "select uri, characters from posts where false";
    assert_eq!(data.run(["sql", none, "--format", "csv"]).done().stdout, "uri,characters\n");
    assert_eq!(data.run(["sql", none, "--format", "json"]).done().stdout, "[]\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let data = filled(50);
    let mut child = fedilake([
        "sql",
        "select * from posts, range(20000)",
        "--format",
        "csv",
        "--data",
        data.path().to_str().unwrap(),
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn requests_need_a_name_of_this_machine_and_the_secret() {
    let data = filled(1);
    let mut owner = data.start(["serve", "--listen", "127.0.0.1:0"]);
    let address = owner.address();
    let ask = |host: &str, path: &str| {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        let method = if path.starts_with("/api") { "POST" } else { "GET" };
        write!(socket, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 22\r\nConnection: close\r\n\r\n{{\"query\": \"select 1\"}}").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(ask(&address.to_string(), "/healthz"), "200");
    assert_eq!(ask(&address.to_string(), "/metrics"), "200");
    assert_eq!(ask("evil.example", "/healthz"), "403");
    assert_eq!(ask(&address.to_string(), "/api/sql"), "401");
    owner.interrupt().done();
}

#[test]
fn there_must_be_something_to_ask() {
    let data = Data::new();
    for question in [&["report"][..], &["sql", "select 1"], &["check"]] {
        let said = data.run(question);
        assert_eq!(said.code(), Some(2), "{question:?}");
        assert!(said.stderr.contains("hint:"), "{question:?}: {}", said.stderr);
    }
    assert_eq!(run(["report", "--format", "csv", "--data", data.path().to_str().unwrap()]).code(), Some(2));
}

#[test]
fn a_long_statement_is_answered_by_an_owner_as_without_one() {
    let data = filled(10);
    let ask = |bytes: usize| {
        let statement = format!("select count(*) as posts from posts where text <> '{}'", "\n".repeat(bytes));
        data.run_with_input(["sql", "-", "--format", "csv"], statement.as_bytes())
    };
    let both = |owned: &str| {
        for megabytes in [1, 5, 12] {
            assert_eq!(ask(megabytes << 20).done().stdout, "posts\n10\n", "{megabytes} MiB {owned}");
        }
        let said = ask(17 << 20);
        let refused = "error: the statement has more than 16 MiB\nhint: ";
        assert!(said.code() == Some(2) && said.stderr.starts_with(refused), "{owned}: {said:#?}");
    };
    both("alone");
    let owner = data.serve();
    both("with an owner");
    owner.interrupt().done();
}
