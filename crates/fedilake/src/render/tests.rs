//! Tests of each DuckDB type in each format.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StructArray};
use arrow::datatypes::{DataType, Field};
use duckdb::Connection;
use fedilake_query::{Lake, LakeOptions, SqlLimits};

use super::*;

struct Bench {
    folder: tempfile::TempDir,
    lake: Lake,
    other: Connection,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(&folder.path().join("lake.duckdb"), LakeOptions::default()).unwrap();
        let other = Connection::open_in_memory().unwrap();
        other.execute_batch("set timezone = 'UTC'").unwrap();
        Bench { folder, lake, other }
    }

    fn ipc(&self, sql: &str) -> Vec<u8> {
        let mut ipc = Vec::new();
        self.lake.sql(sql, &SqlLimits::default(), &mut ipc).unwrap_or_else(|error| panic!("{sql}: {error}"));
        ipc
    }

    fn bytes(&self, sql: &str, format: Format) -> anyhow::Result<Vec<u8>> {
        let mut out = Vec::new();
        write_rows(self.ipc(sql).as_slice(), format, &Style::PLAIN, &mut out)?;
        Ok(out)
    }

    fn text(&self, sql: &str, format: Format) -> String {
        let bytes = self.bytes(sql, format).unwrap_or_else(|error| panic!("{sql} as {format:?}: {error:#}"));
        String::from_utf8(bytes).unwrap()
    }

    /// Answers `question` about the answer to `sql` as a Parquet file, in another DuckDB.
    fn of_parquet(&self, sql: &str, question: &str) -> anyhow::Result<String> {
        let file = self.folder.path().join("answer.parquet");
        std::fs::write(&file, self.bytes(sql, Format::Parquet)?)?;
        let question = format!("select {question} from '{}'", file.display());
        Ok(self.other.query_row(&question, [], |row| row.get::<_, Option<String>>(0))?.unwrap_or_default())
    }
}

/// The CSV field is the JSON value without quotes.
const SAME: &str = "=";

