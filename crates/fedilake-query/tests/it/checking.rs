//! A check's findings, and that there are none if all is well.

use std::fs;

use fedilake_query::check::{self, AtOnce, Finding};
use fedilake_query::views::Deletes;
use fedilake_query::{Cancel, Chunk, Lake, LakeError};

use crate::support::{Bench, Event};

fn post(n: i64) -> Event {
    Event::created("alpha.test", n, "ann@one.test", n)
}

/// A lake that has taken three files of ten posts, an edit and a delete.
fn bench() -> Bench {
    let mut bench = Bench::new();
    for file in 0..3 {
        bench.take(&(file * 10..file * 10 + 10).map(post).collect::<Vec<_>>());
    }
    let edit = Event { kind: "edited", edited: Some(60), observed: 61, text: "new".to_owned(), ..post(7) };
    bench.take(&[edit, Event::deleted("alpha.test", 3, 62)]);
    bench
}

fn rows(lake: &Lake, chunks: &[Chunk]) -> Vec<Finding> {
    check::rows(lake, &lake.snapshot().unwrap(), chunks, &mut |_| Ok(()), &Cancel::default(), &mut |_| {}).unwrap()
}

/// The same, in parts as small as these.
fn rows_in_parts(lake: &Lake, chunks: &[Chunk], staged_rows: u64, chosen_rows: u64) -> Vec<Finding> {
    let at_once = AtOnce { staged_rows, chosen_rows, window_rows: chosen_rows };
    check::rows_within(
        lake,
        &lake.snapshot().unwrap(),
        chunks,
        at_once,
        &mut |_| Ok(()),
        &Cancel::default(),
        &mut |_| {},
    )
    .unwrap()
}

/// From all at once to a few rows after the other.
const PARTS: [(u64, u64); 3] = [(1_000_000, 1_000_000), (1_000_000, 30), (60, 20)];

#[test]
fn a_lake_and_its_table_have_no_findings() {
    let bench = bench();
    assert_eq!(rows(&bench.lake, &bench.chunks), []);
    assert_eq!(rows(&Bench::new().lake, &[]), []);
}

#[test]
fn offsets_that_come_twice_are_named() {
    let mut bench = bench();
    let copy = bench.path().join("table/posts/log=log-a/partition=0/copy.parquet");
    fs::copy(&bench.chunks[1].parquet, &copy).unwrap();
    bench.chunks[2].parquet = copy;
    let findings = rows(&bench.lake, &bench.chunks);
    let twice = Finding::Twice { log: "log-a".to_owned(), partition: 0, first: 10, last: 19 };
    assert!(findings.contains(&twice), "{findings:?}");
    assert!(
        findings.iter().any(|finding| matches!(finding, Finding::Outside { first: 10, last: 19, rows: 10, .. })),
        "{findings:?}"
    );
    assert!(
        findings.iter().any(|finding| matches!(finding, Finding::Differs { view: "posts", surplus: 10, .. })),
        "{findings:?}"
    );
}

#[test]
fn an_offset_that_comes_twice_in_one_file_is_named_whatever_offsets_the_file_answers_for() {
    for wide in [0, 1 << 40] {
        let mut bench = bench();
        let doubled = &bench.chunks[0].parquet;
        let connection = duckdb::Connection::open_in_memory().unwrap();
        let (path, copy) = (doubled.display(), doubled.with_extension("copy"));
        let rows = format!(
            "select * replace (case when log_offset = 4 then 3 else log_offset end as log_offset) from '{path}'"
        );
        connection.execute_batch(&format!("copy ({rows}) to '{}' (format parquet)", copy.display())).unwrap();
        fs::rename(&copy, doubled).unwrap();
        // Nobody has so many offsets, but a log may have as many holes.
        bench.chunks[0].first -= wide;
        let findings = rows_in_parts(&bench.lake, &bench.chunks, u64::MAX, u64::MAX);
        let twice = Finding::Twice { log: "log-a".to_owned(), partition: 0, first: 3, last: 3 };
        assert!(findings.contains(&twice), "{findings:?}");
        assert!(!findings.iter().any(|finding| matches!(finding, Finding::Outside { .. })), "{findings:?}");
    }
}

#[test]
fn a_lake_that_stands_elsewhere_is_named() {
    let mut bench = bench();
    let tail = bench.write("log-a", 0, &[post(90)]);
    let other = bench.write("log-b", 1, &[post(91)]);
    let behind = |chunk: &Chunk, lake| Finding::Behind {
        log: chunk.log.clone(),
        partition: chunk.partition,
        lake,
        files: chunk.next,
    };
    assert_eq!(rows(&bench.lake, &bench.chunks), [behind(&tail, Some(32)), behind(&other, None)]);
    let ahead = Finding::Ahead { log: "log-a".to_owned(), partition: 0, lake: 32, files: Some(20) };
    assert_eq!(rows(&bench.lake, &bench.chunks[..2]), [ahead]);
}

