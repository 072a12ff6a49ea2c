//! The lake's tables and their version.
//!
//! A lake of another version, or written by another DuckDB (whose `hash` may differ), is not migrated but rebuilt
//! from the table.

use duckdb::{Connection, params};

use crate::{LakeError, views};

/// Goes up with every change of layout.sql, of a view or of what `take` writes.
const VERSION: i32 = 11;

/// Words that every lake follows from its first row: the talk's.
pub(crate) const FOLLOWED: [&str; 4] = ["balloon", "earthquake", "superbowl", "chatgpt"];

/// Creates the tables and views of an empty lake.
pub(crate) fn create(connection: &Connection) -> Result<(), LakeError> {
    connection.execute_batch(&format!(
        "begin;\n{}\n{}\n{}",
        include_str!("layout.sql"),
        include_str!("rollup.sql"),
        views::lake()
    ))?;
    connection.execute_batch(&format!("insert into language_name values {}", views::language_rows()))?;
    for (id, word) in FOLLOWED.iter().enumerate() {
        connection.execute("insert into topic values (?, ?)", params![id as i32, word])?;
    }
    connection.execute("insert into numbering values (0)", [])?;
    connection.execute("insert into layout values (?, ?)", params![VERSION, connection.version()?])?;
    connection.execute_batch("commit")?;
    Ok(())
}

/// Why a newer fedilake made the lake; None if none did. Every layout has `layout` with its version, in one of the two schemas.
pub(crate) fn newer(connection: &Connection) -> Option<String> {
    let version = |table: &str| {
        connection.query_row(&format!("select version from {table}"), [], |row| row.get::<_, i32>(0)).ok()
    };
    let version = version("internal.layout").or_else(|| version("main.layout"))?;
    (version > VERSION).then(|| format!("its layout is {version}, this one reads {VERSION}"))
}

/// Whether this program and this DuckDB wrote the lake.
pub(crate) fn is_current(connection: &Connection) -> bool {
    let written = connection.query_row("select version, engine from layout", [], |row| {
        Ok((row.get::<_, i32>(0)?, row.get::<_, String>(1)?))
    });
    match (written, connection.version()) {
        (Ok((version, engine)), Ok(ours)) => version == VERSION && engine == ours,
        _ => false,
    }
}
