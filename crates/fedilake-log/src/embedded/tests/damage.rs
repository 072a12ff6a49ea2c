//! A damaged log opens whole or reports the damage: it never hands out fewer, more or other records than were appended.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use tempfile::{TempDir, tempdir};

use super::super::block::{BlockBuilder, BlockKey};
use super::super::recovery::recover;
use super::super::store::Store;
use super::*;
use crate::{Bounds, Log};

const RECORDS: u64 = 1_200;

/// A closed log with tables and a journal, of which some records were released.
async fn closed_log() -> TempDir {
    let folder = tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    for first in (0..RECORDS).step_by(20) {
        append(&log, (first..first + 20).map(example)).await;
        if first == RECORDS / 2 {
            release(&log, start()).await;
        }
    }
    drop(log);
    // Opening cuts off the part of the journal that was allocated ahead.
    drop(open(folder.path()).unwrap());
    folder
}

fn start() -> Offset {
    Offset(RECORDS / 8 + 3)
}

fn example(nth: u64) -> (Key, Bytes) {
    record(nth, 100 + nth as usize % 700)
}

/// Copies `log`, does `damage` to the copy, opens it, and asserts that the copy is whole or reports the damage.
/// Returns the report.
async fn whole_or_damaged(log: &Path, what: &str, damage: impl FnOnce(&Path)) -> Option<LogError> {
    let copy = tempdir().unwrap();
    copy_folder(log, copy.path());
    damage(copy.path());
    match open_and_read(copy.path()).await {
        Ok(()) => None,
        Err(error) => {
            // A changed version number looks the same as one that a newer program wrote.
            let at = match &error {
                LogError::Damaged { at, .. } => at,
                LogError::Newer { at, .. } if at.ends_with("/version") => at,
                _ => panic!("{what}: {error}"),
            };
            assert!(at.starts_with(copy.path().to_str().unwrap()), "{what}: names something else: {error}");
            Some(error)
        }
    }
}

async fn open_and_read(folder: &Path) -> Result<(), LogError> {
    let log = open(folder)?;
    assert_eq!(log.bounds(), Bounds { start: start(), end: Offset(RECORDS) });
    let records = read(&log, start()).await?;
    let expected = (start().0..RECORDS).map(|nth| (Offset(nth), example(nth)));
    assert!(records.into_iter().map(|record| (record.offset, (record.key, record.value))).eq(expected));
    Ok(())
}

#[tokio::test]
async fn flipped_bits_are_noticed_or_do_not_matter() {
    let log = closed_log().await;
    const FLIPS: u64 = 48;
    let mut noticed = 0;
    for nth in 0..FLIPS {
        let (file, position) = place(log.path(), nth);
        let what = format!("bit {} of byte {position} of {}", nth % 8, file.display());
        let said = whole_or_damaged(log.path(), &what, |copy| {
            let mut file = OpenOptions::new().read(true).write(true).open(copy.join(&file)).unwrap();
            let mut byte = [0];
            file.seek(SeekFrom::Start(position)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(position)).unwrap();
            file.write_all(&[byte[0] ^ 1 << (nth % 8)]).unwrap();
        });
        noticed += u64::from(said.await.is_some());
    }
    assert!(noticed > FLIPS / 2, "only {noticed} of {FLIPS} were noticed");
}

