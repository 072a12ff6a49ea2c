//! Lost or damaged table files, and damaged logs: missing offsets are named, and the rest is answered.

use std::fs;
use std::path::PathBuf;

use crate::faults::{replay, table_files};
use crate::program::{Data, Said};

/// A folder whose table has three files of a hundred rows.
fn three_files() -> (Data, Vec<PathBuf>) {
    let data = Data::new();
    for start in [0, 100, 200] {
        replay(&data, start..start + 100).done();
    }
    let files = table_files(&data);
    assert_eq!(files.len(), 3, "{files:?}");
    (data, files)
}

fn delete_lake(data: &Data) {
    fs::remove_file(data.path().join("lake.duckdb")).unwrap();
}

#[track_caller]
fn finds(data: &Data, what: &str) -> Said {
    let said = data.run(["check"]);
    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.stdout.contains(what), "{what}: {said:#?}");
    said
}

#[track_caller]
fn answers(data: &Data, posts: i64) {
    assert_eq!(data.number("select count(*) from posts"), posts);
    data.run(["report", "statistics"]).done();
    let owner = data.serve();
    assert_eq!(data.number("select count(*) from posts"), posts);
    owner.interrupt().done();
}

#[test]
fn a_newest_file_that_is_gone_is_a_range_that_check_names_with_a_lake_and_without() {
    let (data, files) = three_files();
    fs::remove_file(&files[2]).unwrap();
    finds(&data, "200..300");
    answers(&data, 300);
    finds(&data, "200..300");

    delete_lake(&data);
    finds(&data, "200..300");
    let said = data.run(["report"]);
    assert_eq!(said.code(), Some(2), "{said:#?}");
    assert!(said.stderr.contains("hint: `fedilake check --data "), "{}", said.stderr);
}

/// Every answer names offsets that the table lost, in every format, from every source.
#[test]
fn files_that_are_gone_are_named_wherever_figures_are_shown() {
    let cases: [(&[usize], &[&str]); 4] =
        [(&[1], &["100..200"]), (&[0], &["0..100"]), (&[0, 1], &["0..200"]), (&[0, 2], &["0..100", "200..300"])];
    for (gone, ranges) in cases {
        let (data, _) = three_files();
        replay(&data, 300..400).done();
        let files = table_files(&data);
        let posts = 400 - 100 * gone.len() as i64;
        let names = |said: &Said, when: &str| {
            assert_eq!(said.code(), Some(0), "{gone:?}, {when}: {said:#?}");
            for range in ranges {
                assert!(said.stderr.contains(range), "{gone:?}, {when}: {range}: {said:#?}");
            }
        };
        for file in gone {
            fs::remove_file(&files[*file]).unwrap();
        }
        // The lake still has all posts; the remaining files do not.
        assert_eq!(data.number("select count(*) from posts"), 400);
        assert_eq!(data.run(["report", "statistics"]).done().stderr, "");
        names(&data.run(["sql", "--direct", "select count(*) from posts"]), "direct");
        delete_lake(&data);
        for when in ["rebuilt", "again"] {
            for format in ["table", "csv", "json"] {
                names(&data.run(["report", "statistics", "--format", format]), when);
                names(&data.run(["sql", "select 1", "--format", format]), when);
            }
            assert_eq!(data.number("select count(*) from posts"), posts);
        }
        let mut owner = data.start(["serve", "--listen", "127.0.0.1:0"]);
        let address = owner.address();
        names(&data.run(["report", "statistics"]), "asked of the owner");
        names(&data.run(["sql", "select count(*) from posts", "--format", "csv"]), "asked of the owner");
        let figures = crate::beside::metrics(address);
        assert!(figures.contains(&format!("fedilake_lake_missing_offsets {}", 100 * gone.len())), "{figures}");
        names(&owner.interrupt(), "owner");
        for range in ranges {
            finds(&data, range);
        }

        // Posts collected afterwards are there, and the range stays missing.
        replay(&data, 400..500).done();
        names(&data.run(["report", "statistics"]), "later");
        assert_eq!(data.number("select count(*) from posts"), posts + 100);
    }
}

