//! Writing JSON by hand into a byte buffer: a status has a hundred fields, and most of them are constants.

use chrono::{Datelike, Timelike};

/// Appends to a JSON text without escaping: callers push only text that needs no escapes.
pub(crate) trait Push {
    fn text(&mut self, text: &str);
    fn number(&mut self, number: u64);
    fn hex(&mut self, number: u64, digits: usize);
    /// `2023-02-03T21:30:00.000Z`, from milliseconds since 1970.
    fn time(&mut self, at_ms: i64);
    /// `2023-02-03`.
    fn date(&mut self, at_ms: i64);
    fn boolean(&mut self, value: bool) {
        self.text(if value { "true" } else { "false" });
    }
    fn texts(&mut self, texts: &[&str]) {
        for text in texts {
            self.text(text);
        }
    }
}

impl Push for Vec<u8> {
    fn text(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, mut number: u64) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.extend_from_slice(&digits[at..]);
    }

    fn hex(&mut self, number: u64, digits: usize) {
        for digit in (0..digits).rev() {
            self.push(b"0123456789abcdef"[(number >> (4 * (digit % 16)) & 15) as usize]);
        }
    }

    fn time(&mut self, at_ms: i64) {
        let at = chrono::DateTime::from_timestamp_millis(at_ms).expect("a time within chrono's range");
        self.date(at_ms);
        self.push(b'T');
        two_digits(self, at.hour());
        self.push(b':');
        two_digits(self, at.minute());
        self.push(b':');
        two_digits(self, at.second());
        self.push(b'.');
        let millis = at_ms.rem_euclid(1_000) as u32;
        self.push(b'0' + (millis / 100) as u8);
        two_digits(self, millis % 100);
        self.push(b'Z');
    }

    fn date(&mut self, at_ms: i64) {
        let at = chrono::DateTime::from_timestamp_millis(at_ms).expect("a time within chrono's range");
        two_digits(self, at.year() as u32 / 100);
        two_digits(self, at.year() as u32 % 100);
        self.push(b'-');
        two_digits(self, at.month());
        self.push(b'-');
        two_digits(self, at.day());
    }
}

fn two_digits(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&[b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]);
}

#[cfg(test)]
mod tests {
    use super::Push;

    fn written(push: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn numbers_and_times_are_written_as_the_api_writes_them() {
        assert_eq!(written(|out| out.number(0)), "0");
        assert_eq!(written(|out| out.number(u64::MAX)), "18446744073709551615");
        assert_eq!(written(|out| out.hex(0xab, 4)), "00ab");
        assert_eq!(written(|out| out.time(1_675_459_800_007)), "2023-02-03T21:30:00.007Z");
        assert_eq!(written(|out| out.date(1_675_459_800_007)), "2023-02-03");
    }
}
