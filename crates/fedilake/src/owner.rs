//! A data folder belongs to one process, its owner.
//!
//! The file `lock` holds a lock of the operating system, which is released when its process ends in any way. The
//! file's content names the owner, the address at which it answers and a secret (mode 0600), so that `report`, `sql`
//! and `check` can ask the owner instead of opening the folder. They wait for an owner that does not answer yet, and
//! name it if that takes longer than a moment. An owner that never answers (`collect`, `sink`) is an error.
//!
//! Everything in the folder is closed before the lock is released: the lake's process holds the lock as well until
//! its database is closed ([`crate::lake_process`]), so nothing in the folder is in use when a process takes it.
//! After a kill of the owner that takes a moment, for which a new owner waits.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::telemetry;
use crate::temporary::Temporary;

/// The name of the file in a data folder that its owner locks.
pub const LOCK_FILE: &str = "lock";
/// The name of the file in a data folder that says that nothing but a demo wrote there.
pub const DEMO_FILE: &str = "demo";
/// How often a waiting process tries the lock and reads the owner's sign again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a folder may be on its way from its path after a file in it was missed.
const GOING_MAX: Duration = Duration::from_secs(1);
/// How long a reader waits before it names the process it waits for, or gives up on an owner that never answers.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the lake's process of a killed owner may still hold the folder.
const AFTERLIFE_MAX: Duration = Duration::from_secs(10);

/// The address at which the owner answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub pid: u32,
    pub address: SocketAddr,
    pub secret: String,
}

/// The content of the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sign {
    /// The version of the sign and of the owner's interface; 1 if missing.
    #[serde(default = "first_version")]
    version: u32,
    pid: u32,
    answers: Answering,
}

impl Sign {
    /// True if the process that signed still runs.
    fn is_of_the_living(&self) -> bool {
        // A zombie process has ended, although its parent did not collect it yet.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let is_zombie = stat.rsplit(')').next().is_some_and(|fields| fields.trim_start().starts_with('Z'));
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        let is_there = pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
        is_there && !is_zombie
    }
}

/// The version that this program writes and reads.
const VERSION: u32 = 2;

fn first_version() -> u32 {
    1
}

/// The parts of a sign that every version has.
#[derive(Debug, Deserialize)]
struct AnySign {
    version: u32,
    pid: Option<u32>,
}

/// The owner's willingness to answer questions, and its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answering {
    /// The owner is still opening the folder, or is about to close it.
    NotYet,
    Never,
    At {
        address: SocketAddr,
        secret: String,
    },
}

/// Ownership of the folder, until it is dropped.
#[derive(Debug)]
pub struct Ownership {
    lock: File,
    folder: PathBuf,
    identity: Identity,
    temporary: Temporary,
    /// The lock file and the folders of an open log and table.
    parts: Mutex<Vec<(PathBuf, Identity)>>,
}

/// The folder itself, or the contact of an owner that answers.
#[derive(Debug)]
pub enum Access {
    Owner(Ownership),
    Guest(Contact),
}

impl Ownership {
    /// Takes the folder, creating it if needed. `None` if another process has it.
    pub fn take(folder: &Path) -> anyhow::Result<Option<Ownership>> {
        make_private(folder).with_context(|| format!("make data folder {}", folder.display()))?;
        let lock = open_lock(folder)?;
        match lock.try_lock() {
            Ok(()) => {
                let identity =
                    Identity::at(folder).with_context(|| format!("look at data folder {}", folder.display()))?;
                let mark = Identity::of(&lock).with_context(|| format!("look at {}", lock_path(folder).display()))?;
                let parts = Mutex::new(vec![(lock_path(folder), mark)]);
                let temporary = Temporary::within(folder, "tmp")?;
                let ownership = Ownership { lock, folder: folder.to_owned(), identity, temporary, parts };
                ownership.sign(Answering::NotYet)?;
                Ok(Some(ownership))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| {
                format!("lock {}\nhint: some network file systems do not support locks", lock_path(folder).display())
            }),
        }
    }

