//! Table files made by hand, and answers as text.

use std::cell::Cell;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int8Type, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use duckdb::Connection;
use fedilake_query::views::Deletes;
use fedilake_query::{Chunk, Lake, LakeOptions, Missed, SqlError, SqlLimits, views};

/// One row of a table file. Times are seconds after 2023-02-03 00:00 UTC.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) server: String,
    pub(crate) id: String,
    pub(crate) uri: Option<String>,
    pub(crate) url: Option<String>,
    /// `None` if the server did not give it.
    pub(crate) created: Option<i64>,
    pub(crate) edited: Option<i64>,
    pub(crate) observed: i64,
    pub(crate) author: String,
    pub(crate) bot: Option<bool>,
    pub(crate) language: Option<String>,
    pub(crate) app: Option<String>,
    pub(crate) text: String,
    pub(crate) favourites: i32,
    /// The elements of tags, and of mentions, links and kinds of media too.
    pub(crate) lists: Option<Vec<Option<String>>>,
    /// `from_origin`; `None` for a record of an earlier version.
    pub(crate) own: Option<bool>,
    /// in_reply_to, in_reply_to_id, in_reply_to_author.
    pub(crate) reply: (Option<&'static str>, Option<String>, Option<String>),
}

impl Event {
    /// A plain post: number `n`, by `author`, `created` seconds after the start, seen two seconds later.
    pub(crate) fn created(server: &str, n: i64, author: &str, created: i64) -> Event {
        let (name, origin) = author.split_once('@').unwrap();
        Event {
            kind: "created",
            server: server.to_owned(),
            id: (1000 + n).to_string(),
            uri: Some(format!("https://{origin}/users/{name}/statuses/{n}")),
            url: Some(format!("https://{origin}/@{name}/{n}")),
            created: Some(created),
            edited: None,
            observed: created + 2,
            author: author.to_owned(),
            bot: Some(false),
            language: Some("en".to_owned()),
            app: None,
            text: format!("post {n}"),
            favourites: 0,
            lists: Some(Vec::new()),
            own: None,
            reply: (None, None, None),
        }
    }

    /// The same post as its own server shows it.
    pub(crate) fn by_own_server(self) -> Event {
        let origin = self.author.split_once('@').map_or("", |(_, origin)| origin).to_owned();
        Event { server: origin, own: Some(true), ..self }
    }

    pub(crate) fn deleted(server: &str, id: i64, observed: i64) -> Event {
        Event {
            kind: "deleted",
            id: (1000 + id).to_string(),
            uri: None,
            url: None,
            observed,
            ..Event::created(server, id, "nobody@nowhere", 0)
        }
    }

    fn sql(&self, partition: i32, offset: i64) -> String {
        // DuckDB's client takes no zero byte in a statement.
        let text = |value: &str| format!("('{}')", value.replace('\'', "''").replace('\0', "' || chr(0) || '"));
        let or_null = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
        // A time that is out of range wraps, and is some other odd time.
        let time = |seconds: i64| format!("make_timestamptz({})", (1_675_382_400 + seconds).wrapping_mul(1_000_000));
        let list = or_null(self.lists.as_ref().map(|list| {
            let items: Vec<_> = list.iter().map(|item| or_null(item.as_deref().map(text))).collect();
            format!("[{}]::varchar[]", items.join(", "))
        }));
        let shown = self.kind != "deleted" && self.kind != "rejected";
        let if_shown = |value: String| if shown { value } else { "null".to_owned() };
        [
            text(self.kind),
            text(&self.server),
            text(&self.id),
            or_null(self.uri.as_deref().map(text)),
            or_null(self.url.as_deref().map(text)),
            or_null(self.created.filter(|_| shown).map(time)),
            or_null(self.edited.map(time)),
            time(self.observed),
            time(self.observed + 1),
            if_shown(text(&self.author)),
            if_shown(text(self.author.split_once('@').map_or("", |(_, origin)| origin))),
            or_null(self.bot.map(|bot| bot.to_string())),
            or_null(self.language.as_deref().map(text)),
            text(&self.text),
            self.text.chars().count().to_string(),
            self.text.split_whitespace().count().to_string(),
            list.clone(),
            list.clone(),
            list.clone(),
            list,
            or_null(self.app.as_deref().map(text)),
            self.favourites.to_string(),
            or_null(self.own.map(|own| own.to_string())),
            or_null(self.reply.0.map(text)),
            or_null(self.reply.1.as_deref().map(text)),
            or_null(self.reply.2.as_deref().map(text)),
            partition.to_string(),
            offset.to_string(),
            if self.kind == "rejected" { "'cut short'".to_owned() } else { "null".to_owned() },
        ]
        .join(", ")
    }
}

