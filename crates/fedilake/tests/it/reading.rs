//! Verbs that read: they write nothing into a folder that is not a data folder, and their hints can be copied.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::faults::replay;
use crate::program::{Data, Said, fedilake, run};

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
    let no_lake = folder("no lake", &[]);
    fs::write(no_lake.join("lake.duckdb"), "").unwrap();
    let no_table = folder("no table", &[]);
    std::os::unix::fs::symlink("nowhere", no_table.join("table")).unwrap();
    let folders = [
        folder("empty", &[]),
        folder("home", &["notes.txt", "Pictures/"]),
        // Names that a data folder also has.
        folder("names", &["log/", "table/", "tmp/", "lock"]),
        folder("empty parts", &["log/store/", "table/posts/", "lake.duckdb"]),
        folder("empty table", &["table/posts/"]),
        folder("empty log", &["log/store/"]),
        folder("text", &["lake.duckdb"]),
        no_lake,
        no_table,
        data.beside("missing"),
        file,
    ];
    for folder in folders {
        let before = folder.is_dir().then(|| names_in(&folder));
        for verb in READING {
            let said = run(verb.iter().copied().chain(["--data", folder.to_str().unwrap()]));
            assert_eq!(said.code(), Some(2), "{verb:?} {}: {said:#?}", folder.display());
            assert!(said.stdout.is_empty() && said.stderr.contains("hint: "), "{said:#?}");
            assert!(said.stderr.contains(&folder.display().to_string()), "{verb:?}: {}", said.stderr);
        }
        // The table of servers also has those of the settings, so it is refused only where something else lies.
        let said = run(["servers", "--data", folder.to_str().unwrap()]);
        let is_new = !folder.exists() || before.as_ref().is_some_and(Vec::is_empty);
        assert_eq!(said.code(), Some(if is_new { 0 } else { 2 }), "{}: {said:#?}", folder.display());
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
        let said = data.run(["report", "statistics"]);
        if kept == "log" {
            // The log has let go of the records that the table had.
            assert!(said.code() == Some(2) && said.stderr.contains("the table does not reach it"), "{said:#?}");
        } else {
            said.done();
        }
    }
}

/// A user who owns nothing.
const OTHER: u32 = 65_534;

/// Gives a folder and all in it to [`OTHER`].
fn give_away(path: &Path) {
    std::os::unix::fs::chown(path, Some(OTHER), Some(OTHER)).unwrap();
    if path.is_dir() {
        names_in(path).iter().for_each(|name| give_away(&path.join(name)));
    }
}

#[test]
fn a_folder_or_a_part_of_it_that_one_may_not_read_is_told_from_one_that_is_not_there() {
    let is_root = rustix::process::geteuid().is_root();
    let as_other = |arguments: &[&str]| {
        let mut command = fedilake(arguments);
        if is_root {
            command.uid(OTHER).gid(OTHER);
        }
        command
    };
    if let Err(error) = as_other(&["--version"]).output() {
        fedilake_services::skipped(
            "a_folder_or_a_part_of_it_that_one_may_not_read_is_told_from_one_that_is_not_there",
            &format!("no other user may run the program: {error}"),
        );
        return;
    }
    for part in ["", "table", "table/posts", "chain", "partition", "file"] {
        let data = Data::new();
        fs::set_permissions(data.path().parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        replay(&data, 0..20).done();
        let below = |path: std::path::PathBuf| path.join(&names_in(&path)[0]);
        let path = match part {
            "chain" => below(data.path().join("table/posts")),
            "partition" => below(below(data.path().join("table/posts"))),
            "file" => {
                let partition = below(below(data.path().join("table/posts")));
                let file = names_in(&partition).into_iter().find(|name| name.ends_with(".parquet")).unwrap();
                partition.join(file)
            }
            part => data.path().join(part),
        };
        if is_root {
            give_away(&data.path());
            std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(if is_root { 0o700 } else { 0 })).unwrap();
        let direct = ["sql", "--direct", "select count(*) from posts"];
        let verbs: [&[&str]; 5] = [&["report"], &["sql", "select 1"], &["check"], &direct, &["views"]];
        for verb in verbs {
            // The printed views name no single file, and the lake has read the table's only file.
            if part == "file" && verb != direct {
                continue;
            }
            let said: Said = as_other(verb).arg("--data").arg(data.path()).output().unwrap().into();
            assert!(said.code() == Some(2) && said.stdout.is_empty(), "{part} {verb:?}: {said:#?}");
            let told = said.stderr.to_lowercase();
            assert!(told.contains("permission denied") && told.contains("its user"), "{part} {verb:?}: {said:#?}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
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
