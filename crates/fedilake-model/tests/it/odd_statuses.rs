//! Statuses that no server should send: the corpus with random damage.

use fedilake_model::avro::{Decoder, Encoded, encode};
use fedilake_model::{FrameKind, PostEvent};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{api, corpus};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_broken_status_is_a_post_or_rejected_and_its_record_is_read_back(
        which in any::<prop::sample::Index>(),
        breaks in prop::collection::vec((any::<prop::sample::Index>(), value()), 1..6),
    ) {
        let statuses = statuses();
        let mut status = which.get(statuses).clone();
        for (place, value) in breaks {
            let pointers = pointers(&status);
            let pointer = place.get(&pointers);
            match value {
                Some(value) => *status.pointer_mut(pointer).unwrap() = value,
                None => remove(&mut status, pointer),
            }
        }
        let kept = ["id", "uri", "account"].iter().all(|field| status[field] == which.get(statuses)[field]);
        match api::update(&status) {
            Ok(event) => is_read_back(event)?,
            Err(rejected) => prop_assert!(!kept, "{rejected}: {status}"),
        }
    }

    #[test]
    fn a_cut_or_garbled_status_does_not_panic(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        garbled in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut json = which.get(statuses()).to_string().into_bytes();
        for (place, byte) in garbled {
            let place = place.index(json.len());
            json[place] = byte;
        }
        json.truncate(cut.index(json.len() * 2));
        if let Ok(event) = api::translate(FrameKind::Update, json) {
            is_read_back(event)?;
        }
    }

    #[test]
    fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in [FrameKind::Update, FrameKind::StatusUpdate, FrameKind::Delete] {
            let _ = api::translate(kind, data.clone());
        }
    }
}

#[test]
fn a_status_of_many_megabytes_is_a_post_as_far_as_its_columns_have_room() {
    let mut status = statuses()[0].clone();
    status["content"] = Value::String(format!("<p>{}</p>", "x<br>".repeat(1_000_000)));
    status["tags"] = Value::Array(vec![json!({"name": "a"}); 100_000]);
    let event = api::update(&status).unwrap();
    assert_eq!(event.post().unwrap().characters, 256 << 10);
    assert_eq!(event.post().unwrap().tags, ["a"]);
    is_read_back(event).unwrap();
}

fn is_read_back(event: PostEvent) -> Result<(), TestCaseError> {
    let value = encode(std::slice::from_ref(&event)).remove(0);
    let rows = Decoder::new().decode(&[Encoded { partition: 0, offset: 0, appended_at_ms: 0, value }]).unwrap();
    prop_assert_eq!(rows.num_rows(), 1);
    prop_assert!(rows.column_by_name("rejected_reason").unwrap().is_null(0));
    Ok(())
}

fn statuses() -> &'static [Value] {
    static STATUSES: std::sync::LazyLock<Vec<Value>> =
        std::sync::LazyLock::new(|| corpus::statuses().into_iter().map(|line| line.status).collect());
    &STATUSES
}

/// A value of any type, or none.
fn value() -> impl Strategy<Value = Option<Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[<>/pabr&; =\"'#@.:0-9-]{0,40}".prop_map(Value::from),
        (1usize..3000).prop_map(|n| Value::from("<p>é".repeat(n))),
        (1usize..20).prop_map(|n| (0..n).fold(Value::Null, |inner, _| json!([inner]))),
        (1usize..20).prop_map(|n| (0..n).fold(Value::Null, |inner, _| json!({"account": inner, "quote": 1}))),
    ];
    let tree = leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}|uri|acct|id|name", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop::option::weighted(0.8, tree)
}

/// The JSON pointers of all values in `value`.
fn pointers(value: &Value) -> Vec<String> {
    let inner = |key: String, value: &Value| -> Vec<String> {
        pointers(value).into_iter().map(|pointer| format!("/{key}{pointer}")).collect()
    };
    let mut all = vec![String::new()];
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| all.extend(inner(key.replace('~', "~0").replace('/', "~1"), value)));
        }
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(at, value)| all.extend(inner(at.to_string(), value)));
        }
        _ => {}
    }
    all
}

fn remove(status: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    match status.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(&key.replace("~1", "/").replace("~0", "~"))),
        Value::Array(elements) => drop(elements.remove(key.parse().unwrap())),
        _ => unreachable!("a parent has children"),
    }
}
