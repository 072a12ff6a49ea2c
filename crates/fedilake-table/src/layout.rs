//! The layout of a data file: the order of its rows, and each column's encoding.
//!
//! Rows are sorted by day, server, language and time. Files follow each other in the log's order, so readers prune by
//! time between files; within a file, row groups and pages cover ranges of servers and languages. Late posts and
//! implausible times are days of their own at the two ends, and do not widen the other pages. Texts of one language
//! side by side compress a fifth better.
//!
//! Measured on 163,840 rows shaped as the talk's, in bytes a row: sorted by time alone 153; this order 145; with
//! texts at zstd level 2 instead of 1, 137. Sorting by author before time would save as much again, but then readers
//! could not prune by time within a server's language.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use fedilake_model::avro::{DecodeError, Decoder, Encoded, SortKeys};
use fedilake_model::schema;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

/// Rows in a row group. A buffer of 128 MB has some 230,000 records: two groups, so that DuckDB can skip one and its
/// threads share a file. Each group costs a reader over S3 a request, and smaller groups compress worse.
const ROWS_A_GROUP: usize = 131_072;

/// The columns that reports use, side by side: a reader over S3 gets those that it needs of a row group in one
/// request, because the gaps between them are small. The other columns follow in the table's order.
const FIRST: &[&str] = &[
    "kind",
    "created_at",
    "edited_at",
    "observed_at",
    "server",
    "app",
    "author_bot",
    "author",
    "author_domain",
    "language",
    "characters",
    "words",
];

/// Index in [`schema::TABLE`] of each column of a data file.
pub(crate) static COLUMNS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let place = |name: &&str| schema::TABLE.index_of(name).expect("a column of the table");
    let mut columns: Vec<usize> = FIRST.iter().map(place).collect();
    columns.extend((0..schema::TABLE.fields().len()).filter(|column| !FIRST.iter().any(|name| place(name) == *column)));
    columns
});

/// The schema of a data file: the table's in another order, each column and each list's elements with their ids.
pub(crate) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(COLUMNS.iter().map(|&at| numbered(&schema::COLUMNS[at])).collect::<Vec<_>>()))
});

fn numbered(column: &schema::Column) -> Field {
    let number = |field: &Field, id: i32| {
        field.clone().with_metadata(HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]))
    };
    let field = number(&column.field, column.id);
    match (column.field.data_type(), column.element_id()) {
        (DataType::List(element), Some(id)) => field.with_data_type(DataType::List(Arc::new(number(element, id)))),
        _ => field,
    }
}

/// The properties of a data file with `key_values` in its footer.
pub(crate) fn sealed(key_values: Vec<KeyValue>) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(zstd(1))
        // Texts are half of a file. Level 2 makes them an eighth smaller than level 1, for a tenth more of the sink's
        // time; level 3 would save another twentieth, for as much time again.
        .set_column_compression(ColumnPath::from("text"), zstd(2))
        .set_max_row_group_row_count(Some(ROWS_A_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_key_value_metadata(Some(key_values))
        .set_created_by(concat!("fedilake ", env!("CARGO_PKG_VERSION")).to_string());
    for name in PRUNING {
        properties = properties.set_column_statistics_enabled(ColumnPath::from(*name), EnabledStatistics::Page);
    }
    for (name, encoding) in ENCODINGS {
        let column = ColumnPath::from(*name);
        properties =
            properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, *encoding);
    }
    properties.build()
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).expect("a level that zstd has"))
}

/// The properties of a file that is kept for seconds only.
pub(crate) fn quick() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build()
}

/// The length in bytes to which a text's least and greatest value are cut in a footer: enough for pruning, and small
/// even if the text is a megabyte long.
pub(crate) const STATISTICS_BYTES_MAX: usize = 64;

/// Columns by whose least and greatest value a reader can skip pages, because the rows are sorted by them or nearly
/// so. In every other column a page spans about the whole range of values, so statistics are kept for the row group
/// only, with the number of nulls, as Iceberg and Delta need them.
const PRUNING: &[&str] =
    &["kind", "server", "id", "created_at", "edited_at", "observed_at", "appended_at", "language", "log_offset"];

/// Columns whose values seldom repeat, so that a dictionary would not help. All other columns have one. Delta
/// encoding of uris and urls saves nothing on top of zstd, and makes reading a fifth slower.
const ENCODINGS: &[(&str, Encoding)] = &[
    ("id", Encoding::DELTA_BYTE_ARRAY),
    ("uri", Encoding::PLAIN),
    ("url", Encoding::PLAIN),
    ("created_at", Encoding::DELTA_BINARY_PACKED),
    ("observed_at", Encoding::DELTA_BINARY_PACKED),
    ("appended_at", Encoding::DELTA_BINARY_PACKED),
    ("text", Encoding::DELTA_LENGTH_BYTE_ARRAY),
    ("log_offset", Encoding::DELTA_BINARY_PACKED),
    ("rejected_bytes", Encoding::DELTA_LENGTH_BYTE_ARRAY),
];

