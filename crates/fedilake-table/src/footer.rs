//! The footer of a data file: the range that it covers, as key-values of the Parquet footer.
//!
//! | key | value |
//! |---|---|
//! | `fedilake.format` | 1 |
//! | `fedilake.log`, `fedilake.partition` | the chain |
//! | `fedilake.first`, `fedilake.next` | the offsets that the file covers: `first` and up to but not including `next` |
//! | `fedilake.rows` | how many of these offsets carry a record: the file's rows |
//! | `fedilake.holes` | the offsets without a record, as `0..=9,12..=12` |
//! | `fedilake.body` | length and CRC-32 of all bytes before the page indexes: `123456:89abcdef` |
//!
//! A file without rows is an accepted gap: a sink never writes one.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::str::FromStr;

use fedilake_log::{LogId, Offset, Partition};
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};

use crate::local::NotAFile;
use crate::{Chain, Holes, TableError};

/// The damage of a file whose body is not as it was written.
pub(crate) const WRONG_CHECKSUM: &str = "its bytes do not have the checksum that its footer gives";

/// Bytes of a file on this machine that are read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// The format that this program writes and reads. An added column is not a new format, because readers match columns
/// by name.
const FORMAT: u32 = 1;

/// Why a file's footer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The footer is not as it was written.
    Damaged(String),
    /// A newer fedilake wrote it.
    Newer(String),
}

impl From<String> for Unread {
    fn from(why: String) -> Unread {
        Unread::Damaged(why)
    }
}

/// The content of a data file's footer. A footer that was read is consistent: `next > first` and rows + holes = next
/// − first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// The chain that the file is a part of.
    pub chain: Chain,
    /// The first offset that the file covers; the file's name.
    pub first: Offset,
    /// The offset after the last one that the file covers.
    pub next: Offset,
    /// How many of these offsets carry a record.
    pub rows: u64,
    /// The offsets that carry no record.
    pub holes: Holes,
}

impl Footer {
    /// Reads the footer of a data file on this machine, such as a copy. Sends no request to the table's store. A file that
    /// cannot be opened is no damaged one: [`TableError::Store`]. A name that is no file's is.
    pub fn of_file(path: &Path) -> Result<Footer, TableError> {
        Footer::opened(path).map(|(footer, ..)| footer)
    }

    /// Like [`Footer::of_file`], but reads the whole file and checks its checksum.
    pub fn of_whole_file(path: &Path) -> Result<Footer, TableError> {
        let (footer, metadata, mut file) = Footer::opened(path)?;
        let damaged = |why: String| TableError::Damaged { location: path.display().to_string(), why };
        let body = Body::read(&metadata).map_err(damaged)?;
        file.rewind().map_err(failed(path))?;
        let (mut checksum, mut piece) = (Checksum::default(), vec![0; PIECE_BYTES]);
        while checksum.length() < body.length {
            let left =
                usize::try_from(body.length - checksum.length()).map_or(piece.len(), |left| left.min(piece.len()));
            let read = file.read(&mut piece[..left]).map_err(failed(path))?;
            if read == 0 {
                break;
            }
            checksum.add(&piece[..read]);
        }
        if checksum.body() == body { Ok(footer) } else { Err(damaged(WRONG_CHECKSUM.to_owned())) }
    }

