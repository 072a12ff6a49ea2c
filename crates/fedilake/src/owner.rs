//! A data folder belongs to one process.
//!
//! The file `lock` carries an operating system's lock, which ends with its process however that ends, and as its content
//! where the owner answers: pid, address and a secret (mode 0600), so that `report`, `sql` and `check` can ask the owner
//! instead of opening what it holds. A lock without content is an owner that does not answer (yet): wait or give up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// How often a waiting reader looks whether the folder is free or its owner answers.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Where the owner answers, as it stands in the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub pid: u32,
    pub address: SocketAddr,
    pub secret: String,
}

/// The folder is ours until this is dropped.
#[derive(Debug)]
pub struct Ownership {
    lock: File,
    folder: PathBuf,
}

/// Ours, or somebody's who answers.
#[derive(Debug)]
pub enum Access {
    Owner(Ownership),
    Guest(Contact),
}

impl Ownership {
    /// Takes the folder, making it if it is not there. None when another process has it.
    pub fn take(folder: &Path) -> anyhow::Result<Option<Ownership>> {
        std::fs::create_dir_all(folder).with_context(|| format!("make data folder {}", folder.display()))?;
        let lock = open_lock(folder)?;
        match lock.try_lock() {
            Ok(()) => {
                lock.set_len(0).with_context(|| format!("clear {}", lock_path(folder).display()))?;
                Ok(Some(Ownership { lock, folder: folder.to_owned() }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| {
                format!("lock {}\nhint: some network file systems have no locks", lock_path(folder).display())
            }),
        }
    }

    /// Takes the folder or says who has it.
    pub fn take_or_refuse(folder: &Path) -> anyhow::Result<Ownership> {
        if let Some(ownership) = Ownership::take(folder)? {
            return Ok(ownership);
        }
        let who =
            read_contact(folder).map_or_else(String::new, |c| format!(" (pid {}, answering on {})", c.pid, c.address));
        bail!(
            "data folder {} is in use by another fedilake{who}\n\
             hint: a `file:` log and table have one owner; stop it, or give this one a folder of its own with --data DIR",
            folder.display()
        )
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets others know where this process answers.
    pub fn publish(&mut self, address: SocketAddr, secret: &str) -> anyhow::Result<()> {
        let contact = Contact { pid: std::process::id(), address, secret: secret.to_owned() };
        let path = lock_path(&self.folder);
        let text = serde_json::to_vec(&contact).context("write contact")?;
        // One write of few bytes; a reader that sees a part of it sees no JSON and looks again.
        self.lock
            .rewind()
            .and_then(|()| self.lock.write_all(&text))
            .with_context(|| format!("write {}", path.display()))
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // The lock ends with the file; without content nobody asks an address that is gone.
        let _ = self.lock.set_len(0);
    }
}

/// The folder itself if it is free, else its owner, waiting for either. A folder that is not there is an error: a reader
/// makes none.
pub async fn access(folder: &Path) -> anyhow::Result<Access> {
    if !folder.is_dir() {
        bail!(
            "there is no data folder {}\nhint: give one with --data DIR, or make one with `fedilake demo` or `fedilake run`",
            folder.display()
        );
    }
    loop {
        if let Some(ownership) = Ownership::take(folder)? {
            return Ok(Access::Owner(ownership));
        }
        if let Some(contact) = read_contact(folder) {
            return Ok(Access::Guest(contact));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn open_lock(folder: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let path = lock_path(folder);
    options.open(&path).with_context(|| format!("open {}", path.display()))
}

fn read_contact(folder: &Path) -> Option<Contact> {
    let mut text = Vec::new();
    File::open(lock_path(folder)).ok()?.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_has_one_owner_and_its_guests_find_it() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut owner = Ownership::take(folder.path())?.context("free")?;
        assert!(Ownership::take(folder.path())?.is_none());
        assert!(Ownership::take_or_refuse(folder.path()).unwrap_err().to_string().contains("hint: "));

        owner.publish("127.0.0.1:7878".parse()?, "secret")?;
        let Access::Guest(contact) = access(folder.path()).await? else { bail!("the folder has an owner") };
        assert_eq!((contact.pid, contact.secret.as_str()), (std::process::id(), "secret"));

        drop(owner);
        assert!(matches!(access(folder.path()).await?, Access::Owner(_)));
        Ok(())
    }

    #[tokio::test]
    async fn a_reader_makes_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(access(&missing).await.unwrap_err().to_string().contains("--data"));
        assert!(!missing.exists());
    }

    #[cfg(unix)]
    #[test]
    fn the_secret_is_for_its_owner_only() -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir()?;
        let _owner = Ownership::take(folder.path())?;
        assert_eq!(std::fs::metadata(folder.path().join("lock"))?.permissions().mode() & 0o777, 0o600);
        Ok(())
    }
}
