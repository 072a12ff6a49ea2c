//! The talk's way: the same posts as files of 1,000 rows, loaded into DuckDB's memory and queried there.

use std::path::{Path, PathBuf};

use anyhow::Context;
use duckdb::Connection;
use fedilake_query::views;

use crate::cost::{Cost, Times, cost_of};

/// Rows of a file, as in the talk's sink.
const ROWS_A_FILE: u64 = 1_000;
const ROUNDS: usize = 7;

/// The columns of the talk's record.
const RECORD: &str = "m_id, created_at, created_at_str, app, url, base_url, language, favourites, username, bot, tags, \
    characters, words, mastodon_text";

/// The statements by which the notebook loads the files: a raw table, then one with the languages' names.
const LOAD: &str = "
    create table mastodon_toot_raw as
    select
        m_id, created_at, to_timestamp(created_at) as created_tz, app, url,
        regexp_replace(regexp_replace(url, '^http[s]://', ''), '/.*$', '') as from_instance,
        base_url, language, favourites, username, bot, tags, characters, mastodon_text
    from read_parquet('{folder}/*.snappy.parquet');
    create table mastodon_toot as
    select raw.*, language.language_name from mastodon_toot_raw raw left join language on raw.language = language.lang_iso;
    drop table mastodon_toot_raw;
";

/// The talk's questions, by the name of the report that answers the same.
const QUESTIONS: [(&str, &str); 8] = [
    (
        "statistics",
        "select count(*), count(distinct username), count(distinct from_instance), count(distinct language), \
         min(characters), avg(characters), max(characters), sum(characters) from mastodon_toot",
    ),
    (
        "daily",
        "select strftime(created_tz, '%Y/%m/%d %a') as day, count(*), count(distinct username), \
         count(distinct from_instance), mode(case when not bot then username end), mode(case when bot then username end), \
         mode(base_url) from mastodon_toot group by 1 order by 1",
    ),
    (
        "apps",
        "select app, count(*) from mastodon_toot where app is not null and app <> '' and not bot \
         group by 1 order by 2 desc limit 10",
    ),
    (
        "hours",
        "select strftime(created_tz, '%Y/%m/%d'), strftime(created_tz, '%H'), count(*) from mastodon_toot group by all",
    ),
    ("languages", "select language_name, count(*) from mastodon_toot group by 1 order by 2 desc limit 20"),
    (
        "lengths",
        "select language_name, min(characters), quantile_disc(characters, [0.25, 0.5, 0.75]), max(characters), count(*) \
         from mastodon_toot where language <> 'unknown' group by 1 order by 5 desc limit 20",
    ),
    (
        "topics",
        "select strftime(created_tz, '%Y/%m/%d'), \
         count(*) filter (mastodon_text ilike '%balloon%'), count(*) filter (mastodon_text ilike '%earthquake%'), \
         count(*) filter (mastodon_text ilike '%superbowl%'), count(*) filter (mastodon_text ilike '%chatgpt%') \
         from mastodon_toot group by 1",
    ),
    (
        "topics, a new word",
        "select strftime(created_tz, '%Y/%m/%d'), count(*) from mastodon_toot \
         where mastodon_text ilike '%zeppelin%' group by 1",
    ),
];

/// The least work of an answer about all posts: reading one column.
const SCAN: &str = "select sum(characters) from mastodon_toot";

/// The talk's files.
pub struct Talk {
    folder: PathBuf,
    bytes: u64,
    files: u64,
}

/// The costs of the talk's way on this machine.
pub struct Measured {
    /// The number of the talk's files.
    pub files: u64,
    /// The size of all files in bytes.
    pub bytes: u64,
    /// The cost of loading them.
    pub load: Cost,
    /// DuckDB's memory afterwards.
    pub memory_bytes: u64,
    /// The times of a scan of one column.
    pub scan: Times,
    answers: Vec<(&'static str, Times)>,
}

impl Measured {
    /// The times of the question that a report answers.
    pub fn answer(&self, name: &str) -> anyhow::Result<&Times> {
        self.answers.iter().find(|(asked, _)| *asked == name).map(|(_, times)| times).context("the talk asks that")
    }
}

impl Talk {
    /// Writes the posts of the table's files as the talk's sink would.
    pub fn lay_out(table: &[PathBuf], folder: &Path) -> anyhow::Result<Talk> {
        std::fs::create_dir_all(folder)?;
        let engine = Connection::open_in_memory()?;
        engine.execute_batch("set timezone = 'UTC'; set preserve_insertion_order = true")?;
        let below = table.first().and_then(|file| file.parent()).context("the table has a file")?;
        engine.execute_batch(&views::over_parquet(
            &format!("{}/*.parquet", below.display()),
            views::Deletes::default(),
        ))?;
        engine.execute_batch(&format!(
            "create table sent as select {RECORD}, language_name from mastodon_toot order by created_at;
             copy (select language as lang_iso, any_value(language_name) as language_name from sent group by 1)
             to '{}/languages.parquet' (format parquet)",
            folder.display()
        ))?;
        let posts: u64 = engine.query_row("select count(*) from sent", [], |row| row.get(0))?;
        for first in (0..posts).step_by(ROWS_A_FILE as usize) {
            engine.execute_batch(&format!(
                "copy (select {RECORD} from sent where rowid >= {first} and rowid < {first} + {ROWS_A_FILE})
                 to '{}/mastodon-topic+0+{first:010}.snappy.parquet' (format parquet, compression snappy)",
                folder.display()
            ))?;
        }
        let mut talk = Talk { folder: folder.to_owned(), bytes: 0, files: 0 };
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(".snappy.parquet") {
                talk.bytes += entry.metadata()?.len();
                talk.files += 1;
            }
        }
        Ok(talk)
    }

    /// Loads the files and asks the questions.
    pub fn measure(&self) -> anyhow::Result<Measured> {
        let engine = Connection::open_in_memory()?;
        engine.execute_batch(&format!(
            "set timezone = 'UTC'; create table language as from read_parquet('{}/languages.parquet')",
            self.folder.display()
        ))?;
        let load = LOAD.replace("{folder}", &self.folder.to_string_lossy());
        let ((), load) = cost_of(|| Ok(engine.execute_batch(&load)?))?;
        let scan = Times::of(ROUNDS, || ask(&engine, SCAN))?;
        let mut answers = Vec::new();
        for (name, question) in QUESTIONS {
            answers.push((name, Times::of(ROUNDS, || ask(&engine, question))?));
        }
        let memory = "select sum(memory_usage_bytes)::ubigint from duckdb_memory()";
        let memory_bytes = engine.query_row(memory, [], |row| row.get(0))?;
        Ok(Measured { files: self.files, bytes: self.bytes, load, memory_bytes, scan, answers })
    }
}

/// Asks a question and reads the whole answer. Returns the number of rows.
fn ask(engine: &Connection, question: &str) -> anyhow::Result<usize> {
    Ok(engine.prepare(question)?.query_arrow([])?.map(|batch| batch.num_rows()).sum())
}
