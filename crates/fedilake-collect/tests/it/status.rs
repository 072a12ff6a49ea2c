//! Invented statuses.

use serde_json::{Value, json};

/// A public post of `alice@host`, who does not refuse.
pub(crate) fn status(host: &str, id: &str) -> Value {
    json!({
        "id": id,
        "uri": format!("https://{host}/users/alice/statuses/{id}"),
        "url": format!("https://{host}/@alice/{id}"),
        "created_at": "2026-02-03T10:00:00.000Z",
        "edited_at": null,
        "sensitive": false,
        "spoiler_text": "",
        "visibility": "public",
        "content": format!("<p>Post {id}</p>"),
        "language": "en",
        "reblog": null,
        "account": {"id": "1", "username": "alice", "acct": "alice", "note": "", "bot": false,
            "url": format!("https://{host}/@alice"), "created_at": "2020-01-01T00:00:00.000Z"},
        "media_attachments": [], "mentions": [], "tags": [], "emojis": [],
        "favourites_count": 0, "reblogs_count": 0, "replies_count": 0,
    })
}

/// `status` with one member changed.
pub(crate) fn with(mut status: Value, pointer: &str, value: Value) -> Value {
    match status.pointer_mut(pointer) {
        Some(member) => *member = value,
        None => drop(status.as_object_mut().unwrap().insert(pointer.trim_start_matches('/').to_owned(), value)),
    }
    status
}
