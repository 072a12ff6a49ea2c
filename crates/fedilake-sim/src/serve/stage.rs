//! A stage: the servers, their world and their script, for routes and callers alike.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::routes::Fleet;
use super::script::Script;
use super::simulation::now_ms;
use super::world::World;

/// Interval between steps of the world.
const TICK: Duration = Duration::from_millis(5);

/// The stage. The script begins when it is made.
pub(crate) struct Stage {
    pub(crate) fleet: Fleet,
    world: Mutex<World>,
    script: Script,
    started: Instant,
}

/// The state of a simulation, to see whether anything is still to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Posts that were published by rate so far.
    pub posts: u64,
    /// No more will be published by rate.
    pub posts_over: bool,
    /// Sightings, edits and deletes of published posts that are still to come.
    pub waiting: usize,
    /// The faults of now, by server.
    pub faults: BTreeMap<String, String>,
    /// The script's faults are over.
    pub faults_over: bool,
    /// Nothing is still to come: `posts_over`, `faults_over` and none waiting.
    pub quiet: bool,
}

impl Stage {
    pub(crate) fn new(fleet: Fleet, world: World, script: Script) -> Stage {
        Stage { fleet, world: Mutex::new(world), script, started: Instant::now() }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        let (posts, posts_over, waiting) = {
            let world = self.world();
            (world.published(), world.is_over(), world.waiting())
        };
        let fault = |server: &std::sync::Arc<super::server::Server>| {
            Some((server.name().to_owned(), server.faults.watch().now()?.to_string()))
        };
        let (faults, faults_over) = (self.fleet.iter().filter_map(fault).collect(), self.faults_over());
        State { posts, posts_over, waiting, faults, faults_over, quiet: posts_over && waiting == 0 && faults_over }
    }

    /// True once every fault of the script is over.
    pub(crate) fn faults_over(&self) -> bool {
        self.script.steps.is_empty() || self.started.elapsed() >= self.script.end()
    }

    /// Lets the world go on, until `stopping`.
    pub(crate) async fn live(&self, stopping: &CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = ticks.tick() => self.world().advance(now_ms()),
            }
        }
    }

    /// Carries out the script.
    pub(crate) async fn play(&self, stopping: &CancellationToken) {
        for step in &self.script.steps {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep_until(self.started + step.at) => {}
            }
            if let Some(server) = self.fleet.get(step.server) {
                tracing::debug!(server = server.name(), fault = %step.fault, lasts = ?step.lasts, "fault");
                server.faults.set(Some(step.fault), Some(step.lasts));
            }
        }
    }

    /// Waits until `is_so`.
    pub(crate) async fn until(&self, is_so: impl Fn(&State) -> bool) {
        let mut ticks = tokio::time::interval(TICK * 10);
        while !is_so(&self.state()) {
            ticks.tick().await;
        }
    }
}
