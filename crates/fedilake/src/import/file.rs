//! Rows of one Parquet file of the talk's record, translated, admitted and encoded.
//!
//! Columns are found by name and read as what the record says, whatever type they have ([`super::column`]). A value that cannot
//! be read so is null, is counted, and costs only itself.
//!
//! Limits: a file may be damaged on purpose. Texts are read as views into decoded pages, so a dictionary takes its own size
//! however often its values come; what a footer claims, and what rows become, has limits ([`ROWS_MAX`], [`DECODED_BYTES_MAX`],
//! [`RECORD_BYTES_MAX`]).

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_collect::admission::{Admission, Admitted};
use fedilake_collect::admit::Skipped;
use fedilake_log::Key;
use fedilake_model::Flaws;
use fedilake_model::avro;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::{SchemaDescriptor, Type};
use xxhash_rust::xxh3::xxh3_64;

use super::column::{Flags, Numbers, Texts};
use super::fetch::file_rows;
use super::receipt::Receipts;
use super::row::TalkRow;
use super::time::{Times, says_unit};
use super::unit::{self, Unit};

/// The columns of the talk's record.
pub(super) const COLUMNS: [&str; 14] = [
    "m_id",
    "created_at",
    "created_at_str",
    "app",
    "url",
    "base_url",
    "language",
    "favourites",
    "username",
    "bot",
    "tags",
    "characters",
    "words",
    "mastodon_text",
];

/// Without these no row says which post it is.
const REQUIRED: [&str; 3] = ["m_id", "url", "username"];

const ROWS_A_BATCH: usize = 1_024;

/// More rows than Connect puts into a file: they are held in memory.
pub(super) const ROWS_MAX: u64 = 1 << 22;
/// The most that a footer may claim for the columns of the record, uncompressed.
const DECODED_BYTES_MAX: i64 = 4 << 30;
/// The most that the rows of a file may become as records.
const RECORD_BYTES_MAX: usize = 1 << 30;

/// A file's rows, in its order.
#[derive(Debug, Default)]
pub(super) struct FileRows {
    pub(super) rows: Vec<Row>,
    pub(super) columns_ignored: Vec<String>,
    pub(super) columns_missing: Vec<&'static str>,
}

/// A row and its outcome.
#[derive(Debug)]
pub(super) struct Row {
    /// A hash of the post that the row names.
    pub(super) names: u64,
    /// A bit for each of [`COLUMNS`]: the row's value is not what the column holds.
    unreadable: u16,
    pub(super) outcome: Outcome,
}

impl Row {
    /// The columns of which the row's value is not what they hold.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &'static str> {
        let bits = self.unreadable;
        COLUMNS.into_iter().enumerate().filter_map(move |(at, column)| (bits & (1 << at) != 0).then_some(column))
    }
}

/// The outcome of a row.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The row may be kept, as this record.
    Admitted { key: Key, value: Bytes, received_at_ms: i64, flaws: Flaws },
    /// The row may not be kept.
    Skipped(Skipped),
    /// The row is no post.
    Rejected(&'static str),
}

/// What holds for every row of an import.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// The moment of the import: nothing was received later.
    pub(super) now: DateTime<Utc>,
    /// What is kept of whose posts.
    pub(super) admission: Admission,
}

/// Reads a whole file, written at `written_at`. An error says why it cannot be read.
pub(super) fn rows(bytes: Bytes, written_at: DateTime<Utc>, terms: &Terms) -> Result<FileRows, String> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes).map_err(|error| error.to_string())?;
    within_limits(&metadata)?;
    let metadata = readable(metadata).map_err(|error| error.to_string())?;
    if let Some(name) = twice(metadata.schema()) {
        return Err(format!("it has column {name} more than once, and nothing says which one counts"));
    }
    let (columns_ignored, columns_missing) = differences(metadata.schema());
    let lacking: Vec<&str> = REQUIRED.into_iter().filter(|name| columns_missing.contains(name)).collect();
    if !lacking.is_empty() {
        return Err(format!("it has no column {}, and is no table of the talk's record", lacking.join(", ")));
    }
    let receipts = Receipts { unit: unit_of(&bytes, &metadata)?, now: terms.now };
    let mut read = FileRows { columns_ignored, columns_missing, ..FileRows::default() };
    let mut record_bytes = 0;
    for batch in batches(&bytes, &metadata, &COLUMNS)? {
        let columns = Columns::of(&batch?, receipts)?;
        record_bytes += translate(&columns, written_at, &terms.admission, &mut read.rows);
        if record_bytes > RECORD_BYTES_MAX {
            return Err(format!("its rows are more than {RECORD_BYTES_MAX} bytes"));
        }
    }
    Ok(read)
}

