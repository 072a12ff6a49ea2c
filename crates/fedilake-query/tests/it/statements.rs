//! Users' SQL: statements that run, that are refused, and that are stopped. The lake lives on after each.

use std::time::Duration;

use fedilake_query::answer::sql::SqlErrorKind;
use fedilake_query::{Cancel, SqlError, SqlLimits};

use crate::support::{Bench, Event, ask};

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
        "explain (format json) select * from posts",
        "explain /* x */ (FORMAT json\n)\nfrom posts",
        "explain (analyze) from posts",
        "explain (analyze, format json) from posts;",
        "explain (select 1)",
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
        "insert into internal.post (id) values (1)",
        "update internal.post set id = 1",
        "delete from internal.post",
        "truncate post",
        "drop view posts",
        "alter table internal.post add column x int",
        "merge into internal.post using internal.post p on post.id = p.id when matched then delete",
        "with gone as (select 1) delete from internal.post",
        "explain delete from internal.post",
        "explain analyze delete from internal.post",
        "explain (analyze) delete from internal.post",
        "explain (format json) explain delete from internal.post",
        "explain (analyze) select 1; delete from internal.post",
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
        "select 1; commit; delete from internal.post",
        "commit; delete from internal.post; select 1",
        "",
        " -- nothing\n;",
    ] {
        let error = refused(&bench, sql, &SqlLimits::default());
        assert_eq!(error.kind, SqlErrorKind::Refused, "{sql}: {error}");
    }
}

/// Each statement names the lake's own tables, where texts may lie that the views leave out.
const INTERNAL: [&str; 33] = [
    "from internal.post",
    "table internal.post",
    "select text from lake.internal.post",
    "FROM \"INTERNAL\".\"post\"",
    "from Internal . post",
    "from /* x */ internal /* y */ . /* z */ post",
    "from internal.nosuch",
    "with p as (from internal.post) from p",
    "with recursive p as (from internal.post union all from p where false) from p",
    "select * from posts where uri in (select uri from internal.post)",
    "select (select count(*) from internal.post)",
    "select [x for x in (select list(text) from internal.post)]",
    "from posts, lateral (from internal.post) p",
    "from posts positional join internal.post",
    "from posts union all by name from internal.post",
    "describe internal.post",
    "describe (from internal.post)",
    "show internal.post",
    "summarize internal.post",
    "show tables from internal",
    "explain from internal.post",
    "explain (analyze) select text from internal.post",
    "pivot internal.post on language using count(*)",
    "pivot posts on language in (select text from internal.post) using count(*)",
    "unpivot internal.post on text, spoiler_text",
    "from query_table('internal.post')",
    "from query_table('\"Internal\" . \"post\"')",
    "from query_table('lake.internal.post')",
    "from main.query_table('internal.post')",
    "from duckdb_table_sample('internal.post')",
    "from pragma_storage_info('internal.post')",
    "from pragma_table_info('INTERNAL.post')",
    "from pragma_show('internal.post')",
];

#[test]
fn the_lakes_own_tables_are_no_part_of_a_question_and_the_views_are_named() {
    let bench = bench();
    for sql in INTERNAL {
        let error = refused(&bench, sql, &SqlLimits::default());
        assert_eq!(error.kind, SqlErrorKind::Refused, "{sql}: {error}");
        let said = "hint: SQL reads the views `posts`, `sightings`, `deletes`, `replies`, `languages`, `gaps`, `skips`, `mastodon_toot`";
        assert!(error.message.contains(said), "{sql}: {error}");
    }
}

#[test]
fn a_table_is_named_by_a_plain_text_alone_and_lists_have_no_other_door() {
    let bench = bench();
    for sql in [
        "from query_table('inter' || 'nal.post')",
        "from query_table(['posts', 'internal.post'])",
        "from query_table(concat('internal', '.post'))",
        "from query_table(lower('INTERNAL.post'))",
        "from duckdb_table_sample('inter' || 'nal.post')",
        "from pragma_storage_info(reverse('tsop.lanretni'))",
        "select json_serialize_plan('from internal.post')",
        "from system.main.duckdb_tables()",
        "from \"SYSTEM\".main.duckdb_columns()",
        "from system.duckdb_views()",
    ] {
        let error = refused(&bench, sql, &SqlLimits::default());
        assert_eq!(error.kind, SqlErrorKind::Refused, "{sql}: {error}");
    }
    for sql in [
        "from query_table('posts')",
        "from query_table('main.posts')",
        "from pragma_table_info('posts')",
        "select 'from internal.post' as internal",
        "with internal as (select 1 as a) select internal.a from internal",
        "select internal.uri from posts internal",
        "select {'internal': {'post': 1}}.internal.post",
        "select system.main.abs(-1)",
    ] {
        let summary = bench.lake.sql(sql, &SqlLimits::default(), &mut Vec::new());
        assert!(summary.as_ref().is_ok_and(|summary| summary.rows > 0), "{sql}: {summary:?}");
    }
}