#[tokio::test]
async fn files_cut_short_are_noticed_or_do_not_matter() {
    let log = closed_log().await;
    for nth in 0..16 {
        let (file, position) = place(log.path(), nth);
        let what = format!("{} cut to {position} bytes", file.display());
        whole_or_damaged(log.path(), &what, |copy| {
            OpenOptions::new().write(true).open(copy.join(&file)).unwrap().set_len(position).unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn missing_files_are_noticed_or_do_not_matter() {
    let log = closed_log().await;
    for file in files(log.path()) {
        let what = format!("{} removed", file.display());
        whole_or_damaged(log.path(), &what, |copy| fs::remove_file(copy.join(&file)).unwrap()).await;
    }
}

/// A closed log whose last records are only in its journal.
async fn closed_log_without_tables() -> TempDir {
    let folder = tempdir().unwrap();
    for first in [0, 100] {
        let log = EmbeddedLog::open_with(folder.path(), Sizes::NORMAL, system_time_ms).unwrap();
        append(&log, (first..first + 100).map(example)).await;
    }
    drop(open(folder.path()).unwrap());
    folder
}

#[tokio::test]
async fn a_journal_that_lost_its_end_is_named() {
    let log = closed_log_without_tables().await;
    let journal = journal(log.path());
    let length = log.path().join(&journal).metadata().unwrap().len();
    for lost in [1, 2, 100, 5_000] {
        let copy = tempdir().unwrap();
        copy_folder(log.path(), copy.path());
        OpenOptions::new().write(true).open(copy.path().join(&journal)).unwrap().set_len(length - lost).unwrap();
        let said = open(copy.path()).map(|_| ()).unwrap_err();
        assert!(matches!(&said, LogError::Damaged { at, .. } if at.ends_with(journal.to_str().unwrap())), "{said}");
    }
}

/// A process that dies during a write leaves any part of that write, and an end mark that does not count it.
#[tokio::test]
async fn an_unfinished_write_is_forgotten_and_nothing_else() {
    let folder = tempdir().unwrap();
    let mut ends = Vec::new();
    for first in (0..60).step_by(10) {
        let log = EmbeddedLog::open_with(folder.path(), Sizes::NORMAL, system_time_ms).unwrap();
        append(&log, (first..first + 10).map(example)).await;
        drop(log);
        drop(EmbeddedLog::open_with(folder.path(), Sizes::NORMAL, system_time_ms).unwrap());
        let journal_bytes = folder.path().join(journal(folder.path())).metadata().unwrap().len();
        ends.push((journal_bytes, first + 10, fs::read(folder.path().join("end")).unwrap()));
    }

    let (last, _, _) = *ends.last().unwrap();
    for cut in (ends[0].0..last).step_by(usize::try_from(last / 16).unwrap()) {
        let (_, end, mark) = ends.iter().rev().find(|(length, _, _)| *length <= cut).unwrap();
        let copy = tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        let journal = copy.path().join(journal(copy.path()));
        let file = OpenOptions::new().write(true).open(journal).unwrap();
        file.set_len(cut).unwrap();
        // Journals are allocated ahead, so zeros follow the last write.
        file.set_len(last + 10_000).unwrap();
        fs::write(copy.path().join("end"), mark).unwrap();

        let log = open(copy.path()).unwrap();
        assert_eq!(log.bounds(), Bounds { start: Offset(0), end: Offset(*end) }, "journal cut to {cut} bytes");
        append(&log, [example(*end)]).await;
        drop(log);
        let records = read(&open(copy.path()).unwrap(), Offset(0)).await.unwrap();
        let expected = (0..=*end).map(|nth| (Offset(nth), example(nth)));
        assert!(records.into_iter().map(|record| (record.offset, (record.key, record.value))).eq(expected));
    }
}

/// A flipped bit in the number of tables made fjall ask for 64 GiB, which ends the process.
#[tokio::test]
async fn a_flipped_bit_in_a_manifest_is_named() {
    let folder = tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    for keyspace in fs::read_dir(folder.path().join("store").join("keyspaces")).unwrap() {
        let keyspace = keyspace.unwrap().path();
        let number = u64::from_le_bytes(fs::read(keyspace.join("current")).unwrap()[..8].try_into().unwrap());
        let manifest = keyspace.join(format!("v{number}"));
        let whole = fs::read(&manifest).unwrap();
        for position in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[position] ^= 0x80;
            fs::write(&manifest, flipped).unwrap();
            let said = open(folder.path()).map(|_| ()).unwrap_err();
            assert!(matches!(&said, LogError::Damaged { at, .. } if at == manifest.to_str().unwrap()), "{said}");
        }
        fs::write(&manifest, whole).unwrap();
    }
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_damaged_log_stays_damaged() {
    let log = closed_log_without_tables().await;
    let journal = log.path().join(journal(log.path()));
    let length = journal.metadata().unwrap().len();
    OpenOptions::new().write(true).open(&journal).unwrap().set_len(length - 10).unwrap();
    let first = open(log.path()).map(|_| ()).unwrap_err();
    let second = open(log.path()).map(|_| ()).unwrap_err();
    assert!(matches!(first, LogError::Damaged { .. }));
    assert_eq!(first, second);
}

#[test]
fn a_block_that_is_gone_is_noticed() {
    let folder = tempdir().unwrap();
    let store = Store::open(folder.path(), SMALL).unwrap();
    let mut batch = store.batch();
    // Three blocks of two records each, without the second.
    for number in [0, 2] {
        let mut block = BlockBuilder::new(0);
        (0..2).map(example).for_each(|(key, value)| block.push(&key, &value));
        batch.put_block(BlockKey { first: Offset(number * 2), number }, block.finish());
    }
    batch.commit().unwrap();
    let missing = store.missing(Offset(2));
    assert_eq!(store.read(Offset(0), Offset(2)).unwrap().len(), 2);
    assert_eq!(store.read(Offset(0), Offset(6)).unwrap_err(), missing);
    assert_eq!(store.read(Offset(2), Offset(6)).unwrap_err(), missing);
    assert_eq!(store.read(Offset(3), Offset(6)).unwrap_err(), store.missing(Offset(3)));
    assert_eq!(store.read(Offset(5), Offset(6)).unwrap().len(), 1);
    assert_eq!(recover(&store).unwrap_err(), missing);
}

#[tokio::test]
async fn a_wiped_log_is_another_log() {
    let folder = closed_log().await;
    let before = open(folder.path()).unwrap().id().clone();
    fs::remove_dir_all(folder.path().join("store")).unwrap();
    let log = open(folder.path()).unwrap();
    assert_ne!(log.id(), &before);
    assert_eq!(log.bounds(), Bounds { start: Offset(0), end: Offset(0) });
}

#[tokio::test]
async fn a_log_whose_creation_was_cut_short_is_created_again() {
    let whole = tempdir().unwrap();
    drop(open(whole.path()).unwrap());
    for kept in ["0.jnl", "version", "keyspaces"] {
        let folder = tempdir().unwrap();
        let new = folder.path().join("store.new");
        fs::create_dir(&new).unwrap();
        let from = whole.path().join("store").join(kept);
        if from.is_dir() {
            copy_folder(&from, &new.join(kept));
        } else {
            fs::copy(from, new.join(kept)).unwrap();
        }
        let log = open(folder.path()).unwrap();
        append(&log, [example(0)]).await;
        assert!(!new.exists());
    }
}

fn journal(log: &Path) -> PathBuf {
    let mut journals = files(log).into_iter().filter(|file| file.extension().is_some_and(|ext| ext == "jnl"));
    let journal = journals.next().unwrap();
    assert_eq!(journals.next(), None, "a small log has one journal");
    journal
}

/// A place in the log, another for each `nth`: the file and the byte. Each file is equally likely.
fn place(log: &Path, nth: u64) -> (PathBuf, u64) {
    let files: Vec<_> = files(log).into_iter().filter(|file| log.join(file).metadata().unwrap().len() > 0).collect();
    let file = &files[nth as usize % files.len()];
    let length = log.join(file).metadata().unwrap().len();
    (file.clone(), nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) % length)
}

/// All files of a log, relative to it and in order.
fn files(log: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, into) } else { into.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(log, &mut found);
    found.sort();
    found.into_iter().map(|file| file.strip_prefix(log).unwrap().to_owned()).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    for file in files(from) {
        let to = to.join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::io::copy(&mut File::open(from.join(&file)).unwrap(), &mut File::create(to).unwrap()).unwrap();
    }
}
