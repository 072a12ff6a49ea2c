//! Post events → records.
//!
//! An event is written straight into the bytes of its record. [`crate::rows`] with arrow-avro does the same in two
//! steps, in three times the time; the tests compare the two.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::schemas::own_header;
use crate::{Deletion, Post, PostEvent, schema};

/// Records that share memory: one that is kept keeps so many.
const SHARING: usize = 512;
/// The bytes of most records, and more.
const RECORD_BYTES: usize = 1024;

/// Encodes each event as one record of the current schema, in order.
pub fn encode(events: &[PostEvent]) -> Vec<Bytes> {
    let header = own_header();
    let mut records = Vec::with_capacity(events.len());
    for events in events.chunks(SHARING) {
        let mut body = Body(Vec::with_capacity(events.len() * RECORD_BYTES));
        let mut ends = Vec::with_capacity(events.len());
        for event in events {
            body.0.extend_from_slice(&header);
            body.event(event);
            ends.push(body.0.len());
        }
        body.0.shrink_to_fit();
        let bytes = Bytes::from(body.0);
        let mut start = 0;
        records.extend(ends.into_iter().map(|end| bytes.slice(std::mem::replace(&mut start, end)..end)));
    }
    records
}

/// The branches of a union of null and another type, as Avro writes them.
const NULL: u8 = 0;
const VALUE: u8 = 2;

/// uri, url, created_at, edited_at.
const BETWEEN_ID_AND_OBSERVED_AT: usize = 4;
/// Fields from the kind to observed_at, both included.
const UP_TO_OBSERVED_AT: usize = 8;

/// Bodies of records, in the encoding of the Avro specification. Each method writes one field; all fields but the kind
/// may be null.
struct Body(Vec<u8>);

impl Body {
    fn event(&mut self, event: &PostEvent) {
        self.bytes(event.kind().as_bytes());
        match event {
            PostEvent::Created(post) | PostEvent::Edited(post) => self.post(post),
            PostEvent::Deleted(deletion) => self.deletion(deletion),
        }
    }

    /// The fields after the kind, in the order of [`schema::RECORD`].
    fn post(&mut self, post: &Post) {
        self.text(post.server.as_str());
        self.text(&post.id);
        self.text(&post.uri);
        self.text_or_null(post.url.as_deref());
        self.time_or_null(post.created_at);
        self.time_or_null(post.edited_at);
        self.time_or_null(Some(post.observed_at));
        self.text(&post.author);
        self.text(&post.author_domain);
        self.time_or_null(post.author_created_at);
        self.flag(post.author_bot);
        self.long_or_null(post.author_followers);
        self.flag(post.author_indexable);
        self.text_or_null(post.language.as_deref());
        self.written(post, &post.text);
        self.written(post, &post.spoiler_text);
        self.int(post.characters);
        self.int(post.words);
        self.all_written(post, &post.tags);
        self.all_written(post, &post.mentions);
        self.all_written(post, &post.links);
        self.int(post.media);
        self.int(post.media_described);
        self.flag(post.poll);
        self.text(post.in_reply_to.as_str());
        self.text_or_null(post.quote_uri.as_deref());
        self.text_or_null(post.app.as_deref());
        self.text(&post.visibility);
        self.flag(post.sensitive);
        self.int(post.favourites);
        self.int(post.reblogs);
        self.int(post.replies);
        self.text_or_null(post.in_reply_to_id.as_deref());
        self.text_or_null(post.in_reply_to_author.as_deref());
        self.texts(&post.media_types);
        self.flag(post.from_origin);
    }

    /// Server, id and time; all other fields are null.
    fn deletion(&mut self, deletion: &Deletion) {
        self.text(deletion.server.as_str());
        self.text(&deletion.id);
        self.0.extend([NULL; BETWEEN_ID_AND_OBSERVED_AT]);
        self.time_or_null(Some(deletion.observed_at));
        self.0.resize(self.0.len() + schema::RECORD.fields().len() - UP_TO_OBSERVED_AT, NULL);
    }

    /// A text that the author wrote: null in a hashed post.
    fn written(&mut self, post: &Post, text: &str) {
        self.text_or_null(Some(text).filter(|_| !post.hashed));
    }

