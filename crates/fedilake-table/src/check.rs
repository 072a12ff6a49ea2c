//! The check: does every chain cover every offset once, and is every file what was written?

use std::collections::BTreeMap;
use std::fmt;

use fedilake_log::{Bounds, Offset};
use futures::StreamExt;

use crate::chain::Name;
use crate::objects::Listed;
use crate::table::READS_AT_ONCE;
use crate::{Chain, FileMeta, Footer, Table, TableError};

/// What a check saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// How many chains have a file or a start.
    pub chains: u64,
    /// How many data files there are.
    pub files: u64,
    /// Rows of those that can be read.
    pub rows: u64,
    /// Sizes of the data files.
    pub bytes: u64,
    /// Offsets that the log lost before the table had them, accepted by hand. Not a fault, but never forgotten.
    pub accepted_gaps: Vec<FileMeta>,
    /// The offset right after the last one that each chain covers; none where its newest file does not tell.
    pub ends: BTreeMap<Chain, Option<Offset>>,
    /// What is wrong, chain by chain; empty if the table is whole.
    pub findings: Vec<Finding>,
}

impl Check {
    /// Holds a chain's end against its log: what the log has let go of is in the table, or missing. `log` is what the log held
    /// *before* the table was checked, for the log lets go of what a sink commits meanwhile.
    pub fn hold_against(&mut self, chain: &Chain, log: Bounds) {
        let end = match self.ends.get(chain) {
            Some(Some(end)) => *end,
            // A finding names the file that does not tell.
            Some(None) => return,
            None => Offset(0),
        };
        if end < log.start {
            let before = "what the log still holds".to_owned();
            self.findings.push(Finding::Missing { chain: chain.clone(), first: end, next: log.start, before });
        }
    }
}

/// Something wrong with a table. Ranges are offsets, `next` not included; locations are names in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the sentence of their variant names")]
pub enum Finding {
    /// No file covers the range that ends where `before` begins.
    Missing { chain: Chain, first: Offset, next: Offset, before: String },
    /// The range is covered by `location` and again by the file after it.
    Doubled { chain: Chain, first: Offset, next: Offset, location: String },
    /// The file cannot be read or is not what was written. It should cover the offsets from `first` to `next`, where another
    /// file tells.
    Damaged { chain: Chain, first: Offset, next: Option<Offset>, location: String, why: String },
    /// Where the chain begins is not written down, or cannot be read.
    NoStart { chain: Chain, location: String, why: String },
    /// A Parquet file that is none of the table's, but that a plain reader takes for one.
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
                write!(f, "stray: {location} is none of the table's files, but is read as one")
            }
        }
    }
}

/// What of a data file is read.
#[derive(Clone, Copy, Debug)]
enum Depth {
    Footers,
    Bytes,
}

impl Table {
    /// Reads every data file whole and holds its checksum, its footer and its name against each other and against its
    /// neighbours: the files of a chain join from its start on, rows + holes = next − first. What is wrong with the table is a
    /// finding; an error is only a store that cannot be asked.
    pub async fn check(&self) -> Result<Check, TableError> {
        self.check_to(Depth::Bytes).await
    }

    /// Reads every data file's footer, and says which offsets no file covers: [`Finding::Missing`]. Quick where [`Table::check`]
    /// is thorough; whoever reads the files' rows finds the rest.
    pub async fn missing(&self) -> Result<Vec<Finding>, TableError> {
        let mut findings = self.check_to(Depth::Footers).await?.findings;
        findings.retain(|finding| matches!(finding, Finding::Missing { .. }));
        Ok(findings)
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
                check.findings.push(Finding::NoStart { chain: chain.clone(), location, why: "it is gone".to_string() });
                None
            }
            Err(TableError::Damaged { location, why }) => {
                check.findings.push(Finding::NoStart { chain: chain.clone(), location, why });
                None
            }
            Err(error) => return Err(error),
        };

        let mut before: Option<&Listed> = None;
        // Collected first: a stream of lazily made futures that borrow is not Send for every lifetime.
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
                    if footer.is_accepted_gap() {
                        check.accepted_gaps.push(meta(&footer, listed));
                    }
                    Some(footer.next)
                }
                Err(TableError::Damaged { location, why }) => {
                    // It ends, as far as one can tell, where the next one begins.
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

/// What is wrong where one file ends at `expected` and the following one begins at `first`.
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
