//! Rows of one Parquet file of the talk's record, translated, admitted and encoded.
//!
//! Columns are found by name and cast to what the record says: Connect and its converters write one type as another (`int` as
//! INT64, `bot` as text). A value that cannot be cast is null, and costs only itself.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use bytes::Bytes;
use chrono::DateTime;
use fedilake_collect::admit::{Skipped, admit};
use fedilake_log::Key;
use fedilake_model::avro::Encoder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use xxhash_rust::xxh3::xxh3_64;

use super::row::TalkRow;

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

/// A file's rows, in its order.
#[derive(Debug, Default)]
pub(super) struct FileRows {
    pub(super) rows: Vec<Row>,
    pub(super) columns_ignored: Vec<String>,
    pub(super) columns_missing: Vec<&'static str>,
}

/// A row, and what became of it.
#[derive(Debug)]
pub(super) struct Row {
    /// Which post it names: equal for equal ones.
    pub(super) names: u64,
    pub(super) outcome: Outcome,
}

/// What became of a row.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It may be kept: a record.
    Admitted { key: Key, value: Bytes, received_at_ms: i64 },
    /// It may not.
    Skipped(Skipped),
    /// It is no post.
    Rejected(&'static str),
}

/// Reads a whole file, written at `written_at_ms`. An error says why it cannot be read.
pub(super) fn rows(bytes: Bytes, written_at_ms: i64, encoder: &mut Encoder) -> Result<FileRows, String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
    let (columns_ignored, columns_missing) = differences(builder.schema());
    let lacking: Vec<&str> = REQUIRED.into_iter().filter(|name| columns_missing.contains(name)).collect();
    if !lacking.is_empty() {
        return Err(format!("it has no column {}, and is no table of the talk's record", lacking.join(", ")));
    }
    let columns = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
    let reader = builder.with_projection(columns).with_batch_size(ROWS_A_BATCH).build();
    let mut read = FileRows { rows: Vec::new(), columns_ignored, columns_missing };
    for batch in reader.map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        translate(&Columns::of(&batch)?, batch.num_rows(), written_at_ms, encoder, &mut read.rows);
    }
    Ok(read)
}

/// Columns of a file that the record does not have, and of the record that the file does not have.
fn differences(schema: &Schema) -> (Vec<String>, Vec<&'static str>) {
    let has = |name: &str| schema.field_with_name(name).is_ok();
    let others = schema.fields().iter().map(|field| field.name()).filter(|name| !COLUMNS.contains(&name.as_str()));
    (others.cloned().collect(), COLUMNS.into_iter().filter(|name| !has(name)).collect())
}

fn translate(columns: &Columns, length: usize, written_at_ms: i64, encoder: &mut Encoder, rows: &mut Vec<Row>) {
    let written_at = DateTime::from_timestamp_millis(written_at_ms).unwrap_or_default();
    let mut events = Vec::with_capacity(length);
    let mut kept = Vec::with_capacity(length);
    for at in 0..length {
        let row = columns.row(at);
        let names = xxh3_64(format!("{}\n{}", row.m_id.unwrap_or_default(), row.url.unwrap_or_default()).as_bytes());
        let outcome = match row.event(written_at) {
            Err(why) => Outcome::Rejected(why),
            Ok(event) => match admit(&event) {
                Err(skipped) => Outcome::Skipped(skipped),
                Ok(()) => {
                    let key = Key(event.key().into());
                    let received_at_ms = row.received_at().map_or(written_at_ms, |moment| moment.timestamp_millis());
                    events.push(event);
                    kept.push(rows.len());
                    // Its value comes with those of the others.
                    Outcome::Admitted { key, value: Bytes::new(), received_at_ms }
                }
            },
        };
        rows.push(Row { names, outcome });
    }
    for (at, encoded) in kept.into_iter().zip(encoder.encode(&events)) {
        if let Outcome::Admitted { value, .. } = &mut rows[at].outcome {
            *value = encoded;
        }
    }
}

/// The record's columns of a batch; none where the file has none.
struct Columns {
    m_id: Option<StringArray>,
    created_at: Option<Int64Array>,
    created_at_str: Option<StringArray>,
    app: Option<StringArray>,
    url: Option<StringArray>,
    base_url: Option<StringArray>,
    language: Option<StringArray>,
    favourites: Option<Int64Array>,
    username: Option<StringArray>,
    bot: Option<BooleanArray>,
    tags: Option<Int64Array>,
    characters: Option<Int64Array>,
    words: Option<Int64Array>,
    mastodon_text: Option<StringArray>,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Columns, String> {
        let column = |name: &str, kind: &DataType| match batch.column_by_name(name) {
            None => Ok(None),
            Some(column) => {
                // Connect's logical types: seconds, whatever the unit is.
                let seconds = DataType::Timestamp(TimeUnit::Second, None);
                let whole = matches!(column.data_type(), DataType::Timestamp(..)) && *kind == DataType::Int64;
                let column = if whole { cast(column, &seconds) } else { Ok(ArrayRef::clone(column)) };
                let column = column.and_then(|column| cast(&column, kind));
                column.map(Some).map_err(|error| format!("column {name}: {error}"))
            }
        };
        let text = |name| Ok::<_, String>(column(name, &DataType::Utf8)?.map(|c| c.as_string::<i32>().clone()));
        let number =
            |name| Ok::<_, String>(column(name, &DataType::Int64)?.map(|c| c.as_primitive::<Int64Type>().clone()));
        Ok(Columns {
            m_id: text("m_id")?,
            created_at: number("created_at")?,
            created_at_str: text("created_at_str")?,
            app: text("app")?,
            url: text("url")?,
            base_url: text("base_url")?,
            language: text("language")?,
            favourites: number("favourites")?,
            username: text("username")?,
            bot: column("bot", &DataType::Boolean)?.map(|c| c.as_boolean().clone()),
            tags: number("tags")?,
            characters: number("characters")?,
            words: number("words")?,
            mastodon_text: text("mastodon_text")?,
        })
    }

    fn row(&self, at: usize) -> TalkRow<'_> {
        TalkRow {
            m_id: text(&self.m_id, at),
            created_at: number(&self.created_at, at),
            created_at_str: text(&self.created_at_str, at),
            app: text(&self.app, at),
            url: text(&self.url, at),
            base_url: text(&self.base_url, at),
            language: text(&self.language, at),
            favourites: number(&self.favourites, at),
            username: text(&self.username, at),
            bot: self.bot.as_ref().filter(|column| column.is_valid(at)).map(|column| column.value(at)),
            tags: number(&self.tags, at),
            characters: number(&self.characters, at),
            words: number(&self.words, at),
            mastodon_text: text(&self.mastodon_text, at),
        }
    }
}

fn text(column: &Option<StringArray>, at: usize) -> Option<&str> {
    column.as_ref().filter(|column| column.is_valid(at)).map(|column| column.value(at))
}

fn number(column: &Option<Int64Array>, at: usize) -> Option<i64> {
    column.as_ref().filter(|column| column.is_valid(at)).map(|column| column.value(at))
}
