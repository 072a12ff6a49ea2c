//! The command line: verbs, flags, and the help that people read.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, StyledStr};
use clap::{Args, Parser, Subcommand, ValueEnum};
use fedilake_query::answer::catalogue;
use fedilake_sim::serve::Software;
use fedilake_sim::talk;

use crate::help::{self, Example};

/// Collects public Mastodon posts without loss, keeps them exactly once, and answers questions in milliseconds.
#[derive(Debug, Parser)]
#[command(name = "fedilake", version, arg_required_else_help = true, propagate_version = true, term_width = help::columns())]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

impl Cli {
    /// Reads the words of a command line. A word that begins with a comment of SQL, as the SQL that a report shows does, is a question and
    /// not a flag.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(words.into_iter().map(|word| {
            let after_dashes = word.as_encoded_bytes().strip_prefix(b"--");
            if !after_dashes.is_some_and(|text| text.first().is_some_and(u8::is_ascii_whitespace)) {
                return word;
            }
            let mut question = OsString::from("\n");
            question.push(word);
            question
        }))
    }
}

/// The heading in the help for the flags that every verb has.
const COMMON: &str = "Common options";

/// The flags that every verb has.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Folder that holds the log, the table and the lake [default: the platform's data folder]
    #[arg(long, global = true, help_heading = COMMON, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Settings file [default: ./fedilake.toml, then fedilake/fedilake.toml in the platform's configuration folder]
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print only warnings and errors, and no progress bar
    #[arg(short, long, global = true, help_heading = COMMON)]
    pub quiet: bool,
    /// Format of stderr: text for people, or json with an object a line for log collectors [default:
    /// FEDILAKE_LOG_FORMAT, else text]
    #[arg(long, global = true, help_heading = COMMON, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Print more (-vv: everything)
    #[arg(short, long, global = true, help_heading = COMMON, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The format of stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show everything: ten simulated days replayed, live simulated servers, the reports
    #[command(after_help = DEMO)]
    Demo(Demo),
    /// Collect, store and explore in one process, with no services
    #[command(after_help = RUN)]
    Run(Run),
    /// Collect only: servers to the log
    #[command(after_help = COLLECT)]
    Collect(Collect),
    /// Show the servers that are read and what each says of itself; add to them, or remove from them
    #[command(after_help = SERVERS, args_conflicts_with_subcommands = true)]
    Servers(ServersTable),
    /// Get a token for a server, in a browser, or give it back
    #[command(after_help = LOGIN)]
    Login(Login),
    /// Say what is wrong with this set-up, and what to do; exits with 1 if something is
    #[command(after_help = DOCTOR)]
    Doctor(Doctor),
    /// Store only: the log to the table
    #[command(after_help = SINK)]
    Sink(Sink),
    /// Explore only: follow the log and the table, and answer questions on a local address
    #[command(after_help = SERVE)]
    Serve(Serve),
    /// Print a report, or those of the overview
    #[command(after_help = REPORT)]
    Report(Box<Report>),
    /// Ask a question in SQL, read-only
    #[command(after_help = SQL)]
    Sql(Sql),
    /// Check that no offset is missing and none is there twice; exits with 1 and names the range if not
    #[command(after_help = CHECK)]
    Check(Check),
    /// Collect from files: statuses or recorded frames as JSON, plain, .zst or .gz
    #[command(after_help = REPLAY)]
    Replay(Replay),
    /// Import the talk's pipeline: Parquet files as its Kafka Connect S3 sink wrote them
    #[command(after_help = IMPORT)]
    Import(Import),
    /// Serve simulated Mastodon servers, or write their frames to a file
    #[command(after_help = SIMULATE)]
    Simulate(Simulate),
    /// Print every setting with its value and its source
    #[command(after_help = SETTINGS)]
    Settings,
    /// Print the SQL that defines the views over the plain Parquet files
    #[command(after_help = VIEWS)]
    Views(Views),
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The servers to read, and how.
#[derive(Debug, Clone, Args)]
pub struct Servers {
    /// A server to collect from, as a host or a URL; repeatable
    #[arg(long = "server", value_name = "HOST_OR_URL")]
    pub servers: Vec<String>,
    /// An access token for a host, read from a file; repeatable
    #[arg(long = "token-file", value_name = "HOST=FILE")]
    pub token_files: Vec<String>,
    #[command(flatten)]
    pub timelines: Timelines,
    /// How to read servers: sse, ws (one WebSocket a server) or poll [default: the best that each allows]
    #[arg(long, value_name = "WAY", value_parser = PossibleValuesParser::new(["auto", "sse", "ws", "poll"]), hide_possible_values = true)]
    pub via: Option<String>,
    /// How far back to read a server that was never read before, e.g. 6h [default: its newest page]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub backfill: Option<Duration>,
    /// A server of your own, read with its token whatever its robots.txt says; repeatable
    #[arg(long = "own-server", value_name = "HOST_OR_URL")]
    pub own_servers: Vec<String>,
    /// Your contact, a URL or an e-mail address, sent to the servers in the User-Agent
    #[arg(long, value_name = "CONTACT")]
    pub contact: Option<String>,
}