const COLUMNS: &str = "kind varchar, server varchar, id varchar, uri varchar, url varchar, created_at timestamptz, edited_at timestamptz, \
    observed_at timestamptz, appended_at timestamptz, author varchar, author_domain varchar, author_bot boolean, language varchar, \
    text varchar, characters integer, words integer, tags varchar[], mentions varchar[], links varchar[], media_types varchar[], app varchar, \
    favourites integer, from_origin boolean, in_reply_to varchar, in_reply_to_id varchar, in_reply_to_author varchar, log_partition integer, \
    log_offset bigint, rejected_reason varchar";

/// A folder with a lake and a table whose files are cut from one log partition after the other.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    engine: Connection,
    options: LakeOptions,
    pub(crate) lake: Lake,
    pub(crate) chunks: Vec<Chunk>,
    missed: Vec<Missed>,
    /// True while the other DuckDB has views of the files and of what was told: to plan them takes much longer than to read them.
    has_views: Cell<bool>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(Deletes::default())
    }

    pub(crate) fn with(deletes: Deletes) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let options = LakeOptions { deletes, ..options() };
        let lake = Lake::open(&folder.path().join("lake.duckdb"), options.clone()).unwrap();
        let engine = Connection::open_in_memory().unwrap();
        // With the cache, DuckDB confuses a file with an earlier one of the same path and size.
        engine.execute_batch("set threads = 1; set timezone = 'UTC'; set enable_external_file_cache = false").unwrap();
        Bench { folder, engine, options, lake, chunks: Vec::new(), missed: Vec::new(), has_views: Cell::new(false) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Opens the lake again.
    pub(crate) fn reopen(self) -> Bench {
        let Bench { folder, engine, options, lake, chunks, missed, has_views } = self;
        drop(lake);
        let lake = Lake::open(&folder.path().join("lake.duckdb"), options.clone()).unwrap();
        Bench { folder, engine, options, lake, chunks, missed, has_views }
    }

    /// The same with an empty lake and no files. The other DuckDB keeps its views: to plan them takes longer than all else.
    pub(crate) fn emptied(self) -> Bench {
        let Bench { folder, engine, options, lake, missed, has_views, .. } = self;
        assert!(missed.is_empty(), "what was told stays in the views");
        drop(lake);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        }
        let lake = Lake::open(&folder.path().join("lake.duckdb"), options.clone()).unwrap();
        Bench { folder, engine, options, lake, chunks: Vec::new(), missed, has_views }
    }

    /// Writes a file of the table; `log` and `partition` go on where their last file ended.
    pub(crate) fn write(&mut self, log: &str, partition: i32, events: &[Event]) -> Chunk {
        let first = self
            .chunks
            .iter()
            .rev()
            .find(|chunk| chunk.log == log && chunk.partition == partition)
            .map_or(0, |chunk| chunk.next);
        let parquet = self.path().join(format!("table/posts/log={log}/partition={partition}/{first:020}.parquet"));
        std::fs::create_dir_all(parquet.parent().unwrap()).unwrap();
        let rows: Vec<_> =
            (first..).zip(events).map(|(offset, event)| format!("({})", event.sql(partition, offset))).collect();
        let rows =
            if rows.is_empty() { String::new() } else { format!("insert into file values {};", rows.join(",\n")) };
        let sql = format!(
            "create or replace table file ({COLUMNS}); {rows} copy file to '{}' (format parquet, compression zstd)",
            parquet.display()
        );
        self.engine.execute_batch(&sql).unwrap();
        let chunk = Chunk {
            log: log.to_owned(),
            partition,
            first,
            next: first + events.len() as i64,
            parquet,
            lost_from: None,
        };
        self.chunks.push(chunk.clone());
        chunk
    }

    /// Writes a file and takes it.
    pub(crate) fn take(&mut self, events: &[Event]) {
        let chunk = self.write("log-a", 0, events);
        self.lake.take(&[chunk], &mut |_| ()).unwrap();
    }

    pub(crate) fn glob(&self) -> String {
        self.path().join("table/**/*.parquet").display().to_string()
    }

    /// Tells the lake what collectors missed, and the other DuckDB, whose files do not have it.
    pub(crate) fn tell(&mut self, missed: &[Missed]) {
        self.lake.tell_missed(missed).unwrap();
        self.missed = missed.to_vec();
        self.has_views.set(false);
    }

    /// The statements that give what was told to a DuckDB over plain files.
    fn told(&self) -> String {
        let time = |ms: i64| format!("make_timestamptz({})", ms * 1000);
        let text = |value: &str| format!("'{}'", value.replace('\'', "''"));
        let (mut gaps, mut skips) = (Vec::new(), Vec::new());
        for Missed { server, gaps: its_gaps, skips: its_skips } in &self.missed {
            let server = text(server);
            gaps.extend(its_gaps.iter().map(|(from, to)| {
                let end = to.map_or("null".to_owned(), time);
                format!("({server}, {}, {end}::timestamptz, {})", time(*from), to.is_some())
            }));
            skips.extend(its_skips.iter().map(|(hour, reason, events)| {
                format!("({server}, {}, {}, {events}::bigint)", time(*hour), text(reason))
            }));
        }
        let views = [("gaps (server, from_at, to_at, filled)", gaps), ("skips (server, hour, reason, events)", skips)];
        let views = views.into_iter().filter(|(_, rows)| !rows.is_empty());
        views.map(|(view, rows)| format!("create or replace view {view} as values {};", rows.join(", "))).collect()
    }

    /// Rows of a query over the plain files, by another DuckDB.
    pub(crate) fn plain(&self, sql: &str) -> Vec<Vec<String>> {
        if !self.has_views.replace(true) {
            // The views are of the files that are there when they are asked.
            self.engine.execute_batch(&views::over_parquet(&self.glob(), self.options.deletes)).unwrap();
            self.engine.execute_batch(&self.told()).unwrap();
        }
        let mut statement = self.engine.prepare(sql).unwrap();
        let batches: Vec<_> = statement.query_arrow([]).unwrap().collect();
        batches.iter().flat_map(text).collect()
    }

    /// Rows of a query over the lake's own tables, which no question sees: asks a copy of the lake's file.
    pub(crate) fn inside(&self, sql: &str) -> Vec<Vec<String>> {
        let copy = tempfile::tempdir().unwrap();
        for name in ["lake.duckdb", "lake.duckdb.wal"] {
            match std::fs::copy(self.path().join(name), copy.path().join(name)) {
                Err(error) if name.ends_with(".wal") && error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
        let lake = Connection::open(copy.path().join("lake.duckdb")).unwrap();
        lake.execute_batch("set threads = 1; set timezone = 'UTC'").unwrap();
        let mut statement = lake.prepare(sql).unwrap();
        let batches: Vec<_> = statement.query_arrow([]).unwrap().collect();
        batches.iter().flat_map(text).collect()
    }

    /// Rows of a query over the lake.
    pub(crate) fn ask(&self, sql: &str) -> Vec<Vec<String>> {
        ask(&self.lake, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

pub(crate) fn options() -> LakeOptions {
    LakeOptions { threads: 1, memory_bytes_max: 512 << 20, ..LakeOptions::default() }
}

/// Rows of a statement, each value as text: null is empty, an instant its milliseconds.
pub(crate) fn ask(lake: &Lake, sql: &str) -> Result<Vec<Vec<String>>, SqlError> {
    let mut ipc = Vec::new();
    lake.sql(sql, &SqlLimits::default(), &mut ipc)?;
    Ok(decode(&ipc))
}

/// The names of an answer's columns.
pub(crate) fn columns(ipc: &[u8]) -> Vec<String> {
    let reader = arrow::ipc::reader::StreamReader::try_new(ipc, None).unwrap();
    reader.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// Rows of an Arrow IPC stream, each value as text: null is empty, an instant its milliseconds.
pub(crate) fn decode(ipc: &[u8]) -> Vec<Vec<String>> {
    let reader = arrow::ipc::reader::StreamReader::try_new(ipc, None).unwrap();
    reader.flat_map(|batch| text(&batch.unwrap())).collect()
}

fn text(batch: &RecordBatch) -> Vec<Vec<String>> {
    let schema = batch.schema();
    let value = |at: usize, row: usize| {
        let column = batch.column(at);
        let said = |key: &str| schema.field(at).metadata().get(key).map_or("", String::as_str);
        let special = [said("ARROW:extension:name"), said("ARROW:extension:metadata")].concat();
        match (column.as_primitive_opt::<TimestampMicrosecondType>(), special.as_str()) {
            _ if column.is_null(row) => String::new(),
            (Some(instants), _) => (instants.value(row) / 1000).to_string(),
            (None, "arrow.bool8") => (column.as_primitive::<Int8Type>().value(row) != 0).to_string(),
            (None, special) if special.contains("hugeint") => {
                i128::from_le_bytes(column.as_fixed_size_binary().value(row).try_into().unwrap()).to_string()
            }
            (None, _) => array_value_to_string(column, row).unwrap(),
        }
    };
    (0..batch.num_rows()).map(|row| (0..batch.num_columns()).map(|at| value(at, row)).collect()).collect()
}
