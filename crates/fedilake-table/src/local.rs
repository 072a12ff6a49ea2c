//! A table on local disk: its folder, held open ([`InPlace`]), and the leftovers of a killed process in it.
//!
//! A put writes `X.parquet#1`, syncs it, links it to `X.parquet` if that does not exist, and removes the
//! first name. A killed process leaves the first name behind, half-written or as a second link to a committed file.
//! No listing and no `*.parquet` takes it for a data file, so it only takes up disk space.

mod in_place;
mod listing;

use std::io;
use std::path::Path;

pub use in_place::InPlace;
pub(crate) use listing::NotAFile;

/// Removes the files that killed writers left below `table`, and returns their number and size. Call it only if no
/// writer is active there: the owner of the data folder does at its start.
pub fn remove_leftovers(table: &Path) -> io::Result<Leftovers> {
    let mut removed = Leftovers::default();
    let mut folders = vec![table.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_leftover) {
                removed.files += 1;
                removed.bytes += entry.metadata()?.len();
                std::fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(removed)
}

/// The removed leftovers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// The number of files.
    pub files: u64,
    /// The size of the files. A second link to a committed file counts too, although removing it frees nothing.
    pub bytes: u64,
}

/// True for names such as `00000000000000000100.parquet#1` and `_start#2`.
fn is_leftover(name: &str) -> bool {
    name.split_once('#').is_some_and(|(target, attempt)| {
        (target.ends_with(".parquet") || target == "_start")
            && !attempt.is_empty()
            && attempt.bytes().all(|byte| byte.is_ascii_digit())
    })
}
