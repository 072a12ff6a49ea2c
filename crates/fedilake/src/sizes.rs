//! Sizes of the data folder's parts, and free space on its disk, as metrics.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinHandle;

/// The interval between two measurements: a large table has thousands of files.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// The measured parts of a data folder; `None` if a part is elsewhere.
#[derive(Debug, Clone)]
pub struct Parts {
    pub folder: PathBuf,
    pub log: Option<PathBuf>,
    pub table: Option<PathBuf>,
}

/// Exports the sizes until dropped.
pub struct Sizes(JoinHandle<()>);

impl Sizes {
    /// Starts to export the sizes.
    pub fn watch(parts: Parts) -> Sizes {
        Sizes(tokio::spawn(async move {
            let mut looks = tokio::time::interval(LOOK_AGAIN);
            loop {
                looks.tick().await;
                let parts = parts.clone();
                // The task fails only by a panic, which the hook has reported.
                let _ = tokio::task::spawn_blocking(move || export(&parts)).await;
            }
        }))
    }
}

impl Drop for Sizes {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn export(parts: &Parts) {
    if let Some(log) = &parts.log {
        metrics::gauge!("fedilake_log_bytes").set(bytes_below(log) as f64);
    }
    if let Some(table) = &parts.table {
        metrics::gauge!("fedilake_table_bytes").set(bytes_below(table) as f64);
    }
    let lake = ["lake.duckdb", "lake.duckdb.wal"].map(|name| bytes_below(&parts.folder.join(name)));
    metrics::gauge!("fedilake_lake_bytes").set(lake.iter().sum::<u64>() as f64);
    if let Ok(disk) = rustix::fs::statvfs(&parts.folder) {
        metrics::gauge!("fedilake_disk_free_bytes").set((disk.f_bavail * disk.f_frsize) as f64);
        metrics::gauge!("fedilake_disk_bytes").set((disk.f_blocks * disk.f_frsize) as f64);
    }
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