/// The timelines in which servers are read.
#[derive(Debug, Clone, Default, Args)]
pub struct Timelines {
    /// Collect what the server sees of the whole fediverse (the default)
    #[arg(long, conflicts_with = "local")]
    pub public: bool,
    /// Collect only the posts of the server's own members
    #[arg(long)]
    pub local: bool,
    /// Collect only the posts of other servers' members
    #[arg(long, conflicts_with_all = ["local", "public"])]
    pub remote: bool,
    /// Collect only posts with this hashtag; repeatable
    #[arg(long = "hashtag", value_name = "TAG")]
    pub hashtags: Vec<String>,
    /// Collect only posts of the accounts on this list of yours, by its id; repeatable
    #[arg(long = "list", value_name = "ID")]
    pub lists: Vec<String>,
}

impl Timelines {
    /// The names as in setting collect.timeline; empty if none is named.
    pub fn names(&self) -> Vec<String> {
        let word = |is_named: bool, name: &str| is_named.then(|| name.to_owned());
        let words = [word(self.public, "public"), word(self.local, "local"), word(self.remote, "remote")];
        let tags = self.hashtags.iter().map(|tag| format!("hashtag:{tag}"));
        words.into_iter().flatten().chain(tags).chain(self.lists.iter().map(|id| format!("list:{id}"))).collect()
    }
}