#[test]
fn rows_that_only_one_side_has_are_named() {
    let mut bench = bench();
    let Some(last) = bench.chunks.pop() else { panic!("files were written") };
    fs::remove_file(&last.parquet).unwrap();
    bench.write("log-a", 0, &[post(50), post(51)]);
    let findings = rows(&bench.lake, &bench.chunks);
    match &findings[..] {
        // 50, 51 and the deleted 3 are missing, and 7 has another version.
        [
            Finding::Differs { view: "posts", missing: 4, surplus: 1, uris },
            Finding::Differs { view: "sightings", missing: 3, surplus: 0, .. },
        ] => {
            assert!(uris.contains(&"https://one.test/users/ann/statuses/7".to_owned()), "{uris:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_are_read_only_while_they_are_brought() {
    let bench = bench();
    let away = |chunk: &Chunk| chunk.parquet.with_extension("away");
    bench.chunks.iter().for_each(|chunk| fs::rename(&chunk.parquet, away(chunk)).unwrap());
    let at_once = AtOnce { staged_rows: 20, chosen_rows: 20, window_rows: 1 };
    let check = |chunks: &[Chunk], brought: &mut Vec<usize>| {
        let snapshot = bench.lake.snapshot().unwrap();
        let mut bring = |window: std::ops::Range<usize>| {
            for (at, chunk) in chunks.iter().enumerate() {
                let (from, to) = if window.contains(&at) {
                    (away(chunk), chunk.parquet.clone())
                } else {
                    (chunk.parquet.clone(), away(chunk))
                };
                if from.exists() {
                    fs::rename(from, to).unwrap();
                }
            }
            brought.extend(window);
            Ok(())
        };
        check::rows_within(&bench.lake, &snapshot, chunks, at_once, &mut bring, &Cancel::default(), &mut |_| {})
            .unwrap()
    };
    let mut brought = Vec::new();
    assert_eq!(check(&bench.chunks, &mut brought), []);
    assert!(brought.len() > bench.chunks.len(), "{brought:?}");
}

#[test]
fn a_damaged_file_is_named() {
    let bench = bench();
    let path = &bench.chunks[1].parquet;
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 30]).unwrap();
    match &rows(&bench.lake, &bench.chunks)[..] {
        [Finding::Damaged { path: named, .. }] => assert_eq!(named, path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_check_sees_the_lake_as_it_was_while_takes_go_on() {
    let mut bench = bench();
    let before = bench.chunks.clone();
    let snapshot = bench.lake.snapshot().unwrap();
    let posts = snapshot.posts().unwrap();
    bench.take(&[post(70), Event::deleted("alpha.test", 5, 80)]);
    assert_eq!(
        check::rows(&bench.lake, &snapshot, &before, &mut |_| Ok(()), &Cancel::default(), &mut |_| {}).unwrap(),
        []
    );
    assert_eq!(snapshot.posts().unwrap(), posts);
    assert_eq!(rows(&bench.lake, &bench.chunks), []);
    let ahead = Finding::Ahead { log: "log-a".to_owned(), partition: 0, lake: 34, files: Some(32) };
    assert_eq!(rows(&bench.lake, &before), [ahead]);
}

#[test]
fn a_check_that_nobody_wants_any_more_ends_and_says_so() {
    let bench = bench();
    let cancel = Cancel::default();
    cancel.cancel();
    let checked =
        check::rows(&bench.lake, &bench.lake.snapshot().unwrap(), &bench.chunks, &mut |_| Ok(()), &cancel, &mut |_| {});
    assert!(matches!(checked, Err(LakeError::Interrupted)), "{checked:?}");
    assert_eq!(rows(&bench.lake, &bench.chunks), []);
}

/// Posts of people who are spelled in several ways, on several servers, edited, deleted and shown again.
fn spelled(deletes: Deletes) -> Bench {
    let mut bench = Bench::with(deletes);
    let spellings = ["ann@one.test", "Ann@one.test", "ANN@one.test", "aNN@one.test"];
    for file in 0..6 {
        let mut events = Vec::new();
        for n in file * 20..file * 20 + 20 {
            let by = spellings[usize::try_from(n).unwrap() * 7 % 4];
            let post = Event::created(["alpha.test", "beta.test"][usize::try_from(n).unwrap() % 2], n, by, n);
            if n % 5 == 0 {
                events.push(post.clone().by_own_server());
            }
            if n % 3 == 0 {
                events.push(Event { server: "gamma.test".to_owned(), observed: n + 9, ..post.clone() });
            }
            if n % 11 == 0 {
                events.push(Event { kind: "edited", edited: Some(n + 20), observed: n + 21, ..post.clone() });
            }
            if n % 4 == 1 {
                events.push(Event::deleted("gamma.test", n - 1, n + 30));
            }
            events.push(post);
        }
        bench.take(&events);
    }
    bench
}

#[test]
fn a_person_of_several_spellings_is_one_in_every_part() {
    for deletes in [Deletes::Origin, Deletes::Any, Deletes::All] {
        let bench = spelled(deletes);
        for (staged, chosen) in PARTS {
            assert_eq!(rows_in_parts(&bench.lake, &bench.chunks, staged, chosen), [], "{deletes} {staged} {chosen}");
        }
    }
}

#[test]
fn the_same_is_found_in_however_many_parts() {
    let mut bench = spelled(Deletes::Origin);
    // The lake has the last file's posts, the table others.
    let Some(last) = bench.chunks.pop() else { panic!("files were written") };
    fs::remove_file(&last.parquet).unwrap();
    let others: Vec<Event> =
        (last.first..last.next).map(|n| Event::created("alpha.test", n + 5_000, "AnN@one.test", n)).collect();
    bench.write("log-a", 0, &others);
    let counts = |findings: Vec<Finding>| -> Vec<(&str, u64, u64)> {
        let count = |finding: &Finding| match finding {
            Finding::Differs { view, missing, surplus, uris } if !uris.is_empty() => (*view, *missing, *surplus),
            other => panic!("{other}"),
        };
        findings.iter().map(count).collect()
    };
    let found = counts(rows(&bench.lake, &bench.chunks));
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].1, others.len() as u64);
    for (staged, chosen) in PARTS {
        assert_eq!(counts(rows_in_parts(&bench.lake, &bench.chunks, staged, chosen)), found, "{staged} {chosen}");
    }
}

#[test]
fn a_difference_in_any_column_is_found() {
    let post = || Event { lists: Some(vec![Some("a".to_owned())]), app: Some("Tusky".to_owned()), ..post(1) };
    let others: Vec<(&str, Event)> = vec![
        ("url", Event { url: Some("https://one.test/other".to_owned()), ..post() }),
        ("no url", Event { url: None, ..post() }),
        ("created_at", Event { created: Some(0), ..post() }),
        ("edited_at", Event { edited: Some(1), ..post() }),
        ("observed_at", Event { observed: 4, ..post() }),
        ("author", Event { author: "Ann@one.test".to_owned(), ..post() }),
        ("author_bot", Event { bot: Some(true), ..post() }),
        ("language", Event { language: Some("de".to_owned()), ..post() }),
        ("no language", Event { language: None, ..post() }),
        ("text", Event { text: "post 2".to_owned(), ..post() }),
        ("lists", Event { lists: Some(vec![Some("a".to_owned()), None]), ..post() }),
        ("no lists", Event { lists: None, ..post() }),
        ("app", Event { app: Some("Ivory".to_owned()), ..post() }),
        ("favourites", Event { favourites: 1, ..post() }),
        ("from_origin", Event { own: Some(true), ..post() }),
        ("in_reply_to", Event { reply: (Some("other"), None, None), ..post() }),
        ("in_reply_to_id", Event { reply: (None, Some("7".to_owned()), None), ..post() }),
        ("in_reply_to_author", Event { reply: (None, None, Some("bob@two.test".to_owned())), ..post() }),
        ("server", Event { server: "beta.test".to_owned(), ..post() }),
        ("id", Event { id: "7".to_owned(), ..post() }),
        ("uri", Event { uri: Some("https://one.test/7".to_owned()), ..post() }),
    ];
    let mut bench = Bench::new();
    bench.take(&[post()]);
    assert_eq!(rows(&bench.lake, &bench.chunks), []);
    for (column, other) in others {
        let Some(chunk) = bench.chunks.pop() else { panic!("a file was written") };
        fs::remove_file(&chunk.parquet).unwrap();
        bench.write("log-a", 0, &[other]);
        match &rows(&bench.lake, &bench.chunks)[..] {
            [Finding::Differs { view: "posts", missing: 1, surplus: 1, .. }, ..] => {}
            other => panic!("{column}: {other:?}"),
        }
    }
}

#[test]
fn progress_goes_up_to_the_end() {
    let bench = spelled(Deletes::Origin);
    for (staged_rows, chosen_rows) in PARTS {
        let mut told = Vec::new();
        let at_once = AtOnce { staged_rows, chosen_rows, window_rows: chosen_rows };
        let (snapshot, cancel) = (bench.lake.snapshot().unwrap(), Cancel::default());
        check::rows_within(&bench.lake, &snapshot, &bench.chunks, at_once, &mut |_| Ok(()), &cancel, &mut |share| {
            told.push(share)
        })
        .unwrap();
        assert!(told.is_sorted() && told.len() > 3, "{told:?}");
        assert!(told.last().is_some_and(|last| (last - 1.0).abs() < 1e-6), "{told:?}");
    }
}
