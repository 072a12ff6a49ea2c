//! The HTML that servers usually write → tags and characters, several times as fast as [`super::tokens`].
//!
//! The scanner knows lower-case tags of the usual names, attributes in double quotes and the usual character
//! references. It gives up at anything else; otherwise its result is exactly that of the full tokenizer.

use std::borrow::Cow;

use super::flow::{Attributes, Flow};

/// Feeds `flow`. Returns `false` if it gave up; `flow` is then worthless.
pub(super) fn scan(html: &str, flow: &mut Flow) -> bool {
    if memchr::memchr2(b'\r', 0, html.as_bytes()).is_some() {
        return false;
    }
    let mut rest = html;
    while let Some(at) = memchr::memchr2(b'<', b'&', rest.as_bytes()) {
        if at > 0 {
            flow.characters(&rest[..at]);
        }
        rest = &rest[at..];
        let next = if rest.as_bytes()[0] == b'&' {
            reference(rest, flow)
        } else if rest.as_bytes().get(1) == Some(&b'/') {
            end_tag(rest, flow)
        } else {
            start_tag(rest, flow)
        };
        match next {
            Some(after) => rest = after,
            None => return false,
        }
    }
    if !rest.is_empty() {
        flow.characters(rest);
    }
    true
}

fn reference<'a>(rest: &'a str, flow: &mut Flow) -> Option<&'a str> {
    const REFERENCES: [(&str, &str); 7] = [
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&apos;", "'"),
        ("&nbsp;", "\u{a0}"),
    ];
    let (reference, character) = REFERENCES.iter().find(|(reference, _)| rest.starts_with(reference))?;
    flow.characters(character);
    Some(&rest[reference.len()..])
}

fn end_tag<'a>(rest: &'a str, flow: &mut Flow) -> Option<&'a str> {
    let (name, rest) = tag_name(&rest[2..])?;
    let rest = rest.strip_prefix('>')?;
    flow.end(name.as_bytes());
    Some(rest)
}

fn start_tag<'a>(rest: &'a str, flow: &mut Flow) -> Option<&'a str> {
    let (name, mut rest) = tag_name(&rest[1..])?;
    let (mut class, mut rel, mut href) = (None, None, None);
    loop {
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        rest = &rest[spaces..];
        if let Some(after) = rest.strip_prefix('>').or_else(|| rest.strip_prefix("/>")) {
            rest = after;
            break;
        }
        if spaces == 0 {
            return None;
        }
        let (attribute, value, after) = attribute(rest)?;
        rest = after;
        match attribute {
            "class" if class.is_none() => class = Some(plain(value)?),
            "rel" if rel.is_none() => rel = Some(plain(value)?),
            "href" if href.is_none() => href = Some(decoded(value)?),
            _ => {}
        }
    }
    let or_empty = Option::unwrap_or_default;
    let (class, rel, href) = (or_empty(class), or_empty(rel), href.as_deref().unwrap_or_default());
    // None of the tags known here has an alternative text.
    flow.start(name.as_bytes(), &Attributes { class, rel, href, alt: "" });
    Some(rest)
}

/// Reads the name of a tag that does not change how the tokenizer goes on. Returns the name and the rest.
fn tag_name(rest: &str) -> Option<(&str, &str)> {
    let length = rest.bytes().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
    let (name, after) = rest.split_at(length);
    let is_usual = matches!(
        name,
        "p" | "br"
            | "a"
            | "span"
            | "strong"
            | "em"
            | "b"
            | "i"
            | "u"
            | "s"
            | "del"
            | "code"
            | "pre"
            | "blockquote"
            | "ul"
            | "ol"
            | "li"
            | "ruby"
            | "rt"
            | "rp"
            | "div"
            | "small"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
    );
    is_usual.then_some((name, after))
}

/// Reads `name="value"` and the space or tag end behind it.
fn attribute(rest: &str) -> Option<(&str, &str, &str)> {
    let length = rest.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'-').count();
    let (name, after) = rest.split_at(length);
    let value = after.strip_prefix("=\"")?;
    let end = memchr::memchr(b'"', value.as_bytes())?;
    let (value, after) = (&value[..end], &value[end + 1..]);
    (length > 0 && after.starts_with([' ', '>', '/'])).then_some((name, value, after))
}

fn plain(value: &str) -> Option<&str> {
    (!value.contains('&')).then_some(value)
}

/// Decodes the only reference that is common in URLs, `&amp;`.
fn decoded(href: &str) -> Option<Cow<'_, str>> {
    if !href.contains('&') {
        return Some(Cow::Borrowed(href));
    }
    let decoded = href.replace("&amp;", "&");
    let references = href.matches('&').count();
    (references == href.matches("&amp;").count()).then_some(Cow::Owned(decoded))
}
