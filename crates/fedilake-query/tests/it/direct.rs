//! Questions straight to Parquet files: the views are there for the statements that name them, and for no others.

use std::fs;
use std::path::Path;

use fedilake_query::views::Deletes;
use fedilake_query::{Direct, DirectOptions, SqlError, SqlLimits, SqlSummary, views};

use crate::support::{Bench, Event};

/// A DuckDB over the table in `folder`.
fn direct(folder: &Path) -> Direct {
    let options = DirectOptions {
        memory_bytes_max: 1 << 30,
        threads: 2,
        spill_folder: folder.join("spill"),
        httpfs: None,
        deletes: Deletes::default(),
    };
    let pattern = format!("{}/table/posts/**/*.parquet", views::plain(&folder.display().to_string()));
    Direct::open(&options, &pattern, None).unwrap()
}

fn ask(direct: &Direct, sql: &str) -> Result<(SqlSummary, Vec<Vec<String>>), SqlError> {
    let mut ipc = Vec::new();
    let summary = direct.sql(sql, &SqlLimits::default(), &mut ipc)?;
    Ok((summary, crate::support::decode(&ipc)))
}

/// A folder, and in it a table of one post if `has_table`.
fn folder(has_table: bool) -> tempfile::TempDir {
    let mut bench = Bench::new();
    bench.take(&[Event::created("alpha.test", 1, "ann@one.test", 5)]);
    let folder = tempfile::tempdir().unwrap();
    fs::copy(&bench.chunks[0].parquet, folder.path().join("posts.parquet")).unwrap();
    if has_table {
        let chain = folder.path().join("table/posts/log=a/partition=0");
        fs::create_dir_all(&chain).unwrap();
        fs::copy(&bench.chunks[0].parquet, chain.join("0.parquet")).unwrap();
    }
    folder
}

#[test]
fn words_that_name_no_view_need_no_table() {
    for has_table in [false, true] {
        let folder = folder(has_table);
        for (sql, answer) in [
            ("select count(*) from '{}/posts.parquet'", "1"),
            ("select count(*) from read_parquet('{}/posts*.parquet')", "1"),
            ("select 'posts, replies, internal.post'", "posts, replies, internal.post"),
            ("select 1 -- from posts", "1"),
            ("/* from posts */ select 1", "1"),
            ("select 1 as posts", "1"),
            ("select posts.n from (select 1 as n) posts", "1"),
            ("with posts as (select 7 as n) select n from posts", "7"),
            ("with replies(n) as (select 7), posts as (from replies) select posts.n from posts", "7"),
            ("select {'posts': 1}.posts", "1"),
            ("select $$ show tables; from information_schema.tables $$ = '' as sightings", "false"),
        ] {
            let sql = sql.replace("{}", &folder.path().display().to_string());
            let (summary, rows) = ask(&direct(folder.path()), &sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(rows, [[answer]], "{sql}");
            assert!(!summary.may_read_table, "{sql}");
        }
    }
}

#[test]
fn a_statement_that_names_a_view_is_answered_from_the_table_or_told_that_there_is_none() {
    let (with, without) = (folder(true), folder(false));
    for sql in [
        "select count(*) from posts",
        "SELECT count(*) FROM \"Posts\"",
        "select count(*) from main.sightings",
        "with p as (from posts) select count(*) from p",
        "select (select count(*) from mastodon_toot)",
        "select count(*) from posts join '{}/posts.parquet' file on file.uri = posts.uri",
        "select n from (pivot (select 'n' as k from posts) on k using count(*))",
    ] {
        let of = |folder: &tempfile::TempDir| {
            ask(&direct(folder.path()), &sql.replace("{}", &folder.path().display().to_string()))
        };
        let (summary, rows) = of(&with).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!((rows, summary.may_read_table), (vec![vec!["1".to_owned()]], true), "{sql}");
        let error = of(&without).unwrap_err();
        assert!(error.message.starts_with("there is no table file yet: ") && error.excerpt.is_none(), "{sql}: {error}");
    }
    assert!(ask(&direct(with.path()), "describe replies").unwrap().1.len() > 3);
}

#[test]
fn listings_have_the_views_and_leave_out_what_they_are_made_of() {
    let (with, without) = (folder(true), folder(false));
    let views = ["deletes", "gaps", "languages", "mastodon_toot", "posts", "replies", "sightings", "skips"];
    for sql in [
        "show tables",
        "select name from (show all tables) order by 1",
        "select table_name from information_schema.tables order by 1",
        "select distinct table_name from information_schema.columns order by 1",
        "select view_name from duckdb_views() where not internal order by 1",
        "select distinct table_name from duckdb_columns() where not internal order by 1",
        "select table_name as t from duckdb_tables() union all select view_name from duckdb_views() where not internal order by 1",
    ] {
        let names = |folder: &tempfile::TempDir| {
            let (_, rows) = ask(&direct(folder.path()), sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            rows.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&with), views, "{sql}");
        assert_eq!(names(&without), [""; 0], "{sql}");
    }
    let schemas = ask(&direct(with.path()), "select schema_name from duckdb_schemas() where not internal").unwrap().1;
    assert_eq!(schemas, [["main"]; 0].to_vec() as Vec<[&str; 1]>);
}

#[test]
fn an_error_shows_the_statement_alone_and_advice_that_applies() {
    let folder = folder(true);
    fs::write(folder.path().join("table/posts/log=a/partition=0/1.parquet"), "no Parquet").unwrap();
    for (sql, part) in [
        ("select count(*)\nfrom posts", "Parquet"),
        ("select 1\nfrom read_parquet('{}/nosuch/*.parquet')", "No files found"),
        ("from 'https://127.0.0.1/x.parquet'", "hint: extensions of DuckDB cannot be loaded here"),
        ("from read_csv('http://127.0.0.1/x.csv')", "hint: extensions of DuckDB cannot be loaded here"),
        ("from 'hf://datasets/a/b/x.parquet'", "hint: extensions of DuckDB cannot be loaded here"),
        ("select nope from '{}/posts.parquet'", "there is no column `nope`"),
    ] {
        let typed = sql.replace("{}", &folder.path().display().to_string());
        let error = ask(&direct(folder.path()), &typed).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(part), "{sql}: {told}");
        for foreign in ["LINE ", "INSTALL", "autoload", "union_by_name", "lake: "] {
            assert!(!told.contains(foreign), "{sql}: {told}");
        }
        let shown = error.excerpt.as_deref().and_then(|excerpt| excerpt.lines().next());
        assert!(shown.is_none_or(|line| typed.lines().any(|typed| typed.contains(line))), "{sql}: {told}");
    }
}

