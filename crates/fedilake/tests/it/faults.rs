//! Full disks, damaged files, and folders that two processes want.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Data, Said, fedilake};
use crate::replay::status;

fn lines(data: &Data, numbers: std::ops::Range<u64>) -> PathBuf {
    let file = data.beside(&format!("{}-{}.jsonl", numbers.start, numbers.end));
    let filler = "words that fill a post ".repeat(10);
    fs::write(
        &file,
        numbers.map(|n| status(n, &format!("{filler}{}", n * 7_919)).to_string() + "\n").collect::<String>(),
    )
    .unwrap();
    file
}

pub fn replay(data: &Data, numbers: std::ops::Range<u64>) -> Said {
    let file = lines(data, numbers);
    data.run(["replay", file.to_str().unwrap()])
}

pub fn table_files(data: &Data) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    below(&data.path().join("table"), &mut found);
    found.sort();
    found
}

#[test]
fn a_folder_has_one_owner() {
    let data = Data::new();
    replay(&data, 0..10).done();
    let owner = data.serve();
    let file = lines(&data, 10..20);
    for second in [&["serve", "--listen", "127.0.0.1:0"][..], &["replay", file.to_str().unwrap()], &["sink"]] {
        let said = data.run(second);
        assert_eq!(said.code(), Some(2), "{second:?}: {said:#?}");
        assert!(said.stderr.contains("in use") && said.stderr.contains("hint:"), "{}", said.stderr);
    }
    owner.interrupt().done();
}

#[test]
fn a_lake_that_is_deleted_is_rebuilt_with_the_same_answers() {
    let data = Data::new();
    replay(&data, 0..500).done();
    let question = ["sql", "select * from posts order by uri", "--format", "json"];
    let before = data.run(question).done().stdout;
    fs::remove_file(data.path().join("lake.duckdb")).unwrap();
    assert_eq!(data.run(question).done().stdout, before);
    data.run(["check"]).done();

    // A file that is not a DuckDB database is replaced too, and reported.
    fs::write(data.path().join("lake.duckdb"), "this is no database").unwrap();
    assert_eq!(data.run(question).done().stdout, before);
}

#[test]
fn a_damaged_table_file_is_named_by_check_and_by_the_lake() {
    let data = Data::new();
    replay(&data, 0..500).done();
    replay(&data, 500..1_000).done();
    let files = table_files(&data);
    assert_eq!(files.len(), 2, "{files:?}");
    let damaged = &files[0];
    let mut bytes = fs::read(damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    fs::write(damaged, bytes).unwrap();

    let said = data.run(["check"]);
    assert_eq!(said.code(), Some(1), "{said:#?}");
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert!(said.stdout.contains(name), "{said:#?}");

    fs::remove_file(data.path().join("lake.duckdb")).unwrap();
    // The log released these posts when they were committed, so no answer can include them, and each says so.
    let said = data.run(["report", "statistics", "--format", "json"]).done();
    assert!(said.stderr.contains(name) && said.stderr.contains("is damaged"), "{said:#?}");
    assert!(said.stderr.contains("the figures lack offsets 0..500 of "), "{said:#?}");
    assert_eq!(said.json()[0]["posts"], 500);
}

#[test]
fn a_missing_table_file_is_a_range_that_check_names() {
    let data = Data::new();
    for start in [0, 100, 200] {
        replay(&data, start..start + 100).done();
    }
    fs::remove_file(&table_files(&data)[1]).unwrap();
    let said = data.run(["check"]);
    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.stdout.contains("missing: offsets 100..200 of log="), "{}", said.stdout);
    assert!(said.stdout.ends_with("\n1 finding\n"), "{}", said.stdout);
}

#[test]
fn a_wiped_log_beside_an_old_table_starts_a_new_chain() {
    let data = Data::new();
    replay(&data, 0..100).done();
    fs::remove_dir_all(data.path().join("log")).unwrap();
    replay(&data, 50..150).done();
    assert_eq!(data.number("select count(*) from posts"), 150);
    let checked = data.run(["check", "--format", "json"]).done().json();
    assert_eq!(checked["chains"], 2, "{checked}");
}

#[test]
fn a_full_disk_ends_with_its_name_and_costs_nothing_that_was_accepted() {
    let data = Data::new();
    replay(&data, 0..200).done();
    let file = lines(&data, 200..20_000);
    // A limit on the size of files simulates the full disk: writes beyond it fail in the same way, without root.
    let limited = |blocks: u32, arguments: &[&str]| -> Said {
        let program = fedilake(arguments.iter().copied());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")])
            .arg(program.get_program())
            .args(program.get_args());
        shell.arg("--data").arg(data.path()).env("FEDILAKE_SINK_BUFFER_AGE_SECONDS_MAX", "1");
        shell.output().unwrap().into()
    };
    let said = limited(2_000, &["replay", file.to_str().unwrap()]);
    assert_eq!(said.code(), Some(2), "{said:#?}");
    assert!(said.stderr.contains("error:") && said.stderr.to_lowercase().contains("file too large"), "{}", said.stderr);

    data.run(["replay", file.to_str().unwrap()]).done();
    assert_eq!(data.number("select count(*) from posts"), 20_000);
    data.run(["check"]).done();
}

#[test]
fn a_damaged_log_is_named_and_never_repaired_by_guessing() {
    let data = Data::new();
    replay(&data, 0..300).done();
    let journal = fs::read_dir(data.path().join("log/store"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .expect("the log has a journal");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, vec![0xa5; bytes.len()]).unwrap();
    let log = data.path().join("log").display().to_string();
    // A second start does not begin a new log either.
    for _ in 0..2 {
        let said = data.run(["report"]);
        assert_eq!(said.code(), Some(2), "{said:#?}");
        assert!(said.stderr.contains(&format!("error: open the log: log {log} is damaged: ")), "{}", said.stderr);
    }
}
