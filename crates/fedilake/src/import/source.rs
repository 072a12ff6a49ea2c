//! A source of the talk's files, a folder or a bucket, and the topics in it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use fedilake_log::{LogError, LogId, Offset, Partition};
use fedilake_table::s3::S3Url;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::name::{Name, Named, topic_folder};
use crate::settings::Settings;
use crate::wire;

/// The topics of a source, and its files that are none of theirs.
pub struct Listing {
    /// By folder and name.
    pub topics: Vec<Topic>,
    /// Parquet files with names that a sink does not give.
    pub unnamed: u64,
    /// Files of records' keys and headers, which lie beside the values.
    pub beside: u64,
    /// Parquet files whose names begin with a dot, as programs name copies under way and their own notes.
    pub hidden: u64,
    /// Files of a sink that cannot be read because of their names, and links to nothing in partitions that have no file.
    pub beyond: Vec<LogError>,
}

/// A source that was named, not yet listed.
pub struct Source {
    store: Arc<dyn ObjectStore>,
    /// The source's path within the store.
    prefix: ObjectPath,
    /// The store's root as a URL that is always written the same, without a slash at its end.
    root: Arc<str>,
    /// The source as it was typed, for messages.
    typed: String,
    /// The source on disk.
    folder: Option<PathBuf>,
}

/// The files that a sink wrote of one topic into one folder.
#[derive(Clone)]
pub struct Topic {
    /// The topic.
    pub(super) name: String,
    /// The URL of the folder that its partitions' folders lie in.
    pub(super) folder: String,
    pub(super) store: Arc<dyn ObjectStore>,
    /// By first offset, then by name. None of the lists is empty.
    pub(super) files: BTreeMap<Partition, Vec<SourceFile>>,
}

/// A file of the listing.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    /// The offset of its first row.
    pub(super) first: Offset,
    /// Its name in the store.
    pub(super) location: ObjectPath,
    /// The root of the store, as [`Source`] has it.
    root: Arc<str>,
    /// Its size.
    pub(super) bytes: u64,
    /// The time of its last write, in milliseconds since 1970.
    pub(super) written_at_ms: i64,
    /// True for a link to nothing: it stands for rows that cannot be read.
    pub(super) is_dangling: bool,
}

impl SourceFile {
    /// Its name for people.
    pub(super) fn shown(&self) -> String {
        shown(&format!("{}/{}", self.root, self.location)).to_owned()
    }

    /// The error for a link to nothing.
    pub(super) fn dangling(&self) -> LogError {
        LogError::Damaged { at: self.shown(), why: "it is a link to nothing".to_owned() }
    }

    /// A hash of its URL, which is the same from whichever folder above it the source was named.
    pub(super) fn url_hash(&self) -> u64 {
        xxh3_64(format!("{}/{}", self.root, self.location).as_bytes())
    }
}

/// An entry of a listing.
struct Entry {
    location: ObjectPath,
    bytes: u64,
    written_at_ms: i64,
    is_dangling: bool,
}

impl From<ObjectMeta> for Entry {
    fn from(object: ObjectMeta) -> Entry {
        let written_at_ms = object.last_modified.timestamp_millis();
        Entry { location: object.location, bytes: object.size, written_at_ms, is_dangling: false }
    }
}

impl Source {
    /// The place at `typed`: a folder's path, `file:PATH` or `s3://BUCKET/PREFIX`, which is reached as a table on S3 is.
    pub async fn open(typed: &str, settings: &Settings) -> anyhow::Result<Source> {
        let typed = typed.trim();
        if typed.starts_with("s3://") {
            return Source::s3(typed, settings).await.with_context(|| format!("open {typed}"));
        }
        let path = typed.strip_prefix("file:").map_or(typed, |path| path.strip_prefix("//").unwrap_or(path));
        if let Some((scheme, _)) = path.split_once("://") {
            bail!("open {typed}: no {scheme}: can be imported\nhint: give a folder, or s3://BUCKET/PREFIX");
        }
        Source::folder(typed, Path::new(path))
    }

