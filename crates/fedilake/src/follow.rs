//! The follower: the table's files and the log's tail into the lake, at most a second behind.
//!
//! It reads the log without a group and takes what gathered for [`FOLLOW_INTERVAL`], or [`CHUNK_ROWS_MAX`] records when it
//! is behind, as one small Parquet file into the lake, which moves its watermark in the same transaction. Where the lake's
//! position lies below the log's start it takes the table's files instead. The lake is a cache: deleted, it is rebuilt here.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_log::{LogError, LogEvent, LogReader, Offset, Partition, Record};
use fedilake_query::{Chunk, Lake};
use fedilake_table::{FileMeta, Table};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::chunks::{ChunkWriter, chunk_of, offsets, position_of};
use crate::telemetry::{self, Unit};
use crate::wire::Stores;

/// How long records gather before the lake takes them.
pub const FOLLOW_INTERVAL: Duration = Duration::from_millis(250);
/// Without records for so long, the lake seals its open days.
const REST: Duration = Duration::from_secs(2);
/// Records taken in one transaction at most: a follower that is behind takes few large bites, which the lake likes best.
const CHUNK_ROWS_MAX: usize = 200_000;
/// Table files taken in one transaction at most.
const FILES_MAX: usize = 8;

/// The follower's parts.
pub struct Follower {
    reader: Box<dyn LogReader>,
    table: Arc<Table>,
    table_folder: PathBuf,
    lake: Arc<Lake>,
    chunks: ChunkWriter,
    /// Next offset that the lake needs, by partition of the reader's log.
    positions: HashMap<Partition, Offset>,
    reached: watch::Sender<HashMap<Partition, Offset>>,
}

impl Follower {
    /// A follower that keeps its chunks in a folder beside the lake.
    pub fn new(stores: &Stores, lake: Arc<Lake>) -> anyhow::Result<Follower> {
        let chunks = ChunkWriter::in_empty_folder(&stores.folder().join("tmp"))?;
        Ok(Follower {
            reader: stores.reader(),
            table: Arc::clone(&stores.table),
            table_folder: stores.table_folder.clone(),
            lake,
            chunks,
            positions: HashMap::new(),
            reached: watch::Sender::new(HashMap::new()),
        })
    }

    /// The next offset that the lake needs of each partition, as it moves.
    pub fn reached(&self) -> watch::Receiver<HashMap<Partition, Offset>> {
        self.reached.subscribe()
    }

