//! Settings: flag over `FEDILAKE_*` over the settings file over the default, each with its source.
//!
//! The list of settings is [`SETTINGS`]; a key that is not in it is refused, and so is a value that its setting cannot have: a
//! slip does not pass in silence, nor wait for the moment that needs the value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_collect::address;

/// A setting that exists.
pub struct Setting {
    /// As in the file: `table.key`.
    pub key: &'static str,
    pub default: &'static str,
    pub kind: Kind,
    pub meaning: &'static str,
}

/// What a setting's value may be.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Anything in one line.
    Text,
    /// Anything, separated by commas.
    List,
    /// A folder, there or not; empty: the platform's.
    Folder,
    /// `scheme:rest`.
    Url,
    /// `http://…` or `https://…`; empty: none.
    Web,
    /// A file that is there; empty: none.
    File,
    /// An address and a port.
    Address,
    /// Hosts or URLs, separated by commas.
    Servers,
    /// `http://host:port` or `https://host`; or empty.
    Endpoint,
    /// `HOST=FILE`, separated by commas.
    TokenFiles,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number within these bounds.
    Number(RangeInclusive<u64>),
    /// The same, or `auto`.
    AutoOrNumber(RangeInclusive<u64>),
}

/// The value that leaves a choice to the program.
const AUTO: &str = "auto";

/// A year: a time beyond it is a slip, and would overflow the clock.
const YEAR_SECONDS: u64 = 365 * 24 * 3_600;
/// A TiB: memory beyond it is a slip.
const MEMORY_BYTES_MAX: u64 = 1 << 40;
/// A table file is put into its store in one go, which takes up to 5 GiB; a file is hardly ever larger than its rows in memory.
const BUFFER_BYTES_MAX: u64 = 4 << 30;
/// DuckDB does not even open a lake with less.
const LAKE_BYTES_MIN: u64 = 16 << 20;

