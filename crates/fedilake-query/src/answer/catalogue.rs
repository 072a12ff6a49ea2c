//! The catalogue of reports. A report is one file, `reports/NAME.sql`, and nothing else names it.
//!
//! The file begins with a header: comment lines that are TOML behind their `-- `. It says what the report asks, counts
//! and cannot tell, and by which marks it is drawn; names, help, terminal, page and docs are made from it. An empty
//! line ends the header. docs/reports.md is written by `FEDILAKE_BLESS=1 cargo test --release -p fedilake-query page`. One statement follows, which gives the rows. A second statement may follow behind a
//! semicolon: its only row fills the header's `note`. It may name the rows of the first as `{rows}`.
//!
//! Statements name relations in braces ([`crate::answer::relation`]), so that one text is asked of the lake's own tables, and
//! is shown to people as SQL over the documented views.

mod mark;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use self::mark::Mark;

/// Name and text of every file in `reports/`, by name.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/reports.rs"));

static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| {
        Report::read(name, text).unwrap_or_else(|error| panic!("a test reads every report: {error}"))
    };
    let mut reports: Vec<Report> = FILES.iter().map(read).collect();
    reports.sort_by_key(|report| (report.header.tab, report.header.order));
    reports
});

/// Every report, in the order of the page: by tab, then by `order`.
pub fn reports() -> &'static [Report] {
    &REPORTS
}

/// The report of a name.
pub fn find(name: &str) -> Option<&'static Report> {
    reports().iter().find(|report| report.name == name)
}

/// A report: its description, and the statements that make it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The file's name without its ending.
    pub name: String,
    /// What the file's header says.
    pub header: Header,
    /// True if the report counts words that the asker may name.
    pub words: bool,
    /// The statement that gives the rows.
    pub(crate) rows: String,
    /// The statement whose only row fills the note.
    pub(crate) of_note: Option<String>,
}

/// The description of a report.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The question that the report answers, as a person asks it.
    pub title: String,
    /// What the report shows, in a few words, for lists.
    pub help: String,
    /// The part of the page with the report.
    pub tab: Tab,
    /// The report's place within its tab, ascending.
    pub order: u32,
    /// What is counted or measured.
    pub unit: String,
    /// The whole of which the figures are parts.
    pub of: String,
    /// How the figures are computed, and what they cannot say. Lines are wrapped where they are shown.
    pub caption: String,
    /// The marks that draw the report; the first is the main one.
    pub marks: Vec<Mark>,
    /// Columns whose values a click makes a filter: column to key of the filter.
    #[serde(default)]
    pub click: BTreeMap<String, FilterKey>,
    /// True if the statement groups by author and nothing else, for which the lake has a faster way.
    #[serde(default)]
    pub counts_authors: bool,
    /// A sentence with `{column}` for values of the second statement's row.
    #[serde(default)]
    pub note: Option<String>,
}

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tab {
    /// The talk's analyses.
    Overview,
    /// Authors, origins and servers.
    People,
    /// Replies, media, links, tags, changes.
    Conversation,
    /// What was collected, and what was not.
    Collector,
}

/// A key of the filter that a click can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the variants are the keys")]
pub enum FilterKey {
    Origin,
    Server,
    Language,
    App,
    Hashtag,
    About,
    Bot,
    /// A range of created_at: the day, hour or week of the value.
    Time,
}

/// A file that is no report, and why.
#[derive(Debug, thiserror::Error)]
#[error("report {name}: {why}")]
pub struct NotAReport {
    name: String,
    why: String,
}

impl Report {
    /// Reads a report's file.
    pub fn read(name: &str, text: &str) -> Result<Report, NotAReport> {
        let refused = |why: String| NotAReport { name: name.to_owned(), why };
        let (header, statements) = divided(text);
        let mut header: Header = toml::from_str(&header).map_err(|error| refused(format!("its header: {error}")))?;
        header.caption = header.caption.trim().to_owned();
        let mut statements = statements.split(";\n").map(|statement| statement.trim().trim_end_matches(';').to_owned());
        let rows = statements.next().filter(|statement| !statement.is_empty());
        let rows = rows.ok_or_else(|| refused("it has no statement behind an empty line".to_owned()))?;
        let of_note = statements.next().filter(|statement| !statement.is_empty());
        if statements.any(|statement| !statement.is_empty()) {
            return Err(refused("it has more than two statements".to_owned()));
        }
        if header.note.is_some() != of_note.is_some() {
            return Err(refused("a note needs a second statement, and a second statement a note".to_owned()));
        }
        if header.marks.is_empty() {
            return Err(refused("it has no mark".to_owned()));
        }
        let words = rows.contains("{words}");
        Ok(Report { name: name.to_owned(), header, words, rows, of_note })
    }
}

