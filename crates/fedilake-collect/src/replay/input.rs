//! An input of a replay: a file or a stream, its identity, and its decoded bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, mem, thread};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::Xxh3;

use super::chunk::Chunk;
use super::chunks::Chunks;
use super::packed::{self, Packed};
use super::position::Position;
use super::refusal::{self, HEAD_BYTES, Refusal};
use super::{Progress, ReplayError};

/// A source of recorded posts.
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

    /// The size on disk in bytes; 0 if it is not known.
    pub fn length(&self) -> u64 {
        match self {
            Input::File(path) => path.metadata().map_or(0, |metadata| metadata.len()),
            Input::Stream { .. } => 0,
        }
    }

    /// Opens a file and looks at its first bytes: the error that a replay of it would end with at once. Nothing is said against
    /// what can be read only once.
    pub fn look(&self) -> Result<(), ReplayError> {
        let Input::File(path) = self else { return Ok(()) };
        let open_error = |source| ReplayError::Open { input: self.to_string(), source };
        let metadata = path.metadata().map_err(open_error)?;
        if metadata.is_dir() {
            return Err(open_error(io::Error::other("it is a folder\nhint: name the files in it")));
        }
        if !metadata.is_file() {
            // A pipe's writer would lose its reader.
            return Ok(());
        }
        let opened = Input::File(path.clone()).open(Arc::default()).map_err(open_error)?;
        match opened.decoded(Position::default()) {
            Err(Fault::Refused(refusal)) => Err(ReplayError::Refused { input: self.to_string(), refusal }),
            // Damage further on is reported with the line that it comes after.
            Err(Fault::Read(_)) | Ok(_) => Ok(()),
        }
    }

    /// The identity of a file's content, wherever the file lies and whatever it is called: a hash of every byte on disk. None for
    /// an input that can be read only once, and if `shutdown` comes before the end.
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

    /// Opens the input; decodes nothing yet.
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

/// An open input.
pub(super) struct Opened {
    raw: Counted,
    /// Values are passed on as they come, not in large chunks.
    is_live: bool,
}

impl Opened {
    /// Chunks of values from `from` on, read and decoded by a thread of its own, at most `chunks_max` ahead.
    /// The thread ends with the input, or when the receiver is dropped and the read under way returns.
    pub(super) fn read(
        self,
        from: Position,
        value_bytes_max: usize,
        chunks_max: usize,
    ) -> mpsc::Receiver<Result<Chunk, Fault>> {
        let (sender, receiver) = mpsc::channel(chunks_max);
        thread::spawn(move || {
            let mut chunks = match self.decoded(from) {
                Ok((decoded, is_live)) => Chunks::new(decoded, from, value_bytes_max, is_live),
                Err(error) => return drop(sender.blocking_send(Err(error))),
            };
            while let Some(chunk) = chunks.next().transpose() {
                let is_last = chunk.is_err();
                if sender.blocking_send(chunk.map_err(Fault::Read)).is_err() || is_last {
                    return;
                }
            }
        });
        receiver
    }

    /// The decoded bytes from `from` on.
    fn decoded(mut self, from: Position) -> Result<(Box<dyn Read + Send>, bool), Fault> {
        let is_live = self.is_live;
        let head = self.raw.head()?;
        let mut decoded: Box<dyn Read + Send> = if packed::is_packed(&head) {
            Box::new(Packed::new(self.raw))
        } else if from.bytes > 0 && self.raw.skip_to(from.bytes)? {
            return Ok((Box::new(self.raw), is_live));
        } else {
            Box::new(self.raw)
        };
        if from.bytes > 0 {
            io::copy(&mut (&mut decoded).take(from.bytes), &mut io::sink())?;
            return Ok((decoded, is_live));
        }
        let (head, rest) = beginning(&mut decoded, is_live);
        if rest.is_ok()
            && let Some(refusal) = refusal::of(&head)
        {
            return Err(Fault::Refused(refusal));
        }
        Ok((Box::new(io::Cursor::new(head).chain(Rest { error: rest.err(), decoded })), is_live))
    }
}

/// Why no more of an input comes.
#[derive(Debug)]
pub(super) enum Fault {
    /// The input holds no posts.
    Refused(Refusal),
    /// The input broke off.
    Read(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Read(error)
    }
}

/// The first bytes that an input has, and whether they could be read. Of a live one what comes first: the rest may be long in
/// coming.
fn beginning(decoded: &mut dyn Read, is_live: bool) -> (Vec<u8>, io::Result<()>) {
    let mut head = vec![0; HEAD_BYTES];
    let mut length = 0;
    while length < head.len() {
        match decoded.read(&mut head[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                head.truncate(length);
                return (head, Err(error));
            }
        }
        if is_live && head[..length].iter().any(|byte| !byte.is_ascii_whitespace()) {
            break;
        }
    }
    head.truncate(length);
    (head, Ok(()))
}

/// The input after its first bytes: an error that was met with them, or the rest.
struct Rest {
    error: Option<io::Error>,
    decoded: Box<dyn Read + Send>,
}

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.decoded.read(buffer),
        }
    }
}

enum Raw {
    File(File),
    Stream(Box<dyn Read + Send>),
}

/// Counts bytes as they are read, before they are decoded.
struct Counted {
    raw: Raw,
    progress: Arc<Progress>,
}

impl Counted {
    /// The first bytes, at most four. The next read begins with them again.
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

    /// Skips to `position`; false if that is not possible.
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
