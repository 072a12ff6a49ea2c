//! Intervals as texts, in DuckDB's own words.
//!
//! Arrow counts the part of an interval below a day in nanoseconds, and DuckDB's product wraps around silently beyond
//! 292 years. A statement whose answer has an interval anywhere runs with that part of the answer cast to text, so
//! that each interval is right as far as DuckDB itself writes it.

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use duckdb::Connection;

use super::pivot::Edited;
use super::{SqlError, guard};
use crate::views::name;

/// True if an answer has an interval anywhere.
pub(super) fn occur_in(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| occur_within(field))
}

fn occur_within(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Interval(_)) || children(field.data_type()).into_iter().any(occur_within)
}

/// The schema with texts in place of intervals; all names stay.
pub(super) fn as_texts(schema: &Schema) -> Schema {
    Schema::new_with_metadata(schema.fields().iter().map(text_within).collect::<Vec<_>>(), schema.metadata().clone())
}

fn text_within(field: &FieldRef) -> Field {
    let inner = |field: &FieldRef| text_within(field).into();
    let kind = match field.data_type() {
        DataType::Interval(_) => DataType::Utf8,
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(inner(item), *length),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(members) => DataType::Struct(members.iter().map(inner).collect()),
        DataType::Union(members, mode) => {
            DataType::Union(members.iter().map(|(id, member)| (id, inner(member))).collect(), *mode)
        }
        other => other.clone(),
    };
    field.as_ref().clone().with_data_type(kind)
}

/// The statement `asked`, whose answer has `schema`, with texts in place of intervals. The members of its unnamed
/// structs get names, because DuckDB casts to named structs only: [`as_texts`] has the names of the answer.
pub(super) fn cast(connection: &Connection, asked: &Edited, typed: &str, schema: &Schema) -> Result<Edited, SqlError> {
    let described = asked.within("describe select * from (\n", "\n)");
    guard::admit_made(connection, &described.text)?;
    let types = column_types(connection, &described.text);
    let types = types.map_err(|error| SqlError::from_engine(&described, typed, error))?;
    let columns = schema.fields().iter().zip(types).enumerate().map(|(number, (field, kind))| {
        let cast = if occur_within(field) { format!("::{}", text_type(field, &kind)) } else { String::new() };
        format!("c{number}{cast} as {}", name(field.name()))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let inner = (0..schema.fields().len()).map(|number| format!("c{number}")).collect::<Vec<_>>().join(", ");
    let cast = asked.within(&format!("select {columns} from (\n"), &format!("\n) as answer({inner})"));
    guard::admit_made(connection, &cast.text)?;
    Ok(cast)
}

fn column_types(connection: &Connection, describe: &str) -> duckdb::Result<Vec<String>> {
    connection.prepare(describe)?.query_map([], |row| row.get(1))?.collect()
}

/// The SQL type `kind` of a column as DuckDB writes it, such as `STRUCT(a INTERVAL, b INTEGER[])`, with VARCHAR for
/// INTERVAL. Names of members never equal a type's name: DuckDB puts those in quotes.
fn text_type(field: &Field, kind: &str) -> String {
    let mut structs = Vec::new();
    list_structs(field, &mut structs);
    let mut structs = structs.into_iter();
    let (mut text, mut rest) = (String::new(), kind);
    // For each open bracket, the number of the present member if the members have no names.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut is_struct = false;
    while let Some(first) = rest.chars().next() {
        let (token, behind) = rest.split_at(token_length(rest, first));
        rest = behind;
        text.push_str(if token == "INTERVAL" { "VARCHAR" } else { token });
        match (token, open.last_mut()) {
            ("(", _) => {
                let is_unnamed = is_struct && structs.next().unwrap_or(false);
                open.push(is_unnamed.then_some(1));
            }
            (")", _) => drop(open.pop()),
            (",", Some(Some(member))) => *member += 1,
            _ => {}
        }
        if let ("(" | ",", Some(Some(member))) = (token, open.last()) {
            text.push_str(&format!(" \"_{member}\" "));
        }
        is_struct = token == "STRUCT";
    }
    text
}

/// Lists whether the members have no names, for each struct of a column, an outer one before its inner ones.
fn list_structs(field: &Field, structs: &mut Vec<bool>) {
    let children = children(field.data_type());
    if matches!(field.data_type(), DataType::Struct(_)) {
        structs.push(children.iter().all(|member| member.name().is_empty()));
    }
    children.into_iter().for_each(|child| list_structs(child, structs));
}

fn children(kind: &DataType) -> Vec<&Field> {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => vec![item],
        DataType::Map(entries, _) => children(entries.data_type()),
        DataType::Struct(members) => members.iter().map(|member| member.as_ref()).collect(),
        DataType::Union(members, _) => members.iter().map(|(_, member)| member.as_ref()).collect(),
        _ => Vec::new(),
    }
}

/// The length of the word, the quoted text or the sign at the start of a type.
fn token_length(text: &str, first: char) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match first {
        // A doubled quote makes two quoted texts of one, which is as good here.
        '\'' | '"' => text[1..].find(first).map_or(text.len(), |end| end + 2),
        c if is_word(c) => text.find(|c| !is_word(c)).unwrap_or(text.len()),
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Fields, IntervalUnit};

    use super::*;

    fn tuple(members: &[DataType]) -> DataType {
        DataType::Struct(members.iter().map(|kind| Field::new("", kind.clone(), true)).collect())
    }

    fn named(members: &[(&str, DataType)]) -> DataType {
        DataType::Struct(members.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Fields>())
    }

    #[test]
    fn a_type_is_cast_wherever_an_interval_stands_and_keeps_the_rest() {
        let (interval, whole) = (DataType::Interval(IntervalUnit::MonthDayNano), DataType::Int32);
        let list = |kind: &DataType| DataType::List(Field::new("l", kind.clone(), true).into());
        for (kind, written, cast) in [
            (interval.clone(), "INTERVAL", "VARCHAR"),
            (list(&interval), "INTERVAL[]", "VARCHAR[]"),
            (
                tuple(&[whole.clone(), interval.clone()]),
                "STRUCT(INTEGER, INTERVAL)[3]",
                "STRUCT( \"_1\" INTEGER, \"_2\"  VARCHAR)[3]",
            ),
            (
                named(&[("INTERVAL", interval.clone()), ("x", tuple(std::slice::from_ref(&interval)))]),
                "STRUCT(\"INTERVAL\" INTERVAL, x STRUCT(INTERVAL))",
                "STRUCT(\"INTERVAL\" VARCHAR, x STRUCT( \"_1\" VARCHAR))",
            ),
            (
                tuple(&[named(&[("a", whole.clone())]), tuple(std::slice::from_ref(&interval))]),
                "STRUCT(STRUCT(a DECIMAL(18,3)), STRUCT(INTERVAL))",
                "STRUCT( \"_1\" STRUCT(a DECIMAL(18,3)), \"_2\"  STRUCT( \"_1\" VARCHAR))",
            ),
            (
                named(&[("i", interval.clone()), ("e", DataType::Utf8)]),
                "STRUCT(i INTERVAL, e ENUM('INTERVAL', 'it''s, (INTERVAL'))",
                "STRUCT(i VARCHAR, e ENUM('INTERVAL', 'it''s, (INTERVAL'))",
            ),
        ] {
            assert_eq!(text_type(&Field::new("c", kind, true), written), cast, "{written}");
        }
    }
}
