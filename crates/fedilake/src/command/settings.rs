//! `fedilake settings`: every setting with its value and its source.

use std::io::Write;
use std::process::ExitCode;

use crate::door::shown_in_line;
use crate::mask::masked;
use crate::output;
use crate::settings::{Settings, environment_name};

/// Prints the settings as lines of a settings file, with passwords in URLs masked.
pub(super) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut out = output::stdout();
    writeln!(
        out,
        "# setting = value                     from, meaning; environment: {} and so on",
        environment_name("log.url")
    )?;
    for (setting, value) in settings.all() {
        let text = if setting.key == "data" && value.text.is_empty() {
            settings.data()?.display().to_string()
        } else {
            masked(&value.text)
        };
        let origin = value.origin.to_string();
        writeln!(
            out,
            "{:<36}  # {}: {}",
            format!("{} = {text:?}", setting.key),
            shown_in_line(&origin),
            setting.meaning
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
