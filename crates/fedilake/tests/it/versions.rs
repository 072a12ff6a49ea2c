//! Data of earlier versions is opened; data of a newer version is refused for that reason, and is not changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::faults::{replay, table_files};
use crate::program::{Data, fedilake, run};

/// Data folders made by each version: `scripts/fixture-data`.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/data");

/// The versions that have a data folder.
fn versions() -> Vec<u32> {
    let entries = fs::read_dir(FIXTURES).unwrap().map(|entry| entry.unwrap().path());
    let mut versions: Vec<u32> = entries
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    versions.sort_unstable();
    versions
}

/// Gives `data` the table that the first version wrote.
pub fn old_table(data: &Data) {
    copy(Path::new(&format!("{FIXTURES}/1/table")), &data.path().join("table"));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let to = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
}

/// Every file of a folder with its bytes, except those that any start writes.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files(folder).into_iter().filter(|file| file.file_name().is_none_or(|name| name != "lock"));
    files.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

#[test]
fn there_is_a_data_folder_of_every_version_of_the_schema() {
    let records = fs::read_dir(format!("{FIXTURES}/../records")).unwrap().count() as u32;
    assert_eq!(versions(), (1..=records).collect::<Vec<_>>(), "scripts/fixture-data writes the newest");
}

#[test]
fn data_folders_of_every_version_are_opened_and_answer_as_they_did() {
    for version in versions() {
        let data = Data::new();
        copy(Path::new(&format!("{FIXTURES}/{version}")), &data.path());
        let question = format!("{FIXTURES}/{version}.sql");
        let answer = fs::read_to_string(format!("{FIXTURES}/{version}.csv")).unwrap();
        let said = data.run(["sql", &question, "--format", "csv"]).done();
        assert_eq!(said.stdout, answer, "version {version}");
        data.run(["check"]).done();
        // With records of this version added.
        replay(&data, 0..100).done();
        assert_eq!(data.number("select count(*) from posts"), answer.lines().count() as i64 - 1 + 100);
        data.run(["check"]).done();
        data.run(["report", "statistics"]).done();
    }
}

#[test]
fn tables_of_every_version_are_read_without_their_log() {
    for version in versions() {
        let data = Data::new();
        let fixture = format!("{FIXTURES}/{version}/table");
        copy(Path::new(&fixture), &data.path().join("table"));
        let direct = data.run(["sql", "--direct", "--format", "csv", "select count(*) from posts"]).done().stdout;
        let posts: i64 = direct.lines().last().unwrap().parse().unwrap();
        assert!(posts > 30, "version {version}: {direct}");
        assert_eq!(data.number("select count(*) from posts"), posts, "version {version}");
        data.run(["check"]).done();
    }
}

/// Changes the format in a data file's footer to a newer number.
fn make_newer(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let key = b"fedilake.format";
    let at = bytes.windows(key.len()).rposition(|window| window == key).unwrap() + key.len();
    let value = bytes[at..].iter().position(|byte| *byte == b'1').unwrap() + at;
    bytes[value] = b'2';
    fs::write(file, bytes).unwrap();
}

#[test]
fn what_a_newer_fedilake_made_is_refused_never_called_damaged_and_stays_as_it_is() {
    type Change = fn(&Data);
    // A sink reads only the end of the table.
    let cases: [(&str, Change); 5] = [
        ("the log's layout", |data| fs::write(data.path().join("log/version"), "2\n").unwrap()),
        ("the log's store", |data| fs::write(data.path().join("log/store/version"), b"FJL\x04").unwrap()),
        ("the newest file", |data| make_newer(&table_files(data)[1])),
        ("every file", |data| table_files(data).iter().for_each(|file| make_newer(file))),
        ("an old file, and the lake is gone", |data| {
            make_newer(&table_files(data)[0]);
            fs::remove_file(data.path().join("lake.duckdb")).unwrap();
        }),
    ];
    for (case, change) in cases {
        let data = Data::new();
        for start in [0, 100] {
            replay(&data, start..start + 100).done();
        }
        change(&data);
        let (log, table) = (data.path().join("log"), data.path().join("table"));
        let before = (case.starts_with("the log").then(|| content(&log)), content(&table));
        let sink = (case != "an old file, and the lake is gone").then(|| vec!["sink", "--once"]);
        for verb in [vec!["report"], vec!["check"], vec!["sql", "select 1"]].into_iter().chain(sink) {
            let said = data.run(verb.clone());
            assert_eq!(said.code(), Some(2), "{case}, {verb:?}: {said:#?}");
            assert!(said.stderr.contains("made by a newer fedilake"), "{case}, {verb:?}: {said:#?}");
            assert!(said.stderr.contains("hint: use that version"), "{case}, {verb:?}: {said:#?}");
            for wrong in ["damaged", "move", "restore"] {
                assert!(!said.stderr.contains(wrong), "{case}, {verb:?}: {said:#?}");
            }
        }
        let after = (case.starts_with("the log").then(|| content(&log)), content(&table));
        assert!(before == after, "{case}");
    }
}

/// The same command with a umask of 0.
#[cfg(unix)]
fn open_to_all(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[cfg(unix)]
#[test]
fn data_is_readable_by_its_user_alone_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = Data::new();
    let file = data.beside("talk.jsonl");
    run(["simulate", "--posts", "50", "--out", file.to_str().unwrap()]).done();
    // A folder that fedilake makes, and an existing one that everybody may enter.
    let (made, there) = (data.beside("made/by/fedilake"), data.beside("there"));
    fs::create_dir(&there).unwrap();
    fs::set_permissions(&there, fs::Permissions::from_mode(0o755)).unwrap();
    for folder in [&made, &there] {
        let replay = fedilake(["replay", file.to_str().unwrap(), "--data", folder.to_str().unwrap()]);
        let said = open_to_all(&replay).output().unwrap();
        assert!(said.status.success(), "{said:#?}");
        let report = fedilake(["report", "statistics", "--data", folder.to_str().unwrap()]);
        assert!(open_to_all(&report).output().unwrap().status.success());
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.retain(|entry| mode(entry) & 0o077 != 0);
        assert_eq!(entries, [] as [PathBuf; 0], "open to others");
    }
    assert_eq!((mode(&made), mode(&there)), (0o700, 0o755));
}
