//! Strangers' texts are kept up to a cap, column by column.

use fedilake_model::avro;
use fedilake_model::caps::Cap;
use fedilake_model::schema::{COLUMNS, ColumnSource};
use fedilake_model::{Flaw, Post, RejectedReason};
use serde_json::{Value, json};

use crate::api::{update, whole_status};

/// A column that holds a server's text, with functions to write and to read it.
type Way = (&'static str, fn(&mut Value, String), fn(&Post) -> Option<&str>);

const TEXTS: &[Way] = &[
    ("id", |status, text| status["id"] = json!(text), |post| Some(&post.id)),
    ("uri", |status, text| status["uri"] = json!(text), |post| Some(&post.uri)),
    ("url", |status, text| status["url"] = json!(text), |post| post.url.as_deref()),
    (
        "author",
        |status, text| status["account"]["acct"] = json!(text),
        |post| post.author.strip_suffix("@reader.example"),
    ),
    ("language", |status, text| status["language"] = json!(text), |post| post.language.as_deref()),
    ("text", |status, text| status["content"] = json!(text), |post| Some(&post.text)),
    ("spoiler_text", |status, text| status["spoiler_text"] = json!(text), |post| Some(&post.spoiler_text)),
    (
        "quote_uri",
        |status, text| status["quote"]["quoted_status"]["uri"] = json!(text),
        |post| post.quote_uri.as_deref(),
    ),
    ("app", |status, text| status["application"]["name"] = json!(text), |post| post.app.as_deref()),
    ("visibility", |status, text| status["visibility"] = json!(text), |post| Some(&post.visibility)),
    ("in_reply_to_id", |status, text| status["in_reply_to_id"] = json!(text), |post| post.in_reply_to_id.as_deref()),
    (
        "in_reply_to_author",
        |status, text| {
            status["in_reply_to_account_id"] = json!("9");
            status["mentions"] = json!([{"id": "9", "acct": text}]);
        },
        |post| post.in_reply_to_author.as_deref().and_then(|author| author.strip_suffix("@reader.example")),
    ),
];

type ListWay = (&'static str, fn(&mut Value, Vec<String>), fn(&Post) -> &[String]);

const LISTS: &[ListWay] = &[
    (
        "tags",
        |status, texts| status["tags"] = texts.into_iter().map(|text| json!({"name": text})).collect(),
        |post| &post.tags,
    ),
    (
        "mentions",
        |status, texts| {
            status["mentions"] = texts.into_iter().map(|text| json!({"acct": text + "@far.example"})).collect()
        },
        |post| &post.mentions,
    ),
    (
        "links",
        |status, texts| {
            let links: String =
                texts.iter().map(|text| format!("<a href=\"https://far.example/{text}\">x</a>")).collect();
            status["content"] = json!(links);
        },
        |post| &post.links,
    ),
    (
        "media_types",
        |status, texts| status["media_attachments"] = texts.into_iter().map(|text| json!({"type": text})).collect(),
        |post| &post.media_types,
    ),
];

/// Columns of the record whose values are our own words, or hosts.
const BOUND_BY_KIND: &[&str] = &["kind", "server", "author_domain", "in_reply_to"];

fn cap(column: &str) -> Cap {
    COLUMNS.iter().find(|c| c.field.name() == column).unwrap().cap().unwrap()
}

fn written(write: impl Fn(&mut Value)) -> Result<Post, RejectedReason> {
    let mut status = whole_status();
    write(&mut status);
    let event = update(&status).map_err(|rejected| rejected.reason)?;
    Ok(event.post().unwrap().clone())
}

#[test]
fn every_column_of_text_in_the_record_has_a_cap() {
    let is_text = |kind: &str| kind.starts_with("Utf8") || kind.starts_with("List");
    for column in COLUMNS.iter().filter(|column| column.source == ColumnSource::Record) {
        let name = column.field.name().as_str();
        let has_cap = is_text(&column.field.data_type().to_string()) && !BOUND_BY_KIND.contains(&name);
        assert_eq!(column.cap().is_some(), has_cap, "{name}");
        let is_tried = TEXTS.iter().any(|(text, ..)| *text == name) || LISTS.iter().any(|(list, ..)| *list == name);
        assert_eq!(is_tried, has_cap, "{name}");
    }
}

#[test]
fn a_text_is_kept_up_to_its_cap_and_never_beyond() {
    for (column, write, read) in TEXTS {
        let (Cap::Reject(bytes_max) | Cap::Drop(bytes_max) | Cap::Cut(bytes_max)) = cap(column) else {
            panic!("{column}")
        };
        // The author's domain is a part of the name.
        let room = bytes_max - if column.ends_with("author") { "@reader.example".len() } else { 0 };
        let before = written(|_| ()).unwrap().flaws;
        let at = written(|status| write(status, "é".repeat(room / 2))).unwrap();
        assert_eq!(read(&at).map(str::len), Some(room / 2 * 2), "{column}");
        assert_eq!(at.flaws, before, "{column}");
        // An odd number of bytes before letters of two: the cap falls within one.
        for length in [room + 1, room * 2, 3 << 20] {
            let text = format!("x{}", "é".repeat(length / 2));
            match (written(|status| write(status, text.clone())), cap(column)) {
                (Ok(post), Cap::Cut(_)) => {
                    let kept = read(&post).unwrap();
                    assert!(
                        text.starts_with(kept) && kept.len() > bytes_max - 2 && kept.len() <= bytes_max,
                        "{column}"
                    );
                    assert!(post.flaws.iter().any(|flaw| flaw.as_str() == format!("{column}_cut")), "{column}");
                }
                (Ok(post), Cap::Drop(_)) => {
                    assert_eq!(read(&post), None, "{column}");
                    assert!(post.flaws.iter().any(|flaw| flaw.as_str().ends_with("_dropped")), "{column}");
                }
                (Err(reason), Cap::Reject(_)) => {
                    assert!(reason.as_str().starts_with("bad_"), "{column}: {reason}");
                }
                (outcome, cap) => panic!("{column}: {cap:?} gave {:?}", outcome.map(|post| post.flaws)),
            }
        }
    }
}

#[test]
fn a_list_is_kept_up_to_its_caps_and_never_beyond() {
    for (column, write, read) in LISTS {
        let Cap::Each(elements_max, each) = cap(column) else { panic!("{column} is a list") };
        let (Cap::Cut(bytes_max) | Cap::Drop(bytes_max)) = *each else { panic!("{column}: {each:?}") };
        let label = format!("{column}_cut");
        let is_cut = |post: &Post| post.flaws.iter().any(|flaw| flaw.as_str() == label);
        let many = |count: usize| (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>();
        for (count, kept) in [(elements_max, elements_max), (elements_max + 1, elements_max), (50_000, elements_max)] {
            let post = written(|status| write(status, many(count))).unwrap();
            assert_eq!((read(&post).len(), is_cut(&post)), (kept, count > kept), "{column} {count}");
        }
        for length in [bytes_max + 1, 300_000] {
            let post = written(|status| write(status, vec!["a".into(), "é".repeat(length), "b".into()])).unwrap();
            assert!(read(&post).iter().all(|element| element.len() <= bytes_max), "{column}");
            assert_eq!(read(&post).len(), if matches!(each, Cap::Cut(_)) { 3 } else { 2 }, "{column}");
            assert!(is_cut(&post), "{column}");
        }
    }
}

#[test]
fn control_characters_are_no_part_of_names_addresses_and_tags() {
    for control in ['\u{1f}', '\0', '\n', '\u{7f}', '\u{85}', '\u{1b}'] {
        for (column, write, read) in TEXTS {
            let outcome = written(|status| write(status, format!("a{control}b")));
            match (cap(column), outcome) {
                (Cap::Reject(_), Err(reason)) => assert!(reason.as_str().starts_with("bad_"), "{column} {reason}"),
                (Cap::Drop(_), Ok(post)) => assert_eq!(read(&post), None, "{column} {control:?}"),
                (Cap::Cut(_), Ok(post)) if *column == "text" || *column == "spoiler_text" => {
                    assert!(!read(&post).unwrap().contains('\0'), "{column} {control:?}");
                }
                (Cap::Cut(_), Ok(post)) => assert_eq!(read(&post), Some("ab"), "{column} {control:?}"),
                (cap, outcome) => panic!("{column}: {cap:?} gave {:?}", outcome.map(|post| post.flaws)),
            }
        }
        for (column, write, read) in LISTS {
            let post =
                written(|status| write(status, vec![format!("a{control}b"), control.to_string(), "c".into()])).unwrap();
            let elements = read(&post);
            assert!(elements.iter().all(|element| !element.contains(char::is_control)), "{column} {elements:?}");
            assert!(elements.iter().all(|element| !element.is_empty()), "{column} {elements:?}");
        }
    }
    // Texts keep their control characters.
    let post = written(|status| status["content"] = json!("<pre>a\u{1b}[31mb\tc\u{85}d</pre>")).unwrap();
    assert_eq!(post.text, "a\u{1b}[31mb\tc\u{85}d");
    let post = written(|status| status["spoiler_text"] = json!("a\0b")).unwrap();
    assert_eq!(post.spoiler_text, "a\u{fffd}b");
}

#[test]
fn the_greatest_post_is_a_record_that_any_kafka_topic_takes() {
    const MESSAGE_BYTES_MAX: usize = 1_000_000;
    let mut status = whole_status();
    for (_, write, _) in TEXTS {
        write(&mut status, "y".repeat(200));
    }
    for (_, write, _) in TEXTS.iter().filter(|(column, ..)| matches!(cap(column), Cap::Cut(_))) {
        write(&mut status, "z".repeat(1 << 20));
    }
    for column in ["url", "quote_uri", "uri"] {
        let (_, write, _) = TEXTS.iter().find(|(text, ..)| *text == column).unwrap();
        write(&mut status, format!("https://a.example/{}", "y".repeat(2_000)));
    }
    let mut content = String::new();
    for (column, write, _) in LISTS {
        let Cap::Each(elements_max, Cap::Cut(bytes) | Cap::Drop(bytes)) = cap(column) else { panic!("{column}") };
        let texts = (0..elements_max + 10).map(|n| format!("{n:0>width$}", width = bytes - 30)).collect();
        write(&mut status, texts);
        if *column == "links" {
            content = status["content"].as_str().unwrap().to_owned();
        }
    }
    status["content"] = json!(format!("{content}{}", "t".repeat(1 << 20)));
    let event = update(&status).unwrap();
    let flaws: Vec<Flaw> = event.post().unwrap().flaws.iter().collect();
    assert!(
        flaws.contains(&Flaw::TextCut) && flaws.contains(&Flaw::LinksCut) && flaws.contains(&Flaw::TagsCut),
        "{flaws:?}"
    );
    let record = avro::encode(std::slice::from_ref(&event)).remove(0);
    assert!((600_000..MESSAGE_BYTES_MAX).contains(&record.len()), "{}", record.len());
}
