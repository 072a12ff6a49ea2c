//! Bytes of a source's files, and the numbers of rows in their footers.

use std::collections::HashMap;

use bytes::Bytes;
use fedilake_log::LogError;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::source::SourceFile;
use crate::telemetry::catching;

/// Most footers are smaller: one request reads them.
const FOOTER_GUESS_BYTES: u64 = 32 << 10;

/// A larger file is none of the sink's, and would not fit into memory with its rows.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// Reads a whole file. The sink's files are small: 180 KB for 1,000 posts.
pub(super) async fn whole(store: &dyn ObjectStore, file: &SourceFile) -> Result<Bytes, LogError> {
    if file.is_dangling {
        return Err(file.dangling());
    }
    if file.bytes > FILE_BYTES_MAX {
        let why = format!("it has {} bytes, more than {FILE_BYTES_MAX}", file.bytes);
        return Err(LogError::Damaged { at: file.shown(), why });
    }
    let read = async { store.get(&file.location).await?.bytes().await };
    read.await.map_err(|error| failed(file, &error))
}

/// The numbers of rows of files; each footer is read once.
#[derive(Clone, Debug, Default)]
pub(super) struct RowCounts(HashMap<Path, Option<u64>>);

impl RowCounts {
    /// Notes that `file` has so many rows: its footer need not be read.
    pub(super) fn know(&mut self, file: &SourceFile, rows: u64) {
        self.0.insert(file.location.clone(), Some(rows));
    }

    /// The number of rows of `file`; None if its footer cannot be read.
    pub(super) async fn of(&mut self, store: &dyn ObjectStore, file: &SourceFile) -> Result<Option<u64>, LogError> {
        if let Some(rows) = self.0.get(&file.location) {
            return Ok(*rows);
        }
        let rows = rows_of(store, file).await?;
        self.0.insert(file.location.clone(), rows);
        Ok(rows)
    }
}

async fn rows_of(store: &dyn ObjectStore, file: &SourceFile) -> Result<Option<u64>, LogError> {
    if file.bytes == 0 {
        return Ok(None);
    }
    let mut wanted = FOOTER_GUESS_BYTES.min(file.bytes);
    loop {
        let options = GetOptions { range: Some(GetRange::Suffix(wanted)), ..GetOptions::default() };
        let read = async { store.get_opts(&file.location, options).await?.bytes().await };
        let end = read.await.map_err(|error| failed(file, &error))?;
        let parsed = catching(|| {
            let mut reader = ParquetMetaDataReader::new();
            reader.try_parse_sized(&end, file.bytes).and_then(|()| reader.finish())
        });
        match parsed {
            Ok(Ok(metadata)) => return Ok(file_rows(&metadata)),
            Ok(Err(ParquetError::NeedMoreData(more))) if wanted < more as u64 && more as u64 <= file.bytes => {
                wanted = more as u64;
            }
            _ => return Ok(None),
        }
    }
}

/// The rows that all parts of a footer agree on.
pub(super) fn file_rows(metadata: &ParquetMetaData) -> Option<u64> {
    let mut groups = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).ok());
    let rows = groups.try_fold(0_u64, |sum, rows| sum.checked_add(rows?))?;
    (u64::try_from(metadata.file_metadata().num_rows()) == Ok(rows)).then_some(rows)
}

fn failed(file: &SourceFile, error: &object_store::Error) -> LogError {
    LogError::Storage { doing: "read", at: file.shown(), why: error.to_string() }
}
