//! A chain: the data files of one partition of one log, joined end to start, and the names of its objects.

use std::fmt;

use fedilake_log::{LogId, Offset, Partition};
use object_store::path::Path;

/// The folder of the table that holds the data files.
const FOLDER: &str = "posts";
/// Spark, Trino and pyarrow skip names that begin with an underscore.
const START: &str = "_start";
pub(crate) const EXTENSION: &str = ".parquet";

/// One partition of one log. A log that was deleted and made again has another id, so its chains stand beside the old
/// ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain {
    /// The log.
    pub log: LogId,
    /// The log's partition.
    pub partition: Partition,
}

/// Displayed as in object names: `log=<id>/partition=<p>`.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log={}/partition={}", self.log, self.partition)
    }
}

impl Chain {
    /// The folder of this chain's objects in a table at `prefix`.
    pub(crate) fn folder(&self, prefix: &Path) -> Path {
        files(prefix).join(format!("log={}", self.log)).join(format!("partition={}", self.partition))
    }

    /// The object that says where the chain begins.
    pub(crate) fn start(&self, prefix: &Path) -> Path {
        self.folder(prefix).join(START)
    }

    /// The data file that begins at `first`. Twenty digits hold every offset, so names sort as offsets do.
    pub(crate) fn file(&self, prefix: &Path, first: Offset) -> Path {
        self.folder(prefix).join(format!("{:020}{EXTENSION}", first.0))
    }
}

/// The folder of all chains in a table at `prefix`.
pub(crate) fn files(prefix: &Path) -> Path {
    prefix.clone().join(FOLDER)
}

/// The kind of an object, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    File {
        chain: Chain,
        first: Offset,
    },
    Start(Chain),
    /// A file that the table did not write, but that Parquet readers would read as a part of it.
    StrayParquet,
    Other,
}

/// Reads the name of an object in a table at `prefix`. Only names in exactly the form that [`Chain`] writes are data
/// files.
pub(crate) fn name(prefix: &Path, location: &Path) -> Name {
    match ours(prefix, location) {
        Some(name) => name,
        None if location.as_ref().ends_with(EXTENSION) => Name::StrayParquet,
        None => Name::Other,
    }
}

fn ours(prefix: &Path, location: &Path) -> Option<Name> {
    let root = files(prefix);
    let mut parts = location.prefix_match(&root)?;
    let log = LogId::new(parts.next()?.as_ref().strip_prefix("log=")?)?;
    let partition: u32 = parts.next()?.as_ref().strip_prefix("partition=")?.parse().ok()?;
    let partition = Partition(i32::try_from(partition).ok()?.unsigned_abs());
    let last = parts.next()?;
    let chain = Chain { log, partition };
    let name = if last.as_ref() == START {
        Name::Start(chain)
    } else {
        let first = Offset(last.as_ref().strip_suffix(EXTENSION)?.parse().ok()?);
        // Other readers use signed 64-bit integers: no writer made a name beyond them.
        if first >= Offset::END {
            return None;
        }
        Name::File { chain, first }
    };
    // Parsing also accepts other spellings (`+7`, `007`): accept only the one that we would write.
    let written = match &name {
        Name::File { chain, first } => chain.file(prefix, *first),
        Name::Start(chain) => chain.start(prefix),
        Name::StrayParquet | Name::Other => return None,
    };
    (written == *location).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Chain {
        Chain { log: LogId::new("a-1").unwrap(), partition: Partition(3) }
    }

    #[test]
    fn a_name_reads_back_as_what_it_was_made_of() {
        for prefix in ["", "deep/er"] {
            let prefix = Path::from(prefix);
            for first in [0, 7, Offset::END.0 - 1] {
                let location = chain().file(&prefix, Offset(first));
                assert_eq!(name(&prefix, &location), Name::File { chain: chain(), first: Offset(first) });
            }
            assert_eq!(name(&prefix, &chain().start(&prefix)), Name::Start(chain()));
        }
        assert_eq!(
            chain().file(&Path::from("t"), Offset(100)).as_ref(),
            "t/posts/log=a-1/partition=3/00000000000000000100.parquet"
        );
    }

    #[test]
    fn only_the_written_form_is_a_data_file() {
        let cases = [
            ("posts/log=a/partition=0/7.parquet", Name::StrayParquet),
            ("posts/log=a/partition=00/00000000000000000007.parquet", Name::StrayParquet),
            ("posts/log=a/partition=0/+0000000000000000007.parquet", Name::StrayParquet),
            ("posts/log=a/partition=0/09223372036854775807.parquet", Name::StrayParquet),
            ("posts/log=a/partition=0/09223372036854775808.parquet", Name::StrayParquet),
            ("posts/log=a/partition=0/18446744073709551615.parquet", Name::StrayParquet),
            ("posts/log=a/partition=0/18446744073709551616.parquet", Name::StrayParquet),
            ("posts/log=a/partition=2147483648/00000000000000000007.parquet", Name::StrayParquet),
            ("posts/log=a/partition=4294967295/00000000000000000007.parquet", Name::StrayParquet),
            ("posts/log=a/partition=2147483648/_start", Name::Other),
            ("posts/log=a/partition=0/deep/00000000000000000007.parquet", Name::StrayParquet),
            ("posts/log=a/partition=0/00000000000000000007.parquet.part", Name::Other),
            ("posts/log=a/partition=0/_started", Name::Other),
            ("elsewhere/x.parquet", Name::StrayParquet),
        ];
        for (location, wanted) in cases {
            assert_eq!(name(&Path::default(), &Path::from(location)), wanted, "{location}");
        }
    }

    #[test]
    fn names_sort_as_offsets_do() {
        let prefix = Path::default();
        let mut names: Vec<_> = [9, 10, 99, 100, Offset::END.0].map(|o| chain().file(&prefix, Offset(o))).into();
        let offsets = names.clone();
        names.sort();
        assert_eq!(names, offsets);
    }
}
