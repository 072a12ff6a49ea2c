//! Importing odd values, columns and pages: each is read by its own evidence, or counted, or refused; none is taken for another.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, NullArray, StringArray,
    TimestampMillisecondArray,
};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rand::{Rng, SeedableRng};

use crate::import::{BEGIN, Bucket, assert_whole, columns, parquet, toots};
use crate::program::{Data, Said};

/// The talk's rows with some columns replaced.
fn with(count: i64, replaced: Vec<(&'static str, ArrayRef)>) -> Vec<u8> {
    let mut columns = columns(&toots(0..count));
    for (name, column) in replaced {
        columns.retain(|(other, _)| *other != name);
        columns.push((name, column));
    }
    parquet(columns)
}

fn numbers(numbers: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(numbers.to_vec()))
}

fn no_text(count: usize) -> (&'static str, ArrayRef) {
    ("created_at_str", Arc::new(StringArray::from(vec![None::<&str>; count])))
}

fn import(file: &[u8]) -> (Data, Said) {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.put(0, 0, file);
    let said = data.run(["import", bucket.typed()]);
    (data, said)
}

#[test]
fn a_time_of_receipt_that_cannot_be_one_is_counted_and_the_other_column_stands_in() {
    let begin = i64::from(BEGIN);
    let ok = [begin, begin + 300, begin + 600];
    let of_millis =
        |last: i64| -> ArrayRef { Arc::new(TimestampMillisecondArray::from(vec![ok[0] * 1_000, ok[1] * 1_000, last])) };
    let texts = |last: &str| -> ArrayRef {
        Arc::new(StringArray::from(vec!["2023-02-03T11:00:00Z", "2023-02-03T11:05:00Z", last]))
    };
    // The third time is none: of a clock that was not set, or that was ahead.
    let odd: Vec<ArrayRef> = vec![
        numbers(&[ok[0], ok[1], 0]),
        numbers(&[ok[0], ok[1], -1]),
        numbers(&[ok[0], ok[1], 4_070_908_800]),
        numbers(&[ok[0] * 1_000, ok[1] * 1_000, 4_070_908_800_000]),
        Arc::new(Int32Array::from(vec![BEGIN, BEGIN + 300, 0])),
        Arc::new(Int32Array::from(vec![BEGIN, BEGIN + 300, i32::MAX])),
        of_millis(0),
        of_millis(4_070_908_800_000),
        texts("1970-01-01T00:00:00Z"),
        texts("2096-02-29T00:00:00Z"),
    ];
    for column in odd {
        let shown = format!("{column:?}");
        let (data, said) = import(&with(3, vec![("created_at", Arc::clone(&column))]));
        assert_eq!(said.code(), Some(1), "{shown}: {said:?}");
        assert!(said.stderr.contains("hold: created_at 1\n"), "{shown}: {said:?}");
        let sum = "select sum(epoch(observed_at))::bigint from posts";
        assert_eq!(data.number(sum), ok.iter().sum::<i64>(), "{shown}");
        // Without the other column the file's time stands in.
        let (data, said) = import(&with(3, vec![("created_at", column), no_text(3)]));
        assert_eq!(said.code(), Some(1), "{shown}: {said:?}");
        assert!(said.stderr.contains("row 3: its time cannot be read, and that of the file stands in"), "{said:?}");
        let today = "select count(*) from posts where observed_at between now() - interval 1 hour and now()";
        assert_eq!(data.number(today), 1, "{shown}");
    }
}

#[test]
fn a_file_written_in_the_future_was_not_seen_then() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let timeless: ArrayRef = Arc::new(Int64Array::from(vec![None::<i64>; 3]));
    let path = bucket.put(0, 0, &with(3, vec![("created_at", timeless), no_text(3)]));
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(3_980_000_000)).unwrap();
    data.run(["import", bucket.typed()]).done();
    assert_eq!(data.number("select count(*) from posts where observed_at <= now()"), 3);
    assert_eq!(data.number("select count(*) from posts where observed_at > now() - interval 1 hour"), 3);
}

#[test]
fn a_time_in_another_unit_than_its_neighbours_is_read_in_its_own() {
    let begin = i64::from(BEGIN);
    let units = [1, 1_000, 1_000_000, 1_000_000_000];
    for (most, few) in units.into_iter().flat_map(|most| units.map(|few| (most, few))) {
        for is_written in [true, false] {
            let at = |row: i64| (begin + row * 300) * if row < 3 { most } else { few };
            let mut replaced = vec![("created_at", numbers(&[at(0), at(1), at(2), at(3), at(4)]))];
            replaced.extend((!is_written).then(|| no_text(5)));
            let (data, said) = import(&with(5, replaced));
            assert_eq!(said.code(), Some(0), "{most} {few} {is_written}: {said:?}");
            let wrong = format!(
                "select count(*) from posts where epoch(observed_at) <> {begin} + 300 * (id::bigint - 5000000000)"
            );
            assert_eq!(data.number(&wrong), 0, "{most} {few} {is_written}");
        }
    }
    // The text beside it says another time: it is none.
    let texts: ArrayRef = Arc::new(StringArray::from(vec![None, None, None, Some("2022 01 01 00:00:00")]));
    let odd = vec![("created_at", numbers(&[begin, begin, begin, begin * 1_000])), ("created_at_str", texts)];
    let (data, said) = import(&with(4, odd));
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(said.stderr.contains("hold: created_at 1\n"), "{said:?}");
    assert_eq!(data.number("select count(*) from posts where year(observed_at) = 2022"), 1);
}

