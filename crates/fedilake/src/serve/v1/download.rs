//! Answers as files.

use std::io::{BufWriter, Read, Write};
use std::str::FromStr;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use fedilake_query::Rows;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Problem;
use crate::cli;
use crate::render;

/// Parts of an answer on their way to the socket.
const PARTS_MAX: usize = 4;
/// Size of a part.
const PART_BYTES: usize = 64 << 10;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Ndjson,
    Csv,
    Parquet,
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Parquet => super::PARQUET,
        }
    }

    /// Writes the rows of an Arrow IPC stream.
    pub(super) fn write(self, ipc: impl Read, out: &mut dyn Write) -> anyhow::Result<()> {
        let format = match self {
            Format::Json => cli::Format::Json,
            Format::Ndjson => cli::Format::Ndjson,
            Format::Csv => cli::Format::Csv,
            Format::Parquet => cli::Format::Parquet,
        };
        render::write_plain(ipc, format, out)
    }
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Format, &'static str> {
        let all = [Format::Json, Format::Ndjson, Format::Csv, Format::Parquet];
        all.into_iter().find(|format| format.ending() == text).ok_or("expected json, ndjson, csv or parquet")
    }
}

/// Rows that are few enough to be held, as a JSON array of objects.
pub(super) fn json(rows: &Rows) -> anyhow::Result<Vec<u8>> {
    let mut json = Vec::new();
    Format::Json.write(rows.ipc.as_slice(), &mut json)?;
    Ok(json)
}

/// Answers with what `write` writes on a blocking thread while it comes. A failure before the first part is a problem; a later one
/// breaks the answer off, so that no program takes a part for the whole.
pub(super) async fn stream(
    name: &str,
    format: Format,
    kept: impl Send + 'static,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let (sender, mut receiver) = mpsc::channel(PARTS_MAX);
    tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PART_BYTES, ToChannel(&sender));
        let written = write(&mut out).and_then(|()| out.flush().map_err(Problem::internal));
        // What was gathered behind a failure is no part of the answer.
        let _ = out.into_parts();
        if let Err(problem) = written {
            // The reader may have gone away.
            let _ = sender.blocking_send(Err(problem));
        }
    });
    let first = receiver.recv().await.transpose()?;
    let parts = futures::stream::iter(first.map(Ok)).chain(ReceiverStream::new(receiver));
    let parts = parts.map(move |part| {
        // Whatever the answer needs is kept as long as somebody reads it.
        let _ = &kept;
        part.map_err(|problem: Problem| std::io::Error::other(problem.fault().message.clone()))
    });
    let disposition = format!("attachment; filename=\"{name}.{}\"", format.ending());
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(Problem::bad)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((head, Body::from_stream(parts)).into_response())
}

/// Passes bytes on to the socket as fast as it takes them.
struct ToChannel<'a>(&'a mpsc::Sender<Result<Bytes, Problem>>);

impl Write for ToChannel<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let part = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(part)).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
