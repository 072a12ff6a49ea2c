//! The fields of a record schema, with their types, in the order in which a body holds them.

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

use crate::json::Object;

use super::body::{take_boolean, take_branch, take_bytes, take_count, take_int, take_long};
use crate::schema;

/// One field of a record schema.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: FieldType,
}

/// The type of a field. Only the types of our columns are known.
#[derive(Debug, PartialEq)]
pub(super) enum FieldType {
    Boolean,
    Int,
    Long,
    /// A long that is a time: microseconds or milliseconds since 1970.
    Time(Unit),
    Bytes,
    Text,
    List(Box<FieldType>),
    /// A union of null (branch 0) and another type (branch 1).
    Nullable(Box<FieldType>),
}

/// The unit of a time. Records of version 1 have milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    Millis,
    Micros,
}

/// Why the fields of a schema cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ShapeError {
    /// The schema is not that of a record.
    NotARecord(String),
    /// The field has a type that none of our columns has.
    OtherType { field: String, is: String },
}

/// Reads the fields of a record schema.
pub(super) fn fields(schema: &str) -> Result<Vec<Field>, ShapeError> {
    let no_record = |why: &str| ShapeError::NotARecord(why.to_owned());
    let schema = Object::parse(schema.as_bytes()).map_err(|error| no_record(&error.to_string()))?;
    let schema = schema.value();
    if schema.get("type").and_then(|kind| kind.as_str()) != Some("record") {
        return Err(no_record("its type is not `record`"));
    }
    let fields = schema.get("fields").and_then(|fields| fields.as_array());
    let fields = fields.ok_or_else(|| no_record("it has no fields"))?.iter();
    fields
        .map(|field| {
            let name = field.get("name").and_then(|name| name.as_str());
            let name = name.ok_or_else(|| no_record("a field has no name"))?.to_owned();
            let kind = field.get("type").ok_or_else(|| no_record("a field has no type"))?;
            match FieldType::of(kind) {
                Some(kind) => Ok(Field { name, kind }),
                None => Err(ShapeError::OtherType { field: name, is: kind.to_string() }),
            }
        })
        .collect()
}

impl Unit {
    /// Converts a time to microseconds since 1970; `None` outside of [`schema::TIMES`].
    #[inline]
    pub(super) fn micros(self, units: i64) -> Option<i64> {
        let micros = match self {
            Unit::Millis => units.checked_mul(1_000)?,
            Unit::Micros => units,
        };
        schema::TIMES.contains(&micros).then_some(micros)
    }
}

impl FieldType {
    /// The unit if this is a time, nullable or not; `None` for any other type.
    pub(super) fn unit(&self) -> Option<Unit> {
        match self {
            FieldType::Time(unit) => Some(*unit),
            FieldType::Nullable(kind) => kind.unit(),
            _ => None,
        }
    }

    fn of(schema: &Value) -> Option<FieldType> {
        if let Some(union) = schema.as_array() {
            let [null, kind] = union.as_slice() else { return None };
            return (null.as_str()? == "null")
                .then(|| FieldType::of(kind))
                .flatten()
                .map(|kind| FieldType::Nullable(kind.into()));
        }
        let kind = schema.as_str().or_else(|| schema.get("type")?.as_str())?;
        if let Some(logical) = schema.get("logicalType") {
            return match (kind, logical.as_str()?) {
                ("long", "timestamp-millis") => Some(FieldType::Time(Unit::Millis)),
                ("long", "timestamp-micros") => Some(FieldType::Time(Unit::Micros)),
                _ => None,
            };
        }
        match kind {
            "boolean" => Some(FieldType::Boolean),
            "int" => Some(FieldType::Int),
            "long" => Some(FieldType::Long),
            "bytes" => Some(FieldType::Bytes),
            "string" => Some(FieldType::Text),
            "array" => FieldType::of(schema.get("items")?).map(|items| FieldType::List(items.into())),
            _ => None,
        }
    }

    /// Skips one value at the front; checks only its length.
    pub(super) fn skip(&self, body: &mut &[u8]) -> Option<()> {
        match self {
            FieldType::Boolean => take_boolean(body).map(drop),
            FieldType::Int => take_int(body).map(drop),
            FieldType::Long | FieldType::Time(_) => take_long(body).map(drop),
            FieldType::Bytes | FieldType::Text => take_bytes(body).map(drop),
            FieldType::Nullable(kind) => {
                if take_branch(body)? {
                    kind.skip(body)
                } else {
                    Some(())
                }
            }
            FieldType::List(items) => loop {
                match take_count(body)? {
                    0 => break Some(()),
                    // Each item takes at least one byte, so a false count stops at the end of the body.
                    count => (0..count).try_for_each(|_| items.skip(body))?,
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_other_types_has_no_shape() {
        for kind in [
            r#""double""#,
            r#"["string", "null"]"#,
            r#"["null", "int", "long"]"#,
            r#"{"type": "map", "values": "int"}"#,
            r#"{"type": "long", "logicalType": "timestamp-nanos"}"#,
            r#"{"type": "long", "logicalType": "local-timestamp-micros"}"#,
            r#"{"type": "int", "logicalType": "timestamp-millis"}"#,
        ] {
            let schema = format!(r#"{{"type": "record", "name": "R", "fields": [{{"name": "x", "type": {kind}}}]}}"#);
            assert!(matches!(fields(&schema), Err(ShapeError::OtherType { field, .. }) if field == "x"), "{kind}");
        }
    }
}
