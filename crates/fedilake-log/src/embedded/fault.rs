//! Translates errors of the file system and of fjall into those of a log: the storage failed, or the stored bytes are
//! damaged.

use std::fs;
use std::io;
use std::path::Path;

use crate::LogError;

/// The disk format of fjall's tables.
const TREE_VERSION: u8 = 3;

/// Translates an error of the file system on `path`.
pub(super) fn storage(doing: &'static str, path: &Path, error: io::Error) -> LogError {
    LogError::Storage { doing, at: path.display().to_string(), why: error.to_string() }
}

/// Translates an error of the file system where files are expected to be as fjall left them.
pub(super) fn from_io(doing: &'static str, path: &Path, error: io::Error) -> LogError {
    match error.kind() {
        // fjall creates new files and reads old ones, so any other result means that someone else changed the files.
        // In a file that is too short fjall seeks to before the beginning.
        io::ErrorKind::NotFound
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidData => LogError::Damaged { at: path.display().to_string(), why: error.to_string() },
        _ => storage(doing, path, error),
    }
}

/// Translates an error of fjall.
pub(super) fn from_fjall(doing: &'static str, path: &Path, error: fjall::Error) -> LogError {
    use fjall::{Error, LsmError};

    let at = path.display().to_string();
    match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => from_io(doing, path, error),
        Error::Locked => LogError::InUse { at },
        Error::Poisoned => LogError::Storage { doing, at, why: "an earlier write in the background failed".to_owned() },
        Error::Storage(LsmError::InvalidVersion(version)) if version > TREE_VERSION => {
            LogError::Newer { at, why: format!("its tables have format {version}, this one reads {TREE_VERSION}") }
        }
        Error::JournalRecovery(error) => LogError::Damaged { at: journals(path), why: error.to_string() },
        Error::Storage(error) => LogError::Damaged { at, why: error.to_string() },
        error => LogError::Damaged { at, why: error.to_string() },
    }
}

/// The journal's files in the store at `path`.
pub(super) fn journals(path: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .map(|path| path.display().to_string())
        .collect();
    files.sort();
    if files.is_empty() { path.display().to_string() } else { files.join(" or ") }
}
