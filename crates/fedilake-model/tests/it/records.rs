//! Events → records → rows.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use chrono::{DateTime, TimeZone, Utc};
use fedilake_model::avro::{DecodeError, Decoder, Encoded, KNOWN_SCHEMAS, Schemas, encode};
use fedilake_model::{FrameKind, PostEvent, rows, schema};
use proptest::prelude::*;

use crate::{api, corpus};

/// Every status of the corpus created, some edited, some deleted.
static EVENTS: LazyLock<Vec<PostEvent>> = LazyLock::new(|| {
    let statuses = corpus::statuses();
    let events = statuses.iter().enumerate().flat_map(|(n, line)| {
        let json = line.status.to_string();
        let edited = (n % 5 == 0).then(|| api::translate(FrameKind::StatusUpdate, json.clone()).unwrap());
        let deleted = (n % 7 == 0).then(|| api::translate(FrameKind::Delete, n.to_string()).unwrap());
        [Some(api::translate(FrameKind::Update, json).unwrap()), edited, deleted].into_iter().flatten()
    });
    events.collect()
});

fn encoded(values: impl IntoIterator<Item = Bytes>) -> Vec<Encoded> {
    let records = values.into_iter().enumerate();
    records
        .map(|(n, value)| Encoded { partition: 3, offset: 100 + n as u64, appended_at_ms: 1000 + n as i64, value })
        .collect()
}

fn decode(values: impl IntoIterator<Item = Bytes>) -> RecordBatch {
    Decoder::new().decode(&encoded(values)).unwrap()
}

/// The columns that the record holds.
fn record_part(rows: &RecordBatch) -> RecordBatch {
    let columns: Vec<_> =
        schema::RECORD.fields().iter().map(|f| rows.column_by_name(f.name()).unwrap().clone()).collect();
    RecordBatch::try_new(schema::RECORD.clone(), columns).unwrap()
}

fn reasons(rows: &RecordBatch) -> Vec<Option<String>> {
    rows.column_by_name("rejected_reason").unwrap().as_string::<i32>().iter().map(|r| r.map(str::to_owned)).collect()
}

#[test]
fn what_is_read_is_what_was_written() {
    let rows = decode(encode(&EVENTS));
    assert_eq!(rows.schema(), *schema::TABLE);
    assert_eq!(record_part(&rows), rows::from_events(&EVENTS).unwrap());
    assert!(reasons(&rows).iter().all(Option::is_none));
}

#[test]
fn a_row_holds_each_field_of_its_post() {
    let event = api::update(&api::whole_status()).unwrap();
    insta::assert_snapshot!(text(&rows::from_events(&[event]).unwrap()));
}

#[test]
fn a_deletion_has_a_kind_a_server_an_id_and_its_time() {
    let event = api::translate(FrameKind::Delete, "5").unwrap();
    let rows = decode(encode(&[event]));
    let filled: Vec<_> = rows
        .schema()
        .fields()
        .iter()
        .zip(rows.columns())
        .filter(|(_, c)| c.is_valid(0))
        .map(|(f, _)| f.name().clone())
        .collect();
    assert_eq!(filled, ["kind", "server", "id", "observed_at", "appended_at", "log_partition", "log_offset"]);
}

#[test]
fn rows_carry_where_the_log_has_them() {
    let rows = decode(encode(&EVENTS[..3]));
    assert_eq!(rows.column_by_name("log_partition").unwrap().as_primitive::<Int32Type>().values(), &[3, 3, 3]);
    assert_eq!(rows.column_by_name("log_offset").unwrap().as_primitive::<Int64Type>().values(), &[100, 101, 102]);
    let appended = rows.column_by_name("appended_at").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(appended.values(), &[1_000_000, 1_001_000, 1_002_000]);
}

#[test]
fn times_that_no_engine_can_show_are_null() {
    let at = |year, month, day, hour| Utc.with_ymd_and_hms(year, month, day, hour, 0, 0).unwrap();
    let cases = [
        (at(1, 1, 1, 0), true),
        (at(9_999, 12, 31, 23), true),
        (at(0, 12, 31, 23), false),
        (at(10_000, 1, 1, 0), false),
        (at(-4_712, 1, 1, 0), false),
        (DateTime::<Utc>::MIN_UTC, false),
        (DateTime::<Utc>::MAX_UTC, false),
    ];
    for (moment, is_shown) in cases {
        let mut event = api::update(&api::whole_status()).unwrap();
        let PostEvent::Created(post) = &mut event else { unreachable!() };
        (post.created_at, post.edited_at, post.author_created_at) = (Some(moment), Some(moment), Some(moment));
        let rows = decode(encode(&[event]));
        for name in ["created_at", "edited_at", "author_created_at"] {
            let times = rows.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>();
            assert_eq!(times.is_valid(0), is_shown, "{name} {moment}");
            assert!(!is_shown || times.value(0) == moment.timestamp_micros(), "{name} {moment}");
        }
    }
}

