//! Lists a folder's files, and all that has a data file's name without being a file.
//!
//! A link to nothing, a folder or a pipe with a data file's name is no file, but stands where one was: it is listed too, and its read says
//! what it is ([`NotAFile`]).

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::{Path as Folder, PathBuf};
use std::time::SystemTime;

use object_store::ObjectMeta;
use object_store::path::Path;
use walkdir::{DirEntry, WalkDir};

use super::is_leftover;
use crate::chain;

/// Why a name cannot be read as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAFile {
    #[error("it is a folder")]
    Folder,
    #[error("it is a link to nothing")]
    Dangling,
    #[error("it is a device, a pipe or a socket")]
    Other,
}

impl NotAFile {
    /// Looks at `path`; `None` if it is a file, if nothing has this name, or if this user may not look.
    pub(crate) fn at(path: &Folder) -> Option<NotAFile> {
        match path.metadata() {
            Ok(found) if found.is_file() => None,
            Ok(found) if found.is_dir() => Some(NotAFile::Folder),
            Ok(_) => Some(NotAFile::Other),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            Err(_) => path.symlink_metadata().is_ok().then_some(NotAFile::Dangling),
        }
    }
}

/// All objects below `root.join(prefix)`, in no order. A name that no object can have is written with `%` and digits.
pub(super) fn list(root: &Folder, prefix: &Path) -> io::Result<Vec<ObjectMeta>> {
    let mut objects = Vec::new();
    for entry in WalkDir::new(root.join(prefix.as_ref())).min_depth(1).follow_links(true) {
        let path = match entry {
            Ok(entry) if entry.file_type().is_file() && !is_staged(&entry) => {
                // Gone since its folder was read.
                let Ok(found) = entry.metadata() else { continue };
                objects.push(object(root, entry.path(), Some(&found)));
                continue;
            }
            Ok(entry) if entry.file_type().is_file() => continue,
            Ok(entry) => entry.into_path(),
            Err(error) => of_a_link(error)?.unwrap_or_default(),
        };
        if path.to_string_lossy().ends_with(chain::EXTENSION) {
            objects.push(object(root, &path, None));
        }
    }
    Ok(objects)
}

fn is_staged(entry: &DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(is_leftover)
}

/// The link that cannot be followed, to nothing or to a folder around it; `None` if its name is gone.
fn of_a_link(error: walkdir::Error) -> io::Result<Option<PathBuf>> {
    let is_link = error.path().is_some_and(Folder::is_symlink);
    let is_gone = error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound);
    match error.path() {
        Some(path) if is_link => Ok(Some(path.to_owned())),
        _ if is_gone => Ok(None),
        _ => Err(error.into()),
    }
}

fn object(root: &Folder, path: &Folder, found: Option<&Metadata>) -> ObjectMeta {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let location = Path::parse(parts.join("/")).unwrap_or_else(|_| Path::from_iter(parts.iter().map(AsRef::as_ref)));
    let modified = found.and_then(|found| found.modified().ok());
    ObjectMeta {
        location,
        last_modified: modified.unwrap_or(SystemTime::UNIX_EPOCH).into(),
        size: found.map_or(0, Metadata::len),
        e_tag: None,
        version: None,
    }
}