/// What is kept of whose posts.
#[derive(Debug, Clone, Default, Args)]
pub struct Consent {
    /// Posts of authors who did not agree to be indexed: keep them (open, the default), count them without text and name
    /// (indexable), or leave them out (strict)
    #[arg(long, value_name = "POLICY", value_parser = PossibleValuesParser::new(["open", "indexable", "strict"]), hide_possible_values = true)]
    pub consent: Option<String>,
    /// File of accounts and domains that are not kept, one @user@host or host a line
    #[arg(long, value_name = "FILE")]
    pub opt_out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Replay all 1,622,149 posts of the ten days instead of an eighth of them
    #[arg(long)]
    pub full: bool,
    /// Stop after this long of live posts, e.g. 10s [default: at Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub exit_after: Option<Duration>,
    /// Address that answers `report`, `sql`, /healthz and /metrics; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Do not open the page in a browser, which a demo in a terminal of a desktop does
    #[arg(long)]
    pub no_open: bool,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub servers: Servers,
    #[command(flatten)]
    pub consent: Consent,
    /// Print log lines instead of a view that is drawn again and again
    #[arg(long)]
    pub plain: bool,
    /// Address that answers `report`, `sql`, /healthz and /metrics; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Stop cleanly after this long, e.g. 30s
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Collect {
    #[command(flatten)]
    pub servers: Servers,
    #[command(flatten)]
    pub consent: Consent,
    /// Address that answers /healthz, /readyz and /metrics; port 0 picks a free one [default: none]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Stop cleanly after this long, e.g. 30s
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct ServersTable {
    #[command(subcommand)]
    pub verb: Option<ServersVerb>,
    /// Ask one server about itself, which need not be read: software, streams, readers, limits, robots.txt, rules
    #[arg(long, value_name = "HOST_OR_URL")]
    pub probe: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Login {
    /// The server on which you have an account, as a host or a URL
    #[arg(value_name = "HOST_OR_URL")]
    pub server: String,
    /// Paste the code by hand, where the browser is on another machine
    #[arg(long, conflicts_with = "logout")]
    pub paste: bool,
    /// Revoke the saved token, and delete it
    #[arg(long)]
    pub logout: bool,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The verbs for the list of servers.
#[derive(Debug, Subcommand)]
pub enum ServersVerb {
    /// Add servers; running collectors start to read them
    #[command(after_help = SERVERS)]
    Add(ServersAdd),
    /// Remove servers; collectors stop reading them, and their posts stay
    #[command(after_help = SERVERS)]
    Remove {
        /// Hosts or URLs
        #[arg(required = true, value_name = "HOST_OR_URL")]
        servers: Vec<String>,
    },
    /// Print the servers and how far each has been collected
    #[command(after_help = SERVERS)]
    List {
        /// Output format
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub struct ServersAdd {
    /// Hosts or URLs; a server that is already listed gets the options given now
    #[arg(required = true, value_name = "HOST_OR_URL")]
    pub servers: Vec<String>,
    #[command(flatten)]
    pub timelines: Timelines,
}

#[derive(Debug, Args)]
pub struct Sink {
    /// Stop cleanly after this long, e.g. 30s [default: never; on a `file:` log, which has one owner, when its end is
    /// reached]
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Stop when everything that the log holds now is in the table, even if others write to the log and sink it
    #[arg(long, conflicts_with = "duration")]
    pub once: bool,
    /// Accept that the log lost these offsets: commits an empty file over them, which `check` lists for ever
    #[arg(long, value_name = "PARTITION:FIRST..NEXT")]
    pub accept_gap: Option<String>,
    /// Address that answers /healthz, /readyz and /metrics; port 0 picks a free one [default: none]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Address that answers `report`, `sql`, /healthz and /metrics; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Stop cleanly after this long, e.g. 30s
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
}

/// How rows are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// CSV with a header line
    Csv,
    /// One JSON array of objects
    Json,
    /// One JSON object a line
    #[value(alias = "jsonl")]
    Ndjson,
    /// A Parquet file; redirect it
    Parquet,
}

/// How a check's findings are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A table for people
    Table,
    /// One JSON object
    Json,
}

/// The posts that a report counts.
#[derive(Debug, Clone, Default, Args)]
pub struct Filters {
    /// Count posts from this day (of --timezone) or time on, e.g. 2023-02-04 or 2023-02-04T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,
    /// Count posts before this time, or up to the end of this day (of --timezone)
    #[arg(long, value_name = "WHEN")]
    pub to: Option<String>,
    /// Count posts whose author's home server is this one, as a host or a URL; repeatable, as all of the following
    #[arg(long = "origin", value_name = "HOST_OR_URL")]
    pub origins: Vec<String>,
    /// Count posts that this server showed first of all collected servers, as a host or a URL
    #[arg(long = "server", value_name = "HOST_OR_URL")]
    pub servers: Vec<String>,
    /// Count posts in this language: any of its codes or its English name (pt, por and Portuguese include pt_BR), a
    /// tag with a region for that one alone, or unknown
    #[arg(long = "language", value_name = "TAG_OR_NAME")]
    pub languages: Vec<String>,
    /// Count posts written with this app
    #[arg(long = "app", value_name = "NAME")]
    pub apps: Vec<String>,
    /// Count posts with this hashtag
    #[arg(long = "hashtag", value_name = "TAG")]
    pub hashtags: Vec<String>,
    /// Count posts whose text contains this word, in any letter case
    #[arg(long = "about", value_name = "WORD", value_parser = topic)]
    pub about: Vec<String>,
    /// Leave out posts of this home server
    #[arg(long = "not-origin", value_name = "HOST_OR_URL")]
    pub not_origins: Vec<String>,
    /// Leave out posts that this server showed first
    #[arg(long = "not-server", value_name = "HOST_OR_URL")]
    pub not_servers: Vec<String>,
    /// Leave out posts in this language
    #[arg(long = "not-language", value_name = "TAG_OR_NAME")]
    pub not_languages: Vec<String>,
    /// Leave out posts written with this app
    #[arg(long = "not-app", value_name = "NAME")]
    pub not_apps: Vec<String>,
    /// Leave out posts with this hashtag
    #[arg(long = "not-hashtag", value_name = "TAG")]
    pub not_hashtags: Vec<String>,
    /// Leave out posts whose text contains this word
    #[arg(long = "not-about", value_name = "WORD", value_parser = topic)]
    pub not_about: Vec<String>,
    /// Count only posts of bots
    #[arg(long, conflicts_with = "no_bot")]
    pub bot: bool,
    /// Count only posts of people
    #[arg(long)]
    pub no_bot: bool,
}

/// The calendar of a report.
#[derive(Debug, Clone, Default, Args)]
pub struct Calendar {
    /// Time zone of days and hours, by its name, e.g. Europe/Berlin [default: UTC]
    #[arg(long, value_name = "NAME")]
    pub timezone: Option<String>,
    /// Step of reports over time [default: hour]
    #[arg(long, value_name = "STEP", value_parser = PossibleValuesParser::new(["hour", "day", "week"]))]
    pub by: Option<String>,
}

/// The names of reports, with what they show.
fn report_names() -> PossibleValuesParser {
    let name = |report: &'static fedilake_query::Report| {
        PossibleValue::new(report.name.as_str()).help(report.header.help.as_str())
    };
    PossibleValuesParser::new(catalogue::reports().iter().map(name))
}

#[derive(Debug, Args)]
pub struct Report {
    /// The reports to print [default: those of the overview, or every report with --html]
    #[arg(value_name = "NAME", value_parser = report_names())]
    pub names: Vec<String>,
    /// A word for the topics report; repeatable [default: the words of the setting]
    #[arg(long = "topic", value_name = "WORD", value_parser = topic)]
    pub topics: Vec<String>,
    #[command(flatten)]
    pub filters: Filters,
    #[command(flatten)]
    pub calendar: Calendar,
    /// Print the report's SQL over the documented views, with the filter in it, instead of its rows
    #[arg(long, requires = "names", conflicts_with = "format")]
    pub sql: bool,
    /// Write one HTML file with pictures, captions and figures, which needs no script and no network; - for stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "sql"])]
    pub html: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Sql {
    /// One statement, a file with one statement, or - for standard input; a prompt in a terminal if it is left out
    #[arg(value_name = "QUERY|FILE|-")]
    pub query: Option<String>,
    /// Query the Parquet files instead of the lake: the table's own through the views, others through read_parquet
    #[arg(long)]
    pub direct: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Views {
    /// Print first the statements that let any DuckDB read a table on S3: httpfs and a secret
    #[arg(long)]
    pub s3: bool,
    /// Write the access key and its secret into the statements, instead of the names of DuckDB's sources for them
    #[arg(long, requires = "s3")]
    pub show_secrets: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Look only at the names and footers of the table's files, not at rows, checksums and the lake
    #[arg(long)]
    pub quick: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    pub format: CheckFormat,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// Files of statuses or recorded frames as JSON (lines, arrays or objects; plain, .gz or .zst), or - for standard
    /// input
    #[arg(required = true, value_name = "FILE|-")]
    pub files: Vec<PathBuf>,
    /// As fast as possible (max), as recorded (real), or so many times faster (10x)
    #[arg(long, default_value = "max", value_name = "max|real|Nx")]
    pub pace: String,
    #[command(flatten)]
    pub consent: Consent,
}

#[derive(Debug, Args)]
pub struct Import {
    /// A folder or s3://BUCKET/PREFIX that contains the files of one or more topics at any depth
    #[arg(value_name = "FOLDER|s3://BUCKET/PREFIX")]
    pub source: String,
    #[command(flatten)]
    pub consent: Consent,
}

/// The presets of simulated posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// The talk's ten days, 3 to 12 February 2023: 1,622,149 posts with the talk's figures
    Talk,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// Serve on this address and the ports after it; port 0 picks free ones
    #[arg(long, value_name = "ADDRESS", required_unless_present = "out", conflicts_with = "out")]
    pub serve: Option<SocketAddr>,
    /// Number of servers
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub servers: u16,
    /// Posts per second of all servers together
    #[arg(long, default_value_t = 50.0, value_name = "POSTS_PER_SECOND", value_parser = rate)]
    pub rate: f64,
    /// Seed: the same seed gives the same people and posts
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Stop after this long, e.g. 30s
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Software of the servers, over and over again: mastodon, pleroma, akkoma, gotosocial, pixelfed, friendica, hollo
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "serve")]
    pub software: Vec<Software>,
    /// Let streams want the token of a user, as real servers do; `fedilake login` gets one
    #[arg(long, requires = "serve")]
    pub closed: bool,
    /// Let posts reach other servers as late as was observed: most within 2 s, some after minutes
    #[arg(long, requires = "serve")]
    pub late: bool,
    /// Share of posts that no server shows before they are one to thirty minutes old
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share, requires = "serve")]
    pub backdated: f64,
    /// Share of the Mastodon and GoToSocial servers whose members' domain is not the server's host
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, requires = "serve")]
    pub apart: f64,
    /// A member's token that every server knows, with scope read; repeatable
    #[arg(long = "token", value_name = "TOKEN", requires = "serve")]
    pub tokens: Vec<String>,
    /// Let faults of servers, network and events come and go by the script of this seed; the same seed brings the same
    #[arg(long, value_name = "SEED", requires = "serve")]
    pub script: Option<u64>,
    /// Length of the script, whose last fifth is without faults [default: that of --for, or 10m]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "script")]
    pub script_length: Option<Duration>,
    /// Publish so many posts and no more; the servers go on serving, and say when they are quiet
    #[arg(long, value_name = "N", requires = "serve")]
    pub posts_max: Option<u64>,
    /// The posts to write to the file
    #[arg(long, value_enum, default_value_t = Preset::Talk)]
    pub preset: Preset,
    /// Number of posts of the preset [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=talk::POSTS))]
    pub posts: Option<u64>,
    /// Number of copies of the preset's days, one after the other, each by other people: 10 are 16 million posts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub copies: u32,
    /// Write recorded frames to this file (.zst and .gz compress), or - for standard output
    #[arg(long, value_name = "FILE|-")]
    pub out: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it like 30s, 5m or 1h"))
}