/// Refuses a footer that claims more than a sink writes.
fn within_limits(metadata: &ParquetMetaData) -> Result<(), String> {
    let rows = file_rows(metadata).ok_or("its footer contradicts itself")?;
    if rows > ROWS_MAX {
        return Err(format!("it has {rows} rows, more than {ROWS_MAX}"));
    }
    let is_wanted = |name: &str| COLUMNS.contains(&name);
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let wanted = chunks.filter(|chunk| chunk.column_path().parts().first().is_some_and(|name| is_wanted(name)));
    let decoded = wanted.fold(0_i64, |sum, chunk| sum.saturating_add(chunk.uncompressed_size().max(0)));
    if decoded > DECODED_BYTES_MAX {
        return Err(format!("it holds {decoded} bytes uncompressed, more than {DECODED_BYTES_MAX}"));
    }
    Ok(())
}

/// The file's metadata with texts read as bytes, so that a text that is no UTF-8 costs only itself.
fn readable(metadata: ParquetMetaData) -> parquet::errors::Result<ArrowReaderMetadata> {
    let file = metadata.file_metadata();
    let root = file.schema_descr().root_schema();
    let fields = root.get_fields().iter().map(|field| {
        let is_text = field.is_primitive()
            && field.get_physical_type() == PhysicalType::BYTE_ARRAY
            && !matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::Decimal { .. }));
        if !is_text || !COLUMNS.contains(&field.name()) {
            return Ok(Arc::clone(field));
        }
        let bytes = Type::primitive_type_builder(field.name(), PhysicalType::BYTE_ARRAY);
        bytes.with_repetition(field.get_basic_info().repetition()).build().map(Arc::new)
    });
    let root = Type::group_type_builder(root.name()).with_fields(fields.collect::<Result<_, _>>()?).build()?;
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    let file = FileMetaData::new(file.version(), file.num_rows(), None, None, schema, None);
    let metadata = Arc::new(ParquetMetaData::new(file, metadata.row_groups().to_vec()));
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let as_written = ArrowReaderMetadata::try_new(Arc::clone(&metadata), plain)?;
    let written = as_written.schema().fields().iter().zip(file_fields(&metadata));
    let wanted = written.map(|(field, written)| as_wanted(field, written));
    let schema = Schema::new(wanted.collect::<Vec<_>>());
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(Arc::new(schema)))
}

fn file_fields(metadata: &ParquetMetaData) -> &[Arc<Type>] {
    metadata.file_metadata().schema_descr().root_schema().get_fields()
}

/// The field with the type that its values are read as: bytes as views, and an INT96 in milliseconds, for in nanoseconds the years
/// beyond 2262 would come out as others.
fn as_wanted(field: &Arc<Field>, written: &Type) -> Arc<Field> {
    let kind = match field.data_type() {
        DataType::Binary => DataType::BinaryView,
        DataType::Timestamp(..) if written.is_primitive() && written.get_physical_type() == PhysicalType::INT96 => {
            DataType::Timestamp(TimeUnit::Millisecond, None)
        }
        DataType::Struct(fields) if written.is_group() && written.get_fields().len() == fields.len() => {
            DataType::Struct(fields.iter().zip(written.get_fields()).map(|(f, written)| as_inner(f, written)).collect())
        }
        _ => return Arc::clone(field),
    };
    Arc::new(Field::new(field.name(), kind, field.is_nullable()))
}

