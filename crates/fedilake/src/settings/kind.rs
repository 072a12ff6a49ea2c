//! The kinds of settings, and the values that each can have.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::bail;
use fedilake_collect::{Timeline, address};

use crate::mask::masked_address;

/// A setting: key, default, kind and meaning.
pub struct Setting {
    /// The key as in the file: `table.key`.
    pub key: &'static str,
    /// True for a text that is of the key's type.
    pub reads: fn(&str) -> bool,
    pub default: DefaultText,
    pub kind: Kind,
    pub meaning: &'static str,
}

/// The value of a setting that nobody sets.
pub enum DefaultText {
    Text(&'static str),
    /// The default of the crate that uses the setting.
    Of(fn() -> String),
}

impl DefaultText {
    pub fn text(&self) -> String {
        match self {
            DefaultText::Text(text) => (*text).to_owned(),
            DefaultText::Of(text) => text(),
        }
    }
}

/// The values that a setting can have.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Any text in one line.
    Text,
    /// Texts separated by commas.
    List,
    /// A folder, which need not exist; empty for the platform's.
    Folder,
    /// `scheme:rest`.
    Url,
    /// `http://…` or `https://…`; empty for none.
    Web,
    /// A file that exists; empty for none.
    File,
    /// An address and a port.
    Address,
    /// Hosts or URLs, separated by commas.
    Servers,
    /// `http://host:port` or `https://host`; empty for none.
    Endpoint,
    /// `public`, `local`, `remote`, `hashtag:TAG` or `list:ID`; several with commas between them.
    Timelines,
    /// `HOST=FILE`, separated by commas.
    TokenFiles,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number within these bounds.
    Number(RangeInclusive<u64>),
    /// A whole number within these bounds, or `auto`.
    AutoOrNumber(RangeInclusive<u64>),
}

/// The value that leaves a choice to the program.
pub(super) const AUTO: &str = "auto";

/// The items of a list.
pub(super) fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Checks a value; the error says what was expected.
pub(super) fn check(kind: &Kind, text: &str) -> anyhow::Result<()> {
    match kind {
        Kind::List => {}
        Kind::Text if text.contains(char::is_control) => bail!("expected one line"),
        Kind::Text => {}
        Kind::Folder => {
            if !text.is_empty() && Path::new(text).exists() && !Path::new(text).is_dir() {
                bail!("it is a file, not a folder\nhint: --data expects the folder of the log, the table and the lake");
            }
            if text.contains(['?', '\\']) {
                bail!(
                    "DuckDB cannot read files in a folder with a question mark or a backslash in its name\nhint: choose another folder with --data DIR"
                );
            }
        }
        Kind::Url => {
            let is_url = text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
            if !is_url {
                bail!("expected a URL\nhint: write file:PATH, for example file:log");
            }
        }
        Kind::Web => {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            if !text.is_empty() && rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
                bail!("expected an http or https URL\nhint: write it like http://127.0.0.1:8081");
            }
        }
        Kind::File => {
            if !text.is_empty() && !Path::new(text).is_file() {
                bail!("this file does not exist");
            }
        }
        Kind::Endpoint => {
            let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            if !text.is_empty() && host.is_none_or(|host| host.is_empty() || host.trim_end_matches('/').contains('/')) {
                bail!("expected the URL of a host\nhint: write it like http://127.0.0.1:9000, without bucket and path");
            }
        }
        Kind::Address => {
            if text.parse::<SocketAddr>().is_err() {
                bail!("expected an address with a port\nhint: write it like 127.0.0.1:7878; port 0 picks a free one");
            }
        }
        Kind::Servers => {
            for server in items(text) {
                address::parse(server)?;
            }
        }
        Kind::Timelines => {
            if items(text).next().is_none() {
                bail!("expected public, local, remote, hashtag:TAG or list:ID");
            }
            for item in items(text) {
                if Timeline::parse(item).is_none() {
                    bail!("expected public, local, remote, hashtag:TAG or list:ID instead of {item:?}");
                }
            }
        }
        Kind::TokenFiles => {
            for item in items(text) {
                if item.split_once('=').is_none_or(|(host, file)| host.is_empty() || file.is_empty()) {
                    let item = masked_address(item);
                    bail!("expected HOST=FILE instead of {item:?}\nhint: write it like mastodon.social=token.txt");
                }
            }
        }
        Kind::OneOf(words) => {
            if !words.contains(&text) {
                bail!("expected {}", words.join(" or "));
            }
        }
        Kind::AutoOrNumber(_) if text == AUTO => {}
        Kind::AutoOrNumber(bounds) | Kind::Number(bounds) => {
            if text.parse().is_ok_and(|number: u64| bounds.contains(&number)) {
                return Ok(());
            }
            bail!("expected a whole number from {} to {}", bounds.start(), bounds.end());
        }
    }
    Ok(())
}
