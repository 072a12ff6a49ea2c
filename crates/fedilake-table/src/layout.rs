//! How rows lie in a data file: their order, and each column's encoding.
//!
//! Rows are sorted by time: row groups and pages then cover slices of it, so that time prunes, copies of one post that several
//! servers showed lie side by side, where compression nearly removes them, and ids that grow with time are stored as
//! differences. Late posts and odd claims gather at the two ends instead of widening every slice.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

/// DuckDB gives a row group to a thread and skips by row group; this is the size of its own.
const ROWS_A_GROUP: usize = 122_880;

/// The properties of a data file with `key_values` in its footer.
pub(crate) fn sealed(key_values: Vec<KeyValue>) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a zstd level")))
        .set_max_row_group_row_count(Some(ROWS_A_GROUP))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(key_values))
        .set_created_by(concat!("fedilake ", env!("CARGO_PKG_VERSION")).to_string());
    for (name, encoding) in ENCODINGS {
        let column = ColumnPath::from(*name);
        properties =
            properties.set_column_dictionary_enabled(column.clone(), false).set_column_encoding(column, *encoding);
    }
    properties.build()
}

/// The properties of a file that lives for seconds.
pub(crate) fn quick() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build()
}

/// Columns whose values seldom repeat: a dictionary would be built in vain. All others have one.
const ENCODINGS: &[(&str, Encoding)] = &[
    ("id", Encoding::DELTA_BYTE_ARRAY),
    ("uri", Encoding::DELTA_BYTE_ARRAY),
    ("url", Encoding::DELTA_BYTE_ARRAY),
    ("created_at", Encoding::DELTA_BINARY_PACKED),
    ("observed_at", Encoding::DELTA_BINARY_PACKED),
    ("appended_at", Encoding::DELTA_BINARY_PACKED),
    ("text", Encoding::DELTA_LENGTH_BYTE_ARRAY),
    ("log_offset", Encoding::DELTA_BINARY_PACKED),
    ("rejected_bytes", Encoding::DELTA_LENGTH_BYTE_ARRAY),
];

/// The order of the rows of `batches` in a data file, as (batch, row): by the time of the post; where it has none (a delete, a
/// rejected record) by the time it was seen or appended. Rows of one time keep their order.
pub(crate) fn order(batches: &[RecordBatch]) -> Vec<(usize, usize)> {
    let mut keyed = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (at, batch) in batches.iter().enumerate() {
        let times = ["created_at", "observed_at", "appended_at"].map(|name| {
            batch.column_by_name(name).expect("a column of the table").as_primitive::<TimestampMillisecondType>()
        });
        keyed.extend((0..batch.num_rows()).map(|row| {
            let time = times.iter().find(|time| time.is_valid(row)).map_or(i64::MAX, |time| time.value(row));
            (time, at as u32, row as u32)
        }));
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, at, row)| (at as usize, row as usize)).collect()
}
