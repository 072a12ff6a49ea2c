//! The identity of the file or folder at a path, which may have been replaced.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode of a file or folder, whatever its name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Of the file or folder at `path`.
    pub fn at(path: &Path) -> io::Result<Identity> {
        let found = std::fs::metadata(path)?;
        Ok(Identity { device: found.dev(), inode: found.ino() })
    }

    /// Of an open file or folder, whether or not it still has a path.
    pub fn of(open: impl AsFd) -> io::Result<Identity> {
        let found = rustix::fs::fstat(open)?;
        // The system's types for these differ.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
        Ok(Identity { device: found.st_dev as u64, inode: found.st_ino as u64 })
    }

    /// True while the same file or folder is the one at `path`.
    pub fn is_at(self, path: &Path) -> bool {
        Identity::at(path).is_ok_and(|there| there == self)
    }
}
