//! What may be named in SQL, for completion.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use fedilake_query::views;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Problem, Shared, sql};

/// The views, and the functions of DuckDB.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Schema {
    views: Vec<View>,
    functions: Vec<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct View {
    name: String,
    columns: Vec<ViewColumn>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct ViewColumn {
    name: String,
    /// DuckDB's name of the type.
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct ColumnRow {
    view: String,
    name: String,
    kind: String,
}

#[derive(Deserialize)]
struct FunctionRow {
    name: String,
}

/// SQL: the columns of the documented views.
pub const COLUMNS: &str = "select table_name as view, column_name as name, lower(data_type) as kind from duckdb_columns() \
    where not internal order by table_name, column_index";
/// SQL: the functions of DuckDB.
pub const FUNCTIONS: &str = "select distinct function_name as name from duckdb_functions() \
    where function_type in ('scalar', 'aggregate', 'macro', 'table', 'table_macro') \
    and regexp_full_match(function_name, '[a-z][a-z0-9_]*') order by 1";

/// Names views, columns and functions.
#[utoipa::path(
    get, path = "/schema", tag = "sql",
    responses((status = 200, description = "What may be named in SQL", body = Schema))
)]
pub(super) async fn schema(State(state): Shared) -> Result<Json<Schema>, Problem> {
    let read = state.schema.get_or_try_init(|| async {
        let state = Arc::clone(&state);
        let ask = move || -> Result<Schema, Problem> {
            let columns: Vec<ColumnRow> = sql::objects(&state.lake, COLUMNS, &state.sql_limits)?;
            let functions: Vec<FunctionRow> = sql::objects(&state.lake, FUNCTIONS, &state.sql_limits)?;
            let mut by_view: BTreeMap<String, Vec<ViewColumn>> = BTreeMap::new();
            for ColumnRow { view, name, kind } in columns {
                by_view.entry(view).or_default().push(ViewColumn { name, kind });
            }
            let documented = views::DOCUMENTED
                .iter()
                .filter_map(|name| Some(View { name: (*name).to_owned(), columns: by_view.remove(*name)? }));
            Ok(Schema {
                views: documented.collect(),
                functions: functions.into_iter().map(|function| function.name).collect(),
            })
        };
        tokio::task::spawn_blocking(ask).await.map_err(Problem::internal)?
    });
    Ok(Json(read.await?.clone()))
}
