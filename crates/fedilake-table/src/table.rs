//! The table in an object store: finds the end of a chain, commits files, lists files.
//!
//! Promises: a file that [`Table::commit`] reports as done is in the table for ever and is the only one of its name;
//! it joins the file before it; every listed file is complete. The only write is one create-only put. The answer
//! "already exists" has three causes: another writer won; our own put succeeded and its answer was lost; the store
//! reported a conflict and wrote nothing. The chain's end tells which, so the caller reads it again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use fedilake_log::{Bounds, Offset};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore};

use crate::chain::Name;
use crate::objects::{Listed, Objects, failed};
use crate::{Chain, DataFile, Footer, TableError};

/// The number of files read at the same time.
pub(crate) const READS_AT_ONCE: usize = 16;

/// A table: data files in an object store, below a prefix. Any number of tables and processes may use the same place.
#[derive(Debug)]
pub struct Table {
    pub(crate) objects: Objects,
    /// The newest known end of each chain. Chains only grow, so an old entry may be too low, but never wrong.
    tails: Mutex<HashMap<Chain, Tail>>,
}

/// A chain's end: its newest file (`None` if only its start is known), and the next offset.
#[derive(Clone, Copy, Debug)]
struct Tail {
    newest: Option<Offset>,
    next: Offset,
}

/// A chain up to its last readable file.
struct Whole {
    newest: Option<Offset>,
    end: Offset,
    /// The files after it.
    damaged: Vec<DamagedFile>,
}

/// The outcome of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Commit {
    /// The file is in the table.
    Done(FileMeta),
    /// The file may or may not be in the table: the caller asks [`Table::next_offset`] for the chain's end and goes
    /// on there.
    Superseded,
}

/// A data file in the table, as its name and the listing describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// The chain that the file is a part of.
    pub chain: Chain,
    /// The first offset that it covers.
    pub first: Offset,
    /// The offset at which the next file begins, or the chain ends. If a file between the two was lost, this file
    /// ends earlier: see its [`Footer`].
    pub next: Offset,
    /// The file's name in the store, including the table's prefix.
    pub location: Path,
    /// The file's size in bytes.
    pub bytes: u64,
}

/// The data files of a table at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Every chain that has a data file, by log and partition.
    pub chains: Vec<ChainFiles>,
    /// Unreadable files at the ends of chains.
    pub damaged: Vec<DamagedFile>,
}

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedFile {
    /// The chain that the file is a part of, by its name.
    pub chain: Chain,
    /// The first offset that the file covers, by its name.
    pub first: Offset,
    /// The file's name in the store.
    pub location: String,
    /// The damage.
    pub why: String,
}

/// A chain's data files in the order of their offsets; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFiles {
    /// The chain.
    pub chain: Chain,
    /// The chain's files.
    pub files: Vec<FileMeta>,
}

impl ChainFiles {
    /// The offset after the last one that the chain covers.
    pub fn next(&self) -> Offset {
        self.files.last().expect("a chain in a snapshot has a file").next
    }
}

