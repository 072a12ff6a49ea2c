//! The servers that were added to a data folder: a file in it with an entry a line, as in the list that collectors share in Kafka.
//!
//! Only the folder's owner reads and writes it. `run` and `collect` read these servers beside those of the settings.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use fedilake_collect::server::address;

use super::listed::Listed;
use crate::settings::Settings;
use crate::wire::SharedList;

/// The file's name in a data folder.
const FILE: &str = "servers";

/// The list of a data folder.
#[derive(Debug, Clone)]
pub struct Roster {
    path: PathBuf,
}

impl Roster {
    /// The list of `folder`, which need not exist.
    pub fn of(folder: &Path) -> Roster {
        Roster { path: folder.join(FILE) }
    }

    /// The list of the settings' data folder; `None` where the log has a list that collectors share.
    pub fn of_settings(settings: &Settings) -> anyhow::Result<Option<Roster>> {
        Ok(if SharedList::of(settings)?.is_none() { Some(Roster::of(&settings.data()?)) } else { None })
    }

    /// The entries by host.
    pub fn read(&self) -> anyhow::Result<BTreeMap<String, Listed>> {
        let context = || format!("read the list of servers {}", self.path.display());
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            // A file in the folder's place is named by who needs the folder.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(BTreeMap::new());
            }
            Err(error) => return Err(error).with_context(context),
        };
        let entry = |line: &str| {
            let listed = Listed::parse(line)?;
            listed.timelines()?;
            Ok((address::parse(&listed.url)?.server.to_string(), listed))
        };
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(entry)
            .collect::<anyhow::Result<_>>()
            .with_context(context)
    }

    /// Writes the entries in the place of the earlier ones, whole or not at all.
    pub fn write(&self, entries: &BTreeMap<String, Listed>) -> anyhow::Result<()> {
        let text: String = entries.values().map(|listed| listed.to_text() + "\n").collect();
        let folder = self.path.parent().expect("the list lies in a folder");
        let new = folder.join(format!(".{FILE}.new"));
        let write = || {
            let mut file = std::fs::File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)?;
            std::fs::File::open(folder)?.sync_all()
        };
        write().with_context(|| format!("write the list of servers {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use fedilake_collect::Timeline;

    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_no_entry_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let roster = Roster::of(folder.path());
        assert!(roster.read().unwrap().is_empty());
        let timelines = [Timeline::Local, Timeline::Remote];
        let entry = |host: &str| (host.to_owned(), Listed::new(&address::parse(host).unwrap(), &timelines));
        let entries: BTreeMap<_, _> = ["a.example", "b.example"].map(entry).into();
        roster.write(&entries).unwrap();
        assert_eq!(roster.read().unwrap(), entries);
        for wrong in ["a.example\n", r#"{"url":"a.example","timeline":"home"}"#, r#"{"url":"a b","timeline":"local"}"#]
        {
            std::fs::write(folder.path().join(FILE), wrong).unwrap();
            let told = format!("{:#}", roster.read().unwrap_err());
            assert!(told.contains("read the list of servers"), "{told}");
        }
    }
}