/// Every setting, in the order in which `fedilake settings` prints them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        default: "",
        kind: Kind::Folder,
        meaning: "folder of the log, the table and the lake; empty: the platform's data folder",
    },
    Setting {
        key: "listen",
        default: "127.0.0.1:7878",
        kind: Kind::Address,
        meaning: "address that answers report, sql, /healthz and /metrics",
    },
    Setting {
        key: "log.url",
        default: "file:log",
        kind: Kind::Url,
        meaning: "where the log is: file:PATH below the data folder, or kafka://BROKER:9092,BROKER:9092/TOPIC",
    },
    Setting {
        key: "log.registry_url",
        default: "",
        kind: Kind::Web,
        meaning: "Kafka: the Schema Registry, which keeps what records look like",
    },
    Setting {
        key: "log.registry_user",
        default: "",
        kind: Kind::Text,
        meaning: "who the registry takes us for; the password is in log.registry_password_file or FEDILAKE_LOG_REGISTRY_PASSWORD",
    },
    Setting {
        key: "log.registry_password_file",
        default: "",
        kind: Kind::File,
        meaning: "a file with the registry's password",
    },
    Setting {
        key: "log.partitions",
        default: "4",
        kind: Kind::Number(1..=10_000),
        meaning: "Kafka: partitions of a topic that is made: as many sinks can share it",
    },
    Setting {
        key: "log.replication",
        default: "0",
        kind: Kind::Number(0..=100),
        meaning: "Kafka: brokers that keep each record of a topic that is made; 0: as many as the brokers' default",
    },
    Setting {
        key: "log.retention_seconds",
        default: "604800",
        kind: Kind::Number(60..=10 * YEAR_SECONDS),
        meaning: "Kafka: how long a topic that is made keeps records: no sink may be away for longer",
    },
    Setting {
        key: "log.security",
        default: "plaintext",
        kind: Kind::OneOf(&["plaintext", "tls"]),
        meaning: "Kafka: how the brokers are spoken to",
    },
    Setting {
        key: "log.ca_file",
        default: "",
        kind: Kind::File,
        meaning: "Kafka: certificates that vouch for the brokers; empty: the system's",
    },
    Setting {
        key: "log.sasl",
        default: "none",
        kind: Kind::OneOf(&["none", "plain", "scram-sha-256", "scram-sha-512"]),
        meaning: "Kafka: how we say who we are",
    },
    Setting {
        key: "log.user",
        default: "",
        kind: Kind::Text,
        meaning: "Kafka: who we are; the password is in log.password_file or FEDILAKE_LOG_PASSWORD",
    },
    Setting { key: "log.password_file", default: "", kind: Kind::File, meaning: "Kafka: a file with our password" },
    Setting {
        key: "log.append_seconds_max",
        default: "120",
        kind: Kind::Number(1..=86_400),
        meaning: "Kafka: how long an append waits for brokers that are away before the collector gives up",
    },
    Setting {
        key: "log.session_timeout_milliseconds",
        default: "10000",
        kind: Kind::Number(1_000..=1_800_000),
        meaning: "Kafka: after this long without a sign of life a sink or collector is replaced by the others",
    },
    Setting {
        key: "table.url",
        default: "file:table",
        kind: Kind::Url,
        meaning: "where the table is: file:PATH below the data folder, or s3://BUCKET/PREFIX",
    },
    Setting {
        key: "table.s3_endpoint",
        default: "",
        kind: Kind::Endpoint,
        meaning: "the S3 store's URL without the bucket; empty: AWS_ENDPOINT_URL_S3 and its like, else Amazon's",
    },
    Setting {
        key: "table.s3_region",
        default: "",
        kind: Kind::Text,
        meaning: "the bucket's region; empty: AWS_REGION and its like, else us-east-1",
    },
    Setting {
        key: "table.s3_path_style",
        default: "auto",
        kind: Kind::OneOf(&["auto", "true", "false"]),
        meaning: "whether the bucket stands in the URL's path, not in its host; auto: where there is an endpoint",
    },
    Setting {
        key: "collect.servers",
        default: "",
        kind: Kind::Servers,
        meaning: "servers to collect from, hosts or URLs",
    },
    Setting {
        key: "collect.timeline",
        default: "public",
        kind: Kind::OneOf(&["public", "local"]),
        meaning: "public: what the servers see; local: their members' posts",
    },
    Setting { key: "collect.token_files", default: "", kind: Kind::TokenFiles, meaning: "access tokens, as HOST=FILE" },
    Setting {
        key: "collect.contact",
        default: "",
        kind: Kind::Text,
        meaning: "your contact, a URL or an address, told to the servers in the User-Agent",
    },
    Setting {
        key: "collect.batch_posts_max",
        default: "1000",
        kind: Kind::Number(1..=1_000_000),
        meaning: "posts appended in one go at most",
    },
    Setting {
        key: "collect.batch_age_milliseconds_max",
        default: "50",
        kind: Kind::Number(0..=60_000),
        meaning: "how long a post waits for others before it is appended",
    },
    Setting {
        key: "collect.group",
        default: "fedilake-collect",
        kind: Kind::Text,
        meaning: "Kafka: collectors of one group share the servers that `fedilake servers` lists",
    },
    Setting {
        key: "collect.servers_topic",
        default: "fedilake.servers",
        kind: Kind::Text,
        meaning: "Kafka: the topic of the servers to collect from and of how far each was collected",
    },
    Setting {
        key: "sink.group",
        default: "fedilake-sink",
        kind: Kind::Text,
        meaning: "Kafka: sinks of one group share the log's partitions",
    },
    Setting {
        key: "sink.buffer_bytes_max",
        default: "134217728",
        kind: Kind::Number(1..=BUFFER_BYTES_MAX),
        meaning: "rows in memory of which a table file is made, about a fifth as large; stores take files up to 5 GiB",
    },
    Setting {
        key: "sink.buffer_age_seconds_max",
        default: "auto",
        kind: Kind::AutoOrNumber(1..=YEAR_SECONDS),
        meaning: "how long rows wait for others before a table file is made; auto: 900 on local disk, 3600 on S3",
    },
    Setting {
        key: "sink.buffers_bytes_max",
        default: "536870912",
        kind: Kind::Number(1..=MEMORY_BYTES_MAX),
        meaning: "rows in memory of all log partitions together",
    },
    Setting {
        key: "lake.memory_bytes_max",
        default: "1073741824",
        kind: Kind::Number(LAKE_BYTES_MIN..=MEMORY_BYTES_MAX),
        meaning: "what DuckDB may use",
    },
    Setting {
        key: "lake.threads",
        default: "0",
        kind: Kind::Number(0..=1_024),
        meaning: "DuckDB's threads; 0: as many as cores",
    },
    Setting {
        key: "report.topics",
        default: "balloon,earthquake,superbowl,chatgpt",
        kind: Kind::List,
        meaning: "words of the topics report when none are typed",
    },
    Setting {
        key: "sql.seconds_max",
        default: "60",
        kind: Kind::Number(1..=YEAR_SECONDS),
        meaning: "a question in SQL is stopped after this long",
    },
    Setting {
        key: "sql.httpfs",
        default: "",
        kind: Kind::Text,
        meaning: "file of DuckDB's httpfs extension, for `sql --direct` on S3; empty: where DuckDB keeps it",
    },
];

