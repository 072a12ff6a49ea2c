//! The only way in for JSON of other people's servers, files and topics.
//!
//! A JSON parser uses a stack frame for each list within a list, so a small text nested ten thousand deep would end
//! the process. Here the length and depth of a text are checked against [`BYTES_MAX`] and [`DEPTH_MAX`] before a
//! parser sees it. Parsing takes up to about ten times the text's length in memory, so readers of servers set lower
//! limits.
//!
//! [`elements`] needs neither parser nor cap: it cuts a list into its elements without looking into them.

use std::borrow::Cow;

use bytes::Bytes;
use sonic_rs::{JsonValueTrait, LazyValue, Value};

use crate::{Flaw, Flaws, Moment};

/// The longest text that is parsed, in bytes.
pub const BYTES_MAX: usize = 16 << 20;

/// The deepest nesting of lists and objects. No status comes near it.
pub const DEPTH_MAX: usize = 256;

/// Over how many bytes a sum of 8 bits cannot overflow: such sums let the compiler count many bytes at once, and this
/// many are a multiple of its vectors.
pub(crate) const SUM_BYTES: usize = 240;

/// Why a text is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is longer than [`BYTES_MAX`].
    #[error("longer than {BYTES_MAX} bytes")]
    TooLong,
    /// Lists and objects are nested deeper than [`DEPTH_MAX`].
    #[error("lists and objects more than {DEPTH_MAX} deep")]
    TooDeep,
    /// The text is not JSON of the expected kind.
    #[error("not valid JSON")]
    NotJson,
}

/// A JSON object.
///
/// Broken characters are mended, see [`mended`]; lone surrogates become U+FFFD. A number stays text until it is asked
/// for, so that one too large for any type costs only its own field.
#[derive(Debug)]
pub struct Object {
    value: Value,
    mends: Flaws,
}

impl Object {
    /// Parses an object.
    pub fn parse(text: &[u8]) -> Result<Object, JsonError> {
        guard(text)?;
        // The parser takes a text for UTF-8 without a look.
        let valid = simdutf8::basic::from_utf8(text).ok();
        if let Some(value) = valid.and_then(|text| object(sonic_rs::Deserializer::from_str(text))) {
            return Ok(Object { value, mends: Flaws::default() });
        }
        let Mended { text, mends } =
            mended(text).unwrap_or_else(|| Mended { text: text.to_vec(), mends: Flaws::default() });
        let value = object(sonic_rs::Deserializer::from_slice(&text).utf8_lossy()).ok_or(JsonError::NotJson)?;
        Ok(Object { value, mends })
    }

    /// The flaws of the text's characters that were mended.
    pub fn mends(&self) -> Flaws {
        self.mends
    }

    /// The text at `path`, if the value there is a text.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// True if the value at `path` is null.
    pub fn is_null_at(&self, path: &[&str]) -> bool {
        self.at(path).is_some_and(Value::is_null)
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.value, |value, key| value.get(key))
    }
}

fn object<'a>(json: sonic_rs::Deserializer<sonic_rs::Read<'a>>) -> Option<Value> {
    let mut json = json.use_rawnumber();
    let value: Value = json.deserialize().ok()?;
    json.end().ok()?;
    value.is_object().then_some(value)
}

/// A JSON text whose broken characters were mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// The text, in UTF-8.
    pub text: Vec<u8>,
    /// What was mended: [`Flaw::BytesReplaced`], [`Flaw::EscapesMended`] or both.
    pub mends: Flaws,
}

