//! `fedilake views`: the SQL that defines the views over the plain Parquet files.

use std::io::Write;
use std::process::ExitCode;

use crate::output;
use crate::settings::Settings;
use crate::wire;

/// Prints it; any DuckDB runs it, with or without an owner of the folder.
pub(super) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let folder = wire::table_folder(&settings.data()?, settings)?;
    let folder = std::path::absolute(&folder)?;
    let sql = fedilake_query::views::over_parquet(&format!("{}/posts/**/*.parquet", folder.display()));
    output::stdout().write_all(sql.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
