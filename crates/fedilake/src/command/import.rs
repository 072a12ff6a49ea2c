//! `fedilake import`: a table as the talk's Kafka Connect sink wrote it, into the table and the lake.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;

use anyhow::bail;
use fedilake_log::{LogError, Offset, Partition};

use crate::cli;
use crate::consent;
use crate::import::{Findings, Imported, Listing, Missing, Ranges, SHOWN_MAX, Source, Unusable};
use crate::output;
use crate::process::collecting;
use crate::process::importing::{Checked, Importing};
use crate::render::{counted, with_separators};
use crate::settings::Settings;
use crate::shutdown;
use crate::telemetry;

/// Imports each topic to its end, then checks the table and the lake. Exits 1 if the check finds something, if offsets are in no
/// file, or if a row could not be used; 2 if a file could not be read.
pub(super) async fn run(typed: &cli::Import, settings: &Settings) -> anyhow::Result<ExitCode> {
    // Before a data folder is made for it.
    let Listing { topics, unnamed, beside, hidden, beyond } =
        Source::open(&typed.source, settings).await?.topics().await?;
    if unnamed > 0 {
        let files = counted(unnamed, "Parquet file");
        telemetry::say(&format!("{files} whose names do not say topic, partition and offset: not imported"));
    }
    if beside > 0 {
        telemetry::say(&format!("{} of records' keys or headers: not imported", counted(beside, "file")));
    }
    if hidden > 0 {
        telemetry::say(&format!("{} hidden by a dot before the name: not imported", counted(hidden, "Parquet file")));
    }
    if topics.is_empty() {
        bail!("{}", unread(&beyond));
    }
    let admission = consent::admission(settings)?;
    let shutdown = shutdown::on_signal()?;
    let importing = Importing::open(settings, admission).await?;
    let mut failures = beyond;
    let mut is_lacking = false;
    let mut missing = Vec::new();
    for topic in &topics {
        let name = topic.to_string();
        let (imported, lacks) = importing.topic(topic, &shutdown).await?;
        say(&name, &imported, &lacks.late);
        missing.push((name, lacks));
        is_lacking |= !imported.findings.unusable.is_empty();
        failures.extend(imported.findings.failures);
        if shutdown.is_cancelled() {
            telemetry::say("stopped before the end\nhint: the same command goes on from here");
            return Ok(ExitCode::SUCCESS);
        }
    }
    if !failures.is_empty() {
        bail!("{}", unread(&failures));
    }
    let Checked { mut report, deleted } = importing.check().await?;
    if deleted > 0 {
        telemetry::say(&format!("{} of posts of people who opted out deleted", counted(deleted, "sighting")));
    }
    report.findings.extend(missing.iter().flat_map(|(topic, missing)| of_topic(topic, missing)));
    report.write(&mut output::page())?;
    Ok(if report.is_whole() && !is_lacking { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A topic's rows that the source or the table lacks, as findings: also those that an earlier run met.
fn of_topic(topic: &str, Missing { absent, late }: &Missing) -> Vec<String> {
    let absent = (!absent.is_empty()).then(|| format!("{topic}: {}", missing_offsets(count(absent), absent)));
    let late = (!late.is_empty()).then(|| format!("{topic}: {}", late_offsets(late)));
    absent.into_iter().chain(late).collect()
}

/// Says what became of a topic, and what is odd about it.
fn say(topic: &str, Imported { committed, findings }: &Imported, late: &Ranges) {
    let mut tally = findings.tally.clone();
    if findings.rows == 0 && findings.failures.is_empty() {
        let has_all = late.is_empty() && findings.unusable.conflicting == 0;
        let said = if has_all { "the table has all of it" } else { "nothing that the table could add" };
        telemetry::say(&format!("{topic}: {said}"));
    } else {
        let (rows, files) = (counted(findings.rows, "row"), counted(findings.files, "file"));
        telemetry::say(&format!("{topic}: {rows} read from {files}"));
        // Of what was read, what is in the table.
        tally.accepted = committed.rows;
        collecting::say_tally(&tally);
    }
    if tally.rejected_total() + tally.lost_total() < findings.unusable.rows() {
        telemetry::say_why(&earlier(&findings.unusable));
    }
    let say = if !findings.unusable.is_empty() { telemetry::say_why } else { telemetry::say };
    oddities(findings).iter().for_each(|line| say(line));
    if !late.is_empty() {
        telemetry::say_why(&format!("{}\n{LATE_HINT}", late_offsets(late)));
    }
}

/// `with earlier runs: 5 not usable (no_account 1, no_url 4), flaws: app_cut 1`.
fn earlier(unusable: &Unusable) -> String {
    let listed = |counts: &BTreeMap<String, u64>| {
        counts.iter().map(|(label, count)| format!("{label} {count}")).collect::<Vec<_>>().join(", ")
    };
    let rejected: u64 = unusable.rejected.values().sum();
    let mut parts = Vec::new();
    if rejected > 0 {
        parts.push(format!("{} not usable ({})", with_separators(&rejected.to_string()), listed(&unusable.rejected)));
    }
    if !unusable.lost.is_empty() {
        parts.push(format!("flaws: {}", listed(&unusable.lost)));
    }
    format!("with earlier runs: {}", parts.join(", "))
}

/// A line for each sort of thing that a person may want to look at.
fn oddities(findings: &Findings) -> Vec<String> {
    let number = |n: u64| with_separators(&n.to_string());
    let mut lines = Vec::new();
    let unusable = &findings.unusable;
    for bad in &unusable.bad_rows {
        lines.push(format!("{}: row {}: {}", bad.file, bad.row, why(&bad.why)));
    }
    let unshown = unusable.rows().saturating_sub(unusable.bad_rows.len() as u64);
    if unshown > 0 {
        lines.push(format!("… and {} that could not be used", counted(unshown, "more row")));
    }
    if findings.missing > 0 {
        lines.push(missing_offsets(findings.missing, &findings.gaps));
    }
    if !unusable.unreadable.is_empty() {
        let total: u64 = unusable.unreadable.values().sum();
        let by_column = unusable.unreadable.iter().map(|(column, count)| format!("{column} {}", number(*count)));
        let by_column = by_column.collect::<Vec<_>>().join(", ");
        lines.push(format!("{} could not be read as what their columns hold: {by_column}", counted(total, "value")));
    }
    if let Some(file) = &findings.doubled_in {
        let doubled = counted(findings.doubled, "row");
        lines.push(format!("{doubled} of offsets that an earlier file had: taken once (first in {file})"));
    }
    if let Some(file) = &unusable.conflicting_in {
        lines.push(format!(
            "{} of offsets that an earlier file had hold another post than that file, and are not imported: the topic was made anew (first in {file})\n\
             hint: the newer files can be imported from a folder of their own",
            counted(unusable.conflicting, "row")
        ));
    }
    if !findings.columns_ignored.is_empty() {
        let ignored = names(findings.columns_ignored.iter().map(String::as_str));
        lines.push(format!("columns that the talk's record does not have, not imported: {ignored}"));
    }
    if !findings.columns_missing.is_empty() {
        let names: Vec<&str> = findings.columns_missing.iter().copied().collect();
        lines.push(format!("columns that not every file has: {}", names.join(", ")));
    }
    lines
}

/// `50 offsets that no file has: 0:200..250`.
fn missing_offsets(missing: u64, gaps: &[(Partition, Range<Offset>)]) -> String {
    format!("{} that no file has: {}", counted(missing, "offset"), ranges(gaps))
}

/// `5 offsets that the table lacks, whose files came when later ones were imported: 0:5..10`.
fn late_offsets(late: &Ranges) -> String {
    format!(
        "{} that the table lacks, whose files came when later ones were imported: {}",
        counted(count(late), "offset"),
        ranges(late)
    )
}

const LATE_HINT: &str = "hint: a table only goes forward: import the whole source into a new data folder, or, to keep this one, copy \
                         these files to a folder of their own and import that, too";

fn count(ranges: &Ranges) -> u64 {
    ranges.iter().fold(0, |sum, (_, range)| sum.saturating_add(range.end.0 - range.start.0))
}

/// `0:200..250, 1:7..8`.
fn ranges(ranges: &[(Partition, Range<Offset>)]) -> String {
    let shown =
        ranges.iter().take(SHOWN_MAX).map(|(partition, range)| format!("{partition}:{}..{}", range.start, range.end));
    let more = if ranges.len() >= SHOWN_MAX { ", …" } else { "" };
    format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
}

/// `a, b, c and 7 more`: names that others gave, each on one line and cut.
fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(SHOWN_MAX);
    let shown: Vec<String> = names.take(SHOWN_MAX).map(name).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn name(name: &str) -> String {
    let shown: String = name.chars().take(NAME_CHARACTERS_MAX).flat_map(escaped).collect();
    if name.chars().nth(NAME_CHARACTERS_MAX).is_some() { format!("{shown}…") } else { shown }
}

/// A character as it may stand in a line: a line's end, for one, as `\n`.
fn escaped(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

/// Longer names of columns are cut.
const NAME_CHARACTERS_MAX: usize = 60;

/// Why a row could not be used: a sentence, and the label under which it is counted.
fn why(label: &str) -> String {
    let sentence = match label {
        "no_id" => "it has no m_id",
        "no_url" => "it has no url of a post",
        "no_account" => "it has no username",
        "bad_id" => "its m_id is too long, or has spaces or control characters",
        "bad_uri" => "its url is too long, or has control characters",
        "bad_account" => "its username is too long, or has control characters",
        "observed_at_unreadable" => "its time cannot be read, and that of the file stands in",
        "tags_cut" => "it has more hashtags than are kept",
        "text_cut" => "its text is longer than is kept, and is cut",
        "app_cut" => "its app is longer than is kept, and is cut",
        "language_dropped" => "its language is longer than is kept, and is left out",
        "url_dropped" => "its url is longer than is kept, and is left out",
        _ => return label.to_owned(),
    };
    format!("{sentence} ({label})")
}

/// The files that could not be read, with what a person can do about them.
fn unread(failures: &[LogError]) -> String {
    let named = failures.iter().map(|failure| match failure {
        LogError::Damaged { at, why } => format!("{at} cannot be read: {why}"),
        other => other.to_string(),
    });
    let named: Vec<String> = named.collect();
    format!(
        "import: {}\n\
         hint: all before it is in the table; get the file again and run the same command again. Only if there is no other copy, move it \
         away before: then its rows stay out of this data folder, also if the file comes back",
        named.join("; ")
    )
}
