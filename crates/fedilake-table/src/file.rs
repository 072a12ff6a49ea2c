//! A data file: the rows of a range of offsets as Parquet, with the range in the footer.
//!
//! Promises: the columns are those of `fedilake_model::schema::TABLE`, each once, in the order of
//! [`layout`](crate::layout); the rows are every record of the range, each once; any Parquet reader can read the file
//! without this program; the same rows always give the same bytes.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use fedilake_log::Offset;
use fedilake_model::avro::{DecodeError, Decoder, Encoded};
use fedilake_model::schema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::footer::Checksum;
use crate::{Chain, Footer, Holes, layout};

/// Rows decoded and encoded at a time: enough to make up for a call, few enough to stay in the processor's cache.
const ROWS_A_STEP: usize = 4_096;

/// The limit of a step in bytes: large records go in smaller steps.
const BYTES_A_STEP: usize = 16 << 20;

/// A data file before it is put: its footer's content, and all its bytes.
#[derive(Clone, Debug)]
pub struct DataFile {
    footer: Footer,
    bytes: Bytes,
}

/// Why records cannot become a data file. All but [`FileError::Decode`] mean a defect of the caller, or of a log that
/// repeats or invents offsets.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the message of their variant names")]
pub enum FileError {
    /// The batches do not have the table's columns.
    #[error("rows do not have the columns of the table")]
    Columns,
    /// A record's partition or offset does not belong in the file.
    #[error("records of {chain} from {first} to {next}: {why}")]
    Offsets { chain: Chain, first: Offset, next: Offset, why: String },
    /// The Parquet writer refused.
    #[error("encode rows as Parquet: {0}")]
    Encode(#[from] ParquetError),
    /// A record cannot become a row. Usually this program does not know its schema, and to go on would drop columns.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl DataFile {
    /// Makes the file that covers `first..next` of `chain`. `records` are all records of this range in the order of
    /// their offsets; offsets without a record become holes. Decodes, sorts and compresses, which takes seconds of
    /// CPU for a million records: call it on a thread that may block.
    pub fn seal(
        chain: Chain,
        first: Offset,
        next: Offset,
        records: &[Encoded],
        decoder: &mut Decoder,
    ) -> Result<DataFile, FileError> {
        let holes = holes(&chain, first, next, records)?;
        let footer = Footer { chain, first, next, rows: records.len() as u64, holes };
        let bytes = write(&footer, records, decoder)?;
        Ok(DataFile { footer, bytes })
    }

    /// Makes the file without rows for offsets `first..next`, which are lost and accepted as lost.
    pub(crate) fn gap(chain: Chain, first: Offset, next: Offset) -> Result<DataFile, FileError> {
        DataFile::seal(chain, first, next, &[], &mut Decoder::new())
    }

    /// The content of the footer.
    pub fn footer(&self) -> &Footer {
        &self.footer
    }

    /// The whole file.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Writes rows as a Parquet file that is not a data file: without our footer, rows in the given order, made for
/// speed. The lake takes the log's tail in this form.
pub fn encode(batches: &[RecordBatch]) -> Result<Bytes, FileError> {
    let mut writer = writer(layout::quick(), schema::TABLE.clone(), 0)?;
    for batch in batches {
        check_columns(batch)?;
        writer.write(batch)?;
    }
    Ok(writer.into_inner()?.into())
}

/// Writes the file. Records are sorted before they are decoded: a record is one piece of memory, a row is one per
/// column.
fn write(footer: &Footer, records: &[Encoded], decoder: &mut Decoder) -> Result<Bytes, FileError> {
    // A file is a quarter of its records; memory that is not written to costs nothing.
    let room = records.iter().map(|record| record.value.len()).sum::<usize>() / 2;
    let mut writer = writer(layout::sealed(footer.key_values()), layout::SCHEMA.clone(), room)?;
    let order = layout::order(records, decoder)?;
    let mut rest = order.as_slice();
    while !rest.is_empty() {
        let (step, after) = rest.split_at(rows_of_a_step(records, rest));
        let rows = decoder.decode(step.iter().map(|&at| &records[at]))?;
        writer.write(&rows.project(&layout::COLUMNS).map_err(DecodeError::from)?)?;
        rest = after;
    }
    writer.flush()?;
    // The writer keeps its last bytes back until it is synced.
    writer.sync().map_err(ParquetError::from)?;
    assert_eq!(writer.inner().len(), writer.bytes_written(), "the checksum is over all row groups");
    let mut checksum = Checksum::default();
    checksum.add(writer.inner());
    writer.append_key_value_metadata(checksum.body().key_value());
    Ok(writer.into_inner()?.into())
}

/// The number of records in the next step.
fn rows_of_a_step(records: &[Encoded], order: &[usize]) -> usize {
    let mut bytes = 0;
    let step = order.iter().take(ROWS_A_STEP).take_while(|&&at| {
        let fits = bytes < BYTES_A_STEP;
        bytes += records[at].value.len();
        fits
    });
    step.count()
}

/// A writer into memory, with room for `room` bytes before these move.
fn writer(properties: WriterProperties, schema: SchemaRef, room: usize) -> Result<ArrowWriter<Vec<u8>>, FileError> {
    // Without the Arrow schema as a footer entry: it repeats the Parquet schema.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    Ok(ArrowWriter::try_new_with_options(Vec::with_capacity(room), schema, options)?)
}

fn check_columns(batch: &RecordBatch) -> Result<(), FileError> {
    if batch.schema_ref().fields() == schema::TABLE.fields() { Ok(()) } else { Err(FileError::Columns) }
}

/// Checks the records' partitions and offsets against the range, and finds the offsets without a record.
fn holes(chain: &Chain, first: Offset, next: Offset, records: &[Encoded]) -> Result<Holes, FileError> {
    let refuse = |why: String| Err(FileError::Offsets { chain: chain.clone(), first, next, why });
    if next <= first {
        return refuse("the range is empty".to_string());
    }
    let mut expected = first;
    for record in records {
        let offset = Offset(record.offset);
        if record.partition != chain.partition.0 {
            return refuse(format!("a record is of partition {}", record.partition));
        }
        if !(first..next).contains(&offset) {
            return refuse(format!("a record has offset {offset}"));
        }
        if offset < expected {
            return refuse(format!("offset {offset} is not above the one before it"));
        }
        expected = offset.next();
    }
    Ok(Holes::between(first, next, records.iter().map(|record| Offset(record.offset))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, make_array};
    use arrow::datatypes::{Field, Int64Type};
    use fedilake_log::{LogId, Partition};
    use fedilake_model::avro;
    use fedilake_model::{Frame, FrameKind, PostEvent, Server};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::Type;
    use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
    use parquet::file::statistics::Statistics;

    use super::*;
    use crate::conformance::records;

    fn chain() -> Chain {
        Chain { log: LogId::new("l").unwrap(), partition: Partition(1) }
    }

    fn seal(first: u64, next: u64, records: &[Encoded]) -> Result<DataFile, FileError> {
        DataFile::seal(chain(), Offset(first), Offset(next), records, &mut Decoder::new())
    }

    fn decode(records: &[Encoded]) -> RecordBatch {
        Decoder::new().decode(records).unwrap()
    }

    fn read(bytes: &Bytes) -> RecordBatch {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().with_batch_size(1 << 20);
        reader.build().unwrap().next().unwrap().unwrap()
    }

    /// The rows with the columns of a file, whose types carry their ids.
    fn numbered(rows: &RecordBatch) -> RecordBatch {
        let typed = |(column, field): (&ArrayRef, &Arc<Field>)| {
            make_array(column.to_data().into_builder().data_type(field.data_type().clone()).build().unwrap())
        };
        let rows = rows.project(&layout::COLUMNS).unwrap();
        let columns = rows.columns().iter().zip(layout::SCHEMA.fields()).map(typed).collect();
        RecordBatch::try_new(layout::SCHEMA.clone(), columns).unwrap()
    }

    #[test]
    fn rows_read_back_as_they_were_written() {
        let records = records(Partition(1), [3, 4, 5, 6, 7, 8, 12, 14]);
        let file = seal(2, 15, &records).unwrap();
        assert_eq!(file.footer().holes.to_string(), "2..=2,9..=11,13..=13");
        let halves = [decode(&records[..3]), decode(&records[3..])];
        let rows = decode(&records);
        assert_eq!(read(file.bytes()).columns(), numbered(&rows).columns());
        assert_eq!(read(&encode(&halves).unwrap()).columns(), rows.columns());
        assert_eq!(file.bytes(), seal(2, 15, &records).unwrap().bytes(), "bytes follow from the records alone");
    }

    #[test]
    fn records_of_any_size_go_in_steps_and_none_is_left_out() {
        let mut records = records(Partition(1), 0..2 * ROWS_A_STEP as u64 + 1);
        for at in [0, 1, 7] {
            records[at].value = vec![b'x'; BYTES_A_STEP].into();
        }
        let rows = read(seal(0, records.len() as u64, &records).unwrap().bytes());
        let offsets = rows.column_by_name("log_offset").unwrap().as_primitive::<Int64Type>();
        assert!(offsets.values().iter().copied().eq(0..records.len() as i64));
    }

    #[test]
    fn a_reader_without_arrow_sees_the_columns_as_they_are() {
        let file = seal(0, 1, &records(Partition(1), 0..1)).unwrap();
        let metadata = ParquetRecordBatchReaderBuilder::try_new(file.bytes().clone()).unwrap();
        assert_eq!(metadata.schema().fields(), layout::SCHEMA.fields());
        let columns = metadata.parquet_schema().columns().iter();
        let names: Vec<_> = columns.clone().map(|column| column.path().parts()[0].clone()).collect();
        assert_eq!(names, layout::SCHEMA.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>());
        let mut columns_there = layout::COLUMNS.clone();
        columns_there.sort_unstable();
        assert!(columns_there.into_iter().eq(0..schema::TABLE.fields().len()), "each column of the table once");
        let offset = columns.into_iter().find(|column| column.name() == "log_offset").unwrap();
        assert_eq!(offset.physical_type(), Type::INT64);
    }

    /// A post with a long text, a delete and a record that cannot be decoded.
    fn events() -> Vec<Encoded> {
        let json = format!(
            r#"{{"id":"1","uri":"https://a.example/1","account":{{"acct":"ann"}},"content":"{}","tags":[{{"name":"b"}},{{"name":"a"}}],
            "created_at":"2023-02-03T04:05:06.789Z","favourites_count":7,"sensitive":true,
            "media_attachments":[{{"type":"image"}}]}}"#,
            "long ".repeat(10_000)
        );
        let frames = [(FrameKind::Update, json), (FrameKind::Delete, "2".to_owned())];
        let observed_at = chrono::DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let translate = |(kind, data): (FrameKind, String)| {
            PostEvent::from_api(&Frame { kind, data: data.into() }, &Server::new("a.example"), observed_at).unwrap()
        };
        let mut values = avro::encode(&frames.map(translate));
        values.push(Bytes::from_static(b"unreadable"));
        let record = |(offset, value)| Encoded { partition: 1, offset, appended_at_ms: 5, value };
        (0..).zip(values).map(record).collect()
    }

    fn statistics<'a>(metadata: &'a ParquetMetaData, column: &str) -> &'a Statistics {
        let columns = metadata.row_group(0).columns();
        let column = columns.iter().find(|chunk| chunk.column_path().parts()[0] == column).unwrap();
        column.statistics().unwrap()
    }

    #[test]
    fn the_footer_says_the_range_and_the_nulls_of_every_column() {
        let file = seal(0, 3, &events()).unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(file.bytes()).unwrap();
        for (column, field) in metadata.row_group(0).columns().iter().zip(layout::SCHEMA.fields()) {
            let statistics = column.statistics().unwrap_or_else(|| panic!("{}", field.name()));
            let nulls = statistics.null_count_opt().unwrap_or_else(|| panic!("{}", field.name()));
            assert_eq!(statistics.min_bytes_opt().is_some(), nulls < column.num_values() as u64, "{}", field.name());
            for bound in [statistics.min_bytes_opt(), statistics.max_bytes_opt()].into_iter().flatten() {
                assert!(bound.len() <= layout::STATISTICS_BYTES_MAX, "{}: {bound:?}", field.name());
            }
        }
        let bounds = |column: &str| {
            let statistics = statistics(&metadata, column);
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
            (text(statistics.min_bytes_opt()), text(statistics.max_bytes_opt()), statistics.null_count_opt().unwrap())
        };
        assert_eq!(bounds("kind"), ("created".into(), "rejected".into(), 0));
        assert_eq!(bounds("server"), ("a.example".into(), "a.example".into(), 1));
        assert_eq!(bounds("tags"), ("a".into(), "b".into(), 2));
        assert_eq!(bounds("media_types"), ("image".into(), "image".into(), 2));
        let (least, greatest, _) = bounds("text");
        assert!(least.starts_with("long long") && least <= "long ".repeat(10_000) && greatest > "long ".repeat(10_000));
        let Statistics::Int64(observed) = statistics(&metadata, "observed_at") else { panic!() };
        assert_eq!(observed.min_opt(), Some(&1_700_000_000_123_456));
        let Statistics::Int64(appended) = statistics(&metadata, "appended_at") else { panic!() };
        assert_eq!(appended.max_opt(), Some(&5_000));
    }

    #[test]
    fn every_column_and_every_lists_elements_have_their_ids() {
        let file = seal(0, 3, &events()).unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(file.bytes()).unwrap();
        let mut ids = std::collections::HashSet::new();
        for field in metadata.file_metadata().schema_descr().root_schema().get_fields() {
            let column = schema::COLUMNS.iter().find(|column| column.field.name() == field.name()).unwrap();
            assert_eq!(field.get_basic_info().id(), column.id, "{}", field.name());
            assert!(ids.insert(column.id));
            if let Some(element) = column.element_id() {
                let element_field = &field.get_fields()[0].get_fields()[0];
                assert_eq!(element_field.get_basic_info().id(), element, "{}", field.name());
                assert!(ids.insert(element));
            }
        }
        assert!(ids.len() > schema::COLUMNS.len());
    }

    #[test]
    fn a_record_that_does_not_belong_into_the_file_is_refused() {
        let ours = Partition(1);
        let twice = [records(ours, 4..6), records(ours, 2..4)].concat();
        let cases = [
            (0, 0, vec![], "the range is empty"),
            (5, 3, vec![], "the range is empty"),
            (0, 9, records(Partition(2), 0..1), "a record is of partition 2"),
            (1, 9, records(ours, 0..3), "a record has offset 0"),
            (0, 3, records(ours, 0..4), "a record has offset 3"),
            (0, 9, records(ours, [0, 2, 2]), "offset 2 is not above the one before it"),
            (0, 9, twice, "offset 2 is not above the one before it"),
        ];
        for (first, next, records, wanted) in cases {
            let FileError::Offsets { why, .. } = seal(first, next, &records).unwrap_err() else { panic!("{wanted}") };
            assert_eq!(why, wanted);
        }
        let fewer = decode(&records(ours, 0..1)).project(&[0, 1]).unwrap();
        assert!(matches!(encode(&[fewer]), Err(FileError::Columns)));
    }
}
