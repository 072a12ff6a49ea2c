//! The findings of a check, and a sentence for each.

use std::fmt;
use std::path::PathBuf;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A file cannot be read; nothing that needs it was checked.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reader's error.
        reason: String,
    },
    /// Rows that are in a file which does not answer for them.
    Outside {
        /// The file.
        path: PathBuf,
        /// The lowest such offset.
        first: i64,
        /// The highest such offset.
        last: i64,
        /// How many.
        rows: u64,
    },
    /// Offsets that more than one row has.
    Twice {
        /// The log's id.
        log: String,
        /// The partition.
        partition: i32,
        /// The first of them.
        first: i64,
        /// The last of them, without a gap between.
        last: i64,
    },
    /// The lake has not taken what the files hold.
    Behind {
        /// The log's id.
        log: String,
        /// The partition.
        partition: i32,
        /// Where the lake stands; None: it does not know the partition.
        lake: Option<i64>,
        /// Where the files end.
        files: i64,
    },
    /// The lake has taken rows that no given file holds, so its posts cannot be compared.
    Ahead {
        /// The log's id.
        log: String,
        /// The partition.
        partition: i32,
        /// Where the lake stands.
        lake: i64,
        /// Where the files end; None: there are none.
        files: Option<i64>,
    },
    /// Rows of a view that only one side has.
    Differs {
        /// `posts` or `sightings`.
        view: &'static str,
        /// Rows that the files give and the lake does not have.
        missing: u64,
        /// Rows that the lake has and the files do not give.
        surplus: u64,
        /// Uris of some.
        uris: Vec<String>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Damaged { path, reason } => write!(f, "data file {} is damaged: {reason}", path.display()),
            Finding::Outside { path, first, last, rows } => {
                write!(
                    f,
                    "data file {} holds {rows} rows that are not its own: offsets {first}..={last}",
                    path.display()
                )
            }
            Finding::Twice { log, partition, first, last } => {
                write!(f, "log {log} partition {partition}: offsets {first}..={last} are in the table twice")
            }
            Finding::Behind { log, partition, lake, files } => match lake {
                Some(lake) => write!(f, "log {log} partition {partition}: the lake lacks offsets {lake}..{files}"),
                None => write!(f, "log {log} partition {partition}: the lake lacks every offset below {files}"),
            },
            Finding::Ahead { log, partition, lake, files } => match files {
                Some(files) => write!(
                    f,
                    "log {log} partition {partition}: the lake has offsets {files}..{lake}, which no file holds"
                ),
                None => {
                    write!(f, "log {log} partition {partition}: the lake has offsets below {lake}, which no file holds")
                }
            },
            Finding::Differs { view, missing, surplus, uris } => {
                write!(
                    f,
                    "{view}: the lake lacks {missing} rows of the table and has {surplus} others: {}",
                    uris.join(", ")
                )
            }
        }
    }
}
