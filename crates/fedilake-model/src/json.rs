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

use crate::Moment;

/// The longest text that is parsed, in bytes.
pub const BYTES_MAX: usize = 16 << 20;

/// The deepest nesting of lists and objects. No status comes near it.
pub const DEPTH_MAX: usize = 256;

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
/// Broken UTF-8 and lone surrogates become U+FFFD. A number stays text until it is asked for, so that one too large
/// for any type costs only its own field.
#[derive(Debug)]
pub struct Object(Value);

impl Object {
    /// Parses an object.
    pub fn parse(text: &[u8]) -> Result<Object, JsonError> {
        guard(text)?;
        let valid = sonic_rs::Deserializer::from_slice(text);
        object(valid).or_else(|| object(sonic_rs::Deserializer::from_str(&mended(text)?))).ok_or(JsonError::NotJson)
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
        &self.0
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.0, |value, key| value.get(key))
    }
}

fn object<'a>(json: sonic_rs::Deserializer<sonic_rs::Read<'a>>) -> Option<Object> {
    let mut json = json.utf8_lossy().use_rawnumber();
    let value: Value = json.deserialize().ok()?;
    json.end().ok()?;
    value.is_object().then_some(Object(value))
}

/// `bytes` with U+FFFD in place of invalid UTF-8; `None` if all of it is valid.
fn mended(bytes: &[u8]) -> Option<String> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
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

/// Refuses texts that are too long or too deep for a parser.
fn guard(json: &[u8]) -> Result<(), JsonError> {
    if json.len() > BYTES_MAX {
        return Err(JsonError::TooLong);
    }
    // A text with few brackets cannot be deep. Sums of 8 bits over 255 bytes let the compiler count many bytes at
    // once.
    let brackets = |part: &[u8]| part.iter().map(|byte| u8::from(matches!(byte, b'[' | b'{'))).sum::<u8>();
    let opening: usize = json.chunks(255).map(|part| usize::from(brackets(part))).sum();
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
