//! Questions straight to the Parquet files, on local disk or S3, without a lake: the talk's way.
//!
//! An in-memory DuckDB that may open files: those that the question names in `read_parquet('s3://…/**/*.parquet')`,
//! and the table's through the same views as the lake's ([`views::over_parquet`]). This DuckDB locks nothing, so it
//! works beside every process and from any machine that reaches the store. It runs one statement that only reads, as
//! the lake does.
//!
//! Reading S3 needs DuckDB's extension httpfs. It is loaded from the file that the caller names, else from DuckDB's
//! own folder; else DuckDB is asked to install it there, which needs the network once.

use std::cell::Cell;
use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use duckdb::{Config, Connection};
use serde::{Deserialize, Serialize};

use crate::answer::sql::{self, SqlError, SqlLimits, SqlSummary};
use crate::error::first_line;
use crate::lake::gauge::Gauge;
use crate::lake::layout::LISTINGS;
use crate::literal::literal;
use crate::rows;
use crate::views::Deletes;
use crate::{LakeError, views};

/// The limits of a question to plain files, and the paths that it needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DirectOptions {
    /// DuckDB's memory limit: bytes.
    pub memory_bytes_max: u64,
    /// The number of threads of a query.
    pub threads: usize,
    /// The folder for a query's spilled data; created when needed.
    pub spill_folder: PathBuf,
    /// The httpfs extension's file; `None` for DuckDB's own folder.
    pub httpfs: Option<PathBuf>,
    /// The setting that says which deletes hide a post.
    pub deletes: Deletes,
}

/// Access to a bucket, for DuckDB.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Secret {
    /// `http://host:port` or `https://host`; `None` for Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// True if the bucket's name is in the URL's path.
    pub path_style: bool,
    /// The prefix that the secret is for, such as `s3://bucket`; None: all of S3.
    pub scope: Option<String>,
    /// The source of the key.
    pub key: S3Key,
}

/// A source of the key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum S3Key {
    /// This key, with its secret and a session's token.
    Given {
        /// The key's id.
        id: String,
        /// The secret.
        secret: String,
        /// The session's token; `None` for a permanent key.
        token: Option<String>,
    },
    /// The variables of the process that runs the statement, which httpfs reads as settings.
    Variables,
    /// The sources that Amazon's tools use, read by DuckDB's extension aws.
    Chain,
}

/// Does not show the secret.
impl fmt::Debug for S3Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Secret").field("endpoint", &self.endpoint).field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl S3Secret {
    /// The SQL statements that load the needed extensions and make the secret.
    pub fn sql(&self) -> String {
        let mut options = vec!["type s3".to_owned()];
        let mut with = |name: &str, value: String| options.push(format!("{name} {value}"));
        match &self.key {
            S3Key::Given { id, secret, token } => {
                with("provider", "config".to_owned());
                with("key_id", literal(id));
                with("secret", literal(secret));
                if let Some(token) = token {
                    with("session_token", literal(token));
                }
            }
            S3Key::Variables => {
                with("provider", "config".to_owned());
                with("key_id", "current_setting('s3_access_key_id')".to_owned());
                with("secret", "current_setting('s3_secret_access_key')".to_owned());
                with("session_token", "coalesce(current_setting('s3_session_token'), '')".to_owned());
            }
            S3Key::Chain => with("provider", "credential_chain".to_owned()),
        }
        with("region", literal(&self.region));
        if let Some(endpoint) = &self.endpoint {
            let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", endpoint));
            with("endpoint", literal(host));
            with("use_ssl", (scheme == "https").to_string());
        }
        with("url_style", literal(if self.path_style { "path" } else { "vhost" }));
        if let Some(scope) = &self.scope {
            with("scope", literal(scope));
        }
        let aws = if self.key == S3Key::Chain { "install aws;\nload aws;\n" } else { "" };
        format!("{aws}create or replace secret fedilake (\n    {}\n);\n", options.join(",\n    "))
    }
}

