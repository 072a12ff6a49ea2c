//! Settings: flag over `FEDILAKE_*` over the settings file over the default, each with its source.
//!
//! The list of settings is [`SETTINGS`]; a key that is not in it is refused, so that a misspelt one does not pass in silence.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};

/// A setting that exists.
pub struct Setting {
    /// As in the file: `table.key`.
    pub key: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

/// Every setting, in the order in which `fedilake settings` prints them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        default: "",
        meaning: "folder of the log, the table and the lake; empty: the platform's data folder",
    },
    Setting {
        key: "listen",
        default: "127.0.0.1:7878",
        meaning: "address that answers report, sql, /healthz and /metrics",
    },
    Setting { key: "log.url", default: "file:log", meaning: "where the log is, below the data folder" },
    Setting { key: "table.url", default: "file:table", meaning: "where the table is, below the data folder" },
    Setting { key: "collect.servers", default: "", meaning: "servers to collect from, hosts or URLs" },
    Setting {
        key: "collect.timeline",
        default: "public",
        meaning: "public: what the servers see; local: their members' posts",
    },
    Setting { key: "collect.token_files", default: "", meaning: "access tokens, as HOST=FILE" },
    Setting {
        key: "collect.contact",
        default: "",
        meaning: "your contact, a URL or an address, told to the servers in the User-Agent",
    },
    Setting { key: "collect.batch_posts_max", default: "1000", meaning: "posts appended in one go at most" },
    Setting {
        key: "collect.batch_age_milliseconds_max",
        default: "50",
        meaning: "how long a post waits for others before it is appended",
    },
    Setting {
        key: "sink.buffer_bytes_max",
        default: "134217728",
        meaning: "rows in memory of which a table file is made, about a fifth as large",
    },
    Setting {
        key: "sink.buffer_age_seconds_max",
        default: "900",
        meaning: "how long rows wait for others before a table file is made",
    },
    Setting {
        key: "sink.buffers_bytes_max",
        default: "536870912",
        meaning: "rows in memory of all log partitions together",
    },
    Setting { key: "lake.memory_bytes_max", default: "1073741824", meaning: "what DuckDB may use" },
    Setting { key: "lake.threads", default: "0", meaning: "DuckDB's threads; 0: as many as cores" },
    Setting {
        key: "report.topics",
        default: "balloon,earthquake,superbowl,chatgpt",
        meaning: "words of the topics report when none are typed",
    },
    Setting { key: "sql.seconds_max", default: "60", meaning: "a question in SQL is stopped after this long" },
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
    /// Reads the file (`file` if given, else the first of [`default_files`] that exists) and lays `environment` and `flags`,
    /// pairs of key and value, over it.
    pub fn load(
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
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
        for setting in SETTINGS {
            let name = environment_name(setting.key);
            if let Some(text) = environment(&name) {
                values.insert(setting.key, Value { text, origin: Origin::Environment(name) });
            }
        }
        for (key, text) in flags {
            values.insert(key, Value { text: text.clone(), origin: Origin::Flag });
        }
        Ok(Settings { values })
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
        self.parse("listen", "an address such as 127.0.0.1:7878")
    }

    /// A whole number.
    pub fn number<T: FromStr>(&self, key: &'static str) -> anyhow::Result<T> {
        self.parse(key, "a whole number")
    }

    /// A time given in whole seconds.
    pub fn seconds(&self, key: &'static str) -> anyhow::Result<Duration> {
        self.number(key).map(Duration::from_secs)
    }

    /// A text as it is.
    pub fn text(&self, key: &'static str) -> &str {
        &self.values[key].text
    }

    /// A list: a TOML array, or separated by commas.
    pub fn list(&self, key: &'static str) -> Vec<String> {
        self.text(key).split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn parse<T: FromStr>(&self, key: &'static str, wanted: &str) -> anyhow::Result<T> {
        let Value { text, origin } = &self.values[key];
        text.parse().ok().with_context(|| format!("setting {key} = {text:?} (from {origin}) is not {wanted}"))
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
        let environment = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
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
    fn an_unknown_key_and_a_wrong_value_are_refused_by_name() {
        let unknown = load("[sink]\nbatch_posts_max = 1", &[], &[]).unwrap_err().to_string();
        assert!(
            unknown.contains("sink.batch_posts_max") && unknown.contains("did you mean collect.batch_posts_max"),
            "{unknown}"
        );
        let wrong = load("listen = 'here'", &[], &[]).and_then(|s| s.listen()).unwrap_err().to_string();
        assert!(wrong.contains("listen = \"here\"") && wrong.contains("127.0.0.1:7878"), "{wrong}");
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() -> anyhow::Result<()> {
        let settings = load("", &[], &[])?;
        settings.listen()?;
        for (setting, _) in settings.all().filter(|(s, _)| s.key.ends_with("_max") || s.key == "lake.threads") {
            settings.number::<u64>(setting.key)?;
        }
        Ok(())
    }
}