/// Variables that begin like a setting's and are none: the filter of what is logged, and what the project's own tests read.
const NO_SETTINGS: &[&str] = &[
    "FEDILAKE_LOG",
    "FEDILAKE_LOG_PASSWORD",
    "FEDILAKE_LOG_REGISTRY_PASSWORD",
    "FEDILAKE_BLESS",
    "FEDILAKE_CHAOS_ROUNDS",
    "FEDILAKE_LOG_TEST_FOLDER",
    "FEDILAKE_REQUIRE_SERVICES",
    "FEDILAKE_SCHEDULES",
    "FEDILAKE_SERVICES_DIR",
];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment(String),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag => f.write_str("flag"),
            Origin::Environment(name) => f.write_str(name),
            Origin::File(path) => path.display().fmt(f),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone)]
pub struct Value {
    pub text: String,
    pub origin: Origin,
}

/// The values in force, by key.
#[derive(Debug, Clone)]
pub struct Settings {
    values: BTreeMap<&'static str, Value>,
}

impl Settings {
    /// Reads the file (`file` if given, else the first of [`default_files`] that exists) and lays `environment`, the variables of
    /// the process, and `flags`, pairs of key and value, over it. Every value is one that its setting can have.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[(&'static str, String)],
    ) -> anyhow::Result<Settings> {
        let mut values: BTreeMap<&'static str, Value> =
            SETTINGS.iter().map(|s| (s.key, Value { text: s.default.to_owned(), origin: Origin::Default })).collect();
        if let Some(path) = file.map(Path::to_owned).or_else(|| default_files().into_iter().find(|path| path.exists()))
        {
            for (key, text) in read_file(&path)? {
                values.insert(key, Value { text, origin: Origin::File(path.clone()) });
            }
        }
        for (key, name, text) in read_environment(environment)? {
            values.insert(key, Value { text, origin: Origin::Environment(name) });
        }
        for (key, text) in flags {
            values.insert(key, Value { text: text.clone(), origin: Origin::Flag });
        }
        let settings = Settings { values };
        for (setting, value) in settings.all() {
            check(&setting.kind, &value.text)
                .with_context(|| format!("setting {} = {:?} (from {})", setting.key, value.text, value.origin))?;
        }
        Ok(settings)
    }

    /// The same with one value set, as a flag would.
    pub fn with(&self, key: &'static str, text: String) -> Settings {
        let mut settings = self.clone();
        settings.values.insert(key, Value { text, origin: Origin::Flag });
        settings
    }

    /// Every setting with its value.
    pub fn all(&self) -> impl Iterator<Item = (&'static Setting, &Value)> {
        SETTINGS.iter().map(|setting| (setting, &self.values[setting.key]))
    }

    /// The data folder: the setting, else the platform's.
    pub fn data(&self) -> anyhow::Result<PathBuf> {
        match self.text("data") {
            "" => platform_data().context("find the platform's data folder\nhint: give one with --data DIR"),
            folder => Ok(PathBuf::from(folder)),
        }
    }

    /// The address to listen on.
    pub fn listen(&self) -> anyhow::Result<SocketAddr> {
        self.parse("listen")
    }

    /// A whole number.
    pub fn number<T: FromStr>(&self, key: &'static str) -> anyhow::Result<T> {
        self.parse(key)
    }

    /// A time given in whole seconds.
    pub fn seconds(&self, key: &'static str) -> anyhow::Result<Duration> {
        self.number(key).map(Duration::from_secs)
    }

    /// A time given in whole milliseconds.
    pub fn milliseconds(&self, key: &'static str) -> anyhow::Result<Duration> {
        self.number(key).map(Duration::from_millis)
    }

    /// A text as it is.
    pub fn text(&self, key: &'static str) -> &str {
        &self.values[key].text
    }

    /// A time given in whole seconds; None for `auto`.
    pub fn seconds_unless_auto(&self, key: &'static str) -> anyhow::Result<Option<Duration>> {
        if self.text(key) == AUTO { Ok(None) } else { self.seconds(key).map(Some) }
    }

    /// A list: a TOML array, or separated by commas.
    pub fn list(&self, key: &'static str) -> Vec<String> {
        items(self.text(key)).map(str::to_owned).collect()
    }

    /// Values were checked when they were loaded; what can still fail is a number too large for this machine.
    fn parse<T: FromStr>(&self, key: &'static str) -> anyhow::Result<T> {
        let Value { text, origin } = &self.values[key];
        text.parse().ok().with_context(|| format!("setting {key} = {text:?} (from {origin}) cannot be used here"))
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Whether a setting of this kind can have this value; an error says why not.
fn check(kind: &Kind, text: &str) -> anyhow::Result<()> {
    match kind {
        Kind::List => {}
        Kind::Text if text.contains(char::is_control) => bail!("it is more than a line"),
        Kind::Text => {}
        Kind::Folder => {
            if !text.is_empty() && Path::new(text).exists() && !Path::new(text).is_dir() {
                bail!("it is a file, not a folder\nhint: --data takes the folder of the log, the table and the lake");
            }
            if text.contains('?') {
                bail!(
                    "DuckDB cannot keep a lake below a name with a question mark\nhint: --data takes any other folder"
                );
            }
        }
        Kind::Url => {
            let is_url = text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
            if !is_url {
                bail!("it is no URL\nhint: write file:PATH, for example file:log");
            }
        }
        Kind::Web => {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            if !text.is_empty() && rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
                bail!("it is no web address\nhint: write it like http://127.0.0.1:8081");
            }
        }
        Kind::File => {
            if !text.is_empty() && !Path::new(text).is_file() {
                bail!("there is no such file");
            }
        }
        Kind::Endpoint => {
            let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            if !text.is_empty() && host.is_none_or(|host| host.is_empty() || host.trim_end_matches('/').contains('/')) {
                bail!("it is no URL of a host\nhint: write it like http://127.0.0.1:9000, without bucket and path");
            }
        }
        Kind::Address => {
            if text.parse::<SocketAddr>().is_err() {
                bail!("it is no address with a port\nhint: write it like 127.0.0.1:7878; port 0 picks a free one");
            }
        }
        Kind::Servers => {
            for server in items(text) {
                address::parse(server)?;
            }
        }
        Kind::TokenFiles => {
            for item in items(text) {
                if item.split_once('=').is_none_or(|(host, file)| host.is_empty() || file.is_empty()) {
                    bail!("{item:?} is not HOST=FILE\nhint: write it like mastodon.social=token.txt");
                }
            }
        }
        Kind::OneOf(words) => {
            if !words.contains(&text) {
                bail!("it is neither {}", words.join(" nor "));
            }
        }
        Kind::AutoOrNumber(_) if text == AUTO => {}
        Kind::AutoOrNumber(bounds) | Kind::Number(bounds) => {
            if text.parse().is_ok_and(|number: u64| bounds.contains(&number)) {
                return Ok(());
            }
            bail!("it is no whole number from {} to {}", bounds.start(), bounds.end());
        }
    }
    Ok(())
}