    /// Follows until `shutdown`. Takes what the table has and the lake lacks first.
    pub async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        self.take_from_table(&shutdown).await?;
        let mut gathered: Vec<Record> = Vec::new();
        let mut deadline = Instant::now();
        // When to seal what is open, unless records come before.
        let mut rest = Some(Instant::now());
        loop {
            tokio::select! {
                event = self.reader.next() => match event {
                    Ok(LogEvent::Assigned(partition)) => self.begin(partition, &shutdown).await?,
                    Ok(LogEvent::Revoked(partition)) => gathered.retain(|record| record.partition != partition),
                    Ok(LogEvent::Records(records)) => {
                        rest = Some(Instant::now() + REST);
                        if gathered.is_empty() {
                            deadline = Instant::now() + FOLLOW_INTERVAL;
                        }
                        gathered.extend(records);
                        if gathered.len() >= CHUNK_ROWS_MAX {
                            self.take_records(std::mem::take(&mut gathered)).await?;
                        }
                    }
                    Err(LogError::BelowStart { partition, .. }) => {
                        // The log let go of records between our reads; the table has them.
                        self.take_records(std::mem::take(&mut gathered)).await?;
                        self.begin(partition, &shutdown).await?;
                    }
                    Err(error) => return Err(error).context("follow the log"),
                },
                () = sleep_until(deadline), if !gathered.is_empty() => self.take_records(std::mem::take(&mut gathered)).await?,
                () = sleep_until(rest.unwrap_or(deadline)), if rest.is_some() && gathered.is_empty() => {
                    self.seal().await?;
                    rest = None;
                }
                () = shutdown.cancelled() => return if rest.is_some() { self.seal().await } else { Ok(()) },
            }
        }
    }

    /// Lets the lake keep the figures of the days that changed, so that reports need not count them.
    async fn seal(&mut self) -> anyhow::Result<()> {
        let lake = Arc::clone(&self.lake);
        tokio::task::spawn_blocking(move || lake.seal()).await.context("seal days")?.context("seal days")
    }

    /// Places the reader where the lake is, by way of the table when the log starts later.
    async fn begin(&mut self, partition: Partition, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut tried: Option<Offset> = None;
        loop {
            let bounds = self.reader.bounds(partition).await.context("follow the log")?;
            let position = self.lake_position(partition)?.unwrap_or(bounds.start);
            match self.reader.seek(partition, position).await {
                Ok(()) => {
                    self.positions.insert(partition, position);
                    self.publish();
                    return Ok(());
                }
                // While the lake took files the sink went on, and the log let go of more: again, as long as it helps.
                Err(LogError::BelowStart { start, .. }) if tried != Some(position) => {
                    tracing::debug!(%partition, %position, %start, "the log starts later than the lake ends; the table has what lies between");
                    tried = Some(position);
                    self.take_from_table(shutdown).await?;
                    if shutdown.is_cancelled() {
                        return Ok(());
                    }
                }
                Err(LogError::BelowStart { start, .. }) => bail!(
                    "the lake needs offset {position} of log partition {partition}, the log starts at {start} and the table does not reach it\n\
                     hint: `fedilake check` names what is missing"
                ),
                Err(LogError::BeyondEnd { end, .. }) => bail!(
                    "the lake is at offset {position} of log partition {partition}, beyond the log's end {end}: it belongs to another state of the log\n\
                     hint: delete lake.duckdb in the data folder; it is rebuilt"
                ),
                Err(error) => return Err(error).context("follow the log"),
            }
        }
    }

    /// Takes every table file that holds what the lake lacks: other logs' chains and what the log has let go of.
    async fn take_from_table(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let snapshot = self.table.snapshot().await.context("read the table")?;
        let positions = self.lake.positions().context("read the lake's position")?;
        let lacks = |file: &&FileMeta| {
            position_of(&positions, &file.chain.log, file.chain.partition).is_none_or(|next| file.next > next)
        };
        let wanted: Vec<Chunk> = snapshot
            .chains
            .iter()
            .flat_map(|chain| &chain.files)
            .filter(lacks)
            .map(|file| chunk_of(&self.table_folder, file))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let bar = telemetry::progress_bar("lake", offsets(&wanted), Unit::Posts);
        let mut done = 0;
        for files in wanted.chunks(FILES_MAX) {
            if shutdown.is_cancelled() {
                break;
            }
            let (lake, files, shown) = (Arc::clone(&self.lake), files.to_vec(), bar.clone());
            let covered = offsets(&files);
            tokio::task::spawn_blocking(move || lake.take(&files, &mut |taken| shown.set_position(done + taken.rows)))
                .await
                .context("take table files")?
                .context("take table files into the lake")?;
            done += covered;
            bar.set_position(done);
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn take_records(&mut self, records: Vec<Record>) -> anyhow::Result<()> {
        let Some(last) = records.last() else { return Ok(()) };
        let newest_appended_at_ms = last.appended_at_ms;
        let mut by_partition: HashMap<Partition, Vec<Record>> = HashMap::new();
        for record in records {
            by_partition.entry(record.partition).or_default().push(record);
        }
        let mut chunks = Vec::new();
        for (partition, records) in by_partition {
            let next = records.last().expect("an entry is made with a record").offset.next();
            let first = *self.positions.get(&partition).expect("a partition is begun before its records come");
            let name = format!("{partition}.parquet");
            chunks.push(self.chunks.write(&name, self.reader.id(), partition, first..next, &records)?);
            self.positions.insert(partition, next);
        }
        let lake = Arc::clone(&self.lake);
        let began = Instant::now();
        tokio::task::spawn_blocking(move || {
            let taken = lake.take(&chunks, &mut |_| {});
            for chunk in &chunks {
                // A chunk that stays is removed at the next start.
                let _ = std::fs::remove_file(&chunk.parquet);
            }
            taken
        })
        .await
        .context("take records")?
        .context("take records into the lake")?;
        metrics::histogram!("fedilake_lake_take_seconds").record(began.elapsed());
        let lag_ms = chrono::Utc::now().timestamp_millis() - newest_appended_at_ms;
        metrics::gauge!("fedilake_lake_lag_seconds").set(lag_ms as f64 / 1e3);
        self.publish();
        Ok(())
    }

    fn lake_position(&self, partition: Partition) -> anyhow::Result<Option<Offset>> {
        let positions = self.lake.positions().context("read the lake's position")?;
        Ok(position_of(&positions, self.reader.id(), partition))
    }

    fn publish(&self) {
        self.reached.send_replace(self.positions.clone());
    }
}
