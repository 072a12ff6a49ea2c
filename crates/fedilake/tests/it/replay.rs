//! Files in, answers out.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Data, corpus, run, run_with_input, says_no};

/// A status that may be kept; `number` makes it unique.
pub fn status(number: u64, content: &str) -> Value {
    json!({
        "id": number.to_string(),
        "uri": format!("https://a.example/users/ada/statuses/{number}"),
        "url": format!("https://a.example/@ada/{number}"),
        "created_at": "2023-02-04T10:00:00.000Z",
        "edited_at": null, "visibility": "public", "sensitive": false, "spoiler_text": "", "language": "en",
        "content": format!("<p>{content}</p>"), "reblog": null,
        "account": {"id": "1", "username": "ada", "acct": "ada", "url": "https://a.example/@ada", "note": "", "bot": false,
                    "created_at": "2020-01-01T00:00:00.000Z", "followers_count": 3},
        "media_attachments": [], "mentions": [], "tags": [], "emojis": [],
        "favourites_count": 0, "reblogs_count": 0, "replies_count": 0
    })
}

/// A recorded frame as a line.
pub fn frame(event: &str, payload: &Value, observed_at: &str) -> String {
    json!({"server": "a.example", "observed_at": observed_at, "event": event, "payload": payload}).to_string()
}

fn write_lines(path: &Path, lines: &[String]) {
    let mut file = std::fs::File::create(path).unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
}

