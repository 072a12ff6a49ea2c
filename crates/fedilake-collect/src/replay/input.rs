//! An input of a replay: a file or a stream, its identity, and its decoded bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, mem, thread};

use flate2::read::MultiGzDecoder;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::Xxh3;

use super::Progress;
use super::chunk::{Chunk, Chunks, Position};

/// Where recorded lines come from.
pub enum Input {
    /// A file; plain, zstd or gzip.
    File(PathBuf),
    /// Anything that can be read once, under a name to be shown; plain, zstd or gzip.
    Stream {
        /// Shown beside line numbers.
        name: String,
        /// Read to its end on a thread of its own.
        reader: Box<dyn Read + Send>,
    },
}

impl Input {
    /// `-` is standard input, all else a path.
    pub fn new(typed: &str) -> Input {
        match typed {
            "-" => Input::Stream { name: "standard input".to_owned(), reader: Box::new(io::stdin()) },
            path => Input::File(PathBuf::from(path)),
        }
    }

    /// Bytes on disk; 0 where it is not known.
    pub fn length(&self) -> u64 {
        match self {
            Input::File(path) => path.metadata().map_or(0, |metadata| metadata.len()),
            Input::Stream { .. } => 0,
        }
    }

    /// Which content this is, wherever it lies and whatever it is called: a hash of every byte, as it lies on disk. None for
    /// what can be read only once, and when `shutdown` came before the end.
    pub(super) fn identity(
        &self,
        shutdown: CancellationToken,
    ) -> impl Future<Output = io::Result<Option<String>>> + use<> {
        let path = match self {
            Input::File(path) => Some(path.clone()),
            Input::Stream { .. } => None,
        };
        async move {
            let Some(path) = path else {
                return Ok(None);
            };
            spawn_blocking(move || hash(&path, &shutdown)).await.map_err(io::Error::other)?
        }
    }

    /// Opens it; nothing is decoded yet.
    pub(super) fn open(self, progress: Arc<Progress>) -> io::Result<Opened> {
        let (raw, is_live) = match self {
            Input::File(path) => {
                let file = File::open(path)?;
                // A pipe that has a path cannot be read twice.
                if file.metadata()?.is_file() { (Raw::File(file), false) } else { (Raw::Stream(Box::new(file)), true) }
            }
            Input::Stream { reader, .. } => (Raw::Stream(reader), true),
        };
        Ok(Opened { raw: Counted { raw, progress }, is_live })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::File(path) => path.display().fmt(f),
            Input::Stream { name, .. } => f.write_str(name),
        }
    }
}

/// XXH3, 128 bits: as fast as a disk, and the same on every machine and in every version.
fn hash(path: &Path, shutdown: &CancellationToken) -> io::Result<Option<String>> {
    if !path.metadata()?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; HASH_READ_BYTES];
    while !shutdown.is_cancelled() {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Some(format!("{:032x}", hash.digest128()))),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

const HASH_READ_BYTES: usize = 256 * 1024;

/// An input that is open.
pub(super) struct Opened {
    raw: Counted,
    /// Lines are passed on as they come, not in large chunks.
    is_live: bool,
}

impl Opened {
    /// Chunks of whole lines from `from` on, read and decoded by a thread of its own, at most `chunks_max` ahead.
    /// The thread ends with the input, or when the receiver is dropped and the read under way returns.
    pub(super) fn read(
        self,
        from: Position,
        line_bytes_max: usize,
        chunks_max: usize,
    ) -> mpsc::Receiver<io::Result<Chunk>> {
        let (sender, receiver) = mpsc::channel(chunks_max);
        thread::spawn(move || {
            let mut chunks = match self.decoded(from) {
                Ok((decoded, is_live)) => Chunks::new(decoded, from, line_bytes_max, is_live),
                Err(error) => return drop(sender.blocking_send(Err(error))),
            };
            while let Some(chunk) = chunks.next().transpose() {
                let is_last = chunk.is_err();
                if sender.blocking_send(chunk).is_err() || is_last {
                    return;
                }
            }
        });
        receiver
    }

    /// The decoded bytes from `from` on.
    fn decoded(mut self, from: Position) -> io::Result<(Box<dyn Read + Send>, bool)> {
        let head = self.raw.head()?;
        let mut decoded: Box<dyn Read + Send> = if head == [0x28, 0xb5, 0x2f, 0xfd] {
            Box::new(zstd::Decoder::new(self.raw)?)
        } else if head.starts_with(&[0x1f, 0x8b]) {
            Box::new(MultiGzDecoder::new(self.raw))
        } else if self.raw.skip_to(from.bytes)? {
            return Ok((Box::new(self.raw), self.is_live));
        } else {
            Box::new(self.raw)
        };
        io::copy(&mut (&mut decoded).take(from.bytes), &mut io::sink())?;
        Ok((decoded, self.is_live))
    }
}

enum Raw {
    File(File),
    Stream(Box<dyn Read + Send>),
}

/// Counts what is read, before it is decoded.
struct Counted {
    raw: Raw,
    progress: Arc<Progress>,
}

impl Counted {
    /// The first bytes, at most four, which are then read again.
    fn head(&mut self) -> io::Result<Vec<u8>> {
        let mut head = Vec::with_capacity(4);
        match &mut self.raw {
            Raw::File(file) => {
                file.take(4).read_to_end(&mut head)?;
                file.rewind()?;
            }
            Raw::Stream(reader) => {
                reader.take(4).read_to_end(&mut head)?;
                let rest = mem::replace(reader, Box::new(io::empty()));
                *reader = Box::new(io::Cursor::new(head.clone()).chain(rest));
            }
        }
        Ok(head)
    }

    /// Goes to `position` where that is possible.
    fn skip_to(&mut self, position: u64) -> io::Result<bool> {
        let Raw::File(file) = &mut self.raw else {
            return Ok(false);
        };
        file.seek(SeekFrom::Start(position))?;
        self.progress.read(position);
        Ok(true)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.raw {
            Raw::File(file) => file.read(buffer),
            Raw::Stream(reader) => reader.read(buffer),
        }?;
        self.progress.read(count as u64);
        Ok(count)
    }
}
