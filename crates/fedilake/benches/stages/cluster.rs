//! The same stages on real services: JSON lines → Kafka → S3, beside the least work that each needs. CPU is that of
//! this process, including librdkafka's threads, and not that of broker and store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use fedilake_collect::replay::{self, Input, Progress, ReplaySettings};
use fedilake_kafka::{Header, KafkaLog, KafkaSettings, LogBookmarks, Schemas, Servers, Unlearned};
use fedilake_log::{Assignment, Bounds, Key, Log, LogEvent, LogWriter, Offset, Partition, Record};
use fedilake_model::avro::Decoder;
use fedilake_model::{avro, schema};
use fedilake_services::Services;
use fedilake_table::Table;
use fedilake_table::s3::{Environment, S3, S3Settings, S3Url};
use fedilake_table::sink::{self, Limits, SinkProgress};
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::cost::{Cost, cost_of};
use crate::intake::{floor, row};
use crate::sheet::Sheet;

/// The number of records in an append: the collectors' default.
const RECORDS_AN_APPEND: usize = 1_000;

/// This run's topic, and its prefix in the bucket.
pub struct Cluster {
    pub services: Services,
    pub name: String,
    pub s3: S3,
}

/// Rates of the stages, for the comparison with other ways.
pub struct Rates {
    pub events: u64,
    pub logged: Cost,
    pub rows: u64,
    pub sunk: Cost,
}

impl Cluster {
    /// Uses the services in the environment, if there are any.
    pub fn find() -> anyhow::Result<Option<Cluster>> {
        let Some(services) = Services::shared("the figures on Kafka and S3") else { return Ok(None) };
        let name = format!("bench-{:08x}", rand::random::<u32>());
        let url = S3Url::parse(&format!("s3://{}/{name}", services.s3.bucket))?;
        let settings = S3Settings { endpoint: Some(services.s3.endpoint.clone()), region: None, path_style: None };
        let key =
            [("AWS_ACCESS_KEY_ID", services.s3.key.as_str()), ("AWS_SECRET_ACCESS_KEY", services.s3.secret.as_str())];
        let s3 = S3::open(&url, &settings, &Environment::of(&key))?;
        Ok(Some(Cluster { services, name, s3 }))
    }

    /// The variables with which the program uses the same topic and prefix.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let Services { kafka, registry, s3, .. } = &self.services;
        vec![
            ("FEDILAKE_LOG_URL", format!("kafka://{kafka}/{}-live", self.name)),
            ("FEDILAKE_LOG_REGISTRY_URL", registry.clone()),
            ("FEDILAKE_COLLECT_SERVERS_TOPIC", format!("{}-live-servers", self.name)),
            ("FEDILAKE_SINK_GROUP", format!("{}-live", self.name)),
            ("FEDILAKE_TABLE_URL", format!("s3://{}/{}-live", s3.bucket, self.name)),
            ("AWS_ENDPOINT_URL", s3.endpoint.clone()),
            ("AWS_REGION", s3.region.clone()),
            ("AWS_ACCESS_KEY_ID", s3.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", s3.secret.clone()),
        ]
    }

    /// Moves `frames` through a new topic to the bucket.
    pub fn measure(&self, runtime: &Runtime, frames: &Path, sheet: &mut Sheet) -> anyhow::Result<Rates> {
        let (log, bookmarks) = runtime.block_on(self.open_log(&self.name))?;
        let (events, logged) = cost_of(|| runtime.block_on(append_all(frames, &log, &bookmarks)))?;
        let (kept, scanned) = cost_of(|| runtime.block_on(read_all(&log)))?;
        let (bare, _) = runtime.block_on(self.open_log(&format!("{}-bare", self.name)))?;
        let rows = kept.len() as u64;
        let batches = batches(kept);
        let ((), produced) = cost_of(|| runtime.block_on(produce_all(&bare, batches)))?;
        row(sheet, "JSON lines → admitted → Avro → Kafka, acknowledged", events, logged, produced, &[80_000.0]);
        floor(sheet, "floor: the same records appended bare, as many a time", rows, produced);

        let table = Arc::new(Table::new(self.s3.store.clone(), self.s3.prefix.clone()));
        let (bytes, sunk) = cost_of(|| runtime.block_on(sink_all(&log, &table)))?;
        let ((), put) = cost_of(|| runtime.block_on(self.put_bare(&bytes)))?;
        row(sheet, "Kafka → sorted zstd Parquet → S3", rows, sunk, scanned + put, &[250_000.0]);
        floor(sheet, "floor: the topic read bare", rows, scanned);
        floor(sheet, "floor: the files' bytes put bare", rows, put);
        Ok(Rates { events, logged, rows, sunk })
    }

    async fn open_log(&self, topic: &str) -> anyhow::Result<(Arc<KafkaLog>, Arc<LogBookmarks>)> {
        let registry = self.services.registry.parse().context("the registry's address")?;
        let settings = KafkaSettings {
            servers_topic: format!("{topic}-servers"),
            ..KafkaSettings::new(self.services.kafka.clone(), topic, registry)
        };
        let servers = Servers::open(settings.clone()).await?;
        let log = KafkaLog::open(settings, Arc::new(Own)).await?;
        let bookmarks = LogBookmarks::new(servers, log.id().clone());
        Ok((Arc::new(log), Arc::new(bookmarks)))
    }

