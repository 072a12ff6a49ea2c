//! A value of a replay → its frame, and the server and the time at which the frame was seen.

use bytes::Bytes;
use fedilake_model::json::{self, JsonError, Raw};
use fedilake_model::{Frame, FrameKind, Moment, Server};

/// A value of a replay, by its kind.
#[derive(Debug)]
pub(super) enum Line {
    /// A bare status, or a recorded frame.
    Frame { server: Server, observed_at: Moment, frame: Frame },
    /// A recorded frame of an event that is not known here.
    Unknown,
}

#[derive(Default)]
struct Members<'a> {
    server: Option<Raw<'a>>,
    observed_at: Option<Raw<'a>>,
    event: Option<Raw<'a>>,
    payload: Option<Raw<'a>>,
    uri: Option<Raw<'a>>,
    url: Option<Raw<'a>>,
}

impl Line {
    /// Reads the value `line`; an error is the label of why it cannot be used.
    pub(super) fn parse(line: &Bytes) -> Result<Line, &'static str> {
        let json = line.trim_ascii();
        let members = Members::parse(json).map_err(|error| why_no_json(json, error))?;
        match (&members.event, &members.payload) {
            (Some(event), Some(payload)) => recorded(line, &members, event, payload),
            _ => bare(line, json, &members),
        }
    }

    /// Like [`Line::parse`], without a look into the payload, for a frame whose members stand in the order in which fedilake
    /// records them. None if anything else is there. A frame is no proof that all is well: if its payload cannot be
    /// translated, ask [`Line::parse`].
    pub(super) fn parse_recorded(line: &Bytes) -> Option<Line> {
        let json = line.trim_ascii();
        let (server, rest) = plain_string(json.strip_prefix(b"{\"server\":\"")?)?;
        let (observed_at, rest) = plain_string(rest.strip_prefix(b",\"observed_at\":\"")?)?;
        let (event, rest) = plain_string(rest.strip_prefix(b",\"event\":\"")?)?;
        let payload = rest.strip_prefix(b",\"payload\":")?.strip_suffix(b"}")?;
        let kind = match event {
            "update" => FrameKind::Update,
            "status.update" => FrameKind::StatusUpdate,
            _ => return None,
        };
        let is_object = payload.starts_with(b"{") && payload.ends_with(b"}");
        let observed_at = Moment::of_text(observed_at).at().filter(|_| is_object)?;
        let frame = Frame { kind, data: line.slice_ref(payload) };
        Some(Line::Frame { server: Server::parse(server)?, observed_at: Moment::At(observed_at), frame })
    }
}

impl<'a> Members<'a> {
    fn parse(json: &'a [u8]) -> Result<Members<'a>, JsonError> {
        let mut members = Members::default();
        for member in json::members(json)? {
            let (name, value) = member?;
            match &*name {
                "server" => members.server = Some(value),
                "observed_at" => members.observed_at = Some(value),
                "event" => members.event = Some(value),
                "payload" => members.payload = Some(value),
                "uri" => {
                    members.uri = Some(value);
                    // A frame has none: the rest of a status is for the one translation to read.
                    if server_of(&members.uri).is_some() {
                        break;
                    }
                }
                "url" => members.url = Some(value),
                _ => {}
            }
        }
        Ok(members)
    }
}

/// The text up to the next quote, if it has no escapes, and what follows the quote.
fn plain_string(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr::memchr2(b'"', b'\\', bytes)?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    (bytes[end] == b'"').then_some((text, &bytes[end + 1..]))
}

fn why_no_json(json: &[u8], error: JsonError) -> &'static str {
    if error == JsonError::TooDeep {
        "too_deep"
    } else if error == JsonError::TooLong {
        "too_long"
    } else if std::str::from_utf8(json).is_err() {
        "not_utf8"
    } else if json.first() != Some(&b'{') {
        "not_an_object"
    } else {
        "not_json"
    }
}

