//! Posts within a value that is none itself: the answer of another API, the export of a database, a map by id.

use bytes::Bytes;
use fedilake_model::json::{self, Raw};

use super::line::part_of;

/// The outermost statuses and recorded frames within `value`, in their order. A status is not looked into: what it boosts or quotes is
/// not what the value is about.
pub(super) fn posts_in(value: &Bytes) -> Vec<Bytes> {
    let mut found = Vec::new();
    look_into(value, &mut found);
    found
}

/// Recursion ends where the JSON is too deep for its parser.
fn look_into(value: &Bytes, found: &mut Vec<Bytes>) {
    match value.trim_ascii().first() {
        Some(b'{') => {
            let Some(members) = Members::of(value) else { return };
            if members.is_post() {
                found.push(value.clone());
            } else if !members.is_status {
                members.inner.iter().for_each(|inner| look_into(inner, found));
            }
        }
        Some(b'[') => {
            let list = value.slice_ref(value.trim_ascii());
            let Ok(elements) = json::elements(&list) else { return };
            let elements: Vec<Bytes> = elements.map_while(Result::ok).collect();
            elements.iter().for_each(|element| look_into(element, found));
        }
        _ => {}
    }
}

#[derive(Default)]
struct Members {
    has_account: bool,
    has_address: bool,
    has_event: bool,
    has_payload: bool,
    /// True for members that only statuses have.
    is_status: bool,
    /// Values that may hold others.
    inner: Vec<Bytes>,
}

impl Members {
    fn of(object: &Bytes) -> Option<Members> {
        let mut found = Members::default();
        for member in json::members(object.trim_ascii()).ok()? {
            let (name, value) = member.ok()?;
            match &*name {
                "account" => found.has_account = true,
                "uri" | "url" => found.has_address |= value.text().is_some_and(|text| text.contains("://")),
                "event" => found.has_event = value.text().is_some(),
                "payload" => found.has_payload = true,
                "content" | "reblog" | "visibility" => found.is_status = true,
                _ => {}
            }
            if may_hold(&value) {
                found.inner.push(part_of(object, value.json()));
            }
        }
        found.is_status &= found.has_account;
        Some(found)
    }

    fn is_post(&self) -> bool {
        self.is_status && self.has_address || self.has_event && self.has_payload
    }
}

fn may_hold(value: &Raw<'_>) -> bool {
    value.json().starts_with(['{', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_posts_are_found_in_their_order() {
        let post = |id: &str| {
            format!(
                r#"{{"id":"{id}","uri":"https://a.example/{id}","account":{{"url":"https://a.example/@a"}},"content":""}}"#
            )
        };
        let (a, b) = (post("a"), post("b"));
        let frame = format!(r#"{{"server":"a.example","event":"update","payload":{b}}}"#);
        let boost = format!(r#"{{"id":"c","account":{{}},"reblog":{a}}}"#);
        for (value, expected) in [
            (format!(r#"{{"response":{{"body":[{a},{b}]}}}}"#), vec![&a, &b]),
            (format!(r#"{{"hits":{{"hits":[{{"_source":{a}}},{{"_source":{b}}}]}}}}"#), vec![&a, &b]),
            (format!(r#"{{"1":{a},"2":{b}}}"#), vec![&a, &b]),
            (format!(r#"{{"toot": {a} }}"#), vec![&a]),
            (format!(r#"{{"data":{{"edges":[{{"node":{a}}},null,7]}}}}"#), vec![&a]),
            (format!(r#"{{"log":[{frame}]}}"#), vec![&frame]),
            // A status that cannot be used stays one.
            (boost, vec![]),
            (r#"{"account":{"id":"1","url":"https://a.example/@a"},"type":"follow"}"#.to_owned(), vec![]),
            (r#"{"a":[[[{"b":{}}]]]}"#.to_owned(), vec![]),
            ("[".repeat(100_000), vec![]),
        ] {
            let found = posts_in(&Bytes::from(value.clone()));
            assert_eq!(found, expected, "{}", &value[..value.len().min(100)]);
        }
    }
}