/// The order of `records` in a data file, as indices into them. The time of a row is that of the post; without one (a
/// delete, a rejected record) it is the time at which the event was seen or appended. Equal records keep their order.
pub(crate) fn order(records: &[Encoded], decoder: &Decoder) -> Result<Vec<usize>, DecodeError> {
    let keys = records.iter().map(|record| decoder.sort_keys(record)).collect::<Result<Vec<SortKeys<'_>>, _>>()?;
    let servers = ranks(keys.iter().map(|key| key.server));
    let languages = ranks(keys.iter().map(|key| key.language));
    let mut keyed: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| (key.time_us.div_euclid(DAY_US), servers[at], languages[at], key.time_us, at))
        .collect();
    keyed.sort_unstable();
    Ok(keyed.into_iter().map(|(.., at)| at).collect())
}

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// The rank of each text among the distinct texts, in their order, from 1; 0 for `None`.
fn ranks<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Vec<u32> {
    // Looked up twice for each row: the standard hasher would take a twentieth of the sink's time.
    let mut met: HashMap<&str, u32, foldhash::fast::RandomState> = HashMap::default();
    let numbered: Vec<u32> = texts
        .map(|text| {
            let next = met.len() as u32 + 1;
            text.map_or(0, |text| *met.entry(text).or_insert(next))
        })
        .collect();
    let mut names: Vec<(&str, u32)> = met.into_iter().collect();
    names.sort_unstable();
    let mut rank_of = vec![0; names.len() + 1];
    for (rank, (_, number)) in (1..).zip(names) {
        rank_of[number as usize] = rank;
    }
    numbered.into_iter().map(|number| rank_of[number as usize]).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::{DateTime, Utc};
    use fedilake_model::avro;
    use fedilake_model::{Frame, FrameKind, PostEvent, Server};

    use super::*;

    fn event(kind: FrameKind, server: &str, payload: String, observed_at_ms: i64) -> Bytes {
        let observed_at: DateTime<Utc> = DateTime::from_timestamp_millis(observed_at_ms).unwrap();
        let frame = Frame { kind, data: payload.into() };
        let event = PostEvent::from_api(&frame, &Server::new(server), observed_at).unwrap();
        avro::encode(&[event]).remove(0)
    }

    fn post(server: &str, language: Option<&str>, created_at_ms: Option<i64>, observed_at_ms: i64) -> Bytes {
        let created_at = created_at_ms.map(|ms| DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339());
        let (language, created_at) = (serde_json::json!(language), serde_json::json!(created_at));
        let json = format!(
            r#"{{"id":"1","uri":"https://a.example/1","account":{{"acct":"ann"}},"language":{language},"created_at":{created_at}}}"#
        );
        event(FrameKind::Update, server, json, observed_at_ms)
    }

    #[test]
    fn rows_lie_by_day_server_language_and_time() {
        let day = |days: i64| days * DAY_US / 1_000;
        let cases = [
            (post("a", None, Some(day(1)), 0), 2),
            (post("b", Some("en"), Some(day(-700)), 0), 0),
            (Bytes::from_static(b"unreadable"), 1),
            (post("b", Some("en"), Some(day(1)), 0), 9),
            (post("a", Some("sv"), Some(day(1)), 0), 8),
            (post("a", Some("en"), Some(day(1) + 7), 0), 6),
            (post("a", Some("en"), Some(day(1) + 3), 0), 4),
            (post("a", Some("en"), Some(day(20_000)), 0), 10),
            (post("a", Some("en"), Some(day(1) + 3), 0), 5),
            (post("a", Some("en"), None, day(1) + 9), 7),
            (event(FrameKind::Delete, "a", "1".to_owned(), day(1) + 5), 3),
        ];
        // A row without a time of its own is sorted by its time of append, in 1970 here.
        let record = |(n, value): (usize, &Bytes)| Encoded {
            partition: 0,
            offset: n as u64,
            appended_at_ms: n as i64,
            value: value.clone(),
        };
        let records: Vec<Encoded> = cases.iter().map(|(value, _)| value).enumerate().map(record).collect();
        let mut wanted: Vec<usize> = (0..cases.len()).collect();
        wanted.sort_by_key(|&at| cases[at].1);
        assert_eq!(order(&records, &Decoder::new()).unwrap(), wanted);
    }

    #[test]
    fn every_setting_is_of_a_column() {
        for name in ENCODINGS.iter().map(|(name, _)| name).chain(PRUNING).chain(FIRST) {
            assert!(schema::TABLE.field_with_name(name).is_ok(), "{name}");
        }
    }
}
