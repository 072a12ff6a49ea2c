//! A broker, and a registry, that ask for TLS and a password.

use fedilake_services::{Https, Own, Services};

use super::{Cluster, still};

#[test]
fn all_parts_work_through_tls_and_sasl_and_a_wrong_password_is_said() {
    let Some(own) = Own::start_secure(&["kafka", "registry", "s3"]) else { return };
    let (services, secure) = (own.services(), own.secure());
    let cluster = Cluster::new(&services, 1);
    let log = format!("kafka://{}/{}", secure.sasl, cluster.topic);
    let password = own.folder().join("password");
    std::fs::write(&password, "fedilake-secret\n").unwrap();
    let cluster = cluster
        .with("FEDILAKE_LOG_URL", &log)
        .with("FEDILAKE_LOG_SECURITY", "tls")
        .with("FEDILAKE_LOG_CA_FILE", secure.ca_file.to_str().unwrap())
        .with("FEDILAKE_LOG_SASL", "scram-sha-512")
        .with("FEDILAKE_LOG_USER", "fedilake")
        .with("FEDILAKE_LOG_PASSWORD_FILE", password.to_str().unwrap());
    let servers = still(1);
    cluster.stores_what_is_published(&servers, 50);

    std::fs::write(&password, "hunter2\n").unwrap();
    for verb in [&["sink", "--once"][..], &["report"], &["servers", "list"]] {
        let said = cluster.run(verb);
        assert_eq!(said.code(), Some(2), "{verb:?}: {said:#?}");
        let told = said.stderr.contains("log.password_file") && !said.stderr.contains("hunter2");
        assert!(told && said.stderr.contains(&secure.sasl), "{verb:?}: {}", said.stderr);
    }
    servers.stop();
}

#[test]
fn all_parts_work_with_a_registry_behind_https_and_a_password_and_each_wrong_setting_is_said() {
    let Some(services) = Services::shared("a secure registry") else { return };
    let Some(door) = Https::before(&services.registry, "a secure registry") else { return };
    let path = services.registry.trim_start_matches("http://").split_once('/').map_or("", |(_, path)| path);
    let (secure, plain) = (format!("https://{}/{path}", door.address()), format!("http://{}/{path}", door.address()));
    let folder = tempfile::tempdir().unwrap();
    let [password, wrong] = ["password", "wrong"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&password, format!("{}\n", Https::PASSWORD)).unwrap();
    std::fs::write(&wrong, "hunter2\n").unwrap();
    let [ca, other] = [door.ca_file(), door.other_ca_file()].map(|file| file.display().to_string());
    let cluster = Cluster::new(&services, 1)
        .with("FEDILAKE_LOG_REGISTRY_URL", &secure)
        .with("FEDILAKE_LOG_REGISTRY_USER", Https::USER)
        .with("FEDILAKE_LOG_REGISTRY_PASSWORD_FILE", &password)
        .with("FEDILAKE_LOG_CA_FILE", &ca);
    let servers = still(1);
    cluster.stores_what_is_published(&servers, 20);

    // The password in the environment, and the authority among those that the system trusts.
    let collect = cluster.collect(&servers);
    let by_environment = cluster
        .beside()
        .with("FEDILAKE_LOG_REGISTRY_PASSWORD_FILE", "")
        .with("FEDILAKE_LOG_REGISTRY_PASSWORD", Https::PASSWORD)
        .with("FEDILAKE_LOG_CA_FILE", "")
        .with("SSL_CERT_FILE", &ca);
    let mut collecting = by_environment.start(collect.iter().map(String::as_str).chain(["--listen", "127.0.0.1:0"]));
    collecting.address();
    assert_eq!(collecting.interrupt().code(), Some(0));

    type Setting<'a> = (&'a str, &'a str);
    let wrongs: [(&str, &[Setting<'_>], &str); 6] = [
        ("a wrong password", &[("FEDILAKE_LOG_REGISTRY_PASSWORD_FILE", &wrong)], "log.registry_password_file"),
        ("no user", &[("FEDILAKE_LOG_REGISTRY_USER", "")], "log.registry_user"),
        ("another authority", &[("FEDILAKE_LOG_CA_FILE", &other)], "log.ca_file"),
        ("no authority", &[("FEDILAKE_LOG_CA_FILE", "")], "log.ca_file"),
        ("no TLS to a port with TLS", &[("FEDILAKE_LOG_REGISTRY_URL", &plain)], "https://"),
        (
            "TLS to a port without",
            &[("FEDILAKE_LOG_REGISTRY_URL", &services.registry.replace("http://", "https://"))],
            "http://",
        ),
    ];
    for (case, settings, named) in wrongs {
        let mistaken = settings.iter().fold(cluster.beside(), |cluster, (name, value)| cluster.with(name, value));
        // A collector registers its schema first of all; a sink asks when it meets a record, and has nothing to store here.
        let said = mistaken.run(&collect);
        assert_eq!(said.code(), Some(2), "{case}: {said:#?}");
        let hint = said.stderr.split("hint: ").nth(1).unwrap_or_default();
        assert!(hint.contains(named) && !said.stderr.contains("hunter2"), "{case}: {}", said.stderr);
    }
    servers.stop();
}
