//! Forms of ids: each software writes its own, and in all of them the order of texts is the order of numbers.
//!
//! The simulator counts in Mastodon's numbers, `milliseconds << 16 | 16 bits`; a form shows such a number and reads it back.

use super::json::Push;

/// A form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Ids {
    /// Mastodon's number.
    #[default]
    Snowflake,
    /// 18 characters of base 62: Pleroma and Akkoma.
    Flake,
    /// 26 characters of Crockford's base 32: GoToSocial.
    Ulid,
    /// UUIDs of version 7: Hollo.
    Uuid,
}

const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE_32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The worker that all of a server's flakes name.
const WORKER: u128 = 0x5fed_1a4e_0001;

impl Ids {
    pub(crate) fn text(self, id: u64) -> String {
        let (ms, low) = (u128::from(id >> 16), u128::from(id & 0xffff));
        let noise = u128::from(id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        match self {
            Ids::Snowflake => id.to_string(),
            Ids::Flake => digits(ms << 64 | WORKER << 16 | low, BASE_62, 18),
            Ids::Ulid => digits(ms << 80 | low << 64 | noise, BASE_32, 26),
            Ids::Uuid => {
                let (high, rest) = (low >> 4, low & 0xf);
                let number = ms << 80 | 7 << 76 | high << 64 | 2 << 62 | rest << 58 | noise >> 6;
                let hex = format!("{number:032x}");
                [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
            }
        }
    }

    pub(crate) fn write(self, id: u64, out: &mut Vec<u8>) {
        // A status has several, and most are of this form.
        if self == Ids::Snowflake {
            return out.number(id);
        }
        out.extend_from_slice(self.text(id).as_bytes());
    }

    /// The number of a text; `None` for one of another form.
    pub(crate) fn parse(self, text: &str) -> Option<u64> {
        let number = |ms: u128, low: u128| Some(u64::try_from(ms).ok()?.checked_mul(1 << 16)? | low as u64);
        match self {
            Ids::Snowflake => text.parse().ok(),
            Ids::Flake if text.len() == 18 => {
                let flake = value(text, BASE_62)?;
                number(flake >> 64, flake & 0xffff)
            }
            Ids::Ulid if text.len() == 26 => {
                let ulid = value(text, BASE_32)?;
                number(ulid >> 80, ulid >> 64 & 0xffff)
            }
            Ids::Uuid if text.len() == 36 => {
                let uuid = u128::from_str_radix(&text.replace('-', ""), 16).ok()?;
                number(uuid >> 80, (uuid >> 64 & 0xfff) << 4 | uuid >> 58 & 0xf)
            }
            Ids::Flake | Ids::Ulid | Ids::Uuid => None,
        }
    }
}

fn digits(mut number: u128, alphabet: &[u8], length: usize) -> String {
    let base = alphabet.len() as u128;
    let mut text = vec!['0'; length];
    for place in text.iter_mut().rev() {
        *place = char::from(alphabet[(number % base) as usize]);
        number /= base;
    }
    text.into_iter().collect()
}

fn value(text: &str, alphabet: &[u8]) -> Option<u128> {
    text.bytes().try_fold(0_u128, |sum, byte| {
        let digit = alphabet.iter().position(|known| *known == byte)?;
        sum.checked_mul(alphabet.len() as u128)?.checked_add(digit as u128)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_keeps_order_and_can_be_read_back() {
        let now = 1_780_000_000_000_u64 << 16;
        let ids = [1, now, now + 1, now + 0xffff, now + 0x1_0000, now + (86_400_000 << 16)];
        for (form, length) in
            [(Ids::Snowflake, None), (Ids::Flake, Some(18)), (Ids::Ulid, Some(26)), (Ids::Uuid, Some(36))]
        {
            let texts: Vec<String> = ids.iter().map(|id| form.text(*id)).collect();
            assert!(texts[1..].is_sorted(), "{texts:?}");
            assert!(length.is_none_or(|length| texts.iter().all(|text| text.len() == length)), "{texts:?}");
            assert_eq!(texts.iter().map(|text| form.parse(text).unwrap()).collect::<Vec<_>>(), ids);
            assert_eq!(form.parse("no id"), None);
        }
        assert_eq!(Ids::Uuid.text(now).as_bytes()[14], b'7');
    }
}
