//! The end of one JSON value in a stream of bytes.
//!
//! A [`Scan`] follows JSON's grammar byte by byte, so that a value which is cut or torn is noticed where the next one begins
//! and not at the end of the input. Numbers, words and the inside of strings are left to the parser. A raw line end within a
//! string is an error: JSON has none, and a cut line is told by it.

/// Objects and lists within each other. Values that the model refuses as too deep are more shallow than this.
const DEPTH_MAX: usize = 512;

/// Members whose value is what an object was made for: a search answer, a context, a notification, a page of other software.
const WRAPPERS: [&[u8]; 9] =
    [b"statuses", b"status", b"data", b"items", b"results", b"posts", b"toots", b"ancestors", b"descendants"];

/// No name of a member that matters is longer.
const NAME_BYTES_MAX: usize = 16;

/// Where a scan stands in a value.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    /// Open objects and lists, by their first byte.
    open: Vec<u8>,
    expect: Expect,
    token: Token,
    /// The name of the outermost object's current member, cut.
    name: Vec<u8>,
    /// The outermost object has a member that statuses and recorded frames have, and their wrappers have not.
    is_post: bool,
    /// Bytes of the value that were looked at.
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// After `[`.
    FirstValue,
    /// After `:`, and after a list's `,`.
    Value,
    /// After `{`.
    FirstName,
    /// After an object's `,`.
    Name,
    Colon,
    /// After a value.
    Comma,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    None,
    Text {
        escaped: bool,
    },
    /// A number or a word.
    Word,
}

/// How a look at more of a value went. Places count from the value's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The value goes on beyond the bytes that are there.
    More,
    /// The value ends before this place.
    End(usize),
    /// A wrapper's list or object begins at this place. The scan is of no more use.
    Enter(usize),
    /// No JSON goes on like the byte at this place.
    Broken(usize),
    /// At this place the value becomes deeper than anything that is read.
    TooDeep(usize),
}

impl Scan {
    /// A scan of a value from its first byte on, which is `{`.
    pub(super) fn of_object() -> Scan {
        Scan::with(Vec::new(), Expect::Value)
    }

    /// A scan of what follows a member in an object, up to the object's end.
    pub(super) fn of_members() -> Scan {
        Scan::with(vec![b'{'], Expect::Comma)
    }

    fn with(open: Vec<u8>, expect: Expect) -> Scan {
        Scan { open, expect, token: Token::None, name: Vec::new(), is_post: false, at: 0 }
    }

    /// Looks at what of `value` was not there at the last look. `value` begins with the value, or where
    /// [`forget`](Scan::forget) cut it.
    pub(super) fn advance(&mut self, value: &[u8]) -> Step {
        while self.at < value.len() {
            let step = match self.token {
                Token::None => self.structure(value),
                Token::Text { escaped } => self.text(value, escaped),
                Token::Word => self.word(value),
            };
            if let Some(step) = step {
                return step;
            }
        }
        Step::More
    }

    /// The next `value` lacks the bytes that were looked at; how many these are.
    pub(super) fn forget(&mut self) -> usize {
        std::mem::take(&mut self.at)
    }

    fn structure(&mut self, value: &[u8]) -> Option<Step> {
        let byte = value[self.at];
        match (byte, self.expect) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => {}
            (b'{' | b'[', Expect::Value | Expect::FirstValue) => {
                if self.open.len() == 1 && !self.is_post && WRAPPERS.contains(&self.name.as_slice()) {
                    return Some(Step::Enter(self.at));
                }
                if self.open.len() == DEPTH_MAX {
                    return Some(Step::TooDeep(self.at));
                }
                self.open.push(byte);
                self.expect = if byte == b'{' { Expect::FirstName } else { Expect::FirstValue };
            }
            (b'"', Expect::Value | Expect::FirstValue | Expect::Name | Expect::FirstName) => {
                self.token = Token::Text { escaped: false };
                if self.is_name() && self.open.len() == 1 {
                    self.name.clear();
                }
            }
            (b':', Expect::Colon) => self.expect = Expect::Value,
            (b',', Expect::Comma) => {
                self.expect = if self.open.last() == Some(&b'{') { Expect::Name } else { Expect::Value };
            }
            (b'}', Expect::Comma | Expect::FirstName) if self.open.last() == Some(&b'{') => return self.close(),
            (b']', Expect::Comma | Expect::FirstValue) if self.open.last() == Some(&b'[') => return self.close(),
            (_, Expect::Value | Expect::FirstValue) if is_word(byte) => self.token = Token::Word,
            _ => return Some(Step::Broken(self.at)),
        }
        self.at += 1;
        None
    }

    fn close(&mut self) -> Option<Step> {
        self.at += 1;
        self.open.pop();
        self.expect = Expect::Comma;
        self.open.is_empty().then_some(Step::End(self.at))
    }

    fn text(&mut self, value: &[u8], escaped: bool) -> Option<Step> {
        let start = self.at;
        let found = if escaped { Some(0) } else { memchr::memchr3(b'"', b'\\', b'\n', &value[start..]) };
        let end = found.map_or(value.len(), |found| start + found);
        let is_outermost_name = self.is_name() && self.open.len() == 1;
        if is_outermost_name {
            let room = NAME_BYTES_MAX.saturating_sub(self.name.len());
            self.name.extend(value[start..end].iter().take(room));
        }
        self.at = end;
        found?;
        let byte = value[end];
        if byte == b'\n' {
            return Some(Step::Broken(end));
        }
        self.at += 1;
        if escaped {
            self.token = Token::Text { escaped: false };
        } else if byte == b'\\' {
            self.token = Token::Text { escaped: true };
        } else {
            self.token = Token::None;
            if is_outermost_name {
                self.is_post |= matches!(self.name.as_slice(), b"uri" | b"payload");
            }
            self.expect = if self.is_name() { Expect::Colon } else { Expect::Comma };
        }
        None
    }

    fn word(&mut self, value: &[u8]) -> Option<Step> {
        let length = value[self.at..].iter().position(|byte| !is_word(*byte));
        if length.is_some() {
            self.token = Token::None;
            self.expect = Expect::Comma;
        }
        self.at = length.map_or(value.len(), |length| self.at + length);
        None
    }

    fn is_name(&self) -> bool {
        matches!(self.expect, Expect::Name | Expect::FirstName)
    }
}