/// Posts by two people in three languages, one of them unknown.
fn languages() -> Bench {
    let mut bench = Bench::new();
    let post = |n: i64, author: &str, language: Option<&str>| Event {
        language: language.map(str::to_owned),
        ..Event::created("alpha.test", n, author, n * 40_000)
    };
    bench.take(&[
        post(1, "ann@one.test", Some("en")),
        post(2, "ann@one.test", Some("de")),
        post(3, "bob@two.test", Some("en")),
        post(4, "bob@two.test", Some("it's \"x\"; --")),
        post(5, "bob@two.test", None),
    ]);
    bench
}

/// The columns and rows of a statement as DuckDB itself returns them for the same rows.
fn by_duckdb(bench: &Bench, sql: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let rows = bench
        .ask("select id, author, coalesce(language, 'null'), strftime(created_at, '%Y-%m-%d %H:%M:%S') from posts");
    let rows = rows.iter().map(|row| {
        let cells = row.iter().map(|cell| format!("'{}'", cell.replace('\'', "''")));
        format!("({})", cells.collect::<Vec<_>>().join(", "))
    });
    let engine = duckdb::Connection::open_in_memory().unwrap();
    let rows = rows.collect::<Vec<_>>().join(", ");
    engine
        .execute_batch(&format!(
            "set timezone = 'UTC'; create table posts as select id, author, nullif(language, 'null') as language, \
             moment::timestamptz as created_at from (values {rows}) v(id, author, language, moment)"
        ))
        .unwrap();
    let mut statement = engine.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut ipc = Vec::new();
    let schema = statement.query_arrow([]).unwrap().get_schema();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut ipc, &schema).unwrap();
    while let Some(batch) = statement.step().unwrap() {
        writer.write(&arrow::array::RecordBatch::from(&batch)).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    columns_and_rows(&ipc)
}

fn columns_and_rows(ipc: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
    let reader = arrow::ipc::reader::StreamReader::try_new(ipc, None).unwrap();
    let columns = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    (columns, crate::support::decode(ipc))
}

/// The posts, with columns whose types both DuckDBs have.
const POSTS: &str = "select id, author, language, created_at from posts";

