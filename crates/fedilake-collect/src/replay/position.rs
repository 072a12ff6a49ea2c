//! How far a replay is in an input, in a form that a bookmark keeps.

use std::fmt;

/// How far into an input's decoded bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    /// Values before it that could not be used.
    pub(super) rejected: u64,
    /// Fields of the other values before it that could not be used whole.
    pub(super) lost: u64,
    /// Arrays and wrappers around it.
    pub(super) open: Open,
}

impl Position {
    /// Reads a position as [`Position::fmt`] writes it, also the older forms that end earlier. Text that is no position counts as
    /// the start.
    pub(super) fn parse(saved: Option<&str>) -> Position {
        let mut parts = saved.unwrap_or_default().split(' ');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (Some(bytes), Some(lines)) = (number(), number()) else { return Position::default() };
        let rejected = number().unwrap_or(0);
        let open = match parts.next().map(Open::parse) {
            None => Open::default(),
            Some(Some(open)) => open,
            Some(None) => return Position::default(),
        };
        let lost = parts.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        Position { bytes, lines, rejected, lost, open }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {} {}", self.bytes, self.lines, self.rejected, self.open, self.lost)
    }
}

/// Arrays and wrapper objects around a place, the innermost last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// A bit each, 1 for an object; the innermost is the lowest.
    objects: u64,
    count: u32,
}

impl Open {
    fn parse(saved: &str) -> Option<Open> {
        let mut open = Open::default();
        for byte in saved.strip_prefix('-')?.bytes() {
            matches!(byte, b'{' | b'[').then(|| open.push(byte))?;
        }
        Some(open)
    }

    /// Where there are too many, the outermost is forgotten.
    pub(super) fn push(&mut self, byte: u8) {
        self.objects = self.objects << 1 | u64::from(byte == b'{');
        self.count = (self.count + 1).min(u64::BITS);
    }

    pub(super) fn pop(&mut self) {
        self.objects >>= 1;
        self.count = self.count.saturating_sub(1);
    }

    pub(super) fn is_empty(self) -> bool {
        self.count == 0
    }

    pub(super) fn is_in_object(self) -> bool {
        self.objects & 1 == 1
    }

    pub(super) fn is_in_array(self) -> bool {
        !self.is_empty() && !self.is_in_object()
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-")?;
        (0..self.count).rev().try_for_each(|at| f.write_str(if self.objects >> at & 1 == 1 { "{" } else { "[" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_as_it_was_saved() {
        let mut open = Open::default();
        b"[{[[{".iter().for_each(|byte| open.push(*byte));
        assert_eq!(open.to_string(), "-[{[[{");
        let position = Position { bytes: 70_000_000_000, lines: 12, rejected: 3, lost: 5, open };
        assert_eq!(Position::parse(Some(&position.to_string())), position);
        // As earlier versions wrote it.
        assert_eq!(Position::parse(Some("7 2")), Position { bytes: 7, lines: 2, ..Position::default() });
        assert_eq!(
            Position::parse(Some("7 2 1 -")),
            Position { bytes: 7, lines: 2, rejected: 1, ..Position::default() }
        );
        for odd in [None, Some(""), Some("7"), Some("a b"), Some("-1 2"), Some("7 2 0 -x"), Some("7 2 0 [")] {
            assert_eq!(Position::parse(odd), Position::default());
        }
    }
}
