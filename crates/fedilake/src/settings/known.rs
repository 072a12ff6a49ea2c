//! The list of all settings.

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
        key: "data",
        default: "",
        kind: Kind::Folder,
        meaning: "folder of the log, the table and the lake; empty: the platform's data folder",
    },
    Setting {
        key: "listen",
        default: "127.0.0.1:7878",
        kind: Kind::Address,
        meaning: "address of the page and the API, of report and sql beside this process, and of /healthz and /metrics",
    },
    Setting {
        key: "serve.hosts",
        default: "",
        kind: Kind::List,
        meaning: "names under which readers reach the page, beside its address, as behind a proxy",
    },
    Setting {
        key: "serve.sql",
        default: "auto",
        kind: Kind::OneOf(&["auto", "true", "false"]),
        meaning: "whether readers of the page may ask in SQL; auto: only if no other machine reaches the address",
    },
    Setting {
        key: "serve.users",
        default: "",
        kind: Kind::File,
        meaning: "the page's readers, a file of lines NAME:HASH as `htpasswd -B` writes them; empty: a token if other machines reach the address",
    },
    Setting {
        key: "serve.tls_cert",
        default: "",
        kind: Kind::File,
        meaning: "the page's certificate with its chain, a file in PEM; empty: no TLS",
    },
    Setting {
        key: "serve.tls_key",
        default: "",
        kind: Kind::File,
        meaning: "the key of serve.tls_cert, a file in PEM",
    },
    Setting {
        key: "log.url",
        default: "file:log",
        kind: Kind::Url,
        meaning: "the log: file:PATH below the data folder, or kafka://BROKER:9092,BROKER:9092/TOPIC",
    },
    Setting {
        key: "log.registry_url",
        default: "",
        kind: Kind::Web,
        meaning: "Kafka: the Schema Registry, which stores the records' schemas",
    },
    Setting {
        key: "log.registry_user",
        default: "",
        kind: Kind::Text,
        meaning: "the user name for the registry; the password is in log.registry_password_file or FEDILAKE_LOG_REGISTRY_PASSWORD",
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
        meaning: "Kafka: partitions of a newly made topic: the most sinks that can share it, and the most collectors if more than 16",
    },
    Setting {
        key: "log.replication",
        default: "0",
        kind: Kind::Number(0..=100),
        meaning: "Kafka: replicas of each record of a newly made topic; 0: the brokers' default",
    },
    Setting {
        key: "log.retention_seconds",
        default: "604800",
        kind: Kind::Number(60..=10 * YEAR_SECONDS),
        meaning: "Kafka: how long a newly made topic keeps records; no sink may be stopped for longer",
    },
    Setting {
        key: "log.security",
        default: "plaintext",
        kind: Kind::OneOf(&["plaintext", "tls"]),
        meaning: "Kafka: the brokers' security protocol",
    },
    Setting {
        key: "log.ca_file",
        default: "",
        kind: Kind::File,
        meaning: "Kafka: file of CA certificates for the brokers; empty: the system's",
    },
    Setting {
        key: "log.sasl",
        default: "none",
        kind: Kind::OneOf(&["none", "plain", "scram-sha-256", "scram-sha-512"]),
        meaning: "Kafka: the SASL mechanism",
    },
    Setting {
        key: "log.user",
        default: "",
        kind: Kind::Text,
        meaning: "Kafka: the user name; the password is in log.password_file or FEDILAKE_LOG_PASSWORD",
    },
    Setting { key: "log.password_file", default: "", kind: Kind::File, meaning: "Kafka: a file with the password" },
    Setting {
        key: "log.append_seconds_max",
        default: "120",
        kind: Kind::Number(1..=86_400),
        meaning: "Kafka: how long an append waits for unreachable brokers before the collector gives up",
    },
    Setting {
        key: "log.session_timeout_milliseconds",
        default: "10000",
        kind: Kind::Number(1_000..=1_800_000),
        meaning: "Kafka: after this long without a heartbeat the other sinks or collectors take over",
    },
    Setting {
        key: "table.url",
        default: "file:table",
        kind: Kind::Url,
        meaning: "the table: file:PATH below the data folder, or s3://BUCKET/PREFIX",
    },
    Setting {
        key: "table.s3_endpoint",
        default: "",
        kind: Kind::Endpoint,
        meaning: "the S3 store's URL without the bucket; empty: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile, else Amazon's",
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
        meaning: "true: the bucket in the URL's path; false: in its host; auto: in the path if there is an endpoint",
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
        kind: Kind::Timelines,
        meaning: "public: all posts that the servers see; local: their members' posts; remote: those of others; hashtag:TAG; list:ID, of the token's owner; several with commas between them",
    },
    Setting {
        key: "collect.via",
        default: "auto",
        kind: Kind::OneOf(&["auto", "sse", "ws", "poll"]),
        meaning: "how servers are read: auto, sse (server-sent events), ws (a WebSocket) or poll; a timeline is polled whenever its stream is away",
    },
    Setting { key: "collect.token_files", default: "", kind: Kind::TokenFiles, meaning: "access tokens, as HOST=FILE" },
    Setting {
        key: "collect.backfill_seconds",
        default: "0",
        kind: Kind::Number(0..=30 * DAY_SECONDS),
        meaning: "how far back a server is read that was never read before; 0: its newest page",
    },
    Setting {
        key: "collect.own_servers",
        default: "",
        kind: Kind::Servers,
        meaning: "servers of your own, hosts or URLs: with a token they are read whatever their robots.txt says",
    },
    Setting {
        key: "collect.contact",
        default: "",
        kind: Kind::Text,
        meaning: "your contact, a URL or an e-mail address, sent to the servers in the User-Agent; \
            without one only this machine's servers are read",
    },
    Setting {
        key: "collect.batch_posts_max",
        default: "1000",
        kind: Kind::Number(1..=1_000_000),
        meaning: "the most posts appended at once",
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
        meaning: "Kafka: the topic of the listed servers and their bookmarks",
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
        meaning: "size of the rows in memory that make a table file, which is about a fifth as large; stores take files up to 5 GiB",
    },
    Setting {
        key: "sink.buffer_age_seconds_max",
        default: "auto",
        kind: Kind::AutoOrNumber(1..=YEAR_SECONDS),
        meaning: "how long rows wait in memory before a table file is made of them; auto: 900 on local disk, 3600 on S3",
    },
    Setting {
        key: "sink.buffers_bytes_max",
        default: "536870912",
        kind: Kind::Number(1..=MEMORY_BYTES_MAX),
        meaning: "size of the rows in memory of all log partitions together",
    },
    Setting {
        key: "consent.policy",
        default: "open",
        kind: Kind::OneOf(&["open", "indexable", "strict"]),
        meaning: "posts of authors who did not agree to be indexed: open: kept; indexable: counted under keyed hashes, \
            without text and name; strict: not kept",
    },
    Setting {
        key: "consent.key_file",
        default: "",
        kind: Kind::Text,
        meaning: "the key of keyed hashes, made if policy indexable needs it; \
            empty: consent.key in the platform's configuration folder",
    },
    Setting {
        key: "consent.opt_out",
        default: "",
        kind: Kind::File,
        meaning: "a file of accounts and domains that are not kept, one @user@host or host a line; read again when it changes",
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
        meaning: "DuckDB's memory limit",
    },
    Setting {
        key: "lake.ready_seconds_max",
        default: "60",
        kind: Kind::Number(1..=YEAR_SECONDS),
        meaning: "/readyz says no while the lake is behind the log by more than this",
    },
    Setting {
        key: "lake.completeness_seconds",
        default: "300",
        kind: Kind::Number(1..=DAY_SECONDS),
        meaning: "how often it is estimated how complete servers are; younger posts are left out, since another server may have been faster",
    },
    Setting {
        key: "lake.threads",
        default: "0",
        kind: Kind::Number(0..=1_024),
        meaning: "DuckDB's threads; 0: one for each core",
    },
    Setting {
        key: "report.topics",
        default: "balloon,earthquake,superbowl,chatgpt",
        kind: Kind::List,
        meaning: "words of the topics report without --topic",
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
        meaning: "file of DuckDB's httpfs extension, for `sql --direct` on S3; empty: DuckDB's own folder of extensions",
    },
];

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
