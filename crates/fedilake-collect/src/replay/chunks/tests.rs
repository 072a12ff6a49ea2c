#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Gives at most `step` bytes a read, then fails if told to.
struct Slow<'a> {
    bytes: &'a [u8],
    step: usize,
    fails: bool,
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.len().min(self.step).min(buffer.len());
        if count == 0 && self.fails {
            return Err(io::Error::other("broken"));
        }
        let (head, rest) = self.bytes.split_at(count);
        buffer[..count].copy_from_slice(head);
        self.bytes = rest;
        Ok(count)
    }
}

fn chunks(bytes: &[u8], from: Position, step: usize, max: usize, chunk_bytes_min: usize) -> Vec<Chunk> {
    let rest = &bytes[usize::try_from(from.bytes).unwrap()..];
    let mut chunks = Chunks::new(Slow { bytes: rest, step, fails: false }, from, max, false);
    chunks.chunk_bytes_min = chunk_bytes_min;
    std::iter::from_fn(|| chunks.next().unwrap()).collect()
}

fn values(chunks: &[Chunk]) -> Vec<String> {
    let of_chunk = |chunk: &Chunk| {
        let text = |value: &Value| String::from_utf8(chunk.text[value.start..value.end].to_vec()).unwrap();
        chunk.values.iter().map(text).collect::<Vec<_>>()
    };
    chunks.iter().flat_map(of_chunk).collect()
}

/// Each value's id and line, and each broken one's line and reason, in order.
fn read(text: &str) -> String {
    let chunks = chunks(text.as_bytes(), Position::default(), 7, 200, usize::MAX);
    let mut found = Vec::new();
    for chunk in &chunks {
        for value in &chunk.values {
            let json: serde_json::Value = serde_json::from_slice(&chunk.text[value.start..value.end]).unwrap();
            let byte = chunk.first_byte + value.start as u64;
            found.push((byte, format!("{}@{}", json["id"].as_str().unwrap_or("?"), value.line)));
        }
        found.extend(chunk.bad.iter().map(|bad| (bad.byte, format!("{}@{}", bad.why, bad.line))));
    }
    found.sort();
    found.into_iter().map(|(_, found)| found).collect::<Vec<_>>().join(" ")
}

fn post(id: usize) -> String {
    format!(
        r#"{{"id":"{id}","content":"}},{{\"[x","account":{{"acct":"ann"}},"tags":[{{"name":"a"}},{{"name":"b"}}]}}"#
    )
}

fn indented(json: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
}

/// The layouts in which people keep posts.
const LAYOUTS: [&str; 12] = [
    "lines",
    "crlf",
    "page",
    "array of lines",
    "indented array",
    "joined objects",
    "comma after line",
    "pages",
    "wrapped",
    "glued",
    "wrapped lines",
    "sequence",
];

