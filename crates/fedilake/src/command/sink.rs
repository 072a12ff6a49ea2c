//! `fedilake sink`: the log to the table only; also accepts a gap.

use std::process::ExitCode;

use anyhow::Context;
use fedilake_log::{Offset, Partition};

use crate::cli;
use crate::process::sinking::Gap;
use crate::process::{Answer, Loops, Process, Sinks, Until};
use crate::render::counted;
use crate::settings::Settings;
use crate::shutdown;
use crate::telemetry;
use crate::wire;

/// Stores the log's records and waits for more. The owner of a `file:` log is its only writer, so there the sink ends
/// at the log's end.
pub(super) async fn run(typed: &cli::Sink, settings: &Settings) -> anyhow::Result<ExitCode> {
    let gap = typed.accept_gap.as_deref().map(parse_gap).transpose()?;
    let shutdown = shutdown::on_signal()?;
    let ownership = wire::own_what_is_local(settings)?;
    // Once reads every partition to its end: others may sink too, and the first file of an offset wins.
    let sink = if typed.once { Sinks::Every } else { Sinks::Shared };
    let loops = Loops { sink, gap, answer: Answer::figures(typed.listen), ..Loops::default() };
    let mut process = Process::start(ownership, settings, loops).await?;
    let until = match typed.duration {
        None if typed.once || process.is_alone() => Until::Read,
        duration => Until::after(duration),
    };
    process.until(until, &shutdown).await?;
    let sunk = process.stop().await?.sunk;
    telemetry::say(&format!("{} in {}", counted(sunk.rows, "row"), counted(sunk.files, "file")));
    Ok(ExitCode::SUCCESS)
}

fn parse_gap(typed: &str) -> anyhow::Result<Gap> {
    let gap = || {
        let (partition, range) = typed.split_once(':')?;
        let (first, next) = range.split_once("..")?;
        let (first, next): (u64, u64) = (first.parse().ok()?, next.parse().ok()?);
        let partition = Partition(partition.parse().ok()?);
        (first < next).then_some(Gap { partition, first: Offset(first), next: Offset(next) })
    };
    gap().with_context(|| {
        format!(
            "invalid --accept-gap {typed:?}: expected PARTITION:FIRST..NEXT\nhint: the sink names the range when it stops at a gap"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_a_partition_and_a_range() {
        let gap = Gap { partition: Partition(0), first: Offset(12), next: Offset(15) };
        assert_eq!(parse_gap("0:12..15").ok(), Some(gap));
        for wrong in ["", "0", "0:12", "0:15..12", "0:12..12", "x:1..2", "0:a..b"] {
            assert!(parse_gap(wrong).is_err(), "{wrong}");
        }
    }
}
