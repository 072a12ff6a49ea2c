//! Schemas kept in a folder after the registry gave them, so that a restart does not need the registry.
//!
//! A file a schema, `TOPIC-ID.SCHEMA-ID.avsc`: ids are those of the registry with which the topic's records were written, and the
//! topic's id names that for ever. A file is whole or not there. The cache may be deleted at any time.

use std::path::{Path, PathBuf};

use fedilake_log::LogId;

pub(crate) struct Cache {
    folder: PathBuf,
    log: LogId,
}

impl Cache {
    pub(crate) fn new(folder: &Path, log: &LogId) -> Cache {
        Cache { folder: folder.to_owned(), log: log.clone() }
    }

    /// The schema with this id; `None` where it was never stored or cannot be read.
    pub(crate) fn load(&self, id: u32) -> Option<String> {
        std::fs::read_to_string(self.path(id)).ok()
    }

    /// Keeps a schema. A failure costs a question to the registry at the next start, so it is logged and passed over.
    pub(crate) fn store(&self, id: u32, schema: &str) {
        let (path, new) = (self.path(id), self.folder.join(format!(".{}.{id}.new", self.log)));
        let write = || {
            make_folder(&self.folder)?;
            std::fs::write(&new, schema)?;
            std::fs::rename(&new, &path)
        };
        if let Err(error) = write() {
            tracing::debug!("keep schema {id} in {}: {error}", path.display());
        }
    }

    fn path(&self, id: u32) -> PathBuf {
        self.folder.join(format!("{}.{id}.avsc", self.log))
    }
}

/// Makes the folder, and none above it: a data folder that is gone is not made anew.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_kept_by_log_and_id() {
        let folder = std::env::temp_dir().join(format!("fedilake-schema-cache-{}", std::process::id()));
        let [ours, other] = ["ours", "other"].map(|id| Cache::new(&folder, &LogId::new(id).unwrap()));
        assert_eq!(ours.load(7), None);
        ours.store(7, "{}");
        let again = Cache::new(&folder, &LogId::new("ours").unwrap());
        assert_eq!((again.load(7), again.load(8), other.load(7)), (Some("{}".to_owned()), None, None));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_is_gone_is_not_made_anew() {
        let gone = std::env::temp_dir().join(format!("fedilake-schema-cache-gone-{}", std::process::id()));
        let cache = Cache::new(&gone.join("schemas"), &LogId::new("ours").unwrap());
        cache.store(7, "{}");
        assert_eq!(cache.load(7), None);
        assert!(!gone.exists());
    }
}