/// Every value that is not null, a line each.
fn text(rows: &RecordBatch) -> String {
    let mut text = String::new();
    for row in 0..rows.num_rows() {
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()).filter(|(_, c)| c.is_valid(row)) {
            // Arrow can format a time of a named zone only with a library of time zones.
            let column = match column.as_primitive_opt::<TimestampMicrosecondType>() {
                Some(times) => Arc::new(times.clone().with_timezone_opt(None::<&str>)),
                None => column.clone(),
            };
            let value = array_value_to_string(&column, row).unwrap();
            writeln!(text, "{} {}: {value:?}", row + 1, field.name()).unwrap();
        }
    }
    text
}

/// `fixtures/records/N.hex` holds records of version N of the schema, one a line. With `FEDILAKE_BLESS` the file of a
/// new version is written; existing files never change.
#[test]
fn records_of_every_version_are_still_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/records");
    for version in 1..=KNOWN_SCHEMAS.len() {
        let path = format!("{folder}/{version}.hex");
        if std::env::var_os("FEDILAKE_BLESS").is_some() && !std::fs::exists(&path).unwrap() {
            let json = api::whole_status().to_string();
            let frames =
                [(FrameKind::Update, json.clone()), (FrameKind::StatusUpdate, json), (FrameKind::Delete, "1".into())];
            let events = frames.map(|(kind, data)| api::translate(kind, data).unwrap());
            let records = encode(&events);
            let hex = |record: Bytes| record.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, records.into_iter().map(hex).collect::<String>()).unwrap();
        }
        let fixture = std::fs::read_to_string(&path).unwrap();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let rows = decode(fixture.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect::<Vec<_>>().into()));
        assert!(reasons(&rows).iter().all(Option::is_none), "version {version}");
        insta::assert_snapshot!(format!("records_of_version_{version}"), text(&rows));
    }
}

#[test]
fn no_records_are_no_rows() {
    assert_eq!(decode([]).num_rows(), 0);
    assert_eq!(decode([]).schema(), *schema::TABLE);
    assert!(encode(&[]).is_empty());
}

#[test]
fn what_cannot_be_read_is_a_rejected_row_and_harms_no_other() {
    let good = encode(&EVENTS[..1]).remove(0);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.to_vec();
        change(&mut bytes);
        Bytes::from(bytes)
    };
    // kind "é" cut in half: its length 1, then a lone byte of UTF-8.
    let cases = [
        (Bytes::new(), "no_header"),
        (Bytes::from_static(b"{\"id\":\"1\"}"), "no_header"),
        (good.slice(..9), "no_header"),
        (with(&|b| b[0] = 0), "no_header"),
        (good.slice(..10), "malformed"),
        (good.slice(..good.len() - 1), "malformed"),
        (with(&|b| b.push(0)), "malformed"),
        (with(&|b| b.extend_from_within(..)), "malformed"),
        (with(&|b| b[11] = 0xff), "malformed"),
        (with(&|b| b.splice(10.., [0xff; 9]).for_each(drop)), "malformed"),
        (with(&|b| b.splice(10.., [0xfe, 0xff, 0xff, 0xff, 0x0f]).for_each(drop)), "malformed"),
    ];
    let mut values = vec![good.clone()];
    for (bad, _) in &cases {
        values.extend([bad.clone(), good.clone()]);
    }
    let rows = decode(values.clone());
    let expected: Vec<_> =
        [None].into_iter().chain(cases.iter().flat_map(|(_, reason)| [Some(reason.to_string()), None])).collect();
    assert_eq!(reasons(&rows), expected);
    let kinds = rows.column_by_name("kind").unwrap().as_string::<i32>();
    let bytes = rows.column_by_name("rejected_bytes").unwrap().as_binary::<i32>();
    let expected_row = rows::from_events(&EVENTS[..1]).unwrap();
    for (n, reason) in expected.iter().enumerate() {
        match reason {
            Some(_) => assert_eq!((kinds.value(n), bytes.value(n)), ("rejected", &*values[n])),
            None => assert_eq!(record_part(&rows.slice(n, 1)), expected_row),
        }
    }
}

#[test]
fn a_decoder_reads_on_after_a_bad_batch() {
    let mut decoder = Decoder::new();
    let good = encode(&EVENTS[..2]);
    let expected = rows::from_events(&EVENTS[..2]).unwrap();
    for _ in 0..3 {
        let bad = decoder.decode(&encoded([good[0].slice(..good[0].len() - 3)])).unwrap();
        assert_eq!(reasons(&bad), [Some("malformed".to_owned())]);
        assert_eq!(record_part(&decoder.decode(&encoded(good.clone())).unwrap()), expected);
    }
}