fn is_no_setting(variable: &str) -> bool {
    // Where the real services of the tests are, and their scripts' own settings.
    ["FEDILAKE_TEST_", "FEDILAKE_SERVICES_"].iter().any(|prefix| variable.starts_with(prefix))
        || NO_SETTINGS.contains(&variable)
}

fn read_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<Vec<(&'static str, String, String)>> {
    let mut found = Vec::new();
    for (name, value) in environment {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with("FEDILAKE_") || is_no_setting(&name) {
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| environment_name(setting.key) == name) else {
            bail!("environment variable {name} is no setting{}", nearest_variable_hint(&name));
        };
        let Ok(text) = value.into_string() else { bail!("environment variable {name} is no text (UTF-8)") };
        found.push((setting.key, name, text));
    }
    Ok(found)
}

/// Points at the setting that shares most of its beginning with the variable.
fn nearest_variable_hint(name: &str) -> String {
    let shared = |setting: &&Setting| {
        environment_name(setting.key).bytes().zip(name.bytes()).take_while(|(known, typed)| known == typed).count()
    };
    match SETTINGS.iter().max_by_key(shared) {
        Some(setting) if shared(&setting) > "FEDILAKE_".len() + 3 => {
            format!("\nhint: did you mean {}?", environment_name(setting.key))
        }
        _ => "\nhint: `fedilake settings` lists them".to_owned(),
    }
}

