//! Lost or damaged table files, and damaged logs: missing offsets are named, and the rest is answered.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::faults::{replay, table_files};
use crate::program::{Data, Said, fedilake, wait_until};

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

#[test]
fn a_quick_check_finds_lost_files_says_what_it_left_out_and_makes_no_lake() {
    let (data, files) = three_files();
    delete_lake(&data);
    let quick = |code: i32, what: &str| {
        let said = data.run(["check", "--quick"]);
        assert_eq!(said.code(), Some(code), "{said:#?}");
        assert!(said.stdout.contains("300 rows in 3 files") || code != 0, "{said:#?}");
        assert!(said.stdout.contains("not looked at: rows, checksums, the lake"), "{said:#?}");
        assert!(said.stdout.contains(what), "{what}: {said:#?}");
    };
    quick(0, "whole by names and footers");
    assert!(!data.path().join("lake.duckdb").exists());
    let owner = data.serve();
    quick(0, "whole by names and footers");
    owner.interrupt().done();
    let said = data.run(["check", "--quick", "--format", "json"]).done();
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&report["quick"], &report["rows"], report["posts"].is_null()), (&true.into(), &300.into(), true));

    // A changed row is for the whole check alone.
    let bytes = fs::read(&files[0]).unwrap();
    let mut changed = bytes.clone();
    changed[100] ^= 1;
    fs::write(&files[0], changed).unwrap();
    quick(0, "whole by names and footers");
    finds(&data, "damaged");
    fs::write(&files[0], &bytes[..bytes.len() - 3]).unwrap();
    quick(1, "damaged: offsets 0..100");
    fs::write(&files[0], bytes).unwrap();
    fs::remove_file(&files[1]).unwrap();
    quick(1, "missing: offsets 100..200");
    fs::remove_file(&files[2]).unwrap();
    // What the log no longer has.
    quick(1, "100..300");
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

