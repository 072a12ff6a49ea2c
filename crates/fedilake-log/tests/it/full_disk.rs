//! A full disk. A limit on file sizes stands in for the disk: the limit needs no privilege, and fails the
//! same writes at the same places, after part of them was done.

use std::env;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Bookmarks, Bounds, Key, LogError, LogEvent, LogWriter, Offset, Partition};
use tempfile::tempdir;
use tokio::runtime::Runtime;

use super::{CHILD_FOLDER, child};

/// fjall allocates its journal 64 MiB ahead, so the limit lies just above.
const LIMIT_512_BYTE_BLOCKS: u32 = 66 * 2_048;
/// Two of these stay below the size at which a journal is exchanged, the third does not fit.
const APPEND_BYTES: usize = 30 << 20;
const RECORD_BYTES: usize = 1 << 20;

#[test]
fn a_full_disk_fails_the_append_and_loses_nothing() {
    let folder = tempdir().unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {LIMIT_512_BYTE_BLOCKS}; exec \"$@\""), "sh"]);
    let child = child("full_disk::append_until_full", folder.path());
    limited.arg(child.get_program()).args(child.get_args()).env(CHILD_FOLDER, folder.path());
    let output = limited.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let acknowledged: u64 = said.lines().find_map(|line| line.strip_prefix("acknowledged ")).unwrap().parse().unwrap();
    assert!(acknowledged > 0);

    // With room again, the log goes on after what was acknowledged.
    Runtime::new().unwrap().block_on(async {
        let log = EmbeddedLog::open(folder.path()).unwrap();
        let Bounds { start, end } = log.bounds();
        assert_eq!(start, Offset(0));
        assert!(end.0 >= acknowledged);
        log.append(vec![record(end.0)]).await.unwrap();
        let mut reader = log.reader();
        let mut next = 0;
        reader.next().await.unwrap();
        reader.seek(Partition(0), start).await.unwrap();
        while next <= end.0 {
            let LogEvent::Records(records) = reader.next().await.unwrap() else { continue };
            for found in records {
                assert_eq!((found.offset, (found.key, found.value)), (Offset(next), record(next)));
                next += 1;
            }
        }
    });
}

#[test]
#[ignore = "the child of a_full_disk_fails_the_append_and_loses_nothing"]
fn append_until_full() {
    let folder = env::var_os(CHILD_FOLDER).unwrap();
    let log = EmbeddedLog::open(&folder).unwrap();
    Runtime::new().unwrap().block_on(async {
        let mut acknowledged = 0;
        let error = loop {
            let end = acknowledged + (APPEND_BYTES / RECORD_BYTES) as u64;
            match log.append((acknowledged..end).map(record).collect()).await {
                Ok(()) => acknowledged = end,
                Err(error) => break error,
            }
            assert!(acknowledged < 1_000, "the limit is never reached");
        };
        names_the_log(&error, Path::new(&folder));
        assert_eq!(log.bounds(), Bounds { start: Offset(0), end: Offset(acknowledged) });

        // Nothing more is taken, however small, and everything says why.
        assert_eq!(log.append(vec![record(acknowledged)]).await.unwrap_err(), error);
        assert_eq!(log.save("server", "1").await.unwrap_err(), error);
        assert_eq!(log.reader().release(Partition(0), Offset(1)).await.unwrap_err(), error);

        // Acknowledged records can still be read.
        let mut reader = log.reader();
        reader.next().await.unwrap();
        reader.seek(Partition(0), Offset(0)).await.unwrap();
        let LogEvent::Records(records) = reader.next().await.unwrap() else { panic!("records were expected") };
        assert_eq!(records[0].offset, Offset(0));
        println!("acknowledged {acknowledged}");
    });
}

fn names_the_log(error: &LogError, folder: &Path) {
    let LogError::Storage { at, why, .. } = error else { panic!("{error:?}") };
    assert_eq!(at, folder.to_str().unwrap());
    assert!(why.contains("File too large"), "{error}");
}

fn record(nth: u64) -> (Key, Bytes) {
    (Key(Bytes::from(nth.to_string())), Bytes::from(vec![nth as u8; RECORD_BYTES]))
}
