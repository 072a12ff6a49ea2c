//! `fedilake views`: the SQL that defines the views over the plain Parquet files.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use fedilake_query::views;

use crate::output;
use crate::settings::Settings;
use crate::telemetry;
use crate::wire;

/// Prints it; any DuckDB runs it, with or without an owner of the folder.
pub(super) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let folder = wire::table_folder(&settings.data()?, settings)?;
    let folder = std::path::absolute(&folder)?.join("posts");
    if !has_file(&folder) {
        telemetry::say(&format!(
            "there is no table file in {} yet: until there is one, DuckDB refuses these views\n\
             hint: `fedilake run` or `fedilake replay` makes one; --data DIR names another data folder",
            folder.display()
        ));
    }
    let sql = views::over_parquet(&format!("{}/**/*.parquet", views::plain(&folder.display().to_string())));
    output::stdout().write_all(sql.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a Parquet file lies anywhere below.
fn has_file(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| {
        if path.is_dir() { has_file(&path) } else { path.extension().is_some_and(|extension| extension == "parquet") }
    })
}
