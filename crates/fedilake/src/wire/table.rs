//! The table of the setting `table.url`, and its files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fedilake_log::Offset;
use fedilake_query::{Chunk, direct};
use fedilake_table::local::InPlace;
use fedilake_table::s3::S3Url;
use fedilake_table::{FileMeta, Finding, Footer, Table, TableError, sink};
use futures::{StreamExt, TryStreamExt};

use super::{Scheme, path_below, s3};
use crate::chunk::{chunk_of, folders};
use crate::owner::{Ownership, make_private};
use crate::settings::{Settings, key};
use crate::temporary::Temporary;

/// Files of a table elsewhere that are copied at the same time.
const COPIES_AT_ONCE: usize = 8;

/// A table's data files for DuckDB, which reads only files of this machine.
#[derive(Clone)]
pub struct TableFiles {
    table: Arc<Table>,
    /// The table's folder, if it is on this machine.
    folder: Option<PathBuf>,
}

impl TableFiles {
    /// The files of a table that is not on this machine.
    #[cfg(test)]
    pub fn elsewhere(table: Arc<Table>) -> TableFiles {
        TableFiles { table, folder: None }
    }

    /// The files as chunks, one for each; the error of one that is damaged says why. Reads the footers and not the rows.
    /// Files of a table elsewhere are copied into `scratch`, unless they are there already; the caller removes `scratch`.
    pub async fn chunks(&self, files: &[FileMeta], scratch: &Temporary) -> anyhow::Result<Vec<Result<Chunk, String>>> {
        let mut chunks = Vec::with_capacity(files.len());
        for file in files {
            let path = match &self.folder {
                Some(folder) => folder.join(file.location.as_ref()),
                None => self.copy(file, scratch).await?,
            };
            chunks.push(own_end(file, &path)?.map(|end| chunk_of(file, end, path)));
        }
        Ok(chunks)
    }

    /// True if the table is on this machine, so that [`TableFiles::bring`] has nothing to copy.
    pub fn are_here(&self) -> bool {
        self.folder.is_some()
    }

    /// The path at which DuckDB reads a file: where it lies, or below `scratch` once it is brought.
    pub fn path(&self, file: &FileMeta, scratch: &Temporary) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.join(file.location.as_ref()),
            None => folder_of_copy(file, scratch).path().join(format!("{}.parquet", file.first)),
        }
    }

    /// Copies the files of a table elsewhere into `scratch` and checks each copy's checksum: `Some` says of the first bad one why it is
    /// damaged.
    pub async fn bring(&self, files: &[FileMeta], scratch: &Temporary) -> anyhow::Result<Option<String>> {
        if self.are_here() {
            return Ok(None);
        }
        let bring = async |file: FileMeta| {
            let path = self.copy(&file, scratch).await?;
            match tokio::task::spawn_blocking(move || Footer::of_whole_file(&path)).await? {
                Ok(_) => Ok(None),
                Err(TableError::Damaged { why, .. }) => Ok(Some(format!("{}: {why}", file.location))),
                Err(error) => Err(error).context("read the copy of a table file"),
            }
        };
        // Collected first, because a stream of lazily made futures that borrow is not `Send` for every lifetime.
        let brought: Vec<_> = files.iter().cloned().map(bring).collect();
        let mut brought = futures::stream::iter(brought).buffer_unordered(COPIES_AT_ONCE);
        while let Some(damaged) = brought.try_next().await? {
            if damaged.is_some() {
                return Ok(damaged);
            }
        }
        Ok(None)
    }

    async fn copy(&self, file: &FileMeta, scratch: &Temporary) -> anyhow::Result<PathBuf> {
        let path = self.path(file, scratch);
        // A data file never changes, so a copy of the same size is whole.
        if std::fs::metadata(&path).is_ok_and(|there| there.len() == file.bytes) {
            return Ok(path);
        }
        folder_of_copy(file, scratch).make()?;
        self.table.copy(file, &path).await.with_context(|| format!("copy {} here", file.location))?;
        Ok(path)
    }
}

fn folder_of_copy(file: &FileMeta, scratch: &Temporary) -> Temporary {
    scratch.folder(folders(&file.chain.log, file.chain.partition))
}

/// The end of a file at `path` by its footer; the inner error says why the file is damaged. The next file's name is its
/// end only if no file between the two was lost.
fn own_end(file: &FileMeta, path: &Path) -> anyhow::Result<Result<Offset, String>> {
    match Footer::of_file(path) {
        Ok(footer) if footer.chain == file.chain && footer.first == file.first => Ok(Ok(footer.next)),
        Ok(Footer { chain, first, .. }) => Ok(Err(format!("its footer is that of {chain} from offset {first}"))),
        Err(TableError::Damaged { why, .. }) => Ok(Err(why)),
        Err(error) => Err(error).context("read a table file"),
    }
}

/// The purpose for which a log and a table are opened. It decides what is created and which permissions are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Reading, which needs no permission to write and creates nothing in Kafka or on S3.
    Read,
    /// Storing the log in the table: creates the log's topic if there is none, and appends nothing. A store that ignores
    /// create-only puts is refused.
    Store,
    /// Appending to the log as well: registers the schema and creates the topics.
    Write,
}