/// The SQL statements with which any DuckDB that has a network, or httpfs installed, can read the table on S3.
pub fn script(pattern: &str, secret: &S3Secret, deletes: Deletes) -> String {
    format!("install httpfs;\nload httpfs;\n{}\n{}", secret.sql(), views::over_parquet(pattern, deletes))
}

/// Why the files cannot be queried.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// The extension is missing, without which S3 cannot be read.
    #[error(
        "DuckDB's extension httpfs, which reads S3, is not here: {reason}\n\
         hint: `pip install duckdb-extension-httpfs=={version}` brings its file httpfs.duckdb_extension for use without a \
         network: name it with the setting sql.httpfs, or `install '…/httpfs.duckdb_extension'` it in any DuckDB {version}"
    )]
    NoHttpfs {
        /// DuckDB's message.
        reason: String,
        /// The version of DuckDB for which the extension is needed.
        version: String,
    },
    /// Any other error of DuckDB.
    #[error(transparent)]
    Engine(#[from] LakeError),
}

impl From<duckdb::Error> for DirectError {
    fn from(error: duckdb::Error) -> Self {
        DirectError::Engine(error.into())
    }
}

/// A DuckDB that reads files. Every method blocks.
pub struct Direct {
    connection: Connection,
    pattern: String,
    deletes: Deletes,
    /// True once the views are defined.
    defined: Cell<bool>,
}

impl Direct {
    /// Opens the DuckDB; reads nothing yet. `pattern` names the table's files, as for [`views::over_parquet`];
    /// `secret` gives access to S3.
    pub fn open(options: &DirectOptions, pattern: &str, secret: Option<&S3Secret>) -> Result<Direct, DirectError> {
        let config = Config::default()
            .threads(options.threads as i64)?
            .max_memory(&format!("{}B", options.memory_bytes_max))?
            .with("temp_directory", options.spill_folder.to_string_lossy())?
            .enable_autoload_extension(false)?;
        let connection = Connection::open_in_memory_with_flags(config)?;
        connection.execute_batch(rows::SETTINGS)?;
        if let Some(secret) = secret {
            load_httpfs(&connection, options)?;
            connection.execute_batch(&secret.sql())?;
        }
        connection.execute_batch("set lock_configuration = true")?;
        Ok(Direct { connection, pattern: pattern.to_owned(), deletes: options.deletes, defined: Cell::new(false) })
    }

    /// Runs one statement, and writes its rows as an Arrow IPC stream while they come. The views are defined if the
    /// statement lists tables, or if DuckDB misses one of them: a word of the text may also be a file, an alias or a
    /// part of a literal.
    pub fn sql(&self, text: &str, limits: &SqlLimits, out: &mut dyn Write) -> Result<SqlSummary, SqlError> {
        let asked = match sql::lists_tables(&self.connection, text) {
            // Without a file there is nothing to list.
            true => self.define().or_else(|error| if self.is_without_files(&error) { Ok(()) } else { Err(error) }),
            false => Ok(()),
        };
        let asked = asked.and_then(|()| match self.ask(text, limits, out) {
            Err(error) if !self.defined.get() && sql::is_about_a_missing_view(&error.message) => {
                self.define()?;
                self.ask(text, limits, out)
            }
            asked => asked,
        });
        let summary = asked.map_err(|error| self.without_lake(error))?;
        Ok(SqlSummary { may_read_table: self.defined.get(), ..summary })
    }

    fn ask(&self, text: &str, limits: &SqlLimits, out: &mut dyn Write) -> Result<SqlSummary, SqlError> {
        let gauge = || Ok(Gauge::new(self.connection.try_clone()?, Arc::default()));
        sql::ask(&self.connection, gauge, text, limits, out).unwrap_or_else(|error| Err(error.into()))
    }

