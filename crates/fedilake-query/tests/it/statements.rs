//! A person's SQL: what runs, what is refused, what is stopped; the lake lives on after each.

use std::time::Duration;

use fedilake_query::sql::SqlErrorKind;
use fedilake_query::{Cancel, SqlError, SqlLimits};

use crate::support::{Bench, Event};

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.take(&[Event::created("alpha.test", 1, "ann@one.test", 5)]);
    bench
}

fn refused(bench: &Bench, sql: &str, limits: &SqlLimits) -> SqlError {
    let refused = match bench.lake.sql(sql, limits, &mut Vec::new()) {
        Err(error) => error,
        Ok(summary) => panic!("{sql}: {summary:?}"),
    };
    assert_eq!(bench.ask("select count(*) from posts"), [["1"]], "after {sql}");
    refused
}

#[test]
fn statements_that_read_run() {
    let bench = bench();
    for sql in [
        "select 1",
        "select 1;",
        " -- why\n select 1 /* ; */ ;",
        "SELECT ';' , $$ ; $$",
        "from posts",
        "values (1), (2)",
        "with p as (from posts) select count(*) from p",
        "describe posts",
        "show tables",
        "summarize posts",
        "explain select * from posts",
        "explain analyze select * from posts",
        "/* c */ EXPLAIN -- x\n ANALYZE from posts",
        "select count(*) from posts union all select 2",
        "select * from duckdb_settings()",
    ] {
        let summary = bench.lake.sql(sql, &SqlLimits::default(), &mut Vec::new());
        assert!(summary.as_ref().is_ok_and(|summary| summary.rows > 0), "{sql}: {summary:?}");
    }
}

#[test]
fn statements_that_do_more_are_refused() {
    let bench = bench();
    for sql in [
        "create table t (a int)",
        "create temp table t (a int)",
        "create view v as select 1",
        "create macro f(a) as a",
        "insert into post (id) values (1)",
        "update post set id = 1",
        "delete from post",
        "truncate post",
        "drop view posts",
        "alter table post add column x int",
        "merge into post using post p on post.id = p.id when matched then delete",
        "with gone as (select 1) delete from post",
        "explain delete from post",
        "explain analyze delete from post",
        "copy posts to 'x.csv'",
        "copy (select 1) to 'x.csv'",
        "attach 'x.duckdb'",
        "attach ':memory:' as m",
        "install httpfs",
        "load json",
        "set threads = 9",
        "reset threads",
        "pragma memory_limit = '1GB'",
        "pragma database_list",
        "call checkpoint()",
        "checkpoint",
        "vacuum",
        "export database 'x'",
        "prepare p as select 1",
        "begin",
        "commit",
        "rollback",
        "use memory",
        "from checkpoint()",
        "select * from force_checkpoint()",
        "select (select count(*) from enable_logging())",
        "from \"Main\".\"Enable_Logging\"()",
        "from query('from enable_logging()')",
        "select write_log('x')",
        "select 1; select 2",
        "select 1; commit; delete from post",
        "commit; delete from post; select 1",
        "",
        " -- nothing\n;",
    ] {
        let error = refused(&bench, sql, &SqlLimits::default());
        assert_eq!(error.kind, SqlErrorKind::Refused, "{sql}: {error}");
    }
}

#[test]
fn nothing_that_stands_before_explain_is_run() {
    let bench = bench();
    // DuckDB nests comments: to it, the first of these ends behind the EXPLAIN.
    for sql in [
        "/* /* */ explain select 1 -- */ commit; delete from post; select 1",
        "/* /* */ explain analyze select 1 -- */ ; commit; delete from post; select 1",
        "/* é */ explain /* /* */ analyze select 1 -- */ commit; delete from post; explain select 1",
    ] {
        // Whether the rest makes sense or not.
        let _ = bench.lake.sql(sql, &SqlLimits::default(), &mut Vec::new());
        assert_eq!(bench.ask("select count(*) from posts"), [["1"]], "after {sql}");
    }
}

#[test]
fn no_other_file_can_be_read_or_written() {
    let bench = bench();
    let file = bench.chunks[0].parquet.display().to_string();
    for sql in [
        format!("from '{file}'"),
        format!("from read_parquet('{file}')"),
        "from read_csv('/etc/passwd')".to_owned(),
        "from read_text('/etc/passwd')".to_owned(),
        "from glob('/etc/*')".to_owned(),
        format!("from parquet_metadata('{file}')"),
        "select * from read_csv('http://127.0.0.1:1/x')".to_owned(),
    ] {
        refused(&bench, &sql, &SqlLimits::default());
    }
}

