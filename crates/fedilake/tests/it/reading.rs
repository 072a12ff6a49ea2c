//! Verbs that read: they write nothing into a folder that is not a data folder, and their hints can be copied.

use std::fs;
use std::path::Path;

use crate::faults::replay;
use crate::program::{Data, run};

const READING: [&[&str]; 6] = [
    &["report"],
    &["report", "statistics", "--format", "json"],
    &["sql", "select 1"],
    &["check"],
    &["check", "--format", "json"],
    &["servers", "list"],
];

fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.collect()
}

#[test]
fn a_folder_that_is_no_data_folder_is_refused_and_stays_as_it_is() {
    let data = Data::new();
    let folder = |name: &str, entries: &[&str]| {
        let folder = data.beside(name);
        fs::create_dir(&folder).unwrap();
        entries.iter().for_each(|entry| match entry.strip_suffix('/') {
            Some(inner) => fs::create_dir_all(folder.join(inner)).unwrap(),
            None => fs::write(folder.join(entry), "mine").unwrap(),
        });
        folder
    };
    let file = data.beside("a file");
    fs::write(&file, "mine").unwrap();
    let folders = [
        folder("empty", &[]),
        folder("home", &["notes.txt", "Pictures/"]),
        // Names that a data folder also has.
        folder("names", &["log/", "table/", "tmp/", "lock"]),
        data.beside("missing"),
        file,
    ];
    for folder in folders {
        let before = folder.is_dir().then(|| names_in(&folder));
        for verb in READING {
            let said = run(verb.iter().copied().chain(["--data", folder.to_str().unwrap()]));
            assert_eq!(said.code(), Some(2), "{verb:?} {}: {said:#?}", folder.display());
            assert!(said.stdout.is_empty() && said.stderr.contains("hint: "), "{said:#?}");
            let names_it = said.stderr.contains(&folder.display().to_string()) || verb[0] == "servers";
            assert!(names_it, "{verb:?}: {}", said.stderr);
        }
        assert_eq!(folder.is_dir().then(|| names_in(&folder)), before, "{}", folder.display());
    }
}

#[test]
fn each_part_alone_makes_a_data_folder() {
    for kept in ["log", "table", "lake.duckdb"] {
        let data = Data::new();
        replay(&data, 0..20).done();
        for part in names_in(&data.path()) {
            let path = data.path().join(&part);
            if part != kept {
                if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
            }
        }
        data.run(["report", "statistics"]).done();
    }
}

#[test]
fn a_hint_repeats_the_flags_that_were_typed() {
    let data = Data::new();
    replay(&data, 0..20).done();
    let config = data.beside("it's mine.toml");
    fs::write(&config, "").unwrap();
    let (folder, config) = (data.path(), config.to_str().unwrap());
    let said = data.run(["report", "daily", "--language", "no such language", "--config", config]);
    let said = said.stderr;
    let quoted = config.replace('\'', r"'\''");
    let flags = format!("--data {} --config '{quoted}'`", folder.display());
    assert!(said.contains("hint: ") && said.contains(&flags), "{said}");
}
