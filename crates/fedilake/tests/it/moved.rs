//! A data folder that is moved, deleted or replaced under a running process: it stops and says so, and makes no second one.

use std::fs;

use fedilake_sim::Config;

use crate::faults::replay;
use crate::live::Servers;
use crate::program::{Data, Running, fedilake, wait_until};

/// The change made to the folder.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Moved,
    Deleted,
    Replaced,
}

#[test]
fn a_process_whose_folder_is_gone_stops_says_so_and_makes_no_second_one() {
    let config = Config { servers: 1, rate: 300.0, ..Config::default() };
    for way in [Way::Moved, Way::Deleted, Way::Replaced] {
        for verb in [
            &["run", "--listen", "127.0.0.1:0"][..],
            &["collect", "--listen", "127.0.0.1:0"],
            &["serve", "--listen", "127.0.0.1:0"],
            &["sink", "--for", "60s", "--listen", "127.0.0.1:0"],
        ] {
            let what = format!("{verb:?} {way:?}");
            let servers = Servers::start(config.clone());
            let data = Data::new();
            replay(&data, 0..10).done();
            let mut command = fedilake(verb);
            if ["run", "collect"].contains(&verb[0]) {
                command.args(servers.flags());
            }
            // A file about every moment: some are on their way when the folder goes.
            command.arg("--data").arg(data.path()).env("FEDILAKE_SINK_BUFFER_BYTES_MAX", "20000");
            let mut running = Running::start(&mut command);
            // Everything is open then.
            running.address();
            if verb[0] == "run" {
                wait_until("posts", || data.number("select count(*) from posts") > 50);
            }
            let away = data.beside("away");
            match way {
                Way::Moved => fs::rename(data.path(), &away).unwrap(),
                // Others may still write there meanwhile.
                Way::Deleted => {
                    wait_until("an empty place", || fs::remove_dir_all(data.path()).is_ok() || !data.path().exists())
                }
                Way::Replaced => {
                    fs::rename(data.path(), &away).unwrap();
                    fs::create_dir(data.path()).unwrap();
                }
            }
            let said = running.end();
            assert_eq!(said.code(), Some(2), "{what}: {said:#?}");
            let is_told = said.stderr.contains("was moved, deleted or replaced under this process\nhint: ");
            assert!(is_told, "{what}: {}", said.stderr);
            match way {
                Way::Moved | Way::Deleted => assert!(!data.path().exists(), "{what}: a second folder"),
                Way::Replaced => {
                    let made: Vec<_> =
                        fs::read_dir(data.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
                    assert!(made.is_empty(), "{what}: {made:?}");
                }
            }
            if way == Way::Moved {
                let mut check = fedilake(["check", "--data", away.to_str().unwrap()]);
                let checked: crate::program::Said = check.output().unwrap().into();
                checked.done();
            }
            servers.stop();
        }
    }
}

#[test]
fn a_part_of_the_folder_that_is_gone_stops_a_process_and_is_named() {
    for part in ["table", "log", "lock"] {
        for is_deleted in [false, true] {
            for verb in ["run", "serve"] {
                let what = format!("{verb} {part} {is_deleted}");
                let servers = Servers::start(Config { servers: 1, rate: 50.0, ..Config::default() });
                let data = Data::new();
                replay(&data, 0..10).done();
                let running = match verb {
                    "run" => Running::answering(&mut servers.run(&data)),
                    _ => data.serve(),
                };
                let path = data.path().join(part);
                if !is_deleted {
                    fs::rename(&path, data.beside("away")).unwrap();
                } else if path.is_dir() {
                    // Others may still write there meanwhile.
                    wait_until("an empty place", || fs::remove_dir_all(&path).is_ok() || !path.exists());
                } else {
                    fs::remove_file(&path).unwrap();
                }
                let said = running.end();
                assert_eq!(said.code(), Some(2), "{what}: {said:#?}");
                let names = format!("/{part} was moved, deleted or replaced under this process\nhint: ");
                assert!(said.stderr.contains(&names), "{what}: {}", said.stderr);
                assert!(!path.exists(), "{what}: made again");
                if !is_deleted {
                    fs::rename(data.beside("away"), &path).unwrap();
                    data.run(["check"]).done();
                }
                servers.stop();
            }
        }
    }
}

#[test]
fn the_folder_of_temporary_files_is_made_again() {
    let servers = Servers::start(Config { servers: 1, rate: 50.0, ..Config::default() });
    let data = Data::new();
    let running = Running::answering(&mut servers.run(&data));
    wait_until("posts", || data.number("select count(*) from posts") > 5);
    fs::remove_dir_all(data.path().join("tmp")).unwrap();
    let before = data.number("select count(*) from posts");
    wait_until("later posts", || data.number("select count(*) from posts") > before + 20);
    running.interrupt().done();
    servers.stop();
}