#[test]
fn a_pivot_finds_its_columns_in_the_data_as_duckdb_does() {
    let bench = languages();
    for sql in [
        "pivot ({posts}) on language using count(*) order by all",
        "PIVOT_WIDER ({posts}) ON language USING count(*) ORDER BY ALL",
        "pivot ({posts}) on language using count(*) as n, min(id) as first group by author order by author",
        "pivot ({posts}) on language, author using count(*) order by all",
        "pivot ({posts}) on language in ('en'), author using count(*) order by all",
        "pivot ({posts}) on author, language in ('en', 'xx') using count(*) order by all",
        "pivot (select author, created_at::date as day from posts) on day using count(*) order by author;",
        "pivot ({posts}) on upper(language) || '-' || author using count(*) order by all",
        "pivot ({posts}) on case when language in ('en', 'de') then 'known' else 'other' end using count(*) group by author order by all",
        "pivot ({posts}) on language = 'en' using count(*) group by author order by author",
        "pivot ({posts}) on length(language) using count(*) group by author order by author",
        "pivot ({posts}) on created_at using count(*) group by author order by author",
        "pivot ({posts}) on (language, author) using count(*) order by all",
        "pivot ({posts}) on language in (select distinct language from posts where language < 'e') using count(*) order by all",
        "pivot ({posts}) on language in (from (values ('de'), ('en'), (null)) v(l) order by l) using count(*) order by all",
        "from (pivot ({posts}) on language using count(*) group by author) order by author",
        "select author, en from (pivot ({posts}) on language using count(*) group by author) where en > 0 order by author",
        "with p as (pivot ({posts}) on language using count(*) group by author) select * from p order by author",
        "with q as ({posts}), r as (from q) pivot r on language using count(*) order by all",
        "with recursive q(l, a) as (select language, author from posts) pivot q on l using count(*) order by all",
        "with p as (pivot ({posts}) on language using count(*) group by author) pivot p on author using sum(en) order by all",
        "pivot (pivot ({posts}) on language using count(*) group by author) on author using sum(de) order by all",
        "select * from (pivot ({posts}) on language using count(*) group by author) a join (pivot ({posts}) on author using count(*) order by all) b on true order by all",
        "pivot ({posts}) as p join (select id, 'x' as mark from posts) m using (id) on language using count(*) group by author order by author",
        "pivot ({posts}) on language using count(*) group by author union all by name select 'c' as author order by author",
        "pivot ({posts}) on language using count(*) group by author order by author limit 1",
        "/* pivot a on b */ pivot -- on c\n ({posts}) /* on d /* e */ */ on language -- in ('x')\n using count(*) order by all",
        "pivot (select language, 'a; pivot x on y using '' (' as \"pivot on\" from posts) on language using count(*) order by all",
        "pivot (select language, $$ on ' $$ as t, e'\\' on ' as u from posts) on language using count(*) order by all",
        "describe (pivot ({posts}) on language using count(*) group by author)",
        "summarize (pivot ({posts}) on language using count(*) group by author)",
        "from ({posts}) pivot (count(*) for language in ('en', 'de')) order by all",
        "unpivot (select author, 1 as a, 2 as b from posts) on a, b into name n value v order by all",
        "unpivot (select author, 1 as a, 2 as b from posts) on columns(* exclude author) into name n value v order by all",
    ] {
        let sql = sql.replace("{posts}", POSTS);
        let mut ipc = Vec::new();
        bench.lake.sql(&sql, &SqlLimits::default(), &mut ipc).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(columns_and_rows(&ipc), by_duckdb(&bench, &sql), "{sql}");
    }
    // DuckDB would put these definitions in a wrong order.
    let nested = format!(
        "with q as ({POSTS}) from (with s as (from q) pivot s on language using count(*) group by author) order by author"
    );
    let plain = format!("pivot ({POSTS}) on language using count(*) group by author order by author");
    assert_eq!(bench.ask(&nested), bench.ask(&plain));
    let plan = bench.ask("explain pivot posts on language using count(*)");
    assert!(plan[0][1].contains("PIVOT") || plan[0][1].contains("GROUP"), "{plan:?}");
}

#[test]
fn a_pivot_only_reads_whatever_is_beside_it() {
    let bench = languages();
    for (sql, kind) in [
        ("pivot posts on language using count(*); delete from post", SqlErrorKind::Refused),
        ("delete from post; pivot posts on language using count(*)", SqlErrorKind::Refused),
        ("pivot posts on language using count(*); commit; delete from post", SqlErrorKind::Refused),
        ("create table t as pivot posts on language using count(*)", SqlErrorKind::Refused),
        ("copy (pivot posts on language using count(*)) to 'x.csv'", SqlErrorKind::Refused),
        ("pivot (from query('select 1 as a')) on a using count(*)", SqlErrorKind::Refused),
        ("pivot (from enable_logging()) on a using count(*)", SqlErrorKind::Refused),
        ("pivot posts on write_log(language) using count(*)", SqlErrorKind::Refused),
        ("pivot posts on language in (from checkpoint()) using count(*)", SqlErrorKind::Refused),
        ("pivot posts on language using write_log('x')", SqlErrorKind::Refused),
        ("pivot (from read_text('/etc/passwd')) on content using count(*)", SqlErrorKind::Refused),
        ("pivot posts on nope using count(*)", SqlErrorKind::Statement),
        ("pivot nowhere on language using count(*)", SqlErrorKind::Statement),
        ("pivot (from posts where false) on language using count(*)", SqlErrorKind::Refused),
        ("pivot (from range(20000)) on range using count(*)", SqlErrorKind::Refused),
        ("pivot posts on language in (select error('x')) using count(*)", SqlErrorKind::Statement),
        ("pivot posts on", SqlErrorKind::Syntax),
        ("pivot posts on language ' using count(*)", SqlErrorKind::Syntax),
    ] {
        let error = match bench.lake.sql(sql, &SqlLimits::default(), &mut Vec::new()) {
            Err(error) => error,
            Ok(summary) => panic!("{sql}: {summary:?}"),
        };
        assert_eq!(error.kind, kind, "{sql}: {error}");
        assert_eq!(bench.ask("select count(*) from posts"), [["5"]], "after {sql}");
    }
    let limits = SqlLimits { time: Duration::from_millis(200), ..SqlLimits::default() };
    let slow = format!("pivot (select n from ({ENDLESS}) t(n)) on n using count(*)");
    let error = bench.lake.sql(&slow, &limits, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind, SqlErrorKind::Time, "{error}");
}

