//! Our stages on Kafka and S3 beside other programs', which benches/peer has just measured: `make bench-peer`.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::cluster::Rates;
use crate::sheet::{Sheet, count, met, none};

/// The figures of one way in the output of benches/peer.
#[derive(Deserialize)]
struct Way {
    name: String,
    /// The stage: `listener` or `consumer`.
    stage: String,
    /// The factor by which our stage must be faster, if there is a budget.
    budget: Option<f64>,
    posts_a_second_a_core: f64,
}

/// Each of their ways beside our same stage, in posts (rows) a second of one core.
pub fn compare(theirs: &Path, ours: &Rates) -> anyhow::Result<Sheet> {
    let text = std::fs::read(theirs).with_context(|| format!("read {}", theirs.display()))?;
    let ways: Vec<Way> = serde_json::from_slice(&text).with_context(|| format!("read {}", theirs.display()))?;
    let mut sheet = Sheet::new(&["way", "a core", "ours a core", "ours is times as fast", "budget", "met"]);
    for way in ways {
        let ours = match way.stage.as_str() {
            "listener" => ours.logged.rate(ours.events),
            "consumer" => ours.sunk.rate(ours.rows),
            other => anyhow::bail!("{}: there is no stage {other}", theirs.display()),
        };
        let times = ours / way.posts_a_second_a_core;
        sheet.row([
            way.name,
            count(way.posts_a_second_a_core),
            count(ours),
            format!("{times:.1}"),
            way.budget.map_or_else(none, |budget| format!("{budget}")),
            way.budget.map_or_else(none, |budget| met(times >= budget)),
        ]);
    }
    Ok(sheet)
}
