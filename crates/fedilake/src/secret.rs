//! Files with secrets: access tokens and passwords.

use std::io;
use std::path::Path;

/// Where orchestrators mount secrets, readable by all within a container of one user.
const MOUNTED: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// The text of a file with a secret. Warns of a file that every user of the machine can read.
pub fn read(path: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    if is_open_to_all(path)? && !MOUNTED.iter().any(|folder| path.starts_with(folder)) {
        tracing::warn!(
            "{} holds a secret and every user of this machine can read it: chmod 600 {}",
            path.display(),
            path.display()
        );
    }
    Ok(text)
}

#[cfg(unix)]
fn is_open_to_all(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata(path)?.mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_open_to_all(_: &Path) -> io::Result<bool> {
    Ok(false)
}
