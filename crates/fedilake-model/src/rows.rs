//! Post events → Arrow rows, without a record between: what tests hold records and their reading against.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};

use crate::{Post, PostEvent, schema};

/// The rows of `events`, in order, with [`schema::RECORD`]. The row of a deletion has only kind, server, id and time.
pub fn from_events(events: &[PostEvent]) -> Result<RecordBatch, ArrowError> {
    let posts = Posts(events.iter().map(PostEvent::post).collect());
    let columns = vec![
        texts(events.iter().map(|event| Some(event.kind()))),
        texts(events.iter().map(|event| Some(server(event)))),
        texts(events.iter().map(|event| Some(id(event)))),
        posts.text(|p| Some(&p.uri)),
        posts.text(|p| p.url.as_deref()),
        posts.time(|p| p.created_at),
        posts.time(|p| p.edited_at),
        times(events.iter().map(|event| Some(observed_at(event)))),
        posts.text(|p| Some(&p.author)),
        posts.text(|p| Some(&p.author_domain)),
        posts.time(|p| p.author_created_at),
        posts.flag(|p| p.author_bot),
        posts.long(|p| p.author_followers),
        posts.flag(|p| p.author_indexable),
        posts.text(|p| p.language.as_deref()),
        posts.text(|p| written(p, &p.text)),
        posts.text(|p| written(p, &p.spoiler_text)),
        posts.int(|p| p.characters),
        posts.int(|p| p.words),
        posts.list(|p| written(p, &p.tags)),
        posts.list(|p| written(p, &p.mentions)),
        posts.list(|p| written(p, &p.links)),
        posts.int(|p| p.media),
        posts.int(|p| p.media_described),
        posts.flag(|p| p.poll),
        posts.text(|p| Some(p.in_reply_to.as_str())),
        posts.text(|p| p.quote_uri.as_deref()),
        posts.text(|p| p.app.as_deref()),
        posts.text(|p| Some(&p.visibility)),
        posts.flag(|p| p.sensitive),
        posts.int(|p| p.favourites),
        posts.int(|p| p.reblogs),
        posts.int(|p| p.replies),
        posts.text(|p| p.in_reply_to_id.as_deref()),
        posts.text(|p| p.in_reply_to_author.as_deref()),
        posts.list(|p| Some(&p.media_types)),
        posts.flag(|p| p.from_origin),
    ];
    RecordBatch::try_new(schema::RECORD.clone(), columns)
}

/// What the author wrote; nothing in a hashed post.
fn written<'a, T: ?Sized>(post: &Post, value: &'a T) -> Option<&'a T> {
    (!post.hashed).then_some(value)
}

fn server(event: &PostEvent) -> &str {
    match event {
        PostEvent::Created(post) | PostEvent::Edited(post) => post.server.as_str(),
        PostEvent::Deleted(deletion) => deletion.server.as_str(),
    }
}

fn id(event: &PostEvent) -> &str {
    match event {
        PostEvent::Created(post) | PostEvent::Edited(post) => &post.id,
        PostEvent::Deleted(deletion) => &deletion.id,
    }
}

fn observed_at(event: &PostEvent) -> DateTime<Utc> {
    match event {
        PostEvent::Created(post) | PostEvent::Edited(post) => post.observed_at,
        PostEvent::Deleted(deletion) => deletion.observed_at,
    }
}

/// The post of each event, `None` for a deletion: the columns of posts are null there.
struct Posts<'a>(Vec<Option<&'a Post>>);

impl<'a> Posts<'a> {
    fn values<T>(&self, value: impl Fn(&'a Post) -> Option<T>) -> impl Iterator<Item = Option<T>> {
        self.0.iter().map(move |post| post.and_then(&value))
    }

    fn text(&self, value: impl Fn(&'a Post) -> Option<&'a str>) -> ArrayRef {
        texts(self.values(value))
    }

    fn time(&self, value: impl Fn(&'a Post) -> Option<DateTime<Utc>>) -> ArrayRef {
        times(self.values(value))
    }

    fn flag(&self, value: impl Fn(&'a Post) -> bool) -> ArrayRef {
        Arc::new(self.values(|post| Some(value(post))).collect::<BooleanArray>())
    }

    fn int(&self, value: impl Fn(&'a Post) -> i32) -> ArrayRef {
        Arc::new(self.values(|post| Some(value(post))).collect::<Int32Array>())
    }

    fn long(&self, value: impl Fn(&'a Post) -> Option<i64>) -> ArrayRef {
        Arc::new(self.values(value).collect::<Int64Array>())
    }

    fn list(&self, value: impl Fn(&'a Post) -> Option<&'a Vec<String>>) -> ArrayRef {
        let mut lists = ListBuilder::with_capacity(StringBuilder::new(), self.0.len());
        for list in self.values(value) {
            if let Some(list) = list {
                list.iter().for_each(|item| lists.values().append_value(item));
            }
            lists.append(list.is_some());
        }
        Arc::new(lists.finish())
    }
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn times(values: impl Iterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    let micros = values.map(|moment| moment.and_then(schema::micros));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}
