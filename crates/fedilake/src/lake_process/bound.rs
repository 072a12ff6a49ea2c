//! The bound of the lake's process: how much memory it may hold, and that what is told to stop does.
//!
//! DuckDB counts much of what it holds towards its own limit, but not what a function writes within a row or a list, and inside of one
//! it hears no interrupt. So a thread looks at what the whole process holds while a question runs. Near the bound it stops the statements
//! of people; beyond it, or where one does not stop, it ends the process: the parent starts another, and the lake is a cache whose
//! transactions are whole.
//!
//! Between two looks memory grows by what the cores can touch, so the looks come closer together as the bound does ([`pause`]), and the
//! process ends [`END_MARGIN_BYTES`] before it: what an observer sees of it, the program's own text included, stays within the bound. The
//! system's own limit on writable memory ([`limit_mappings`]) holds for a single request that is out of all proportion.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fedilake_query::Cancel;

use super::protocol::Ending;

/// Memory beyond the limits of the two databases: the output of functions, batches on their way, the allocator's rests.
const SLACK_BYTES: u64 = 512 << 20;
/// People's statements are stopped when so much is left to the bound.
const MARGIN_BYTES: u64 = 224 << 20;
/// The process ends itself when so much is left to the bound: for the text of program and libraries, which does not count here, and
/// for what is touched between two looks.
const END_MARGIN_BYTES: u64 = 128 << 20;
/// A statement since whose start the process grew by less is not stopped: others made it large.
const GROWTH_BYTES_MIN: u64 = 64 << 20;
/// Longest and shortest pause between two looks while a question runs.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_micros(200));
/// Memory that the cores of a machine may touch in a millisecond.
const BYTES_A_MILLISECOND: u64 = 16 << 20;
/// How long a statement may go on after it was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How much memory the process may hold: bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound(u64);

impl Bound {
    /// For databases of which each may hold `memory_bytes_max`: the lake, and the one that reads files for it.
    pub fn of_databases(memory_bytes_max: u64) -> Bound {
        Bound(memory_bytes_max.saturating_mul(2).saturating_add(SLACK_BYTES))
    }

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// From where on people's statements are stopped: bytes.
    fn near_bytes(self) -> u64 {
        self.0 - MARGIN_BYTES
    }

    /// From where on the process ends itself: bytes.
    fn end_bytes(self) -> u64 {
        self.0 - END_MARGIN_BYTES
    }
}

/// How long to wait for the next look when so many bytes are left: no longer than the cores need to touch a fourth of them.
fn pause(bytes_left: u64) -> Duration {
    let (longest, shortest) = PAUSES;
    Duration::from_micros(bytes_left.saturating_mul(250) / BYTES_A_MILLISECOND).clamp(shortest, longest)
}

/// The questions that the process works on.
pub struct Running {
    bound: Bound,
    questions: Mutex<Vec<Arc<Entry>>>,
    changed: Condvar,
}

/// A question that runs.
struct Entry {
    /// Stops the question; None for one that is not stopped for others.
    cancel: Option<Cancel>,
    /// When the question's own limit stops it.
    until: Option<Instant>,
    /// Memory of the process when the question began: bytes.
    held_before: u64,
    out_of_memory: AtomicBool,
}

/// A question that runs until this is dropped.
pub struct Begun<'a> {
    running: &'a Running,
    entry: Arc<Entry>,
}

impl Running {
    /// No question yet, in a process with this bound.
    pub fn new(bound: Bound) -> Running {
        Running { bound, questions: Mutex::default(), changed: Condvar::new() }
    }