/// The same within a struct, whose bytes are read as they are.
fn as_inner(field: &Arc<Field>, written: &Type) -> Arc<Field> {
    match field.data_type() {
        DataType::Binary => Arc::clone(field),
        _ => as_wanted(field, written),
    }
}

/// The first column of the record that the file has more than once.
fn twice(schema: &Schema) -> Option<&'static str> {
    COLUMNS.into_iter().find(|name| schema.fields().iter().filter(|field| field.name() == name).count() > 1)
}

/// The rows of some columns.
fn batches(
    bytes: &Bytes,
    metadata: &ArrowReaderMetadata,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, String>> + use<>, String> {
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
    let columns = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let reader = builder.with_projection(columns).with_batch_size(ROWS_A_BATCH).build();
    let reader = reader.map_err(|error| error.to_string())?;
    Ok(reader.map(|batch| batch.map_err(|error| error.to_string())))
}

/// The unit of `created_at`, found in the whole file where the column's type does not say.
fn unit_of(bytes: &Bytes, metadata: &ArrowReaderMetadata) -> Result<Unit, String> {
    let Ok(field) = metadata.schema().field_with_name("created_at") else { return Ok(Unit::Seconds) };
    if says_unit(field.data_type()) {
        return Ok(Unit::Seconds);
    }
    let mut evidence = unit::Evidence::default();
    for batch in batches(bytes, metadata, &["created_at", "created_at_str"])? {
        let batch = batch?;
        let created_at = Times::of(&batch, "created_at");
        let written = Times::of(&batch, "created_at_str");
        for at in 0..batch.num_rows() {
            if let Some(number) = created_at.value(at).number() {
                evidence.add(number, written.value(at).moment(Unit::Seconds).at());
            }
        }
    }
    evidence.unit().ok_or_else(|| {
        "column created_at says no unit, and its numbers are no time since 1970 in seconds, milliseconds, microseconds or \
         nanoseconds"
            .to_owned()
    })
}

/// Columns of a file that the record does not have, and of the record that the file does not have.
fn differences(schema: &Schema) -> (Vec<String>, Vec<&'static str>) {
    let has = |name: &str| schema.field_with_name(name).is_ok();
    let others = schema.fields().iter().map(|field| field.name()).filter(|name| !COLUMNS.contains(&name.as_str()));
    (others.cloned().collect(), COLUMNS.into_iter().filter(|name| !has(name)).collect())
}

/// Appends the rows of a batch to `rows`; the bytes of their records.
fn translate(columns: &Columns, written_at: DateTime<Utc>, admission: &Admission, rows: &mut Vec<Row>) -> usize {
    let mut events = Vec::with_capacity(columns.rows);
    let mut kept = Vec::with_capacity(columns.rows);
    for at in 0..columns.rows {
        let row = columns.row(at);
        let id = row.m_id.as_deref().unwrap_or_default();
        let names = xxh3_64(format!("{id}\n{}", row.url.as_deref().unwrap_or_default()).as_bytes());
        let unreadable = columns.unreadable(at, &row);
        let outcome = match row.event(written_at) {
            Err(why) => Outcome::Rejected(why),
            // A row tells of no edit, so nothing is deleted beside it.
            Ok(event) => match admission.admit(event) {
                Admitted { event: Some(event), .. } => {
                    let key = Key(event.key().into());
                    let received_at_ms = row.received_at().unwrap_or(written_at).timestamp_millis();
                    let flaws = event.post().map_or_else(Flaws::default, |post| post.flaws);
                    events.push(event);
                    kept.push(rows.len());
                    // Its value comes with those of the others.
                    Outcome::Admitted { key, value: Bytes::new(), received_at_ms, flaws }
                }
                Admitted { skipped, .. } => Outcome::Skipped(skipped.expect("what is not kept was skipped")),
            },
        };
        rows.push(Row { names, unreadable, outcome });
    }
    let mut bytes = 0;
    for (at, encoded) in kept.into_iter().zip(avro::encode(&events)) {
        bytes += encoded.len();
        if let Outcome::Admitted { value, .. } = &mut rows[at].outcome {
            *value = encoded;
        }
    }
    bytes
}

/// The record's columns of a batch.
struct Columns {
    rows: usize,
    receipts: Receipts,
    m_id: Texts,
    created_at: Times,
    created_at_str: Times,
    app: Texts,
    url: Texts,
    base_url: Texts,
    language: Texts,
    favourites: Numbers,
    username: Texts,
    bot: Flags,
    tags: Numbers,
    characters: Numbers,
    words: Numbers,
    mastodon_text: Texts,
}

impl Columns {
    fn of(batch: &RecordBatch, receipts: Receipts) -> Result<Columns, String> {
        let columns = Columns {
            rows: batch.num_rows(),
            receipts,
            m_id: Texts::ids(batch, "m_id"),
            created_at: Times::of(batch, "created_at"),
            created_at_str: Times::of(batch, "created_at_str"),
            app: Texts::of(batch, "app"),
            url: Texts::of(batch, "url"),
            base_url: Texts::of(batch, "base_url"),
            language: Texts::of(batch, "language"),
            favourites: Numbers::of(batch, "favourites"),
            username: Texts::of(batch, "username"),
            bot: Flags::of(batch, "bot"),
            tags: Numbers::of(batch, "tags"),
            characters: Numbers::of(batch, "characters"),
            words: Numbers::of(batch, "words"),
            mastodon_text: Texts::of(batch, "mastodon_text"),
        };
        for (name, texts) in REQUIRED.into_iter().zip([&columns.m_id, &columns.url, &columns.username]) {
            if columns.rows > 0 && (0..columns.rows).all(|at| texts.is_unreadable(at)) {
                let column = batch.column_by_name(name).map(|column| column.data_type().to_string());
                return Err(format!("its column {name} is of type {}", column.unwrap_or_default()));
            }
        }
        Ok(columns)
    }

    /// A bit for each of [`COLUMNS`] of which the row at `at`, which is `row`, has a value that is not what the column holds.
    fn unreadable(&self, at: usize, row: &TalkRow<'_>) -> u16 {
        let unreadable = [
            self.m_id.is_unreadable(at),
            // A time is looked at with its row.
            false,
            false,
            self.app.is_unreadable(at),
            self.url.is_unreadable(at),
            self.base_url.is_unreadable(at),
            self.language.is_unreadable(at),
            self.favourites.is_unreadable(at),
            self.username.is_unreadable(at),
            self.bot.is_unreadable(at),
            self.tags.is_unreadable(at),
            self.characters.is_unreadable(at),
            self.words.is_unreadable(at),
            self.mastodon_text.is_unreadable(at),
        ];
        let bit = |is_unreadable: bool, at: usize| u16::from(is_unreadable) << at;
        let of_types =
            unreadable.into_iter().zip(0..).fold(0, |bits, (is_unreadable, at)| bits | bit(is_unreadable, at));
        let odd = row.odd().filter_map(|odd| COLUMNS.iter().position(|column| *column == odd));
        odd.fold(of_types, |bits, at| bits | bit(true, at))
    }

    fn row(&self, at: usize) -> TalkRow<'_> {
        let (created_at, created_at_str) =
            self.receipts.moments(self.created_at.value(at), self.created_at_str.value(at));
        TalkRow {
            m_id: self.m_id.value(at),
            created_at,
            created_at_str,
            app: self.app.value(at),
            url: self.url.value(at),
            base_url: self.base_url.value(at),
            language: self.language.value(at),
            favourites: self.favourites.value(at),
            username: self.username.value(at),
            bot: self.bot.value(at),
            tags: self.tags.value(at),
            characters: self.characters.value(at),
            words: self.words.value(at),
            mastodon_text: self.mastodon_text.value(at),
        }
    }
}
