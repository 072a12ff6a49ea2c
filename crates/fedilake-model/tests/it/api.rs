//! Frames → events: helpers, and the translation of each field.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_model::{Flaw, Frame, FrameKind, InReplyTo, Post, PostEvent, Rejected, RejectedReason, Server, ShownBy};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The time at which every frame of the tests was seen.
pub(crate) fn observed_at() -> DateTime<Utc> {
    "2023-02-03T04:05:06.789Z".parse().unwrap()
}

pub(crate) fn translate(kind: FrameKind, data: impl Into<Bytes>) -> Result<PostEvent, Rejected> {
    PostEvent::from_api(&Frame { kind, data: data.into() }, &Server::new("Reader.Example"), observed_at())
}

pub(crate) fn update(status: &Value) -> Result<PostEvent, Rejected> {
    translate(FrameKind::Update, status.to_string())
}

/// The post made from a status with `fields` and the required ones.
fn post(fields: Value) -> Post {
    update(&with_the_least(fields)).unwrap().post().unwrap().clone()
}

/// `fields` and those that a status must have.
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
fn the_author_is_at_home_where_her_handle_says() {
    let author = |account: Value| {
        let post = post(json!({"account": account}));
        (post.author, post.author_domain)
    };
    let is = |author: &str, domain: &str| (author.to_owned(), domain.to_owned());
    assert_eq!(author(json!({"acct": "Ann@Far.Example"})), is("Ann@far.example", "far.example"));
    assert_eq!(author(json!({"acct": "ann@Bücher.example"})), is("ann@xn--bcher-kva.example", "xn--bcher-kva.example"));
    assert_eq!(author(json!({"acct": null, "username": "ann@far.example:443"})), is("ann@far.example", "far.example"));
    assert_eq!(author(json!({"acct": "ann@not a host"})), is("ann@home.example", "home.example"));
    // Without a domain the author is a member of the server that shows her, whatever her pages' addresses are.
    assert_eq!(author(json!({"acct": "ann"})), is("ann@reader.example", "reader.example"));
    assert_eq!(author(json!({"acct": null, "username": "ann"})), is("ann@reader.example", "reader.example"));
    for nameless in ["@", "", "@@far.example"] {
        let nameless = json!({"id": "1", "uri": "tag:1", "account": {"acct": nameless}});
        assert_eq!(update(&nameless).unwrap_err().reason, RejectedReason::NoAccount);
    }
}

#[test]
fn one_person_is_one_author_whoever_shows_her() {
    let local = with_the_least(json!({"mentions": [{"acct": "bob"}, {"acct": "Cid@Far.example"}]}));
    let remote =
        with_the_least(json!({"account": {"acct": "ann@ann.example"}, "mentions": [{"acct": "bob@ann.example"}]}));
    let show = |status: &Value, server: &str, domain: Option<&str>| {
        let (server, frame) = (Server::new(server), Frame { kind: FrameKind::Update, data: status.to_string().into() });
        let event = PostEvent::from_api(&frame, ShownBy::new(&server, domain), observed_at()).unwrap();
        event.post().unwrap().clone()
    };
    let (own, far) =
        (show(&local, "social.ann.example", Some("ann.example")), show(&remote, "far.example", Some("far.example")));
    assert_eq!((own.author.as_str(), own.author_domain.as_str()), ("ann@ann.example", "ann.example"));
    assert_eq!((far.author, far.author_domain), (own.author, own.author_domain));
    assert_eq!(own.mentions, ["bob@ann.example", "Cid@far.example"]);
    assert_eq!(far.mentions, ["bob@ann.example"]);
}