    /// Defines the views, which needs a file of the table.
    fn define(&self) -> Result<(), SqlError> {
        if self.defined.get() {
            return Ok(());
        }
        let looked = views::folder(&self.pattern).map_or(Ok(()), |folder| look_at(&folder));
        looked.map_err(|error| SqlError::from(LakeError::Engine(error)))?;
        let views = format!("{LISTINGS}\n{}", views::over_parquet(&self.pattern, self.deletes));
        // The place that DuckDB names is in the views, and not in the statement.
        let defined = self.connection.execute_batch(&views).map_err(sql::without_place);
        defined.map_err(|error| SqlError::from(LakeError::from(error)))?;
        self.defined.set(true);
        Ok(())
    }

    fn is_without_files(&self, error: &SqlError) -> bool {
        error.message.contains("No files found") && error.message.contains(&self.pattern)
    }

    /// Removes the lake from an error's message.
    fn without_lake(&self, mut error: SqlError) -> SqlError {
        for prefix in ["write lake: ", "lake is damaged: ", "lake: "] {
            if let Some(rest) = error.message.strip_prefix(prefix) {
                error.message =
                    rest.lines().take_while(|line| !line.contains("delete lake.duckdb")).collect::<Vec<_>>().join("\n");
            }
        }
        if ["too small to be a Parquet file", "No magic bytes found", "Footer length error"]
            .iter()
            .any(|sign| error.message.contains(sign))
        {
            error.message.push_str(
                "\nhint: a file that is none of Parquet ends a question straight to the files; `fedilake check` names all of them, \
                 and without --direct the answer goes on without them",
            );
        }
        if self.is_without_files(&error) {
            error.message = format!(
                "there is no table file yet: {}\nhint: `fedilake run` or `fedilake replay` makes one; --data DIR names another \
                 data folder, the setting table.url another table",
                self.pattern
            );
        } else if error.message.contains("Permission denied") && !error.message.contains("hint: ") {
            error.message.push_str(&format!("\nhint: {ITS_USER_READS_IT}"));
        }
        error
    }
}

/// The way on where the right to read a file or a folder is missing.
const ITS_USER_READS_IT: &str = "its user can read it: ask as that user, or ask a copy that this user may read";

/// The message about a folder that this user may not read.
pub fn denied(folder: &Path) -> String {
    format!("read {}: permission denied\nhint: {ITS_USER_READS_IT}", folder.display())
}

/// Looks at the folder of a table's files, which need not be there yet. Returns a message, with a hint, if it or the folder around it
/// is something else, or if this user may not read all of it: DuckDB passes over such folders, so that rows would be missing silently.
pub fn look_at(folder: &Path) -> Result<(), String> {
    for path in folder.parent().into_iter().chain([folder]) {
        let what = match path.metadata() {
            Ok(found) if found.is_dir() => continue,
            Ok(_) => "a file",
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(denied(path)),
            Err(_) if path.symlink_metadata().is_ok() => "a link to nothing",
            Err(_) => continue,
        };
        return Err(format!(
            "{} is {what}: expected the folder of a table\nhint: --data DIR names another data folder, the setting table.url another \
             table",
            path.display()
        ));
    }
    readable(folder)
}

fn readable(folder: &Path) -> Result<(), String> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(denied(folder)),
        // DuckDB tells of any other failure.
        Err(_) => return Ok(()),
    };
    let mut folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.try_for_each(|folder| readable(&folder.path()))
}

fn load_httpfs(connection: &Connection, options: &DirectOptions) -> Result<(), DirectError> {
    let attempt = |statement: &str| connection.execute_batch(statement).map_err(|error| first_line(&error));
    let loaded = match &options.httpfs {
        Some(file) => attempt(&format!("load {}", literal(&file.to_string_lossy()))),
        None => attempt("load httpfs").or_else(|_| attempt("install httpfs; load httpfs")),
    };
    let Err(reason) = loaded else { return Ok(()) };
    let version: String = connection.query_row("select ltrim(version(), 'v')", [], |row| row.get(0))?;
    Err(DirectError::NoHttpfs { reason, version })
}
