//! A broker that asks for TLS and a password.

use fedilake_services::Own;

use super::{Cluster, publish, still, wait_for};

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
    let (collector, sink) = (cluster.collector(&servers), cluster.sink());
    let mut expected = publish(&servers, 0);
    wait_for("the first post", || {
        expected.extend(publish(&servers, 1));
        !cluster.uris().is_empty()
    });
    let later = publish(&servers, 50);
    wait_for("all posts", || cluster.uris().is_superset(&later));
    wait_for("a file", || cluster.files().0 > 0);
    assert_eq!((collector.stop(), sink.stop()), (0, 0));
    cluster.store();
    cluster.check();

    std::fs::write(&password, "hunter2\n").unwrap();
    for verb in [&["sink", "--once"][..], &["report"], &["servers", "list"]] {
        let said = cluster.run(verb);
        assert_eq!(said.code(), Some(2), "{verb:?}: {said:#?}");
        let told = said.stderr.contains("log.password_file") && !said.stderr.contains("hunter2");
        assert!(told && said.stderr.contains(&secure.sasl), "{verb:?}: {}", said.stderr);
    }
    servers.stop();
}