/// A value; its text in a table, in CSV and in JSON; its type and text as DuckDB reads it from Parquet.
const VALUES: &[(&str, &str, &str, &str, &str)] = &[
    ("true", "true", "true", "true", "BOOLEAN true"),
    ("null::boolean", "-", "\"\"", "null", "BOOLEAN "),
    ("(-128)::tinyint", "-128", "-128", "-128", "TINYINT -128"),
    ("65535::usmallint", "65535", "65535", "65535", "USMALLINT 65535"),
    ("(-9223372036854775808)", "-9223372036854775808", SAME, "-9223372036854775808", "BIGINT -9223372036854775808"),
    (
        "18446744073709551615::ubigint",
        "18446744073709551615",
        SAME,
        "18446744073709551615",
        "UBIGINT 18446744073709551615",
    ),
    ("sum(1)", "1", "1", "1", "DECIMAL(38,0) 1"),
    (
        "(-99999999999999999999999999999999999999)::hugeint",
        "-99999999999999999999999999999999999999",
        SAME,
        "-99999999999999999999999999999999999999",
        "DECIMAL(38,0) -99999999999999999999999999999999999999",
    ),
    (
        "170141183460469231731687303715884105727::hugeint",
        "170141183460469231731687303715884105727",
        SAME,
        "170141183460469231731687303715884105727",
        "error: hint: cast it",
    ),
    (
        "340282366920938463463374607431768211455::uhugeint",
        "340282366920938463463374607431768211455",
        SAME,
        "340282366920938463463374607431768211455",
        "error: hint: cast it",
    ),
    ("7::uhugeint", "7", "7", "7", "DECIMAL(38,0) 7"),
    (
        "'-1234567890123456789012345678901234567890123'::bignum",
        "-1234567890123456789012345678901234567890123",
        SAME,
        "-1234567890123456789012345678901234567890123",
        "VARCHAR -1234567890123456789012345678901234567890123",
    ),
    ("256::bignum", "256", "256", "256", "VARCHAR 256"),
    ("(-1.10)::decimal(4, 2)", "-1.10", "-1.10", "-1.10", "DECIMAL(4,2) -1.10"),
    ("0.000001::decimal(38, 10)", "0.0000010000", "0.0000010000", "0.0000010000", "DECIMAL(38,10) 0.0000010000"),
    ("0.1::float", "0.1", "0.1", "0.1", "FLOAT 0.1"),
    ("1::double", "1.0", "1.0", "1.0", "DOUBLE 1.0"),
    ("1e300::double", "1e+300", "1e+300", "1e+300", "DOUBLE 1e+300"),
    ("'nan'::double", "NaN", "NaN", "\"NaN\"", "DOUBLE nan"),
    ("'inf'::float", "Infinity", "Infinity", "\"Infinity\"", "FLOAT inf"),
    ("'-inf'::double", "-Infinity", "-Infinity", "\"-Infinity\"", "DOUBLE -inf"),
    ("'text'", "text", "text", "\"text\"", "VARCHAR text"),
    ("''", "", "\"\"", "\"\"", "VARCHAR "),
    (
        "'a, \"b\"' || chr(10) || 'c'",
        "a, \"b\" c",
        "\"a, \"\"b\"\"\nc\"",
        "\"a, \\\"b\\\"\\nc\"",
        "VARCHAR a, \"b\"\nc",
    ),
    (
        "chr(27) || '[2J' || chr(8238)",
        "\\u001b[2J\\u202e",
        "\u{1b}[2J\u{202e}",
        "\"\\u001b[2J\u{202e}\"",
        "VARCHAR \u{1b}[2J\u{202e}",
    ),
    ("'\\xAB\\x00'::blob", "ab00", "ab00", "\"ab00\"", "BLOB \\xAB\\x00"),
    ("'0010111'::bit", "0010111", "0010111", "\"0010111\"", "VARCHAR 0010111"),
    ("'10101010'::bit", "10101010", "10101010", "\"10101010\"", "VARCHAR 10101010"),
    (
        "'c3a4b5f6-0708-49ab-8def-0123456789ab'::uuid",
        "c3a4b5f6-0708-49ab-8def-0123456789ab",
        "c3a4b5f6-0708-49ab-8def-0123456789ab",
        "\"c3a4b5f6-0708-49ab-8def-0123456789ab\"",
        "VARCHAR c3a4b5f6-0708-49ab-8def-0123456789ab",
    ),
    ("date '2024-05-01'", "2024-05-01", "2024-05-01", "\"2024-05-01\"", "DATE 2024-05-01"),
    ("'infinity'::date", "infinity", "infinity", "\"infinity\"", "DATE infinity"),
    ("'-infinity'::date", "-infinity", "-infinity", "\"-infinity\"", "DATE -infinity"),
    ("'10000-01-01'::date", "10000-01-01", "10000-01-01", "\"10000-01-01\"", "DATE 10000-01-01"),
    ("'5881580-07-10'::date", "5881580-07-10", "5881580-07-10", "\"5881580-07-10\"", "DATE 5881580-07-10"),
    ("'0044-03-15 (BC)'::date", "-0043-03-15", "-0043-03-15", "\"-0043-03-15\"", "DATE 0044-03-15 (BC)"),
    ("time '12:30:00.12'", "12:30:00.120", "12:30:00.120", "\"12:30:00.120\"", "TIME 12:30:00.12"),
    ("'24:00:00'::time", "24:00:00", "24:00:00", "\"24:00:00\"", "TIME 24:00:00"),
    (
        "'12:30:00.123456789'::time_ns",
        "12:30:00.123456789",
        "12:30:00.123456789",
        "\"12:30:00.123456789\"",
        "TIME 12:30:00.123456",
    ),
    ("'12:30:00+05:30'::timetz", "12:30:00+05:30", "12:30:00+05:30", "\"12:30:00+05:30\"", "VARCHAR 12:30:00+05:30"),
    (
        "'00:00:00-15:59:59'::timetz",
        "00:00:00-15:59:59",
        "00:00:00-15:59:59",
        "\"00:00:00-15:59:59\"",
        "VARCHAR 00:00:00-15:59:59",
    ),
    (
        "timestamp '2024-05-01 12:30:00.123456'",
        "2024-05-01 12:30:00.123456",
        "2024-05-01T12:30:00.123456",
        "\"2024-05-01T12:30:00.123456\"",
        "TIMESTAMP 2024-05-01 12:30:00.123456",
    ),
    (
        "'2024-05-01 12:30:00'::timestamp_s",
        "2024-05-01 12:30:00",
        "2024-05-01T12:30:00",
        "\"2024-05-01T12:30:00\"",
        "TIMESTAMP 2024-05-01 12:30:00",
    ),
    (
        "'1969-12-31 23:59:59.5'::timestamp_ms",
        "1969-12-31 23:59:59.500",
        "1969-12-31T23:59:59.500",
        "\"1969-12-31T23:59:59.500\"",
        "TIMESTAMP 1969-12-31 23:59:59.5",
    ),
    (
        "'2024-05-01 12:30:00.000000001'::timestamp_ns",
        "2024-05-01 12:30:00.000000001",
        "2024-05-01T12:30:00.000000001",
        "\"2024-05-01T12:30:00.000000001\"",
        "TIMESTAMP_NS 2024-05-01 12:30:00.000000001",
    ),
    (
        "timestamptz '2024-05-01 12:30:00+02'",
        "2024-05-01 10:30:00Z",
        "2024-05-01T10:30:00Z",
        "\"2024-05-01T10:30:00Z\"",
        "TIMESTAMP WITH TIME ZONE 2024-05-01 10:30:00+00",
    ),
    (
        "'290309-12-22 (BC) 00:00:00'::timestamp",
        "-290308-12-22 00:00:00",
        "-290308-12-22T00:00:00",
        "\"-290308-12-22T00:00:00\"",
        "TIMESTAMP 290309-12-22 (BC) 00:00:00",
    ),
    ("'infinity'::timestamptz", "infinity", "infinity", "\"infinity\"", "TIMESTAMP WITH TIME ZONE infinity"),
    ("'-infinity'::timestamptz", "-infinity", "-infinity", "\"-infinity\"", "TIMESTAMP WITH TIME ZONE -infinity"),
    ("'infinity'::timestamp", "infinity", "infinity", "\"infinity\"", "TIMESTAMP infinity"),
    ("'infinity'::timestamp_s", "infinity", "infinity", "\"infinity\"", "TIMESTAMP infinity"),
    ("'-infinity'::timestamp_ms", "-infinity", "-infinity", "\"-infinity\"", "TIMESTAMP -infinity"),
    ("'infinity'::timestamp_ns", "infinity", "infinity", "\"infinity\"", "TIMESTAMP_NS infinity"),
    (
        "interval '14 months 3 days -04:05:06.7'",
        "1 year 2 months 3 days -04:05:06.7",
        "1 year 2 months 3 days -04:05:06.7",
        "\"1 year 2 months 3 days -04:05:06.7\"",
        "VARCHAR 1 year 2 months 3 days -04:05:06.7",
    ),
    (
        "to_microseconds(9223372036854775807)",
        "2562047788:00:54.775807",
        "2562047788:00:54.775807",
        "\"2562047788:00:54.775807\"",
        "VARCHAR 2562047788:00:54.775807",
    ),
    (
        "[to_hours(-400000000), null]",
        "[-400000000:00:00, null]",
        "\"[\"\"-400000000:00:00\"\",null]\"",
        "[\"-400000000:00:00\",null]",
        "VARCHAR[] ['-400000000:00:00', NULL]",
    ),
    ("interval '3000000 hours'", "3000000:00:00", "3000000:00:00", "\"3000000:00:00\"", "VARCHAR 3000000:00:00"),
    ("'de'::enum('en', 'de')", "de", "de", "\"de\"", "VARCHAR de"),
    ("null::enum('en', 'de')", "-", "\"\"", "null", "VARCHAR "),
    ("'{\"a\": [1]}'::json", "{\"a\": [1]}", "\"{\"\"a\"\": [1]}\"", "\"{\\\"a\\\": [1]}\"", "VARCHAR {\"a\": [1]}"),
    ("null", "-", "\"\"", "null", "INTEGER "),
    ("[1, null, 3]", "[1, null, 3]", "\"[1,null,3]\"", "[1,null,3]", "INTEGER[] [1, NULL, 3]"),
    ("[]::integer[]", "[]", "[]", "[]", "INTEGER[] []"),
    ("['a', 'b\"c']", "[a, b\"c]", "\"[\"\"a\"\",\"\"b\\\"\"c\"\"]\"", "[\"a\",\"b\\\"c\"]", "VARCHAR[] [a, 'b\"c']"),
    ("null::varchar[]", "-", "\"\"", "null", "VARCHAR[] "),
    (
        "[true, false, null]",
        "[true, false, null]",
        "\"[true,false,null]\"",
        "[true,false,null]",
        "BOOLEAN[] [true, false, NULL]",
    ),
    ("[1::hugeint]", "[1]", "[1]", "[1]", "DECIMAL(38,0)[] [1]"),
    ("['nan'::double, 1.5]", "[NaN, 1.5]", "\"[\"\"NaN\"\",1.5]\"", "[\"NaN\",1.5]", "DOUBLE[] [nan, 1.5]"),
    ("['de'::enum('en', 'de'), null]", "[de, null]", "\"[\"\"de\"\",null]\"", "[\"de\",null]", "VARCHAR[] [de, NULL]"),
    ("[interval '1 day']", "[1 day]", "\"[\"\"1 day\"\"]\"", "[\"1 day\"]", "VARCHAR[] [1 day]"),
    (
        "[timestamptz '2024-05-01 00:00:00+00', 'infinity', null]",
        "[2024-05-01 00:00:00Z, infinity, null]",
        "\"[\"\"2024-05-01T00:00:00Z\"\",\"\"infinity\"\",null]\"",
        "[\"2024-05-01T00:00:00Z\",\"infinity\",null]",
        "TIMESTAMP WITH TIME ZONE[] ['2024-05-01 00:00:00+00', infinity, NULL]",
    ),
    (
        "[['2024-05-01'::date], []]",
        "[[2024-05-01], []]",
        "\"[[\"\"2024-05-01\"\"],[]]\"",
        "[[\"2024-05-01\"],[]]",
        "DATE[][] [[2024-05-01], []]",
    ),
    ("[1, 2]::integer[2]", "[1, 2]", "\"[1,2]\"", "[1,2]", "INTEGER[] [1, 2]"),
    (
        "{'id': 1, 'at': timestamp '2024-05-01', 'none': null}",
        "{id: 1, at: 2024-05-01 00:00:00, none: null}",
        "\"{\"\"id\"\":1,\"\"at\"\":\"\"2024-05-01T00:00:00\"\",\"\"none\"\":null}\"",
        "{\"id\":1,\"at\":\"2024-05-01T00:00:00\",\"none\":null}",
        "STRUCT(id INTEGER, \"at\" TIMESTAMP, \"none\" INTEGER) {'id': 1, 'at': '2024-05-01 00:00:00', 'none': NULL}",
    ),
    (
        "[{'a': ['x']}, null]",
        "[{a: [x]}, null]",
        "\"[{\"\"a\"\":[\"\"x\"\"]},null]\"",
        "[{\"a\":[\"x\"]},null]",
        "STRUCT(a VARCHAR[])[] [{'a': [x]}, NULL]",
    ),
    (
        "(1, 'a', null)",
        "(1, a, null)",
        "\"[1,\"\"a\"\",null]\"",
        "[1,\"a\",null]",
        "STRUCT(_1 INTEGER, _2 VARCHAR, _3 INTEGER) {'_1': 1, '_2': a, '_3': NULL}",
    ),
    ("row(1)", "(1)", "[1]", "[1]", "STRUCT(_1 INTEGER) {'_1': 1}"),
    (
        "(select arg_max((author, 1.5), n) from (values ('bob', 1), ('ann', 2)) v(author, n))",
        "(ann, 1.5)",
        "\"[\"\"ann\"\",1.5]\"",
        "[\"ann\",1.5]",
        "STRUCT(_1 VARCHAR, _2 DECIMAL(2,1)) {'_1': ann, '_2': 1.5}",
    ),
    (
        "list_zip([1, 2], ['a'])",
        "[(1, a), (2, null)]",
        "\"[[1,\"\"a\"\"],[2,null]]\"",
        "[[1,\"a\"],[2,null]]",
        "STRUCT(_1 INTEGER, _2 VARCHAR)[] [{'_1': 1, '_2': a}, {'_1': 2, '_2': NULL}]",
    ),
    (
        "((1, 2), {'x': (3, interval 1 day)})",
        "((1, 2), {x: (3, 1 day)})",
        "\"[[1,2],{\"\"x\"\":[3,\"\"1 day\"\"]}]\"",
        "[[1,2],{\"x\":[3,\"1 day\"]}]",
        "STRUCT(_1 STRUCT(_1 INTEGER, _2 INTEGER), _2 STRUCT(x STRUCT(_1 INTEGER, _2 VARCHAR))) \
         {'_1': {'_1': 1, '_2': 2}, '_2': {'x': {'_1': 3, '_2': 1 day}}}",
    ),
    (
        "map {(1, 'k'): ('v', [1::hugeint])}",
        "{(1, k): (v, [1])}",
        "\"{\"\"[1,\\\"\"k\\\"\"]\"\":[\"\"v\"\",[1]]}\"",
        "{\"[1,\\\"k\\\"]\":[\"v\",[1]]}",
        "MAP(STRUCT(_1 INTEGER, _2 VARCHAR), STRUCT(_1 VARCHAR, _2 DECIMAL(38,0)[])) {{'_1': 1, '_2': k}={'_1': v, '_2': [1]}}",
    ),
    ("[null, (1, 'a')][1]", "-", "\"\"", "null", "STRUCT(_1 INTEGER, _2 VARCHAR) "),
    (
        "map {'a': timestamptz '2024-05-01 00:00:00+00', 'b': null}",
        "{a: 2024-05-01 00:00:00Z, b: null}",
        "\"{\"\"a\"\":\"\"2024-05-01T00:00:00Z\"\",\"\"b\"\":null}\"",
        "{\"a\":\"2024-05-01T00:00:00Z\",\"b\":null}",
        "MAP(VARCHAR, TIMESTAMP WITH TIME ZONE) {a='2024-05-01 00:00:00+00', b=NULL}",
    ),
    (
        "map {date '2024-05-01': true}",
        "{2024-05-01: true}",
        "\"{\"\"2024-05-01\"\":true}\"",
        "{\"2024-05-01\":true}",
        "MAP(DATE, BOOLEAN) {2024-05-01=true}",
    ),
    ("map {1: 'a'}", "{1: a}", "\"{\"\"1\"\":\"\"a\"\"}\"", "{\"1\":\"a\"}", "MAP(INTEGER, VARCHAR) {1=a}"),
    (
        "map {{'k': 1}: 'a'}",
        "{{k: 1}: a}",
        "\"{\"\"{\\\"\"k\\\"\":1}\"\":\"\"a\"\"}\"",
        "{\"{\\\"k\\\":1}\":\"a\"}",
        "MAP(STRUCT(k INTEGER), VARCHAR) {{'k': 1}=a}",
    ),
    ("map {}::map(varchar, integer)", "{}", "{}", "{}", "MAP(VARCHAR, INTEGER) {}"),
    ("union_value(n := 1)", "{n: 1}", "\"{\"\"n\"\":1}\"", "{\"n\":1}", "VARCHAR {\"n\":1}"),
    (
        "[union_value(at := timestamp '2024-05-01')]",
        "[{at: 2024-05-01 00:00:00}]",
        "\"[{\"\"at\"\":\"\"2024-05-01T00:00:00\"\"}]\"",
        "[{\"at\":\"2024-05-01T00:00:00\"}]",
        "VARCHAR[] ['{\"at\":\"2024-05-01T00:00:00\"}']",
    ),
    ("null::union(n integer)", "-", "\"\"", "null", "VARCHAR "),
    (
        "'POINT (1 2)'::geometry",
        "0101000000000000000000f03f0000000000000040",
        "0101000000000000000000f03f0000000000000040",
        "\"0101000000000000000000f03f0000000000000040\"",
        "BLOB \\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xF0?\\x00\\x00\\x00\\x00\\x00\\x00\\x00@",
    ),
];

