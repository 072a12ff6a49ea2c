//! Frames → events: a shorthand, and what each field becomes.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_model::{Frame, FrameKind, InReplyTo, Post, PostEvent, Rejected, RejectedReason, Server};
use proptest::prelude::*;
use serde_json::{Value, json};

/// When every frame of the tests was seen.
pub(crate) fn observed_at() -> DateTime<Utc> {
    "2023-02-03T04:05:06.789Z".parse().unwrap()
}

pub(crate) fn translate(kind: FrameKind, data: impl Into<Bytes>) -> Result<PostEvent, Rejected> {
    PostEvent::from_api(&Frame { kind, data: data.into() }, &Server::new("Reader.Example"), observed_at())
}

pub(crate) fn update(status: &Value) -> Result<PostEvent, Rejected> {
    translate(FrameKind::Update, status.to_string())
}

/// The post that a status with `fields` beside the necessary ones becomes.
fn post(fields: Value) -> Post {
    update(&with_the_least(fields)).unwrap().post().unwrap().clone()
}

/// `fields` and those without which a status is none.
fn with_the_least(fields: Value) -> Value {
    let mut status = json!({
        "id": "1", "uri": "https://home.example/users/ann/statuses/1",
        "account": {"id": "7", "acct": "ann", "url": "https://home.example/@ann"},
    });
    merge(&mut status, fields);
    status
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from,
    }
}

#[test]
fn a_status_of_the_least_fields_is_a_post() {
    insta::assert_debug_snapshot!(post(json!({})));
}

/// A status of every field that a post is made of.
pub(crate) fn whole_status() -> Value {
    with_the_least(json!({
        "url": "https://home.example/@ann/1",
        "created_at": "2023-02-03T04:05:00.123Z", "edited_at": "2023-02-03T04:06:00.000Z",
        "account": {
            "created_at": "2017-04-05T00:00:00.000Z", "bot": true, "followers_count": 12, "indexable": true,
            "note": "<p>Hello</p>",
        },
        "content": "<p>Héllo <a href=\"https://News.example/1\">news</a></p><p>two  words</p>",
        "spoiler_text": "cw", "language": "zhCn", "visibility": "public", "sensitive": true,
        "favourites_count": 1, "reblogs_count": 2, "replies_count": 3,
        "tags": [{"name": "Größe"}, {"name": "größe"}, {"name": 5}, 6, {"name": "#b"}],
        "mentions": [{"acct": "bob@Far.example"}, {"acct": "cid", "url": "https://home.example/@cid"}, {"acct": "dan"}, {}],
        "media_attachments": [
            {"type": "image", "description": "a cat"}, {"type": "video", "description": null}, {"description": " "}, {},
        ],
        "poll": {"id": "1"}, "application": {"name": "Tusky"},
        "in_reply_to_id": "0", "in_reply_to_account_id": "7",
        "quote": {"state": "accepted", "quoted_status": {"uri": "https://far.example/9"}},
    }))
}

#[test]
fn a_status_of_every_field_is_a_post() {
    insta::assert_debug_snapshot!(update(&whole_status()).unwrap().post().unwrap());
}

#[test]
fn the_author_is_at_home_where_the_profile_is() {
    let author = |account: Value| {
        let post = post(json!({"account": account}));
        (post.author, post.author_domain)
    };
    let is = |author: &str, domain: &str| (author.to_owned(), domain.to_owned());
    assert_eq!(author(json!({"acct": "Ann@Far.Example"})), is("Ann@far.example", "far.example"));
    assert_eq!(author(json!({"acct": "ann"})), is("ann@home.example", "home.example"));
    assert_eq!(author(json!({"acct": null, "username": "ann"})), is("ann@home.example", "home.example"));
    assert_eq!(
        author(json!({"url": null, "uri": "https://Profile.example/ann"})),
        is("ann@profile.example", "profile.example")
    );
    assert_eq!(author(json!({"url": null})), is("ann@home.example", "home.example"));
    let bare = json!({"id": "1", "uri": "tag:1", "account": {"acct": "ann"}});
    assert_eq!(update(&bare).unwrap().post().unwrap().author, "ann@reader.example");
    let nameless = json!({"id": "1", "uri": "tag:1", "account": {"acct": "@far.example"}});
    assert!(update(&nameless).is_ok());
    let nameless = json!({"id": "1", "uri": "tag:1", "account": {"acct": "@"}});
    assert_eq!(update(&nameless).unwrap_err().reason, RejectedReason::NoAccount);
}

