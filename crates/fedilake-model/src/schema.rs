//! The columns of a post event: one Arrow schema, from which the Avro schema and the column page are generated.
//!
//! `post_event.avsc` in this crate and `docs/columns.md` are generated from [`COLUMNS`] and committed; tests hold them
//! together. After a change here `FEDILAKE_BLESS=1 cargo test -p fedilake-model` writes both anew.
//!
//! How the schema grows: a new column is appended to the record's columns and is nullable. Records of earlier versions
//! stay readable because every schema ever written is kept in `schemas/` ([`crate::avro::KNOWN_SCHEMAS`]); files stay
//! readable by `union_by_name`. A column is never renamed, retyped or removed.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// A column's place: in the record that the log keeps, or added when a record is read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The collector wrote it into the record.
    Record,
    /// It is known only when the record is read.
    Log,
}

/// A column: its Arrow field, where it comes from, and what it means.
pub struct Column {
    /// Name, type and whether it can be null.
    pub field: Field,
    /// Where its values come from.
    pub source: Source,
    /// What it says, for people.
    pub meaning: &'static str,
}

/// Milliseconds since 1970, UTC.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::from("UTC")))
}

/// Every column in order. A column added later is nullable, so that old records and old files stay readable.
pub static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(columns);

/// The schema of the table's rows.
pub static TABLE: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(|_| true));

/// The schema of the log's records: the table's without what the log adds.
pub static RECORD: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(|column| column.source == Source::Record));

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
    let record = |name: &str, kind: DataType, meaning| Column {
        field: Field::new(name, kind, true),
        source: Source::Record,
        meaning,
    };
    let log = |name: &str, kind: DataType, nullable, meaning| Column {
        field: Field::new(name, kind, nullable),
        source: Source::Log,
        meaning,
    };
    vec![
        Column {
            field: Field::new("kind", Utf8, false),
            source: Source::Record,
            meaning: "created, edited, deleted; rejected where the record could not be read",
        },
        record("server", Utf8, "the server that showed the event"),
        record("id", Utf8, "the post's id, local to that server"),
        record("uri", Utf8, "the post's identity on every server"),
        record("url", Utf8, "where a person reads it"),
        record("created_at", timestamp(), "the author's claim of when it was written; null when not readable"),
        record("edited_at", timestamp(), "the author's claim of its last edit"),
        record("observed_at", timestamp(), "when this collector saw the event"),
        log("appended_at", timestamp(), false, "when the log took the record"),
        record("author", Utf8, "acct@domain"),
        record("author_domain", Utf8, "the author's home server: the origin"),
        record("author_created_at", timestamp(), "when the account was made, to the day"),
        record("author_bot", Boolean, "the account says that it is automated"),
        record("author_followers", Int64, "followers at that moment, as that server knows them"),
        record("author_indexable", Boolean, "the author agrees to be indexed (FEP-5feb; missing is false)"),
        record("language", Utf8, "the language tag as given; null when not given"),
        record("text", Utf8, "the content as plain text"),
        record("spoiler_text", Utf8, "the content warning; empty when there is none"),
        record("characters", Int32, "Unicode scalar values of text"),
        record("words", Int32, "parts of text between Unicode white space"),
        record("tags", list(), "hashtags without #, lower case"),
        record("mentions", list(), "the domain of each mentioned account"),
        record("links", list(), "domains that the text links to, each once; not mentions and hashtags"),
        record("media", Int32, "attachments"),
        record("media_described", Int32, "attachments with a description"),
        record("poll", Boolean, "carries a poll"),
        record("in_reply_to", Utf8, "none, self or other"),
        record("quote_uri", Utf8, "the quoted post's uri"),
        record("app", Utf8, "the client's name; known only for members of the server that was read"),
        record("visibility", Utf8, "public; nothing else is kept"),
        record("sensitive", Boolean, "the author marked it"),
        record("favourites", Int32, "at that moment, as that server knows them"),
        record("reblogs", Int32, "at that moment, as that server knows them"),
        record("replies", Int32, "at that moment, as that server knows them"),
        log("log_partition", Int32, false, "the log partition that holds the record"),
        log("log_offset", Int64, false, "the record's offset there"),
        log("rejected_reason", Utf8, true, "why the record could not be read"),
        log("rejected_bytes", Binary, true, "the record as it was"),
    ]
}
