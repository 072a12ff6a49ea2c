//! What this process uses: time of its threads, memory, descriptors. From /proc, so on Linux only.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::sheet::count;

/// Files that ten thousand servers may need: for each a stream and a connection that waits for a request.
const FILES: u64 = 20_000;

/// Time of all threads since `began`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    began: Instant,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Meter {
        Meter { began: Instant::now(), cpu: cpu() }
    }

    /// Cores in use on average.
    pub(crate) fn cores(&self) -> f64 {
        (cpu() - self.cpu).as_secs_f64() / self.began.elapsed().as_secs_f64()
    }

    /// Time of all threads.
    pub(crate) fn cpu(&self) -> Duration {
        cpu() - self.cpu
    }
}

/// User and system time of this process.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of this process now, in bytes.
pub(crate) fn memory() -> u64 {
    status("VmRSS:")
}

/// The most resident memory since [`forget_peak`], in bytes.
pub(crate) fn memory_peak() -> u64 {
    status("VmHWM:")
}

/// Begins the peak anew.
pub(crate) fn forget_peak() {
    // Without it the peak is that since the start.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}

/// Open descriptors of this process.
pub(crate) fn files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Raises the limit of open files to what ten thousand servers need, for this process and those that it starts; says so if it cannot.
pub(crate) fn allow_files() -> anyhow::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= FILES) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(FILES), maximum: maximum.map(|maximum| maximum.max(FILES)) };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("raise the limit of open files")?;
    let allowed = maximum.map_or(f64::INFINITY, |maximum| maximum as f64);
    println!("only {} open files are allowed here; {} are wanted\n", count(allowed), count(FILES as f64));
    Ok(())
}