/// `FEDILAKE_LOG_URL` for `log.url`.
pub fn environment_name(key: &str) -> String {
    format!("FEDILAKE_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Where a settings file is looked for, the first that exists wins.
pub fn default_files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("fedilake.toml")];
    files.extend(
        platform_folder("XDG_CONFIG_HOME", ".config", "Library/Application Support")
            .map(|folder| folder.join("fedilake.toml")),
    );
    files
}

fn platform_data() -> Option<PathBuf> {
    platform_folder("XDG_DATA_HOME", ".local/share", "Library/Application Support")
}

/// The XDG folder (macOS: the one below Library), with `fedilake` appended.
fn platform_folder(variable: &str, unix: &str, macos: &str) -> Option<PathBuf> {
    let below_home = if cfg!(target_os = "macos") { macos } else { unix };
    let folder = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    folder.or_else(|| std::env::home_dir().map(|home| home.join(below_home))).map(|folder| folder.join("fedilake"))
}

fn read_file(path: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read settings file {}", path.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("read settings file {}", path.display()))?;
    let mut found = Vec::new();
    flatten("", &table, &mut |key, value| {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            bail!("settings file {}: there is no setting {key:?}{}", path.display(), nearest_hint(key));
        };
        found.push((
            setting.key,
            scalar(value).with_context(|| format!("settings file {}: setting {key}", path.display()))?,
        ));
        Ok(())
    })?;
    Ok(found)
}

fn flatten(
    prefix: &str,
    table: &toml::Table,
    take: &mut impl FnMut(&str, &toml::Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        match value {
            toml::Value::Table(inner) => flatten(&format!("{key}."), inner, take)?,
            other => take(&key, other)?,
        }
    }
    Ok(())
}

fn scalar(value: &toml::Value) -> anyhow::Result<String> {
    Ok(match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        toml::Value::Array(items) => items.iter().map(scalar).collect::<anyhow::Result<Vec<_>>>()?.join(","),
        other => bail!("a {} is not expected here", other.type_str()),
    })
}

