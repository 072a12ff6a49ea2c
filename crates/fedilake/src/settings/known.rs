//! The settings that exist.

use super::kind::{Kind, Setting};

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
        meaning: "Kafka: partitions of a topic that is made: as many sinks can share it, and as many collectors, but at least 16",
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
        key: "consent.deletes",
        default: "origin",
        kind: Kind::OneOf(&["origin", "any", "all"]),
        meaning: "a post goes by its own server's delete, always; by another's: \
            where the own one did not show it, any: always, all: with its last sighting",
    },
    Setting {
        key: "lake.memory_bytes_max",
        default: "1073741824",
        kind: Kind::Number(LAKE_BYTES_MIN..=MEMORY_BYTES_MAX),
        meaning: "what DuckDB may use",
    },
    Setting {
        key: "lake.ready_seconds_max",
        default: "60",
        kind: Kind::Number(1..=YEAR_SECONDS),
        meaning: "/readyz says no while the lake is behind the log by more than this",
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
pub(super) const NO_SETTINGS: &[&str] = &[
    "FEDILAKE_LOG",
    "FEDILAKE_LOG_FORMAT",
    "FEDILAKE_LOG_PASSWORD",
    "FEDILAKE_LOG_REGISTRY_PASSWORD",
    "FEDILAKE_BLESS",
    "FEDILAKE_CHAOS_ROUNDS",
    "FEDILAKE_LOG_TEST_FOLDER",
    "FEDILAKE_REQUIRE_DISKS",
    "FEDILAKE_REQUIRE_SERVICES",
    "FEDILAKE_SCHEDULES",
    "FEDILAKE_SERVICES_DIR",
];
