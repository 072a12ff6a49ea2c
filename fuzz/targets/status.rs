//! A status as JSON: an event, or a reason. What becomes an event keeps to the caps, and its record is read as it was written.
#![no_main]

use std::sync::{LazyLock, Mutex};

use arrow::array::{Array, AsArray};
use chrono::DateTime;
use fedilake_fuzz::{seed, statuses};
use fedilake_model::caps::{Cap, of_column};
use fedilake_model::{Frame, FrameKind, Post, PostEvent, Server, ShownBy, avro, rows, schema};
use libfuzzer_sys::fuzz_target;

static DECODER: LazyLock<Mutex<avro::Decoder>> = LazyLock::new(Mutex::default);
/// The default limit of a Kafka topic.
const RECORD_MAX: usize = 1_000_000;

fuzz_target!(init: seed(|| statuses().iter().map(|status| status.to_string()).collect()), |input: &[u8]| {
    for kind in [FrameKind::Update, FrameKind::StatusUpdate, FrameKind::Delete] {
        let frame = Frame { kind, data: bytes::Bytes::copy_from_slice(input) };
        let server = Server::new("social.example");
        let observed_at = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
        let _ = frame.id_and_date();
        let event = |domain| PostEvent::from_api(&frame, ShownBy::new(&server, domain), observed_at);
        let Ok(event) = event(None) else {
            assert!(event(Some("example")).is_err() || kind != FrameKind::Delete);
            continue;
        };
        if let Some(post) = event.post() {
            check(post);
        }
        let events = [event];
        let record = avro::encode(&events).remove(0);
        assert!(record.len() < RECORD_MAX, "{} bytes", record.len());
        let encoded = avro::Encoded { partition: 0, offset: 0, appended_at_ms: 0, value: record };
        let read = DECODER.lock().unwrap().decode([&encoded]).expect("it was just written");
        let written = rows::from_events(&events).unwrap();
        for (column, field) in written.columns().iter().zip(schema::RECORD.fields()) {
            assert_eq!(column, read.column_by_name(field.name()).unwrap(), "{}", field.name());
        }
        assert!(read.column_by_name("rejected_reason").unwrap().as_string::<i32>().is_null(0));
    }
});

fn check(post: &Post) {
    let within = |name: &str, text: &str| {
        let Some(Cap::Reject(most) | Cap::Drop(most) | Cap::Cut(most)) = of_column(name) else { panic!("{name}") };
        assert!(text.len() <= most, "{name}: {} bytes", text.len());
        assert!(!text.contains('\0'), "{name} holds NUL");
    };
    for (name, text) in [
        ("id", &*post.id),
        ("uri", &post.uri),
        ("author", &post.author),
        ("text", &post.text),
        ("spoiler_text", &post.spoiler_text),
        ("visibility", &post.visibility),
    ] {
        within(name, text);
    }
    for (name, text) in [
        ("url", &post.url),
        ("language", &post.language),
        ("app", &post.app),
        ("quote_uri", &post.quote_uri),
        ("in_reply_to_id", &post.in_reply_to_id),
        ("in_reply_to_author", &post.in_reply_to_author),
    ] {
        text.iter().for_each(|text| within(name, text));
    }
    for (name, texts) in
        [("tags", &post.tags), ("mentions", &post.mentions), ("links", &post.links), ("media_types", &post.media_types)]
    {
        let Some(Cap::Each(count, Cap::Drop(most) | Cap::Cut(most))) = of_column(name) else { panic!("{name}") };
        assert!(texts.len() <= count && texts.iter().all(|text| text.len() <= *most), "{name}");
    }
    for name in [&post.id, &post.uri, &post.author] {
        assert!(!name.is_empty() && !name.contains(char::is_control), "{name:?}");
    }
}
