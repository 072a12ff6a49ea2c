//! The stage: calls wait here until the schedule lets one of them go on.
//!
//! Every call of a sink to its log or its store waits here. Once all sinks wait, the schedule picks one call by
//! chance. Work on other threads (sealing a file) belongs to the one sink that does not wait, so nothing else is left
//! to chance.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Notify, oneshot};

#[derive(Default)]
pub(crate) struct Stage {
    calls: Mutex<Calls>,
    parked: Notify,
}

#[derive(Default)]
struct Calls {
    waiting: Vec<Call>,
    /// The number of sinks that do not wait.
    running: usize,
}

/// Goes on with a call. True if the caller still waits for it.
type Call = Box<dyn FnOnce() -> bool + Send>;

impl Stage {
    /// Waits for this call's turn, then calls `act`.
    pub(crate) async fn turn<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> T {
        let went_on = Arc::new(AtomicBool::new(false));
        let (answer, answered) = oneshot::channel();
        let call = {
            let went_on = went_on.clone();
            move || {
                let answer = answer.send(act()).is_ok();
                went_on.store(answer, Ordering::SeqCst);
                answer
            }
        };
        self.later(call);
        self.exit();
        // If the call is dropped while it waits, its sink counts as running.
        let _left = Left { stage: self, went_on };
        answered.await.expect("a call that goes on answers")
    }

    /// Calls `act` at some later step; nobody waits for it.
    pub(crate) fn later(&self, act: impl FnOnce() -> bool + Send + 'static) {
        self.calls.lock().unwrap().waiting.push(Box::new(act));
    }

    /// Counts one more running sink.
    pub(crate) fn enter(&self) {
        self.calls.lock().unwrap().running += 1;
    }

    /// Counts one running sink less: it waits or has ended.
    pub(crate) fn exit(&self) {
        self.calls.lock().unwrap().running -= 1;
        self.parked.notify_one();
    }

    /// Waits until no sink runs.
    pub(crate) async fn still(&self) {
        while self.calls.lock().unwrap().running > 0 {
            self.parked.notified().await;
        }
    }

    /// Lets one waiting call go on, and waits until no sink runs again. False if no call waits.
    pub(crate) async fn step(&self, chance: &mut ChaCha8Rng) -> bool {
        self.still().await;
        let call = {
            let waiting = &mut self.calls.lock().unwrap().waiting;
            if waiting.is_empty() {
                return false;
            }
            let at = chance.random_range(0..waiting.len());
            waiting.swap_remove(at)
        };
        // Entered before the call, because the sink that it wakes runs from then on.
        self.enter();
        if !call() {
            self.exit();
        }
        self.still().await;
        true
    }
}

struct Left<'a> {
    stage: &'a Stage,
    went_on: Arc<AtomicBool>,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if !self.went_on.load(Ordering::SeqCst) {
            self.stage.enter();
        }
    }
}
