//! The check of a table: does every chain cover every offset once, and is every file as it was written?

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use fedilake_log::{Bounds, Offset};
use futures::StreamExt;

use crate::chain::Name;
use crate::objects::Listed;
use crate::table::READS_AT_ONCE;
use crate::{Chain, FileMeta, Footer, Table, TableError};

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// The number of chains that have a file or a start.
    pub chains: u64,
    /// The number of data files.
    pub files: u64,
    /// The number of rows in the readable data files.
    pub rows: u64,
    /// The size of all data files.
    pub bytes: u64,
    /// Ranges of offsets that the log lost before the table had them and that somebody accepted as lost. Not a fault,
    /// but listed for ever.
    pub accepted_gaps: Vec<FileMeta>,
    /// For each chain, the offset after the last one that it covers; `None` if its newest file cannot be read.
    pub ends: BTreeMap<Chain, Option<Offset>>,
    /// The readable data files, chain by chain in the order of their offsets; each one's `next` is that of its own footer.
    pub readable: Vec<FileMeta>,
    /// The offsets that the files of each chain cover without a record, ascending; those of accepted gaps are not among them.
    pub holes: BTreeMap<Chain, Vec<Range<Offset>>>,
    /// The faults, chain by chain; empty if the table is whole.
    pub findings: Vec<Finding>,
}

impl Check {
    /// Compares a chain's end with its log: offsets below the log's start must be in the table, else they are
    /// missing. `log` must be read *before* the table is checked, because the log forgets what a sink commits
    /// meanwhile.
    pub fn hold_against(&mut self, chain: &Chain, log: Bounds) {
        let end = match self.ends.get(chain) {
            Some(Some(end)) => *end,
            // The newest file is damaged: it has a finding of its own.
            Some(None) => return,
            None => Offset(0),
        };
        if end < log.start {
            let before = "the first offset of the log".to_owned();
            self.findings.push(Finding::Missing { chain: chain.clone(), first: end, next: log.start, before });
        }
    }
}

/// A fault of a table. Ranges are offsets, `next` not included; locations are names in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the sentence of their variant names")]
pub enum Finding {
    /// No file covers the range that ends where `before` begins.
    Missing { chain: Chain, first: Offset, next: Offset, before: String },
    /// Both the file at `location` and the file after it cover the range.
    Doubled { chain: Chain, first: Offset, next: Offset, location: String },
    /// The file cannot be read, or is not as it was written. The file should cover `first..next`; `next` is `None` if
    /// no other file tells.
    Damaged { chain: Chain, first: Offset, next: Option<Offset>, location: String, why: String },
    /// The object that holds the chain's first offset is missing or cannot be read.
    NoStart { chain: Chain, location: String, why: String },
    /// A Parquet file that the table did not write, but that Parquet readers would read as a part of it.
    Stray { location: String },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Missing { chain, first, next, before } => {
                write!(f, "missing: offsets {first}..{next} of {chain}, before {before}")
            }
            Finding::Doubled { chain, first, next, location } => {
                write!(f, "doubled: offsets {first}..{next} of {chain}, in {location} and in the file after it")
            }
            Finding::Damaged { chain, first, next, location, why } => {
                let next = next.map(|next| next.to_string()).unwrap_or_default();
                write!(f, "damaged: offsets {first}..{next} of {chain}, {location}: {why}")
            }
            Finding::NoStart { chain, location, why } => write!(f, "no start: {chain}, {location}: {why}"),
            Finding::Stray { location } => {
                write!(f, "stray: {location} is not a data file of the table, but Parquet readers would read it as one")
            }
        }
    }
}

/// How much of each data file is read.
#[derive(Clone, Copy, Debug)]
enum Depth {
    Footers,
    Bytes,
}

impl Table {
    /// Reads every data file completely. Checks its checksum, footer and name against each other and against its
    /// neighbours: the files of a chain must join from its start on, and rows + holes = next − first. Faults of the
    /// table are findings; an error means only that the store could not be read.
    pub async fn check(&self) -> Result<Check, TableError> {
        self.check_to(Depth::Bytes).await
    }

    /// Like [`Table::check`], but reads names and footers only: finds no damage in front of a footer. A request a file and one for each
    /// thousand names.
    pub async fn check_footers(&self) -> Result<Check, TableError> {
        self.check_to(Depth::Footers).await
    }