/// The TOML of the comment lines that begin the text, and the text behind them.
fn divided(text: &str) -> (String, String) {
    let is_header = |line: &&str| line.starts_with("--");
    let header = text.lines().take_while(is_header).map(|line| line[2..].strip_prefix(' ').unwrap_or(&line[2..]));
    let statements = text.lines().skip_while(is_header);
    (header.collect::<Vec<_>>().join("\n"), statements.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_report_with_a_name_that_can_be_typed() {
        for (name, text) in FILES {
            Report::read(name, text).unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        }
        let names: Vec<_> = reports().iter().map(|report| report.name.as_str()).collect();
        for talks in ["statistics", "daily", "hours", "languages", "lengths", "apps", "topics"] {
            assert!(names.contains(&talks), "{talks} is one of the talk's analyses");
        }
    }

    #[test]
    fn every_report_is_described_whole() {
        for report in reports() {
            let Header { title, help, unit, of, caption, .. } = &report.header;
            for text in [title, help, unit, of, caption] {
                assert!(!text.trim().is_empty(), "{}: {:?}", report.name, report.header);
            }
            assert!(title.ends_with('?'), "{}: a title is a question: {title}", report.name);
            assert!(help.len() <= 100, "{}: {help}", report.name);
            assert!(!help.ends_with('.'), "{}: {help}", report.name);
        }
        let mut places: Vec<_> = reports().iter().map(|report| (report.header.tab, report.header.order)).collect();
        places.dedup();
        assert_eq!(places.len(), reports().len(), "each report has a place of its own: {places:?}");
    }

    /// docs/reports.md.
    fn page() -> String {
        let mut page =
            "# The reports\n\n`fedilake report NAME` prints one; `--sql` prints its SQL over the documented views \
            instead, with the filter in it. Made from the files in crates/fedilake-query/src/answer/reports.\n"
                .to_owned();
        let mut tab = None;
        for Report { name, header, words, .. } in reports() {
            if tab != Some(header.tab) {
                tab = Some(header.tab);
                page.push_str(&format!("\n## {:?}\n", header.tab));
            }
            let flags = if *words { " · `--topic WORD` chooses the words" } else { "" };
            page.push_str(&format!(
                "\n### `{name}`: {}\n{} · {}{flags}\n\n{}\n",
                header.title, header.unit, header.of, header.caption
            ));
        }
        page
    }

    #[test]
    fn the_page_of_reports_is_that_of_the_catalogue() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reports.md");
        if std::env::var_os("FEDILAKE_BLESS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, page(), "write it with FEDILAKE_BLESS=1");
    }

    #[test]
    fn a_file_that_is_no_report_is_refused_with_the_reason() {
        let header = "-- title = \"a?\"\n-- help = \"b\"\n-- tab = \"overview\"\n-- order = 1\n-- unit = \"posts\"\n\
            -- of = \"all\"\n-- caption = \"c\"\n-- marks = [{ kind = \"table\" }]\n";
        assert!(Report::read("good", &format!("{header}\nselect 1 as n\n")).is_ok());
        let cases = [
            (format!("{header}-- titel = \"b\"\n\nselect 1"), "unknown field `titel`"),
            (header.replace("overview", "front") + "\nselect 1", "unknown variant `front`"),
            (header.replace("\"table\"", "\"pie\"") + "\nselect 1", "unknown variant `pie`"),
            (header.replace("[{ kind = \"table\" }]", "[]") + "\nselect 1", "no mark"),
            (header.replace("-- order = 1\n", "") + "\nselect 1", "missing field `order`"),
            (header.to_owned(), "no statement"),
            (format!("{header}\nselect 1;\nselect 2;\nselect 3"), "more than two statements"),
            (format!("{header}\nselect 1;\nselect 2"), "a note needs"),
            (format!("{header}-- note = \"{{n}}\"\n\nselect 1"), "a note needs"),
            (format!("{header}-- click = {{ a = \"colour\" }}\n\nselect 1"), "unknown variant `colour`"),
        ];
        for (text, why) in cases {
            let refused = Report::read("odd", &text).unwrap_err().to_string();
            assert!(refused.starts_with("report odd: ") && refused.contains(why), "{why}: {refused}");
        }
    }
}
