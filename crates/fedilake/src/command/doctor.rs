//! `fedilake doctor`: what is wrong with a set-up, in words, each with what to do.
//!
//! Changes nothing but an object of its own that it puts into an S3 store and deletes, to see whether the store keeps writers apart. Asks
//! servers for their instance document alone. Every look has a bound in time.

mod machine;
mod servers;
mod stores;

use std::process::ExitCode;
use std::time::SystemTime;

use std::io::Write;

use serde::Serialize;

use crate::cli;
use crate::clock;
use crate::door::shown_in_line;
use crate::output;
use crate::render::{self, Style, counted};
use crate::settings::Again;
use crate::telemetry;

/// How a part of the set-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// It does not work.
    Wrong,
    /// It works, and somebody may want it otherwise.
    Note,
    Ok,
}

/// One look at one part.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    part: &'static str,
    verdict: Verdict,
    says: String,
    /// What to do about it.
    #[serde(rename = "do")]
    todo: Option<String>,
}

impl Finding {
    fn ok(part: &'static str, says: impl Into<String>) -> Finding {
        Finding { part, verdict: Verdict::Ok, says: says.into(), todo: None }
    }

    fn note(part: &'static str, says: impl Into<String>, todo: impl Into<String>) -> Finding {
        Finding { part, verdict: Verdict::Note, says: says.into(), todo: Some(todo.into()) }
    }

    fn wrong(part: &'static str, says: impl Into<String>, todo: impl Into<String>) -> Finding {
        Finding { part, verdict: Verdict::Wrong, says: says.into(), todo: Some(todo.into()) }
    }

    /// An error of the program: its hints are what to do.
    fn failed(part: &'static str, error: &anyhow::Error) -> Finding {
        let told = telemetry::told(error);
        let (hints, says): (Vec<&str>, Vec<&str>) = told.lines().partition(|line| line.starts_with("hint: "));
        let todo = hints.iter().map(|hint| hint.trim_start_matches("hint: ")).collect::<Vec<_>>().join("; ");
        let todo = Some(todo).filter(|todo| !todo.is_empty());
        Finding { part, verdict: Verdict::Wrong, says: says.join(" "), todo }
    }
}

/// Looks at everything. Exit code 1 says that something is wrong.
pub(super) async fn run(typed: &cli::Doctor, again: &Again) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    match clock::require(SystemTime::now()) {
        Ok(()) => {}
        Err(error) => findings.push(Finding::failed("clock", &error)),
    }
    findings.push(machine::library().await);
    match again.load() {
        Err(error) => {
            let mut finding = Finding::failed("settings", &error);
            finding.says.push_str("; nothing that depends on them was looked at");
            findings.push(finding);
        }
        Ok(settings) => {
            findings.push(machine::settings(&settings, again));
            findings.extend(machine::data(&settings));
            findings.extend(machine::port(&settings));
            let (stores, servers) = tokio::join!(stores::all(&settings), servers::all(&settings));
            findings.extend(stores);
            findings.extend(servers);
        }
    }
    // What is wrong stands first.
    findings.sort_by_key(|finding| finding.verdict);
    let wrong = findings.iter().filter(|finding| finding.verdict == Verdict::Wrong).count();
    if typed.json {
        writeln!(output::stdout(), "{:#}", serde_json::json!({ "wrong": wrong, "findings": findings }))?;
    } else {
        print(&findings)?;
        let things =
            if wrong == 1 { "1 thing is".to_owned() } else { format!("{} are", counted(wrong as u64, "thing")) };
        match wrong {
            0 => telemetry::say("nothing is wrong"),
            _ => telemetry::say_why(&format!("{things} wrong")),
        }
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print(findings: &[Finding]) -> anyhow::Result<()> {
    let style = Style::of_stdout();
    let mut fields = Vec::new();
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Wrong => "wrong",
            Verdict::Note => "note",
            Verdict::Ok => "ok",
        };
        fields.push((format!("{verdict:<5}  {}", finding.part), shown_in_line(&finding.says).into_owned()));
        if let Some(todo) = &finding.todo {
            fields.push((String::new(), format!("→ {}", shown_in_line(todo))));
        }
    }
    let mut out = output::page();
    render::print_fields(fields.iter().map(|(name, text)| (name.as_str(), text.clone())), &style, &mut out)?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errors_hints_are_what_to_do() {
        let error = anyhow::anyhow!("refused\nhint: wait").context("open the log\nhint: look");
        let finding = Finding::failed("broker", &error);
        assert_eq!(finding.says, "open the log: refused");
        assert_eq!(finding.todo.as_deref(), Some("look; wait"));
        assert_eq!(Finding::failed("broker", &anyhow::anyhow!("gone")).todo, None);
    }

    #[test]
    fn what_is_wrong_stands_first() {
        assert!(Verdict::Wrong < Verdict::Note && Verdict::Note < Verdict::Ok);
    }
}