    fn folder(typed: &str, path: &Path) -> anyhow::Result<Source> {
        // One folder, one log, by whatever way it is named.
        let folder = path.canonicalize().with_context(|| format!("open {typed}"))?;
        if !folder.is_dir() {
            bail!("open {typed}: it is a file\nhint: give the folder that the topic's files lie in");
        }
        let store = LocalFileSystem::new_with_prefix(&folder).with_context(|| format!("open {typed}"))?;
        // Odd characters are written as in the names that the store lists.
        let root = ObjectPath::from_absolute_path(&folder).with_context(|| format!("open {typed}"))?;
        let root = format!("file:/{root}").into();
        let (store, prefix) = (Arc::new(store), ObjectPath::default());
        Ok(Source { store, prefix, root, typed: typed.to_owned(), folder: Some(folder) })
    }

    async fn s3(typed: &str, settings: &Settings) -> anyhow::Result<Source> {
        let url = S3Url::parse(typed)?;
        let s3 = wire::s3::open(&url, settings)?;
        s3.reach().await?;
        let root = format!("s3://{}", url.bucket).into();
        Ok(Source { store: s3.store, prefix: s3.prefix, root, typed: typed.to_owned(), folder: None })
    }

    /// The entry of a link on disk; `None` if no name in the store is like its path, as where it is not UTF-8.
    fn link_to_nothing(&self, link: &Path) -> Option<Entry> {
        let url = format!("file:/{}", ObjectPath::from_absolute_path(link).ok()?);
        let location = ObjectPath::parse(url.strip_prefix(&*self.root)?.trim_start_matches('/')).ok()?;
        Some(Entry { location, bytes: 0, written_at_ms: 0, is_dangling: true })
    }

    /// Lists every topic there.
    pub async fn topics(&self) -> anyhow::Result<Listing> {
        let mut topics: BTreeMap<(String, String), Topic> = BTreeMap::new();
        let (mut unnamed, mut beside, mut hidden, mut other_formats) = (0, 0, 0, 0);
        let mut beyond = Vec::new();
        let links = self.folder.as_deref().map(links_to_nothing).unwrap_or_default();
        let links = links.iter().filter_map(|link| self.link_to_nothing(link)).map(Ok);
        let objects = self.store.list(Some(&self.prefix)).map_ok(Entry::from);
        let mut entries = objects.chain(futures::stream::iter(links));
        while let Some(entry) = entries.try_next().await.map_err(|error| unlisted(&self.typed, &error))? {
            let url = format!("{}/{}", self.root, entry.location);
            let (folder, file) = url.rsplit_once('/').expect("just put there");
            if file.starts_with('.') {
                hidden += u64::from(file.ends_with(".parquet"));
                continue;
            }
            let Name { topic, partition, first } = match Named::parse(file) {
                Named::Values(name) => name,
                Named::Beside => {
                    beside += 1;
                    continue;
                }
                Named::Beyond => {
                    let why = "its name has a partition or an offset that no Kafka log has".to_owned();
                    beyond.push(LogError::Damaged { at: shown(&url).to_owned(), why });
                    continue;
                }
                Named::Other => {
                    unnamed += u64::from(file.ends_with(".parquet"));
                    let is_other = file.contains('+') && [".avro", ".json"].iter().any(|end| file.ends_with(end));
                    other_formats += u64::from(is_other);
                    continue;
                }
            };
            let folder = match topic_folder(folder, partition) {
                Ok(folder) => folder.to_owned(),
                Err(by) => bail!(
                    "import {}: {} lies in a folder {by}\n\
                     hint: only Connect's DefaultPartitioner (folders partition=N) keeps the rows' offsets, which tell each row once",
                    self.typed,
                    shown(&url)
                ),
            };
            let key = (folder.clone(), topic.clone());
            let topic = topics.entry(key).or_insert_with(|| Topic {
                name: topic,
                folder,
                store: Arc::clone(&self.store),
                files: BTreeMap::new(),
            });
            topic.files.entry(partition).or_default().push(SourceFile {
                first,
                location: entry.location,
                root: Arc::clone(&self.root),
                bytes: entry.bytes,
                written_at_ms: entry.written_at_ms,
                is_dangling: entry.is_dangling,
            });
        }
        // Nothing begins with what cannot be read.
        for topic in topics.values_mut() {
            topic.files.retain(|_, files| {
                let has_file = files.iter().any(|file| !file.is_dangling);
                beyond.extend(files.iter().filter(|_| !has_file).map(SourceFile::dangling));
                has_file
            });
        }
        topics.retain(|_, topic| !topic.files.is_empty());
        if topics.is_empty() && beyond.is_empty() {
            let formats = if other_formats > 0 { "; its Avro and JSON files cannot be read" } else { "" };
            bail!(
                "import {}: there are no Parquet files of a Kafka Connect sink{formats}\n\
                 hint: they are named like topics/mastodon-topic/partition=0/mastodon-topic+0+0000001000.snappy.parquet",
                self.typed
            );
        }
        for files in topics.values_mut().flat_map(|topic| topic.files.values_mut()) {
            files.sort_by(|a, b| (a.first, &a.location).cmp(&(b.first, &b.location)));
        }
        Ok(Listing { topics: topics.into_values().collect(), unnamed, beside, hidden, beyond })
    }
}

