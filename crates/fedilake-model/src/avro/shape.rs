//! What the records of a schema look like: their fields in order.

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

use super::body::{take_boolean, take_branch, take_bytes, take_count, take_int, take_long};

/// A record's field.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// A field's type: those that our columns have.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    Boolean,
    Int,
    Long,
    Bytes,
    Text,
    List(Box<Kind>),
    /// A union of null, branch 0, and another.
    Nullable(Box<Kind>),
}

/// The fields of a record schema; `None` where it has a type that our columns do not have.
pub(super) fn fields(schema: &str) -> Option<Vec<Field>> {
    let schema: Value = sonic_rs::from_str(schema).ok()?;
    let fields = schema.get("fields")?.as_array()?.iter();
    fields
        .map(|field| Some(Field { name: field.get("name")?.as_str()?.to_owned(), kind: Kind::of(field.get("type")?)? }))
        .collect()
}

impl Kind {
    fn of(schema: &Value) -> Option<Kind> {
        if let Some(union) = schema.as_array() {
            let [null, kind] = union.as_slice() else { return None };
            return (null.as_str()? == "null")
                .then(|| Kind::of(kind))
                .flatten()
                .map(|kind| Kind::Nullable(kind.into()));
        }
        match schema.as_str().or_else(|| schema.get("type")?.as_str())? {
            "boolean" => Some(Kind::Boolean),
            "int" => Some(Kind::Int),
            "long" => Some(Kind::Long),
            "bytes" => Some(Kind::Bytes),
            "string" => Some(Kind::Text),
            "array" => Kind::of(schema.get("items")?).map(|items| Kind::List(items.into())),
            _ => None,
        }
    }

    /// Takes one value off the front and looks at nothing but its length.
    pub(super) fn skip(&self, body: &mut &[u8]) -> Option<()> {
        match self {
            Kind::Boolean => take_boolean(body).map(drop),
            Kind::Int => take_int(body).map(drop),
            Kind::Long => take_long(body).map(drop),
            Kind::Bytes | Kind::Text => take_bytes(body).map(drop),
            Kind::Nullable(kind) => {
                if take_branch(body)? {
                    kind.skip(body)
                } else {
                    Some(())
                }
            }
            Kind::List(items) => loop {
                match take_count(body)? {
                    0 => break Some(()),
                    // Each item takes a byte at least: a false count ends with the body.
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
        ] {
            let schema = format!(r#"{{"type": "record", "name": "R", "fields": [{{"name": "x", "type": {kind}}}]}}"#);
            assert_eq!(fields(&schema), None, "{kind}");
        }
    }
}
