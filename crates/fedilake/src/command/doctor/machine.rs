//! This machine: the engine's library, the settings, the data folder and its disk, the port.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::owner;
use crate::serve::Access;
use crate::settings::Again;
use crate::settings::{Origin, Settings, default_file, key};

/// A disk with less is about to be full: a file of the table takes up to 128 MB, the log and the lake grow beside it.
const FREE_BYTES_MIN: u64 = 512 << 20;
/// A disk with less is worth a word.
const FREE_BYTES_FEW: u64 = 5 << 30;

/// Asks the engine for its version, in this process.
pub(super) async fn library() -> Finding {
    match tokio::task::spawn_blocking(fedilake_query::engine_version).await {
        Ok(Ok(version)) => Finding::ok("library", format!("DuckDB {version} answers")),
        Ok(Err(error)) => Finding::wrong(
            "library",
            format!("DuckDB does not answer: {error}"),
            "install fedilake again, with the libduckdb that came with it",
        ),
        Err(error) => Finding::failed("library", &error.into()),
    }
}

/// The source of the settings, which could be read.
pub(super) fn settings(settings: &Settings, again: &Again) -> Finding {
    let set = settings.all().filter(|(_, value)| value.origin != Origin::Default).count();
    let file = again.file.clone().or_else(default_file);
    let from = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    Finding::ok("settings", format!("{from}; {set} of {} are not the default", settings.all().count()))
}

/// The data folder: its owner, the right to write, who else may read, and room on its disk.
pub(super) fn data(settings: &Settings) -> Vec<Finding> {
    let folder = match settings.data() {
        Ok(folder) => folder,
        Err(error) => return vec![Finding::failed("data", &error)],
    };
    let shown = folder.display();
    let mut found = Vec::new();
    let there = nearest(&folder);
    let is_new = there != folder;
    let metadata = match std::fs::metadata(&there) {
        Ok(metadata) => metadata,
        Err(error) => {
            return vec![Finding::wrong(
                "data",
                format!("{shown} cannot be looked at: {error}"),
                "give another folder with --data DIR",
            )];
        }
    };
    if !metadata.is_dir() {
        return vec![Finding::wrong(
            "data",
            format!("{} is a file, not a folder", there.display()),
            "give another folder with --data DIR",
        )];
    }
    if let Err(error) = rustix::fs::access(&there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        let what = if is_new {
            format!("{shown} does not exist, and {} cannot be written", there.display())
        } else {
            format!("{shown} cannot be written")
        };
        return vec![Finding::wrong(
            "data",
            format!("{what}: {}", std::io::Error::from(error)),
            "run as the user whose folder it is, or give another folder with --data DIR",
        )];
    }
    found.push(match (is_new, owner::owner_of(&folder)) {
        (true, _) => Finding::ok("data", format!("{shown} does not exist yet and can be made")),
        (false, Ok(Some((pid, Some(address))))) => {
            Finding::ok("data", format!("{shown} is in use by process {pid}, which answers on {address}"))
        }
        (false, Ok(Some((pid, None)))) => Finding::ok("data", format!("{shown} is in use by process {pid}")),
        (false, Ok(None)) => Finding::ok("data", format!("{shown} is free and can be written")),
        (false, Err(error)) => Finding::failed("data", &error),
    });
    if !is_new && is_open_to_others(&metadata) {
        found.push(Finding::note(
            "data",
            format!("other users of this machine may enter {shown}"),
            format!("`chmod 700 {shown}` keeps posts to yourself"),
        ));
    }
    found.extend(disk(&there));
    found
}

fn disk(folder: &Path) -> Option<Finding> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let (all, free) = (disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize);
    let gb = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let says = format!("{} of {} are free", gb(free), gb(all));
    Some(match free {
        ..FREE_BYTES_MIN => {
            Finding::wrong("disk", says, "free some space, or give a folder on another disk with --data DIR")
        }
        FREE_BYTES_MIN..FREE_BYTES_FEW => Finding::note("disk", says, "a busy server writes about 1 GB a week"),
        _ => Finding::ok("disk", says),
    })
}

/// The address of the page, and the files that it needs.
pub(super) fn port(settings: &Settings) -> Vec<Finding> {
    let listen = settings.listen();
    let mut found = Vec::new();
    let owner = settings.data().ok().and_then(|folder| owner::owner_of(&folder).ok().flatten());
    found.push(match (owner, std::net::TcpListener::bind(listen)) {
        (Some((pid, Some(address))), _) if address.port() == listen.port() => {
            Finding::ok("port", format!("process {pid} answers on {listen}, for this data folder"))
        }
        (_, Ok(_)) => Finding::ok("port", format!("{listen} is free")),
        (_, Err(error)) => {
            let says = match error.kind() {
                ErrorKind::AddrInUse => format!("another program listens on {listen}"),
                ErrorKind::PermissionDenied => format!("this user may not listen on {listen}"),
                ErrorKind::AddrNotAvailable => format!("{listen} is no address of this machine"),
                _ => format!("nobody can listen on {listen}: {error}"),
            };
            Finding::wrong("port", says, "--listen 127.0.0.1:0 picks a free port; the setting `listen` keeps one")
        }
    });
    if let Err(error) = Access::check_files(settings) {
        found.push(Finding::failed("page", &error));
    } else if !listen.ip().is_loopback() && settings.get(key::SERVE_TLS_CERT).is_empty() {
        found.push(Finding::note(
            "page",
            format!("other machines reach {listen}, without TLS"),
            "set serve.tls_cert and serve.tls_key, or put a proxy before it, where the network is not yours",
        ));
    }
    found
}

/// The path, or the nearest folder above it that is there.
fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() {
        return path.to_owned();
    }
    absolute.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::fs::Metadata) -> bool {
    false
}
