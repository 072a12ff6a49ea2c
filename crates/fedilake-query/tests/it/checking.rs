//! A check's findings, and that there are none if all is well.

use std::fs;

use fedilake_query::check::{self, Finding};
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
    check::rows(lake, &lake.snapshot().unwrap(), chunks, &Cancel::default()).unwrap()
}

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
    assert_eq!(check::rows(&bench.lake, &snapshot, &before, &Cancel::default()).unwrap(), []);
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
    let checked = check::rows(&bench.lake, &bench.lake.snapshot().unwrap(), &bench.chunks, &cancel);
    assert!(matches!(checked, Err(LakeError::Interrupted)), "{checked:?}");
    assert_eq!(rows(&bench.lake, &bench.chunks), []);
}