    /// The faults that the names and footers of all files show. Much faster than [`Table::check`], which finds all others.
    pub async fn faults(&self) -> Result<Vec<Finding>, TableError> {
        Ok(self.check_footers().await?.findings)
    }

    /// Reads every data file's footer: the offsets that each chain covers without a record ([`Check::holes`]).
    pub async fn holes(&self) -> Result<BTreeMap<Chain, Vec<Range<Offset>>>, TableError> {
        Ok(self.check_footers().await?.holes)
    }

    async fn check_to(&self, depth: Depth) -> Result<Check, TableError> {
        let mut check = Check::default();
        let mut chains: BTreeMap<Chain, BTreeMap<Offset, Listed>> = BTreeMap::new();
        for listed in self.objects.list().await? {
            match &listed.name {
                Name::File { chain, first } => {
                    chains.entry(chain.clone()).or_default().insert(*first, listed);
                }
                Name::Start(chain) => {
                    chains.entry(chain.clone()).or_default();
                }
                Name::StrayParquet => check.findings.push(Finding::Stray { location: listed.location.to_string() }),
                Name::Other => {}
            }
        }
        for (chain, files) in chains {
            self.check_chain(chain, files, depth, &mut check).await?;
        }
        Ok(check)
    }

    async fn check_chain(
        &self,
        chain: Chain,
        files: BTreeMap<Offset, Listed>,
        depth: Depth,
        check: &mut Check,
    ) -> Result<(), TableError> {
        check.chains += 1;
        let mut expected = match self.objects.start(&chain).await {
            Ok(Some(start)) => Some(start),
            Ok(None) => {
                let location = chain.start(&self.objects.prefix).to_string();
                check.findings.push(Finding::NoStart {
                    chain: chain.clone(),
                    location,
                    why: "it is missing".to_string(),
                });
                None
            }
            Err(TableError::Damaged { location, why }) => {
                check.findings.push(Finding::NoStart { chain: chain.clone(), location, why });
                None
            }
            Err(error) => return Err(error),
        };

        let mut before: Option<&Listed> = None;
        // Collected first, because a stream of lazily made futures that borrow is not `Send` for every lifetime.
        let read = async |first: Offset| match depth {
            Depth::Bytes => self.objects.verified_footer(&chain, first).await,
            Depth::Footers => self.objects.footer(&chain, first).await,
        };
        let reads: Vec<_> = files.keys().map(|first| read(*first)).collect();
        let mut reads = futures::stream::iter(reads).buffered(READS_AT_ONCE);
        for (first, listed) in &files {
            let first = *first;
            let footer = reads.next().await.expect("there is a read a file");
            check.files += 1;
            check.bytes += listed.bytes;
            if let Some(expected) = expected {
                check.findings.extend(seam(&chain, expected, first, before, listed));
            }
            expected = match footer {
                Ok(footer) => {
                    check.rows += footer.rows;
                    check.readable.push(meta(&footer, listed));
                    if footer.is_accepted_gap() {
                        check.accepted_gaps.push(meta(&footer, listed));
                    } else if footer.holes.count() > 0 {
                        check.holes.entry(chain.clone()).or_default().extend(footer.holes.ranges());
                    }
                    Some(footer.next)
                }
                Err(TableError::Damaged { location, why }) => {
                    // The damaged file's end is unknown: assume the start of the next file.
                    let next = files.range(first.next()..).next().map(|(next, _)| *next);
                    check.findings.push(Finding::Damaged { chain: chain.clone(), first, next, location, why });
                    next
                }
                Err(error) => return Err(error),
            };
            before = Some(listed);
        }
        check.ends.insert(chain.clone(), expected);
        Ok(())
    }
}

/// The finding for a file that ends at `expected`, followed by a file that begins at `first`.
fn seam(chain: &Chain, expected: Offset, first: Offset, before: Option<&Listed>, after: &Listed) -> Option<Finding> {
    let chain = chain.clone();
    if first > expected {
        let before = after.location.to_string();
        Some(Finding::Missing { chain, first: expected, next: first, before })
    } else if first < expected {
        let location = before.unwrap_or(after).location.to_string();
        Some(Finding::Doubled { chain, first, next: expected, location })
    } else {
        None
    }
}

fn meta(footer: &Footer, listed: &Listed) -> FileMeta {
    FileMeta {
        chain: footer.chain.clone(),
        first: footer.first,
        next: footer.next,
        location: listed.location.clone(),
        bytes: listed.bytes,
    }
}
