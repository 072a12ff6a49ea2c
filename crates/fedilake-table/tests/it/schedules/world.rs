//! One schedule from its seed to its end.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fedilake_log::Assignment;
use fedilake_model::avro::Decoder;
use fedilake_table::sink::{self, Limits, SinkError, SinkProgress};
use fedilake_table::{Chain, Table, TableError};
use object_store::memory::InMemory;
use object_store::path::Path;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::log::{Log, PARTITION, Seen};
use super::stage::Stage;
use super::store::{FaultyStore, Rule};
use super::verify;

/// The number of steps after which a world without faults must be finished.
const STEPS_MAX: usize = 50_000;

struct World {
    chance: ChaCha8Rng,
    stage: Arc<Stage>,
    inner: Arc<InMemory>,
    healed: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    logs: Vec<Arc<Log>>,
    broken: Option<Rule>,
    faults: f64,
    forgets: bool,
}

/// A running sink.
struct Sink {
    log: usize,
    task: JoinHandle<()>,
    progress: Arc<SinkProgress>,
    shutdown: CancellationToken,
}

/// Counts of what happened in schedules, to show that the test covers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) files: u64,
    pub(crate) superseded: u64,
    pub(crate) gaps: u64,
    pub(crate) killed: u64,
    pub(crate) failed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.files += other.files;
        self.superseded += other.superseded;
        self.gaps += other.gaps;
        self.killed += other.killed;
        self.failed += other.failed;
    }
}

/// Plays the schedule of `seed`. Returns its counts, or what is wrong with the table at the end.
pub(crate) async fn play(seed: u64, broken: Option<Rule>) -> Result<Tally, String> {
    let mut world = World::new(seed, broken);
    let mut sinks: Vec<Sink> = Vec::new();
    let wanted = world.chance.random_range(1..=3);
    let cuts = world.chance.random_bool(0.3);
    let steps = world.chance.random_range(50..300);
    for _ in 0..steps {
        sinks.retain(|sink| !sink.task.is_finished());
        while sinks.len() < wanted * world.logs.len() {
            let sink = world.start(sinks.len() % world.logs.len());
            sinks.push(sink);
        }
        match world.chance.random_range(0..100) {
            0..20 => {
                let log = world.any_log();
                log.grow(world.chance.random_range(1..8));
            }
            20..22 if cuts => {
                let part = world.chance.random_range(0.0..1.0);
                world.any_log().retain(part);
            }
            22..24 => {
                let killed = sinks.swap_remove(world.chance.random_range(0..sinks.len()));
                killed.task.abort();
                let _ = killed.task.await;
                world.tally.lock().unwrap().killed += 1;
            }
            24..26 => sinks[world.chance.random_range(0..sinks.len())].shutdown.cancel(),
            _ => {}
        }
        tokio::task::yield_now().await;
        world.stage.step(&mut world.chance).await;
    }
    world.finish(sinks).await?;
    world.verify().await
}

impl World {
    fn new(seed: u64, broken: Option<Rule>) -> World {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let logs = ["first", "second"];
        let count = if chance.random_bool(0.2) { 2 } else { 1 };
        let logs = logs[..count].iter().map(|id| Arc::new(Log::new(id, &offsets(&mut chance)))).collect();
        World {
            stage: Arc::default(),
            inner: Arc::default(),
            healed: Arc::default(),
            tally: Arc::default(),
            logs,
            broken,
            faults: [0.0, 0.1, 0.4][chance.random_range(0..3)],
            forgets: chance.random_bool(0.7),
            chance,
        }
    }

    fn any_log(&mut self) -> Arc<Log> {
        self.logs[self.chance.random_range(0..self.logs.len())].clone()
    }

    /// Starts a sink as a new process would, without any cached position.
    fn start(&mut self, log: usize) -> Sink {
        let store = FaultyStore::new(
            self.inner.clone(),
            self.stage.clone(),
            self.healed.clone(),
            self.faults,
            self.broken,
            self.chance.random(),
        );
        let table = Arc::new(Table::new(Arc::new(store), Path::default()));
        let seen = Seen {
            log: self.logs[log].clone(),
            stage: self.stage.clone(),
            batch: self.chance.random_range(1..8),
            forgets: self.forgets,
        };
        let limits = Limits {
            buffer_bytes_max: self.chance.random_range(100..2_000),
            // No age limit: the clock stands still here.
            buffer_age_max: Duration::from_secs(1_000_000),
            buffers_bytes_max: usize::MAX,
        };
        let (progress, shutdown) = (Arc::<SinkProgress>::default(), CancellationToken::new());
        let entered = Entered::new(self.stage.clone());
        let life = life(seen, table, limits, progress.clone(), shutdown.clone(), self.tally.clone());
        let task = tokio::spawn(async move {
            let _entered = entered;
            life.await;
        });
        Sink { log, task, progress, shutdown }
    }