impl Topic {
    /// The id of the topic as a log: the same for the same folder and name, whichever folder above it was typed.
    pub fn log_id(&self) -> LogId {
        let identity = format!("{}\n{}", self.folder, self.name);
        LogId::new(format!("import-{:032x}", xxh3_128(identity.as_bytes()))).expect("short, of hexadecimal digits")
    }

    /// Sizes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.values().flatten().map(|file| file.bytes).sum()
    }

    /// Each partition and the first offset that a file of it has.
    pub(super) fn firsts(&self) -> Vec<(Partition, Offset)> {
        let first = |files: &Vec<SourceFile>| files.first().expect("a partition has a file").first;
        self.files.iter().map(|(partition, files)| (*partition, first(files))).collect()
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {} in {}", self.name, shown(&self.folder))
    }
}

/// The error for a folder or bucket that cannot be listed to its end.
fn unlisted(typed: &str, error: &object_store::Error) -> anyhow::Error {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let cause = causes.last().map_or_else(|| error.to_string(), |cause| cause.to_string());
    let hint = match error {
        object_store::Error::Generic { store: "LocalFileSystem", .. } | object_store::Error::InvalidPath { .. } => {
            "\nhint: nothing was imported, so that no file is left out: move it out of the folder, or make it readable"
        }
        _ => "",
    };
    let shown = if error.to_string().contains(&cause) { error.to_string() } else { format!("{error}: {cause}") };
    anyhow::anyhow!("list {typed}: {shown}{hint}")
}

/// Links that have a sink's name and lead to no file, which no listing has.
fn links_to_nothing(folder: &Path) -> Vec<PathBuf> {
    // A folder that cannot be read ends the listing.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type());
        if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
            found.extend(links_to_nothing(&path));
        }
        let is_dangling = kind.is_ok_and(|kind| kind.is_symlink()) && !path.exists();
        if is_dangling && matches!(Named::parse(&entry.file_name().to_string_lossy()), Named::Values(_)) {
            found.push(path);
        }
    }
    found
}