/// More posts a second than simulated servers on one machine can show.
const RATE_MAX: f64 = 1e6;

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= RATE_MAX => Ok(rate),
        _ => Err(format!("expected a number above 0 and up to {RATE_MAX}")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

fn topic(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected a word: every post contains the empty one".to_owned()),
        word => Ok(word.to_owned()),
    }
}

/// The text below a verb's flags in its help.
struct Below(&'static [Example], &'static str);

impl From<Below> for StyledStr {
    fn from(below: Below) -> StyledStr {
        help::examples(below.0, below.1).into()
    }
}

const DEMO: Below = Below(
    &[
        ("fedilake demo", "an eighth of the ten days, then live posts until Ctrl-C"),
        ("fedilake demo --full --exit-after 10s", ""),
    ],
    "",
);

const RUN: Below = Below(
    &[
        ("fedilake run --server mastodon.social --server hachyderm.io", ""),
        ("fedilake run --server mastodon.social --token-file mastodon.social=token.txt --local", ""),
        ("fedilake run --server http://127.0.0.1:4000 --data d --for 30s", "against `fedilake simulate`"),
    ],
    "",
);

const COLLECT: Below = Below(
    &[
        ("fedilake collect --server mastodon.social --for 1h", ""),
        (
            "fedilake collect --token-file mastodon.social=token.txt",
            "on a Kafka log: a share of what `fedilake servers` lists",
        ),
    ],
    "On a `file:` log only one process works on a folder; use `fedilake run` to collect and store at once.",
);