fn recorded(line: &Bytes, members: &Members<'_>, event: &Raw<'_>, payload: &Raw<'_>) -> Result<Line, &'static str> {
    let kind = match event.text() {
        Some("update") => FrameKind::Update,
        Some("status.update") => FrameKind::StatusUpdate,
        Some("delete") => FrameKind::Delete,
        _ => return Ok(Line::Unknown),
    };
    let data = match payload.text() {
        // As in a WebSocket frame: the status is a string that holds JSON. For a delete it is the id.
        Some(string) => Bytes::copy_from_slice(string.as_bytes()),
        None if kind == FrameKind::Delete && !payload.is_number() => return Err("no_id"),
        None => part_of(line, payload.json()),
    };
    let server = match &members.server {
        Some(_) => text(&members.server).and_then(Server::parse),
        // A message of a streaming server's WebSocket, saved as it came.
        None if kind == FrameKind::Delete => None,
        None => Members::parse(&data).ok().and_then(|status| server_of(&status.uri).or_else(|| server_of(&status.url))),
    };
    let server = server.ok_or("no_server")?;
    let observed_at = members.observed_at.as_ref().map(Raw::moment).unwrap_or_default();
    Ok(Line::Frame { server, observed_at, frame: Frame { kind, data } })
}

fn bare(line: &Bytes, json: &[u8], members: &Members<'_>) -> Result<Line, &'static str> {
    let server = server_of(&members.uri).or_else(|| server_of(&members.url)).ok_or("no_server")?;
    Ok(Line::Frame {
        server,
        observed_at: Moment::Missing,
        frame: Frame { kind: FrameKind::Update, data: line.slice_ref(json) },
    })
}

fn text<'v>(value: &'v Option<Raw<'_>>) -> Option<&'v str> {
    value.as_ref().and_then(|value| value.text()).filter(|text| !text.is_empty())
}

/// `raw` as a part of `line` where it is one, else copied.
pub(super) fn part_of(line: &Bytes, raw: &str) -> Bytes {
    let (start, raw_start) = (line.as_ptr() as usize, raw.as_ptr() as usize);
    if raw_start >= start && raw_start + raw.len() <= start + line.len() {
        line.slice(raw_start - start..raw_start - start + raw.len())
    } else {
        Bytes::copy_from_slice(raw.as_bytes())
    }
}

/// The server of a member that is a URL.
fn server_of(value: &Option<Raw<'_>>) -> Option<Server> {
    Server::of_url(text(value)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(line: &str) -> Result<Line, &'static str> {
        Line::parse(&Bytes::copy_from_slice(line.as_bytes()))
    }

    /// The parts that a frame is read into, in one line.
    fn read(line: &str) -> String {
        match parse(line) {
            Ok(Line::Frame { server, observed_at, frame }) => {
                format!("{server} {observed_at:?} {:?} {:?}", frame.kind, frame.data)
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_frame_means_the_same_whatever_its_order_and_spaces() {
        let recorded =
            r#"{"server":"a.example","observed_at":"2026-02-03T10:00:00Z","event":"update","payload":{"id":"1"}}"#;
        let fast = Line::parse_recorded(&Bytes::from_static(recorded.as_bytes())).unwrap();
        assert_eq!(format!("{fast:?}"), format!("{:?}", parse(recorded).unwrap()));
        for other in [
            r#" {"server": "a.example", "observed_at":"2026-02-03T10:00:00Z","event":"update","payload":{"id":"1"} } "#,
            r#"{"payload":{"id":"1"},"event":"update","server":"a.example","observed_at":"2026-02-03T10:00:00Z"}"#,
            r#"{"server":"A.example","observed_at":"2026-02-03T12:00:00+02:00","event":"update","payload":"{\"id\":\"1\"}"}"#,
            r#"{"server":"a\u002eexample","observed_at":"2026-02-03T10:00:00Z","event":"update","payload":{"id":"1"}}"#,
            r#"{"server":"https://a.example/","observed_at":"2026-02-03 10:00:00+00:00","event":"update","payload":{"id":"1"}}"#,
            r#"{"server":"a.example:443","observed_at":1770112800,"event":"update","payload":{"id":"1"}}"#,
            r#"{"server":"@ann@A.example.","observed_at":{"$date":1770112800000},"event":"update","payload":{"id":"1"}}"#,
        ] {
            assert_eq!(read(other), read(recorded), "{other}");
        }
    }

    #[test]
    fn a_bare_status_is_of_the_host_of_its_uri_or_url() {
        for (status, server) in [
            (r#"{"id":"1","uri":"https://A.example/1","url":"https://b.example/1"}"#, "a.example"),
            (r#"{"id":"1","uri":"http://user@a.example:4000?x","event":7}"#, "a.example:4000"),
            (r#"{"id":"1","uri":"tag:a.example,2026:1","url":"https://b.example/1"}"#, "b.example"),
            (r#"{"id":"1","uri":null,"url":"https://b.example"}"#, "b.example"),
        ] {
            let found = read(status);
            assert!(found.starts_with(&format!("{server} Missing Update ")), "{status} is read as {found}");
        }
        for status in [r#"{"id":"1"}"#, r#"{"uri":"https://"}"#, r#"{"uri":"//x"}"#, r#"{"uri":7}"#] {
            assert_eq!(parse(status).unwrap_err(), "no_server", "{status}");
        }
    }
}
