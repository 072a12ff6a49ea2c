//! Encrypted connections and passwords, on a broker that asks for them.

use std::path::Path;
use std::time::Duration;

use fedilake_kafka::{KafkaLog, KafkaSettings, KafkaSource, Sasl, SaslMechanism, Secret, Security, Tls};
use fedilake_log::{Assignment, Key, Log, LogEvent, LogWriter, Offset, Partition};
use fedilake_services::Own;
use url::Url;

use crate::services::{HEADER, schemas};

pub(crate) fn tls(ca_file: &Path) -> Option<Tls> {
    Some(Tls { ca_file: Some(ca_file.to_owned()), ..Tls::default() })
}

pub(crate) fn sasl(mechanism: SaslMechanism, user: &str, password: &str) -> Option<Sasl> {
    Some(Sasl { mechanism, user: user.to_owned(), password: Secret(password.to_owned()) })
}

pub(crate) fn settings(brokers: &str, registry: &str, topic: &str, security: Security) -> KafkaSettings {
    let mut settings = KafkaSettings::new(brokers, topic, Url::parse(registry).unwrap());
    settings.servers_topic = format!("{topic}.servers");
    settings.partitions = 1;
    settings.security = security;
    settings.request_timeout = Duration::from_secs(4);
    settings
}

#[tokio::test]
async fn a_secure_broker_is_written_and_read_and_each_wrong_setting_is_named() {
    let Some(own) = Own::start_secure(&["kafka", "registry"]) else { return };
    let (services, secure) = (own.services(), own.secure());
    let (ca, other) = (&secure.ca_file, &secure.other_ca_file);
    let (plain, scram) = (SaslMechanism::Plain, SaslMechanism::ScramSha512);
    let right = |mechanism| sasl(mechanism, "fedilake", "fedilake-secret");
    for (nth, (brokers, security)) in [
        (&secure.tls, Security { tls: tls(ca), sasl: None }),
        (&secure.sasl, Security { tls: tls(ca), sasl: right(plain) }),
        (&secure.sasl, Security { tls: tls(ca), sasl: right(scram) }),
    ]
    .into_iter()
    .enumerate()
    {
        let settings = settings(brokers, &services.registry, &format!("secure.{nth}"), security);
        let log = KafkaLog::open(settings.clone(), schemas()).await.unwrap();
        log.append(vec![(Key("k".into()), [&HEADER[..], b"1"].concat().into())]).await.unwrap();
        let source = KafkaSource::open(settings, schemas()).await.unwrap();
        for mut reader in [
            source.reader(Assignment::All).unwrap(),
            source.reader(Assignment::Group(&format!("group.{nth}"))).unwrap(),
        ] {
            assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(Partition(0))));
            reader.seek(Partition(0), Offset(0)).await.unwrap();
            assert!(matches!(reader.next().await.unwrap(), LogEvent::Records(records) if records.len() == 1));
        }
    }

    let none = Security::default;
    let wrong = [
        ("no TLS to a port with TLS", &secure.tls, none(), "log.security = \"tls\""),
        (
            "TLS to a port without",
            &services.kafka,
            Security { tls: tls(ca), sasl: None },
            "log.security = \"plaintext\"",
        ),
        ("another authority", &secure.tls, Security { tls: tls(other), sasl: None }, "log.ca_file"),
        ("no authority", &secure.tls, Security { tls: Some(Tls::default()), sasl: None }, "log.ca_file"),
        (
            "a wrong password",
            &secure.sasl,
            Security { tls: tls(ca), sasl: sasl(plain, "fedilake", "hunter2") },
            "log.password_file",
        ),
        (
            "a wrong password, by SCRAM",
            &secure.sasl,
            Security { tls: tls(ca), sasl: sasl(scram, "fedilake", "hunter2") },
            "log.password_file",
        ),
        (
            "an unknown user",
            &secure.sasl,
            Security { tls: tls(ca), sasl: sasl(scram, "nobody", "hunter2") },
            "log.user",
        ),
        (
            "a mechanism that the broker lacks",
            &secure.sasl,
            Security { tls: tls(ca), sasl: sasl(SaslMechanism::ScramSha256, "fedilake", "hunter2") },
            "log.sasl",
        ),
        ("no SASL where it is asked for", &secure.sasl, Security { tls: tls(ca), sasl: None }, "log.user"),
        (
            "SASL to a port without",
            &secure.tls,
            Security { tls: tls(ca), sasl: sasl(plain, "ann", "hunter2") },
            "log.sasl",
        ),
    ];
    let opened = wrong.into_iter().map(|(case, brokers, security, named)| {
        let settings = settings(brokers, &services.registry, "secure.0", security);
        async move {
            let error = KafkaSource::open(settings, schemas()).await.err().unwrap_or_else(|| panic!("{case}"));
            (case, named, error.to_string())
        }
    });
    let mut unclear = Vec::new();
    for (case, named, said) in futures::future::join_all(opened).await {
        let (why, hint) = said.split_once("\nhint: ").unwrap_or_else(|| panic!("{case}: {said}"));
        if !hint.contains(named) || !why.contains("127.0.0.1:") || said.contains("hunter2") {
            unclear.push(format!("{case} should name {named}: {said}"));
        }
        println!("{case}: {said}\n");
    }
    assert!(unclear.is_empty(), "{unclear:#?}");
}