#[test]
fn nothing_that_stands_before_explain_is_run() {
    let bench = bench();
    // DuckDB nests comments: to it, the first of these ends behind the EXPLAIN.
    for sql in [
        "/* /* */ explain select 1 -- */ commit; delete from internal.post; select 1",
        "/* /* */ explain analyze select 1 -- */ ; commit; delete from internal.post; select 1",
        "/* é */ explain /* /* */ analyze select 1 -- */ commit; delete from internal.post; explain select 1",
        "explain (format ') select 1 -- '); commit; delete from internal.post; select 1",
        "explain (analyze /* ) select 1 -- */); commit; delete from internal.post; select 1",
    ] {
        // The rest may be meaningful or not.
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
        ("pivot posts on author using count(*)\nwhere nope", SqlErrorKind::Syntax, 2, 1, "where nope\n^"),
        (
            "select a,\n nope from (pivot posts on author using count(*))",
            SqlErrorKind::Statement,
            1,
            8,
            "select a,\n       ^",
        ),
        (
            "from (pivot posts on author using count(*)) order by nope",
            SqlErrorKind::Statement,
            1,
            54,
            "from (pivot posts on author using count(*)) order by nope\n                                                     ^",
        ),
        (
            "from posts, (pivot posts on nope using count(*))",
            SqlErrorKind::Statement,
            1,
            33,
            "from posts, (pivot posts on nope using count(*))\n                                ^",
        ),
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
    // The lake's own limit holds if the statement has none.
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

#[test]
fn an_error_ends_with_advice_that_applies_here() {
    let bench = bench();
    for (sql, part) in [
        ("select {'a': 1}::variant as v", "hint: cast it in the question: column::json or column::varchar"),
        ("from read_parquet('x.parquet')", "hint: this asks the lake, which reads no files; `fedilake sql --direct`"),
        ("select * from posts where id = ?", "hint: write the values into the statement"),
        ("from read_xlsx('x.xlsx')", "hint: "),
        ("select 'x\nhint: rm -rf'::integer", "\n hint: rm -rf"),
    ] {
        let error = refused(&bench, sql, &SqlLimits::default());
        assert!(error.message.contains(part), "{sql}: {error}");
        assert!(!error.message.contains("INSTALL"), "{sql}: {error}");
    }
}

#[test]
fn an_unknown_column_is_answered_with_those_that_could_stand_there() {
    let bench = bench();
    for (sql, told) in [
        ("select auther from posts", "did you mean `author`?"),
        ("select username from posts", "there is no column `username` here: it is a column of `mastodon_toot`"),
        ("select p.username from posts p", "it is a column of `mastodon_toot`"),
        ("select bot from posts", "it is a column of `mastodon_toot`"),
        ("select parent_uri from posts", "it is a column of `replies`"),
        ("select deleted_at from posts", "it is a column of `sightings`, `deletes`"),
        ("select uri from mastodon_toot", "did you mean `url`? `uri` is a column of `posts`, `sightings`, `replies`"),
        ("select rejected_reason from posts", "`describe posts` names those of a view"),
        ("with p as (select author as whose from posts) select whos from p", "did you mean `whose`?"),
        ("select n.authr from (select author from posts) n", "did you mean `author`?"),
        ("select p.parent_url from posts p", "`describe posts` names those of a view"),
        ("select r.parent_url from replies r", "did you mean `parent_uri`?"),
    ] {
        let error = refused(&bench, sql, &SqlLimits::default());
        assert!(error.message.contains(told), "{sql}: {error}");
    }
}

#[test]
fn an_interval_is_what_duckdb_writes_wherever_it_stands() {
    let bench = bench();
    let longest = ["to_microseconds(9223372036854775807)", "to_microseconds(-9223372036854775808)"];
    let intervals =
        ["to_hours(400000000)", "interval '-14 months 3 days 04:05:06.7'", "interval 0 day", "null::interval"];
    let places = [
        "{}",
        "[{}, null]",
        "array_value({}, {})",
        "{'a': {}, 'INTERVAL': 1, 'b': [1.5]}",
        "({}, 'x', now() = null)",
        "[({}, {'a': ({}, 1), 'b': null})]",
        "map {1: {}}",
        "map {'k': ({}, 'INTERVAL'::enum('INTERVAL', 'it''s'))}",
        "{'t': now()::timestamptz is null, 'j': '1'::json, 'u': 1::uhugeint, 'n': null, 'i': {}}",
    ];
    for (interval, place) in intervals.iter().chain(&longest).flat_map(|interval| places.map(|place| (interval, place)))
    {
        // DuckDB casts to text itself here.
        let words = bench.ask(&format!("select ({interval})::varchar")).remove(0).remove(0);
        let value = place.replace("{}", interval);
        let sql = format!("select v as \"a \"\"b\", v, 7 as c from (select {value} as v) -- the end;\n;");
        let mut ipc = Vec::new();
        bench.lake.sql(&sql, &SqlLimits::default(), &mut ipc).unwrap_or_else(|error| panic!("{value}: {error}"));
        let (columns, rows) = columns_and_rows(&ipc);
        assert_eq!(columns, ["a \"b", "v", "c"], "{value}");
        assert!(rows.len() == 1 && rows[0][2] == "7" && rows[0][0] == rows[0][1], "{value}: {rows:?}");
        assert!(rows[0][0].contains(&words), "{value}: {words} in {rows:?}");
    }
    for sql in [
        "select to_hours(i) as h from range(400000000, 400000003) r(i) order by i desc",
        "with h as (select to_hours(i) as h from range(400000000, 400000003) r(i)) from h order by h desc limit 3",
        "values (to_hours(400000002)), (to_hours(400000001)), (to_hours(400000000)); -- done",
        "from (values (to_hours(400000002)), (to_hours(400000001)), (to_hours(400000000)));",
    ] {
        assert_eq!(bench.ask(sql), [["400000002:00:00"], ["400000001:00:00"], ["400000000:00:00"]], "{sql}");
    }
    let error = refused(&bench, "select interval 1 day,\n error('x' || nope)", &SqlLimits::default());
    assert_eq!((error.line, error.column), (Some(2), Some(15)), "{error}");
}

/// Accepts so many bytes, then fails.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => {
                self.0 = left;
                Ok(bytes.len())
            }
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_answer_that_nobody_reads_is_no_fault_of_the_statement() {
    let bench = bench();
    for room in [0, 10, 100_000] {
        let error = bench.lake.sql("from range(1000000)", &SqlLimits::default(), &mut Full(room)).unwrap_err();
        assert_eq!(error.kind, SqlErrorKind::Output, "{room}: {error}");
    }
}

#[test]
fn a_statement_may_be_nested_as_deep_as_its_engine_goes_and_is_told_what_to_do_beyond() {
    let bench = Bench::new();
    let sum = |terms: usize| format!("select 0{}", " + 1".repeat(terms));
    for depth in [60, 200] {
        assert_eq!(ask(&bench.lake, &sum(depth)).unwrap(), [[depth.to_string()]], "{depth}");
        let calls = format!("select {}-7{}", "abs(".repeat(depth), ")".repeat(depth));
        assert_eq!(ask(&bench.lake, &calls).unwrap(), [["7"]]);
        let hidden = format!("select {}query('select 1'){}", "abs(".repeat(depth), ")".repeat(depth));
        let refused = ask(&bench.lake, &hidden).unwrap_err();
        assert_eq!(refused.kind, SqlErrorKind::Refused, "{refused}");
    }
    let beyond = ask(&bench.lake, &sum(5_000)).unwrap_err().to_string();
    assert!(beyond.contains("hint: ") && !beyond.contains("SET"), "{beyond}");
}
