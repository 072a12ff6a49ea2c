//! `fedilake sink`: the log to the table only; also accepts a gap.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use fedilake_log::{Assignment, Offset, Partition, bounds_of};
use fedilake_table::sink::{self, SinkProgress};
use fedilake_table::{Chain, Commit};
use tokio_util::sync::CancellationToken;

use crate::cli;
use crate::owner;
use crate::process::lag::Lag;
use crate::process::progress;
use crate::process::serving;
use crate::process::with_hint;
use crate::render::counted;
use crate::serve::{Figures, Readiness, Standing};
use crate::settings::Settings;
use crate::shutdown;
use crate::telemetry;
use crate::wire::{self, Stores, Use};

/// Stores the log's records and waits for more. The owner of a `file:` log is its only writer, so there the sink ends
/// at the log's end.
pub(super) async fn run(typed: &cli::Sink, settings: &Settings) -> anyhow::Result<ExitCode> {
    let gap = typed.accept_gap.as_deref().map(parse_gap).transpose()?;
    let shutdown = shutdown::on_signal()?;
    let ownership = wire::own_what_is_local(settings)?;
    let stores = Stores::open(ownership.as_ref(), settings, Use::Store).await?;
    if let Some(gap) = gap {
        accept_gap(gap, &stores).await?;
    }
    let sunk = Arc::new(SinkProgress::default());
    let lag = Arc::new(Lag::watch(Arc::clone(&stores.log.source), Arc::clone(&sunk)));
    let _figures = Figures::start(typed.listen, ready(lag)).await?;
    let stop = CancellationToken::new();
    let mut sink = tokio::spawn({
        let (stores, once, stop) = (stores.clone(), typed.once, stop.clone());
        let (limits, sunk) = (wire::sink_limits(settings)?, Arc::clone(&sunk));
        async move {
            // Once reads every partition to its end: others may sink too, and the first file of an offset wins.
            let assignment = if once { Assignment::All } else { stores.log.shared_by_sinks() };
            let (source, decoder) = (Arc::clone(&stores.log.source), stores.log.schemas.decoder());
            sink::run(source, assignment, decoder, stores.table, limits, sunk, stop).await
        }
    });
    let asked = async {
        match typed.duration {
            Some(_) => serving::elapsed(typed.duration).await,
            None if typed.once || stores.log.is_alone => progress::all_read(stores.log.source.as_ref(), &sunk).await?,
            None => std::future::pending().await,
        }
        anyhow::Ok(())
    };
    let ended = tokio::select! {
        done = asked => done.map(|()| None),
        () = shutdown.cancelled() => Ok(None),
        ended = &mut sink => Ok(Some(ended)),
        error = owner::lost(ownership.as_deref()) => Err(error),
    };
    let ended = match ended? {
        Some(ended) => ended,
        None => {
            stop.cancel();
            sink.await
        }
    };
    if let Err(error) = ended.context("store posts")? {
        return Err(owner::cause(ownership.as_deref(), with_hint(error)).await);
    }
    let done = sunk.summary();
    telemetry::say(&format!("{} in {}", counted(done.rows, "row"), counted(done.files, "file")));
    Ok(ExitCode::SUCCESS)
}

/// The answer of `/readyz`: the sink's partitions and its lag in each. Ready once the log has answered.
fn ready(lag: Arc<Lag>) -> impl Fn() -> Readiness + Clone + Send + Sync + 'static {
    move || {
        let looked = lag.looked();
        let why_not = looked.is_none().then_some("the log does not answer");
        Readiness::unless(why_not, Standing::Partitions(looked.unwrap_or_default()))
    }
}

/// Offsets of a partition that the log lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    partition: Partition,
    first: Offset,
    next: Offset,
}

async fn accept_gap(Gap { partition, first, next }: Gap, stores: &Stores) -> anyhow::Result<()> {
    let log = stores.log.source.as_ref();
    let chain = Chain { log: log.id().clone(), partition };
    let bounds = bounds_of(log, partition).await.context("read the log's bounds")?;
    let accepted = stores.table.accept_gap(&chain, first, next, bounds).await;
    let accepted = accepted.with_context(|| format!("accept gap {partition}:{first}..{next}"))?;
    if let Commit::Superseded = accepted {
        bail!(
            "accept gap {partition}:{first}..{next}: the table has a file there already\n\
             hint: run `fedilake sink` again; it names the gap if there still is one"
        );
    }
    telemetry::say(&format!(
        "accepted: offsets {first}..{next} of log partition {partition} are not in the table; `fedilake check` lists them"
    ));
    Ok(())
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
