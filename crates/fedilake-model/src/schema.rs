//! The columns of a post event: one Arrow schema, from which the Avro schema and the page of columns are generated.
//!
//! `post_event.avsc` in this crate and `docs/columns.md` are generated from [`COLUMNS`] and committed; tests fail if
//! they differ. After a change here, `FEDILAKE_BLESS=1 cargo test -p fedilake-model` writes both again.
//!
//! How the schema grows: a new column is appended to the record's columns, is nullable and gets the next free id.
//! Records of earlier versions stay readable because `schemas/` keeps every schema ever written
//! ([`crate::avro::KNOWN_SCHEMAS`]); files stay readable by `union_by_name`. A column is never renamed, retyped or
//! removed, and its id is never used again.
//!
//! | version | changes |
//! |---|---|
//! | 1 | `mentions` and `links` as domains; times in milliseconds |
//! | 2 | `in_reply_to_id`, `in_reply_to_author`, `media_types`, `from_origin`; `mentions` as acct@domain, `links` as URLs; times in microseconds |

use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, Utc};

use crate::caps::{self, Cap};

/// Where a column's values come from: the log's record, or the reading of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnSource {
    /// The collector writes the value into the record.
    Record,
    /// The value is known only when the record is read.
    Log,
}

/// A column: its Arrow field, its source and its meaning.
pub struct Column {
    /// The column's number in every Parquet file, whatever its name and position: Parquet's `field_id`.
    pub id: i32,
    /// The column's name and type, and whether it can be null.
    pub field: Field,
    /// Where its values come from.
    pub source: ColumnSource,
    /// The column's meaning, for people.
    pub meaning: &'static str,
}

impl Column {
    /// The number of a list column's elements; `None` for any other column.
    pub fn element_id(&self) -> Option<i32> {
        matches!(self.field.data_type(), DataType::List(_)).then_some(ELEMENTS + self.id)
    }

    /// How much of a value is kept; `None` if values of this type cannot be long.
    pub fn cap(&self) -> Option<Cap> {
        caps::of_column(self.field.name())
    }
}

/// The `field_id` of the first list column's elements: far above the columns' own numbers.
const ELEMENTS: i32 = 1000;

/// Microseconds since 1970, UTC.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// The times that a column can hold, in microseconds since 1970: the years 1 to 9999, which every engine can show. A
/// time outside of this range counts as unreadable.
pub const TIMES: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// `moment` in microseconds since 1970; `None` outside of [`TIMES`].
pub fn micros(moment: DateTime<Utc>) -> Option<i64> {
    Some(moment.timestamp_micros()).filter(|micros| TIMES.contains(micros))
}

/// Every column in order. A column added later is nullable, so that old records and old files stay readable.
pub static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(columns);

/// The schema of the table's rows.
pub static TABLE: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(|_| true));

/// The schema of the log's records: the table's without what the log adds.
pub static RECORD: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(|column| column.source == ColumnSource::Record));

/// The Avro schema of the log's records, `fedilake.PostEvent`: generated from [`RECORD`].
pub const AVRO: &str = include_str!("../post_event.avsc");

#[cfg(test)]
pub(crate) mod generated;

fn schema_of(keep: impl Fn(&Column) -> bool) -> SchemaRef {
    Arc::new(Schema::new(COLUMNS.iter().filter(|c| keep(c)).map(|c| c.field.clone()).collect::<Fields>()))
}

fn columns() -> Vec<Column> {
    use DataType::{Binary, Boolean, Int32, Int64, Utf8};
    let list = || DataType::List(Arc::new(Field::new("item", Utf8, true)));
    let record = |id, name: &str, kind: DataType, meaning| Column {
        id,
        field: Field::new(name, kind, true),
        source: ColumnSource::Record,
        meaning,
    };
    let log = |id, name: &str, kind: DataType, nullable, meaning| Column {
        id,
        field: Field::new(name, kind, nullable),
        source: ColumnSource::Log,
        meaning,
    };
    vec![
        Column {
            id: 1,
            field: Field::new("kind", Utf8, false),
            source: ColumnSource::Record,
            meaning: "created, edited, deleted; rejected where the record could not be read",
        },
        record(2, "server", Utf8, "the server that showed the event"),
        record(3, "id", Utf8, "the post's id, local to that server"),
        record(4, "uri", Utf8, "the post's identity on every server"),
        record(5, "url", Utf8, "where a person reads it"),
        record(6, "created_at", timestamp(), "the author's claim of when it was written; null when not readable"),
        record(7, "edited_at", timestamp(), "the author's claim of its last edit"),
        record(8, "observed_at", timestamp(), "when this collector saw the event"),
        log(9, "appended_at", timestamp(), false, "when the log took the record"),
        record(10, "author", Utf8, "acct@domain"),
        record(11, "author_domain", Utf8, "the author's home server: the origin"),
        record(12, "author_created_at", timestamp(), "when the account was made, to the day"),
        record(13, "author_bot", Boolean, "the account says that it is automated"),
        record(14, "author_followers", Int64, "followers at that moment, as that server knows them"),
        record(15, "author_indexable", Boolean, "the author agrees to be indexed (FEP-5feb; missing is false)"),
        record(16, "language", Utf8, "the language tag as given; null when not given"),
        record(17, "text", Utf8, "the content as plain text"),
        record(18, "spoiler_text", Utf8, "the content warning; empty when there is none"),
        record(19, "characters", Int32, "Unicode scalar values of text"),
        record(20, "words", Int32, "parts of text between Unicode white space"),
        record(21, "tags", list(), "hashtags without #, lower case"),
        record(
            22,
            "mentions",
            list(),
            "acct@domain of each mentioned account; its domain alone in records of version 1",
        ),
        record(
            23,
            "links",
            list(),
            "http and https URLs that the text links to, each once; not mentions and hashtags; their domains alone in records of version 1",
        ),
        record(24, "media", Int32, "attachments"),
        record(25, "media_described", Int32, "attachments with a description"),
        record(26, "poll", Boolean, "carries a poll"),
        record(27, "in_reply_to", Utf8, "none, self or other"),
        record(28, "quote_uri", Utf8, "the quoted post's uri"),
        record(29, "app", Utf8, "the client's name; known only for members of the server that was read"),
        record(30, "visibility", Utf8, "public; nothing else is kept"),
        record(31, "sensitive", Boolean, "the author marked it"),
        record(32, "favourites", Int32, "at that moment, as that server knows them"),
        record(33, "reblogs", Int32, "at that moment, as that server knows them"),
        record(34, "replies", Int32, "at that moment, as that server knows them"),
        record(39, "in_reply_to_id", Utf8, "the id of the post that it answers, local to the server"),
        record(
            40,
            "in_reply_to_author",
            Utf8,
            "acct@domain of that post's author; null where the server does not name them",
        ),
        record(41, "media_types", list(), "the kind of each attachment: image, video, gifv, audio or unknown"),
        record(42, "from_origin", Boolean, "the server that showed it is the post's own: its word outranks others'"),
        log(35, "log_partition", Int32, false, "the log partition that holds the record"),
        log(36, "log_offset", Int64, false, "the record's offset there"),
        log(37, "rejected_reason", Utf8, true, "why the record could not be read"),
        log(38, "rejected_bytes", Binary, true, "the record as it was"),
    ]
}