#[test]
fn an_error_says_where() {
    let bench = bench();
    for (sql, kind, line, column, excerpt) in [
        ("selec 1", SqlErrorKind::Syntax, 1, 1, "selec 1\n^"),
        ("select 1 as é,\n  from posts x y", SqlErrorKind::Syntax, 2, 16, "  from posts x y\n               ^"),
        ("select *\nfrom posts\nwhere nope = 1", SqlErrorKind::Statement, 3, 7, "where nope = 1\n      ^"),
        ("select 1\nfrom nowhere", SqlErrorKind::Statement, 2, 6, "from nowhere\n     ^"),
        ("explain\n selec 1", SqlErrorKind::Syntax, 2, 2, " selec 1\n ^"),
        ("select 'é', nosuch(1)", SqlErrorKind::Statement, 1, 13, "select 'é', nosuch(1)\n            ^"),
    ] {
        let error = refused(&bench, sql, &SqlLimits::default());
        assert_eq!((error.kind, error.line, error.column), (kind, Some(line), Some(column)), "{sql}: {error}");
        assert_eq!(error.excerpt.as_deref(), Some(excerpt), "{sql}");
    }
    let long = format!("select {}, nope from posts", vec!["1"; 200].join(", "));
    let error = refused(&bench, &long, &SqlLimits::default());
    assert_eq!(error.column, long.find("nope").map(|at| at + 1), "{error}");
}

const ENDLESS: &str = "select count(*) from range(10000000000) a, range(1000000000) b where a.range <> b.range";

#[test]
fn a_statement_that_does_not_end_is_stopped() {
    let bench = bench();
    let limits = SqlLimits { time: Duration::from_millis(200), ..SqlLimits::default() };
    assert_eq!(refused(&bench, ENDLESS, &limits).kind, SqlErrorKind::Time);
    let stream = "select * from range(100000000000)";
    assert_eq!(refused(&bench, stream, &limits).kind, SqlErrorKind::Time);
}

#[test]
fn a_statement_can_be_cancelled() {
    let bench = bench();
    let limits = SqlLimits::default();
    let cancel: Cancel = limits.cancel.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || cancel.cancel());
        assert_eq!(refused(&bench, ENDLESS, &limits).kind, SqlErrorKind::Cancelled);
    });
}

#[test]
fn a_statement_that_eats_memory_is_stopped() {
    let bench = bench();
    let eats = "select max(len(l)) from (select list(range order by range desc) l from range(300000000))";
    let limits = SqlLimits { memory_bytes_max: Some(64 << 20), ..SqlLimits::default() };
    assert_eq!(refused(&bench, eats, &limits).kind, SqlErrorKind::Memory);
    // The lake's own limit holds without one of the statement's.
    assert_eq!(refused(&bench, eats, &SqlLimits::default()).kind, SqlErrorKind::Memory);
}

#[test]
fn the_rows_of_a_result_can_be_limited() {
    let bench = bench();
    let limits = SqlLimits { rows_max: Some(2500), ..SqlLimits::default() };
    let mut ipc = Vec::new();
    let summary = bench.lake.sql("from range(1000000)", &limits, &mut ipc).unwrap();
    assert_eq!((summary.rows, summary.truncated), (2500, true));
    assert_eq!(crate::support::decode(&ipc).len(), 2500);
    let summary = bench.lake.sql("from range(2500)", &limits, &mut Vec::new()).unwrap();
    assert_eq!((summary.rows, summary.truncated), (2500, false));
}

#[test]
fn sizes_that_people_ask_for_run() {
    let bench = bench();
    for sql in [
        "select repeat('#', 50), repeat('-', 60), repeat('=', 70)",
        "select repeat('#', least(characters, 100)) || repeat(' ', 20) from posts",
        "select lpad(1::varchar, 2, '0') || ':' || lpad(2::varchar, 20, ' ') || rpad('a', 30, ' ') || lpad('b', 40, ' ')",
        "select bar(characters, 0, 500, 80) from posts",
        "select format('{:>10} of {}, {{}}: {:.2f}', 'a', 2023, 1.5)",
        "select printf('%-20s in the year 2023000: %5.2f %%', 'a', 1.5)",
        "select unnest(range(24))",
        "select uri.lpad(100, ' '), uri.repeat(2), main.repeat('x', 3) from posts",
        "select list_aggregate(tags, 'count') from posts",
        "select * from range(1000000) limit 1",
        "select * from generate_series(timestamp '2023-02-03', timestamp '2023-02-13', interval 1 minute) limit 1",
        "select count(*) from posts p, range(p.characters * 1000000) limit 1",
        "select [x * 2 for x in range(-3, 10)]",
        "select approx_top_k(characters, 3), bitstring_agg(characters, 0, 500) from posts",
    ] {
        let summary = bench.lake.sql(sql, &SqlLimits::default(), &mut Vec::new());
        assert!(summary.as_ref().is_ok_and(|summary| summary.rows > 0), "{sql}: {summary:?}");
    }
}