#[test]
fn a_reply_is_to_oneself_or_to_another() {
    let reply =
        |to: Value, account: Value| post(json!({"in_reply_to_id": to, "in_reply_to_account_id": account})).in_reply_to;
    assert_eq!(reply(json!(null), json!(null)), InReplyTo::None);
    assert_eq!(reply(json!("5"), json!("7")), InReplyTo::SelfPost);
    assert_eq!(reply(json!("5"), json!(7)), InReplyTo::SelfPost);
    assert_eq!(reply(json!("5"), json!("8")), InReplyTo::Other);
    assert_eq!(reply(json!("5"), json!(null)), InReplyTo::Other);
    assert_eq!(reply(json!({}), json!([])), InReplyTo::None);
}

#[test]
fn a_reply_names_the_post_and_whom_it_answers() {
    let mentions = json!([
        {"id": "8", "acct": "Bob@Far.example"}, {"id": 9, "acct": "cid", "url": "https://home.example/@cid"},
        {"id": "10", "acct": "dan"}, {"id": "11"}, {"id": null, "acct": "eve"},
    ]);
    let cases = [
        (json!("5"), json!("7"), Some("5"), Some("ann@home.example")),
        (json!("5"), json!("8"), Some("5"), Some("Bob@far.example")),
        (json!(5), json!("9"), Some("5"), Some("cid@home.example")),
        (json!("5"), json!(10), Some("5"), Some("dan@reader.example")),
        (json!("5"), json!("11"), Some("5"), None),
        (json!("5"), json!("12"), Some("5"), None),
        (json!("5"), json!(null), Some("5"), None),
        (json!(null), json!("8"), None, Some("Bob@far.example")),
        (json!(null), json!(null), None, None),
    ];
    for (id, account, answered, author) in cases {
        let reply = post(json!({"in_reply_to_id": id, "in_reply_to_account_id": account, "mentions": mentions}));
        assert_eq!(reply.in_reply_to_id.as_deref(), answered, "{id} {account}");
        assert_eq!(reply.in_reply_to_author.as_deref(), author, "{id} {account}");
    }
}

#[test]
fn a_server_speaks_for_the_posts_of_its_own_members() {
    let cases = [
        ("ann", "https://Reader.example/users/ann/statuses/1", true),
        ("ann@reader.example", "https://reader.example/users/ann/statuses/1", false),
        ("ann", "https://far.example/users/ann/statuses/1", false),
        ("ann@far.example", "https://far.example/users/ann/statuses/1", false),
        ("ann", "tag:reader.example,2020:1", false),
    ];
    for (acct, uri, from_origin) in cases {
        let post = post(json!({"uri": uri, "account": {"acct": acct}}));
        assert_eq!(post.from_origin, from_origin, "{acct} {uri}");
    }
}

#[test]
fn a_quote_is_mastodons_or_akkomas() {
    let html = "<p class=\"quote-inline\">RE: x</p><p>y</p>";
    let quote = |quote: Value| {
        let post = post(json!({"content": html, "quote": quote}));
        (post.quote_uri, post.text)
    };
    let uri = "https://far.example/9";
    assert_eq!(quote(json!({"state": "accepted", "quoted_status": {"uri": uri}})), (Some(uri.into()), "y".into()));
    assert_eq!(quote(json!({"id": "9", "uri": uri, "content": "z"})), (Some(uri.into()), "y".into()));
    assert_eq!(quote(json!({"state": "pending", "quoted_status": null})), (None, "y".into()));
    assert_eq!(quote(json!(null)), (None, "RE: x\n\ny".into()));
    assert_eq!(quote(json!("odd")), (None, "RE: x\n\ny".into()));
}

