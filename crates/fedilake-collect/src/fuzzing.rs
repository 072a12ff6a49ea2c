//! Doors to what is read inside the crate, for `fuzz/`. cargo-fuzz alone builds them.

use bytes::Bytes;
use chrono::Utc;

use crate::server::address;
use crate::server::timeline::Timeline;
use crate::way::page::{Page, Seen};
use crate::way::socket::Told;

/// A message of a socket: the stream that it names with its parameter, the event's name, and the payload. `None` for one without an event.
pub type Message = Option<(Option<(String, Option<String>)>, String, Bytes)>;

/// Reads a message of a socket. The error says what is wrong, or what the server says.
pub fn socket_message(text: &str) -> Result<Message, String> {
    Ok(Told::parse(text)?.map(|(stream, frame)| (stream, frame.event, frame.payload)))
}

/// Reads a page of a timeline; the ids of its posts, lowest place first, or `None` if it is no page.
pub fn page(body: &Bytes) -> Option<Vec<String>> {
    let now = Utc::now();
    let page = Page::parse(body, Seen { observed_at: now, server_now: now, is_newest: true }).ok()?;
    (page.span(), page.usual_interval(), page.is_led(), page.is_ordered(), page.count_before(now));
    Some(page.all_ids().map(|id| id.as_str().to_owned()).collect())
}

/// Reads what an instance document says of streams and of its members' domain.
pub fn streaming(document: &Bytes) {
    let base = address::parse("https://social.example").expect("it is an address").base;
    crate::server::instance::streaming(document, &base, &Timeline::Public);
    crate::server::instance::domain(document);
}