const SERVERS: Below = Below(
    &[
        ("fedilake servers", ""),
        ("fedilake servers --probe mastodon.social", "what it says of itself, and whether strangers may read it"),
        ("fedilake servers add mastodon.social hachyderm.io", "a running process reads them at once"),
        ("fedilake servers add --local fosstodon.org", ""),
        ("fedilake servers remove hachyderm.io", ""),
        ("fedilake servers list --format csv", ""),
    ],
    "The list is kept in the data folder, or in Kafka beside the log, where collectors that name no --server share it.",
);

const LOGIN: Below = Below(
    &[
        ("fedilake login mastodon.social", ""),
        ("fedilake login --paste mastodon.social", "where the browser is on another machine"),
        ("fedilake login --logout mastodon.social", ""),
    ],
    "The token may read posts and nothing else, and lies in a file of your own beside the settings; `run` and `collect` use it.",
);

const DOCTOR: Below = Below(
    &[("fedilake doctor", ""), ("fedilake doctor --json | jq '.findings[] | select(.verdict == \"wrong\")'", "")],
    "",
);

const SINK: Below = Below(
    &[
        ("fedilake sink", "store what `collect` left in the log"),
        ("fedilake sink --accept-gap 0:1200..1500", "go on over offsets that the log lost"),
    ],
    "",
);

const SERVE: Below = Below(&[("fedilake serve --data d --listen 127.0.0.1:0", "")], "");

