//! The owner's answer to a question in SQL: rows, and the result behind them on the same stream.

use std::io::{self, Read};

use fedilake_query::answer::sql::SqlErrorKind;
use fedilake_query::{SqlError, SqlSummary};

use crate::lake_process::{Piece, receive_piece};

/// Reads the rows; [`Pieces::result`] has the result. A stream that ends without one is a failure of its own, and to the reader
/// of the rows no more than a short answer.
pub struct Pieces<R> {
    stream: R,
    block: io::Cursor<Vec<u8>>,
    result: Option<Result<SqlSummary, SqlError>>,
    /// The error for a stream without a result.
    broke_off: String,
}

impl<R: Read> Pieces<R> {
    /// Nothing is read yet. `broke_off` is the error for a stream without a result.
    pub fn new(stream: R, broke_off: String) -> Pieces<R> {
        Pieces { stream, block: io::Cursor::default(), result: None, broke_off }
    }

    /// The result. With `to_the_end` the rest is read for it; else None where the reader of the rows gave up before.
    pub fn result(mut self, to_the_end: bool) -> Option<Result<SqlSummary, SqlError>> {
        while to_the_end && self.result.is_none() {
            self.next();
        }
        self.result
    }

    /// Takes the next piece.
    fn next(&mut self) {
        match receive_piece(&mut self.stream) {
            Ok(Some(Piece::Block(bytes))) => self.block = io::Cursor::new(bytes),
            Ok(Some(Piece::Progress(_))) => {}
            Ok(Some(Piece::End(json))) => {
                let read = serde_json::from_slice(&json);
                self.result =
                    Some(read.unwrap_or_else(|error| Err(failure(format!("read the owner's answer: {error}")))));
            }
            // The words of an HTTP client for it say nothing to a person.
            Ok(None) | Err(_) => self.result = Some(Err(failure(self.broke_off.clone()))),
        }
    }
}

impl<R: Read> Read for Pieces<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.result.is_some() {
                return Ok(read);
            }
            self.next();
        }
    }
}

fn failure(message: String) -> SqlError {
    SqlError { kind: SqlErrorKind::Engine, message, line: None, column: None, excerpt: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake_process::send_piece;

    fn answer(end: Option<Result<SqlSummary, SqlError>>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for block in ["first ", "", "second"] {
            send_piece(&mut bytes, &Piece::Block(block.into())).unwrap();
        }
        if let Some(end) = end {
            send_piece(&mut bytes, &Piece::End(serde_json::to_vec(&end).unwrap())).unwrap();
        }
        bytes
    }

    #[test]
    fn the_result_comes_behind_the_rows_and_an_answer_without_one_says_that() {
        let whole = Ok(SqlSummary { rows: 2, truncated: false, may_read_table: true });
        for end in [whole.clone(), Err(failure("in the middle".to_owned()))] {
            let bytes = answer(Some(end.clone()));
            let mut pieces = Pieces::new(bytes.as_slice(), "broke off".to_owned());
            let mut rows = String::new();
            pieces.read_to_string(&mut rows).unwrap();
            assert_eq!(rows, "first second");
            assert_eq!(pieces.result(true), Some(end.clone()));
            assert_eq!(Pieces::new(bytes.as_slice(), String::new()).result(true), Some(end), "read to the end for it");
            assert_eq!(Pieces::new(bytes.as_slice(), String::new()).result(false), None);
            for cut in 0..bytes.len() {
                let pieces = Pieces::new(&bytes[..cut], "broke off".to_owned());
                assert_eq!(pieces.result(true), Some(Err(failure("broke off".to_owned()))), "cut at {cut}");
            }
        }
        let mut rows = String::new();
        Pieces::new(answer(None).as_slice(), String::new()).read_to_string(&mut rows).unwrap();
        assert_eq!(rows, "first second");
    }
}