#[test]
fn consent_is_read_from_the_note_and_the_account() {
    let consent = |note: &str| {
        let consent = post(json!({"account": {"note": note}})).consent;
        (consent.nobot, consent.noindex)
    };
    assert_eq!(
        consent("<p>I like <a href=\"https://h.example/tags/nobot\" rel=\"tag\">#<span>NoBot</span></a>.</p>"),
        (true, false)
    );
    assert_eq!(consent("#noindex"), (false, true));
    assert_eq!(consent("#NOBOT#NoIndex"), (true, true));
    assert_eq!(consent("＃nobot"), (true, false));
    assert_eq!(consent("&#35;nobot"), (true, false));
    assert_eq!(consent("#nobots #noindexing #nobot_ nobot noindex # nobot"), (false, false));
    assert_eq!(consent("#nobots and #nobot"), (true, false));
    assert!(post(json!({"account": {"noindex": true}})).consent.noindex);
    assert!(!post(json!({"account": {"noindex": false}})).consent.noindex);
    assert!(post(json!({"reblog": {"id": "2"}})).consent.boost);
    assert!(!post(json!({"reblog": null})).consent.boost);
}

#[test]
fn a_field_of_the_wrong_type_costs_only_itself() {
    let fields = [
        "url",
        "created_at",
        "edited_at",
        "content",
        "spoiler_text",
        "language",
        "visibility",
        "sensitive",
        "favourites_count",
        "reblogs_count",
        "replies_count",
        "tags",
        "mentions",
        "media_attachments",
        "in_reply_to_id",
        "in_reply_to_account_id",
        "quote",
        "application",
        "reblog",
        "poll",
    ];
    let odd = [
        json!(null),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"a": [{}]}),
        json!(-1),
        json!(1e300),
        json!("\u{0}"),
        json!(true),
    ];
    for field in fields {
        for value in &odd {
            let post = post(json!({"language": "de", field: value}));
            assert_eq!((post.id.as_str(), post.author.as_str()), ("1", "ann@home.example"), "{field}: {value}");
            assert!(field == "language" || post.language.as_deref() == Some("de"), "{field}: {value}");
        }
    }
    assert_eq!(post(json!({"created_at": 5})).created_at, None);
    assert_eq!(post(json!({"favourites_count": -3})).favourites, 0);
    assert_eq!(post(json!({"favourites_count": 1u64 << 40})).favourites, i32::MAX);
}

#[test]
fn what_is_no_status_object_is_rejected() {
    let nested = |open: &str, close: &str, depth| format!("{{\"x\":{}1{}}}", open.repeat(depth), close.repeat(depth));
    let cases = [
        (String::new(), RejectedReason::NotJson),
        ("{".into(), RejectedReason::NotJson),
        ("[]".into(), RejectedReason::NotJson),
        ("null".into(), RejectedReason::NotJson),
        ("\"x\"".into(), RejectedReason::NotJson),
        ("{\"id\":\"1\",".into(), RejectedReason::NotJson),
        ("{} {}".into(), RejectedReason::NotJson),
        ("<html>".into(), RejectedReason::NotJson),
        ("{}".into(), RejectedReason::NoId),
        ("{\"id\": 1}".into(), RejectedReason::NoUri),
        ("{\"id\": 1, \"uri\": \"u\"}".into(), RejectedReason::NoAccount),
        ("{\"id\": 1, \"uri\": \"u\", \"account\": {}}".into(), RejectedReason::NoAccount),
        (nested("[", "]", 250), RejectedReason::NoId),
        (nested("[", "]", 300), RejectedReason::TooDeep),
        (nested("{\"x\":", "}", 300), RejectedReason::TooDeep),
        (nested("[", "]", 1_000_000), RejectedReason::TooDeep),
        (format!("{{\"x\":{}", "[".repeat(1_000_000)), RejectedReason::TooDeep),
        (format!("{{\"account\":{}", "{\"account\":".repeat(100_000)), RejectedReason::TooDeep),
    ];
    for (json, reason) in cases {
        let rejected = translate(FrameKind::Update, json.clone()).unwrap_err();
        assert_eq!((rejected.reason, rejected.length), (reason, json.len()), "{}", &json[..json.len().min(60)]);
    }
}