fn laid_out(layout: &str, posts: &[String]) -> String {
    match layout {
        "lines" => posts.iter().map(|post| format!("{post}\n\n")).collect(),
        "crlf" => format!("\u{feff}{}", posts.join("\r\n")),
        "page" => format!("[{}]", posts.join(", ")),
        "array of lines" => format!("[\n{}\n]\n", posts.join(",\n")),
        "indented array" => indented(&format!("[{}]", posts.join(","))),
        "joined objects" => posts.iter().map(|post| indented(post) + "\n").collect(),
        "comma after line" => posts.iter().map(|post| format!("{post},\n")).collect(),
        "pages" => posts.chunks(3).map(|page| format!("[{}]\n", page.join(","))).collect(),
        "wrapped" => format!(r#"{{"accounts":[{{"id":"x"}}],"statuses":[{}],"hashtags":[]}}"#, posts.join(",")),
        "glued" => posts.concat(),
        "wrapped lines" => {
            posts.iter().map(|post| format!("{{\"type\":\"mention\",\"status\":{post},\"id\":\"n\"}}\n")).collect()
        }
        "sequence" => posts.iter().map(|post| format!("\u{1e}{post}\n")).collect(),
        other => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn whatever_the_layout_each_value_is_found_and_a_chunk_ends_where_reading_can_begin_again(
        layout in 0..LAYOUTS.len(), count in 0usize..120, step in 1usize..300, chunk_bytes_min in 1usize..400,
    ) {
        let posts: Vec<String> = (0..count).map(post).collect();
        let text = laid_out(LAYOUTS[layout], &posts);
        let expected: Vec<serde_json::Value> = posts.iter().map(|post| serde_json::from_str(post).unwrap()).collect();
        let parsed = |chunks: &[Chunk]| -> Vec<serde_json::Value> {
            values(chunks).iter().map(|value| serde_json::from_str(value).unwrap()).collect()
        };
        let all = chunks(text.as_bytes(), Position::default(), step, 10_000, chunk_bytes_min);
        // Once they are regular, lines are values unseen: what is wrapped is taken apart later.
        prop_assert_eq!(&parsed(&all), &expected);
        prop_assert!(all.iter().all(|chunk| chunk.bad.is_empty()));
        let end = all.last().map_or(Position::default(), |chunk| chunk.end);
        prop_assert_eq!(end, Position {
            bytes: text.len() as u64, lines: text.lines().count() as u64, ..Position::default()
        });
        let mut seen = 0;
        for chunk in &all {
            seen += chunk.values.len();
            let saved = Position::parse(Some(&chunk.end.to_string()));
            prop_assert_eq!(saved, chunk.end);
            let rest = chunks(text.as_bytes(), saved, step, 10_000, chunk_bytes_min);
            prop_assert_eq!(&parsed(&rest)[..], &expected[seen..]);
            prop_assert_eq!(rest.last().map_or(saved, |chunk| chunk.end).bytes, end.bytes);
        }
    }

    #[test]
    fn every_line_of_a_value_is_named_rightly(layout in 0..LAYOUTS.len(), count in 1usize..90, step in 1usize..300) {
        let posts: Vec<String> = (0..count).map(post).collect();
        let text = laid_out(LAYOUTS[layout], &posts);
        for chunk in chunks(text.as_bytes(), Position::default(), step, 10_000, 300) {
            for value in &chunk.values {
                let before = &text.as_bytes()[..usize::try_from(chunk.first_byte).unwrap() + value.start];
                prop_assert_eq!(value.line, 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64);
            }
        }
    }

    #[test]
    fn a_value_too_long_is_passed_over_without_being_held(
        layout in 0..LAYOUTS.len(), at in 0usize..100, length in 3_000usize..20_000, step in 1usize..300,
    ) {
        let mut posts: Vec<String> = (0..100).map(post).collect();
        posts[at] = post(at).replace("ann", &"x".repeat(length));
        let text = laid_out(LAYOUTS[layout], &posts);
        let mut chunks = Chunks::new(Slow { bytes: text.as_bytes(), step, fails: false }, Position::default(), 1_000, false);
        chunks.chunk_bytes_min = 500;
        let (mut count, mut bad) = (0, Vec::new());
        while let Some(chunk) = chunks.next().unwrap() {
            count += chunk.values.len();
            bad.extend(chunk.bad);
            prop_assert!(chunks.buffer.len() <= 1_000 + 2 * step + 500, "{} are held", chunks.buffer.len());
        }
        prop_assert_eq!(count, 99);
        prop_assert_eq!(bad.iter().map(|bad| bad.why).collect::<Vec<_>>(), ["too_long"]);
    }

    #[test]
    fn no_input_makes_it_fail_or_stand_still(
        pieces in proptest::collection::vec(prop_oneof![
            Just("{"), Just("}"), Just("["), Just("]"), Just("\""), Just("\\"), Just(","), Just(":"), Just("\n"), Just("  "),
            Just("x"), Just("1"), Just("\"a\""), Just("\"statuses\":["), Just("\"status\":{"), Just("{\"id\":\"1\"}"),
            Just("\u{feff}"), Just("\u{1e}"), Just("{\"account\":{}},"),
        ], 0..120),
        step in 1usize..50, max in 1usize..100, live in any::<bool>(),
    ) {
        let text = pieces.concat();
        let mut chunks = Chunks::new(Slow { bytes: text.as_bytes(), step, fails: false }, Position::default(), max, live);
        chunks.chunk_bytes_min = 20;
        let mut end = Position::default();
        while let Some(chunk) = chunks.next().unwrap() {
            prop_assert!(chunk.end != end || !chunk.values.is_empty() || !chunk.bad.is_empty());
            end = chunk.end;
            prop_assert!(chunk.values.iter().all(|value| value.start < value.end && value.end <= chunk.text.len()));
        }
        prop_assert_eq!(end.bytes, text.len() as u64);
    }
}

#[test]
fn a_broken_value_costs_itself() {
    let p = post;
    let torn = |id: usize, length: usize| post(id)[..length].to_owned();
    let without_comma = |id: usize| post(id).replace("\",\"content", "\" \"content");
    let unquoted = |id: usize| post(id).replace("\"id\":\"", "\"id\":\"\"");
    let pretty = |id: usize| indented(&post(id));
    for (text, expected) in [
        // Lines: cut anywhere, with rubbish, glued.
        (format!("{}\n{}\n{}\n", p(1), torn(2, 12), p(3)), "1@1 not_json@2 3@3"),
        (format!("{}\n{}\n{}\n{}\n", p(1), "{\"id\":", p(3), p(4)), "1@1 not_json@2 3@3 4@4"),
        (format!("{}\n{}\n{}\n{}\n", p(1), "{\"id\":\"2\",\"tags\":[", p(3), p(4)), "1@1 not_json@2 3@3 4@4"),
        (format!("{}\n<html>\n\noops\n{}\n", p(1), p(3)), "1@1 not_an_object@2 not_an_object@4 3@5"),
        (format!("{}{}\n{}\n", without_comma(1), p(2), p(3)), "not_json@1 2@1 3@2"),
        (format!("{}\n{}", p(1), torn(2, 40)), "1@1 cut_off@2"),
        (format!("null\n12\n\"text\"\n{}\n", p(4)), "not_an_object@1 not_an_object@2 not_an_object@3 4@4"),
        // A page on one line.
        (format!("[{},{},{}]", p(1), without_comma(2), p(3)), "1@1 not_json@1 3@1"),
        (format!("[{},{},{}]", p(1), unquoted(2), p(3)), "1@1 not_json@1 3@1"),
        (format!("[{},{}]\n[{}]", p(1), without_comma(2), p(3)), "1@1 not_json@1 3@2"),
        (format!("[{},{}]", p(1), without_comma(2)), "1@1 not_json@1"),
        (format!("[{},1,\"a, {{b\",null,{}]", p(1), p(2)), "1@1 not_an_object@1 not_an_object@1 not_an_object@1 2@1"),
        (format!("[{},{}", p(1), torn(2, 30)), "1@1 cut_off@1"),
        (format!("[{},{},", p(1), p(2)), "1@1 2@1 cut_off@1"),
        // An array with an element a line.
        (format!("[\n{},\n{},\n{}\n]\n", p(1), torn(2, 12), p(3)), "1@2 not_json@3 3@4"),
        // Indented.
        (format!("{}\n{}\n{}\n", pretty(1), pretty(2).replace("\"acct\": ", ""), pretty(3)), "1@1 not_json@16 3@31"),
        (format!("{}\n{}\n{}\n", pretty(1), &pretty(2)[..60], pretty(3)), "1@1 not_json@16 3@21"),
        (format!("{}\n{}", pretty(1), &pretty(2)[..60]), "1@1 cut_off@16"),
        (
            indented(&format!("[{},{},{}]", p(1), p(2), p(3))).replacen("\"acct\": ", "", 2).replacen(
                "\"ann\"",
                "\"acct\": 1",
                1,
            ),
            "1@2 not_json@17 3@32",
        ),
        // Wrapped.
        (format!("{{\"statuses\":[{},{},{}]}}", p(1), without_comma(2), p(3)), "1@1 not_json@1 3@1"),
        (format!("{{\"status\":{}}}\n{{\"status\":{}}}\n", without_comma(1), p(2)), "not_json@1 2@2"),
        (format!("{{\"statuses\":[{}]\n{}\n", p(1), p(2)), "1@1 2@2 not_json@2"),
        // Nothing but what closes.
        (format!("]\n}}\n{}\n", p(1)), "1@3"),
        ("[]\n[ ]\n".to_owned(), ""),
    ] {
        assert_eq!(read(&text), expected, "{text}");
    }
}

#[test]
fn a_value_too_deep_costs_itself() {
    let deep = format!("{{\"id\":\"2\",\"x\":{}{}}}", "[".repeat(90), "]".repeat(90));
    assert_eq!(read(&format!("{}\n{deep}\n{}\n", post(1), post(3))), "1@1 2@2 3@3");
    let deep = format!("{{\"id\":\"2\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for layout in ["lines", "page", "array of lines"] {
        let text = laid_out(layout, &[post(1), deep.clone(), post(3)]);
        let found = chunks(text.as_bytes(), Position::default(), 1_000, 100_000, 1);
        assert_eq!(values(&found), [post(1), post(3)], "{layout}");
        let bad: Vec<&str> = found.iter().flat_map(|chunk| &chunk.bad).map(|bad| bad.why).collect();
        assert_eq!(bad, ["too_deep"], "{layout}");
    }
}

#[test]
fn values_before_an_error_come_first() {
    let text = format!("{}\n{}\n{{\"id\"", post(1), post(2));
    let slow = Slow { bytes: text.as_bytes(), step: 5, fails: true };
    let mut chunks = Chunks::new(slow, Position::default(), 1_000, false);
    let chunk = chunks.next().unwrap().unwrap();
    assert_eq!((chunk.values.len(), chunk.end.lines), (2, 2));
    assert_eq!(chunks.next().unwrap_err().to_string(), "broken");
    assert!(chunks.next().unwrap().is_none());
}

#[test]
fn more_is_open_than_can_be_kept() {
    let text = format!("{}{}{}\n{}\n", "[".repeat(1_000), post(1), "]".repeat(1_000), post(2));
    assert_eq!(values(&chunks(text.as_bytes(), Position::default(), 50, 1_000, 1)), [post(1), post(2)]);
}
