//! Settings: a flag wins over `FEDILAKE_*`, over the settings file, over the default. Each value remembers its
//! source.
//!
//! [`SETTINGS`] lists them. Unknown keys and impossible values are refused when settings are loaded, so that a typing
//! error is found before the value is needed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

mod again;
pub mod key;
mod kind;
mod known;

pub use again::Again;
pub use key::Key;
use key::Read;
pub use kind::Setting;
use kind::{Kind, check, items};
use known::NO_SETTINGS;
pub use known::SETTINGS;

use crate::mask::{masked, masked_address};

/// The source of a value.
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

/// A value and its source.
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
    /// Combines the settings of `file`, the process's variables in `environment` and the pairs of key and value in
    /// `flags`, each overriding the one before. Reads no other file: [`default_file`] finds the user's. Fails if a
    /// value is not one that its setting can have.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[(&'static str, String)],
    ) -> anyhow::Result<Settings> {
        let mut values: BTreeMap<&'static str, Value> =
            SETTINGS.iter().map(|s| (s.key, Value { text: s.default.text(), origin: Origin::Default })).collect();
        if let Some(path) = file {
            for (key, text) in read_file(path)? {
                values.insert(key, Value { text, origin: Origin::File(path.to_owned()) });
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
            let what =
                || format!("setting {} = {:?} (from {})", setting.key, shown(setting, &value.text), value.origin);
            check(&setting.kind, &value.text).with_context(what)?;
            if !(setting.reads)(&value.text) {
                bail!("{} does not fit on this machine", what());
            }
        }
        Ok(settings)
    }

    /// The same settings with one value changed, as by a flag.
    pub fn with<T>(&self, key: Key<T>, text: String) -> Settings {
        let mut settings = self.clone();
        settings.values.insert(key.name, Value { text, origin: Origin::Flag });
        settings
    }

    /// The same settings with another default.
    pub fn with_default<T>(&self, key: Key<T>, text: String) -> Settings {
        let mut settings = self.clone();
        if self.values[key.name].origin == Origin::Default {
            settings.values.insert(key.name, Value { text, origin: Origin::Default });
        }
        settings
    }

    /// Every setting with its value.
    pub fn all(&self) -> impl Iterator<Item = (&'static Setting, &Value)> {
        SETTINGS.iter().map(|setting| (setting, &self.values[setting.key]))
    }

    /// The data folder: the setting, else the platform's.
    pub fn data(&self) -> anyhow::Result<PathBuf> {
        match self.get(key::DATA) {
            "" => platform_data().context("find the platform's data folder\nhint: give one with --data DIR"),
            folder => Ok(PathBuf::from(folder)),
        }
    }

    /// The address to listen on.
    pub fn listen(&self) -> SocketAddr {
        self.get(key::LISTEN)
    }

    /// The value of a setting.
    pub fn get<T: Read>(&self, key: Key<T>) -> T::Value<'_> {
        T::read(&self.values[key.name].text).expect("what a setting's kind allows is of its key's type")
    }
}

/// A value for people.
fn shown(setting: &Setting, text: &str) -> String {
    match setting.kind {
        Kind::Servers | Kind::TokenFiles if text.contains('@') => {
            items(text).map(masked_address).collect::<Vec<_>>().join(",")
        }
        _ => masked(text),
    }
}

fn is_no_setting(variable: &str) -> bool {
    // Addresses of the tests' real services, and settings of their scripts.
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
            bail!("unknown environment variable {name}: there is no such setting{}", nearest_variable_hint(&name));
        };
        let Ok(text) = value.into_string() else { bail!("invalid environment variable {name}: expected UTF-8") };
        found.push((setting.key, name, text));
    }
    Ok(found)
}

/// A hint that names the setting with the longest common start.
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

/// The settings file of a user who names none: the first of [`default_files`] that exists.
pub fn default_file() -> Option<PathBuf> {
    default_files().into_iter().find(|path| path.exists())
}

/// The usual paths of settings files, the preferred one first.
pub fn default_files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("fedilake.toml")];
    files.extend(platform_config().map(|folder| folder.join("fedilake.toml")));
    files
}

fn platform_data() -> Option<PathBuf> {
    platform_folder("XDG_DATA_HOME", ".local/share", "Library/Application Support")
}

/// The platform's folder for settings.
pub fn platform_config() -> Option<PathBuf> {
    platform_folder("XDG_CONFIG_HOME", ".config", "Library/Application Support")
}

/// The platform's folder for what a program remembers.
pub fn platform_state() -> Option<PathBuf> {
    platform_folder("XDG_STATE_HOME", ".local/state", "Library/Application Support")
}

/// The XDG folder (on macOS the one in Library), with `fedilake` appended.
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
            bail!("settings file {}: unknown setting {key:?}{}", path.display(), nearest_hint(key));
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
        other => bail!("unexpected {}: expected a text, a number, a boolean or a list of texts", other.type_str()),
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
    use std::time::Duration;

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
        assert_eq!(settings.listen().port(), 3);
        assert_eq!(settings.get(key::COLLECT_BATCH_POSTS_MAX), 8);
        assert_eq!(settings.get(key::SQL_SECONDS_MAX), Duration::from_secs(5));
        assert_eq!(settings.get(key::COLLECT_SERVERS), ["a.example", "b.example"]);
        assert_eq!(settings.get(key::LOG_URL), "file:log");
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
    fn whatever_a_kind_allows_is_of_the_keys_type() {
        for setting in SETTINGS {
            let mut texts = vec![setting.default.text()];
            match &setting.kind {
                Kind::OneOf(words) => texts.extend(words.iter().map(|word| (*word).to_owned())),
                Kind::Number(bounds) => texts.extend([bounds.start(), bounds.end()].map(u64::to_string)),
                Kind::AutoOrNumber(bounds) => {
                    texts.extend([bounds.start(), bounds.end()].map(u64::to_string));
                    texts.push("auto".to_owned());
                }
                _ => {}
            }
            for text in texts {
                assert!(check(&setting.kind, &text).is_ok() && (setting.reads)(&text), "{} = {text:?}", setting.key);
            }
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
