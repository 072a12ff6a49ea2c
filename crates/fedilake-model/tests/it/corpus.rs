//! The corpus: every status of it becomes a post.

use std::collections::BTreeMap;

use fedilake_model::{PostEvent, RejectedReason};
use serde::Deserialize;
use serde_json::Value;

use crate::api;

/// A line of `fixtures/corpus/statuses.jsonl`.
#[derive(Deserialize)]
pub(crate) struct Line {
    pub(crate) kind: String,
    pub(crate) software: String,
    pub(crate) status: Value,
}

/// Every line of the corpus.
pub(crate) fn statuses() -> Vec<Line> {
    let lines = include_str!("../../../../fixtures/corpus/statuses.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_status_of_the_corpus_is_a_post() {
    let mut outcomes: BTreeMap<(String, String, &str), usize> = BTreeMap::new();
    for Line { kind, software, status } in statuses() {
        let outcome = match api::update(&status) {
            Ok(PostEvent::Created(_)) => "post",
            Ok(_) => unreachable!("an update creates"),
            Err(rejected) => rejected.reason.as_str(),
        };
        *outcomes.entry((kind, software, outcome)).or_default() += 1;
    }
    insta::assert_debug_snapshot!(outcomes);
}

#[test]
fn a_status_without_id_uri_or_account_is_rejected_for_that() {
    let status = &statuses()[0].status;
    for (field, reason) in
        [("id", RejectedReason::NoId), ("uri", RejectedReason::NoUri), ("account", RejectedReason::NoAccount)]
    {
        for value in
            [None, Some(Value::Null), Some(Value::Bool(true)), Some("".into()), Some(serde_json::json!([{"a": 1}]))]
        {
            let mut status = status.clone();
            match value {
                Some(value) => status[field] = value,
                None => drop(status.as_object_mut().unwrap().remove(field)),
            }
            assert_eq!(api::update(&status).unwrap_err().reason, reason, "{field}: {}", status[field]);
        }
    }
}