/// A file with `created_at` as INT96: days since 4713 BC, and nanoseconds of the day.
fn of_int96(days: &[u32]) -> Vec<u8> {
    let schema = "message m { required int64 m_id; required binary url (UTF8); required binary username (UTF8); \
                  required int96 created_at; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::builder().build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let ids: Vec<i64> = (1..).take(days.len()).collect();
    let texts =
        |text: &dyn Fn(i64) -> String| ids.iter().map(|id| ByteArray::from(text(*id).as_str())).collect::<Vec<_>>();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
    column.close().unwrap();
    for texts in [texts(&|id| format!("https://a.test/@ann/{id}")), texts(&|_| "ann".to_owned())] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
        column.close().unwrap();
    }
    let times: Vec<Int96> = days
        .iter()
        .map(|day| {
            let mut time = Int96::new();
            time.set_data(0, 0, *day);
            time
        })
        .collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int96Type>().write_batch(&times, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_time_in_int96_is_read_or_counted_and_never_another_one() {
    const OF_1970: u32 = 2_440_588;
    let day = OF_1970 + 19_391;
    // 2023; 2300, 2554 and 9999, which in nanoseconds are other years; the greatest, and days before 1970.
    let odd =
        [OF_1970 + 120_530, OF_1970 + 213_503 + 19_391, OF_1970 + 2_932_896, u32::MAX, i32::MAX.unsigned_abs(), 0];
    for other in odd {
        let (data, said) = import(&of_int96(&[day, other]));
        assert_eq!(said.code(), Some(1), "{other}: {said:?}");
        assert!(said.stderr.contains("hold: created_at 1\n"), "{other}: {said:?}");
        assert_eq!(data.number("select count(*) from posts where epoch(observed_at) = 19391 * 86400"), 1, "{other}");
        assert_eq!(data.number("select count(*) from posts where observed_at > now() - interval 1 hour"), 1, "{other}");
    }
}

#[test]
fn an_id_that_is_no_whole_number_is_counted_and_a_column_of_other_things_refused() {
    let great = 109_811_111_111_110_001_i128;
    let decimals: ArrayRef =
        Arc::new(Decimal128Array::from(vec![great * 100, 200, 350]).with_precision_and_scale(38, 2).unwrap());
    let (data, said) = import(&with(3, vec![("m_id", decimals)]));
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(said.stderr.contains("1 not usable (no_id 1)") && said.stderr.contains("hold: m_id 1\n"), "{said:?}");
    assert_eq!(data.number("select count(*) from posts where id in ('109811111111110001', '2')"), 2);
    let others: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![true, false, true])),
        Arc::new(Date32Array::from(vec![1, 2, 3])),
        Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3])),
    ];
    for column in others {
        let (data, said) = import(&with(3, vec![("m_id", Arc::clone(&column))]));
        assert_eq!(said.code(), Some(2), "{column:?}: {said:?}");
        assert!(said.stderr.contains("its column m_id is of type "), "{said:?}");
        assert_eq!(data.number("select count(*) from posts"), 0);
    }
}

#[test]
fn a_column_of_nulls_without_a_type_is_one_of_nulls() {
    for name in ["app", "created_at", "created_at_str", "favourites", "bot", "base_url", "language", "mastodon_text"] {
        let (data, said) = import(&with(3, vec![(name, Arc::new(NullArray::new(3)))]));
        assert_eq!(said.code(), Some(0), "{name}: {said:?}");
        assert_whole(&data, 3);
    }
    let (_, said) = import(&with(3, vec![("m_id", Arc::new(NullArray::new(3)))]));
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(said.stderr.contains("3 not usable (no_id 3)"), "{said:?}");
}

#[test]
fn a_column_that_is_there_twice_is_refused() {
    for name in ["favourites", "m_id", "created_at", "mastodon_text"] {
        let mut columns = columns(&toots(0..3));
        columns.push((name, numbers(&[7, 7, 7])));
        let (data, said) = import(&parquet(columns));
        assert_eq!(said.code(), Some(2), "{name}: {said:?}");
        assert!(said.stderr.contains(&format!("cannot be read: it has column {name} more than once")), "{said:?}");
        assert_eq!(data.number("select count(*) from posts"), 0);
    }
    // Of other columns none is taken.
    let mut columns = columns(&toots(0..3));
    columns.extend([("other", numbers(&[7, 7, 7])), ("other", numbers(&[7, 7, 7]))]);
    let (_, said) = import(&parquet(columns));
    assert_eq!(said.code(), Some(0), "{said:?}");
}

#[test]
fn the_names_of_other_columns_are_one_short_line() {
    let mut columns = columns(&toots(0..3));
    let names: Vec<String> = (0..200).map(|n| format!("other{n:03}\nerror: none{}", "x".repeat(1_000))).collect();
    columns.extend(names.iter().map(|name| (&*name.clone().leak(), numbers(&[7, 7, 7]))));
    let (_, said) = import(&parquet(columns));
    assert_eq!(said.code(), Some(0), "{said:?}");
    let line = said.stderr.lines().find(|line| line.contains("not imported")).unwrap();
    assert!(line.contains(r"other000\nerror: none") && line.ends_with(" and 190 more"), "{line}");
    assert!(line.len() < 2_000, "{line}");
}

#[test]
fn pages_that_cannot_be_decoded_are_one_sentence() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let whole = parquet(columns(&toots(0..10)));
    let mut dice = rand::rngs::StdRng::seed_from_u64(1);
    // A partition each, for a file that cannot be read ends its partition.
    for partition in 0..1_500 {
        let mut bytes = whole.clone();
        for _ in 0..dice.random_range(1..5) {
            let at = dice.random_range(4..bytes.len() - 8);
            bytes[at] = dice.random();
        }
        bucket.put(partition, 0, &bytes);
    }
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    // Some make the decoder panic.
    assert!(said.stderr.contains("its pages cannot be decoded"), "{said:?}");
    assert!(!said.stderr.contains("panicked"), "{said:?}");
}