/// Mends the characters that no JSON has, so that each costs only itself: bytes that are no UTF-8 become U+FFFD, control
/// characters within a string their escapes, and a backslash before a character that needs none is left out. `None` if
/// there is nothing to mend.
pub fn mended(text: &[u8]) -> Option<Mended> {
    let mut mends = Flaws::default();
    let valid = String::from_utf8_lossy(text);
    mends.add_if(matches!(valid, Cow::Owned(_)), Flaw::BytesReplaced);
    let mut mended = Vec::with_capacity(valid.len());
    let (mut rest, mut in_string) = (valid.as_bytes(), false);
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (0..0x20, _) if in_string => {
                mends.add(Flaw::EscapesMended);
                mended.extend(format!("\\u{byte:04x}").bytes());
            }
            (b'\\', [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..]) if in_string => {
                mended.extend([b'\\', after[0]]);
                rest = &after[1..];
            }
            (b'\\', [b'u', hex @ ..])
                if in_string && hex.iter().take(4).filter(|b| b.is_ascii_hexdigit()).count() == 4 =>
            {
                mended.extend([b'\\', b'u']);
                rest = hex;
            }
            (b'\\', _) if in_string => mends.add(Flaw::EscapesMended),
            _ => {
                in_string ^= *byte == b'"';
                mended.push(*byte);
            }
        }
    }
    (mends != Flaws::default()).then_some(Mended { text: mended, mends })
}

/// The text of a member's value, not yet parsed.
#[derive(Clone, Debug)]
pub struct Raw<'a>(LazyValue<'a>);

impl Raw<'_> {
    /// The value, if it is a text.
    pub fn text(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// True for a number.
    pub fn is_number(&self) -> bool {
        self.0.is_number()
    }

    /// The value as a time, in any of the forms that the module `time` reads.
    pub fn moment(&self) -> Moment {
        match self.text() {
            Some(text) => Moment::of_text(text),
            None if self.0.is_null() => Moment::Missing,
            None if self.is_number() => Moment::of_number(self.json()),
            None => {
                Object::parse(self.json().as_bytes()).map_or(Moment::Unreadable, |object| Moment::of(object.value()))
            }
        }
    }

    /// The value as JSON.
    pub fn json(&self) -> &str {
        self.0.as_raw_str()
    }
}

/// The names and values of an object's members, in order. Nothing after a broken member can be read.
#[allow(clippy::type_complexity)]
pub fn members(object: &[u8]) -> Result<impl Iterator<Item = Result<(Cow<'_, str>, Raw<'_>), JsonError>>, JsonError> {
    guard(object)?;
    Ok(sonic_rs::to_object_iter(object).map(|member| match member {
        Ok((name, value)) => Ok((Cow::Owned(name.to_string()), Raw(value))),
        Err(_) => Err(JsonError::NotJson),
    }))
}

/// The elements of a list in order, as JSON; none of them is parsed or copied.
///
/// An element that is not valid JSON is returned too, if its brackets and quotes match. The iterator ends at the
/// list's end or after an error.
pub fn elements(list: &Bytes) -> Result<Elements<'_>, JsonError> {
    let at = after_space(list, 0);
    if list.get(at) != Some(&b'[') {
        return Err(JsonError::NotJson);
    }
    Ok(Elements { list, at: at + 1, is_first: true, is_done: false })
}

/// See [`elements`].
#[derive(Debug)]
pub struct Elements<'a> {
    list: &'a Bytes,
    at: usize,
    is_first: bool,
    is_done: bool,
}

impl Iterator for Elements<'_> {
    type Item = Result<Bytes, JsonError>;

    fn next(&mut self) -> Option<Result<Bytes, JsonError>> {
        if self.is_done {
            return None;
        }
        let element = self.element();
        self.is_done = !matches!(element, Some(Ok(_)));
        element
    }
}

impl Elements<'_> {
    fn element(&mut self) -> Option<Result<Bytes, JsonError>> {
        let mut at = after_space(self.list, self.at);
        match self.list.get(at) {
            Some(b']') => return None,
            Some(b',') if !self.is_first => at = after_space(self.list, at + 1),
            Some(_) if self.is_first => {}
            _ => return Some(Err(JsonError::NotJson)),
        }
        self.is_first = false;
        let Some(length) = value_length(&self.list[at..]) else { return Some(Err(JsonError::NotJson)) };
        self.at = at + length;
        Some(Ok(self.list.slice(at..at + length)))
    }
}

