//! An answer of a timeline: its statuses are the list's own bytes, and a page has an order that does not depend on the one it was sent in.
#![no_main]

use bytes::Bytes;
use fedilake_collect::fuzzing;
use fedilake_fuzz::{documents, seed, statuses};
use fedilake_model::json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed(seeds), |input: &[u8]| {
    let body = Bytes::copy_from_slice(input);
    let ids = fuzzing::page(&body);
    fuzzing::streaming(&body);
    let Ok(elements) = json::elements(&body) else { return assert!(ids.is_none()) };
    let elements: Result<Vec<Bytes>, _> = elements.collect();
    let Ok(elements) = elements else { return assert!(ids.is_none()) };
    // A list of the same elements is cut into the same.
    let again = Bytes::from([&b"["[..], &elements.join(&b','), b"]"].concat());
    let cut_again: Vec<Bytes> = json::elements(&again).unwrap().map(Result::unwrap).collect();
    assert_eq!(cut_again, elements);
    assert_eq!(fuzzing::page(&again), ids);
});

fn seeds() -> Vec<Vec<u8>> {
    let statuses: Vec<String> = statuses().iter().map(|status| status.to_string()).collect();
    let pages = statuses.chunks(7).map(|page| format!("[{}]", page.join(",")).into_bytes());
    let documents = documents().into_iter().map(|document| document.to_string().into_bytes());
    let odd =
        [&b"[]"[..], b" [ 1 , \"],[\\\"\" , {\"id\":\"7\"} ] ", b"[{\"id\":\"110000000000000000\"},{\"id\":\"9\"}]"];
    pages.chain(documents).chain(odd.map(<[u8]>::to_vec)).collect()
}
