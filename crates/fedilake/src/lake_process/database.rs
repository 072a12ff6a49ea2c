//! The database that the lake's process owns: a lake, or a DuckDB over plain files.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use fedilake_query::{Direct, Lake, LakeError, SqlError, SqlLimits, SqlSummary};

use super::protocol::Opening;

/// What is asked.
pub enum Database {
    Lake { lake: Box<Lake>, file: LakeFile },
    Files(Mutex<Direct>),
}

impl Database {
    pub fn open(opening: &Opening) -> anyhow::Result<Database> {
        match opening {
            Opening::Lake { path, options } => {
                let lake = Box::new(Lake::open(path, options.clone())?);
                Ok(Database::Lake { lake, file: LakeFile::of(path)? })
            }
            Opening::Files { options, pattern, secret } => {
                Ok(Database::Files(Mutex::new(Direct::open(options, pattern, secret.as_ref())?)))
            }
        }
    }

    pub fn lake(&self) -> Result<&Lake, LakeError> {
        match self {
            Database::Lake { lake, .. } => Ok(lake),
            Database::Files(_) => Err(LakeError::Engine("files were opened, and no lake".to_owned())),
        }
    }

    /// Whether the lake's file is another one than was opened, so that whatever is written is lost.
    pub fn is_replaced(&self) -> bool {
        matches!(self, Database::Lake { file, .. } if !file.is_there())
    }

    pub fn sql(&self, text: &str, limits: &SqlLimits, out: &mut dyn Write) -> Result<SqlSummary, SqlError> {
        match self {
            Database::Lake { lake, .. } => lake.sql(text, limits, out),
            Database::Files(direct) => direct.lock().unwrap_or_else(PoisonError::into_inner).sql(text, limits, out),
        }
    }

    /// Whether DuckDB refuses everything from now on, as after an error that should not be.
    pub fn is_invalidated(&self) -> bool {
        matches!(self, Database::Lake { lake, .. } if matches!(lake.positions(), Err(LakeError::Fatal(_))))
    }
}

/// The file that was opened as the lake.
pub struct LakeFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl LakeFile {
    fn of(path: &Path) -> anyhow::Result<LakeFile> {
        let file = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
        Ok(LakeFile { path: path.to_owned(), device: file.dev(), inode: file.ino() })
    }

    fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode))
    }
}
