//! What a schema's records look like byte by byte, and whether given bytes do.
//!
//! arrow-avro cannot say which record of a batch is bad, is unusable after one, and takes some that the specification
//! forbids. So each body is walked before it is decoded, and arrow-avro sees good ones only.

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

/// A record's fields in order.
#[derive(Debug)]
pub(super) struct Shape(Vec<Kind>);

#[derive(Debug)]
enum Kind {
    Boolean,
    Int,
    Long,
    Bytes,
    Text,
    List(Box<Kind>),
    /// A union of null, branch 0, and another.
    Nullable(Box<Kind>),
}

impl Shape {
    /// The shape of a record schema; `None` where it has a type that our columns do not have.
    pub(super) fn of(schema: &str) -> Option<Shape> {
        let schema: Value = sonic_rs::from_str(schema).ok()?;
        let fields = schema.get("fields")?.as_array()?.iter();
        fields.map(|field| Kind::of(field.get("type")?)).collect::<Option<_>>().map(Shape)
    }

    /// Whether `body` is exactly one record.
    pub(super) fn fits(&self, mut body: &[u8]) -> bool {
        self.0.iter().try_for_each(|field| field.take(&mut body)).is_some() && body.is_empty()
    }
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

    /// Takes one value off the front; `None` where there is none.
    fn take(&self, body: &mut &[u8]) -> Option<()> {
        match self {
            Kind::Boolean => matches!(take(body, 1)?, [0 | 1]).then_some(()),
            Kind::Int => i32::try_from(take_long(body)?).ok().map(drop),
            Kind::Long => take_long(body).map(drop),
            Kind::Bytes => take_bytes(body).map(drop),
            Kind::Text => std::str::from_utf8(take_bytes(body)?).ok().map(drop),
            Kind::Nullable(kind) => match take_long(body)? {
                0 => Some(()),
                1 => kind.take(body),
                _ => None,
            },
            Kind::List(items) => loop {
                let count = take_long(body)?;
                if count < 0 {
                    // The block's length in bytes, for those who skip it.
                    usize::try_from(take_long(body)?).ok()?;
                }
                if count == 0 {
                    break Some(());
                }
                // Each item takes a byte at least: a false count ends with the body.
                (0..count.unsigned_abs()).try_for_each(|_| items.take(body))?;
            },
        }
    }
}

fn take_bytes<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_long(body)?;
    take(body, usize::try_from(length).ok()?)
}

fn take<'a>(body: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = body.split_at_checked(length)?;
    *body = rest;
    Some(taken)
}

/// A zigzag varint of at most 64 bits.
#[inline]
fn take_long(body: &mut &[u8]) -> Option<i64> {
    if let [byte @ ..0x80, rest @ ..] = body {
        *body = rest;
        return Some(i64::from(byte >> 1) ^ -i64::from(byte & 1));
    }
    take_wide_long(body)
}

fn take_wide_long(body: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for (n, byte) in body.iter().take(10).enumerate() {
        if n == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            *body = &body[n + 1..];
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type": "record", "name": "R", "fields": [
        {"name": "text", "type": "string"},
        {"name": "flag", "type": ["null", "boolean"]},
        {"name": "int", "type": "int"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "list", "type": ["null", {"type": "array", "items": ["null", "string"]}]}
    ]}"#;

    #[test]
    fn a_record_fits_and_what_the_specification_forbids_does_not() {
        let shape = Shape::of(SCHEMA).unwrap();
        let cases: &[(&[u8], bool)] = &[
            (&[2, b'a', 0, 0, 0, 0], true),
            (&[0, 2, 1, 1, 1, 2, 2, 0, 0], true),
            (&[0, 2, 1, 1, 1, 2, 3, 4, 0, 0, 0], true),
            (&[0, 2, 1, 1, 1, 2, 2, 2, 2, b'a', 2, 0, 0], true),
            (&[0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0], true),
            (&[], false),
            (&[2, b'a', 0, 0, 0], false),
            (&[2, b'a', 0, 0, 0, 0, 0], false),
            (&[2, 0xff, 0, 0, 0, 0], false),
            (&[1, 0, 0, 0, 0], false),
            (&[4, b'a', 0, 0, 0], false),
            (&[0, 2, 2, 0, 0, 0], false),
            (&[0, 4, 0, 0, 0], false),
            (&[0, 1, 0, 0, 0], false),
            (&[0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0], false),
            (&[0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0], false),
            (&[0, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], false),
        ];
        for (bytes, fits) in cases {
            assert_eq!(shape.fits(bytes), *fits, "{bytes:?}");
        }
    }

    #[test]
    fn a_schema_of_other_types_has_no_shape() {
        for kind in [
            r#""double""#,
            r#"["string", "null"]"#,
            r#"["null", "int", "long"]"#,
            r#"{"type": "map", "values": "int"}"#,
        ] {
            let schema = format!(r#"{{"type": "record", "name": "R", "fields": [{{"name": "x", "type": {kind}}}]}}"#);
            assert!(Shape::of(&schema).is_none(), "{kind}");
        }
    }
}
