//! The table's objects in their store: listed, read and put, one at a time.

use bytes::Bytes;
use fedilake_log::Offset;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

use crate::chain::{self, Name};
use crate::footer::{Body, Checksum, Unread, WRONG_CHECKSUM};
use crate::local::NotAFile;
use crate::{Chain, Footer, TableError};

/// Bytes read from a file's end, where its footer is: enough for about ten row groups.
const FOOTER_GUESS_BYTES: u64 = 64 * 1024;

/// Bytes read at a time when a whole file is read.
const PIECE_BYTES: u64 = 8 * 1024 * 1024;

/// A store and the table's prefix in it.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
}

/// An object of the table with its parsed name.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: Name,
    pub(crate) location: Path,
    pub(crate) bytes: u64,
}

/// The end of a data file, all of a small one, and its footer.
struct End {
    metadata: ParquetMetaData,
    bytes: Bytes,
    /// Of the whole file.
    size: u64,
}

impl Objects {
    /// Lists every object below the table's folder, in no order.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>, TableError> {
        let folder = chain::files(&self.prefix);
        let objects = self.store.list(Some(&folder)).map_ok(|object| Listed {
            name: chain::name(&self.prefix, &object.location),
            location: object.location,
            bytes: object.size,
        });
        objects.try_collect().await.map_err(failed("list", &folder))
    }

    /// The first offset of the newest file of `chain` after the file that begins at `known`.
    pub(crate) async fn newest(&self, chain: &Chain, known: Option<Offset>) -> Result<Option<Offset>, TableError> {
        self.fold(chain, known, Offset::max).await
    }

    /// The first offset of the oldest file of `chain`.
    pub(crate) async fn oldest(&self, chain: &Chain) -> Result<Option<Offset>, TableError> {
        self.fold(chain, None, Offset::min).await
    }

    /// One of the first offsets of the files of `chain` after the file that begins at `known`.
    async fn fold(
        &self,
        chain: &Chain,
        known: Option<Offset>,
        choose: impl Fn(Offset, Offset) -> Offset,
    ) -> Result<Option<Offset>, TableError> {
        let folder = chain.folder(&self.prefix);
        let listing = match known {
            Some(known) => self.store.list_with_offset(Some(&folder), &chain.file(&self.prefix, known)),
            None => self.store.list(Some(&folder)),
        };
        let firsts = listing.try_filter_map(async |object| match chain::name(&self.prefix, &object.location) {
            Name::File { first, .. } => Ok(Some(first)),
            _ => Ok(None),
        });
        let chosen = firsts.try_fold(None, async |chosen: Option<Offset>, first| {
            Ok(Some(chosen.map_or(first, |chosen| choose(chosen, first))))
        });
        chosen.await.map_err(failed("list", &folder))
    }

    /// Puts an object unless its name is taken.
    pub(crate) async fn create(&self, location: &Path, bytes: Bytes) -> Result<(), StoreError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.store.put_opts(location, PutPayload::from_bytes(bytes), options).await.map(|_| ())
    }

    /// Writes an object's bytes to the file `to`.
    pub(crate) async fn copy(&self, location: &Path, to: &std::path::Path) -> Result<(), TableError> {
        let object = self.store.get(location).await.map_err(unread(location))?;
        let written = async {
            let mut file = tokio::fs::File::create(to).await?;
            let mut pieces = object.into_stream();
            while let Some(piece) = pieces.try_next().await? {
                file.write_all(&piece).await?;
            }
            file.flush().await
        };
        written
            .await
            .map_err(|error| failed("copy", location)(StoreError::Generic { store: "file", source: Box::new(error) }))
    }

    /// Reads the offset at which `chain` begins; `None` if no writer stored it yet.
    pub(crate) async fn start(&self, chain: &Chain) -> Result<Option<Offset>, TableError> {
        let location = chain.start(&self.prefix);
        let content = async { self.store.get(&location).await?.bytes().await };
        let content = match content.await {
            Ok(content) => content,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(unread(&location)(source)),
        };
        let start = std::str::from_utf8(&content).ok().and_then(|text| text.strip_suffix('\n')?.parse().ok());
        let start = start
            .filter(|start| Offset(*start) < Offset::END)
            .ok_or_else(|| damaged(&location, "it should hold one offset and a line feed"))?;
        Ok(Some(Offset(start)))
    }

    /// Reads the footer of the file of `chain` that begins at `first`, and checks it against the name.
    pub(crate) async fn footer(&self, chain: &Chain, first: Offset) -> Result<Footer, TableError> {
        let location = chain.file(&self.prefix, first);
        let End { metadata, .. } = self.metadata(&location).await?;
        footer_of(&metadata, chain, first).map_err(|unread| error_of(&location, unread))
    }

    /// Reads a data file completely, checks its checksum, and returns its footer. A small file takes one request.
    pub(crate) async fn verified_footer(&self, chain: &Chain, first: Offset) -> Result<Footer, TableError> {
        let location = chain.file(&self.prefix, first);
        let End { metadata, bytes, size } = self.metadata(&location).await?;
        let footer = footer_of(&metadata, chain, first).map_err(|unread| error_of(&location, unread))?;
        let body = Body::read(&metadata).map_err(|why| damaged(&location, why))?;
        let mut checksum = Checksum::default();
        if bytes.len() as u64 == size {
            checksum.add(&bytes[..bytes.len().min(usize::try_from(body.length).unwrap_or(usize::MAX))]);
        }
        while checksum.length() < body.length {
            let from = checksum.length();
            let piece = from..body.length.min(from + PIECE_BYTES);
            let bytes = self.store.get_range(&location, piece).await.map_err(unread(&location))?;
            if bytes.is_empty() {
                break;
            }
            checksum.add(&bytes);
        }
        if checksum.body() != body {
            return Err(damaged(&location, WRONG_CHECKSUM));
        }
        Ok(footer)
    }

    async fn metadata(&self, location: &Path) -> Result<End, TableError> {
        let mut guess = FOOTER_GUESS_BYTES;
        loop {
            let (bytes, size) = self.end(location, guess).await?;
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&bytes, size).and_then(|()| reader.finish()) {
                Ok(metadata) => return Ok(End { metadata, bytes, size }),
                Err(ParquetError::NeedMoreData(bytes)) if guess < bytes as u64 && bytes as u64 <= size => {
                    guess = bytes as u64;
                }
                Err(error) => return Err(damaged(location, error.to_string())),
            }
        }
    }

    /// The last `length` bytes of an object, or all of a shorter one; and the object's size.
    async fn end(&self, location: &Path, length: u64) -> Result<(Bytes, u64), TableError> {
        let end = async {
            let options = GetOptions { range: Some(GetRange::Suffix(length)), ..GetOptions::default() };
            let object = self.store.get_opts(location, options).await?;
            let size = object.meta.size;
            Ok((object.bytes().await?, size))
        };
        match end.await {
            // S3 refuses every range of an empty object, even an empty range.
            Err(StoreError::Generic { .. }) if self.is_empty(location).await => Ok((Bytes::new(), 0)),
            end => end.map_err(unread(location)),
        }
    }

    async fn is_empty(&self, location: &Path) -> bool {
        self.store.head(location).await.is_ok_and(|object| object.size == 0)
    }
}

fn footer_of(metadata: &ParquetMetaData, chain: &Chain, first: Offset) -> Result<Footer, Unread> {
    let footer = Footer::read(metadata)?;
    if footer.chain != *chain || footer.first != first {
        return Err(format!("its footer is that of {} from offset {}", footer.chain, footer.first).into());
    }
    Ok(footer)
}

pub(crate) fn failed(doing: &'static str, location: &Path) -> impl FnOnce(StoreError) -> TableError {
    let location = location.to_string();
    move |source| TableError::Store { doing, location, source }
}

/// As [`failed`], for a read: what is no file is damaged.
fn unread(location: &Path) -> impl FnOnce(StoreError) -> TableError {
    move |source| match &source {
        StoreError::Generic { source: cause, .. } if cause.is::<NotAFile>() => damaged(location, cause.to_string()),
        _ => failed("read", location)(source),
    }
}

fn error_of(location: &Path, unread: Unread) -> TableError {
    match unread {
        Unread::Damaged(why) => damaged(location, why),
        Unread::Newer(why) => TableError::Newer { location: location.to_string(), why },
    }
}

fn damaged(location: &Path, why: impl Into<String>) -> TableError {
    TableError::Damaged { location: location.to_string(), why: why.into() }
}