    /// Notes a question: `cancel` stops it, at `until` it should have stopped by itself.
    pub fn begin(&self, cancel: Option<Cancel>, until: Option<Instant>) -> Begun<'_> {
        let held_before = held_bytes().unwrap_or(0);
        let entry = Arc::new(Entry { cancel, until, held_before, out_of_memory: AtomicBool::new(false) });
        self.questions().push(Arc::clone(&entry));
        self.changed.notify_all();
        Begun { running: self, entry }
    }

    /// Stops all that can be stopped, and returns when nothing runs any more or `patience` is over.
    pub fn end_all(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut questions = self.questions();
        while !questions.is_empty() {
            questions.iter().filter_map(|entry| entry.cancel.as_ref()).for_each(Cancel::cancel);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            questions = self.changed.wait_timeout(questions, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns why the process has to end, when it has to.
    pub fn watch(&self) -> Ending {
        let bound = self.bound;
        let mut deaf: Vec<(Arc<Entry>, Instant)> = Vec::new();
        loop {
            let questions = self.some_questions();
            let now = Instant::now();
            // Where the system does not tell, only the time is watched.
            let held = held_bytes().unwrap_or(0);
            if held > bound.end_bytes() {
                return Ending::Memory { bytes_max: bound.bytes() };
            }
            if held > bound.near_bytes() {
                questions.iter().filter(|entry| held.saturating_sub(entry.held_before) >= GROWTH_BYTES_MIN).for_each(
                    |entry| {
                        if let Some(cancel) = &entry.cancel {
                            entry.out_of_memory.store(true, Ordering::Relaxed);
                            cancel.cancel();
                        }
                    },
                );
            }
            deaf.retain(|(entry, _)| questions.iter().any(|other| Arc::ptr_eq(entry, other)));
            for entry in questions.into_iter().filter(|entry| entry.is_to_stop(now)) {
                match deaf.iter().find(|(other, _)| Arc::ptr_eq(&entry, other)) {
                    Some((_, since)) if now - *since > GRACE => return Ending::Unheard,
                    Some(_) => {}
                    None => deaf.push((entry, now)),
                }
            }
            std::thread::sleep(pause(bound.end_bytes().saturating_sub(held)));
        }
    }

    /// The running questions; waits until there is one.
    fn some_questions(&self) -> Vec<Arc<Entry>> {
        let mut questions = self.questions();
        while questions.is_empty() {
            questions = self.changed.wait(questions).unwrap_or_else(PoisonError::into_inner);
        }
        questions.clone()
    }

    fn questions(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_to_stop(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now > until) || self.cancel.as_ref().is_some_and(Cancel::is_cancelled)
    }
}

impl Begun<'_> {
    /// True if the question was stopped because the process came near its memory bound.
    pub fn is_out_of_memory(&self) -> bool {
        self.entry.out_of_memory.load(Ordering::Relaxed)
    }

    /// The words for a question that was stopped so.
    pub fn out_of_memory(&self) -> String {
        out_of_memory(self.running.bound.bytes())
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.running.questions().retain(|entry| !Arc::ptr_eq(entry, &self.entry));
        self.running.changed.notify_all();
    }
}

/// Why a question was stopped where the process may hold `bytes_max`.
pub fn out_of_memory(bytes_max: u64) -> String {
    format!("stopped: it needed more memory than the lake's process may hold, {} MB", bytes_max >> 20)
}

/// Lets the system refuse more writable memory than the process can have a use for. Much more than the bound: an allocator and the
/// threads' stacks reserve what they do not touch.
pub fn limit_mappings(bound: Bound) {
    let bytes = bound.bytes().saturating_mul(2).saturating_add(2 << 30);
    let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
    // A system that has no such limit, or a lower one, is not made to have it.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Data, limit);
}

/// Of the process's memory what is its own, and not a file's that can be read again: bytes. None where the system does not say.
#[cfg(target_os = "linux")]
fn held_bytes() -> Option<u64> {
    use std::os::unix::fs::FileExt;
    use std::sync::OnceLock;
    static STATM: OnceLock<Option<std::fs::File>> = OnceLock::new();
    let statm = STATM.get_or_init(|| std::fs::File::open("/proc/self/statm").ok()).as_ref()?;
    let mut text = [0; 128];
    let length = statm.read_at(&mut text, 0).ok()?;
    let mut pages = std::str::from_utf8(&text[..length]).ok()?.split(' ').skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

/// macOS does not say it in a file.
#[cfg(not(target_os = "linux"))]
fn held_bytes() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_both_databases_and_a_slack() {
        assert_eq!(Bound::of_databases(1 << 30).bytes(), (2 << 30) + (512 << 20));
        assert_eq!(Bound::of_databases(u64::MAX).bytes(), u64::MAX);
    }

    #[test]
    fn looks_come_closer_together_as_the_bound_does() {
        let pauses = [u64::MAX, 1 << 30, 128 << 20, 64 << 20, 16 << 20, 1 << 20, 0].map(pause);
        assert!(pauses.is_sorted_by(|a, b| a >= b) && pauses[0] == PAUSES.0 && pauses[6] == PAUSES.1, "{pauses:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_beyond_its_bound_ends_and_near_it_people_are_stopped() {
        let held = held_bytes().unwrap();
        let near = Bound(held + GROWTH_BYTES_MIN + MARGIN_BYTES);
        let running = Running::new(near);
        let cancel = Cancel::default();
        let people = running.begin(Some(cancel.clone()), None);
        let take = running.begin(None, None);
        let grown = vec![1_u8; (GROWTH_BYTES_MIN + (16 << 20)) as usize];
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| running.watch());
            while !cancel.is_cancelled() {
                std::thread::yield_now();
            }
            assert!(people.is_out_of_memory() && !take.is_out_of_memory() && !watch.is_finished());
            // Ends the watch.
            let more = vec![1_u8; (MARGIN_BYTES - END_MARGIN_BYTES) as usize + (64 << 20)];
            assert_eq!(watch.join().unwrap(), Ending::Memory { bytes_max: near.bytes() });
            drop(more);
        });
        drop(grown);
    }
}
