//! DuckDB's types that Arrow lacks. Their values come as bytes, with the type's name in the field's metadata: one of
//! Arrow's extension types, or `arrow.opaque` with DuckDB's name of the type.

use std::io::Write;

use arrow::datatypes::Field;
use num_bigint::{BigInt, BigUint, Sign};
use serde_json::Value;

use super::time;

/// The type named by a field's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// `boolean`, one byte each.
    Truth,
    /// `hugeint`: 16 bytes, little-endian.
    Huge,
    /// `uhugeint`: 16 bytes, little-endian, unsigned.
    HugeUnsigned,
    /// `bignum`: a whole number of any length.
    Big,
    /// `uuid`: 16 bytes as RFC 9562 has them.
    Uuid,
    /// `bit`.
    Bits,
    /// `timetz`.
    TimeWithZone,
}

const NAME: &str = "ARROW:extension:name";
const METADATA: &str = "ARROW:extension:metadata";

/// The special type of a field; `None` if Arrow's own type is enough.
pub(super) fn of(field: &Field) -> Option<Special> {
    match field.metadata().get(NAME)?.as_str() {
        "arrow.bool8" => Some(Special::Truth),
        "arrow.uuid" => Some(Special::Uuid),
        "arrow.opaque" => {
            let metadata: Value = serde_json::from_str(field.metadata().get(METADATA)?).ok()?;
            match metadata["type_name"].as_str()? {
                "hugeint" => Some(Special::Huge),
                "uhugeint" => Some(Special::HugeUnsigned),
                "bignum" => Some(Special::Big),
                "bit" => Some(Special::Bits),
                "time_tz" => Some(Special::TimeWithZone),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Special {
    /// The bytes of a value, if all values of the type have the same length.
    pub(super) fn width(self) -> Option<i32> {
        match self {
            Special::Truth => Some(1),
            Special::Huge | Special::HugeUnsigned | Special::Uuid => Some(16),
            Special::TimeWithZone => Some(8),
            Special::Big | Special::Bits => None,
        }
    }
}

/// Reads a `hugeint`.
pub(super) fn huge(bytes: &[u8]) -> i128 {
    i128::from_le_bytes(bytes.try_into().expect("the width was checked"))
}

/// Reads a `uhugeint`.
pub(super) fn huge_unsigned(bytes: &[u8]) -> u128 {
    u128::from_le_bytes(bytes.try_into().expect("the width was checked"))
}

/// Reads a `bignum`: three bytes with the sign and the length, then the digits, most significant first; all bytes are
/// inverted if the number is negative (DuckDB's `src/include/duckdb/common/types/bignum.hpp`).
pub(super) fn big(bytes: &[u8]) -> BigInt {
    let Some((header, digits)) = bytes.split_at_checked(3) else { return BigInt::ZERO };
    match header[0] & 0x80 {
        0 => {
            let digits: Vec<u8> = digits.iter().map(|byte| !byte).collect();
            BigInt::from_biguint(Sign::Minus, BigUint::from_bytes_be(&digits))
        }
        _ => BigInt::from_biguint(Sign::Plus, BigUint::from_bytes_be(digits)),
    }
}

/// Writes a UUID in its usual groups.
pub(super) fn uuid(bytes: &[u8], out: &mut Vec<u8>) {
    for (number, part) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if number > 0 {
            out.push(b'-');
        }
        hex(bytes.get(part).unwrap_or_default(), out);
    }
}

/// Writes the zeros and ones of a `bit`. Its first byte is the number of padding bits in the second.
pub(super) fn bits(bytes: &[u8], out: &mut Vec<u8>) {
    let Some((padding, bytes)) = bytes.split_first() else { return };
    let digits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| b'0' + (byte >> bit & 1)));
    out.extend(digits.skip(usize::from(*padding)));
}

/// Writes a `timetz`: microseconds, above 24 bits that hold the greatest offset minus this offset, in seconds.
pub(super) fn time_with_zone(bytes: &[u8], out: &mut Vec<u8>) {
    const OFFSET_MAX: i64 = 16 * 60 * 60 - 1;
    let packed = u64::from_le_bytes(bytes.try_into().expect("the width was checked"));
    let offset = OFFSET_MAX - (packed & 0xff_ffff) as i64;
    time::clock((packed >> 24) as i64, 1_000_000, out);
    let (sign, seconds) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    write!(out, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60).expect("a value is written to memory");
    if seconds % 60 != 0 {
        write!(out, ":{:02}", seconds % 60).expect("a value is written to memory");
    }
}

/// Writes bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}