    /// Takes the folder for a verb that writes posts, like [`Ownership::take_or_refuse`]: it is no demo's from now on.
    pub fn take_to_write(folder: &Path) -> anyhow::Result<Ownership> {
        let ownership = Ownership::take_or_refuse(folder)?;
        forget_demo(folder)?;
        Ok(ownership)
    }

    /// Takes the folder. The error names the process that has it.
    pub fn take_or_refuse(folder: &Path) -> anyhow::Result<Ownership> {
        let began = Instant::now();
        let sign = loop {
            if let Some(ownership) = Ownership::take(folder)? {
                return Ok(ownership);
            }
            let sign = read_sign(folder)?;
            if began.elapsed() >= AFTERLIFE_MAX || sign.as_ref().is_some_and(Sign::is_of_the_living) {
                break sign;
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        let who = match sign {
            Some(Sign { pid, answers: Answering::At { address, .. }, .. }) => {
                format!(" (pid {pid}, answering on {address})")
            }
            Some(Sign { pid, .. }) => format!(" (pid {pid})"),
            None => String::new(),
        };
        bail!(
            "data folder {} is in use by another fedilake{who}\n\
             hint: a `file:` log and table have one owner; stop it, or give this one a folder of its own with --data DIR",
            folder.display()
        )
    }

    /// The folder's path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder for what nobody needs after this process.
    pub fn temporary(&self) -> &Temporary {
        &self.temporary
    }

    /// The locked file: the folder stays owned while any process holds a copy of this descriptor.
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    /// Makes the folder of an open log or table a part of what must stay in place.
    pub fn hold(&self, part: &Path) -> anyhow::Result<()> {
        let identity = Identity::at(part).with_context(|| format!("look at {}", part.display()))?;
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push((part.to_owned(), identity));
        Ok(())
    }

    /// Resolves with an error when the folder or a part of it is no longer at its path. Cancel-safe.
    pub async fn lost(&self) -> anyhow::Error {
        loop {
            if let Some(error) = self.moved() {
                return error;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The error for a folder that is going from its path: one that is being deleted is there until its last file is
    /// gone. `None` if it stays.
    pub async fn going(&self) -> Option<anyhow::Error> {
        tokio::time::timeout(GOING_MAX, self.lost()).await.ok()
    }

    /// The error for a folder, or a part of it, that is no longer at its path; `None` while all are in place.
    fn moved(&self) -> Option<anyhow::Error> {
        if !self.identity.is_at(&self.folder) {
            return Some(anyhow::anyhow!(
                "data folder {0} was moved, deleted or replaced under this process\n\
                 hint: what was accepted lies in the folder where it is now; start again with --data on it, and move it only while no \
                 process works in it",
                self.folder.display()
            ));
        }
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let (part, _) = parts.iter().find(|(part, identity)| !identity.is_at(part))?;
        Some(anyhow::anyhow!(
            "{} was moved, deleted or replaced under this process\n\
             hint: put it back where it was, then start again; move a data folder only as a whole, and while no process works in it",
            part.display()
        ))
    }

    /// Writes into the lock file where this process answers.
    pub fn publish(&self, address: SocketAddr, secret: &str) -> anyhow::Result<()> {
        self.sign(Answering::At { address, secret: secret.to_owned() })
    }

    /// Writes into the lock file that this process never answers.
    pub fn answers_nobody(&self) -> anyhow::Result<()> {
        self.sign(Answering::Never)
    }

    fn sign(&self, answers: Answering) -> anyhow::Result<()> {
        let text = serde_json::to_vec(&Sign { version: VERSION, pid: std::process::id(), answers })
            .context("write contact")?;
        let write = || {
            // The file may be older than this process, and may have been copied or touched since.
            #[cfg(unix)]
            self.lock.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            // One write of few bytes. A reader that sees only a part of it cannot parse it and reads again.
            self.lock.set_len(0)?;
            let mut lock = &self.lock;
            lock.rewind()?;
            lock.write_all(&text)
        };
        write().with_context(|| format!("write {}", lock_path(&self.folder).display()))
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // Clears the sign, so that nobody asks an address that no longer answers.
        let _ = self.lock.set_len(0);
    }
}

/// Notes that all posts in a taken folder are invented.
pub fn mark_as_demo(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(DEMO_FILE);
    std::fs::write(&path, "invented posts, written by `fedilake demo`\n")
        .with_context(|| format!("write {}", path.display()))
}

/// True if nothing but a demo wrote to the folder.
pub fn is_of_a_demo(folder: &Path) -> bool {
    folder.join(DEMO_FILE).is_file()
}

fn forget_demo(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(DEMO_FILE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// True if the folder's lock file names an owner. A new owner signs it before it creates anything else.
pub fn is_signed(folder: &Path) -> bool {
    !matches!(read_sign(folder), Ok(None))
}

/// The process that owns the folder, and where it answers; `None` if the folder is free. Takes nothing and waits for nobody.
pub fn owner_of(folder: &Path) -> anyhow::Result<Option<(u32, Option<SocketAddr>)>> {
    let living = read_sign(folder)?.filter(Sign::is_of_the_living);
    Ok(living.map(|sign| match sign.answers {
        Answering::At { address, .. } => (sign.pid, Some(address)),
        Answering::NotYet | Answering::Never => (sign.pid, None),
    }))
}

/// Waits until the folder is free and takes it, or until its owner answers.
pub async fn access(folder: &Path) -> anyhow::Result<Access> {
    let began = Instant::now();
    let mut told = false;
    loop {
        if let Some(ownership) = Ownership::take(folder)? {
            return Ok(Access::Owner(ownership));
        }
        let mut sign = read_sign(folder)?;
        if began.elapsed() < AFTERLIFE_MAX {
            sign = sign.filter(Sign::is_of_the_living);
        }
        if let Some(Sign { version, pid, answers: Answering::At { address, secret } }) = sign {
            if version < VERSION {
                bail!(
                    "data folder {} is in use by an older fedilake (pid {pid})\n\
                     hint: restart it with this version, or ask with that one",
                    folder.display()
                );
            }
            return Ok(Access::Guest(Contact { pid, address, secret }));
        }
        if began.elapsed() >= PATIENCE {
            let pid = sign.as_ref().map_or_else(String::new, |sign| format!(" {}", sign.pid));
            if sign.is_some_and(|sign| sign.answers == Answering::Never) {
                bail!(
                    "data folder {} is in use by process{pid}, which answers no questions\n\
                     hint: stop it first, or let `fedilake run` collect, store and answer in one process",
                    folder.display()
                );
            }
            if !told {
                telemetry::say(&format!("waiting for process{pid}, which uses data folder {}", folder.display()));
                told = true;
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Creates a folder, and any missing parents, that only its user can enter. Files in it follow the umask, so whoever
/// opens the folder to others opens all of it.
pub fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Resolves with an error when the folder of `ownership` is no longer at its path; never if there is none.
/// Cancel-safe.
pub async fn lost(ownership: Option<&Ownership>) -> anyhow::Error {
    match ownership {
        Some(ownership) => ownership.lost().await,
        None => std::future::pending().await,
    }
}

/// The cause of a verb's failure: that its folder is going from its path, if it is, which explains more than the name
/// of the file that was missed first.
pub async fn cause(ownership: Option<&Ownership>, error: anyhow::Error) -> anyhow::Error {
    match ownership {
        Some(ownership) => ownership.going().await.unwrap_or(error),
        None => error,
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join(LOCK_FILE)
}

fn open_lock(folder: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let path = lock_path(folder);
    options.open(&path).with_context(|| {
        format!(
            "open {}\nhint: who opens a data folder locks it and catches its lake up, which needs the right to write there: ask as \
             its user, or ask a copy; where its table may be read, `fedilake sql --direct` and other engines read that",
            path.display()
        )
    })
}

/// Reads the sign of the folder's owner. `None` if there is no owner, or the sign is only partly written. The error
/// names an owner of a newer version, which this program cannot ask.
fn read_sign(folder: &Path) -> anyhow::Result<Option<Sign>> {
    let mut text = Vec::new();
    let read = File::open(lock_path(folder)).and_then(|mut lock| lock.read_to_end(&mut text));
    match serde_json::from_slice::<AnySign>(&text) {
        Ok(AnySign { version, pid }) if read.is_ok() && version > VERSION => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            bail!(
                "data folder {} is in use by a newer fedilake{pid}\nhint: ask with that version, or stop it first",
                folder.display()
            )
        }
        _ => Ok(read.ok().and_then(|_| serde_json::from_slice(&text).ok())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_has_one_owner_and_its_guests_find_it() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let owner = Ownership::take(folder.path())?.context("free")?;
        assert!(Ownership::take(folder.path())?.is_none());
        let refused = Ownership::take_or_refuse(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("hint: ") && refused.contains(&std::process::id().to_string()), "{refused}");

        owner.publish("127.0.0.1:7878".parse()?, "secret")?;
        let Access::Guest(contact) = access(folder.path()).await? else { bail!("the folder has an owner") };
        assert_eq!((contact.pid, contact.secret.as_str()), (std::process::id(), "secret"));

        drop(owner);
        assert!(matches!(access(folder.path()).await?, Access::Owner(_)));
        Ok(())
    }

    #[tokio::test]
    async fn an_owner_that_answers_nobody_is_not_waited_for() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let owner = Ownership::take(folder.path())?.context("free")?;
        owner.answers_nobody()?;
        let error = access(folder.path()).await.unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()) && error.contains("hint: "), "{error}");
        Ok(())
    }

    #[tokio::test]
    async fn an_owner_of_a_newer_version_is_named_and_not_waited_for() -> anyhow::Result<()> {
        let signs = [
            r#"{"version":3,"pid":77,"answers":{"socket":"/run/fedilake"}}"#,
            r#"{"version":9,"pid":77}"#,
            r#"{"version":3,"process":{"id":77}}"#,
        ];
        for sign in signs {
            let folder = tempfile::tempdir()?;
            let owner = Ownership::take(folder.path())?.context("free")?;
            std::fs::write(lock_path(folder.path()), sign)?;
            let asked = access(folder.path()).await.unwrap_err().to_string();
            let taken = Ownership::take_or_refuse(folder.path()).unwrap_err().to_string();
            for said in [asked, taken] {
                assert!(said.contains("in use by a newer fedilake") && said.contains("hint: "), "{sign}: {said}");
            }
            drop(owner);
        }
        Ok(())
    }

    /// An owner's interface changed with its version, so an older owner would misunderstand the question.
    #[tokio::test]
    async fn an_owner_of_an_older_version_is_named_and_not_asked() -> anyhow::Result<()> {
        let pid = std::process::id();
        // The first version wrote no number.
        for version in ["", r#""version":1,"#] {
            let folder = tempfile::tempdir()?;
            let owner = Ownership::take(folder.path())?.context("free")?;
            let sign =
                format!(r#"{{{version}"pid":{pid},"answers":{{"at":{{"address":"127.0.0.1:9","secret":"s"}}}}}}"#);
            std::fs::write(lock_path(folder.path()), sign)?;
            let asked = access(folder.path()).await.unwrap_err().to_string();
            assert!(asked.contains(&format!("in use by an older fedilake (pid {pid})\nhint: ")), "{asked}");
            let taken = Ownership::take_or_refuse(folder.path()).unwrap_err().to_string();
            assert!(taken.contains("in use by another fedilake") && taken.contains(&pid.to_string()), "{taken}");
            drop(owner);
        }
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_made_is_for_its_user_alone() -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let above = tempfile::tempdir()?;
        let folder = above.path().join("of/mine");
        drop(Ownership::take(&folder)?.context("free")?);
        assert_eq!(std::fs::metadata(&folder)?.permissions().mode() & 0o777, 0o700);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn the_secret_is_for_its_owner_only() -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir()?;
        let lock = folder.path().join("lock");
        // A copy or an archive may leave the lock file with an open mode.
        std::fs::write(&lock, "")?;
        std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(0o644))?;
        let owner = Ownership::take(folder.path())?.context("free")?;
        owner.publish("127.0.0.1:7878".parse()?, "secret")?;
        assert_eq!(std::fs::metadata(&lock)?.permissions().mode() & 0o777, 0o600);
        Ok(())
    }
}
