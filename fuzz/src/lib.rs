//! What the fuzz targets share: inputs to begin with, from the fixtures, and bytes in pieces.
//!
//! Each target asserts properties of a door through which strangers' bytes come in. docs/fuzzing.md lists them.

#![allow(clippy::unwrap_used, reason = "a panic is the finding")]

use std::path::PathBuf;

use serde_json::Value;

/// Writes the inputs that `make` gives into the folder that `FEDILAKE_FUZZ_SEEDS` names, if it does. libFuzzer reads the folder afterwards.
pub fn seed<T: AsRef<[u8]>>(make: impl FnOnce() -> Vec<T>) {
    let Some(folder) = std::env::var_os("FEDILAKE_FUZZ_SEEDS").map(PathBuf::from) else { return };
    for (number, input) in make().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:04}")), input).expect("the folder of seeds takes them");
    }
}

/// The statuses of `fixtures/corpus`.
pub fn statuses() -> Vec<Value> {
    lines(include_str!("../../fixtures/corpus/statuses.jsonl"), "status")
}

/// The documents of `fixtures/corpus`.
pub fn documents() -> Vec<Value> {
    lines(include_str!("../../fixtures/corpus/instances.jsonl"), "document")
}

fn lines(text: &str, member: &str) -> Vec<Value> {
    let parsed = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("the corpus is JSON"));
    parsed.map(|mut line| line[member].take()).collect()
}

/// The records of `fixtures/records`: of every version of the schema, a record a line.
pub fn records() -> Vec<Vec<u8>> {
    let files = [include_str!("../../fixtures/records/1.hex"), include_str!("../../fixtures/records/2.hex")];
    files.iter().flat_map(|file| file.lines()).map(unhex).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    let digits = line.trim().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("the records are hex");
    digits.chunks(2).map(byte).collect()
}

/// Splits an input at its first line feed: how to cut, and the bytes to be cut.
pub fn cuts_and_bytes(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (&[], input),
    }
}

/// `bytes` in pieces as long as `cuts` say, over and over again; in one piece if they say nothing.
pub fn pieces<'b>(bytes: &'b [u8], cuts: &[u8]) -> Vec<&'b [u8]> {
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(usize::from(*cut).clamp(1, rest.len()));
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}
