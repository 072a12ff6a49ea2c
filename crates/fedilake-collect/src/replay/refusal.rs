//! Inputs that hold no posts in JSON, told by their first bytes.

use std::fmt;

/// Why an input is refused: what it is, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The input's kind: `a Parquet file`.
    pub what: &'static str,
    /// A way to make posts of the input.
    pub hint: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected posts as JSON, found {}\nhint: {}", self.what, self.hint)
    }
}

/// How much of an input is looked at, decoded.
pub(super) const HEAD_BYTES: usize = 64 * 1024;

const POSTS: &str =
    "replay reads statuses of the Mastodon API and recorded frames: JSON lines, arrays or objects, plain, .gz or .zst";
const UNPACK: &str = "unpack it and replay the JSON files in it";
const DECODE: &str = "unpack it first, or pipe it: `… | fedilake replay -`";
const TO_UTF8: &str = "convert it: `iconv -f UTF-16 -t UTF-8 FILE | fedilake replay -`";
const EXPORT: &str = "export its rows as JSON lines first";
const IMPORT: &str =
    "a folder of Kafka Connect's Parquet files is read by `fedilake import`; export any other table as JSON lines";

/// The place and the bytes that tell a format.
const MAGIC: [(usize, &[u8], Refusal); 25] = [
    (0, b"PAR1", Refusal { what: "a Parquet file", hint: IMPORT }),
    (0, b"PK\x03\x04", Refusal { what: "a zip archive", hint: UNPACK }),
    (0, b"PK\x05\x06", Refusal { what: "an empty zip archive", hint: UNPACK }),
    (257, b"ustar", Refusal { what: "a tar archive", hint: UNPACK }),
    (0, b"7z\xbc\xaf\x27\x1c", Refusal { what: "a 7z archive", hint: UNPACK }),
    (0, b"Rar!", Refusal { what: "a RAR archive", hint: UNPACK }),
    (0, b"\xfd7zXZ\0", Refusal { what: "an xz file", hint: DECODE }),
    (0, b"BZh", Refusal { what: "a bzip2 file", hint: DECODE }),
    (0, b"\x04\x22\x4d\x18", Refusal { what: "an lz4 file", hint: DECODE }),
    // Its decoded content, that is.
    (0, b"\x1f\x8b", Refusal { what: "gzip within a compressed file", hint: DECODE }),
    (0, b"\x28\xb5\x2f\xfd", Refusal { what: "zstd within a compressed file", hint: DECODE }),
    (0, b"SQLite format 3\0", Refusal { what: "an SQLite database", hint: EXPORT }),
    (8, b"DUCK", Refusal { what: "a DuckDB database", hint: EXPORT }),
    (0, b"PGDMP", Refusal { what: "a PostgreSQL dump", hint: EXPORT }),
    (0, b"Obj\x01", Refusal { what: "an Avro file", hint: EXPORT }),
    (0, b"ARROW1", Refusal { what: "an Arrow file", hint: EXPORT }),
    (0, b"ORC", Refusal { what: "an ORC file", hint: EXPORT }),
    (0, b"\x89PNG", Refusal { what: "a PNG image", hint: POSTS }),
    (0, b"\xff\xd8\xff", Refusal { what: "a JPEG image", hint: POSTS }),
    (0, b"GIF8", Refusal { what: "a GIF image", hint: POSTS }),
    (8, b"WEBP", Refusal { what: "a WebP image", hint: POSTS }),
    (4, b"ftyp", Refusal { what: "a video or an image", hint: POSTS }),
    (0, b"%PDF", Refusal { what: "a PDF document", hint: POSTS }),
    (0, b"\x7fELF", Refusal { what: "a program", hint: POSTS }),
    (0, b"\x89HDF", Refusal { what: "an HDF5 file", hint: EXPORT }),
];

/// Looks at the first bytes of an input, decoded, which are all of it if there are fewer than [`HEAD_BYTES`].
pub(super) fn of(head: &[u8]) -> Option<Refusal> {
    let magic = MAGIC.iter().find(|(at, bytes, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes)));
    if let Some((_, _, refusal)) = magic {
        return Some(*refusal);
    }
    let refuse = |what, hint| Some(Refusal { what, hint });
    let is_utf16 = |pair: &[u8]| pair.contains(&0) && pair.iter().any(|byte| matches!(byte, b'{' | b'[' | b' '));
    if head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff") {
        return refuse("UTF-32 text", "convert it: `iconv -f UTF-32 -t UTF-8 FILE | fedilake replay -`");
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || head.get(..2).is_some_and(is_utf16) {
        return refuse("UTF-16 text", TO_UTF8);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii();
    // An hour in which nothing was recorded leaves an empty file: it holds no posts, and all of them are read.
    if text.is_empty() {
        return None;
    }
    if may_hold_posts(text) {
        let is_activity =
            text.starts_with(b"{") && memchr::memmem::find(&text[..text.len().min(1024)], b"\"@context\"").is_some();
        let is_page = is_activity && memchr::memmem::find(text, b"\"orderedItems\"").is_some();
        return is_page.then_some(Refusal {
            what: "ActivityPub, such as the outbox.json of an account's archive",
            hint: "it lacks what the API says of a post: save the account's posts from /api/v1/accounts/ID/statuses instead",
        });
    }
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
    if text.starts_with(b"<") {
        refuse("an HTML or XML page", "a server that is busy or wants a login answers with one: get the file again")
    } else if first_line.trim_ascii() == b"null" {
        refuse("null, which is JSON without posts", "the program that wrote it had nothing to give: get the file again")
    } else if is_plain_value(first_line.trim_ascii()) {
        refuse("JSON that is neither an object nor a list", POSTS)
    } else if head.contains(&0) {
        refuse("binary data", POSTS)
    } else if text.starts_with(b"event:") || text.starts_with(b"data:") || text.starts_with(b":") {
        refuse(
            "a recorded event stream",
            "take its posts out: `sed -n 's/^data: *{/{/p' FILE | fedilake replay -`; its deletes do not say which server they are of",
        )
    } else if text.starts_with(b"\"{") {
        refuse("JSON within texts", "take it out: `jq -r . FILE | fedilake replay -`")
    } else if first_line.contains(&b'{') {
        refuse("text before the JSON of a line", "cut it off: `sed 's/^[^{[]*//' FILE | fedilake replay -`")
    } else if first_line.iter().filter(|byte| matches!(byte, b',' | b';' | b'\t')).count() >= 2 {
        refuse("a table in CSV", "export it as JSON lines, one status a line as the API gives it")
    } else {
        refuse("text that is no JSON", POSTS)
    }
}