/// The log forgets only records that a table has: without them, no verb takes the table for a new one.
#[test]
fn a_table_that_is_gone_is_named_and_not_begun_again() {
    for has_lake in [true, false] {
        for gone in ["table", "table/posts", "table/posts/log="] {
            let (data, files) = three_files();
            let what = format!("{gone}, {has_lake}");
            if !has_lake {
                delete_lake(&data);
            }
            let gone = if gone.ends_with('=') {
                files[0].ancestors().nth(2).unwrap().to_owned()
            } else {
                data.path().join(gone)
            };
            fs::remove_dir_all(gone).unwrap();
            finds(&data, "0..300");
            for said in [data.run(["sink"]), replay(&data, 300..310), data.run(["sink", "--once"])] {
                assert_eq!(said.code(), Some(2), "{what}: {said:#?}");
                assert!(said.stderr.contains("lacks offsets 0..300"), "{what}: {said:#?}");
                assert!(said.stderr.contains("--accept-gap 0:0..300"), "{what}: {said:#?}");
            }
            if !has_lake {
                for question in [&["report"][..], &["sql", "select 1"], &["serve", "--listen", "127.0.0.1:0"]] {
                    let said = data.run(question);
                    assert_eq!(said.code(), Some(2), "{what}: {said:#?}");
                    assert!(said.stderr.contains("hint: `fedilake check"), "{what}: {said:#?}");
                }
            }
            finds(&data, "0..300");

            data.run(["sink", "--accept-gap", "0:0..300"]).done();
            assert_eq!(data.number("select count(*) from posts"), if has_lake { 310 } else { 10 }, "{what}");
            if has_lake {
                delete_lake(&data);
            }
            let said = data.run(["check"]).done();
            assert!(said.stdout.contains("accepted gap: offsets 0..300"), "{what}: {said:#?}");
        }
    }
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
    let said = data.run(["report"]).done();
    assert!(said.stderr.contains("200..300"), "{}", said.stderr);
    answers(&data, 200);

    fs::write(&files[2], &whole).unwrap();
    delete_lake(&data);
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

/// Contents that a file of the table may have instead of its own, each with its name. `whole` is its own.
fn damages(data: &Data, whole: &[u8], another: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let of_other_columns = fedilake(["sql", "select 1 as one, 'two' as two", "--format", "parquet"])
        .arg("--data")
        .arg(data.path())
        .output()
        .unwrap();
    assert!(of_other_columns.stdout.ends_with(b"PAR1"));
    let mut pages = whole.to_vec();
    let footer: [u8; 4] = whole[whole.len() - 8..whole.len() - 4].try_into().unwrap();
    let footer_begins = whole.len() - 8 - u32::from_le_bytes(footer) as usize;
    pages[64..footer_begins / 3].fill(0xff);
    let noise = |byte: usize| (byte as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3];
    vec![
        ("a magic word alone", b"PAR1".to_vec()),
        ("two magic words", b"PAR1PAR1".to_vec()),
        ("a length of a footer beyond the file", b"PAR1\xff\xff\xff\x7fPAR1".to_vec()),
        ("nothing", Vec::new()),
        ("half a file", whole[..whole.len() / 2].to_vec()),
        ("a cut footer", whole[..whole.len() - 9].to_vec()),
        ("noise", (0..5_000).map(noise).collect()),
        ("text", b"404 Not Found\n".to_vec()),
        ("another table's columns", of_other_columns.stdout),
        ("another file of the table", another.to_vec()),
        ("overwritten pages and a whole footer", pages),
    ]
}

#[test]
fn a_file_that_cannot_be_read_is_a_range_that_every_answer_names_and_hinders_nobody() {
    let (data, files) = three_files();
    let whole: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    for at in [1, 0] {
        let (range, name) = (["0..100", "100..200"][at], files[at].file_name().unwrap().to_str().unwrap());
        for (damage, content) in damages(&data, &whole[at], &whole[2]) {
            let what = format!("{damage} in the place of {name}");
            fs::write(&files[at], &content).unwrap();
            delete_lake(&data);
            let said = data.run(["report", "statistics"]);
            assert_eq!(said.code(), Some(0), "{what}: {said:#?}");
            assert!(said.stderr.contains(name) && said.stderr.contains("is damaged: "), "{what}: {}", said.stderr);
            for question in [&["report", "statistics"][..], &["sql", "select count(*) from posts", "--format", "csv"]] {
                let said = data.run(question).done();
                assert!(said.stderr.contains(range), "{what}: {}", said.stderr);
            }
            assert_eq!(data.number("select count(*) from posts"), 200, "{what}");
            let said = finds(&data, name);
            assert!(said.stdout.contains("damaged: ") && !said.stderr.contains("panicked"), "{what}: {said:#?}");
        }
        for verb in [&["serve"][..], &["run", "--server", "http://127.0.0.1:9"]] {
            delete_lake(&data);
            let mut owner = data.start(verb.iter().chain(&["--listen", "127.0.0.1:0"]));
            let address = owner.address();
            wait_until("the rest", || data.number("select count(*) from posts") == 200);
            let said = data.run(["report", "statistics"]).done();
            assert!(said.stderr.contains(range), "{}", said.stderr);
            assert!(crate::beside::metrics(address).contains("fedilake_lake_missing_offsets 100"));
            finds(&data, name);
            owner.interrupt().done();
        }
        fs::write(&files[at], &whole[at]).unwrap();
    }
    // Posts that come afterwards are stored and shown.
    fs::write(&files[1], b"PAR1").unwrap();
    replay(&data, 300..400).done();
    assert_eq!(data.number("select count(*) from posts"), 400 - 100);
    fs::write(&files[1], &whole[1]).unwrap();
    delete_lake(&data);
    data.run(["check"]).done();
    assert_eq!(data.number("select count(*) from posts"), 400);
}

#[test]
fn files_of_other_chains_that_cannot_be_read_hinder_nobody() {
    let (data, files) = three_files();
    let whole: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let foreign = data.path().join("table/posts/log=another/partition=3/00000000000000000007.parquet");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    for (damage, content) in damages(&data, &whole[1], &whole[2]) {
        fs::write(&foreign, &content).unwrap();
        delete_lake(&data);
        let said = data.run(["report", "statistics"]);
        assert_eq!(said.code(), Some(0), "{damage}: {said:#?}");
        for part in
            ["7..8 of log=another/partition=3", "perhaps some after it", "00000000000000000007.parquet is damaged"]
        {
            assert!(said.stderr.contains(part), "{damage}: {part}: {}", said.stderr);
        }
        answers(&data, 300);
        finds(&data, "log=another");
    }
    replay(&data, 300..310).done();
    fs::remove_file(&foreign).unwrap();
    delete_lake(&data);
    answers(&data, 310);
}

/// The sink goes on where the newest file ends, so one that cannot be read stops it before it writes anything.
#[test]
fn a_newest_file_that_cannot_be_read_stops_the_sink_with_a_way_out_and_no_offset_is_stored_twice() {
    let (data, files) = three_files();
    let whole: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let name = files[2].file_name().unwrap().to_str().unwrap();
    let unreadable = damages(&data, &whole[2], &whole[1]);
    // A sink reads no pages: that footer is whole.
    for (damage, content) in unreadable.iter().filter(|(damage, _)| !damage.contains("whole footer")) {
        fs::write(&files[2], content).unwrap();
        let said = data.run(["sink", "--once"]);
        assert_eq!(said.code(), Some(2), "{damage}: {said:#?}");
        let told = [name, "is damaged: ", "hint: ", "move the file out of the table"];
        assert!(told.iter().all(|part| said.stderr.contains(part)), "{damage}: {}", said.stderr);
        assert_eq!(table_files(&data), files, "{damage}");
        answers(&data, 300);
        delete_lake(&data);
        let said = data.run(["report", "statistics"]).done();
        assert!(said.stderr.contains("200..300"), "{damage}: {}", said.stderr);
        answers(&data, 200);
        fs::write(&files[2], &whole[2]).unwrap();
        delete_lake(&data);
        answers(&data, 300);
    }
    let (_, pages) = unreadable.last().unwrap();
    fs::write(&files[2], pages).unwrap();
    delete_lake(&data);
    let said = data.run(["report", "statistics"]).done();
    assert!(said.stderr.contains("200..300"), "{}", said.stderr);
    answers(&data, 200);
    replay(&data, 300..310).done();
    answers(&data, 210);
    finds(&data, name);
    fs::write(&files[2], &whole[2]).unwrap();
    delete_lake(&data);
    answers(&data, 310);

    // The way out, as the hints say it: what is lost is named, and later posts are stored.
    let newest = table_files(&data).pop().unwrap();
    fs::write(&newest, b"PAR1").unwrap();
    assert_eq!(data.run(["sink", "--once"]).code(), Some(2));
    fs::rename(&newest, data.beside("damaged.parquet")).unwrap();
    let said = data.run(["sink", "--once"]);
    assert_eq!(said.code(), Some(2), "{said:#?}");
    assert!(said.stderr.contains("--accept-gap 0:300..310"), "{}", said.stderr);
    data.run(["sink", "--once", "--accept-gap", "0:300..310"]).done();
    replay(&data, 310..320).done();
    delete_lake(&data);
    answers(&data, 310);
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
    let whole = fs::read(&lake).unwrap();
    // DuckDB's file has three headers of 4 KiB, then blocks of 64 KiB. A check meets those that it needs: a lake whose layout cannot be
    // read is made anew, and one whose posts cannot be read is named.
    let (mut named, mut remade) = (0, 0);
    for block in (12_288..whole.len() - 5_064).step_by(65_536) {
        let mut bytes = whole.clone();
        bytes[block + 5_000..block + 5_064].fill(0xa5);
        fs::write(&lake, bytes).unwrap();
        let said = data.run(["check"]);
        if said.code() == Some(0) {
            assert!(said.stdout.contains("2,000 posts in the lake"), "{said:#?}");
            remade +=
                u32::from(said.stderr.contains("the lake is made anew from the table and the log: it cannot be read"));
            continue;
        }
        assert_eq!(said.code(), Some(2), "{said:#?}");
        assert!(said.stderr.contains("hint: delete lake.duckdb"), "{}", said.stderr);
        named += 1;
        delete_lake(&data);
        data.run(["check"]).done();
        assert_eq!(data.number("select count(*) from posts"), 2_000);
    }
    assert!(named > 0 && remade > 0, "{named} {remade}");
}

/// Puts something that is no file where nothing is.
fn put_no_file(path: &Path, what: &str) {
    let link = |to: &str| std::os::unix::fs::symlink(to, path).unwrap();
    match what {
        "link to nothing" => link("/nonexistent/x.parquet"),
        "link to itself" => link(path.file_name().unwrap().to_str().unwrap()),
        "link upwards" => link(".."),
        "folder" => fs::create_dir(path).unwrap(),
        "full folder" => {
            fs::create_dir(path).unwrap();
            fs::write(path.join("x.txt"), "x").unwrap();
        }
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        other => panic!("{other}"),
    }
}

#[test]
fn what_has_a_data_files_name_and_is_no_file_is_named_and_the_rest_is_answered() {
    let kinds = ["link to nothing", "link to itself", "link upwards", "folder", "full folder", "pipe"];
    for (at, range) in [(2, "200.. of "), (0, "0..100 of ")] {
        let (data, files) = three_files();
        let whole = fs::read(&files[at]).unwrap();
        fs::remove_file(&files[at]).unwrap();
        for what in kinds {
            put_no_file(&files[at], what);
            // With a lake that has the posts, and without.
            for _ in 0..2 {
                let said = finds(&data, files[at].file_name().unwrap().to_str().unwrap());
                assert!(said.stdout.contains("damaged: ") && said.stdout.contains(range), "{what}: {said:#?}");
                let _ = fs::remove_file(data.path().join("lake.duckdb"));
            }
            assert_eq!(data.number("select count(*) from posts"), 200, "{what}");
            match files[at].symlink_metadata().unwrap().is_dir() {
                true => fs::remove_dir_all(&files[at]).unwrap(),
                false => fs::remove_file(&files[at]).unwrap(),
            }
        }
        fs::write(&files[at], &whole).unwrap();
        delete_lake(&data);
        data.run(["check"]).done();
    }
}

#[test]
fn a_file_of_any_name_is_named_by_the_check_and_stops_no_answer() {
    let (data, files) = three_files();
    let folder = files[0].parent().unwrap();
    for (name, shown) in [
        ("a\u{1b}[31m.parquet", "a%1B"),
        ("bell\u{7}.parquet", "bell%07.parquet"),
        ("line\nend.parquet", "line%0Aend.parquet"),
        ("del\u{7f}.parquet", "del%7F.parquet"),
        ("00000000000000000000 (1).parquet", "00000000000000000000 (1).parquet"),
    ] {
        let path = folder.join(name);
        fs::write(&path, "no Parquet").unwrap();
        let said = finds(&data, "stray: ");
        assert!(said.stdout.contains(shown), "{name:?}: {said:#?}");
        delete_lake(&data);
        assert_eq!(data.number("select count(*) from posts"), 300, "{name:?}");
        let said = data.run(["sql", "--direct", "select count(*) from posts"]);
        assert!(said.code() == Some(2) && said.stderr.contains("names all of them"), "{name:?}: {said:#?}");
        fs::copy(&files[1], &path).unwrap();
        let said = data.run(["sql", "--direct", "select count(*) from posts", "--format", "csv"]).done();
        assert!(said.stdout.ends_with("\n300\n") && said.stderr.contains("stray: "), "{name:?}: {said:#?}");
        fs::remove_file(&path).unwrap();
    }
    data.run(["check"]).done();
}
