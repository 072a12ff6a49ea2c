//! Opening a lake: an old one, a broken one, one in use.

use std::fs;

use fedilake_query::{Lake, LakeError, LakePosition};

use crate::support::{Bench, Event, ask, options};

fn three_posts() -> Vec<Event> {
    (0..3).map(|n| Event::created("alpha.test", n, "ann@one.test", n)).collect()
}

#[test]
fn what_was_taken_is_there_after_opening_again() {
    let mut bench = Bench::new();
    bench.take(&three_posts());
    let before = bench.ask("select p::varchar from posts p order by 1");
    let bench = bench.reopen();
    assert_eq!(bench.lake.rebuilt(), None);
    assert_eq!(bench.ask("select p::varchar from posts p order by 1"), before);
    let position = LakePosition { log: "log-a".to_owned(), partition: 0, next: 3, lacks: Vec::new() };
    assert_eq!(bench.lake.positions().unwrap(), [position]);
}

#[test]
fn a_file_that_is_no_database_is_rebuilt() {
    let bench = Bench::new();
    let path = bench.path().join("other.duckdb");
    fs::write(&path, vec![7; 20_000]).unwrap();
    let lake = Lake::open(&path, options()).unwrap();
    let why = lake.rebuilt().unwrap();
    assert!(why.starts_with("it cannot be read: ") && why.contains("not a valid DuckDB database"), "{why}");
    assert_eq!(lake.positions().unwrap(), []);
}

#[test]
fn a_lake_of_another_layout_is_rebuilt() {
    let mut bench = Bench::new();
    bench.take(&three_posts());
    let cases = [
        (
            "create table layout (version integer, engine varchar); insert into layout values (0, 'v0.0.0')",
            "cannot be read",
        ),
        (
            "create schema internal; create table internal.layout as select 0 as version, 'v0.0.0' as engine, 'origin' as deletes",
            "its layout is 0, this program's is",
        ),
        (
            "create schema internal; create table internal.layout as select version, 'v0.0.0' as engine, deletes from given",
            "DuckDB v0.0.0 wrote it",
        ),
    ];
    let ours = bench.path().join("ours.duckdb");
    drop(Lake::open(&ours, options()).unwrap());
    for (at, (made, why)) in cases.into_iter().enumerate() {
        let path = bench.path().join(format!("older-{at}.duckdb"));
        let older = duckdb::Connection::open(&path).unwrap();
        older.execute_batch(&format!("attach '{}' as ours", ours.display())).unwrap();
        older.execute_batch(&format!("create temp view given as from ours.internal.layout; {made}")).unwrap();
        drop(older);
        let lake = Lake::open(&path, options()).unwrap();
        assert!(lake.rebuilt().unwrap().contains(why), "{:?}", lake.rebuilt());
        lake.take(&bench.chunks, &mut |_| ()).unwrap();
        assert_eq!(ask(&lake, "select count(*) from posts").unwrap(), [["3"]]);
    }
}

