//! `fedilake replay`: recorded posts into the log, the table and the lake.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use fedilake_collect::replay::{Input, Pace, ReplayError, ReplaySummary};

use crate::cli;
use crate::consent;
use crate::owner::Ownership;
use crate::process::collecting;
use crate::process::replaying::with_hint;
use crate::process::{Answer, Append, Loops, Process, Sinks};
use crate::render::counted;
use crate::settings::Settings;
use crate::shutdown;
use crate::telemetry;
use crate::wire;

/// Replays until the files end; their posts are in the table and the lake then.
///
/// Exits 1 if a value or a field of one could not be used, 2 if a file could not be read to its end, and says so each time: a bookmark
/// remembers what an earlier run could not use.
pub(super) async fn run(typed: &cli::Replay, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pace: Pace = typed.pace.parse()?;
    let inputs = typed.files.iter().map(|file| Input::new(&file.to_string_lossy()));
    let (inputs, mut failures) = looked_at(inputs);
    if inputs.is_empty() {
        // No data folder is made for nothing.
        return fail(failures);
    }
    let admission = consent::admission(settings)?.with_refusals();
    let shutdown = shutdown::on_signal()?;
    let settings = &wire::to_fill(settings);
    let ownership = Ownership::take_to_write(&settings.data()?)?;
    // A port of its own: another fedilake may have the usual one.
    let answer = Answer::Questions { at: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), is_said: false };
    let loops = Loops { append: Append::Caller, sink: Sinks::All, follow: true, answer, ..Loops::default() };
    let mut process = Process::start(Some(ownership.into()), settings, loops).await?;
    let summary = process.replay(inputs, pace, &admission, &shutdown).await;
    // Records that were appended are stored also when the replay fails; its error tells more than those that follow from it.
    let stopped = process.stop().await;
    let mut summary = summary?;
    stopped?;
    say_summary(&summary);
    failures.append(&mut summary.failures);
    if !failures.is_empty() {
        return fail(failures);
    }
    let is_whole = summary.rejected_total() == 0 && summary.lost_total() == 0;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The inputs that can be opened and are not refused at first sight, and what is wrong with the others.
fn looked_at(inputs: impl Iterator<Item = Input>) -> (Vec<Input>, Vec<ReplayError>) {
    let (mut fit, mut failures) = (Vec::new(), Vec::new());
    for input in inputs {
        match input.look() {
            Ok(()) => fit.push(input),
            Err(failure) => failures.push(failure),
        }
    }
    (fit, failures)
}

/// Names each input that failed; the last one ends the program.
fn fail(failures: Vec<ReplayError>) -> anyhow::Result<ExitCode> {
    let mut errors: Vec<anyhow::Error> = failures.into_iter().map(with_hint).collect();
    let last = errors.pop();
    errors.iter().for_each(telemetry::say_error);
    last.map_or(Ok(ExitCode::from(2)), Err)
}

/// Says what was replayed, and names the first values and fields that could not be used.
fn say_summary(summary: &ReplaySummary) {
    for bad in &summary.bad {
        telemetry::say_why(&format!("{}:{}: {}, at byte {}", bad.input, bad.line, why(bad.why), bad.byte));
    }
    let all = summary.tally.rejected_total() + summary.tally.lost_total();
    let unshown = all.saturating_sub(summary.bad.len() as u64);
    if unshown > 0 {
        telemetry::say_why(&format!("… and {} that could not be used", counted(unshown, "more value")));
    }
    if summary.lines_resumed > 0 {
        let earlier = counted(summary.lines_resumed, "line");
        telemetry::say(&format!("{earlier} of an earlier run: not appended again"));
    }
    let unusable = summary.rejected_resumed + summary.lost_resumed;
    if unusable > 0 {
        let earlier = counted(unusable, "value");
        telemetry::say_why(&format!(
            "{earlier} of the earlier run could not be used\nhint: correct the file: it is read anew when a byte of it changes"
        ));
    }
    collecting::say_tally(&summary.tally);
    if !summary.complete {
        telemetry::say("stopped before the end\nhint: the same command goes on from here");
    }
}

/// Why a value could not be used: a sentence, and the label under which it is counted.
fn why(label: &str) -> String {
    let sentence = match label {
        "not_utf8" => "expected UTF-8",
        "not_json" => "expected JSON",
        "not_an_object" => "expected a JSON object",
        "cut_off" => "the file ends in the middle of this",
        "too_long" => "it is too long for a post",
        "too_deep" => "its objects and lists are nested too deep",
        "no_server" => "expected a status with a uri or a url, or a frame with its server",
        "no_id" => "the status, or the delete, has no id",
        "no_uri" => "the status has no uri",
        "no_account" => "the status has no account with a name",
        "activity_pub" => "expected a status of the Mastodon API, found ActivityPub",
        "bad_id" => "the status's id is too long, or has spaces or control characters",
        "bad_uri" => "the status's uri is too long, or has control characters",
        "bad_account" => "the account's name is too long, or has control characters",
        "created_at_unreadable" => "expected a time in created_at; the post counts as written when it was seen",
        "edited_at_unreadable" => {
            "expected a time in edited_at; the post counts as never edited, or an edit as made when it was seen"
        }
        "author_created_at_unreadable" => "expected a time in the account's created_at; it is left out",
        "field_unreadable" => "a field is not of the kind that the API gives; it counts as not given",
        "observed_at_unreadable" => "expected a time in observed_at; the frame counts as seen now",
        "observed_at_ahead" => "its observed_at has not come yet; the frame counts as seen now",
        "bytes_replaced" => "it has bytes that are no UTF-8; each became U+FFFD",
        _ => return of_flaw(label),
    };
    format!("{sentence} ({label})")
}

/// The sentence for a field that is kept in part or left out: `text_cut`, `url_dropped`.
fn of_flaw(label: &str) -> String {
    let named = |end: &str| label.strip_suffix(end).map(|field| format!("{field} is longer than its column"));
    match (named("_cut"), named("_dropped")) {
        (Some(long), _) => format!("{long}; it is cut ({label})"),
        (_, Some(long)) => format!("{long}, or has control characters; it is left out ({label})"),
        _ => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_that_cannot_be_read_do_not_hide_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let names = [
            file("posts.parquet", b"PAR1"),
            file("posts.jsonl", b"{}"),
            folder.path().join("missing.jsonl").to_str().unwrap().to_owned(),
            folder.path().to_str().unwrap().to_owned(),
            file("page.html.gz", &{
                let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                std::io::Write::write_all(&mut out, b"<!doctype html>").unwrap();
                out.finish().unwrap()
            }),
        ];
        let (fit, failures) = looked_at(names.iter().map(|name| Input::new(name)));
        assert_eq!(fit.iter().map(ToString::to_string).collect::<Vec<_>>(), [names[1].clone()]);
        let said: Vec<String> = failures.into_iter().map(|failure| format!("{:#}", with_hint(failure))).collect();
        for (said, (name, part)) in said.iter().zip([
            (&names[0], "a Parquet file\nhint: "),
            (&names[2], "No such file"),
            (&names[3], "it is a folder\nhint: "),
            (&names[4], "an HTML or XML page\nhint: "),
        ]) {
            assert!(said.contains(name) && said.contains(part), "{said}");
        }
        assert_eq!(said.len(), 4);
    }
}
