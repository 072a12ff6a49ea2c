//! The version of a log's layout, checked before anything in its folder is opened, because opening already writes.
//!
//! ```text
//! FOLDER/version   the layout's number and a line feed; for all that is in the folder
//! store/version    "FJL" and the number of fjall's disk format (u8)
//! ```
//!
//! A log from before there was a `version` gets one. A number above ours belongs to a newer fedilake and is not
//! damage: [`LogError::Newer`]. Blocks ([`super::block`]) and bookmarks have versions of their own, and the store contains
//! the layout's number once more.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::fault::{from_io, storage};
use super::layout::{BOOKMARKS, LAYOUT};
use crate::LogError;

pub(super) const VERSION_FILE: &str = "version";
const NEW_VERSION_FILE: &str = "version.new";

/// The start of fjall's version file.
const STORE_MAGIC: &[u8] = b"FJL";
const STORE_VERSION: u8 = 3;

/// Refuses the log in `folder` if a newer fedilake made it. Does nothing if there is no log.
pub(super) fn check(folder: &Path) -> Result<(), LogError> {
    let path = folder.join(VERSION_FILE);
    match fs::read(&path) {
        Ok(version) => check_layout(&version, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(storage("open", &path, error)),
    }
}

/// Refuses the store in `folder` if a newer fedilake, with a newer fjall, made it.
pub(super) fn check_store(store: &Path) -> Result<(), LogError> {
    let path = store.join(VERSION_FILE);
    let version = fs::read(&path).map_err(|error| from_io("open", &path, error))?;
    match version.strip_prefix(STORE_MAGIC) {
        Some([version, ..]) if *version > STORE_VERSION => {
            Err(newer(&path, format!("its store has format {version}, this one reads {STORE_VERSION}")))
        }
        // fjall itself reports all other faults.
        _ => Ok(()),
    }
}

/// Refuses a layout that this program does not read. `layout` was read from `path`.
pub(super) fn check_layout(layout: &[u8], path: &Path) -> Result<(), LogError> {
    check_number("layout", layout, LAYOUT, path)
}

/// Refuses bookmarks of a version that this program does not read. `version` was read from the store at `path`.
pub(super) fn check_bookmarks(version: &[u8], path: &Path) -> Result<(), LogError> {
    check_number("bookmarks' version", version, BOOKMARKS, path)
}

fn check_number(of: &str, found: &[u8], ours: &[u8], path: &Path) -> Result<(), LogError> {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.trim_end().parse::<u64>().ok();
    let ours = number(ours).expect("our versions are numbers");
    match number(found) {
        Some(found) if found == ours => Ok(()),
        Some(found) if found > ours => Err(newer(path, format!("its {of} is {found}, this one reads {ours}"))),
        _ => Err(LogError::Damaged { at: path.display().to_string(), why: format!("it does not say its {of}") }),
    }
}

/// Writes the layout's number, unless the file exists. The file is complete or missing, even after a power cut.
pub(super) fn write(folder: &Path) -> Result<(), LogError> {
    let path = folder.join(VERSION_FILE);
    if path.try_exists().map_err(|error| storage("open", &path, error))? {
        return Ok(());
    }
    let new = folder.join(NEW_VERSION_FILE);
    let write = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(&[LAYOUT, b"\n"].concat())?;
        // Before the rename: a power cut must not leave an empty file under the name.
        file.sync_all()?;
        fs::rename(&new, &path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error| storage("create", &path, error))
}

/// The error for a file or folder of a newer version.
pub(super) fn newer(path: &Path, why: String) -> LogError {
    LogError::Newer { at: path.display().to_string(), why }
}
