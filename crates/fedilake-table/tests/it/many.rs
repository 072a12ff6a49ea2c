//! A table of many small files: the requests that its readers and writers send.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use async_trait::async_trait;
use bytes::Bytes;
use fedilake_log::{Bounds, LogId, Offset, Partition};
use fedilake_model::avro::Decoder;
use fedilake_table::conformance::records;
use fedilake_table::{Chain, Commit, DataFile, Table};
use futures::stream::{BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

const FILES: u64 = 300;
/// Names that the store tells in one answer. S3 tells a thousand; a tenth of the files does for the same proportions.
const PAGE: u64 = 100;
/// Pages of a listing of every file, and of the object with the chain's start.
const PAGES: u64 = FILES / PAGE + 1;

/// A store in memory that counts requests as S3 would get them.
#[derive(Debug, Default)]
struct Counting {
    inner: InMemory,
    lists: Arc<AtomicU64>,
    gets: AtomicU64,
    puts: AtomicU64,
}

impl Counting {
    /// Requests since the last call: pages of listings, reads, writes.
    fn requests(&self) -> [u64; 3] {
        [&*self.lists, &self.gets, &self.puts].map(|count| count.swap(0, SeqCst))
    }

    fn paged(&self, listing: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.lists.fetch_add(1, SeqCst);
        let lists = Arc::clone(&self.lists);
        let count = move |(at, object): (usize, Result<ObjectMeta>)| {
            if at > 0 && (at as u64).is_multiple_of(PAGE) {
                lists.fetch_add(1, SeqCst);
            }
            object
        };
        listing.enumerate().map(count).boxed()
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.puts.fetch_add(1, SeqCst);
        self.inner.put_opts(location, payload, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.gets.fetch_add(1, SeqCst);
        self.inner.get_opts(location, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.paged(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.paged(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }
}

fn chain() -> Chain {
    Chain { log: LogId::new("many").unwrap(), partition: Partition(0) }
}

fn file(first: u64) -> DataFile {
    let records = records(Partition(0), [first]);
    DataFile::seal(chain(), Offset(first), Offset(first + 1), &records, &mut Decoder::new()).unwrap()
}

/// A store with a table of [`FILES`] files of a row each.
async fn filled() -> Arc<Counting> {
    let store = Arc::<Counting>::default();
    let table = open(&store);
    table.next_offset(&chain(), Bounds { start: Offset(0), end: Offset(FILES) }).await.unwrap();
    for first in 0..FILES {
        assert!(matches!(table.commit(&file(first)).await.unwrap(), Commit::Done(_)));
    }
    let [_, _, puts] = store.requests();
    assert_eq!(puts, FILES + 1, "a file is one put, and so is the chain's start");
    store
}

/// The table as a process that starts opens it.
fn open(store: &Arc<Counting>) -> Table {
    Table::new(store.clone(), Path::from("lake"))
}

#[tokio::test]
async fn a_table_of_many_files_is_opened_and_followed_by_its_names_and_one_footer() {
    let store = filled().await;
    let table = open(&store);
    assert_eq!(table.snapshot().await.unwrap().chains[0].files.len() as u64, FILES);
    assert_eq!(store.requests(), [PAGES, 1, 0], "a listing and the newest footer");
    table.snapshot().await.unwrap();
    assert_eq!(store.requests(), [PAGES, 0, 0], "the footer is known");
    assert_eq!(table.first_file(&chain()).await.unwrap(), Some(Offset(0)));
    assert_eq!(store.requests(), [PAGES, 0, 0]);
    // Another process commits a file.
    let bounds = Bounds { start: Offset(0), end: Offset(FILES + 1) };
    let writer = open(&store);
    assert_eq!(writer.next_offset(&chain(), bounds).await.unwrap(), Offset(FILES));
    assert!(matches!(writer.commit(&file(FILES)).await.unwrap(), Commit::Done(_)));
    store.requests();
    assert_eq!(table.snapshot().await.unwrap().chains[0].next(), Offset(FILES + 1));
    assert_eq!(store.requests(), [PAGES, 1, 0], "the new footer");
}

#[tokio::test]
async fn a_sink_finds_the_end_of_many_files_and_commits_without_listing_them() {
    let store = filled().await;
    // A log that keeps everything, one that keeps half, and one that was released up to the table's end.
    for (start, lists) in [(0, PAGES), (FILES / 2, FILES / 2 / PAGE + 1), (FILES, 1 + PAGES)] {
        let table = open(&store);
        let bounds = Bounds { start: Offset(start), end: Offset(FILES + 9) };
        assert_eq!(table.next_offset(&chain(), bounds).await.unwrap(), Offset(FILES));
        assert_eq!(store.requests(), [lists, 1, 0], "a listing and the newest footer, from {start}");
        let written = file(FILES);
        assert!(matches!(table.commit(&written).await.unwrap(), Commit::Done(_)));
        assert_eq!(store.requests(), [0, 0, 1], "a commit is one put");
        store.delete(&Path::from(format!("lake/posts/{}/{FILES:020}.parquet", chain()))).await.unwrap();
    }
}

#[tokio::test]
async fn a_check_reads_each_small_file_once() {
    let store = filled().await;
    let table = open(&store);
    // Also the chain's start.
    for check in [table.check_footers().await.unwrap(), table.check().await.unwrap()] {
        assert_eq!((check.files, check.rows, &check.findings[..]), (FILES, FILES, &[][..]));
        assert!(check.readable.iter().enumerate().all(|(at, file)| file.next == Offset(at as u64 + 1)));
    }
    assert_eq!(store.requests(), [2 * PAGES, 2 * (FILES + 1), 0]);
}

#[tokio::test]
async fn a_changed_byte_of_a_small_file_is_damage_that_only_the_whole_check_finds() {
    let store = filled().await;
    let location = Path::from(format!("lake/posts/{}/{:020}.parquet", chain(), 7));
    let mut bytes = store.get(&location).await.unwrap().bytes().await.unwrap().to_vec();
    bytes[9] ^= 1;
    store.put(&location, Bytes::from(bytes).into()).await.unwrap();
    let table = open(&store);
    assert_eq!(table.check_footers().await.unwrap().findings, []);
    let found = table.check().await.unwrap().findings;
    assert!(found.len() == 1 && found[0].to_string().contains("checksum"), "{found:?}");
}
