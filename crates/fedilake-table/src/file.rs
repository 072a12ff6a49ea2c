//! A data file: the rows of a range of offsets as Parquet, with a footer that says which.
//!
//! Promises: the columns are those of `fedilake_model::schema::TABLE` in its order; the rows are every record of the range, each
//! once; any Parquet reader can read the file without this program; the bytes follow from the rows alone.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use fedilake_log::Offset;
use fedilake_model::schema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::footer::Checksum;
use crate::{Chain, Footer, Holes, layout};

/// How many rows are gathered and encoded at a time: enough to pay for a call, few enough to stay in the cache.
const ROWS_A_STEP: usize = 4_096;

/// A data file before it is put: what its footer says, and all its bytes.
#[derive(Clone, Debug)]
pub struct DataFile {
    footer: Footer,
    bytes: Bytes,
}

/// Why rows cannot become a data file. Always a defect of the caller, or of a log that repeats or invents offsets.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the message of their variant names")]
pub enum FileError {
    /// The batches do not have the table's columns.
    #[error("rows do not have the columns of the table")]
    Columns,
    /// A row's partition or offset does not belong into the file.
    #[error("rows of {chain} from {first} to {next}: {why}")]
    Offsets { chain: Chain, first: Offset, next: Offset, why: String },
    /// The Parquet writer refused.
    #[error("encode rows as Parquet: {0}")]
    Encode(#[from] ParquetError),
    /// The rows could not be put in order.
    #[error("sort rows: {0}")]
    Sort(#[from] arrow::error::ArrowError),
}

impl DataFile {
    /// Makes the file that covers `first..next` of `chain`. The rows of `batches`, in the order of their offsets, are all records
    /// between the two; offsets that no row has are holes. Sorts and compresses: takes CPU for as long as a million rows need
    /// seconds, so call it where that hinders nobody.
    pub fn seal(chain: Chain, first: Offset, next: Offset, batches: &[RecordBatch]) -> Result<DataFile, FileError> {
        let holes = holes(&chain, first, next, batches)?;
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let footer = Footer { chain, first, next, rows, holes };
        let bytes = write(&footer, batches)?;
        Ok(DataFile { footer, bytes })
    }

    /// Makes the file without rows that stands over `first..next`, lost and accepted as lost.
    pub(crate) fn gap(chain: Chain, first: Offset, next: Offset) -> Result<DataFile, FileError> {
        DataFile::seal(chain, first, next, &[])
    }

    /// What the file says of itself.
    pub fn footer(&self) -> &Footer {
        &self.footer
    }

    /// The whole file.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Rows as a Parquet file that is no data file: no footer of ours, rows in the given order, made for speed. The lake takes the
/// log's tail in this form.
pub fn encode(batches: &[RecordBatch]) -> Result<Bytes, FileError> {
    let mut writer = writer(layout::quick())?;
    for batch in batches {
        check_columns(batch)?;
        writer.write(batch)?;
    }
    Ok(writer.into_inner()?.into())
}

fn write(footer: &Footer, batches: &[RecordBatch]) -> Result<Bytes, FileError> {
    let mut writer = writer(layout::sealed(footer.key_values()))?;
    let order = layout::order(batches);
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    for step in order.chunks(ROWS_A_STEP) {
        writer.write(&interleave_record_batch(&batches, step)?)?;
    }
    writer.flush()?;
    // The writer holds its last bytes back.
    writer.sync().map_err(ParquetError::from)?;
    assert_eq!(writer.inner().len(), writer.bytes_written(), "the checksum is over all row groups");
    let mut checksum = Checksum::default();
    checksum.add(writer.inner());
    writer.append_key_value_metadata(checksum.body().key_value());
    Ok(writer.into_inner()?.into())
}

fn writer(properties: WriterProperties) -> Result<ArrowWriter<Vec<u8>>, FileError> {
    // The Arrow schema as a footer entry says nothing that the Parquet schema does not.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    Ok(ArrowWriter::try_new_with_options(Vec::new(), schema::TABLE.clone(), options)?)
}

fn check_columns(batch: &RecordBatch) -> Result<(), FileError> {
    if batch.schema_ref().fields() == schema::TABLE.fields() { Ok(()) } else { Err(FileError::Columns) }
}

/// Holds the rows' own partitions and offsets against the range, and finds the offsets that no row has.
fn holes(chain: &Chain, first: Offset, next: Offset, batches: &[RecordBatch]) -> Result<Holes, FileError> {
    let refuse = |why: String| Err(FileError::Offsets { chain: chain.clone(), first, next, why });
    if next <= first {
        return refuse("the range is empty".to_string());
    }
    let mut present: Vec<Offset> = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        check_columns(batch)?;
        let (partitions, offsets) = (column(batch, "log_partition"), column(batch, "log_offset"));
        let partitions = partitions.as_primitive::<Int32Type>().values();
        if let Some(other) = partitions.iter().find(|&&partition| i64::from(partition) != i64::from(chain.partition.0))
        {
            return refuse(format!("a row is of partition {other}"));
        }
        for &offset in offsets.as_primitive::<Int64Type>().values() {
            let fits = u64::try_from(offset).ok().map(Offset).filter(|offset| (first..next).contains(offset));
            match fits {
                None => return refuse(format!("a row has offset {offset}")),
                Some(offset) if present.last().is_some_and(|last| *last >= offset) => {
                    return refuse(format!("offset {offset} comes after one that is not below it"));
                }
                Some(offset) => present.push(offset),
            }
        }
    }
    Ok(Holes::between(first, next, present))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    batch.column_by_name(name).expect("the table's schema was checked and has the column").as_ref()
}