impl Table {
    /// A table in `store` below `prefix` (empty for the store's root). On local disk, use
    /// `LocalFileSystem::with_fsync(true)` so that files survive a power cut.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Table {
        Table { objects: Objects { store, prefix }, tails: Mutex::default() }
    }

    /// The same as [`Table::next_offset_from`], for a chain that begins at the log's start.
    pub async fn next_offset(&self, chain: &Chain, log: Bounds) -> Result<Offset, TableError> {
        self.next_offset_from(chain, log, log.start).await
    }

    /// The offset at which the next file of `chain` begins: the end of its newest file, or its start if it has none.
    /// The first caller stores `start` as the chain's start; all later callers begin there.
    ///
    /// `log` is the log partition's range of offsets, read *before* this call. [`TableError::Gap`] if the log starts
    /// after the table's end; [`TableError::BeyondEnd`] if the log ends before the table's end, which can also mean
    /// that the log grew after `log` was read.
    pub async fn next_offset_from(&self, chain: &Chain, log: Bounds, start: Offset) -> Result<Offset, TableError> {
        let next = match self.tail_from(chain, log.start).await? {
            Some(next) => next,
            None => self.begin(chain, start).await?,
        };
        if next < log.start {
            return Err(TableError::Gap { chain: chain.clone(), first: next, next: log.start });
        }
        if next > log.end {
            return Err(TableError::BeyondEnd { chain: chain.clone(), next, end: log.end });
        }
        Ok(next)
    }

    /// Puts `file` under the name that follows from its first offset, unless that name is taken. Refuses a file that
    /// does not join its chain: [`TableError::Disjoint`]. A failed put is an error only if the chain still ends where
    /// the file begins; the file may yet appear, so the caller calls [`Table::next_offset`] before it tries again.
    pub async fn commit(&self, file: &DataFile) -> Result<Commit, TableError> {
        let Footer { chain, first, next, .. } = file.footer();
        let known = self.known(chain).map(|tail| tail.next).filter(|next| next == first);
        let tail = match known {
            Some(tail) => tail,
            None => self.tail(chain).await?.ok_or_else(|| TableError::NoChain { chain: chain.clone() })?,
        };
        if tail > *first {
            return Ok(Commit::Superseded);
        }
        if tail < *first {
            return Err(TableError::Disjoint { chain: chain.clone(), first: *first, tail });
        }

        let location = chain.file(&self.objects.prefix, *first);
        match self.objects.create(&location, file.bytes().clone()).await {
            Ok(()) => {
                self.remember(chain, Tail { newest: Some(*first), next: *next });
                let bytes = file.bytes().len() as u64;
                Ok(Commit::Done(FileMeta { chain: chain.clone(), first: *first, next: *next, location, bytes }))
            }
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(Commit::Superseded),
            // The put may have succeeded although its answer was lost.
            Err(source) => match self.tail(chain).await {
                Ok(Some(tail)) if tail > *first => Ok(Commit::Superseded),
                _ => Err(failed("put", &location)(source)),
            },
        }
    }

    /// Commits a file without rows over `first..next` of `chain`, so that the sink can go on after it. `log` is the
    /// log partition's range: offsets that the log still has cannot be given up. [`Table::check`] lists the range for
    /// ever.
    pub async fn accept_gap(
        &self,
        chain: &Chain,
        first: Offset,
        next: Offset,
        log: Bounds,
    ) -> Result<Commit, TableError> {
        if next > log.start || next <= first {
            return Err(TableError::NotLost { chain: chain.clone(), first, next, start: log.start });
        }
        let gap = DataFile::gap(chain.clone(), first, next).expect("a file without rows can be made for every range");
        self.commit(&gap).await
    }

    /// Lists every data file. Reads the names, and the footer of each chain's newest file. Does not check that the
    /// files join: use [`Footer::of_file`] on a copy, [`Table::faults`] or [`Table::check`].
    ///
    /// A damaged newest file is listed as covering one offset, so that only readers of its rows meet the error. Files
    /// after it do not join the chain and are left out.
    pub async fn snapshot(&self) -> Result<Snapshot, TableError> {
        let mut chains: BTreeMap<Chain, BTreeMap<Offset, Listed>> = BTreeMap::new();
        for listed in self.objects.list().await? {
            if let Name::File { chain, first } = &listed.name {
                chains.entry(chain.clone()).or_default().insert(*first, listed);
            }
        }
        let chains: Vec<_> = chains.into_iter().collect();
        // Collected first, because a stream of lazily made futures that borrow is not `Send` for every lifetime.
        let joined: Vec<_> = chains.iter().map(|(chain, files)| self.join_up(chain, files)).collect();
        let joined: Vec<_> = futures::stream::iter(joined).buffered(READS_AT_ONCE).try_collect().await?;
        let (chains, damaged): (_, Vec<_>) = joined.into_iter().unzip();
        Ok(Snapshot { chains, damaged: damaged.concat() })
    }

    /// The first offset of the first data file of `chain`, if the table has one. Lists the chain's names and no others.
    pub async fn first_file(&self, chain: &Chain) -> Result<Option<Offset>, TableError> {
        self.objects.oldest(chain).await
    }

    /// The offset at which `chain` begins, if a writer stored it.
    pub async fn start(&self, chain: &Chain) -> Result<Option<Offset>, TableError> {
        self.objects.start(chain).await
    }

    /// Copies a data file to `to` on this machine, creating or overwriting it. An error may leave a part of the file
    /// there.
    pub async fn copy(&self, file: &FileMeta, to: &std::path::Path) -> Result<(), TableError> {
        self.objects.copy(&file.location, to).await
    }

    async fn join_up(
        &self,
        chain: &Chain,
        files: &BTreeMap<Offset, Listed>,
    ) -> Result<(ChainFiles, Vec<DamagedFile>), TableError> {
        let Whole { newest, end, damaged: unreadable } = self.whole(chain, files).await?;
        let whole = newest.map(|newest| files.range(..=newest)).into_iter().flatten();
        let damaged = files.get(&end).map(|_| end);
        let firsts: Vec<Offset> = whole.map(|(first, _)| *first).chain(damaged).collect();
        let last = damaged.map_or(end, Offset::next);
        let nexts = firsts.iter().skip(1).copied().chain([last]);
        let files = firsts.iter().zip(nexts).map(|(first, next)| FileMeta {
            chain: chain.clone(),
            first: *first,
            next,
            location: files[first].location.clone(),
            bytes: files[first].bytes,
        });
        Ok((ChainFiles { chain: chain.clone(), files: files.collect() }, unreadable))
    }

    /// The newest readable file of a chain, and the chain's end there.
    async fn whole(&self, chain: &Chain, files: &BTreeMap<Offset, Listed>) -> Result<Whole, TableError> {
        let mut damaged = Vec::new();
        for newest in files.keys().rev().copied() {
            if let Some(Tail { newest: Some(known), next: end }) = self.known(chain)
                && known == newest
            {
                return Ok(Whole { newest: Some(newest), end, damaged });
            }
            match self.objects.footer(chain, newest).await {
                Ok(footer) => {
                    self.remember(chain, Tail { newest: Some(newest), next: footer.next });
                    return Ok(Whole { newest: Some(newest), end: footer.next, damaged });
                }
                Err(TableError::Damaged { location, why }) => {
                    damaged.push(DamagedFile { chain: chain.clone(), first: newest, location, why });
                }
                Err(error) => return Err(error),
            }
        }
        let first = *files.keys().next().expect("a chain is listed by its files");
        Ok(Whole { newest: None, end: first, damaged })
    }

    /// The same as [`Table::tail`], for a chain that probably has a file which begins above `hint`: only those files
    /// are listed. The list of a long chain takes a request for each thousand files.
    async fn tail_from(&self, chain: &Chain, hint: Offset) -> Result<Option<Offset>, TableError> {
        if self.known(chain).is_none()
            && hint > Offset(0)
            && let Some(newest) = self.objects.newest(chain, Some(hint)).await?
        {
            return self.end_of(chain, newest).await.map(Some);
        }
        self.tail(chain).await
    }

    /// The end of `chain` in the store, listing only files after the known end; `None` if the table has nothing of
    /// it.
    async fn tail(&self, chain: &Chain) -> Result<Option<Offset>, TableError> {
        let known = self.known(chain);
        let newest = self.objects.newest(chain, known.and_then(|tail| tail.newest)).await?;
        match (newest, known) {
            (Some(newest), _) => Ok(Some(self.end_of(chain, newest).await?)),
            (None, Some(tail)) => Ok(Some(tail.next)),
            (None, None) => {
                let start = self.objects.start(chain).await?;
                Ok(start.inspect(|start| self.remember(chain, Tail { newest: None, next: *start })))
            }
        }
    }

    async fn end_of(&self, chain: &Chain, newest: Offset) -> Result<Offset, TableError> {
        let footer = self.objects.footer(chain, newest).await?;
        self.remember(chain, Tail { newest: Some(newest), next: footer.next });
        Ok(footer.next)
    }

    /// Stores `earliest` as the start of `chain`, unless another writer was first, and returns the stored start.
    async fn begin(&self, chain: &Chain, earliest: Offset) -> Result<Offset, TableError> {
        let location = chain.start(&self.objects.prefix);
        let put = self.objects.create(&location, Bytes::from(format!("{earliest}\n"))).await;
        // Whatever the put's answer, the object holds the chain's start.
        match (self.objects.start(chain).await?, put) {
            (Some(start), _) => {
                self.remember(chain, Tail { newest: None, next: start });
                Ok(start)
            }
            (None, Err(source)) => Err(failed("put", &location)(source)),
            (None, Ok(())) => {
                Err(TableError::Damaged { location: location.to_string(), why: "it is missing".to_string() })
            }
        }
    }

    fn known(&self, chain: &Chain) -> Option<Tail> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner).get(chain).copied()
    }

    fn remember(&self, chain: &Chain, tail: Tail) {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tails.entry(chain.clone()).or_insert(tail);
        if tail.next >= known.next {
            *known = tail;
        }
    }
}
