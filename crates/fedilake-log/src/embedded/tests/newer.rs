//! A log of a newer fedilake is refused with that reason, is never called damaged, and stays unchanged, byte for
//! byte.

use std::fs;
use std::path::PathBuf;

use tempfile::tempdir;

use super::super::block::{BlockBuilder, BlockKey};
use super::super::layout::{BOOKMARKS, BOOKMARKS_KEY, LAYOUT_KEY, bookmark_key};
use super::super::store::Store;
use super::*;
use crate::Bookmarks;

/// Every file of a folder with its bytes.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(content(&path)) } else { files.push((path.clone(), fs::read(&path).unwrap())) }
    }
    files.sort();
    files
}

#[tokio::test]
async fn a_newer_log_is_refused_and_nothing_of_it_is_touched() {
    let cases: [(&str, &[u8]); 5] = [
        ("version", b"2\n"),
        ("version", b"17"),
        ("store/version", b"FJL\x04"),
        ("store/version", b"FJL\xff"),
        ("store/version", b"FJL\x04 and more"),
    ];
    for (file, bytes) in cases {
        let folder = tempdir().unwrap();
        let log = open(folder.path()).unwrap();
        append(&log, [record(0, 100)]).await;
        drop(log);
        let path = folder.path().join(file);
        let ours = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let before = content(folder.path());
        for _ in 0..2 {
            let said = open(folder.path()).map(drop).unwrap_err();
            assert!(matches!(&said, LogError::Newer { at, .. } if at == path.to_str().unwrap()), "{file}: {said}");
            assert!(said.to_string().contains("made by a newer fedilake"), "{said}");
        }
        assert!(content(folder.path()) == before, "{file}");
        fs::write(&path, ours).unwrap();
        assert_eq!(read(&open(folder.path()).unwrap(), Offset(0)).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_newer_layout_bookmark_or_block_within_the_store_is_refused() {
    type Change = fn(&Store);
    let cases: [(&str, Change); 4] = [
        ("layout", |store| {
            let mut batch = store.batch();
            batch.put_state(LAYOUT_KEY, b"2");
            batch.commit().unwrap();
        }),
        ("bookmarks", |store| {
            let mut batch = store.batch();
            batch.put_state(BOOKMARKS_KEY, b"2");
            batch.commit().unwrap();
        }),
        ("bookmarks of far later", |store| {
            let mut batch = store.batch();
            batch.put_state(BOOKMARKS_KEY, b"4711");
            batch.commit().unwrap();
        }),
        ("block", |store| {
            let mut block = BlockBuilder::new(0);
            block.push(&Key(Bytes::new()), b"value");
            let mut bytes = block.finish();
            bytes[8] = 1;
            let mut batch = store.batch();
            batch.put_block(BlockKey { first: Offset(0), number: 0 }, bytes);
            batch.commit().unwrap();
        }),
    ];
    for (case, change) in cases {
        let folder = tempdir().unwrap();
        drop(open(folder.path()).unwrap());
        change(&Store::open(folder.path(), SMALL).unwrap());
        let said = open(folder.path()).map(drop).unwrap_err();
        assert!(matches!(said, LogError::Newer { .. }), "{case}: {said}");
    }
}

/// The first released version left logs without a version.
#[tokio::test]
async fn a_log_without_a_version_is_opened_and_gets_one() {
    let folder = tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    append(&log, [record(0, 100)]).await;
    drop(log);
    fs::remove_file(folder.path().join("version")).unwrap();
    assert_eq!(read(&open(folder.path()).unwrap(), Offset(0)).await.unwrap().len(), 1);
    assert_eq!(fs::read(folder.path().join("version")).unwrap(), b"1\n");
}

/// As earlier versions left it.
#[tokio::test]
async fn bookmarks_without_a_version_are_read_and_the_next_one_gives_it() {
    let folder = tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let store = Store::open(folder.path(), SMALL).unwrap();
    assert_eq!(store.state(BOOKMARKS_KEY).unwrap(), None);
    let mut batch = store.batch();
    batch.put_state(&bookmark_key("timeline/a.example/public"), b"17");
    batch.commit().unwrap();
    drop(store);
    let log = open(folder.path()).unwrap();
    assert_eq!(log.load("timeline/a.example/public").await.unwrap().as_deref(), Some("17"));
    log.save("timeline/a.example/public", "18").await.unwrap();
    drop(log);
    let store = Store::open(folder.path(), SMALL).unwrap();
    assert_eq!(store.state(BOOKMARKS_KEY).unwrap().as_deref(), Some(BOOKMARKS));
    drop(store);
    let log = open(folder.path()).unwrap();
    assert_eq!(log.load("timeline/a.example/public").await.unwrap().as_deref(), Some("18"));
}
