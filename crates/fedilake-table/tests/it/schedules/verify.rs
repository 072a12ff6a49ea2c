//! The final check of a table, read from its files without the table's own code.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::log::Log;

/// Checks that every record of `log` is in exactly one file of `store` with its content, and nothing else; only
/// records that retention cut may be missing.
pub(crate) fn rows(store: &InMemory, log: &Log) -> Result<(), String> {
    let mut found: BTreeMap<u64, Vec<Bytes>> = BTreeMap::new();
    let folder = Path::from(format!("posts/log={}", log.id));
    let objects: Vec<_> = store.list(Some(&folder)).try_collect().now_or_never().unwrap().unwrap();
    for object in objects.into_iter().filter(|object| object.location.as_ref().ends_with(".parquet")) {
        let bytes = async { store.get(&object.location).await.unwrap().bytes().await.unwrap() };
        let bytes = bytes.now_or_never().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let columns = ProjectionMask::columns(reader.parquet_schema(), ["log_offset", "rejected_bytes"]);
        for batch in reader.with_projection(columns).build().unwrap() {
            let batch = batch.unwrap();
            let offsets = batch.column_by_name("log_offset").unwrap().as_primitive::<Int64Type>();
            let contents = batch.column_by_name("rejected_bytes").unwrap().as_binary::<i32>();
            for (offset, content) in offsets.iter().zip(contents) {
                let content = Bytes::copy_from_slice(content.unwrap());
                found.entry(offset.unwrap() as u64).or_default().push(content);
            }
        }
    }

    let records = log.records();
    for (offset, contents) in &found {
        match records.get(offset) {
            None => return Err(format!("{} has no record {offset}, the table has", log.id)),
            Some(record) if contents.iter().any(|content| content != record) => {
                return Err(format!("record {offset} of {} is {contents:?} in the table", log.id));
            }
            Some(_) if contents.len() > 1 => {
                return Err(format!("record {offset} of {} is {} times in the table", log.id, contents.len()));
            }
            Some(_) => {}
        }
    }
    match records.keys().find(|offset| **offset >= log.cut().0 && !found.contains_key(offset)) {
        Some(offset) => Err(format!("record {offset} of {} is missing from the table", log.id)),
        None => Ok(()),
    }
}
