//! Sizes of the data folder's parts, and free space on its disk, as metrics.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::figures::Measured;
use crate::task::Task;
use crate::wire::Parts;

/// The shortest pause between two measurements.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// A pause is so many times as long as the measurement before: one of a table of many files takes a while.
const PAUSE_FACTOR: u32 = 100;

/// Exports the sizes until dropped.
pub struct Sizes {
    _task: Task,
    measured: watch::Receiver<Measured>,
}

impl Sizes {
    /// Starts to export the sizes.
    pub fn watch(parts: Parts) -> Sizes {
        let (sender, measured) = watch::channel(Measured::default());
        let task = Task::until_dropped("the sizes", async move {
            loop {
                let (parts, began) = (parts.clone(), Instant::now());
                // The task fails only by a panic, which the hook has reported.
                if let Ok(measured) = tokio::task::spawn_blocking(move || measure(&parts)).await {
                    export(measured);
                    sender.send_replace(measured);
                }
                tokio::time::sleep(LOOK_AGAIN.max(began.elapsed() * PAUSE_FACTOR)).await;
            }
        });
        Sizes { _task: task, measured }
    }

    /// The sizes as they were last measured.
    pub fn measured(&self) -> watch::Receiver<Measured> {
        self.measured.clone()
    }
}

fn measure(parts: &Parts) -> Measured {
    let lake = ["lake.duckdb", "lake.duckdb.wal"].map(|name| bytes_below(&parts.folder.join(name)));
    let disk = rustix::fs::statvfs(&parts.folder).ok();
    Measured {
        log_bytes: parts.log.as_deref().map(bytes_below),
        table_bytes: parts.table.as_deref().map(bytes_below),
        lake_bytes: Some(lake.iter().sum()),
        disk_bytes: disk.as_ref().map(|disk| disk.f_blocks * disk.f_frsize),
        disk_free_bytes: disk.as_ref().map(|disk| disk.f_bavail * disk.f_frsize),
    }
}

fn export(measured: Measured) {
    let bytes = |gauge: metrics::Gauge, bytes: Option<u64>| {
        if let Some(bytes) = bytes {
            gauge.set(bytes as f64);
        }
    };
    bytes(metrics::gauge!("fedilake_log_bytes"), measured.log_bytes);
    bytes(metrics::gauge!("fedilake_table_bytes"), measured.table_bytes);
    bytes(metrics::gauge!("fedilake_lake_bytes"), measured.lake_bytes);
    bytes(metrics::gauge!("fedilake_disk_free_bytes"), measured.disk_free_bytes);
    bytes(metrics::gauge!("fedilake_disk_bytes"), measured.disk_bytes);
}

/// The disk space of a file, or of all files below a folder, in bytes. Files that appear or disappear meanwhile are
/// ignored.
fn bytes_below(path: &Path) -> u64 {
    let Ok(found) = std::fs::symlink_metadata(path) else { return 0 };
    if !found.is_dir() {
        // Counts allocated blocks, because the log's journal is a sparse file.
        #[cfg(unix)]
        return std::os::unix::fs::MetadataExt::blocks(&found) * 512;
        #[cfg(not(unix))]
        return found.len();
    }
    let Ok(entries) = path.read_dir() else { return 0 };
    entries.flatten().map(|entry| bytes_below(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_files_below_count_and_a_missing_folder_has_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        for name in ["one", "a/two", "a/b/three"] {
            std::fs::write(folder.path().join(name), vec![1; 8_192]).unwrap();
        }
        assert!(bytes_below(folder.path()) >= 3 * 8_192);
        assert_eq!(bytes_below(&folder.path().join("missing")), 0);
    }
}
