//! The database that the lake's process owns: a lake, or a DuckDB over plain files.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use fedilake_query::{Direct, Lake, LakeError, SqlError, SqlLimits, SqlSummary};

use super::protocol::Opening;
use crate::identity::Identity;

/// The database behind every question.
pub enum Database {
    Lake { lake: Box<Lake>, path: PathBuf, identity: Identity },
    Files(Mutex<Direct>),
}

impl Database {
    pub fn open(opening: &Opening) -> anyhow::Result<Database> {
        match opening {
            Opening::Lake { path, options } => {
                let lake = Box::new(Lake::open(path, options.clone())?);
                let identity = Identity::at(path).with_context(|| format!("look at {}", path.display()))?;
                Ok(Database::Lake { lake, path: path.clone(), identity })
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

    /// Why a lake that lay there was deleted first, as a sentence about it.
    pub fn rebuilt(&self) -> Option<&str> {
        match self {
            Database::Lake { lake, .. } => lake.rebuilt(),
            Database::Files(_) => None,
        }
    }

    /// True if the lake's path names another file than the opened one, so that every write is lost.
    pub fn is_replaced(&self) -> bool {
        matches!(self, Database::Lake { path, identity, .. } if !identity.is_at(path))
    }

    pub fn sql(&self, text: &str, limits: &SqlLimits, out: &mut dyn Write) -> Result<SqlSummary, SqlError> {
        match self {
            Database::Lake { lake, .. } => lake.sql(text, limits, out),
            Database::Files(direct) => direct.lock().unwrap_or_else(PoisonError::into_inner).sql(text, limits, out),
        }
    }

    /// True if DuckDB refuses every further statement, as after an internal error.
    pub fn is_invalidated(&self) -> bool {
        matches!(self, Database::Lake { lake, .. } if matches!(lake.positions(), Err(LakeError::Fatal(_))))
    }
}