#[test]
fn a_servers_word_is_the_origins_only_for_its_own_members_at_its_own_place() {
    for (server, domain, acct, uri, expected) in [
        ("home.example", None, "ann", "https://home.example/1", true),
        ("home.example", None, "ann@home.example", "https://home.example/1", true),
        ("social.home.example", Some("home.example"), "ann", "https://social.home.example/1", true),
        ("social.home.example", Some("home.example"), "ann@home.example", "https://home.example/1", true),
        ("home.example", None, "ann", "tag:home.example,2017-04-01:objectId=1", true),
        ("far.example", None, "ann@home.example", "https://home.example/1", false),
        ("far.example", None, "ann", "https://home.example/1", false),
        ("far.example", None, "ann", "odd", false),
        ("home.example", None, "ann@far.example", "https://home.example/1", false),
        ("127.0.0.1:4000", None, "ann", "https://home.example/1", true),
        ("127.0.0.1:4000", Some("home.example"), "ann", "https://home.example/1", true),
        ("127.0.0.1:4000", None, "ann@far.example", "https://far.example/1", false),
    ] {
        let server = Server::new(server);
        let status = with_the_least(json!({"uri": uri, "account": {"acct": acct}}));
        let frame = Frame { kind: FrameKind::Update, data: status.to_string().into() };
        let event = PostEvent::from_api(&frame, ShownBy::new(&server, domain), observed_at()).unwrap();
        assert_eq!(event.post().unwrap().from_origin, expected, "{server} {domain:?} {acct} {uri}");
    }
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
        (json!("5"), json!("7"), Some("5"), Some("ann@reader.example")),
        (json!("5"), json!("8"), Some("5"), Some("Bob@far.example")),
        (json!(5), json!("9"), Some("5"), Some("cid@reader.example")),
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
fn other_fields_tell_of_a_quote_too() {
    let html = "<p>y<span class=\"quote-inline\"><br>RE: x</span></p>";
    let uri = "https://far.example/9";
    for (fields, quote_uri) in [
        (json!({"pleroma": {"quote_url": uri}}), Some(uri)),
        (json!({"pleroma": {"quote": {"uri": uri}, "quote_id": "9"}}), Some(uri)),
        (json!({"pleroma": {"quote_id": "9", "quote_visible": false}}), None),
        (json!({"akkoma": {"quote_uri": uri}}), Some(uri)),
        (json!({"quote_id": "9", "quote": null}), None),
        (json!({"quote_id": 9, "quote": {"uri": uri}}), Some(uri)),
        (json!({"quote_url": uri}), Some(uri)),
    ] {
        let mut status = fields.clone();
        merge(&mut status, json!({"content": html}));
        let post = post(status);
        assert_eq!((post.quote_uri.as_deref(), post.text.as_str()), (quote_uri, "y"), "{fields}");
    }
    for fields in
        [json!({"pleroma": {"quote_url": null, "quote_id": ""}}), json!({"quote_url": "?"}), json!({"pleroma": [uri]})]
    {
        let mut status = fields.clone();
        merge(&mut status, json!({"content": html}));
        assert_eq!(post(status).text, "y\nRE: x", "{fields}");
    }
}

#[test]
fn consent_is_read_from_every_part_of_the_profile() {
    let consent = |account: Value| {
        let consent = post(json!({"account": account})).consent;
        (consent.nobot, consent.noindex)
    };
    assert_eq!(consent(json!({"note": "<p>I like #<span>NoBot</span></p>"})), (true, false));
    assert_eq!(consent(json!({"display_name": "Ann #NoBots"})), (true, false));
    assert_eq!(
        consent(json!({"fields": [{"name": "x", "value": "y"}, {"name": "#nobot", "value": "!"}]})),
        (true, false)
    );
    assert_eq!(consent(json!({"fields": [{"name": "bots", "value": "<a>#<span>nobot</span></a>"}]})), (true, false));
    assert_eq!(consent(json!({"fields": [{"name": "z", "value": "#no<b>index</b>"}], "note": "#nobot"})), (true, true));
    assert_eq!(consent(json!({"moved": {"acct": "ann@new.example", "note": "#nobot"}})), (true, false));
    assert_eq!(consent(json!({"moved": {"noindex": true}})), (false, true));
    for unusual in [
        json!({"fields": {"bots": "#nobot"}}),
        json!({"fields": {"#nobot": true}}),
        json!({"fields": ["#nobot"]}),
        json!({"fields": [["bots", "#nobot"]]}),
        json!({"fields": [{"name": ["#nobot"], "value": null}]}),
        json!({"fields": [{"name": "x", "value": ["#nobot"]}]}),
        json!({"fields": [{"label": "x", "content": {"html": "#no<b>bot</b>"}}]}),
        json!({"fields": r##"[{"name":"x","value":"#nobot"}]"##}),
        json!({"note": ["hi #nobot"]}),
        json!({"note": {"html": "#nobot"}}),
        json!({"display_name": {"text": "#nobot"}}),
        json!({"display_name": "Ann :nobot:"}),
        json!({"source": {"note": "#nobot"}}),
        json!({"source": {"fields": [{"name": "x", "value": "#nobot"}]}}),
        json!({"moved": {"source": {"note": "#nobot"}}}),
        json!({"note": "<a href=\"https://home.example/tags/nobot\" class=\"mention hashtag\">nobot</a>"}),
    ] {
        assert_eq!(consent(unusual.clone()), (true, false), "{unusual}");
    }
    for odd in [
        json!({"fields": {}}),
        json!({"fields": [1, null, {"name": 1}]}),
        json!({"moved": 1}),
        json!({"display_name": 5}),
    ] {
        assert_eq!(consent(odd), (false, false));
    }
    assert!(post(json!({"account": {"suspended": true}})).consent.suspended);
    assert!(!post(json!({"account": {"suspended": false, "limited": true}})).consent.suspended);
    assert!(post(json!({"reblog": {"id": "2"}})).consent.boost);
    assert!(!post(json!({"reblog": null})).consent.boost);
    assert!(!post(json!({"reblog": "false"})).consent.boost);
}

#[test]
fn booleans_are_read_in_every_spelling() {
    for yes in
        [json!(true), json!("true"), json!("True"), json!(1), json!("1"), json!(1.0), json!("yes"), json!(" ON ")]
    {
        let account = post(json!({"account": {"noindex": yes, "indexable": yes, "bot": yes}}));
        assert_eq!(
            (account.consent.noindex, account.author_indexable, account.author_bot),
            (true, true, true),
            "{yes}"
        );
    }
    for no in [
        json!(false),
        json!("false"),
        json!("FALSE"),
        json!(0),
        json!("0"),
        json!(""),
        json!("no"),
        json!(null),
        json!({}),
        json!([]),
    ] {
        let account = post(json!({"account": {"noindex": no, "indexable": no, "bot": no}}));
        assert_eq!(
            (account.consent.noindex, account.author_indexable, account.author_bot),
            (false, false, false),
            "{no}"
        );
    }
    // A value that nobody understands does not count as agreement.
    for odd in [json!("please"), json!(7), json!(-1), json!([true]), json!([false]), json!({"a": 1}), json!([[]])] {
        let account = post(json!({"account": {"noindex": odd, "indexable": odd}}));
        assert_eq!((account.consent.noindex, account.author_indexable), (true, false), "{odd}");
    }
}

#[test]
fn a_time_that_cannot_be_read_is_a_flaw_and_no_time() {
    let flaws = |fields: Value| post(fields).flaws.iter().map(Flaw::as_str).collect::<Vec<_>>();
    let good = "2023-02-03T04:05:00.123Z";
    assert_eq!(flaws(json!({"created_at": good, "edited_at": null})), [""; 0]);
    assert_eq!(flaws(json!({})), ["created_at_missing"]);
    assert_eq!(flaws(json!({"created_at": null})), ["created_at_missing"]);
    for odd in [json!("yesterday"), json!("05/01/2023"), json!(5), json!("12023-02-03T04:05:00Z"), json!([])] {
        assert_eq!(flaws(json!({"created_at": odd})), ["created_at_unreadable"], "{odd}");
        assert_eq!(post(json!({"created_at": odd})).created_at, None, "{odd}");
        assert_eq!(flaws(json!({"created_at": good, "edited_at": odd})), ["edited_at_unreadable"], "{odd}");
        let account = json!({"created_at": good, "account": {"created_at": odd}});
        assert_eq!(flaws(account), ["author_created_at_unreadable"], "{odd}");
    }
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
            assert_eq!((post.id.as_str(), post.author.as_str()), ("1", "ann@reader.example"), "{field}: {value}");
            assert!(field == "language" || post.language.as_deref() == Some("de"), "{field}: {value}");
        }
    }
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
}

#[test]
fn an_edit_without_a_date_was_made_when_it_was_seen() {
    let edited_at = |kind, edited_at: Value| {
        let event = translate(kind, with_the_least(json!({"edited_at": edited_at})).to_string()).unwrap();
        event.post().unwrap().edited_at
    };
    let undated =
        [json!(null), json!(""), json!(false), json!("None"), json!("yesterday"), json!(0), json!([]), json!({})];
    for value in undated {
        assert_eq!(edited_at(FrameKind::StatusUpdate, value.clone()), Some(observed_at()), "{value}");
        assert_eq!(edited_at(FrameKind::Update, value.clone()), None, "{value}");
    }
    let without = translate(FrameKind::StatusUpdate, with_the_least(json!({})).to_string()).unwrap();
    assert_eq!(without.post().unwrap().edited_at, Some(observed_at()));
    let claimed = "2023-02-03T04:05:00Z";
    for kind in [FrameKind::StatusUpdate, FrameKind::Update] {
        assert_eq!(edited_at(kind, json!(claimed)), Some(claimed.parse().unwrap()));
    }
}

#[test]
fn one_post_has_one_uri_however_its_host_is_written() {
    for uri in [
        "https://home.example/Users/ann/1",
        "https://HOME.example/Users/ann/1",
        "HTTPS://home.example:443/Users/ann/1",
        " https://home.example./Users/ann/1\n",
    ] {
        let post = post(json!({"uri": uri, "quote": {"uri": uri}}));
        assert_eq!(post.uri, "https://home.example/Users/ann/1", "{uri:?}");
        assert_eq!(post.quote_uri.as_deref(), Some("https://home.example/Users/ann/1"), "{uri:?}");
    }
    assert_eq!(post(json!({"uri": "https://bücher.example/1"})).uri, "https://xn--bcher-kva.example/1");
    let empty = with_the_least(json!({"uri": " "}));
    assert_eq!(update(&empty).unwrap_err().reason, RejectedReason::NoUri);
}

#[test]
fn a_mention_is_read_however_it_is_written() {
    let page = "https://far.example/@bob";
    let flaws = |post: &Post| post.flaws.iter().any(|flaw| flaw == Flaw::FieldUnreadable);
    for mention in [
        json!({"acct": "bob@far.example"}),
        json!("bob@far.example"),
        json!("@bob@far.example"),
        json!("acct:bob@Far.example"),
        json!(page),
        json!({"username": "bob", "url": page}),
        json!({"acct": null, "username": "bob", "url": page}),
        json!({"acct": "", "username": "bob", "url": "https://far.example/users/bob"}),
        json!({"acct": page}),
        json!({"acct": "https://far.example/users/bob"}),
        json!({"url": page}),
    ] {
        let post = post(json!({"mentions": [mention]}));
        assert_eq!((post.mentions.as_slice(), flaws(&post)), (&["bob@far.example".to_owned()][..], false), "{mention}");
    }
    let local = post(
        json!({"mentions": ["bob", {"username": "cid"}, {"username": "dan", "url": "https://reader.example/@dan"}]}),
    );
    assert_eq!(local.mentions, ["bob@reader.example", "cid@reader.example", "dan@reader.example"]);
    for unread in
        [json!(7), json!([1]), json!({"id": "9"}), json!({"url": "https://far.example"}), json!({"acct": "@"})]
    {
        let post = post(json!({"mentions": [unread]}));
        assert_eq!((post.mentions.len(), flaws(&post)), (0, true), "{unread}");
    }
    for nothing in [json!(null), json!({}), json!(""), json!([])] {
        let post = post(json!({"mentions": [nothing]}));
        assert_eq!((post.mentions.len(), flaws(&post)), (0, false), "{nothing}");
    }
}

#[test]
fn an_author_may_be_written_as_an_address() {
    for acct in
        ["https://home.example/@ann", "https://home.example/users/ann", "acct:ann@home.example", "@ann@HOME.example"]
    {
        let post = post(json!({"account": {"acct": acct}}));
        assert_eq!((post.author.as_str(), post.author_domain.as_str()), ("ann@home.example", "home.example"), "{acct}");
    }
    let named = post(json!({"account": {"acct": "https://home.example/", "username": "ann"}}));
    assert_eq!(named.author, "ann@reader.example");
    assert!(named.flaws.iter().any(|flaw| flaw == Flaw::FieldUnreadable));
}

#[test]
fn a_client_is_named_by_its_object_or_by_a_text() {
    for (application, app, is_flaw) in [
        (json!({"name": "Web"}), Some("Web"), false),
        (json!("Web"), Some("Web"), false),
        (json!(null), None, false),
        (json!({}), None, false),
        (json!({"name": null, "website": "x"}), None, false),
        (json!({"title": "Web"}), None, true),
        (json!({"name": 7}), None, true),
        (json!(["Web"]), None, true),
    ] {
        let post = post(json!({"application": application}));
        let has_flaw = post.flaws.iter().any(|flaw| flaw == Flaw::FieldUnreadable);
        assert_eq!((post.app.as_deref(), has_flaw), (app, is_flaw), "{application}");
    }
}

#[test]
fn a_link_to_the_page_of_a_mention_or_a_hashtag_is_none() {
    let links = |html: &str| {
        let fields = json!({
            "content": html,
            "mentions": [{"acct": "bob@far.example", "url": "https://far.example/@bob"}],
            "tags": [{"name": "x", "url": "https://home.example/topics/x"}],
        });
        post(fields).links
    };
    for html in [
        r#"<a href="https://far.example/@bob">@bob</a>"#,
        r#"<a href="https://FAR.example:443/@bob/">bob</a>"#,
        r#"<a href="https://home.example/topics/x">x</a>"#,
        r#"<a href="https://e.example/1" rel="nofollow Mention">@cid</a>"#,
        r#"<a href="https://e.example/1" class="h-card u-url">@cid</a>"#,
        r#"<a href="https://e.example/1" class="u-url Mention">@cid</a>"#,
        r##"<a href="https://e.example/1" class="hashtag-link">#y</a>"##,
        r##"<a href="https://e.example/1" rel="TAG">#y</a>"##,
    ] {
        assert_eq!(links(html), [""; 0], "{html}");
    }
    for html in [
        r#"<a href="https://far.example/@bob/1">a post</a>"#,
        r#"<a href="https://far.example/@bobby">another</a>"#,
        r#"<a href="https://e.example/1" class="u-url">x</a>"#,
        r#"<a href="https://e.example/1" rel="me nofollow">x</a>"#,
    ] {
        assert_eq!(links(html).len(), 1, "{html}");
    }
}

#[test]
fn a_broken_character_of_a_status_is_counted() {
    let json = b"{\"id\":\"1\",\"uri\":\"u\",\"account\":{\"acct\":\"a\"},\"content\":\"Gr\xfcn\ta\"}";
    let event = translate(FrameKind::Update, json.as_slice()).unwrap();
    let post = event.post().unwrap();
    assert_eq!(post.text, "Gr\u{fffd}n\ta");
    let flaws: Vec<_> = post.flaws.iter().map(Flaw::as_str).collect();
    assert_eq!(flaws, ["created_at_missing", "bytes_replaced", "escapes_mended"]);
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
    assert_eq!(post.tags, names[..256].iter().map(|name| name.to_lowercase()).collect::<Vec<_>>());
    assert!(post.flaws.iter().any(|flaw| flaw == Flaw::TagsCut));
}

#[test]
fn a_field_of_another_kind_is_read_where_it_can_be_and_noted_where_it_says_something() {
    let flaws = |fields: Value| {
        let mut given = json!({"created_at": "2023-02-04T10:00:00Z"});
        given.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        post(given).flaws.iter().map(Flaw::as_str).collect::<Vec<_>>()
    };
    for odd in [
        json!({"favourites_count": "many"}),
        json!({"reblogs_count": 1.5}),
        json!({"replies_count": [1]}),
        json!({"content": {"html": "x"}}),
        json!({"spoiler_text": 7}),
        json!({"language": ["en"]}),
        json!({"sensitive": "perhaps"}),
        json!({"url": 12}),
        json!({"in_reply_to_id": {"id": 1}}),
        json!({"tags": "a, b"}),
        json!({"tags": [{"label": "a"}]}),
        json!({"mentions": "ann"}),
        json!({"media_attachments": {"url": "x"}}),
    ] {
        assert_eq!(flaws(odd.clone()), ["field_unreadable"], "{odd}");
    }
    for nothing in [
        json!({"favourites_count": null, "reblogs_count": -1, "replies_count": ""}),
        json!({"content": false, "spoiler_text": null, "language": "", "sensitive": null}),
        json!({"tags": null, "mentions": {}, "media_attachments": false}),
        json!({"in_reply_to_id": null, "url": null}),
    ] {
        assert_eq!(flaws(nothing.clone()), [""; 0], "{nothing}");
    }
    let read = json!({"favourites_count": "12", "reblogs_count": 3.0, "replies_count": " 4 ", "tags": ["One", {"name": "two"}]});
    let kept = post(read.clone());
    assert_eq!((kept.favourites, kept.reblogs, kept.replies), (12, 3, 4));
    assert_eq!(kept.tags, ["one", "two"]);
    assert_eq!(flaws(read), [""; 0]);
}
