//! Generates the committed files from the columns; tests fail if the files differ.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Field};

use crate::caps::Cap;

use super::{AVRO, COLUMNS, Column, ColumnSource};

#[test]
fn the_committed_avro_schema_is_the_columns() {
    check(&crate_root().join("post_event.avsc"), &avro(COLUMNS.iter()));
}

#[test]
fn the_committed_column_page_is_the_columns() {
    check(&crate_root().join("../../docs/columns.md"), &page());
}

#[test]
fn every_column_of_the_record_but_its_kind_is_nullable() {
    for column in COLUMNS.iter().filter(|c| c.source == ColumnSource::Record) {
        assert_eq!(column.field.is_nullable(), column.field.name() != "kind", "{}", column.field.name());
    }
}

#[test]
fn ids_are_given_once_and_kept_for_ever() {
    let ids: Vec<i32> = COLUMNS.iter().flat_map(|column| [Some(column.id), column.element_id()]).flatten().collect();
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
    let mut by_id: Vec<&Column> = COLUMNS.iter().collect();
    by_id.sort_by_key(|column| column.id);
    assert!(by_id.iter().map(|column| column.id).eq(1..=COLUMNS.len() as i32), "ids have no holes");
    // A new column's name goes to the end, whatever its place among the columns.
    let names: Vec<&str> = by_id.iter().map(|column| column.field.name().as_str()).collect();
    let kept = "kind server id uri url created_at edited_at observed_at appended_at author author_domain author_created_at \
        author_bot author_followers author_indexable language text spoiler_text characters words tags mentions links media \
        media_described poll in_reply_to quote_uri app visibility sensitive favourites reblogs replies log_partition \
        log_offset rejected_reason rejected_bytes in_reply_to_id in_reply_to_author media_types from_origin";
    assert_eq!(names, kept.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn the_avro_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_str(AVRO).unwrap();
    assert_eq!(schema["namespace"], "fedilake");
    assert_eq!(schema["name"], "PostEvent");
    assert_eq!(schema["fields"].as_array().unwrap().len(), super::RECORD.fields().len());
}

/// Compares, or writes where `FEDILAKE_BLESS` is set.
fn check(path: &Path, generated: &str) {
    if std::env::var_os("FEDILAKE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(committed, generated, "{} is stale: FEDILAKE_BLESS=1 cargo test -p fedilake-model", path.display());
}

fn crate_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Avro schema of the record's columns, a field a line.
pub(crate) fn avro<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    let fields: Vec<String> = columns
        .filter(|column| column.source == ColumnSource::Record)
        .map(|Column { field, meaning, .. }| {
            let (name, kind) = (field.name(), avro_type(field));
            let default = if field.is_nullable() { r#", "default": null"# } else { "" };
            format!(r#"    {{"name": "{name}", "type": {kind}{default}, "doc": {}}}"#, serde_json::json!(meaning))
        })
        .collect();
    let head = r#""type": "record", "namespace": "fedilake", "name": "PostEvent", "doc": "What happened to a post.""#;
    format!("{{\n  {head},\n  \"fields\": [\n{}\n  ]\n}}\n", fields.join(",\n"))
}

fn avro_type(field: &Field) -> String {
    let kind = match field.data_type() {
        DataType::Utf8 => r#""string""#.to_owned(),
        DataType::Boolean => r#""boolean""#.to_owned(),
        DataType::Int32 => r#""int""#.to_owned(),
        DataType::Int64 => r#""long""#.to_owned(),
        DataType::Timestamp(..) => r#"{"type": "long", "logicalType": "timestamp-micros"}"#.to_owned(),
        DataType::List(item) => format!(r#"{{"type": "array", "items": {}}}"#, avro_type(item)),
        other => panic!("no Avro type for {other}: {}", field.name()),
    };
    if field.is_nullable() { format!(r#"["null", {kind}]"#) } else { kind }
}

fn page() -> String {
    let mut page = String::from(
        "# The columns of the table\n\nGenerated from `crates/fedilake-model/src/schema.rs`. A row is what happened to a post \
         as one server showed it.\nTimes are UTC, to the microsecond, of the years 1 to 9999; a time outside of them counts as unreadable. \
         The id is Parquet's field id: a\ncolumn keeps it for ever. *log*: added when the record is read from the log.\n\n\
         What strangers wrote is kept up to a bound, in bytes of UTF-8: longer texts are cut at the end of a character, or left \
         out\nwhere a part of them would be something else, or the post is rejected where it could not be told from others. Each \
         cut is counted\n(`fedilake_collect_flaws_total`), each rejection too (`fedilake_collect_rejected_total`).\n\n\
         `uri` and `quote_uri` have their scheme and host in one spelling (lower case, ASCII, without the scheme's own port and without space around them),\nso that a post is one however a server writes its host; the path stays as it is. An edit whose server gives no date that can be read has\nthe time at which it was seen as `edited_at`. A replayed frame cannot have been seen later than now (30 s are allowed for clocks that differ):\nit counts as seen now, and so is counted.\n\n\
         | column | id | type | null | kept | means |\n|---|---|---|---|---|---|\n",
    );
    for column in COLUMNS.iter() {
        let Column { id, field, source, meaning } = column;
        let null = if field.is_nullable() { "yes" } else { "no" };
        let log = if *source == ColumnSource::Log { " (*log*)" } else { "" };
        let elements = column.element_id().map(|id| format!(" (elements: id {id})")).unwrap_or_default();
        let kind = type_name(field.data_type());
        let kept = column.cap().map(kept).unwrap_or_default();
        writeln!(page, "| `{}` | {id} | {kind}{elements} | {null} | {kept} | {meaning}{log} |", field.name()).unwrap();
    }
    page
}

fn kept(cap: Cap) -> String {
    match cap {
        Cap::Reject(bytes) => format!("{bytes}, else rejected"),
        Cap::Drop(bytes) => format!("{bytes}, else null"),
        Cap::Cut(bytes) => format!("{bytes}, then cut"),
        Cap::Each(elements, Cap::Cut(bytes)) => format!("{elements} elements of {bytes}, then cut"),
        Cap::Each(elements, Cap::Drop(bytes)) => format!("{elements} elements of {bytes}, longer ones left out"),
        Cap::Each(..) => panic!("no element's cap: {cap:?}"),
    }
}

fn type_name(kind: &DataType) -> &'static str {
    match kind {
        DataType::Utf8 => "text",
        DataType::Boolean => "true or false",
        DataType::Int32 => "32-bit integer",
        DataType::Int64 => "64-bit integer",
        DataType::Timestamp(..) => "time",
        DataType::List(_) => "list of text",
        DataType::Binary => "bytes",
        other => panic!("no name for {other}"),
    }
}
