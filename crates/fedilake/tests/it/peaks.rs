//! The most memory that a process and its lake's process had.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes in a megabyte as limits count them.
pub const MB: u64 = 1 << 20;

/// The most resident memory that a process has had so far, files that it has mapped included: bytes. None when it has ended.
pub fn peak_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Processes that a process started and that have not ended.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let listed = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    listed.flat_map(|pids| pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()).collect()
}

/// Looks at a process and its children until it is asked.
pub struct Peaks {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<HashMap<u32, u64>>,
    pid: u32,
}

impl Peaks {
    pub fn watch(pid: u32) -> Peaks {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut peaks = HashMap::new();
            while !stopped.load(Ordering::Relaxed) {
                for pid in children(pid).into_iter().chain([pid]) {
                    if let Some(bytes) = peak_bytes(pid) {
                        peaks.insert(pid, bytes);
                    }
                }
                // How often is no matter: the system keeps the peaks, but for the last moment of a process.
                std::thread::sleep(Duration::from_millis(2));
            }
            peaks
        });
        Peaks { stop, thread, pid }
    }

    /// The peaks of the process and of the greatest of its children: megabytes.
    pub fn of_process_and_children(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let peaks = self.thread.join().unwrap();
        let children = peaks.iter().filter(|(pid, _)| **pid != self.pid).map(|(_, bytes)| *bytes).max();
        (peaks[&self.pid] / MB, children.unwrap_or(0) / MB)
    }
}