    /// Puts objects of these sizes, one after the other.
    async fn put_bare(&self, sizes: &[u64]) -> anyhow::Result<()> {
        for (number, size) in sizes.iter().enumerate() {
            let location = self.s3.prefix.clone().join("bare").join(number.to_string());
            self.s3.store.put(&location, vec![0x5a; usize::try_from(*size)?].into()).await?;
            self.s3.store.delete(&location).await?;
        }
        Ok(())
    }

    /// Puts a file of this machine into the bucket. Returns its URL.
    pub async fn put_file(&self, file: &Path, below: &str) -> anyhow::Result<()> {
        let name = file.file_name().and_then(|name| name.to_str()).context("a file has a name")?;
        // DuckDB and some stores disagree on how a listing writes the talk's plus signs.
        let name = name.replace('+', "-");
        let location = object_store::path::Path::from(format!("{}/{below}/{name}", self.name));
        self.s3.store.put(&location, std::fs::read(file)?.into()).await?;
        Ok(())
    }

    /// Removes this run's objects from the bucket. Topics are deleted with the services' folder.
    pub async fn clean_up(&self) -> anyhow::Result<()> {
        use futures::TryStreamExt;
        for below in [self.name.clone(), format!("{}-live", self.name)] {
            let prefix = object_store::path::Path::from(below);
            let objects: Vec<_> = self.s3.store.list(Some(&prefix)).try_collect().await?;
            for object in objects {
                self.s3.store.delete(&object.location).await?;
            }
        }
        Ok(())
    }
}

/// The schemas of records that only this bench writes.
struct Own;

impl Schemas for Own {
    fn header(&self) -> Header {
        avro::own_header()
    }

    fn schema(&self) -> &str {
        schema::AVRO
    }

    fn learn(&self, _: &str) -> Result<Header, Unlearned> {
        Err(Unlearned::Newer("only this bench writes to the topic".to_owned()))
    }

    fn is_known(&self, header: &Header) -> bool {
        *header == avro::own_header()
    }

    fn is_body(&self, _: &[u8]) -> bool {
        false
    }
}

async fn append_all(frames: &Path, log: &Arc<KafkaLog>, bookmarks: &Arc<LogBookmarks>) -> anyhow::Result<u64> {
    let summary = replay::run(
        vec![Input::File(frames.to_owned())],
        ReplaySettings::new(chrono::Utc::now()),
        log.clone(),
        bookmarks.clone(),
        Arc::<Progress>::default(),
        CancellationToken::new(),
    )
    .await?;
    anyhow::ensure!(summary.complete, "the replay ended early");
    Ok(summary.lines)
}

/// Reads every record of the topic.
async fn read_all(log: &KafkaLog) -> anyhow::Result<Vec<Record>> {
    let mut reader = log.reader(Assignment::All)?;
    let bounds = log.bounds().await?;
    let mut left: u64 = bounds.values().map(|bounds| bounds.end.0 - bounds.start.0).sum();
    let mut kept = Vec::with_capacity(usize::try_from(left)?);
    while left > 0 {
        match reader.next().await? {
            LogEvent::Assigned(partition) => reader.seek(partition, Offset(0)).await?,
            LogEvent::Records(read) => {
                left -= read.len() as u64;
                kept.extend(read);
            }
            LogEvent::Revoked(_) | LogEvent::Reached(..) => {}
        }
    }
    Ok(kept)
}

fn batches(records: Vec<Record>) -> Vec<Vec<(Key, Bytes)>> {
    let pairs: Vec<(Key, Bytes)> = records.into_iter().map(|record| (record.key, record.value)).collect();
    pairs.chunks(RECORDS_AN_APPEND).map(<[_]>::to_vec).collect()
}

async fn produce_all(log: &KafkaLog, batches: Vec<Vec<(Key, Bytes)>>) -> anyhow::Result<()> {
    for batch in batches {
        log.append(batch).await?;
    }
    Ok(())
}

/// Sinks the whole topic. Returns the files' sizes.
async fn sink_all(log: &Arc<KafkaLog>, table: &Arc<Table>) -> anyhow::Result<Vec<u64>> {
    let (progress, stop) = (Arc::<SinkProgress>::default(), CancellationToken::new());
    let bounds = log.bounds().await?;
    let (log, group, limits) = (log.clone(), Assignment::Group("bench"), Limits::default());
    let sink =
        tokio::spawn(sink::run(log, group, Decoder::new(), table.clone(), limits, progress.clone(), stop.clone()));
    let is_read = |(partition, bounds): (&Partition, &Bounds)| {
        progress.positions().get(partition).is_some_and(|position| position.read >= bounds.end)
    };
    while !sink.is_finished() && !bounds.iter().all(is_read) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    sink.await??;
    let snapshot = table.snapshot().await?;
    Ok(snapshot.chains.into_iter().flat_map(|chain| chain.files).map(|file| file.bytes).collect())
}