const REPORT: Below = Below(
    &[
        ("fedilake report", ""),
        ("fedilake report daily --from 2023-02-04 --to 2023-02-06 --no-bot", ""),
        ("fedilake report topics --topic eclipse --topic aurora", ""),
        ("fedilake report statistics --format json", ""),
        ("fedilake report weekday --timezone Europe/Berlin --language de", ""),
        ("fedilake report --html week.html --from 2023-02-06 --to 2023-02-12", "a file to send"),
    ],
    "Posts count once however many servers showed them; times are UTC and the author's (created_at).",
);

const SQL: Below = Below(
    &[
        ("fedilake sql \"select author, count(*) from posts group by 1 order by 2 desc limit 10\"", ""),
        ("fedilake sql question.sql --format csv > answer.csv", ""),
        ("echo 'from mastodon_toot limit 5' | fedilake sql -", ""),
        (
            "fedilake sql --direct \"select count(*) from read_parquet('s3://bucket/prefix/**/*.parquet', union_by_name=true)\"",
            "",
        ),
    ],
    "Views: posts (one row a post), sightings (one row a server that showed it), deletes (one row a post that is gone), replies (who answers whom), \
     languages (tags and their names), gaps (when a server was not read), skips (what was left out), \
     mastodon_toot (the talk's columns).",
);

const CHECK: Below = Below(&[("fedilake check && echo whole", "")], "");

const REPLAY: Below = Below(
    &[
        ("fedilake replay recorded.jsonl.zst --data d", ""),
        ("zcat statuses.jsonl.gz | fedilake replay -", ""),
        ("fedilake replay day.jsonl --pace 10x", ""),
    ],
    "A value is a Status of the Mastodon API, or {\"server\",\"observed_at\",\"event\",\"payload\"}. Started again after a kill, \
     it goes on where it was.",
);

const IMPORT: Below = Below(
    &[
        ("fedilake import minio/topics --data d", ""),
        ("AWS_ENDPOINT_URL=http://127.0.0.1:9000 fedilake import s3://mastodon/topics/mastodon-topic", ""),
    ],
    "Files are named like topics/mastodon-topic/partition=0/mastodon-topic+0+0000001000.snappy.parquet. Started again after a \
     kill, or when there are more files, it goes on where the table ends. It ends with `fedilake check`.",
);

const SIMULATE: Below = Below(
    &[
        ("fedilake simulate --serve 127.0.0.1:4000 --servers 5 --rate 500", ""),
        (
            "fedilake simulate --serve 127.0.0.1:4000 --late --script 7 --script-length 10m --posts-max 30000",
            "ten minutes of late posts and faults, then quiet",
        ),
        ("fedilake simulate --preset talk --out talk.jsonl.zst", ""),
        ("fedilake simulate --preset talk --posts 60000 --seed 7 --out small.jsonl", ""),
    ],
    "All people and posts are invented. A served simulation tells at /_sim/state its faults and posts, and whether anything is still to come.",
);

const SETTINGS: Below =
    Below(&[("fedilake settings", ""), ("FEDILAKE_LISTEN=127.0.0.1:0 fedilake settings --config my.toml", "")], "");

const VIEWS: Below = Below(
    &[
        ("fedilake views > views.sql", ""),
        ("fedilake views --s3 > views.sql", "for a table on S3; DuckDB takes the key from the variables AWS_…"),
        ("fedilake views | duckdb -init /dev/stdin", ""),
    ],
    "",
);

const COMPLETIONS: Below = Below(&[("fedilake completions bash > /etc/bash_completion.d/fedilake", "")], "");

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Cli, clap::Error> {
        Cli::read(words.iter().map(OsString::from))
    }

    #[test]
    fn a_question_may_begin_with_a_comment() {
        for comment in ["-- What is asked?\nselect 1", "--\tasked\nselect 1", "--\nselect 1"] {
            let Verb::Sql(sql) = read(&["fedilake", "sql", comment, "--format", "csv"]).unwrap().verb else {
                panic!("another verb")
            };
            assert_eq!(sql.query.unwrap().trim_start(), comment);
        }
    }

    #[test]
    fn a_flag_that_is_not_known_is_no_question() {
        for flag in ["--formt", "--asked select 1", "-x"] {
            let error = read(&["fedilake", "sql", flag]).unwrap_err();
            assert_eq!(error.kind(), clap::error::ErrorKind::UnknownArgument, "{flag}");
        }
    }
}