    fn opened(path: &Path) -> Result<(Footer, ParquetMetaData, File), TableError> {
        let location = || path.display().to_string();
        if let Some(what) = NotAFile::at(path) {
            return Err(TableError::Damaged { location: location(), why: what.to_string() });
        }
        let file = File::open(path).map_err(failed(path))?;
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file);
        let metadata =
            metadata.map_err(|error| TableError::Damaged { location: location(), why: error.to_string() })?;
        let footer = Footer::read(&metadata).map_err(|unread| match unread {
            Unread::Damaged(why) => TableError::Damaged { location: location(), why },
            Unread::Newer(why) => TableError::Newer { location: location(), why },
        })?;
        Ok((footer, metadata, file))
    }

    /// True if the file covers offsets that the log lost and someone accepted as lost.
    pub fn is_accepted_gap(&self) -> bool {
        self.rows == 0
    }

    pub(crate) fn key_values(&self) -> Vec<KeyValue> {
        let entry = |key: &str, value: String| KeyValue::new(format!("fedilake.{key}"), value);
        vec![
            entry("format", FORMAT.to_string()),
            entry("log", self.chain.log.to_string()),
            entry("partition", self.chain.partition.to_string()),
            entry("first", self.first.to_string()),
            entry("next", self.next.to_string()),
            entry("rows", self.rows.to_string()),
            entry("holes", self.holes.to_string()),
        ]
    }

    /// Reads the key-values and checks them against each other and against the number of rows.
    pub(crate) fn read(metadata: &ParquetMetaData) -> Result<Footer, Unread> {
        let file = metadata.file_metadata();
        let entries = file.key_value_metadata().ok_or_else(|| "its footer has no fedilake entries".to_owned())?;
        let format: u32 = parse(entries, "format")?;
        if format > FORMAT {
            return Err(Unread::Newer(format!("its format is {format}, this one reads {FORMAT}")));
        }
        if format != FORMAT {
            return Err(format!("its format is {format}, this program reads {FORMAT}").into());
        }
        let log = LogId::new(value(entries, "log")?).ok_or_else(|| "the log id in its footer is invalid".to_owned())?;
        let footer = Footer {
            chain: Chain { log, partition: Partition(parse(entries, "partition")?) },
            first: Offset(parse(entries, "first")?),
            next: Offset(parse(entries, "next")?),
            rows: parse(entries, "rows")?,
            holes: parse(entries, "holes")?,
        };
        footer.fits_itself()?;
        if i64::try_from(footer.rows) != Ok(file.num_rows()) {
            return Err(format!("its footer says {} rows, it has {}", footer.rows, file.num_rows()).into());
        }
        Ok(footer)
    }

    /// Checks that the values agree with each other, as in every footer that is written or was read.
    pub(crate) fn fits_itself(&self) -> Result<(), String> {
        let Footer { first, next, rows, holes, .. } = self;
        if next <= first {
            return Err(format!("its footer ends at {next}, not after its first offset {first}"));
        }
        if *next > Offset::END {
            return Err(format!("its footer ends at {next}, beyond every offset"));
        }
        if !holes.within(*first, *next) {
            return Err(format!("its footer's holes {holes} lie outside {first}..{next}"));
        }
        if rows.checked_add(holes.count()) != Some(next.0 - first.0) {
            return Err(format!("its footer's {rows} rows and {} holes do not fill {first}..{next}", holes.count()));
        }
        Ok(())
    }
}

/// The length and checksum of a data file's body: everything before the page indexes and the footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) length: u64,
    crc32: u32,
}

impl Body {
    pub(crate) fn key_value(self) -> KeyValue {
        KeyValue::new("fedilake.body".to_string(), format!("{}:{:08x}", self.length, self.crc32))
    }

    pub(crate) fn read(metadata: &ParquetMetaData) -> Result<Body, String> {
        let entries = metadata.file_metadata().key_value_metadata().ok_or("its footer has no fedilake entries")?;
        parse(entries, "body")
    }
}

/// Computes the length and checksum of a body, piece by piece.
#[derive(Default)]
pub(crate) struct Checksum {
    length: u64,
    crc32: crc32fast::Hasher,
}

impl Checksum {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.crc32.update(bytes);
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn body(self) -> Body {
        Body { length: self.length, crc32: self.crc32.finalize() }
    }
}

impl FromStr for Body {
    type Err = String;

    fn from_str(text: &str) -> Result<Body, String> {
        text.split_once(':')
            .and_then(|(length, crc32)| {
                Some(Body { length: length.parse().ok()?, crc32: u32::from_str_radix(crc32, 16).ok()? })
            })
            .ok_or_else(|| "not a length and a checksum".to_string())
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> TableError {
    let location = path.display().to_string();
    move |error| TableError::Store {
        doing: "open",
        location,
        source: object_store::Error::Generic { store: "file", source: Box::new(error) },
    }
}

fn value<'a>(entries: &'a [KeyValue], key: &str) -> Result<&'a str, String> {
    entries
        .iter()
        .find(|entry| entry.key.strip_prefix("fedilake.") == Some(key))
        .and_then(|entry| entry.value.as_deref())
        .ok_or_else(|| format!("its footer has no fedilake.{key}"))
}

fn parse<T: FromStr<Err: ToString>>(entries: &[KeyValue], key: &str) -> Result<T, String> {
    let text = value(entries, key)?;
    text.parse().map_err(|error: T::Err| format!("its footer's fedilake.{key} is {text:?}: {}", error.to_string()))
}
