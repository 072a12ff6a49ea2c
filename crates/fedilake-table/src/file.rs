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

#[cfg(test)]
mod tests {
    use fedilake_log::{LogId, Partition};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::Type;

    use super::*;
    use crate::conformance::rows;

    fn chain() -> Chain {
        Chain { log: LogId::new("l").unwrap(), partition: Partition(1) }
    }

    fn seal(first: u64, next: u64, batches: &[RecordBatch]) -> Result<DataFile, FileError> {
        DataFile::seal(chain(), Offset(first), Offset(next), batches)
    }

    fn read(bytes: &Bytes) -> RecordBatch {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().with_batch_size(1 << 20);
        reader.build().unwrap().next().unwrap().unwrap()
    }

    #[test]
    fn rows_read_back_as_they_were_written() {
        let batches = [rows(Partition(1), 3..9), rows(Partition(1), [12, 14])];
        let all = arrow::compute::concat_batches(&schema::TABLE, &batches).unwrap();
        let file = seal(2, 15, &batches).unwrap();
        assert_eq!(file.footer().holes.to_string(), "2..=2,9..=11,13..=13");
        for bytes in [file.bytes(), &encode(&batches).unwrap()] {
            assert_eq!(read(bytes).columns(), all.columns());
        }
        assert_eq!(file.bytes(), seal(2, 15, &[all]).unwrap().bytes(), "bytes follow from the rows alone");
    }

    #[test]
    fn a_reader_without_arrow_sees_the_columns_as_they_are() {
        let file = seal(0, 1, &[rows(Partition(1), 0..1)]).unwrap();
        let metadata = ParquetRecordBatchReaderBuilder::try_new(file.bytes().clone()).unwrap();
        assert_eq!(metadata.schema().fields(), schema::TABLE.fields());
        let columns = metadata.parquet_schema().columns().iter();
        let names: Vec<_> = columns.clone().map(|column| column.path().parts()[0].clone()).collect();
        assert_eq!(names, schema::TABLE.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>());
        let offset = columns.into_iter().find(|column| column.name() == "log_offset").unwrap();
        assert_eq!(offset.physical_type(), Type::INT64);
    }

    #[test]
    fn a_row_that_does_not_belong_into_the_file_is_refused() {
        let ours = Partition(1);
        let cases = [
            (0, 0, vec![], "the range is empty"),
            (5, 3, vec![], "the range is empty"),
            (0, 9, vec![rows(Partition(2), 0..1)], "a row is of partition 2"),
            (1, 9, vec![rows(ours, 0..3)], "a row has offset 0"),
            (0, 3, vec![rows(ours, 0..4)], "a row has offset 3"),
            (0, 9, vec![rows(ours, [0, 2, 2])], "offset 2 comes after one that is not below it"),
            (0, 9, vec![rows(ours, 4..6), rows(ours, 2..4)], "offset 2 comes after one that is not below it"),
        ];
        for (first, next, batches, wanted) in cases {
            let FileError::Offsets { why, .. } = seal(first, next, &batches).unwrap_err() else { panic!("{wanted}") };
            assert_eq!(why, wanted);
        }
        let fewer = rows(ours, 0..1).project(&[0, 1]).unwrap();
        assert!(matches!(seal(0, 1, std::slice::from_ref(&fewer)), Err(FileError::Columns)));
        assert!(matches!(encode(&[fewer]), Err(FileError::Columns)));
    }
}