#[test]
fn a_number_beyond_every_type_costs_only_its_field() {
    let json = r#"{"id":123456789012345678901234567890,"uri":"u","account":{"acct":"a","followers_count":1e999},
        "favourites_count":-1e999,"reblogs_count":7,"language":1e999,"unknown":1e999}"#;
    let event = translate(FrameKind::Update, json).unwrap();
    let post = event.post().unwrap();
    assert_eq!((post.id.as_str(), post.reblogs, post.favourites), ("123456789012345678901234567890", 7, 0));
    assert_eq!((post.author_followers, post.language.as_deref()), (None, None));
}

#[test]
fn brackets_in_text_are_not_depth() {
    let text = "[{\\\"[".repeat(2000);
    let json = format!(r#"{{"id":"1","uri":"u","account":{{"acct":"a"}},"content":"{text}"}}"#);
    assert!(translate(FrameKind::Update, json).is_ok());
}

#[test]
fn broken_text_costs_a_character_and_a_repeated_field_counts_once() {
    let json = b"{\"id\":\"1\",\"uri\":\"u\",\"account\":{\"acct\":\"a\"},\"content\":\"\\ud800 \xff x\",\"id\":\"2\",\"language\":5}";
    let event = translate(FrameKind::Update, json.as_slice()).unwrap();
    let post = event.post().unwrap();
    assert_eq!(post.id, "2");
    assert_eq!(post.text, "\u{fffd} \u{fffd} x");
}

#[test]
fn a_rejection_does_not_hold_its_payload() {
    let secret = "followers only";
    let rejected = translate(FrameKind::Update, secret).unwrap_err();
    assert!(!format!("{rejected:?} {rejected}").contains("followers"));
    assert_ne!(rejected.hash, translate(FrameKind::Update, "followers onlz").unwrap_err().hash);
}

#[test]
fn a_delete_is_a_bare_id() {
    for data in ["103", " 103\n", "\"103\"", "103\r\n"] {
        let event = translate(FrameKind::Delete, data).unwrap();
        assert_eq!(event.key(), "reader.example/103", "{data:?}");
        assert_eq!(event.post(), None);
    }
    for data in ["", " ", "\"\"", "{\"id\":\"1\"}", "1 2"] {
        assert_eq!(translate(FrameKind::Delete, data).unwrap_err().reason, RejectedReason::NoId, "{data:?}");
    }
    assert_eq!(translate(FrameKind::Delete, b"\xff".as_slice()).unwrap_err().reason, RejectedReason::NoId);
}

#[test]
fn an_event_is_named_by_its_frame() {
    let status =
        json!({"id": "1", "uri": "u", "account": {"acct": "a"}, "edited_at": "2023-02-03T04:06:00.000Z"}).to_string();
    assert!(
        matches!(translate(FrameKind::Update, status.clone()), Ok(PostEvent::Created(post)) if post.edited_at.is_some())
    );
    assert!(
        matches!(translate(FrameKind::StatusUpdate, status), Ok(PostEvent::Edited(post)) if post.edited_at.is_some())
    );
    let reacted = json!({"id": "1", "uri": "u", "account": {"acct": "a"}, "edited_at": null}).to_string();
    assert!(
        matches!(translate(FrameKind::StatusUpdate, reacted), Ok(PostEvent::Edited(post)) if post.edited_at.is_none())
    );
}

#[test]
fn characters_are_scalar_values_and_words_stand_between_white_space() {
    let post = post(json!({"content": "<p>👩‍👩‍👧 na\u{308}ive\u{3000}x</p><p>y</p>"}));
    assert_eq!(post.characters, 5 + 1 + 6 + 1 + 1 + 2 + 1);
    assert_eq!(post.words, 4);
}

proptest! {
    #[test]
    fn words_are_what_white_space_splits(text in "[ab \\n\\t\u{85}\u{a0}\u{3000}\u{200b}é]{0,30}") {
        let post = post(json!({"content": text}));
        prop_assert_eq!(post.words as usize, post.text.split_whitespace().count());
        prop_assert_eq!(post.characters as usize, post.text.chars().count());
    }
}

#[test]
fn hundreds_of_thousands_of_tags_are_read_in_a_moment() {
    let names: Vec<String> = (0..200_000).map(|i| format!("Tag{i}")).collect();
    let tags: Vec<Value> = names.iter().chain(&names).map(|name| json!({ "name": name })).collect();
    let start = std::time::Instant::now();
    let post = post(json!({ "tags": tags }));
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(post.tags, names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>());
}