/// As clients that synchronise folders, and people, leave copies of files.
#[test]
fn a_file_that_lies_there_twice_counts_once_whatever_its_copy_is_called() {
    const ANOTHER_LOG: &str = "../../log=other/partition=0/00000000000000000000.parquet";
    let mut bench = Bench::new();
    let shown = |n: i64, server: &str| Event::created(server, n, "ann@one.test", n);
    let mut events: Vec<Event> = (0..20).map(|n| shown(n, "alpha.test")).collect();
    events.extend((0..5).map(|n| shown(n, "beta.test")));
    events.push(Event {
        kind: "edited",
        edited: Some(50),
        observed: 60,
        text: "edited".to_owned(),
        ..shown(3, "alpha.test")
    });
    events.push(Event::deleted("beta.test", 2, 70));
    bench.take(&events);
    bench.take(&[shown(30, "alpha.test"), shown(4, "gamma.test")]);
    let rows = |bench: &Bench, view: &str| bench.plain(&format!("select v::varchar from {view} v order by 1"));
    let once = views::DOCUMENTED.map(|view| rows(&bench, view));
    assert_eq!(rows(&bench, "posts"), bench.ask("select v::varchar from posts v order by 1"));
    // All but the post that a server deleted.
    assert_eq!(once[0].len(), 20);
    let chain = bench.path().join("table/posts/log=log-a/partition=0");
    for copy in [
        "00000000000000000000 (1).parquet",
        "00000000000000000000-copy-of-laptop.parquet",
        "00000000000000000005.parquet",
        "00000000000000000900.parquet",
        ".00000000000000000000.parquet",
        "old/00000000000000000000.parquet",
        "../partition=1/00000000000000000000.parquet",
        "../../00000000000000000000.parquet",
        ANOTHER_LOG,
    ] {
        fs::create_dir_all(chain.join(copy).parent().unwrap()).unwrap();
        fs::copy(&bench.chunks[0].parquet, chain.join(copy)).unwrap();
        for (view, once) in views::DOCUMENTED.iter().zip(&once) {
            let now = rows(&bench, view);
            if copy == ANOTHER_LOG {
                // Of equal versions in two logs either may stand there, with its offset.
                assert_eq!(now.len(), once.len(), "{copy}: {view}");
            } else {
                assert_eq!(&now, once, "{copy}: {view}");
            }
        }
    }
}

#[test]
fn what_the_views_are_made_of_cannot_be_asked() {
    let folder = folder(true);
    let direct = direct(folder.path());
    for _ in ["before the views are there", "with the views"] {
        for sql in [
            "from internal.table_rows",
            "from memory.internal.table_rows",
            "describe \"INTERNAL\".shown",
            "with p as (select text from internal.shown) from p",
            "pivot internal.shown on language using count(*)",
            "from query_table('internal.shown')",
        ] {
            let error = ask(&direct, sql).unwrap_err();
            assert!(error.message.contains("hint: SQL reads the views `posts`"), "{sql}: {error}");
        }
        ask(&direct, "from posts").unwrap();
    }
}