/// True for a byte of a number or a word; Python writes `NaN` and `-Infinity`.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// Where the braces and brackets that open at the first byte are closed, if that is before the line ends: a guess at the end of
/// a value that is no JSON.
pub(super) fn closed_on_its_line(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => return None,
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn scan(value: &str) -> Step {
        Scan::of_object().advance(value.as_bytes())
    }

    /// Any JSON, with names and texts that are full of what looks like structure.
    fn json() -> impl Strategy<Value = Value> {
        let text = || "[a-c{}\\[\\]\",:\\\\ \u{e9}]{0,8}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::hash_map(text(), inner, 0..5).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_values_end_is_found_however_it_is_written_and_read(
            value in json(), indented in any::<bool>(), step in 1usize..20, after in "[ ,{\\[\n]{0,4}",
        ) {
            let value = serde_json::json!({ "v": value });
            let text = if indented { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let all = format!("{text}{after}");
            prop_assert_eq!(scan(&all), Step::End(text.len()));
            // Byte by byte or in pieces, held or forgotten.
            for forgets in [false, true] {
                let (mut scan, mut from, mut found) = (Scan::of_object(), 0, Step::More);
                for end in (0..all.len()).step_by(step).chain([all.len()]) {
                    found = scan.advance(&all.as_bytes()[from..end]);
                    if found != Step::More { break; }
                    if forgets { from += scan.forget(); }
                }
                prop_assert_eq!(found, Step::End(text.len() - from));
            }
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [b"{".as_slice(), &bytes].concat();
            match Scan::of_object().advance(&bytes) {
                Step::More => {}
                Step::End(at) => prop_assert!(at <= bytes.len()),
                Step::Enter(at) | Step::Broken(at) | Step::TooDeep(at) => prop_assert!(at < bytes.len()),
            }
        }
    }

    #[test]
    fn a_torn_value_is_noticed_where_it_tears() {
        for (value, at) in [
            ("{\"a\":1,\n{\"b\":2}", 8),
            ("{\"a\":\n}", 6),
            ("{\"a\":\"cut\n{\"b\":2}", 9),
            ("{\"a\" 1}", 5),
            ("{\"a\":1 \"b\":2}", 7),
            ("{\"a\":[1}", 7),
            ("{\"a\":1]", 6),
            ("{'a':1}", 1),
            ("{\"a\":<", 5),
        ] {
            assert_eq!(scan(value), Step::Broken(at), "{value}");
        }
    }

    #[test]
    fn wrappers_are_entered_and_posts_are_not() {
        for (value, at) in [
            (r#"{"accounts":[{"id":"1"}],"statuses":[{"#, 36),
            (r#"{"type":"mention","status":{"uri""#, 27),
            (r#"{"data": {"#, 9),
            (r#"{"ancestors":[],"descendants":["#, 13),
        ] {
            assert_eq!(scan(value), Step::Enter(at), "{value}");
        }
        for value in [
            r#"{"uri":"https://a.example/1","data":[1],"status":{}}"#,
            r#"{"event":"update","payload":{"statuses":[]},"items":[]}"#,
            r#"{"status":"published","pleroma":{"data":{}},"statuses_of_mine":[]}"#,
        ] {
            assert_eq!(scan(value), Step::End(value.len()), "{value}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(scan(&deep), Step::TooDeep(4 + DEPTH_MAX));
    }
}
