//! A WebSocket: its messages are the same however the bytes are cut and keep to the cap; a message that a server writes is read as it was meant.
#![no_main]

use std::io::{self, Read, Write};

use fedilake_collect::fuzzing;
use fedilake_fuzz::{cuts_and_bytes, pieces, seed, statuses};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

const CAP: usize = 4_096;

fuzz_target!(init: seed(seeds), |input: &[u8]| {
    let (cuts, bytes) = cuts_and_bytes(input);
    let (whole, cut) = (messages(vec![bytes]), messages(pieces(bytes, cuts)));
    assert_eq!(whole, cut);
    for text in whole.0 {
        assert!(text.len() <= CAP);
        let _ = fuzzing::socket_message(&text);
    }
    // The rest of the input as a message itself, and as what a message carries.
    let text = String::from_utf8_lossy(bytes);
    if let Ok(Some((stream, event, payload))) = fuzzing::socket_message(&text) {
        let stream: Value = stream.map_or(Value::Null, |(name, parameter)| match parameter {
            Some(parameter) => json!([name, parameter]),
            None => json!([name]),
        });
        let payload = std::str::from_utf8(&payload).expect("a payload is text");
        let again = json!({"stream": stream, "event": event, "payload": payload}).to_string();
        assert_eq!(fuzzing::socket_message(&again), fuzzing::socket_message(&json!({"payload": payload, "event": event, "stream": stream}).to_string()));
        let (_, event_again, payload_again) = fuzzing::socket_message(&again).unwrap().unwrap();
        assert_eq!((event_again, &payload_again[..]), (event, payload.as_bytes()));
    }
    let message = json!({"stream": ["public"], "event": "update", "payload": text}).to_string();
    let (stream, event, payload) = fuzzing::socket_message(&message).unwrap().expect("it has an event");
    assert_eq!((stream, &*event, &payload[..]), (Some(("public".to_owned(), None)), "update", text.as_bytes()));
});

/// The texts in the frames of a server, and whether they ended well.
fn messages(pieces: Vec<&[u8]>) -> (Vec<String>, bool) {
    let config = WebSocketConfig::default().max_message_size(Some(CAP)).max_frame_size(Some(CAP));
    let wire = Wire { pieces: pieces.into_iter().map(<[u8]>::to_vec).collect(), at: 0 };
    let mut socket = WebSocket::from_raw_socket(wire, Role::Client, Some(config));
    let mut texts = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => texts.push(text.to_string()),
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(Error::Io(_) | Error::ConnectionClosed) => return (texts, true),
            Err(_) => return (texts, false),
        }
    }
}

/// A connection that gives a piece at each read, and takes everything.
struct Wire {
    pieces: std::collections::VecDeque<Vec<u8>>,
    at: usize,
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.pieces.front() else { return Ok(0) };
        let left = &piece[self.at..];
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        self.at += count;
        if self.at == piece.len() {
            self.pieces.pop_front();
            self.at = 0;
        }
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let framed = |first: u8, payload: &[u8]| {
        let length = match u16::try_from(payload.len()) {
            Ok(length @ 0..126) => vec![length as u8],
            Ok(length) => [&[126][..], &length.to_be_bytes()].concat(),
            Err(_) => [&[127][..], &(payload.len() as u64).to_be_bytes()].concat(),
        };
        [&[first][..], &length, payload].concat()
    };
    let of_status = |status: Value| {
        let message = json!({"stream": ["public"], "event": "update", "payload": status.to_string()}).to_string();
        vec![[b"\x03\x40\n", &framed(0x81, message.as_bytes())[..]].concat(), [b"\n", message.as_bytes()].concat()]
    };
    let mut seeds: Vec<Vec<u8>> = statuses().into_iter().take(20).flat_map(of_status).collect();
    let delete = br#"{"stream":["hashtag","rust"],"event":"delete","payload":"7"}"#;
    let halves =
        [framed(0x01, &delete[..9]), framed(0x89, b"ping"), framed(0x80, &delete[9..]), framed(0x88, &[3, 232])];
    seeds.push([b"\x01\x02\n", &halves.concat()[..]].concat());
    for odd in [r#"{"error":"Unknown stream"}"#, r#"{"event":"filters_changed"}"#, r#"{"event":"delete","payload":7}"#]
    {
        seeds.push([b"\n", odd.as_bytes()].concat());
    }
    seeds
}