    /// Lets the log grow to its end without further faults, and one sink for each log store all of it.
    async fn finish(&mut self, mut sinks: Vec<Sink>) -> Result<(), String> {
        self.healed.store(true, Ordering::SeqCst);
        for log in &self.logs {
            while log.grow(8) {}
        }
        for _ in 0..STEPS_MAX {
            sinks.retain(|sink| !sink.task.is_finished());
            for log in 0..self.logs.len() {
                let end = self.logs[log].bounds().end;
                match sinks.iter().find(|sink| sink.log == log) {
                    Some(sink) => {
                        let read = sink.progress.positions().get(&PARTITION).map(|position| position.read);
                        if read == Some(end) {
                            sink.shutdown.cancel();
                        }
                    }
                    None if !self.is_whole(log).await => sinks.push(self.start(log)),
                    None => {}
                }
            }
            tokio::task::yield_now().await;
            if sinks.is_empty() && !self.stage.step(&mut self.chance).await {
                return Ok(());
            }
            if !sinks.is_empty() {
                self.stage.step(&mut self.chance).await;
            }
        }
        Err("the sinks do not come to an end".to_string())
    }

    async fn is_whole(&self, log: usize) -> bool {
        let log = &self.logs[log];
        let table = Table::new(self.inner.clone(), Path::default());
        let chain = Chain { log: log.id.clone(), partition: PARTITION };
        let next = table.next_offset(&chain, log.bounds()).await;
        next.is_ok_and(|next| next == log.bounds().end)
    }

    async fn verify(&self) -> Result<Tally, String> {
        for log in &self.logs {
            verify::rows(&self.inner, log)?;
        }
        let check = Table::new(self.inner.clone(), Path::default()).check().await.map_err(|error| error.to_string())?;
        for gap in &check.accepted_gaps {
            let log = self.logs.iter().find(|log| log.id == gap.chain.log).expect("gaps are of our logs");
            if gap.next > log.cut() {
                return Err(format!("a gap was accepted up to {}, retention cut to {}", gap.next, log.cut()));
            }
        }
        match check.findings.first() {
            Some(finding) => Err(finding.to_string()),
            None => {
                Ok(Tally { files: check.files, gaps: check.accepted_gaps.len() as u64, ..*self.tally.lock().unwrap() })
            }
        }
    }
}

/// A sink's process: runs until it fails or is told to stop. If the log lost records, the gap is accepted.
async fn life(
    seen: Seen,
    table: Arc<Table>,
    limits: Limits,
    progress: Arc<SinkProgress>,
    shutdown: CancellationToken,
    tally: Arc<Mutex<Tally>>,
) {
    let log = seen.log.clone();
    let ended =
        sink::run(Arc::new(seen), Assignment::All, Decoder::new(), table.clone(), limits, progress.clone(), shutdown)
            .await;
    {
        let tally = &mut *tally.lock().unwrap();
        tally.superseded += progress.summary().superseded;
        tally.failed += u64::from(ended.is_err());
    }
    if let Err(SinkError::Table(TableError::Gap { chain, first, next })) = ended {
        let _ = table.accept_gap(&chain, first, next, log.bounds()).await;
    }
}

/// Counts a sink as running from its start to its end, however it ends.
struct Entered {
    stage: Arc<Stage>,
}

impl Entered {
    fn new(stage: Arc<Stage>) -> Entered {
        stage.enter();
        Entered { stage }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.stage.exit();
    }
}

/// Offsets of records, some of them with gaps between.
fn offsets(chance: &mut ChaCha8Rng) -> Vec<u64> {
    let mut next = if chance.random_bool(0.5) { 0 } else { chance.random_range(0..1_000) };
    let holes = [0.0, 0.2][chance.random_range(0..2)];
    let count = chance.random_range(5..50);
    (0..count)
        .map(|_| {
            let offset = next;
            next += if chance.random_bool(holes) { chance.random_range(2..6) } else { 1 };
            offset
        })
        .collect()
}