#[test]
fn a_record_of_an_unknown_schema_stops_the_caller() {
    let mut record = encode(&EVENTS[..1]).remove(0).to_vec();
    record[2..10].copy_from_slice(&0x0123_4567_89ab_cdef_u64.to_le_bytes());
    let good = encode(&EVENTS[..1]).remove(0);
    let error = Decoder::new().decode(&encoded([good, record.into()])).unwrap_err();
    let DecodeError::UnknownSchema { fingerprint, partition, offset } = error else { panic!("{error}") };
    assert_eq!((fingerprint, partition, offset), (0x0123_4567_89ab_cdef, 3, 101));
}

#[test]
fn where_the_log_names_our_schemas_a_record_of_an_unknown_one_is_rejected_alone() {
    let good = encode(&EVENTS[..1]).remove(0);
    let unknown = |body: &[u8]| -> Bytes { [b"\xc3\x01\xef\xcd\xab\x89\x67\x45\x23\x01", body].concat().into() };
    let values =
        [good.clone(), unknown(b""), unknown(&good[10..]), good.slice(..9), unknown(&[0xff; 99]), good.clone()];
    let records = encoded(values.clone());
    let mut decoder = Schemas::named_by_the_log().decoder();
    for _ in 0..2 {
        let rows = decoder.decode(&records).unwrap();
        let unknown = Some("unknown_schema".to_owned());
        let expected = [None, unknown.clone(), unknown.clone(), Some("no_header".to_owned()), unknown, None];
        assert_eq!(reasons(&rows), expected);
        let bytes = rows.column_by_name("rejected_bytes").unwrap().as_binary::<i32>();
        assert!((1..5).all(|n| bytes.value(n) == &*values[n]));
        assert_eq!(record_part(&rows.slice(5, 1)), rows::from_events(&EVENTS[..1]).unwrap());
        for record in &records {
            decoder.sort_keys(record).unwrap();
        }
    }
}

#[test]
fn a_body_of_ours_is_told_from_others() {
    let mut decoder = Decoder::new();
    for value in encode(&EVENTS) {
        assert!(decoder.is_body(&value[10..]));
    }
    let body = &encode(&EVENTS[..1]).remove(0)[10..];
    // Of a newer version, which has more fields.
    assert!(decoder.is_body(&[body, b"\x02\x08more"].concat()));
    let others: [&[u8]; 7] = [b"", b"body", b"\x08body", b"created", &[0; 8], &[0xff; 400], b"\x0eCreated"];
    for other in others {
        assert!(!decoder.is_body(other), "{other:?}");
    }
    assert_eq!(
        record_part(&decoder.decode(&encoded([encode(&EVENTS[..1]).remove(0)])).unwrap()),
        rows::from_events(&EVENTS[..1]).unwrap()
    );
}

#[test]
fn a_thousand_bad_records_do_not_take_long_and_lose_no_good_one() {
    let good = encode(&EVENTS[..1]).remove(0);
    let values = (0..1000).map(|n| if n % 2 == 0 { good.clone() } else { good.slice(..good.len() - 1 - n % 50) });
    let rows = decode(values);
    assert_eq!(reasons(&rows).iter().flatten().count(), 500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_rows(mut values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..8)) {
        // A value that looks like a record of a newer schema is an error and not a row: see above.
        values.retain(|value| !value.starts_with(&[0xc3, 0x01]) || value.len() < 10);
        let rows = decode(values.clone().into_iter().map(Bytes::from));
        prop_assert_eq!(rows.num_rows(), values.len());
    }

    #[test]
    fn garbled_records_are_rows_and_harm_no_other(
        which in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)), 1..8),
    ) {
        let records = encode(&EVENTS);
        let mut values = Vec::new();
        let mut untouched = Vec::new();
        for (event, changes) in &which {
            let event = event.index(EVENTS.len());
            let mut bytes = records[event].to_vec();
            for (place, byte) in changes {
                // The fingerprint in the header is not changed: another one means another schema.
                let body = bytes.len() - 10;
                bytes[10 + place.index(body)] = *byte;
            }
            untouched.push(changes.is_empty().then_some(event));
            values.push(Bytes::from(bytes));
        }
        let rows = decode(values);
        prop_assert_eq!(rows.num_rows(), which.len());
        for (n, event) in untouched.into_iter().enumerate() {
            if let Some(event) = event {
                prop_assert_eq!(record_part(&rows.slice(n, 1)), rows::from_events(&EVENTS[event..=event]).unwrap());
            }
        }
    }

    #[test]
    fn a_batch_is_its_parts(cut in 0usize..=20) {
        let records = encoded(encode(&EVENTS[..20]));
        let mut decoder = Decoder::new();
        let whole = decoder.decode(&records).unwrap();
        let parts = [decoder.decode(&records[..cut]).unwrap(), decoder.decode(&records[cut..]).unwrap()];
        prop_assert_eq!(concat_batches(&whole.schema(), &parts).unwrap(), whole);
    }
}
