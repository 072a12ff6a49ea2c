//! Opening a lake: an old one, a broken one, one in use.

use std::fs;

use fedilake_query::{Lake, LakePosition};

use crate::support::{Bench, Event, options};

fn three_posts() -> Vec<Event> {
    (0..3).map(|n| Event::created("alpha.test", n, "ann@one.test", n)).collect()
}

#[test]
fn what_was_taken_is_there_after_opening_again() {
    let mut bench = Bench::new();
    bench.take(&three_posts());
    let before = bench.ask("select p::varchar from posts p order by 1");
    let bench = bench.reopen();
    assert!(!bench.lake.was_rebuilt());
    assert_eq!(bench.ask("select p::varchar from posts p order by 1"), before);
    let position = LakePosition { log: "log-a".to_owned(), partition: 0, next: 3 };
    assert_eq!(bench.lake.positions().unwrap(), [position]);
}

#[test]
fn a_file_that_is_no_database_is_rebuilt() {
    let bench = Bench::new();
    let path = bench.path().join("other.duckdb");
    fs::write(&path, vec![7; 20_000]).unwrap();
    let lake = Lake::open(&path, options()).unwrap();
    assert!(lake.was_rebuilt());
    assert_eq!(lake.positions().unwrap(), []);
}

#[test]
fn a_lake_of_another_layout_is_rebuilt() {
    let mut bench = Bench::new();
    bench.take(&three_posts());
    let path = bench.path().join("older.duckdb");
    duckdb::Connection::open(&path)
        .unwrap()
        .execute_batch("create table layout (version integer, engine varchar); insert into layout values (0, 'v0.0.0')")
        .unwrap();
    let lake = Lake::open(&path, options()).unwrap();
    assert!(lake.was_rebuilt());
    lake.take(&bench.chunks, &mut |_| ()).unwrap();
    assert_eq!(crate::support::ask(&lake, "select count(*) from posts").unwrap(), [["3"]]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_it() {
    let bench = Bench::new();
    let path = bench.path().join("nowhere/lake.duckdb");
    let error = Lake::open(&path, options()).err().unwrap();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