/// The lake is a cache, but of the newer program: deleting it would cost that program a rebuild.
#[test]
fn a_lake_of_a_newer_layout_is_refused_and_stays() {
    let bench = Bench::new();
    let cases = [("layout", ""), ("internal.layout", "create schema internal;")];
    for (table, schema) in cases {
        let path = bench.path().join(format!("newer-{table}.duckdb"));
        let made = format!(
            "{schema} create table {table} (version integer, engine varchar); insert into {table} values (1000000, 'v9.9.9')"
        );
        duckdb::Connection::open(&path).unwrap().execute_batch(&made).unwrap();
        for _ in 0..2 {
            let error = Lake::open(&path, options()).err().unwrap();
            assert!(matches!(error, LakeError::Newer { .. }), "{error}");
            assert!(error.to_string().contains("made by a newer fedilake"), "{error}");
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_it() {
    let bench = Bench::new();
    let path = bench.path().join("nowhere/lake.duckdb");
    let error = Lake::open(&path, options()).err().unwrap();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn what_a_killed_process_spilled_is_removed_and_nothing_else() {
    let bench = Bench::new();
    let gone = ["lake.duckdb.spill", "lake.duckdb.files.spill", "lake.duckdb.check-7.spill"];
    let kept = ["lake.duckdb.mine", "other.duckdb.spill"];
    for folder in gone.iter().chain(&kept) {
        fs::create_dir(bench.path().join(folder)).unwrap();
        fs::write(bench.path().join(folder).join("duckdb_temp_storage_DEFAULT-0.tmp"), "spilled").unwrap();
    }
    let bench = bench.reopen();
    assert_eq!(gone.map(|folder| bench.path().join(folder).exists()), [false; 3]);
    assert_eq!(kept.map(|folder| bench.path().join(folder).exists()), [true; 2]);
}

#[test]
fn a_guard_is_kept_until_the_lake_is_closed() {
    struct Guard(std::path::PathBuf, std::sync::mpsc::Sender<bool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            // DuckDB would admit another connection of this process, so its lock is checked from outside.
            let seen = fs::read_to_string("/proc/locks").unwrap_or_default();
            let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&self.0).unwrap());
            let held = seen.lines().any(|line| line.contains(&format!(":{inode} ")));
            self.1.send(held).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lake.duckdb");
    let (sender, held) = std::sync::mpsc::channel();
    drop(Lake::open(&path, options()).unwrap().guarded_by(Guard(path.clone(), sender)));
    assert!(!held.recv().unwrap(), "the guard went before DuckDB's lock");
}

#[test]
fn a_lake_that_was_cut_at_any_length_is_rebuilt_or_says_what_to_do_or_lacks_nothing() {
    let mut bench = Bench::new();
    bench.take(&(0..3000).map(|n| Event::created("alpha.test", n, "ann@one.test", n)).collect::<Vec<_>>());
    // Closed and opened, so that everything is in the file.
    let bench = bench.reopen();
    let whole = fs::read(bench.path().join("lake.duckdb")).unwrap();
    let copy = bench.path().join("cut.duckdb");
    let mut rebuilt = 0;
    let (some, end) = ([0, 1, 100, 4095, 4096, 5000, 8192, 12_288, 12_289], whole.len());
    for cut in some.into_iter().chain([end / 3, end / 2, end - 300_000, end - 1]) {
        fs::write(&copy, &whole[..cut]).unwrap();
        let lake = Lake::open(&copy, options()).unwrap_or_else(|error| panic!("{cut}: {error}"));
        rebuilt += u32::from(lake.rebuilt().is_some());
        let answer = match lake.take(&bench.chunks, &mut |_| ()) {
            Ok(()) => {
                ask(&lake, "select count(uri), count(distinct text) from posts").map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(counts) => assert_eq!(counts, [["3000", "3000"]], "{cut}"),
            Err(error) => assert!(error.contains("hint: delete lake.duckdb"), "{cut}: {error}"),
        }
    }
    assert!(rebuilt >= 9, "{rebuilt}");
}

#[test]
fn a_lake_whose_last_commits_were_cut_off_goes_on_from_what_it_has() {
    let mut bench = Bench::new();
    bench.take(&three_posts());
    let chunks = bench.chunks.clone();
    let (path, wal) = (bench.path().join("lake.duckdb"), bench.path().join("lake.duckdb.wal"));
    let (lake, log) = (fs::read(&path).unwrap(), fs::read(&wal).unwrap());
    let copy = bench.path().join("cut.duckdb");
    for cut in [0, 1, 20, log.len() / 2, log.len() - 1, log.len()] {
        fs::write(&copy, &lake).unwrap();
        fs::write(bench.path().join("cut.duckdb.wal"), &log[..cut]).unwrap();
        let lake = Lake::open(&copy, options()).unwrap_or_else(|error| panic!("{cut}: {error}"));
        lake.take(&chunks, &mut |_| ()).unwrap();
        assert_eq!(ask(&lake, "select count(*) from posts").unwrap(), [["3"]], "{cut}");
    }
}

#[test]
fn a_lake_that_is_cut_while_it_is_open_says_what_to_do() {
    let mut bench = Bench::new();
    let text = |n: i64| format!("{n} {}", "words that differ ".repeat(n as usize % 50));
    bench.take(
        &(0..20_000)
            .map(|n| Event { text: text(n), ..Event::created("alpha.test", n, "ann@one.test", n) })
            .collect::<Vec<_>>(),
    );
    let bench = bench.reopen();
    let file = fs::OpenOptions::new().write(true).open(bench.path().join("lake.duckdb")).unwrap();
    file.set_len(file.metadata().unwrap().len() / 4).unwrap();
    let error = ask(&bench.lake, "select max(text), max(uri), max(url) from posts").unwrap_err();
    assert!(error.to_string().contains("hint: delete lake.duckdb"), "{error}");
}
