//! The access tokens that `fedilake login` saved: a file for each server, in a folder of the user's own beside the settings.
//!
//! The folder has mode 0700 and its files 0600. `HOST` holds the token, a line like a file of `--token-file`; `HOST.app` what is needed to
//! revoke it. Neither is ever printed or logged.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::owner::make_private;
use crate::settings;

/// The end of the name of the file beside a token.
const APP: &str = ".app";
/// The end of the name of a file that is not whole yet.
const NEW: &str = ".new";

/// An app as a server registered it, which may revoke the token that it was given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    pub client_id: String,
    pub client_secret: String,
}

/// The place of one server's token.
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The place for the token of `host`; an error if the platform has no configuration folder.
    pub fn of(host: &str) -> anyhow::Result<TokenFile> {
        let folder = folder().context("find the platform's configuration folder\nhint: set XDG_CONFIG_HOME")?;
        Ok(TokenFile { path: folder.join(host) })
    }

    /// The token's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True if there is a token.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Makes the folder and proves that a file can be written there, before a person is asked for anything.
    pub fn prepare(&self) -> anyhow::Result<()> {
        let folder = self.path.parent().expect("a token lies in a folder");
        let make = || {
            make_private(folder)?;
            set_mode(folder, 0o700)?;
            let new = beside(&self.path, NEW);
            write_private(&new, "")?;
            fs::remove_file(&new)
        };
        make().with_context(|| {
            format!(
                "write a token file in {}\nhint: give your user the right to write there, or set XDG_CONFIG_HOME to another folder",
                folder.display()
            )
        })
    }

    /// Saves a token and its app, in the place of earlier ones.
    pub fn save(&self, token: &str, app: &App) -> anyhow::Result<()> {
        let app = serde_json::to_string(app).context("write the app")?;
        for (path, text) in [(beside(&self.path, APP), app.as_str()), (self.path.clone(), token)] {
            let new = beside(&path, NEW);
            write_private(&new, &format!("{text}\n"))
                .and_then(|()| fs::rename(&new, &path))
                .with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    /// The token and its app; the app is missing if somebody else wrote the file.
    pub fn read(&self) -> anyhow::Result<(String, Option<App>)> {
        let token = crate::secret::read(&self.path).with_context(|| format!("read {}", self.path.display()))?;
        let app = fs::read_to_string(beside(&self.path, APP)).ok().and_then(|text| serde_json::from_str(&text).ok());
        Ok((token.trim().to_owned(), app))
    }

    /// Deletes the token and its app.
    pub fn remove(&self) -> anyhow::Result<()> {
        for path in [self.path.clone(), beside(&self.path, APP)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("delete {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The saved tokens: each with its host, in the order of hosts. A folder that cannot be read has none.
pub fn saved() -> Vec<(String, PathBuf)> {
    let Some(entries) = folder().and_then(|folder| fs::read_dir(folder).ok()) else { return Vec::new() };
    let token = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let is_token = !name.starts_with('.') && !name.ends_with(APP) && !name.ends_with(NEW);
        (is_token && entry.file_type().is_ok_and(|kind| kind.is_file())).then(|| (name, entry.path()))
    };
    let mut found: Vec<_> = entries.flatten().filter_map(token).collect();
    found.sort();
    found
}

fn folder() -> Option<PathBuf> {
    settings::platform_config().map(|folder| folder.join("tokens"))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Writes a file that only its user can read, whatever stood there.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
    }

    #[cfg(unix)]
    #[test]
    fn a_token_is_for_its_user_alone_and_goes_with_its_app() -> anyhow::Result<()> {
        let place = tempfile::tempdir()?;
        let file = TokenFile { path: place.path().join("tokens/a.example:4000") };
        file.prepare()?;
        assert_eq!(fs::read_dir(place.path().join("tokens"))?.count(), 0);
        let app = |id: &str| App { client_id: id.to_owned(), client_secret: "hunter2".to_owned() };
        for (token, id) in [("one", "1"), ("two", "2")] {
            file.save(token, &app(id))?;
            let (saved, of) = file.read()?;
            assert_eq!((saved.as_str(), of.unwrap().client_id.as_str()), (token, id));
        }
        assert_eq!((mode(file.path()), mode(&beside(file.path(), APP))), (0o600, 0o600));
        assert_eq!(mode(&place.path().join("tokens")), 0o700);
        assert_eq!(fs::read_dir(place.path().join("tokens"))?.count(), 2);
        file.remove()?;
        file.remove()?;
        assert_eq!(fs::read_dir(place.path().join("tokens"))?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_before_it_is_needed() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("tokens"), "a file").unwrap();
        let told = TokenFile { path: place.path().join("tokens/a.example") }.prepare().unwrap_err();
        assert!(format!("{told:#}").contains("write a token file in") && format!("{told:#}").contains("hint: "));
    }
}
