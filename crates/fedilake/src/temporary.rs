//! Folders for temporary files, within a folder that is held open.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rustix::fs::Mode;
use rustix::io::Errno;

/// A folder for temporary files. It is made when something is written there, again if it is gone, but never within
/// another folder that has taken the place of the one that it lies in.
#[derive(Clone, Debug)]
pub struct Temporary {
    base: Arc<File>,
    base_path: PathBuf,
    /// Relative to the base.
    below: PathBuf,
}

impl Temporary {
    /// The folder `name` within `base`, which exists.
    pub fn within(base: &Path, name: &str) -> anyhow::Result<Temporary> {
        let opened = File::open(base).with_context(|| format!("open {}", base.display()))?;
        Ok(Temporary { base: Arc::new(opened), base_path: base.to_owned(), below: PathBuf::from(name) })
    }

    /// A folder within this one.
    pub fn folder(&self, name: impl AsRef<Path>) -> Temporary {
        Temporary { below: self.below.join(name), ..self.clone() }
    }

    /// Where it is, or will be once it is made.
    pub fn path(&self) -> PathBuf {
        self.base_path.join(&self.below)
    }

    /// Makes it, and every folder between it and the base, where only their user can enter.
    pub fn make(&self) -> anyhow::Result<PathBuf> {
        let mut made = PathBuf::new();
        for name in &self.below {
            made.push(name);
            match rustix::fs::mkdirat(&*self.base, &made, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => {
                    let path = self.base_path.join(&made);
                    return Err(io::Error::from(error)).with_context(|| format!("make {}", path.display()));
                }
            }
        }
        Ok(self.path())
    }

    /// Deletes it and everything in it.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// A temporary folder with a name of its own, deleted when dropped.
#[derive(Debug)]
pub struct Scratch(Temporary);

impl Scratch {
    /// Chooses a unique name within `folder`.
    pub fn new(folder: &Temporary) -> Scratch {
        Scratch(folder.folder(format!("scratch-{:08x}", rand::random::<u32>())))
    }

    /// A name that begins with `name`, in a folder into which others write too: nobody can have made it before.
    pub fn unguessable(folder: &Path, name: &str) -> anyhow::Result<Scratch> {
        Ok(Scratch(Temporary::within(folder, &format!("{name}-{:032x}", rand::random::<u128>()))?))
    }

    /// The folder.
    pub fn folder(&self) -> &Temporary {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Usually the folder does not exist. One that cannot be deleted is deleted at the next start.
        let _ = self.0.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_again_but_not_in_what_took_the_place_of_its_base() -> anyhow::Result<()> {
        let around = tempfile::tempdir()?;
        let base = around.path().join("data");
        std::fs::create_dir(&base)?;
        let temporary = Temporary::within(&base, "tmp")?;
        let inner = temporary.folder("a/b");
        assert_eq!(inner.make()?, base.join("tmp/a/b"));
        temporary.remove()?;
        temporary.remove()?;
        assert!(!base.join("tmp").exists());
        inner.make()?;
        let away = around.path().join("away");
        std::fs::rename(&base, &away)?;
        std::fs::create_dir(&base)?;
        std::fs::remove_dir_all(away.join("tmp"))?;
        inner.make()?;
        assert!(away.join("tmp/a/b").is_dir());
        assert_eq!(std::fs::read_dir(&base)?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_scratch_is_gone_with_its_value() -> anyhow::Result<()> {
        let base = tempfile::tempdir()?;
        let temporary = Temporary::within(base.path(), "tmp")?;
        let (one, other) = (Scratch::new(&temporary), Scratch::new(&temporary));
        let (first, second) = (one.folder().make()?, other.folder().make()?);
        assert_ne!(first, second);
        drop(one);
        assert!(!first.exists() && second.exists());
        Ok(())
    }
}
