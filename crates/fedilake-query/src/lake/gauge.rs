//! How much memory statements have.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use duckdb::Connection;

use crate::LakeError;

/// Tells how much memory the statements of a DuckDB have.
pub(crate) struct Gauge {
    /// Another connection to the same DuckDB.
    connection: Connection,
    /// True while a take runs, whose memory DuckDB does not tell from a statement's.
    taking: Arc<AtomicBool>,
}

impl Gauge {
    pub(crate) fn new(connection: Connection, taking: Arc<AtomicBool>) -> Gauge {
        Gauge { connection, taking }
    }

    /// None while a take runs.
    pub(crate) fn bytes(&self) -> Result<Option<u64>, LakeError> {
        let before = self.taking.load(Ordering::Relaxed);
        // Only takes have temporary tables.
        let sql = "select coalesce(sum(memory_usage_bytes), 0)::ubigint from duckdb_memory() \
            where tag not in ('BASE_TABLE', 'IN_MEMORY_TABLE')";
        let bytes = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok((!before && !self.taking.load(Ordering::Relaxed)).then_some(bytes))
    }
}
