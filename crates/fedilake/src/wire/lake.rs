//! The lake in the data folder, and the limits of questions.

use std::path::PathBuf;
use std::sync::Arc;

use fedilake_query::answer::sql::SqlErrorKind;
use fedilake_query::views::Deletes;
use fedilake_query::{DirectOptions, LakeOptions, S3Secret, SqlError, SqlLimits, SqlSummary};

use crate::lake_process::{LakeProcess, Opening};
use crate::owner::Ownership;
use crate::settings::{Settings, key};
use crate::temporary::Scratch;

/// DuckDB's memory while a lake is filled: its cache of blocks takes all that it may, and gains a fifth of the time by 1 GB.
const FILL_BYTES_MAX: u64 = 384 << 20;

/// Starts to open the lake in an owned folder. The lake's process keeps the folder's lock until the lake is closed. `busy_cores` are
/// those that other loops of this process use.
pub fn open_lake(ownership: Arc<Ownership>, settings: &Settings, busy_cores: usize) -> anyhow::Result<LakeProcess> {
    let options = LakeOptions {
        memory_bytes_max: settings.get(key::LAKE_MEMORY_BYTES_MAX),
        threads: threads(settings, busy_cores),
        deletes: deletes(settings)?,
        ..LakeOptions::default()
    };
    let path = ownership.folder().join("lake.duckdb");
    Ok(LakeProcess::start(Opening::Lake { path, options }, Some(ownership)))
}

/// The settings of a process that fills a lake and has few questions to answer: unless told otherwise it takes every core and less memory.
pub fn to_fill(settings: &Settings) -> Settings {
    let cores = LakeOptions::default().threads;
    settings
        .with_default(key::LAKE_THREADS, cores.to_string())
        .with_default(key::LAKE_MEMORY_BYTES_MAX, FILL_BYTES_MAX.to_string())
}

/// Starts a separate DuckDB for one question about plain files.
pub fn open_files(pattern: String, secret: Option<S3Secret>, settings: &Settings) -> anyhow::Result<LakeProcess> {
    let spills = Scratch::unguessable(&std::env::temp_dir(), "fedilake-direct")?;
    let options = direct_options(spills.folder().path(), settings)?;
    Ok(LakeProcess::start(Opening::Files { options, pattern, secret }, None).with_scratch(spills))
}

/// The setting that says which deletes hide a post.
pub fn deletes(settings: &Settings) -> anyhow::Result<Deletes> {
    settings.get(key::CONSENT_DELETES).parse().map_err(|why: String| anyhow::anyhow!("setting consent.deletes: {why}"))
}

fn threads(settings: &Settings, busy_cores: usize) -> usize {
    match settings.get(key::LAKE_THREADS) {
        // Small takes, which keep answers fresh, are faster by one thread that has its core than by two that share theirs.
        0 => LakeOptions::default().threads.saturating_sub(busy_cores).max(1),
        threads => threads,
    }
}

/// The same memory limit as a lake's, because no lake is open beside it.
fn direct_options(spill_folder: PathBuf, settings: &Settings) -> anyhow::Result<DirectOptions> {
    Ok(DirectOptions {
        memory_bytes_max: settings.get(key::LAKE_MEMORY_BYTES_MAX),
        threads: threads(settings, 0),
        spill_folder,
        deletes: deletes(settings)?,
        httpfs: Some(PathBuf::from(settings.get(key::SQL_HTTPFS))).filter(|file| !file.as_os_str().is_empty()),
    })
}

/// The limits of a question about plain files; DuckDB itself limits the memory.
pub fn direct_limits(settings: &Settings) -> anyhow::Result<SqlLimits> {
    Ok(SqlLimits { memory_bytes_max: None, ..sql_limits(settings)? })
}

/// The limits of a question in SQL: half of the lake's memory, so that the follower can go on.
pub fn sql_limits(settings: &Settings) -> anyhow::Result<SqlLimits> {
    let lake_bytes_max: u64 = settings.get(key::LAKE_MEMORY_BYTES_MAX);
    Ok(SqlLimits {
        time: settings.get(key::SQL_SECONDS_MAX),
        memory_bytes_max: Some(lake_bytes_max / 2),
        ..SqlLimits::default()
    })
}

/// Adds a hint to an error that reached one of [`sql_limits`], with the setting to raise.
pub fn with_sql_hint(error: SqlError) -> anyhow::Error {
    let (more, setting) = match error.kind {
        SqlErrorKind::Memory => ("memory", "lake.memory_bytes_max"),
        SqlErrorKind::Time => ("time", "sql.seconds_max"),
        _ => return error.into(),
    };
    anyhow::anyhow!("{error}\nhint: ask for less at once, or give it more {more} with the setting {setting}")
}

/// Combines the results of asking and of reading the answer. If both failed, returns the cause: an error of the
/// question rather than of the broken-off answer, an error of the reader rather than of the answer that it stopped
/// reading.
pub fn outcome<T>(asked: Result<SqlSummary, SqlError>, read: anyhow::Result<T>) -> anyhow::Result<T> {
    match (asked, read) {
        (Err(unread), Err(read)) if unread.kind == SqlErrorKind::Output => Err(read),
        (Err(failed), _) => Err(with_sql_hint(failed)),
        (Ok(_), read) => read,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn defaults() -> anyhow::Result<Settings> {
        Settings::load(None, [], &[])
    }

    #[test]
    fn a_folder_is_let_go_when_its_lake_is_closed() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let ownership = Arc::new(Ownership::take(folder.path())?.context("free")?);
        let lake = open_lake(Arc::clone(&ownership), &defaults()?, 0)?;
        lake.opened()?;
        drop(ownership);
        assert!(Ownership::take(folder.path())?.is_none(), "the lake is open");
        drop(lake);
        assert!(Ownership::take(folder.path())?.is_some());
        Ok(())
    }

    #[test]
    fn the_lake_leaves_cores_to_others_unless_its_threads_are_told() -> anyhow::Result<()> {
        let cores = LakeOptions::default().threads;
        assert_eq!(threads(&defaults()?, 0), cores);
        assert_eq!(threads(&defaults()?, 1), (cores - 1).max(1));
        assert_eq!(threads(&defaults()?, cores + 1), 1);
        assert_eq!(threads(&defaults()?.with(key::LAKE_THREADS, "3".to_owned()), 1), 3);
        Ok(())
    }

    #[test]
    fn a_lake_is_filled_by_every_core_in_little_memory_unless_told() -> anyhow::Result<()> {
        let cores = LakeOptions::default().threads;
        let of = |settings: &Settings| (threads(settings, 1), settings.get(key::LAKE_MEMORY_BYTES_MAX));
        assert_eq!(of(&to_fill(&defaults()?)), (cores, FILL_BYTES_MAX));
        let told = Settings::load(None, [("FEDILAKE_LAKE_MEMORY_BYTES_MAX".into(), "100000000".into())], &[])?;
        assert_eq!(of(&to_fill(&told.with(key::LAKE_THREADS, "0".to_owned()))), ((cores - 1).max(1), 100_000_000));
        Ok(())
    }

    #[test]
    fn a_question_may_take_half_of_the_lakes_memory() -> anyhow::Result<()> {
        let settings =
            defaults()?.with(key::LAKE_MEMORY_BYTES_MAX, "1000".to_owned()).with(key::SQL_SECONDS_MAX, "7".to_owned());
        let limits = sql_limits(&settings)?;
        assert_eq!((limits.memory_bytes_max, limits.time), (Some(500), std::time::Duration::from_secs(7)));
        Ok(())
    }
}