#[test]
fn a_file_that_is_put_back_is_in_the_figures_once_the_lake_is_rebuilt() {
    let (data, files) = three_files();
    let away = data.beside("away.parquet");
    fs::rename(&files[1], &away).unwrap();
    delete_lake(&data);
    assert_eq!(data.number("select count(*) from posts"), 200);
    fs::rename(&away, &files[1]).unwrap();
    let said = data.run(["report", "statistics"]).done();
    assert!(said.stderr.contains("100..200") && said.stderr.contains("lake.duckdb"), "{}", said.stderr);
    delete_lake(&data);
    assert_eq!(data.number("select count(*) from posts"), 300);
    assert_eq!(data.run(["report", "statistics"]).done().stderr, "");
    data.run(["check"]).done();
}

#[test]
fn a_table_of_which_nothing_is_left_is_missing_whole() {
    let data = Data::new();
    replay(&data, 0..100).done();
    fs::remove_file(&table_files(&data)[0]).unwrap();
    finds(&data, "0..100");
    delete_lake(&data);
    finds(&data, "0..100");
    fs::remove_dir_all(data.path().join("table")).unwrap();
    finds(&data, "0..100");
}

#[test]
fn a_newest_file_that_is_damaged_is_found_and_hinders_nobody_who_does_not_need_it() {
    let (data, files) = three_files();
    let whole = fs::read(&files[2]).unwrap();
    let name = files[2].file_name().unwrap().to_str().unwrap();
    for left in [0, 5, whole.len() / 2, whole.len() - 1] {
        fs::write(&files[2], &whole[..left]).unwrap();
        finds(&data, name);
        answers(&data, 300);
    }
    delete_lake(&data);
    finds(&data, name);
    let said = data.run(["report"]);
    assert_eq!(said.code(), Some(2), "{said:#?}");
    assert!(said.stderr.contains(name), "{}", said.stderr);

    fs::write(&files[2], &whole).unwrap();
    data.run(["check"]).done();
    let copy = files[2].with_file_name("00000000000000000999.parquet");
    fs::write(&copy, &whole).unwrap();
    finds(&data, "00000000000000000999.parquet");
    answers(&data, 300);
    delete_lake(&data);
    answers(&data, 300);
    fs::remove_file(&copy).unwrap();
    data.run(["check"]).done();
}

#[test]
fn the_error_for_a_damaged_log_says_what_to_do() {
    let (data, _) = three_files();
    let log = data.path().join("log");
    let mut folders = vec![log.join("store")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match fs::metadata(&path).unwrap() {
                kind if kind.is_dir() => folders.push(path),
                kind => fs::write(&path, vec![0xa5; kind.len() as usize]).unwrap(),
            }
        }
    }
    for question in ["report", "check"] {
        let said = data.run([question]);
        assert_eq!(said.code(), Some(2), "{said:#?}");
        for told in ["damaged", "up to offset 300", &format!("hint: restore it from a copy, or move {}", log.display())]
        {
            assert!(said.stderr.contains(told), "{told}: {}", said.stderr);
        }
    }
    // Follows the hint.
    fs::rename(&log, data.beside("damaged-log")).unwrap();
    assert_eq!(data.number("select count(*) from posts"), 300);
    replay(&data, 300..400).done();
    assert_eq!(data.number("select count(*) from posts"), 400);
    data.run(["check"]).done();
}

#[test]
fn the_error_for_a_damaged_lake_says_what_to_do() {
    let data = Data::new();
    replay(&data, 0..2_000).done();
    let lake = data.path().join("lake.duckdb");
    let mut bytes = fs::read(&lake).unwrap();
    // DuckDB's file has three headers of 4 KiB, then blocks of 256 KiB; the first blocks describe the others.
    let blocks: Vec<usize> = (12_288..bytes.len()).step_by(262_144).skip(1).collect();
    for block in blocks {
        bytes[block + 5_000..block + 5_064].fill(0xa5);
    }
    fs::write(&lake, bytes).unwrap();
    let said = data.run(["check"]);
    assert_eq!(said.code(), Some(2), "{said:#?}");
    assert!(said.stderr.contains("hint: delete lake.duckdb"), "{}", said.stderr);
    delete_lake(&data);
    data.run(["check"]).done();
    assert_eq!(data.number("select count(*) from posts"), 2_000);
}
