//! Server-sent events: the frames are the same however the bytes are cut, are those of a plain reading, and keep to the cap.
#![no_main]

use fedilake_collect::way::sse::{FrameTooLong, Framer, SseFrame};
use fedilake_fuzz::{cuts_and_bytes, pieces, seed, statuses};
use libfuzzer_sys::fuzz_target;

const CAP: usize = 4_096;

fuzz_target!(init: seed(seeds), |input: &[u8]| {
    let (cuts, bytes) = cuts_and_bytes(input);
    let (whole, ended) = framed(&[bytes], CAP);
    let (cut, cut_ended) = framed(&pieces(bytes, cuts), CAP);
    assert!(whole.iter().all(|frame| frame.data.len() <= CAP));
    match (ended, cut_ended) {
        (Ok(()), Ok(())) => assert_eq!(whole, cut),
        // An unfinished line counts as soon as it comes.
        (Err(FrameTooLong), Err(FrameTooLong)) => assert_eq!(whole, cut),
        (whole, cut) => panic!("in one piece {whole:?}, in several {cut:?}"),
    }
    if ended.is_ok() {
        assert_eq!(whole, read_plainly(bytes));
    }
    // What was framed can be sent, and is framed again. A line may be somewhat longer then.
    let sent: Vec<u8> = whole.iter().flat_map(written).collect();
    assert_eq!(framed(&pieces(&sent, cuts), 2 * CAP).0, whole);
});

fn framed(pieces: &[&[u8]], cap: usize) -> (Vec<SseFrame>, Result<(), FrameTooLong>) {
    let mut framer = Framer::new(cap);
    let mut frames = Vec::new();
    let ended = pieces.iter().try_for_each(|piece| framer.push(piece, |frame| frames.push(frame)));
    (frames, ended)
}

/// The standard's rules, line by line over the whole.
fn read_plainly(bytes: &[u8]) -> Vec<SseFrame> {
    let (mut frames, mut event, mut data) = (Vec::new(), String::new(), Vec::<Vec<u8>>::new());
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    for line in bytes[..end].split_inclusive(|byte| *byte == b'\n') {
        let line = &line[..line.len() - 1];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            let event = std::mem::take(&mut event);
            if !data.is_empty() {
                let event = if event.is_empty() { "message".to_owned() } else { event };
                frames.push(SseFrame { event, data: std::mem::take(&mut data).join(&b'\n').into() });
            }
            continue;
        }
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let (field, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => event = String::from_utf8_lossy(value).into_owned(),
            b"data" => data.push(value.to_vec()),
            _ => {}
        }
    }
    frames
}

fn written(frame: &SseFrame) -> Vec<u8> {
    let mut block = format!("event: {}\r\n", frame.event).into_bytes();
    for line in frame.data.split(|byte| *byte == b'\n') {
        block.extend([b"data: ", line, b"\r\n"].concat());
    }
    block.extend(b"\r\n");
    block
}

fn seeds() -> Vec<Vec<u8>> {
    let of_status = |status: serde_json::Value| {
        [
            b"\x07\x50\x01\n:)\nevent: update\ndata: ",
            status.to_string().as_bytes(),
            b"\n\n:thump\nevent: delete\ndata: 17\n\n",
        ]
        .concat()
    };
    let mut seeds: Vec<Vec<u8>> = statuses().into_iter().take(40).map(of_status).collect();
    seeds.push(b"\x01\n:)\nevent: a\r\ndata\r\ndata: b\r\ndata:  c\r\nid: 7\nretry: 5\n\n\n".to_vec());
    seeds
}