/// True for a word, a number or a text in JSON; a text that holds JSON itself is none.
fn is_plain_value(line: &[u8]) -> bool {
    let is_number = || std::str::from_utf8(line).is_ok_and(|line| line.parse::<f64>().is_ok_and(f64::is_finite));
    let is_text = line.len() >= 2 && line.starts_with(b"\"") && line.ends_with(b"\"") && !line.starts_with(b"\"{");
    matches!(line, b"true" | b"false") || is_number() || is_text
}

/// True if some line begins as JSON does.
fn may_hold_posts(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let begin = line.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b',' | 0x1e | 0xef | 0xbb | 0xbf));
        matches!(begin, Some(b'{' | b'['))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn what(head: &[u8]) -> &'static str {
        of(head).map_or("posts", |refusal| refusal.what)
    }

    #[test]
    fn what_is_no_json_is_called_by_its_name() {
        let tar = [&[b'x'; 257][..], b"ustar\x0000"].concat();
        let utf16: Vec<u8> = "[{\"id\":1}]".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let cases: &[(&[u8], &str)] = &[
            (b"PAR1\x15\x04", "a Parquet file"),
            (b"PK\x03\x04\x14", "a zip archive"),
            (&tar, "a tar archive"),
            (b"SQLite format 3\0\x10", "an SQLite database"),
            (b"\x01\x02\x03\x04\x05\x06\x07\x08DUCK\x40", "a DuckDB database"),
            (b"\x89PNG\r\n", "a PNG image"),
            (b"\xff\xd8\xff\xe0", "a JPEG image"),
            (b"\xfd7zXZ\0", "an xz file"),
            (b"\xff\xfe{\0", "UTF-16 text"),
            (b"\xfe\xff\0{", "UTF-16 text"),
            (&utf16, "UTF-16 text"),
            (b"<!DOCTYPE html>\n<html>", "an HTML or XML page"),
            (b"  <?xml version=\"1.0\"?>", "an HTML or XML page"),
            (b"\xff\xfe\0\0{\0\0\0", "UTF-32 text"),
            (b"event: update\ndata: {\"id\":1}\n", "a recorded event stream"),
            (b":thump\n\nevent: update\ndata: {\"id\":1}\n", "a recorded event stream"),
            (b"\"{\\\"id\\\":1}\"\n", "JSON within texts"),
            (b"callback([{\"id\":1, \"a\":2, \"b\":3}]);", "text before the JSON of a line"),
            (b"2023-05-01 INFO {\"id\":1, \"a\":2, \"b\":3}\n", "text before the JSON of a line"),
            (b"id,created_at,text\n1,2023-02-04,hello\n", "a table in CSV"),
            (b"id\tcreated_at\ttext\n", "a table in CSV"),
            (b"null", "null, which is JSON without posts"),
            (b" null\r\nnull\n", "null, which is JSON without posts"),
            (b"true\n", "JSON that is neither an object nor a list"),
            (b"-1.5e3", "JSON that is neither an object nor a list"),
            (b"\"a text\"", "JSON that is neither an object nor a list"),
            (b"nullable things\n", "text that is no JSON"),
            (b"Dear diary,\ntoday I tooted.\n", "text that is no JSON"),
            (b"\x01\x02\0\x03", "binary data"),
            (
                br#"{"@context":"https://www.w3.org/ns/activitystreams","id":"outbox.json","orderedItems":[]}"#,
                "ActivityPub, such as the outbox.json of an account's archive",
            ),
        ];
        for (head, expected) in cases {
            assert_eq!(what(head), *expected, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn what_may_hold_posts_is_read() {
        for head in [
            "",
            "\u{feff} \n\n",
            "{\"id\":1}",
            "[\n",
            "[]",
            "\u{feff}{",
            "\n\n  {",
            "oops\n{\"id\":1}\n",
            "# recorded\n[{",
            ",{",
        ] {
            assert_eq!(what(head.as_bytes()), "posts", "{head}");
        }
    }
}