fn nearest_hint(key: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    match SETTINGS.iter().find(|s| s.key.rsplit('.').next() == Some(last)) {
        Some(setting) => format!("\nhint: did you mean {}?", setting.key),
        None => "\nhint: `fedilake settings` lists them".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, String)]) -> anyhow::Result<Settings> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("fedilake.toml");
        std::fs::write(&path, file)?;
        let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Settings::load(Some(&path), environment, flags)
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() -> anyhow::Result<()> {
        let file = "listen = '127.0.0.1:1'\n[sql]\nseconds_max = 5\n[collect]\nservers = ['a.example', 'b.example']\nbatch_posts_max = 7\n";
        let settings = load(
            file,
            &[("FEDILAKE_LISTEN", "127.0.0.1:2"), ("FEDILAKE_COLLECT_BATCH_POSTS_MAX", "8")],
            &[("listen", "127.0.0.1:3".to_owned())],
        )?;
        assert_eq!(settings.listen()?.port(), 3);
        assert_eq!(settings.number::<u64>("collect.batch_posts_max")?, 8);
        assert_eq!(settings.seconds("sql.seconds_max")?, Duration::from_secs(5));
        assert_eq!(settings.list("collect.servers"), ["a.example", "b.example"]);
        assert_eq!(settings.text("log.url"), "file:log");
        let origins: Vec<_> = settings.all().filter(|(_, v)| v.origin != Origin::Default).map(|(s, _)| s.key).collect();
        assert_eq!(origins, ["listen", "collect.servers", "collect.batch_posts_max", "sql.seconds_max"]);
        Ok(())
    }

    #[test]
    fn where_the_tests_find_services_is_no_setting() {
        let environment = [("FEDILAKE_TEST_KAFKA", "127.0.0.1:9092"), ("FEDILAKE_SERVICES_DIR", "/services")];
        assert!(load("", &environment, &[]).is_ok());
    }

    #[test]
    fn an_unknown_key_and_a_wrong_value_are_refused_by_name() {
        let unknown = load("[sink]\nbatch_posts_max = 1", &[], &[]).unwrap_err().to_string();
        assert!(
            unknown.contains("sink.batch_posts_max") && unknown.contains("did you mean collect.batch_posts_max"),
            "{unknown}"
        );
        let told = |environment: &[(&str, &str)]| format!("{:#}", load("", environment, &[]).unwrap_err());
        let misspelt = told(&[("FEDILAKE_SQL_SECONDS_MAKS", "5")]);
        assert!(
            misspelt.contains("FEDILAKE_SQL_SECONDS_MAKS")
                && misspelt.contains("did you mean FEDILAKE_SQL_SECONDS_MAX?"),
            "{misspelt}"
        );
        assert!(told(&[("FEDILAKE_HOME", "/")]).contains("`fedilake settings` lists them"));
        let wrong = format!("{:#}", load("listen = 'here'", &[], &[]).unwrap_err());
        assert!(wrong.contains("listen = \"here\"") && wrong.contains("127.0.0.1:7878"), "{wrong}");
    }

    #[test]
    fn every_setting_is_checked_when_it_is_loaded() {
        for (key, wrong) in [
            ("data", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
            ("data", "really?"),
            ("listen", "5"),
            ("log.url", "log"),
            ("table.url", ":table"),
            ("collect.servers", "a.example, not a host"),
            ("collect.timeline", "home"),
            ("collect.token_files", "a.example"),
            ("collect.contact", "two\nlines"),
            ("collect.batch_posts_max", "0"),
            ("collect.batch_age_milliseconds_max", "18446744073709551615"),
            ("table.s3_endpoint", "127.0.0.1:9000"),
            ("table.s3_endpoint", "http://a.example/bucket"),
            ("table.s3_path_style", "yes"),
            ("sink.buffer_bytes_max", "0"),
            ("sink.buffer_bytes_max", "5000000000"),
            ("sink.buffer_age_seconds_max", "never"),
            ("sink.buffer_age_seconds_max", "18446744073709551615"),
            ("sink.buffers_bytes_max", "1e9"),
            ("lake.memory_bytes_max", "1"),
            ("lake.threads", "-1"),
            ("sql.seconds_max", "abc"),
        ] {
            let told = format!("{:#}", load("", &[(&environment_name(key), wrong)], &[]).unwrap_err());
            assert!(told.starts_with(&format!("setting {key} = {wrong:?} (from FEDILAKE_")), "{told}");
        }
    }

    #[test]
    fn variables_that_are_no_settings_are_left_alone() -> anyhow::Result<()> {
        let ours = NO_SETTINGS.iter().map(|name| (*name, "1"));
        load("", &ours.chain([("HOME", "/"), ("FEDILAKERS", "2")]).collect::<Vec<_>>(), &[])?;
        Ok(())
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() -> anyhow::Result<()> {
        load("", &[], &[])?;
        Ok(())
    }
}
