//! Reads the values of a record's body one by one from the front, in the encoding of the Avro specification.
//!
//! Each function returns `None` if the bytes do not start with such a value; the rest of the body is then
//! meaningless.

/// Reads a zigzag varint of at most 64 bits.
#[inline]
pub(super) fn take_long(body: &mut &[u8]) -> Option<i64> {
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

/// Reads a zigzag varint of at most 32 bits.
#[inline]
pub(super) fn take_int(body: &mut &[u8]) -> Option<i32> {
    i32::try_from(take_long(body)?).ok()
}

#[inline]
pub(super) fn take_boolean(body: &mut &[u8]) -> Option<bool> {
    match take(body, 1)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// Reads a length and that many bytes.
#[inline]
pub(super) fn take_bytes<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_long(body)?;
    take(body, usize::try_from(length).ok()?)
}

/// Reads the branch number of a union of null (branch 0) and another type (branch 1). False for null.
#[inline]
pub(super) fn take_branch(body: &mut &[u8]) -> Option<bool> {
    match take_long(body)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Reads how many items of a list follow before the next count; 0 at the end of the list.
#[inline]
pub(super) fn take_count(body: &mut &[u8]) -> Option<u64> {
    let count = take_long(body)?;
    if count < 0 {
        // A negative count is followed by the block's length in bytes, which only readers that skip it need.
        usize::try_from(take_long(body)?).ok()?;
    }
    Some(count.unsigned_abs())
}

#[inline]
fn take<'a>(body: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = body.split_at_checked(length)?;
    *body = rest;
    Some(taken)
}