    /// A list of what the author wrote: null in a hashed post.
    fn all_written(&mut self, post: &Post, texts: &[String]) {
        match post.hashed {
            true => self.0.push(NULL),
            false => self.texts(texts),
        }
    }

    fn text(&mut self, text: &str) {
        self.0.push(VALUE);
        self.bytes(text.as_bytes());
    }

    fn text_or_null(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.push(NULL),
        }
    }

    fn texts(&mut self, texts: &[String]) {
        self.0.push(VALUE);
        if !texts.is_empty() {
            self.long(texts.len() as i64);
            texts.iter().for_each(|text| self.text(text));
        }
        // The end of the list.
        self.long(0);
    }

    fn flag(&mut self, flag: bool) {
        self.0.extend([VALUE, u8::from(flag)]);
    }

    fn int(&mut self, number: i32) {
        self.long_or_null(Some(number.into()));
    }

    fn long_or_null(&mut self, number: Option<i64>) {
        match number {
            Some(number) => {
                self.0.push(VALUE);
                self.long(number);
            }
            None => self.0.push(NULL),
        }
    }

    /// Null also for a time that no column can hold.
    fn time_or_null(&mut self, moment: Option<DateTime<Utc>>) {
        self.long_or_null(moment.and_then(schema::micros));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.long(bytes.len() as i64);
        self.0.extend_from_slice(bytes);
    }

    /// A zigzag varint.
    fn long(&mut self, number: i64) {
        let mut rest = ((number << 1) ^ (number >> 63)) as u64;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::avro::evolution::writer;
    use crate::{Frame, FrameKind, Server, rows};

    fn event(kind: FrameKind, json: &str) -> PostEvent {
        let frame = Frame { kind, data: json.to_owned().into() };
        PostEvent::from_api(&frame, &Server::new("a.example"), DateTime::UNIX_EPOCH).unwrap()
    }

    /// Any values of every type that a field has.
    fn posts() -> impl Strategy<Value = Post> {
        let texts = || (".{0,9}", "[é語a]{0,200}", option::of(".{0,70}"));
        let lists = || (vec(".{0,5}", 0..4), vec("a{0,3}", 0..200));
        let times = || (any::<i64>(), option::of(-1_000_000_000_000i64..2_000_000_000_000));
        (texts(), lists(), times(), any::<(i32, i32, bool, bool, Option<i64>)>()).prop_map(
            |((id, text, url), (tags, links), (any_ms, edited_ms), (media, words, poll, bot, followers))| {
                let json = r#"{"id":"1","uri":"https://a.example/1","account":{"acct":"ann"}}"#;
                let PostEvent::Created(post) = event(FrameKind::Update, json) else { unreachable!() };
                let created_at = Utc.timestamp_micros(any_ms).single();
                let edited_at = edited_ms.and_then(|ms| Utc.timestamp_millis_opt(ms).single());
                let (author_bot, author_followers, language, hashed) = (bot, followers, url.clone(), words < 0);
                let post = Post { id, hashed, text, url, tags, links, created_at, edited_at, language, ..*post };
                Post { media, words, poll, author_bot, author_followers, ..post }
            },
        )
    }

    proptest! {
        #[test]
        fn records_are_those_of_arrows_encoder(posts in vec(posts(), 0..4)) {
            let mut events: Vec<PostEvent> = posts.iter().cloned().map(|post| PostEvent::Created(Box::new(post))).collect();
            events.extend(posts.into_iter().map(|post| PostEvent::Edited(Box::new(post))));
            events.push(event(FrameKind::Delete, "5"));
            let mut arrows = writer(&schema::RECORD, schema::AVRO);
            arrows.encode(&rows::from_events(&events).unwrap()).unwrap();
            prop_assert_eq!(encode(&events), arrows.flush().iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn many_events_are_as_many_records_in_their_order() {
        let events: Vec<_> = (0..2 * SHARING + 1).map(|n| event(FrameKind::Delete, &n.to_string())).collect();
        let together = encode(&events);
        let alone: Vec<Bytes> = events.iter().flat_map(|event| encode(std::slice::from_ref(event))).collect();
        assert_eq!(together, alone);
    }
}
