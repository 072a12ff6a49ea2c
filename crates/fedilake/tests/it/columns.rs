//! The lake's columns are the model's: a column added to only one of them fails here.

use std::collections::BTreeSet;

use fedilake_model::schema::COLUMNS;

use crate::faults::replay;
use crate::program::Data;
use crate::versions::old_table;

/// Columns that belong to the event and not to the post.
const NOT_OF_A_POST: [&str; 6] =
    ["kind", "appended_at", "author_created_at", "visibility", "rejected_reason", "rejected_bytes"];

fn of_the_model() -> BTreeSet<String> {
    COLUMNS.iter().map(|column| column.field.name().clone()).collect()
}

/// The columns of a view, from the header of an empty answer.
fn columns(data: &Data, way: &[&str], view: &str) -> BTreeSet<String> {
    let question = format!("select * from {view} limit 0");
    let said = data.run(["sql", "--format", "csv", &question].into_iter().chain(way.iter().copied())).done();
    said.stdout.trim().split(',').map(str::to_owned).collect()
}

#[test]
fn posts_have_every_column_of_the_model_that_is_a_posts() {
    let data = Data::new();
    replay(&data, 0..1).done();
    let mut wanted = of_the_model();
    NOT_OF_A_POST.iter().for_each(|name| assert!(wanted.remove(*name), "{name}"));
    for way in [&[][..], &["--direct"]] {
        assert_eq!(columns(&data, way, "posts"), wanted, "{way:?}");
    }
}

#[test]
fn old_files_get_every_column_of_the_model() {
    let data = Data::new();
    old_table(&data);
    let views = data.run(["views"]).done().stdout;
    let duckdb = duckdb::Connection::open_in_memory().unwrap();
    duckdb.execute_batch(&views).unwrap();
    let mut described = duckdb.prepare("describe internal.table_rows").unwrap();
    let described = described.query_map([], |row| row.get(0)).unwrap();
    let mut found = described.collect::<Result<BTreeSet<String>, _>>().unwrap();
    assert!(found.remove("log") && found.remove("file"));
    assert_eq!(found, of_the_model());
}
