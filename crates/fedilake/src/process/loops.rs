//! The loops that a process runs: the value by which the verbs differ.

use std::net::SocketAddr;
use std::time::Duration;

use crate::process::collecting::Collect;
use crate::process::sinking::Gap;
use crate::wire::Use;

/// The loops of a process, in the order of a post's way. By default none runs.
#[derive(Default)]
pub struct Loops {
    /// Whoever appends to the log.
    pub append: Append,
    /// Log → table.
    pub sink: Sinks,
    /// Offsets that the log lost; the table records that before the sink starts.
    pub gap: Option<Gap>,
    /// Table and log → lake.
    pub follow: bool,
    /// What is answered, and where.
    pub answer: Answer,
}

/// Whoever appends to the log in this process.
#[derive(Default)]
pub enum Append {
    #[default]
    Nobody,
    /// The caller, while the process runs.
    Caller,
    /// Collectors.
    Collectors(Box<Collect>),
}

/// The sink to run, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sinks {
    #[default]
    No,
    /// No sink, since the caller has filled the table itself.
    Before,
    /// A sink that shares the log's partitions with others.
    Shared,
    /// A sink of every partition, even if others sink it too.
    Every,
    /// The same, which has stored all of the log when the process has stopped.
    All,
}

/// What a process answers, and where.
#[derive(Debug, Clone, Copy, Default)]
pub enum Answer {
    #[default]
    Nothing,
    /// /healthz, /readyz and /metrics alone, for a process without a lake.
    Figures(SocketAddr),
    /// Every question.
    Questions {
        at: SocketAddr,
        /// True if the address is said at the start.
        is_said: bool,
    },
}

/// When a process ends by itself.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// Never.
    Told,
    After(Duration),
    /// When the sink has read what the log held at the start.
    Read,
}

impl Loops {
    /// The purpose for which the stores are opened.
    pub fn used(&self) -> Use {
        match (&self.append, self.sink) {
            (Append::Nobody, Sinks::No) => Use::Read,
            (Append::Nobody, _) => Use::Store,
            _ => Use::Write,
        }
    }

    /// True if a loop needs the table.
    pub fn need_the_table(&self) -> bool {
        self.follow || self.sink != Sinks::No
    }
}

impl Append {
    /// The number of cores that appending keeps busy at most times.
    pub fn busy_cores(&self) -> usize {
        match self {
            Append::Nobody => 0,
            Append::Caller | Append::Collectors(_) => 1,
        }
    }
}

impl Sinks {
    /// True if this process runs a sink.
    pub fn runs(self) -> bool {
        !matches!(self, Sinks::No | Sinks::Before)
    }
}

impl Answer {
    /// The figures alone, if there is an address for them.
    pub fn figures(at: Option<SocketAddr>) -> Answer {
        at.map_or(Answer::Nothing, Answer::Figures)
    }

    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Answer::Nothing => None,
            Answer::Figures(at) | Answer::Questions { at, .. } => Some(at),
        }
    }
}

impl Until {
    pub fn after(duration: Option<Duration>) -> Until {
        duration.map_or(Until::Told, Until::After)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_opened_for_no_more_than_the_loops_do() {
        let cases = [
            // Who appends, the sink, what the stores are opened for; `serve`, `sink`, `import` without and with deletes, `replay`.
            (Append::Nobody, Sinks::No, Use::Read),
            (Append::Nobody, Sinks::Shared, Use::Store),
            (Append::Nobody, Sinks::Every, Use::Store),
            (Append::Nobody, Sinks::Before, Use::Store),
            (Append::Caller, Sinks::All, Use::Write),
            (Append::Caller, Sinks::No, Use::Write),
        ];
        for (append, sink, used) in cases {
            assert_eq!(Loops { append, sink, ..Loops::default() }.used(), used, "{sink:?}");
        }
    }

    #[test]
    fn a_process_opens_the_table_only_for_a_loop_that_needs_it() {
        assert!(!Loops { append: Append::Caller, ..Loops::default() }.need_the_table());
        assert!(Loops { sink: Sinks::Shared, ..Loops::default() }.need_the_table());
        assert!(Loops { follow: true, ..Loops::default() }.need_the_table());
    }
}
