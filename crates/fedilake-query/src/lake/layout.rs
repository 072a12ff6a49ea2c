//! The lake's tables and their version.
//!
//! A lake of another version, with another setting for deletes, or of another DuckDB (whose `hash` may differ) is not
//! migrated but rebuilt from the table.
//!
//! The tables are in the schema [`SCHEMA`], where connections of the lake itself look first. Users' SQL looks in
//! `main`, which has only the documented views.

use duckdb::{Connection, params};

use crate::error::first_line;
use crate::views::Deletes;
use crate::{LakeError, languages, topic, views};

/// Increased with every change of layout.sql, of a view or of the rows that `take` writes.
const VERSION: i32 = 23;

/// The words whose mentions every lake stores: the talk's.
pub(crate) const FOLLOWED: [&str; 4] = ["balloon", "earthquake", "superbowl", "chatgpt"];

/// The schema of the lake's own tables.
pub(crate) const SCHEMA: &str = "internal";

/// Lets a connection name the lake's own tables without their schema.
pub(crate) fn enter(connection: &Connection) -> duckdb::Result<()> {
    connection.execute_batch(&format!("set schema = '{SCHEMA}'"))
}

/// SQL: the bits of the followed words that a row's `text` mentions.
pub(crate) fn topics_sql() -> String {
    let bits: Vec<_> = FOLLOWED
        .iter()
        .enumerate()
        .map(|(id, word)| format!("(({})::uinteger << {id})", topic::mentions(word)))
        .collect();
    format!("(case when {} then {} else 0 end)", topic::mentions_any(&FOLLOWED), bits.join(" | "))
}

/// Creates the tables and views of an empty lake, and makes the connection use their schema.
pub(crate) fn create(connection: &Connection, deletes: Deletes) -> Result<(), LakeError> {
    connection.execute_batch(&format!("begin; create schema {SCHEMA}; {LISTINGS}"))?;
    enter(connection)?;
    connection.execute_batch(&format!("{}\n{}", include_str!("layout.sql"), include_str!("rollup.sql")))?;
    connection.execute_batch(&format!("set schema = 'main';\n{}", views::lake()))?;
    enter(connection)?;
    connection.execute_batch(&format!("insert into language_name values {}", languages::rows_sql()))?;
    for (id, word) in FOLLOWED.iter().enumerate() {
        connection.execute("insert into topic values (?, ?)", params![id as i32, word])?;
    }
    connection.execute("insert into numbering values (0)", [])?;
    connection
        .execute("insert into layout values (?, ?, ?)", params![VERSION, connection.version()?, deletes.as_str()])?;
    connection.execute_batch("commit")?;
    Ok(())
}

/// Why a newer fedilake made the lake; `None` if none did. Every version has the table `layout` in one of the two
/// schemas.
pub(crate) fn newer(connection: &Connection) -> Option<String> {
    let version = |table: &str| {
        connection.query_row(&format!("select version from {table}"), [], |row| row.get::<_, i32>(0)).ok()
    };
    let version = version("internal.layout").or_else(|| version("main.layout"))?;
    (version > VERSION).then(|| format!("its layout is {version}, this one reads {VERSION}"))
}

/// Replaces the functions from which DuckDB makes `show tables`, `information_schema` and its other listings, so that
/// they leave out the lake's own tables, columns and schema.
pub(crate) const LISTINGS: &str = "
    create or replace macro main.duckdb_tables() as table from system.main.duckdb_tables() where schema_name <> 'internal';
    create or replace macro main.duckdb_columns() as table from system.main.duckdb_columns() where schema_name <> 'internal';
    create or replace macro main.duckdb_views() as table from system.main.duckdb_views() where schema_name <> 'internal';
    create or replace macro main.duckdb_constraints() as table from system.main.duckdb_constraints() where schema_name <> 'internal';
    create or replace macro main.duckdb_schemas() as table from system.main.duckdb_schemas() where schema_name <> 'internal';
";

/// Why this program cannot use the lake that lies there; `None` if its own version and that of its DuckDB wrote it, with this setting.
pub(crate) fn outdated(connection: &Connection, deletes: Deletes) -> Option<String> {
    let sql = format!("select version, engine, deletes from {SCHEMA}.layout");
    let written = connection
        .query_row(&sql, [], |row| Ok((row.get::<_, i32>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
        .and_then(|written| Ok((written, connection.version()?)));
    match written {
        Ok(((version, ..), _)) if version != VERSION => {
            Some(format!("its layout is {version}, this program's is {VERSION}"))
        }
        Ok(((_, engine, _), ours)) if engine != ours => {
            Some(format!("DuckDB {engine} wrote it, this program's is {ours}"))
        }
        Ok(((.., written), _)) if written != deletes.as_str() => {
            Some(format!("it was made with consent.deletes = \"{written}\", which is \"{}\" now", deletes.as_str()))
        }
        Ok(_) => None,
        Err(error) => Some(unreadable(&error)),
    }
}

/// Why a lake cannot be read, in one line.
pub(crate) fn unreadable(error: &duckdb::Error) -> String {
    format!("it cannot be read: {}", first_line(error))
}