#[test]
fn each_distinct_admitted_post_of_the_corpus_is_one_row_and_the_rest_is_counted_by_reason() {
    let lines: Vec<Value> =
        std::fs::read_to_string(corpus()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
    let admitted =
        |status: &&&Value| status["visibility"] == "public" && status["reblog"].is_null() && !says_no(status);
    let uris: BTreeSet<&str> = statuses.iter().filter(admitted).map(|status| status["uri"].as_str().unwrap()).collect();
    assert!(uris.len() > 200, "{}", uris.len());

    let data = Data::new();
    let file = data.beside("statuses.jsonl");
    write_lines(&file, &statuses.iter().map(|status| status.to_string()).collect::<Vec<_>>());
    let said = data.run(["replay", file.to_str().unwrap()]).done();
    assert_eq!(data.number("select count(*) from posts"), uris.len() as i64);
    assert_eq!(data.number("select count(distinct uri) from posts"), uris.len() as i64);
    assert!(said.stderr.contains("not public") || said.stderr.contains("not_public"), "{}", said.stderr);
    assert!(said.stderr.contains("boost"), "{}", said.stderr);
    data.run(["check"]).done();
}

#[test]
fn the_talks_figures_come_out_of_its_preset() {
    let data = Data::new();
    let file = data.beside("talk.jsonl.zst");
    run(["simulate", "--preset", "talk", "--posts", "20000", "--seed", "7", "--out", file.to_str().unwrap()]).done();
    data.run(["replay", file.to_str().unwrap()]).done();
    let statistics = data.run(["report", "statistics", "--format", "json"]).done().json();
    assert_eq!(statistics[0]["posts"], 20_000, "{statistics}");
    let daily = data.run(["report", "daily", "--format", "json"]).done().json();
    assert_eq!(daily.as_array().unwrap().len(), 10, "{daily}");
    assert_eq!(daily[0]["day"], "2023-02-03");
    // The talk's own SQL: the day of receipt, usernames without a domain.
    let toots =
        data.number("select count(*) from mastodon_toot where strftime(created_tz, '%Y/%m/%d %a') = '2023/02/03 Fri'");
    assert_eq!(Some(toots), daily[0]["posts"].as_i64());
    let checked = data.run(["check"]).done();
    assert!(checked.stdout.contains("\n20,000 posts in the lake\nwhole: "), "{}", checked.stdout);
}

#[test]
fn compressed_files_and_standard_input_give_the_same_posts() {
    let lines: String = (1..=50).map(|n| status(n, "text").to_string() + "\n").collect();
    for name in ["plain.jsonl", "gzip.jsonl.gz", "zstd.jsonl.zst"] {
        let data = Data::new();
        let file = data.beside(name);
        let out = std::fs::File::create(&file).unwrap();
        match file.extension().unwrap().to_str().unwrap() {
            "gz" => {
                let mut out = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
                out.write_all(lines.as_bytes()).unwrap();
                out.finish().unwrap();
            }
            "zst" => zstd::stream::copy_encode(lines.as_bytes(), out, 1).unwrap(),
            _ => std::fs::write(&file, &lines).unwrap(),
        }
        data.run(["replay", file.to_str().unwrap()]).done();
        assert_eq!(data.number("select count(*) from posts"), 50, "{name}");
    }
    let data = Data::new();
    let folder = data.path();
    run_with_input(["replay", "-", "--data", folder.to_str().unwrap()], lines.as_bytes()).done();
    assert_eq!(data.number("select count(*) from posts"), 50);
}

#[test]
fn a_bad_line_is_counted_and_named_and_costs_no_other() {
    let data = Data::new();
    let file = data.beside("odd.jsonl");
    let whole = status(3, "the last one").to_string();
    let lines = [
        status(1, "first").to_string(),
        "{\"id\": \"9\", \"uri\": ".to_owned(),
        "<html><body>502 Bad Gateway</body></html>".to_owned(),
        String::new(),
        status(2, "second").to_string(),
        json!({"id": "4", "content": "no uri, no account"}).to_string(),
        whole[..whole.len() / 2].to_owned(),
    ];
    write_lines(&file, &lines);
    let said = data.run(["replay", file.to_str().unwrap()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert_eq!(data.number("select count(*) from posts"), 2);
    for line in [2, 3, 6, 7] {
        assert!(said.stderr.contains(&format!("odd.jsonl:{line}: ")), "line {line}: {}", said.stderr);
    }
    assert!(said.stderr.contains("odd.jsonl:3: expected a JSON object (not_an_object), at byte "), "{}", said.stderr);
    assert!(said.stderr.contains("odd.jsonl:6: expected a status with a uri"), "{}", said.stderr);

    // The bookmark remembers them.
    let said = data.run(["replay", file.to_str().unwrap()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(said.stderr.contains("4 values of the earlier run could not be used"), "{}", said.stderr);
}

#[test]
fn an_edit_replaces_and_a_delete_hides_even_when_it_comes_first() {
    let data = Data::new();
    let file = data.beside("frames.jsonl");
    let mut edited = status(1, "better words");
    edited["edited_at"] = json!("2023-02-04T11:00:00.000Z");
    write_lines(
        &file,
        &[
            frame("update", &status(1, "first words"), "2023-02-04T10:00:01Z"),
            frame("delete", &json!("2"), "2023-02-04T10:00:02Z"),
            frame("update", &status(2, "deleted before it came"), "2023-02-04T10:00:03Z"),
            frame("status.update", &edited, "2023-02-04T11:00:01Z"),
            frame("update", &status(3, "stays"), "2023-02-04T10:00:04Z"),
        ],
    );
    data.run(["replay", file.to_str().unwrap()]).done();
    let posts = data.run(["sql", "select id, text from posts order by id", "--format", "json"]).done().json();
    assert_eq!(posts, json!([{"id": "1", "text": "better words"}, {"id": "3", "text": "stays"}]));
}

#[test]
fn a_missing_file_and_a_cut_archive_are_named() {
    let data = Data::new();
    let said = data.run(["replay", "nowhere.jsonl"]);
    assert_eq!(said.code(), Some(2));
    assert!(said.stderr.contains("nowhere.jsonl"), "{}", said.stderr);

    let file = data.beside("cut.jsonl.zst");
    let lines: String = (1..=2_000).map(|n| status(n, &format!("text {n} {}", n * 7_919)).to_string() + "\n").collect();
    let whole = zstd::encode_all(lines.as_bytes(), 1).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let said = data.run(["replay", file.to_str().unwrap()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains("cut.jsonl.zst"), "{}", said.stderr);
    let kept = data.number("select count(*) from posts");
    assert!(0 < kept && kept < 2_000, "{kept}");
    assert!(said.stderr.contains(&format!("after line {kept}: ")), "{}", said.stderr);
    assert!(said.stderr.contains("\nhint: what came before is kept; "), "{}", said.stderr);
    data.run(["check"]).done();
    std::fs::write(&file, whole).unwrap();
    data.run(["replay", file.to_str().unwrap()]).done();
    assert_eq!(data.number("select count(*) from posts"), 2_000);
}

#[test]
fn what_people_save_is_read_and_what_is_no_json_is_refused_in_a_sentence() {
    let data = Data::new();
    let statuses: Vec<Value> = (1..=3).map(|number| status(number, "text")).collect();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let whole = [
        ("page.json", json!(statuses).to_string()),
        ("indented.json", pretty(&json!(statuses))),
        ("objects.json", statuses.iter().map(pretty).collect::<Vec<_>>().join("\n")),
        ("search.json", json!({"statuses": statuses, "accounts": []}).to_string()),
        ("marked.json", format!("\u{feff}{}", json!(statuses))),
    ];
    for (name, text) in whole {
        let data = Data::new();
        let file = data.beside(name);
        std::fs::write(&file, text).unwrap();
        data.run(["replay", file.to_str().unwrap()]).done();
        assert_eq!(data.number("select count(*) from posts"), 3, "{name}");
    }
    let compressed = zstd::encode_all(&b""[..], 1).unwrap();
    for (name, bytes) in
        [("empty.jsonl", &b""[..]), ("blank.jsonl", b"\xef\xbb\xbf\n\n"), ("empty.jsonl.zst", &compressed)]
    {
        let data = Data::new();
        let file = data.beside(name);
        std::fs::write(&file, bytes).unwrap();
        data.run(["replay", file.to_str().unwrap()]).done();
        assert_eq!(data.number("select count(*) from posts"), 0, "{name}");
    }
    let refused: [(&str, &[u8], &str); 5] = [
        ("posts.parquet", b"PAR1\x15\x04", "found a Parquet file\nhint: "),
        ("archive.zip", b"PK\x03\x04", "found a zip archive\nhint: "),
        ("answer.json", b"<!DOCTYPE html>", "found an HTML or XML page\nhint: "),
        ("utf16.json", b"\xff\xfe[\0", "found UTF-16 text\nhint: "),
        ("outbox.json", br#"{"@context":"x","type":"OrderedCollection","orderedItems":[]}"#, "found ActivityPub"),
    ];
    for (name, bytes, part) in refused {
        let file = data.beside(name);
        std::fs::write(&file, bytes).unwrap();
        let said = data.run(["replay", file.to_str().unwrap()]);
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert!(said.stderr.contains(name) && said.stderr.contains(part), "{}", said.stderr);
        assert!(!data.path().exists(), "{name}");
    }
    // Among other files it is named, and the others are replayed.
    let good = data.beside("page.json");
    std::fs::write(&good, json!(statuses).to_string()).unwrap();
    let bad = data.beside("answer.json");
    let said = data.run(["replay", bad.to_str().unwrap(), good.to_str().unwrap()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert_eq!(data.number("select count(*) from posts"), 3);
}

#[test]
fn a_field_that_cannot_be_used_is_named_by_its_line_and_means_exit_1_each_time() {
    let data = Data::new();
    let file = data.beside("odd.jsonl");
    let with = |number, field: &str, value: Value| {
        let mut status = status(number, "text");
        status[field] = value;
        status.to_string()
    };
    let lines = [
        status(1, "good").to_string(),
        with(2, "created_at", json!("last Tuesday")),
        with(3, "favourites_count", json!("many")),
        with(4, "created_at", Value::Null),
        frame("update", &status(5, "good"), "some time"),
        with(6, "language", json!("x".repeat(90))),
    ];
    write_lines(&file, &lines);
    let said = data.run(["replay", file.to_str().unwrap()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    for part in [
        "odd.jsonl:2: expected a time in created_at; the post counts as written when it was seen (created_at_unreadable), at byte ",
        "odd.jsonl:3: a field is not of the kind",
        "odd.jsonl:5: expected a time in observed_at",
        "odd.jsonl:6: language is longer than its column, or has control characters; it is left out (language_dropped)",
        "6 events appended, flaws: created_at_missing 1, created_at_unreadable 1, ",
    ] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
    assert!(!said.stderr.contains("odd.jsonl:4: "), "{}", said.stderr);
    assert_eq!(data.number("select count(*) from posts"), 6);
    let said = data.run(["replay", file.to_str().unwrap()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(said.stderr.contains("4 values of the earlier run could not be used"), "{}", said.stderr);
}

#[test]
fn a_quiet_replay_names_what_it_could_not_use_each_time_and_nothing_else() {
    let data = Data::new();
    let file = data.beside("statuses.jsonl");
    write_lines(
        &file,
        &[status(1, "one").to_string(), "{not JSON".to_owned(), "[]".to_owned(), status(2, "two").to_string()],
    );
    let replay = || data.run(["replay", file.to_str().unwrap(), "--quiet"]);
    let said = replay();
    assert_eq!(said.code(), Some(1), "{said:#?}");
    assert!(said.stderr.contains(":2: ") && !said.stderr.contains("appended"), "{said:#?}");
    let said = replay();
    assert!(said.code() == Some(1) && said.stderr.contains("could not be used"), "{said:#?}");
    let fit = data.beside("fit.jsonl");
    write_lines(&fit, &[status(3, "three").to_string()]);
    let said = data.run(["replay", fit.to_str().unwrap(), "--quiet"]).done();
    assert_eq!(said.stderr, "");
}