/// A URL for people: a path where it is one.
fn shown(url: &str) -> &str {
    url.strip_prefix("file:").unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        folder
    }

    async fn topics(path: &Path) -> anyhow::Result<Listing> {
        Source::open(path.to_str().unwrap(), &Settings::load(None, [], &[])?).await?.topics().await
    }

    #[tokio::test]
    async fn a_topic_is_one_log_from_wherever_it_is_looked_at() -> anyhow::Result<()> {
        let folder = tree(&[
            "topics/t/partition=0/t+0+0000000010.snappy.parquet",
            "topics/t/partition=0/t+0+0000000000.snappy.parquet",
            "topics/t/partition=1/t+1+0000000005.parquet",
            "topics/u/partition=0/u+0+0000000000.parquet",
            "topics/t/partition=0/t+0+0000000000.keys.snappy.parquet",
            "topics/t/partition=0/t+0+0000000000.headers.snappy.parquet",
            "topics/t/partition=0/t+0+9223372036854775807.parquet",
            "topics/t/partition=0/notes.parquet",
            "topics/t/partition=0/_SUCCESS",
            "topics/t/partition=0/.t+0+0000000000.snappy.parquet.crc",
            "topics/t/partition=0/.t+0+0000000000.snappy.parquet",
            "topics/t/partition=0/._t+0+0000000010.snappy.parquet",
            "topics/t/partition=0/.DS_Store",
        ]);
        let Listing { topics: all, unnamed, beside, hidden, beyond } = topics(folder.path()).await?;
        assert_eq!((all.len(), unnamed, beside, hidden, beyond.len()), (2, 1, 2, 2, 1));
        let t = &all[0];
        assert_eq!(t.firsts(), [(Partition(0), Offset(0)), (Partition(1), Offset(5))]);
        assert_eq!(t.files[&Partition(0)].iter().map(|file| file.first.0).collect::<Vec<_>>(), [0, 10]);
        assert_ne!(t.log_id(), all[1].log_id());
        for below in ["topics", "topics/t", "topics/t/partition=1", "topics/../topics/t/"] {
            let some = topics(&folder.path().join(below)).await?.topics;
            assert_eq!(some[0].log_id(), t.log_id(), "{below}");
        }
        let other = tree(&["t/partition=0/t+0+0000000000.parquet"]);
        assert_ne!(topics(other.path()).await?.topics[0].log_id(), t.log_id());
        Ok(())
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_to_nothing_stands_in_its_place_among_files_and_alone_begins_nothing() -> anyhow::Result<()> {
        let folder = tree(&["ü t/partition=0/t+0+0000000000.parquet", "ü t/partition=0/t+0+0000000010.parquet"]);
        for (partition, first) in [(0, 5), (1, 0)] {
            let path = folder.path().join(format!("ü t/partition={partition}/t+{partition}+{first:010}.parquet"));
            std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
            std::os::unix::fs::symlink("nowhere", path)?;
        }
        let Listing { topics, beyond, .. } = topics(folder.path()).await?;
        let files: Vec<_> =
            topics[0].files[&Partition(0)].iter().map(|file| (file.first.0, file.is_dangling)).collect();
        assert_eq!(files, [(0, false), (5, true), (10, false)]);
        assert_eq!((topics.len(), topics[0].files.len()), (1, 1));
        let [LogError::Damaged { at, .. }] = &beyond[..] else { panic!("{beyond:?}") };
        assert!(at.ends_with("/partition=1/t+1+0000000000.parquet"), "{at}");
        Ok(())
    }

    #[tokio::test]
    async fn what_cannot_be_imported_is_named_with_a_hint() {
        let cases: [(&[&str], &str); 4] = [
            (&[], "no Parquet files"),
            (&["t/partition=0/t+0+0000000000.avro"], "Avro"),
            (&["t/year=2023/t+0+0000000000.parquet"], "year=2023"),
            (&["t/partition=1/t+0+0000000000.parquet"], "partition=1"),
        ];
        for (files, part) in cases {
            let folder = tree(files);
            let error = format!("{:#}", topics(folder.path()).await.err().unwrap());
            assert!(error.contains(part) && error.contains("\nhint: "), "{error}");
        }
        for typed in ["gs://bucket/x", "s3://", "/nonexistent/folder", "/dev/null"] {
            let settings = Settings::load(None, [], &[]).unwrap();
            let error = format!("{:#}", Source::open(typed, &settings).await.err().unwrap());
            assert!(error.contains(typed), "{error}");
        }
    }
}
