//! `fedilake doctor`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use fedilake_services::Services;
use fedilake_sim::Config;
use serde_json::Value;

use crate::live::Servers;
use crate::program::{Data, Running, Said, fedilake};

fn found<'a>(told: &'a Value, part: &str) -> Vec<&'a Value> {
    told["findings"].as_array().unwrap().iter().filter(|finding| finding["part"] == part).collect()
}

fn doctor(data: &Data, more: &[&str]) -> Said {
    let mut command = fedilake(["doctor", "--json"]);
    command.env("FEDILAKE_LISTEN", "127.0.0.1:0").args(more).arg("--data").arg(data.path());
    command.output().unwrap().into()
}

#[test]
fn a_good_set_up_has_nothing_wrong_and_nothing_is_made_by_looking() {
    let (servers, data) = (Servers::start(Config { servers: 2, rate: 0.0, ..Config::default() }), Data::new());
    let urls: Vec<String> = servers.simulation.addresses().iter().map(|address| format!("http://{address}")).collect();
    let mut command = fedilake(["doctor"]);
    command.env("FEDILAKE_LISTEN", "127.0.0.1:0").env("FEDILAKE_COLLECT_SERVERS", urls.join(","));
    let said = Said::from(command.arg("--data").arg(data.path()).output().unwrap()).done();
    assert_eq!(said.stderr, "nothing is wrong\n");
    for part in ["library", "settings", "data", "disk", "port", "clock", "server"] {
        assert!(said.stdout.contains(&format!("ok     {part}")), "{part}: {}", said.stdout);
    }
    assert!(!data.path().exists());
    // While a process runs, its port is no fault.
    let running = Running::answering(&mut servers.run(&data));
    let told = doctor(&data, &[]).done().json();
    assert!(found(&told, "data")[0]["says"].as_str().unwrap().contains("in use by process"), "{told:#}");
    running.interrupt().done();
    servers.stop();
}

#[test]
fn each_thing_that_is_wrong_is_named_with_what_to_do() {
    let data = Data::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (token, file) = (data.beside("token"), data.beside("fedilake.toml"));
    fs::write(&token, "abc").unwrap();
    fs::set_permissions(&token, PermissionsExt::from_mode(0o644)).unwrap();
    fs::create_dir(data.path()).unwrap();
    fs::set_permissions(data.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let settings = format!(
        "listen = '{}'\n[collect]\nservers = ['http://{nobody}']\ntoken_files = ['{nobody}={}', 'b.example={}']\n",
        taken.local_addr().unwrap(),
        token.display(),
        data.beside("missing").display(),
    );
    fs::write(&file, settings).unwrap();
    let said = Said::from(
        fedilake(["doctor", "--json", "--config"]).arg(&file).arg("--data").arg(data.path()).output().unwrap(),
    );
    assert_eq!(said.code(), Some(1), "{said:#?}");
    let told = said.json();
    for (part, verdict, says) in [
        ("port", "wrong", "another program listens on"),
        ("data", "note", "other users of this machine may enter"),
        ("token", "wrong", "other users of this machine can read the token"),
        ("token", "wrong", "cannot be read"),
        ("server", "wrong", "Connection refused"),
    ] {
        let is_it =
            |finding: &&Value| finding["verdict"] == verdict && finding["says"].as_str().unwrap().contains(says);
        let finding = found(&told, part).into_iter().find(is_it).unwrap_or_else(|| panic!("{part} {says}: {told:#}"));
        assert!(finding["do"].as_str().is_some_and(|todo| !todo.is_empty()), "{finding}");
    }
    assert_eq!(told["wrong"], 4);

    fs::write(&file, "listen = 'here'").unwrap();
    let said = Said::from(fedilake(["doctor", "--config"]).arg(&file).arg("--data").arg(data.path()).output().unwrap());
    assert_eq!(said.code(), Some(1));
    assert!(said.stdout.contains("wrong  settings") && said.stdout.contains("127.0.0.1:7878"), "{said:#?}");
    assert!(said.stdout.contains("ok     library"), "{said:#?}");
}

#[test]
fn brokers_registry_and_store_are_looked_at_and_those_that_do_not_answer_end_in_time() {
    let Some(services) = Services::shared("brokers_registry_and_store_are_looked_at") else { return };
    let data = Data::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let doctor = |kafka: &str, registry: &str, store: &str| {
        let mut command = fedilake(["doctor", "--json"]);
        command
            .env("FEDILAKE_LISTEN", "127.0.0.1:0")
            .env("FEDILAKE_LOG_URL", format!("kafka://{kafka}/test.doctor.none"))
            .env("FEDILAKE_LOG_REGISTRY_URL", registry)
            .env("FEDILAKE_TABLE_URL", format!("s3://{}/doctor", services.s3.bucket))
            .env("FEDILAKE_TABLE_S3_ENDPOINT", store)
            .env("AWS_ACCESS_KEY_ID", &services.s3.key)
            .env("AWS_SECRET_ACCESS_KEY", &services.s3.secret);
        Said::from(command.arg("--data").arg(data.path()).output().unwrap())
    };
    let told = doctor(&services.kafka, &services.registry, &services.s3.endpoint).done().json();
    assert!(found(&told, "broker")[0]["says"].as_str().unwrap().contains("has no topic"), "{told:#}");
    assert_eq!(found(&told, "store")[0]["verdict"], "ok", "{told:#}");
    let began = Instant::now();
    let said = doctor(&nobody.to_string(), &services.registry, &format!("http://{nobody}"));
    assert_eq!(said.code(), Some(1), "{said:#?}");
    let told = said.json();
    for part in ["broker", "store"] {
        assert_eq!(found(&told, part)[0]["verdict"], "wrong", "{told:#}");
    }
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}
