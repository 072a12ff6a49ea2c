//! A recorded line → the frame it holds, and the server and time it was seen at.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_model::{Frame, FrameKind, Server};
use sonic_rs::{JsonValueTrait, LazyValue};

/// What a line holds.
#[derive(Debug)]
pub(super) enum Line {
    /// A bare status, or a recorded frame.
    Frame {
        server: Server,
        /// None where the line does not say.
        observed_at: Option<DateTime<Utc>>,
        frame: Frame,
    },
    /// A recorded frame of an event that we do not know.
    Unknown,
    /// White space.
    Blank,
}

#[derive(Default)]
struct Members<'a> {
    server: Option<LazyValue<'a>>,
    observed_at: Option<LazyValue<'a>>,
    event: Option<LazyValue<'a>>,
    payload: Option<LazyValue<'a>>,
    uri: Option<LazyValue<'a>>,
    url: Option<LazyValue<'a>>,
}

impl Line {
    /// Reads `line`; an error is the label of why it cannot be used.
    pub(super) fn parse(line: &Bytes) -> Result<Line, &'static str> {
        let json = line.trim_ascii();
        if json.is_empty() {
            return Ok(Line::Blank);
        }
        let members = Members::parse(json).map_err(|()| why_no_json(json))?;
        match (&members.event, &members.payload) {
            (Some(event), Some(payload)) => recorded(line, &members, event, payload),
            _ => bare(line, json, &members),
        }
    }
}

impl<'a> Members<'a> {
    fn parse(json: &'a [u8]) -> Result<Members<'a>, ()> {
        let mut members = Members::default();
        for member in sonic_rs::to_object_iter(json) {
            let (name, value) = member.map_err(drop)?;
            match &*name {
                "server" => members.server = Some(value),
                "observed_at" => members.observed_at = Some(value),
                "event" => members.event = Some(value),
                "payload" => members.payload = Some(value),
                "uri" => members.uri = Some(value),
                "url" => members.url = Some(value),
                _ => {}
            }
        }
        Ok(members)
    }
}

fn why_no_json(json: &[u8]) -> &'static str {
    if std::str::from_utf8(json).is_err() {
        "not_utf8"
    } else if json.first() != Some(&b'{') {
        "not_an_object"
    } else {
        "not_json"
    }
}

fn recorded(
    line: &Bytes,
    members: &Members<'_>,
    event: &LazyValue<'_>,
    payload: &LazyValue<'_>,
) -> Result<Line, &'static str> {
    let kind = match event.as_str() {
        Some("update") => FrameKind::Update,
        Some("status.update") => FrameKind::StatusUpdate,
        Some("delete") => FrameKind::Delete,
        _ => return Ok(Line::Unknown),
    };
    let server = text(&members.server).map(Server::new).ok_or("no_server")?;
    let data = match payload.as_str() {
        // As in a WebSocket frame: the status is a string that holds JSON. For a delete it is the id.
        Some(string) => Bytes::copy_from_slice(string.as_bytes()),
        None if kind == FrameKind::Delete && !payload.is_number() => return Err("no_id"),
        None => part_of(line, payload.as_raw_str()),
    };
    let observed_at = text(&members.observed_at).and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    Ok(Line::Frame { server, observed_at: observed_at.map(|time| time.to_utc()), frame: Frame { kind, data } })
}

fn bare(line: &Bytes, json: &[u8], members: &Members<'_>) -> Result<Line, &'static str> {
    let host = text(&members.uri).and_then(host).or_else(|| text(&members.url).and_then(host));
    let server = Server::new(host.ok_or("no_server")?);
    Ok(Line::Frame { server, observed_at: None, frame: Frame { kind: FrameKind::Update, data: line.slice_ref(json) } })
}

fn text<'v>(value: &'v Option<LazyValue<'_>>) -> Option<&'v str> {
    value.as_ref().and_then(|value| value.as_str()).filter(|text| !text.is_empty())
}

/// `raw` as a part of `line` where it is one, else copied.
fn part_of(line: &Bytes, raw: &str) -> Bytes {
    let (start, raw_start) = (line.as_ptr() as usize, raw.as_ptr() as usize);
    if raw_start >= start && raw_start + raw.len() <= start + line.len() {
        line.slice(raw_start - start..raw_start - start + raw.len())
    } else {
        Bytes::copy_from_slice(raw.as_bytes())
    }
}

/// The host, with its port, of a URL.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then_some(host)
}