fn after_space(text: &[u8], at: usize) -> usize {
    let space = text[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    at + space
}

/// The length in bytes of the value at the start of `text`; `None` if no value begins there or its end is missing.
fn value_length(text: &[u8]) -> Option<usize> {
    let mut nesting = Nesting::default();
    for (at, byte) in text.iter().enumerate() {
        let is_outside = nesting.depth == 0 && !nesting.in_string;
        match byte {
            b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r' if is_outside => return (at > 0).then_some(at),
            _ => {}
        }
        nesting.take(*byte);
        if nesting.depth == 0 && matches!(byte, b']' | b'}') && !nesting.in_string {
            return Some(at + 1);
        }
    }
    None
}

/// Counts the true ones of at most [`SUM_BYTES`] flags. A sum with a check for overflow would add them one by one.
#[inline]
pub(crate) fn count(flags: impl Iterator<Item = bool>) -> usize {
    usize::from(flags.fold(0_u8, |count, flag| count.wrapping_add(u8::from(flag))))
}

/// Refuses texts that are too long or too deep for a parser.
fn guard(json: &[u8]) -> Result<(), JsonError> {
    if json.len() > BYTES_MAX {
        return Err(JsonError::TooLong);
    }
    // A text with few brackets cannot be deep.
    let brackets = |part: &[u8]| count(part.iter().map(|byte| matches!(byte, b'[' | b'{')));
    let opening: usize = json.chunks(SUM_BYTES).map(brackets).sum();
    if opening > DEPTH_MAX && Nesting::deepest(json) > DEPTH_MAX {
        return Err(JsonError::TooDeep);
    }
    Ok(())
}

/// The nesting at a place in a JSON text, from its brackets and quotes alone.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Nesting {
    fn take(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.in_string => self.is_escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn deepest(json: &[u8]) -> usize {
        let mut nesting = Nesting::default();
        json.iter().fold(0, |deepest, byte| {
            nesting.take(*byte);
            deepest.max(nesting.depth)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(list: &str) -> (Vec<String>, Option<JsonError>) {
        let list = Bytes::copy_from_slice(list.as_bytes());
        let Ok(elements) = elements(&list) else { return (Vec::new(), Some(JsonError::NotJson)) };
        let mut cut = Vec::new();
        for element in elements {
            match element {
                Ok(element) => cut.push(String::from_utf8(element.to_vec()).unwrap()),
                Err(error) => return (cut, Some(error)),
            }
        }
        (cut, None)
    }

    #[test]
    fn a_list_is_cut_into_its_elements_as_they_are_written() {
        for (list, expected) in [
            ("[]", &[][..]),
            (" [ ] ", &[]),
            ("[1]", &["1"]),
            (
                r#"[{"a":[1,2]},"x,]}","\"]",null , -1.5e3,[[]]]"#,
                &[r#"{"a":[1,2]}"#, r#""x,]}""#, r#""\"]""#, "null", "-1.5e3", "[[]]"],
            ),
            ("\n[\n  {\"a\": \"[\"},\r\n\t{}\n]\n", &["{\"a\": \"[\"}", "{}"]),
            // Elements are not checked: their own reader does it.
            (r#"[{"a":},{"b":1}]"#, &[r#"{"a":}"#, r#"{"b":1}"#]),
        ] {
            assert_eq!(cut(list), (expected.iter().map(|e| (*e).to_owned()).collect(), None), "{list}");
        }
    }

    #[test]
    fn a_broken_character_costs_only_itself() {
        let bytes = "bytes_replaced";
        let escapes = "escapes_mended";
        for (text, expected, mends) in [
            (&b"Gr\xfc\xdfe"[..], "Gr\u{fffd}\u{fffd}e", &[bytes][..]),
            (b"cesu \xed\xa0\xbd\xed\xb8\x80", "cesu \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}", &[bytes]),
            (b"overlong \xc0\xaf", "overlong \u{fffd}\u{fffd}", &[bytes]),
            (b"cut \xe2\x82", "cut \u{fffd}", &[bytes]),
            (b"c1 \x80 \xff", "c1 \u{fffd} \u{fffd}", &[bytes]),
            (b"a\tb\x01c\x1f\nd\0", "a\tb\u{1}c\u{1f}\nd\0", &[escapes]),
            (b"a\\xb\\'c\\", "axb'c", &[escapes]),
            (b"\\u12 \\uxyz0 \\u", "u12 uxyz0 u", &[escapes]),
            (b"\xff\t\\q", "\u{fffd}\tq", &[bytes, escapes]),
            (b"\\\\x \\\" \\u00e9 \\n \\/ \x7f", "\\x \" é \n / \u{7f}", &[]),
            (b"\\ud83d x", "\u{fffd} x", &[]),
            ("é 😀".as_bytes(), "é 😀", &[]),
        ] {
            // A backslash at the end takes the quote behind it, so a space stands between them.
            let json = [b"{\"x\":\"", text, b" \",\n\t\"y\":1}"].concat();
            let object = Object::parse(&json).unwrap();
            let given = String::from_utf8_lossy(&json);
            assert_eq!(object.text_at(&["x"]), Some(format!("{expected} ").as_str()), "{given}");
            assert_eq!(object.mends().iter().map(Flaw::as_str).collect::<Vec<_>>(), mends, "{given}");
            assert_eq!(
                mended(&json).map(|mended| mended.mends),
                (!mends.is_empty()).then(|| object.mends()),
                "{given}"
            );
        }
        for torn in [&b"{\"x\":\"\xff"[..], b"{\"x\":\t\x01}", b"{\"x\":\\n}", b"{'x':1}", b"\xff", b"{\"a\\\"}"] {
            assert_eq!(Object::parse(torn).err(), Some(JsonError::NotJson), "{torn:?}");
        }
    }

    #[test]
    fn a_list_that_breaks_off_is_an_error_after_its_whole_elements() {
        for (list, whole) in [
            ("", 0),
            ("{}", 0),
            ("[", 0),
            ("[1", 0),
            ("[{}", 1),
            ("[{},", 1),
            ("[{},{", 1),
            ("[{},\"x", 1),
            ("[,]", 0),
            ("[{},]", 1),
            ("[{} {}]", 1),
        ] {
            let (elements, error) = cut(list);
            assert_eq!((elements.len(), error), (whole, Some(JsonError::NotJson)), "{list}");
        }
    }

    #[test]
    fn what_is_deep_or_long_reaches_no_parser() {
        let deep =
            |open: &str, close: &str, depth: usize| format!("{{\"x\":{}1{}}}", open.repeat(depth), close.repeat(depth));
        for (json, expected) in [
            (deep("[", "]", DEPTH_MAX - 1), None),
            (deep("[", "]", DEPTH_MAX), Some(JsonError::TooDeep)),
            (deep("{\"x\":", "}", DEPTH_MAX), Some(JsonError::TooDeep)),
            (deep("[{\"x\":", "}]", 5_000), Some(JsonError::TooDeep)),
            (deep("[", "", 1_000_000), Some(JsonError::TooDeep)),
            (format!("{{\"x\":\"{}\"}}", "[{".repeat(5_000)), None),
            (format!("{{\"x\":\"{}\"}}", "y".repeat(BYTES_MAX)), Some(JsonError::TooLong)),
        ] {
            let start = &json[..json.len().min(40)];
            assert_eq!(Object::parse(json.as_bytes()).err(), expected, "{start}");
            assert_eq!(members(json.as_bytes()).err(), expected, "{start}");
        }
    }

    #[test]
    fn a_list_is_cut_however_deep_its_elements_are() {
        let deep = format!("[{}{},1]", "[".repeat(100_000), "]".repeat(100_000));
        let (elements, error) = cut(&deep);
        assert_eq!((elements[0].len(), elements[1].as_str(), error), (200_000, "1", None));
    }
}
