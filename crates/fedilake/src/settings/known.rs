//! The list of all settings.

use std::time::Duration;

use fedilake_collect::admission::Policy;
use fedilake_collect::{CollectorSettings, Timeline, Via};
use fedilake_kafka::KafkaSettings;
use fedilake_query::views::Deletes;
use fedilake_query::{LakeOptions, SqlLimits};
use fedilake_table::sink::Limits;

use super::key;
use super::kind::DefaultText::{Of, Text};
use super::kind::{Kind, Setting};

/// A year: a longer time is a typing error, and would overflow the clock.
const YEAR_SECONDS: u64 = 365 * 24 * 3_600;
const DAY_SECONDS: u64 = 24 * 3_600;
/// A TiB: more memory is a typing error.
const MEMORY_BYTES_MAX: u64 = 1 << 40;
/// A table file is put into its store at once, which takes up to 5 GiB; a file is hardly ever larger than its rows in
/// memory.
const BUFFER_BYTES_MAX: u64 = 4 << 30;
/// With less memory DuckDB cannot even open a lake.
const LAKE_BYTES_MIN: u64 = 16 << 20;

/// Every setting, in the order in which `fedilake settings` prints them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: key::DATA.name,
        reads: key::DATA.reads(),
        default: Text(""),
        kind: Kind::Folder,
        meaning: "folder of the log, the table and the lake; empty: the platform's data folder",
    },
    Setting {
        key: key::LISTEN.name,
        reads: key::LISTEN.reads(),
        default: Text("127.0.0.1:7878"),
        kind: Kind::Address,
        meaning: "address of the page and the API, of report and sql beside this process, and of /healthz and /metrics",
    },
    Setting {
        key: key::SERVE_HOSTS.name,
        reads: key::SERVE_HOSTS.reads(),
        default: Text(""),
        kind: Kind::List,
        meaning: "names under which readers reach the page, beside its address, as behind a proxy",
    },
    Setting {
        key: key::SERVE_SQL.name,
        reads: key::SERVE_SQL.reads(),
        default: Text("auto"),
        kind: Kind::OneOf(&["auto", "true", "false"]),
        meaning: "whether readers of the page may ask in SQL; auto: only if no other machine reaches the address",
    },
    Setting {
        key: key::SERVE_USERS.name,
        reads: key::SERVE_USERS.reads(),
        default: Text(""),
        kind: Kind::File,
        meaning: "the page's readers, a file of lines NAME:HASH as `htpasswd -B` writes them; empty: a token if other machines reach the address",
    },
    Setting {
        key: key::SERVE_TLS_CERT.name,
        reads: key::SERVE_TLS_CERT.reads(),
        default: Text(""),
        kind: Kind::File,
        meaning: "the page's certificate with its chain, a file in PEM; empty: no TLS",
    },
    Setting {
        key: key::SERVE_TLS_KEY.name,
        reads: key::SERVE_TLS_KEY.reads(),
        default: Text(""),
        kind: Kind::File,
        meaning: "the key of serve.tls_cert, a file in PEM",
    },
    Setting {
        key: key::LOG_URL.name,
        reads: key::LOG_URL.reads(),
        default: Text("file:log"),
        kind: Kind::Url,
        meaning: "the log: file:PATH below the data folder, or kafka://BROKER:9092,BROKER:9092/TOPIC",
    },
    Setting {
        key: key::LOG_REGISTRY_URL.name,
        reads: key::LOG_REGISTRY_URL.reads(),
        default: Text(""),
        kind: Kind::Web,
        meaning: "Kafka: the Schema Registry, which stores the records' schemas",
    },
    Setting {
        key: key::LOG_REGISTRY_USER.name,
        reads: key::LOG_REGISTRY_USER.reads(),
        default: Text(""),
        kind: Kind::Text,
        meaning: "the user name for the registry; the password is in log.registry_password_file or FEDILAKE_LOG_REGISTRY_PASSWORD",
    },
    Setting {
        key: key::LOG_REGISTRY_PASSWORD_FILE.name,
        reads: key::LOG_REGISTRY_PASSWORD_FILE.reads(),
        default: Text(""),
        kind: Kind::File,
        meaning: "a file with the registry's password",
    },
    Setting {
        key: key::LOG_PARTITIONS.name,
        reads: key::LOG_PARTITIONS.reads(),
        default: Of(|| KafkaSettings::PARTITIONS.to_string()),
        kind: Kind::Number(1..=10_000),
        meaning: "Kafka: partitions of a newly made topic: the most sinks that can share it, and the most collectors if more than 16",
    },
    Setting {
        key: key::LOG_REPLICATION.name,
        reads: key::LOG_REPLICATION.reads(),
        default: Text("0"),
        kind: Kind::Number(0..=100),
        meaning: "Kafka: replicas of each record of a newly made topic; 0: the brokers' default",
    },
    Setting {
        key: key::LOG_RETENTION_SECONDS.name,
        reads: key::LOG_RETENTION_SECONDS.reads(),
        default: Of(|| seconds(KafkaSettings::RETENTION)),
        kind: Kind::Number(60..=10 * YEAR_SECONDS),
        meaning: "Kafka: how long a newly made topic keeps records; no sink may be stopped for longer",
    },
    Setting {
        key: key::LOG_SECURITY.name,
        reads: key::LOG_SECURITY.reads(),
        default: Text("plaintext"),
        kind: Kind::OneOf(&["plaintext", "tls"]),
        meaning: "Kafka: the brokers' security protocol",
    },
    Setting {
        key: key::LOG_CA_FILE.name,
        reads: key::LOG_CA_FILE.reads(),
        default: Text(""),
        kind: Kind::File,
        meaning: "Kafka: file of CA certificates for the brokers; empty: the system's",
    },
    Setting {
        key: key::LOG_SASL.name,
        reads: key::LOG_SASL.reads(),
        default: Text("none"),
        kind: Kind::OneOf(&["none", "plain", "scram-sha-256", "scram-sha-512"]),
        meaning: "Kafka: the SASL mechanism",
    },
    Setting {
        key: key::LOG_USER.name,
        reads: key::LOG_USER.reads(),
        default: Text(""),
        kind: Kind::Text,
        meaning: "Kafka: the user name; the password is in log.password_file or FEDILAKE_LOG_PASSWORD",
    },
    Setting {
        key: key::LOG_PASSWORD_FILE.name,
        reads: key::LOG_PASSWORD_FILE.reads(),
        default: Text(""),
        kind: Kind::File,
        meaning: "Kafka: a file with the password",
    },
    Setting {
        key: key::LOG_APPEND_SECONDS_MAX.name,
        reads: key::LOG_APPEND_SECONDS_MAX.reads(),
        default: Of(|| seconds(KafkaSettings::DELIVERY_TIMEOUT)),
        kind: Kind::Number(1..=86_400),
        meaning: "Kafka: how long an append waits for unreachable brokers before the collector gives up",
    },
    Setting {
        key: key::LOG_SESSION_TIMEOUT_MILLISECONDS.name,
        reads: key::LOG_SESSION_TIMEOUT_MILLISECONDS.reads(),
        default: Of(|| milliseconds(KafkaSettings::SESSION_TIMEOUT)),
        kind: Kind::Number(1_000..=1_800_000),
        meaning: "Kafka: after this long without a heartbeat the other sinks or collectors take over",
    },
    Setting {
        key: key::TABLE_URL.name,
        reads: key::TABLE_URL.reads(),
        default: Text("file:table"),
        kind: Kind::Url,
        meaning: "the table: file:PATH below the data folder, or s3://BUCKET/PREFIX",
    },
    Setting {
        key: key::TABLE_S3_ENDPOINT.name,
        reads: key::TABLE_S3_ENDPOINT.reads(),
        default: Text(""),
        kind: Kind::Endpoint,
        meaning: "the S3 store's URL without the bucket; empty: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile, else Amazon's",
    },
    Setting {
        key: key::TABLE_S3_REGION.name,
        reads: key::TABLE_S3_REGION.reads(),
        default: Text(""),
        kind: Kind::Text,
        meaning: "the bucket's region; empty: AWS_REGION and its like, else us-east-1",
    },
    Setting {
        key: key::TABLE_S3_PATH_STYLE.name,
        reads: key::TABLE_S3_PATH_STYLE.reads(),
        default: Text("auto"),
        kind: Kind::OneOf(&["auto", "true", "false"]),
        meaning: "true: the bucket in the URL's path; false: in its host; auto: in the path if there is an endpoint",
    },
    Setting {
        key: key::COLLECT_SERVERS.name,
        reads: key::COLLECT_SERVERS.reads(),
        default: Text(""),
        kind: Kind::Servers,
        meaning: "servers to collect from, hosts or URLs",
    },
    Setting {
        key: key::COLLECT_TIMELINE.name,
        reads: key::COLLECT_TIMELINE.reads(),
        default: Of(|| Timeline::default().to_string()),
        kind: Kind::Timelines,
        meaning: "public: all posts that the servers see; local: their members' posts; remote: those of others; hashtag:TAG; list:ID, of the token's owner; several with commas between them",
    },
    Setting {
        key: key::COLLECT_VIA.name,
        reads: key::COLLECT_VIA.reads(),
        default: Of(|| Via::default().as_str().to_owned()),
        kind: Kind::OneOf(&["auto", "sse", "ws", "poll"]),
        meaning: "how servers are read: auto, sse (server-sent events), ws (a WebSocket) or poll; a timeline is polled whenever its stream is away",
    },
    Setting {
        key: key::COLLECT_TOKEN_FILES.name,
        reads: key::COLLECT_TOKEN_FILES.reads(),
        default: Text(""),
        kind: Kind::TokenFiles,
        meaning: "access tokens, as HOST=FILE",
    },
    Setting {
        key: key::COLLECT_BACKFILL_SECONDS.name,
        reads: key::COLLECT_BACKFILL_SECONDS.reads(),
        default: Of(|| seconds(CollectorSettings::BACKFILL)),
        kind: Kind::Number(0..=30 * DAY_SECONDS),
        meaning: "how far back a server is read that was never read before; 0: its newest page",
    },
    Setting {
        key: key::COLLECT_OWN_SERVERS.name,
        reads: key::COLLECT_OWN_SERVERS.reads(),
        default: Text(""),
        kind: Kind::Servers,
        meaning: "servers of your own, hosts or URLs: with a token they are read whatever their robots.txt says",
    },
    Setting {
        key: key::COLLECT_CONTACT.name,
        reads: key::COLLECT_CONTACT.reads(),
        default: Text(""),
        kind: Kind::Text,
        meaning: "your contact, a URL or an e-mail address, sent to the servers in the User-Agent; \
            without one only this machine's servers are read",
    },
    Setting {
        key: key::COLLECT_BATCH_POSTS_MAX.name,
        reads: key::COLLECT_BATCH_POSTS_MAX.reads(),
        default: Of(|| CollectorSettings::GATHER_EVENTS_MAX.to_string()),
        kind: Kind::Number(1..=1_000_000),
        meaning: "the most posts appended at once",
    },
    Setting {
        key: key::COLLECT_BATCH_AGE_MILLISECONDS_MAX.name,
        reads: key::COLLECT_BATCH_AGE_MILLISECONDS_MAX.reads(),
        default: Of(|| milliseconds(CollectorSettings::GATHER_TIME_MAX)),
        kind: Kind::Number(0..=60_000),
        meaning: "how long a post waits for others before it is appended",
    },
    Setting {
        key: key::COLLECT_GROUP.name,
        reads: key::COLLECT_GROUP.reads(),
        default: Text("fedilake-collect"),
        kind: Kind::Text,
        meaning: "Kafka: collectors of one group share the servers that `fedilake servers` lists",
    },
    Setting {
        key: key::COLLECT_SERVERS_TOPIC.name,
        reads: key::COLLECT_SERVERS_TOPIC.reads(),
        default: Of(|| KafkaSettings::SERVERS_TOPIC.to_owned()),
        kind: Kind::Text,
        meaning: "Kafka: the topic of the listed servers and their bookmarks",
    },
    Setting {
        key: key::SINK_GROUP.name,
        reads: key::SINK_GROUP.reads(),
        default: Text("fedilake-sink"),
        kind: Kind::Text,
        meaning: "Kafka: sinks of one group share the log's partitions",
    },
    Setting {
        key: key::SINK_BUFFER_BYTES_MAX.name,
        reads: key::SINK_BUFFER_BYTES_MAX.reads(),
        default: Of(|| Limits::default().buffer_bytes_max.to_string()),
        kind: Kind::Number(1..=BUFFER_BYTES_MAX),
        meaning: "size of the rows in memory that make a table file, which is about a third as large; stores take files up to 5 GiB",
    },
    Setting {
        key: key::SINK_BUFFER_AGE_SECONDS_MAX.name,
        reads: key::SINK_BUFFER_AGE_SECONDS_MAX.reads(),
        default: Text("auto"),
        kind: Kind::AutoOrNumber(1..=YEAR_SECONDS),
        meaning: "how long rows wait in memory before a table file is made of them; auto: 900 on local disk, 3600 on S3",
    },
    Setting {
        key: key::SINK_BUFFERS_BYTES_MAX.name,
        reads: key::SINK_BUFFERS_BYTES_MAX.reads(),
        default: Of(|| Limits::default().buffers_bytes_max.to_string()),
        kind: Kind::Number(1..=MEMORY_BYTES_MAX),
        meaning: "size of the rows in memory of all log partitions together",
    },
    Setting {
        key: key::CONSENT_POLICY.name,
        reads: key::CONSENT_POLICY.reads(),
        default: Of(|| Policy::default().as_str().to_owned()),
        kind: Kind::OneOf(&["open", "indexable", "strict"]),
        meaning: "posts of authors who did not agree to be indexed: open: kept; indexable: counted under keyed hashes, \
            without text and name; strict: not kept",
    },
    Setting {
        key: key::CONSENT_KEY_FILE.name,
        reads: key::CONSENT_KEY_FILE.reads(),
        default: Text(""),
        kind: Kind::Text,
        meaning: "the key of keyed hashes, made if policy indexable needs it; \
            empty: consent.key in the platform's configuration folder",
    },
    Setting {
        key: key::CONSENT_OPT_OUT.name,
        reads: key::CONSENT_OPT_OUT.reads(),
        default: Text(""),
        kind: Kind::File,
        meaning: "a file of accounts and domains that are not kept, one @user@host or host a line; read again when it changes",
    },
    Setting {
        key: key::CONSENT_DELETES.name,
        reads: key::CONSENT_DELETES.reads(),
        default: Of(|| Deletes::default().as_str().to_owned()),
        kind: Kind::OneOf(&["origin", "any", "all"]),
        meaning: "a post goes by its own server's delete, always; by another's: \
            where the own one did not show it, any: always, all: with its last sighting",
    },
    Setting {
        key: key::LAKE_MEMORY_BYTES_MAX.name,
        reads: key::LAKE_MEMORY_BYTES_MAX.reads(),
        default: Of(|| LakeOptions::default().memory_bytes_max.to_string()),
        kind: Kind::Number(LAKE_BYTES_MIN..=MEMORY_BYTES_MAX),
        meaning: "DuckDB's memory limit; replay and import take 402653184 unless it is set",
    },
    Setting {
        key: key::LAKE_READY_SECONDS_MAX.name,
        reads: key::LAKE_READY_SECONDS_MAX.reads(),
        default: Text("60"),
        kind: Kind::Number(1..=YEAR_SECONDS),
        meaning: "/readyz says no while the lake is behind the log by more than this",
    },
    Setting {
        key: key::LAKE_COMPLETENESS_SECONDS.name,
        reads: key::LAKE_COMPLETENESS_SECONDS.reads(),
        default: Text("300"),
        kind: Kind::Number(1..=DAY_SECONDS),
        meaning: "how often it is estimated how complete servers are; younger posts are left out, since another server may have been faster",
    },
    Setting {
        key: key::LAKE_THREADS.name,
        reads: key::LAKE_THREADS.reads(),
        default: Text("0"),
        kind: Kind::Number(0..=1_024),
        meaning: "DuckDB's threads; 0: one for each core, but one core is left to collectors of the same process, unless they replay or import",
    },
    Setting {
        key: key::REPORT_TOPICS.name,
        reads: key::REPORT_TOPICS.reads(),
        default: Text("balloon,earthquake,superbowl,chatgpt"),
        kind: Kind::List,
        meaning: "words of the topics report without --topic",
    },
    Setting {
        key: key::SQL_SECONDS_MAX.name,
        reads: key::SQL_SECONDS_MAX.reads(),
        default: Of(|| seconds(SqlLimits::default().time)),
        kind: Kind::Number(1..=YEAR_SECONDS),
        meaning: "a question in SQL is stopped after this long",
    },
    Setting {
        key: key::SQL_HTTPFS.name,
        reads: key::SQL_HTTPFS.reads(),
        default: Text(""),
        kind: Kind::Text,
        meaning: "file of DuckDB's httpfs extension, for `sql --direct` on S3; empty: DuckDB's own folder of extensions",
    },
];

fn seconds(time: Duration) -> String {
    time.as_secs().to_string()
}

fn milliseconds(time: Duration) -> String {
    time.as_millis().to_string()
}

/// Variables that begin like settings and are none: log filters, and variables of the project's tests.
pub(super) const NO_SETTINGS: &[&str] = &[
    "FEDILAKE_LOG",
    "FEDILAKE_LOG_FORMAT",
    "FEDILAKE_LOG_PASSWORD",
    "FEDILAKE_LOG_REGISTRY_PASSWORD",
    "FEDILAKE_BLESS",
    "FEDILAKE_CHAOS_ROUNDS",
    "FEDILAKE_LOG_TEST_FOLDER",
    "FEDILAKE_REQUIRE_BROWSER",
    "FEDILAKE_REQUIRE_DISKS",
    "FEDILAKE_REQUIRE_SERVICES",
    "FEDILAKE_SCHEDULES",
    "FEDILAKE_SERVICES_DIR",
];
