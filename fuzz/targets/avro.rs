//! Records: each becomes one row, whatever its bytes are; a row that is read is written as it was, and spoils no other.
#![no_main]

use std::cell::RefCell;

use arrow::array::{Array, AsArray};
use bytes::Bytes;
use fedilake_fuzz::{cuts_and_bytes, pieces, records, seed};
use fedilake_model::avro::{DecodeError, Decoder, Encoded, Schemas, own_header};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static DECODERS: RefCell<[Decoder; 2]> = RefCell::new([Decoder::new(), Schemas::named_by_the_log().decoder()]);
}

fuzz_target!(init: seed(seeds), |input: &[u8]| {
    let (cuts, bytes) = cuts_and_bytes(input);
    // Each piece as it is, and as the body of a record of ours.
    let bare = pieces(bytes, cuts).into_iter().map(Bytes::copy_from_slice);
    let bodies = pieces(bytes, cuts).into_iter().map(|piece| Bytes::from([&own_header()[..], piece].concat()));
    let records: Vec<Encoded> = bare.chain(bodies).take(64).enumerate().map(encoded).collect();
    DECODERS.with_borrow_mut(|[plain, named]| {
        for record in &records {
            let _ = plain.sort_keys(record);
            let _ = named.is_body(&record.value);
        }
        match plain.decode(&records) {
            Ok(rows) => assert_eq!(rows.num_rows(), records.len()),
            Err(DecodeError::UnknownSchema { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        let rows = named.decode(&records).expect("another program's records are rejected");
        assert_eq!(rows.num_rows(), records.len());
        let reasons = rows.column_by_name("rejected_reason").unwrap().as_string::<i32>();
        let kept = rows.column_by_name("rejected_bytes").unwrap().as_binary::<i32>();
        for (row, record) in records.iter().enumerate() {
            // A row is the same alone and beside others.
            let alone = named.decode([record]).unwrap();
            assert_eq!(alone, rows.slice(row, 1));
            assert_eq!(reasons.is_null(row), kept.is_null(row));
            if kept.is_valid(row) {
                assert_eq!(kept.value(row), &record.value[..]);
            }
        }
    });
});

fn encoded((number, value): (usize, Bytes)) -> Encoded {
    Encoded { partition: 1, offset: number as u64, appended_at_ms: 1_760_000_000_000, value }
}

fn seeds() -> Vec<Vec<u8>> {
    let whole = |record: &Vec<u8>| [b"\xff\xff\n", &record[..]].concat();
    let body = |record: &Vec<u8>| [b"\xff\xff\n", &record[record.len().min(10)..]].concat();
    records().iter().flat_map(|record| [whole(record), body(record)]).collect()
}