/// Opens the table, creating it if needed. A table in the data folder needs its ownership.
pub async fn open_table(
    ownership: Option<&Arc<Ownership>>,
    settings: &Settings,
    used: Use,
) -> anyhow::Result<(Arc<Table>, TableFiles)> {
    match Scheme::of(key::TABLE_URL, settings)? {
        Scheme::S3 => {
            let table = Arc::new(open_s3(settings, used).await?);
            Ok((Arc::clone(&table), TableFiles { table, folder: None }))
        }
        _ => {
            let ownership = ownership.context("a `file:` table has one owner")?;
            let folder = table_folder(ownership.folder(), settings)?;
            let table = Arc::new(open_local(&folder)?);
            ownership.hold(&folder)?;
            Ok((Arc::clone(&table), TableFiles { table, folder: Some(folder) }))
        }
    }
}

/// One sentence for each fault of the table that figures from its plain files may show. Reads every file's footer; writes nothing.
pub async fn faults_of_table(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let table = match Scheme::of(key::TABLE_URL, settings)? {
        Scheme::S3 => {
            let s3 = s3::open(&S3Url::parse(settings.get(key::TABLE_URL))?, settings)?;
            Table::new(s3.store, s3.prefix)
        }
        _ => {
            let folder = table_folder(&settings.data()?, settings)?;
            if !folder.is_dir() {
                return Ok(Vec::new());
            }
            let store = InPlace::open(&folder).with_context(|| format!("open table {}", folder.display()))?;
            Table::new(Arc::new(store), object_store::path::Path::default())
        }
    };
    let faults = table.faults().await.context("read the table's footers")?;
    let sentence = |finding: &Finding| match finding {
        Finding::Missing { .. } => Some(format!("the figures lack offsets that the table lost: {finding}")),
        Finding::Damaged { .. } => Some(format!("the figures may lack records or have others': {finding}")),
        Finding::Doubled { .. } => Some(format!("the views count each post once all the same: {finding}")),
        Finding::Stray { .. } => Some(format!("the figures have its posts too, if it has any: {finding}")),
        Finding::NoStart { .. } => None,
    };
    Ok(faults.iter().filter_map(sentence).collect())
}

async fn open_s3(settings: &Settings, used: Use) -> anyhow::Result<Table> {
    let url = settings.get(key::TABLE_URL);
    let open = || s3::open(&S3Url::parse(url)?, settings);
    let s3 = open().with_context(|| format!("open table {url}"))?;
    let reached = match used {
        Use::Read => s3.reach().await,
        Use::Store | Use::Write => s3.probe().await,
    };
    reached.with_context(|| format!("open table {url}"))?;
    Ok(Table::new(s3.store, s3.prefix))
}

/// The folder of a `file:` table, which need not exist.
pub fn table_folder(data: &Path, settings: &Settings) -> anyhow::Result<PathBuf> {
    path_below(data, key::TABLE_URL, settings)
}

/// Opens the table of the owned folder, and removes what killed writers left.
fn open_local(folder: &Path) -> anyhow::Result<Table> {
    direct::look_at(&folder.join("posts")).map_err(|reason| anyhow::anyhow!(reason))?;
    make_private(folder).with_context(|| format!("make {}", folder.display()))?;
    let leftovers =
        fedilake_table::local::remove_leftovers(folder).with_context(|| format!("clean up {}", folder.display()))?;
    if leftovers.files > 0 {
        tracing::debug!(
            files = leftovers.files,
            bytes = leftovers.bytes,
            "removed files that a killed process had not committed"
        );
    }
    let store = InPlace::open(folder).with_context(|| format!("open table {}", folder.display()))?;
    Ok(Table::new(Arc::new(store), object_store::path::Path::default()))
}

/// Each file on S3 costs its readers requests.
const S3_BUFFER_AGE: Duration = Duration::from_secs(60 * 60);

/// The sink's limits for a file.
pub fn sink_limits(settings: &Settings) -> anyhow::Result<sink::Limits> {
    Ok(sink::Limits {
        buffer_bytes_max: settings.get(key::SINK_BUFFER_BYTES_MAX),
        buffer_age_max: match settings.get(key::SINK_BUFFER_AGE_SECONDS_MAX) {
            Some(age) => age,
            None if Scheme::of(key::TABLE_URL, settings)? == Scheme::S3 => S3_BUFFER_AGE,
            // Many small files cost nothing on a local disk.
            None => sink::Limits::default().buffer_age_max,
        },
        buffers_bytes_max: settings.get(key::SINK_BUFFERS_BYTES_MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_wait_longer_for_a_file_on_s3_unless_a_setting_says_how_long() -> anyhow::Result<()> {
        let settings = Settings::load(None, [], &[])?;
        let minutes = |settings: &Settings| anyhow::Ok(sink_limits(settings)?.buffer_age_max.as_secs() / 60);
        let on_s3 = settings.with(key::TABLE_URL, "s3://bucket/prefix".to_owned());
        let told = on_s3.with(key::SINK_BUFFER_AGE_SECONDS_MAX, "120".to_owned());
        assert_eq!((minutes(&settings)?, minutes(&on_s3)?, minutes(&told)?), (15, 60, 2));
        Ok(())
    }
}