#[test]
fn every_type_reads_the_same_wherever_it_stands_and_in_each_format() {
    let bench = Bench::new();
    let mut wrong = Vec::new();
    for (value, people, field, json, parquet) in VALUES {
        let mut check = |what: &str, found: String, expected: String| {
            if found != expected {
                wrong.push(format!("{value} {what}\n   found {found:?}\nexpected {expected:?}"));
            }
        };
        let sql = format!("select {value} as v");
        let field = if *field == SAME { json } else { field };
        check("table", bench.text(&sql, Format::Table).trim_start().to_owned(), format!("v\n{people}\n"));
        check("csv", bench.text(&sql, Format::Csv), format!("v\n{field}\n"));
        check("json", bench.text(&sql, Format::Json), format!("[{{\"v\":{json}}}]\n"));
        check("ndjson", bench.text(&sql, Format::Ndjson), format!("{{\"v\":{json}}}\n"));
        if serde_json::from_str::<serde_json::Value>(json).is_err() {
            check("is JSON", "no".to_owned(), "yes".to_owned());
        }
        let stored = bench.of_parquet(&sql, "typeof(v) || ' ' || coalesce(v::varchar, '')");
        match (stored, parquet.strip_prefix("error: ")) {
            (Ok(found), None) => check("parquet", found, (*parquet).to_owned()),
            (Err(error), Some(part)) if format!("{error:#}").contains(part) => {}
            (found, _) => check("parquet", format!("{found:?}"), (*parquet).to_owned()),
        }
        // The value in a list, in a struct, as a map's value and in every other row.
        let nested = format!("select [v, null] as l, {{'f': v}} as s, map {{'k': v}} as m from (select {value} as v)");
        let expected = format!("[{{\"l\":[{json},null],\"s\":{{\"f\":{json}}},\"m\":{{\"k\":{json}}}}}]\n");
        check("nested", bench.text(&nested, Format::Json), expected);
        if !parquet.starts_with("error: ") {
            let found = bench.of_parquet(&nested, "typeof(l[1]) || ' ' || len(l)");
            let kind = parquet.rsplit_once(' ').map_or(*parquet, |(kind, _)| kind);
            let found = found.unwrap_or_else(|error| format!("{error:#}"));
            if !kind.starts_with(found.trim_end_matches(" 2")) {
                check("nested in parquet", found, format!("{kind} 2"));
            }
        }
        let rows =
            format!("select w.v from range(5000) r(i) left join (select {value} as v, 0 as k) w on r.i % 2 = w.k");
        let lines = bench.text(&rows, Format::Ndjson);
        let count = |line: &str| lines.lines().filter(|found| *found == line).count();
        let counted = (count("{\"v\":null}"), count(&format!("{{\"v\":{json}}}")));
        let expected = if *json == "null" { (5000, 5000) } else { (2500, 2500) };
        check("rows", format!("{counted:?}"), format!("{expected:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_answer_without_rows_keeps_its_columns() {
    let bench = Bench::new();
    let none = "select 1 as a, [timestamp '2024-05-01'] as b where false";
    assert_eq!(bench.text(none, Format::Csv), "a,b\n");
    assert_eq!(bench.text(none, Format::Json), "[]\n");
    assert_eq!(bench.text(none, Format::Ndjson), "");
    assert_eq!(bench.text(none, Format::Table), "a  b\n");
    assert_eq!(bench.of_parquet(none, "count(*)::varchar").unwrap(), "0");
    assert_eq!(bench.of_parquet(&format!("{none} or true"), "typeof(a) || typeof(b)").unwrap(), "INTEGERTIMESTAMP[]");
}

#[test]
fn columns_of_one_name_are_told_apart_where_names_are_keys() {
    let bench = Bench::new();
    let sql = "select 1 as a, 2 as a, 3 as a_1, 4 as a, 5 as \"b\"\"c,\"";
    assert_eq!(bench.text(sql, Format::Json), "[{\"a\":1,\"a_2\":2,\"a_1\":3,\"a_3\":4,\"b\\\"c,\":5}]\n");
    assert_eq!(bench.text(sql, Format::Csv), "a,a_2,a_1,a_3,\"b\"\"c,\"\n1,2,3,4,5\n");
    assert_eq!(bench.of_parquet(sql, "a || '' || a_2 || a_1 || a_3").unwrap(), "1234");
    assert_eq!(bench.text(sql, Format::Table), "a  a  a_1  a  b\"c,\n1  2    3  4     5\n");
}

#[test]
fn members_of_one_name_are_told_apart() {
    let named = |names: &[&str]| names.iter().map(|name| Field::new(*name, DataType::Int32, true)).collect::<Fields>();
    let write = |fields: Fields, format| {
        let columns: Vec<ArrayRef> =
            (1..=fields.len()).map(|n| Arc::new(Int32Array::from(vec![n as i32])) as ArrayRef).collect();
        let column: ArrayRef = Arc::new(StructArray::new(fields, columns, None));
        let batch = RecordBatch::try_from_iter([("s", column)]).unwrap();
        let mut ipc = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        ipc.write(&batch).unwrap();
        let mut out = Vec::new();
        write_rows(ipc.into_inner().unwrap().as_slice(), format, &Style::PLAIN, &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    };
    for (names, json) in [
        (&["a", "a", "a_1", "a"][..], "{\"a\":1,\"a_2\":2,\"a_1\":3,\"a_3\":4}"),
        (&["", "a", ""], "{\"\":1,\"a\":2,\"_1\":3}"),
        (&["", ""], "[1,2]"),
    ] {
        assert_eq!(write(named(names), Format::Json), format!("[{{\"s\":{json}}}]\n"), "{names:?}");
        assert!(write(named(names), Format::Parquet).starts_with("PAR1"));
    }
}

#[test]
fn tuples_of_several_statements_are_one_parquet_column() {
    let bench = Bench::new();
    let sql = "select (1, 'a', null) as t union all select (2, 'b', [1]) order by t";
    assert_eq!(bench.of_parquet(sql, "string_agg(t::varchar, ' ' order by t._1)").unwrap().matches("_3").count(), 2);
    assert_eq!(bench.text(sql, Format::Ndjson), "{\"t\":[1,\"a\",null]}\n{\"t\":[2,\"b\",[1]]}\n");
}

#[test]
fn csv_tells_no_value_from_an_empty_text_and_loses_no_row() {
    let bench = Bench::new();
    let two = "select * from (values (null, ''), ('', null), (' a', 'b' || chr(13))) v(x, y)";
    assert_eq!(bench.text(two, Format::Csv), "x,y\n,\"\"\n\"\",\n a,\"b\r\"\n");
    assert_eq!(bench.text("select null as x from range(3)", Format::Csv), "x\n\"\"\n\"\"\n\"\"\n");
}

#[test]
fn statements_about_statements_answer_in_each_format() {
    let bench = Bench::new();
    for (sql, part) in [
        ("describe posts", "created_at"),
        ("summarize select 1 as a", "INTEGER"),
        ("show tables", "posts"),
        ("explain select 1", "physical_plan"),
        ("explain analyze select 1", "analyzed_plan"),
        ("pivot (select 'x' as a) on a using count(*)", "x"),
        ("unpivot (select 1 as a, 2 as b) on a, b into name n value v", "n"),
    ] {
        for format in [Format::Table, Format::Csv, Format::Json, Format::Ndjson] {
            let text = bench.text(sql, format);
            assert!(
                format == Format::Table && part.ends_with("_plan") || text.contains(part),
                "{sql} {format:?}: {text}"
            );
        }
        assert_ne!(bench.of_parquet(sql, "count(*)::varchar").unwrap(), "0", "{sql}");
    }
}

/// An answer that ends among its rows, between two of its messages.
fn broken_off(bench: &Bench) -> Vec<u8> {
    let mut ipc = Vec::new();
    let sql = "select i, case when i > 5000000 then error('the cause') else 'x' end as v from range(10000000) r(i)";
    let error = bench.lake.sql(sql, &SqlLimits::default(), &mut ipc).unwrap_err();
    assert!(error.message.contains("the cause"), "{error}");
    ipc
}

#[test]
fn an_answer_that_broke_off_is_an_error_and_looks_whole_in_no_format() {
    let bench = Bench::new();
    let short = broken_off(&bench);
    assert!(Answer::new(short.as_slice()).unwrap().next().unwrap().is_ok(), "it has rows");
    for end in [short.len(), short.len() - 1, short.len() - 700] {
        for format in [Format::Table, Format::Csv, Format::Json, Format::Ndjson, Format::Parquet] {
            let mut out = Vec::new();
            write_rows(&short[..end], format, &Style::PLAIN, &mut out).expect_err("it is no whole answer");
            match format {
                Format::Table => assert!(out.is_empty()),
                Format::Json => assert!(serde_json::from_slice::<serde_json::Value>(&out).is_err()),
                Format::Parquet => assert!(!out.ends_with(b"PAR1") || out.len() < 8),
                Format::Csv | Format::Ndjson => assert!(out.ends_with(b"\n"), "rows are whole"),
            }
        }
    }
}
