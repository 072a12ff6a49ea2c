//! Where the settings came from.

use std::path::PathBuf;

use super::{Settings, default_file};

/// The sources of the settings, for reading them again.
#[derive(Clone, Debug)]
pub struct Again {
    /// The settings file that was named; else the first usual one that exists.
    pub file: Option<PathBuf>,
    /// The typed flags, by setting.
    pub flags: Vec<(&'static str, String)>,
}

impl Again {
    /// Loads the settings from their sources.
    pub fn load(&self) -> anyhow::Result<Settings> {
        let file = self.file.clone().or_else(default_file);
        Settings::load(file.as_deref(), std::env::vars_os(), &self.flags)
    }
}
