//! `fedilake views`: the SQL that defines the views over the plain Parquet files.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use fedilake_query::{direct, views};

use crate::cli;
use crate::output;
use crate::settings::{Settings, key};
use crate::telemetry;
use crate::wire::{self, s3};

/// Prints it; any DuckDB runs it, with or without an owner of the folder.
pub(super) async fn run(typed: &cli::Views, settings: &Settings) -> anyhow::Result<ExitCode> {
    let deletes = wire::deletes(settings)?;
    let sql = match s3::url(settings)? {
        Some(url) if typed.s3 => {
            let store = s3::open(&url, settings)?;
            direct::script(&s3::pattern(&url), &s3::printed_secret(&store, &url, typed.show_secrets).await?, deletes)
        }
        Some(url) => views::over_parquet(&s3::pattern(&url), deletes),
        None if typed.s3 => bail!(
            "the table is not on S3: setting table.url = {:?}\n\
             hint: leave --s3 out, or name the table like FEDILAKE_TABLE_URL=s3://bucket/prefix",
            settings.get(key::TABLE_URL)
        ),
        None => local(settings)?,
    };
    output::stdout().write_all(sql.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn local(settings: &Settings) -> anyhow::Result<String> {
    let folder = wire::table_folder(&settings.data()?, settings)?;
    let folder = std::path::absolute(&folder)?.join("posts");
    direct::look_at(&folder).map_err(|reason| anyhow::anyhow!(reason))?;
    if !has_file(&folder) {
        let none = format!(
            "there is no table file in {} yet: until there is one, DuckDB refuses these views",
            folder.display()
        );
        if wire::require_data_folder(&settings.data()?, settings).is_err() {
            telemetry::say(&format!(
                "{none}\nhint: {} is no data folder either: give the folder with --data DIR, or make one with `fedilake demo`, \
                 `fedilake run` or `fedilake replay`",
                settings.data()?.display()
            ));
        } else {
            let limits = wire::sink_limits(settings)?;
            telemetry::say(&format!(
                "{none}\n\
                 a running process makes the first {} after its first post, at {} MB of records, or when it is stopped\n\
                 hint: a shorter sink.buffer_age_seconds_max makes it sooner; without a running process, \
                 `fedilake sink --once` makes one of what the log has; `fedilake report` and `fedilake sql` need none",
                humantime::format_duration(limits.buffer_age_max),
                limits.buffer_bytes_max >> 20
            ));
        }
    }
    let pattern = format!("{}/**/*.parquet", views::plain(&folder.display().to_string()));
    Ok(views::over_parquet(&pattern, wire::deletes(settings)?))
}

/// True if a Parquet file lies anywhere below `folder`.
fn has_file(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| {
        if path.is_dir() { has_file(&path) } else { path.extension().is_some_and(|extension| extension == "parquet") }
    })
}
