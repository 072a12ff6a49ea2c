//! The names of settings, each with the type of its values.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use super::kind::{AUTO, items};

/// The name of a setting whose values are read as `T`.
pub struct Key<T> {
    /// The key as in the file: `table.key`.
    pub name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    const fn new(name: &'static str) -> Key<T> {
        Key { name, of: PhantomData }
    }
}

impl<T: Read> Key<T> {
    /// Tells whether a text is of the key's type.
    pub(super) const fn reads(self) -> fn(&str) -> bool {
        |text| T::read(text).is_some()
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Key<T> {
        *self
    }
}

impl<T> Copy for Key<T> {}

/// How the text of a setting is read.
pub trait Read {
    type Value<'a>;

    /// The value; `None` for a text that is none of this type, which no setting's kind allows.
    fn read(text: &str) -> Option<Self::Value<'_>>;
}

/// A text as it is.
pub struct Text;

/// A TOML array, or texts separated by commas.
pub struct List;

/// A time in whole seconds.
pub struct Seconds;

/// A time in whole milliseconds.
pub struct Milliseconds;

/// A time in whole seconds; `None` for `auto`.
pub struct AutoOrSeconds;

impl Read for Text {
    type Value<'a> = &'a str;

    fn read(text: &str) -> Option<&str> {
        Some(text)
    }
}

impl Read for List {
    type Value<'a> = Vec<String>;

    fn read(text: &str) -> Option<Vec<String>> {
        Some(items(text).map(str::to_owned).collect())
    }
}

impl Read for Seconds {
    type Value<'a> = Duration;

    fn read(text: &str) -> Option<Duration> {
        text.parse().ok().map(Duration::from_secs)
    }
}

impl Read for Milliseconds {
    type Value<'a> = Duration;

    fn read(text: &str) -> Option<Duration> {
        text.parse().ok().map(Duration::from_millis)
    }
}

impl Read for AutoOrSeconds {
    type Value<'a> = Option<Duration>;

    fn read(text: &str) -> Option<Option<Duration>> {
        if text == AUTO { Some(None) } else { Seconds::read(text).map(Some) }
    }
}

macro_rules! parsed {
    ($($of:ty),*) => {$(
        impl Read for $of {
            type Value<'a> = $of;

            fn read(text: &str) -> Option<$of> {
                text.parse().ok()
            }
        }
    )*};
}

parsed!(i16, u32, u64, usize, SocketAddr);

pub const DATA: Key<Text> = Key::new("data");

pub const LISTEN: Key<SocketAddr> = Key::new("listen");

pub const SERVE_HOSTS: Key<List> = Key::new("serve.hosts");
pub const SERVE_SQL: Key<Text> = Key::new("serve.sql");
pub const SERVE_USERS: Key<Text> = Key::new("serve.users");
pub const SERVE_TLS_CERT: Key<Text> = Key::new("serve.tls_cert");
pub const SERVE_TLS_KEY: Key<Text> = Key::new("serve.tls_key");

pub const LOG_URL: Key<Text> = Key::new("log.url");
pub const LOG_REGISTRY_URL: Key<Text> = Key::new("log.registry_url");
pub const LOG_REGISTRY_USER: Key<Text> = Key::new("log.registry_user");
pub const LOG_REGISTRY_PASSWORD_FILE: Key<Text> = Key::new("log.registry_password_file");
pub const LOG_PARTITIONS: Key<u32> = Key::new("log.partitions");
pub const LOG_REPLICATION: Key<i16> = Key::new("log.replication");
pub const LOG_RETENTION_SECONDS: Key<Seconds> = Key::new("log.retention_seconds");
pub const LOG_SECURITY: Key<Text> = Key::new("log.security");
pub const LOG_CA_FILE: Key<Text> = Key::new("log.ca_file");
pub const LOG_SASL: Key<Text> = Key::new("log.sasl");
pub const LOG_USER: Key<Text> = Key::new("log.user");
pub const LOG_PASSWORD_FILE: Key<Text> = Key::new("log.password_file");
pub const LOG_APPEND_SECONDS_MAX: Key<Seconds> = Key::new("log.append_seconds_max");
pub const LOG_SESSION_TIMEOUT_MILLISECONDS: Key<Milliseconds> = Key::new("log.session_timeout_milliseconds");

pub const TABLE_URL: Key<Text> = Key::new("table.url");
pub const TABLE_S3_ENDPOINT: Key<Text> = Key::new("table.s3_endpoint");
pub const TABLE_S3_REGION: Key<Text> = Key::new("table.s3_region");
pub const TABLE_S3_PATH_STYLE: Key<Text> = Key::new("table.s3_path_style");

pub const COLLECT_SERVERS: Key<List> = Key::new("collect.servers");
pub const COLLECT_TIMELINE: Key<List> = Key::new("collect.timeline");
pub const COLLECT_VIA: Key<Text> = Key::new("collect.via");
pub const COLLECT_TOKEN_FILES: Key<List> = Key::new("collect.token_files");
pub const COLLECT_BACKFILL_SECONDS: Key<Seconds> = Key::new("collect.backfill_seconds");
pub const COLLECT_OWN_SERVERS: Key<List> = Key::new("collect.own_servers");
pub const COLLECT_CONTACT: Key<Text> = Key::new("collect.contact");
pub const COLLECT_BATCH_POSTS_MAX: Key<usize> = Key::new("collect.batch_posts_max");
pub const COLLECT_BATCH_AGE_MILLISECONDS_MAX: Key<Milliseconds> = Key::new("collect.batch_age_milliseconds_max");
pub const COLLECT_GROUP: Key<Text> = Key::new("collect.group");
pub const COLLECT_SERVERS_TOPIC: Key<Text> = Key::new("collect.servers_topic");

pub const SINK_GROUP: Key<Text> = Key::new("sink.group");
pub const SINK_BUFFER_BYTES_MAX: Key<usize> = Key::new("sink.buffer_bytes_max");
pub const SINK_BUFFER_AGE_SECONDS_MAX: Key<AutoOrSeconds> = Key::new("sink.buffer_age_seconds_max");
pub const SINK_BUFFERS_BYTES_MAX: Key<usize> = Key::new("sink.buffers_bytes_max");

pub const CONSENT_POLICY: Key<Text> = Key::new("consent.policy");
pub const CONSENT_KEY_FILE: Key<Text> = Key::new("consent.key_file");
pub const CONSENT_OPT_OUT: Key<Text> = Key::new("consent.opt_out");
pub const CONSENT_DELETES: Key<Text> = Key::new("consent.deletes");

pub const LAKE_MEMORY_BYTES_MAX: Key<u64> = Key::new("lake.memory_bytes_max");
pub const LAKE_READY_SECONDS_MAX: Key<Seconds> = Key::new("lake.ready_seconds_max");
pub const LAKE_COMPLETENESS_SECONDS: Key<Seconds> = Key::new("lake.completeness_seconds");
pub const LAKE_THREADS: Key<usize> = Key::new("lake.threads");

pub const REPORT_TOPICS: Key<List> = Key::new("report.topics");

pub const SQL_SECONDS_MAX: Key<Seconds> = Key::new("sql.seconds_max");
pub const SQL_HTTPFS: Key<Text> = Key::new("sql.httpfs");
