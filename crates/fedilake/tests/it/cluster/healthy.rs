//! A system in which nothing is wrong says so: no warning, at no start, rebalance or end.

use std::process::Command;

use fedilake_services::{Own, Services};

use super::{Cluster, flow, wait_for};
use crate::program::Said;

#[test]
fn healthy_parts_start_share_and_stop_without_a_warning() {
    let Some(services) = Services::shared("healthy starts") else { return };
    // On a machine that many tests share, a member may well be silent for the 2 s that the others' clusters allow.
    let cluster = Cluster::new(&services, 4).with("FEDILAKE_LOG_SESSION_TIMEOUT_MILLISECONDS", "30000");
    let servers = flow(4);
    let mut add = vec!["servers".to_owned(), "add".to_owned()];
    add.extend(servers.simulation.addresses().iter().map(|address| format!("http://{address}")));
    let mut said: Vec<(&str, Said)> = Vec::new();
    // A machine that many tests share may keep a broker from answering for longer than a command waits.
    let mut created = 0;
    wait_for("the list of servers", || {
        let added = Said::from(cluster.command(&add).output().unwrap());
        created += topics_created(&added);
        let is_done = added.code() == Some(0);
        said.extend(is_done.then_some(("servers add", added)));
        is_done
    });
    // At the same time, as a supervisor starts them.
    let start = |verb: &str| (0..2).map(|_| cluster.start([verb, "--listen", "127.0.0.1:0"])).collect::<Vec<_>>();
    let (mut collectors, mut sinks) = (start("collect"), start("sink"));
    collectors.iter_mut().chain(&mut sinks).for_each(|part| drop(part.wait_for_line("metrics on")));
    let mut replica = cluster.start(cluster.serve());
    replica.wait_for_line("answering on");
    let posts = || -> i64 {
        let rows = cluster.run(["sql", "select count(*) as posts from posts", "--format", "json"]).done().json();
        rows[0]["posts"].as_i64().unwrap()
    };
    wait_for("posts", || posts() > 200);
    // Rebalances: one more of each, and one less.
    for (part, verb) in [(&mut collectors, "collect"), (&mut sinks, "sink")] {
        let mut more = cluster.start([verb, "--listen", "127.0.0.1:0"]);
        more.wait_for_line("metrics on");
        let had = posts();
        wait_for("posts after the rebalance", || posts() > had + 100);
        part.push(more);
        said.push((if verb == "sink" { "sink" } else { "collect" }, part.remove(0).interrupt()));
        let had = posts();
        wait_for("posts after the second rebalance", || posts() > had + 100);
    }
    servers.simulation.end_flow();
    said.extend(collectors.into_iter().map(|part| ("collect", part.interrupt())));
    said.extend(sinks.into_iter().map(|part| ("sink", part.interrupt())));
    said.push(("check", cluster.run(["check"])));
    said.push(("serve", replica.interrupt()));
    created += said.iter().skip(1).map(|(_, said)| topics_created(said)).sum::<usize>();
    assert_eq!(created, 2, "each topic is created once: {said:#?}");
    for (verb, Said { status, stderr, .. }) in &said {
        assert_eq!(status.code(), Some(0), "{verb}: {stderr}");
        let wrong = |line: &&str| ["WARN", "ERROR", "error:", "warning:"].iter().any(|word| line.contains(word));
        let wrong: Vec<&str> = stderr.lines().filter(wrong).collect();
        assert!(wrong.is_empty(), "{verb}: {wrong:#?} of {stderr}");
    }
    servers.stop();
}

fn topics_created(said: &Said) -> usize {
    said.stderr.lines().filter(|line| line.contains("created topic")).count()
}

/// The README's way: the variables of `make services` in a shell, then the program.
#[test]
fn a_shell_that_takes_the_services_variables_can_work_on_them() {
    let Some(own) = Own::start(&["kafka", "registry", "s3"]) else { return };
    let variables = own.folder().join("variables");
    std::fs::write(&variables, own.variables()).unwrap();
    for shell in ["sh", "bash"] {
        let script = r#"
            set -eu
            eval "$(cat "$1")"
            "$2" servers add mastodon.social hachyderm.io
            "$2" servers list --format csv
            "$2" sink --once
            "$2" check --data "$3"
        "#;
        let folder = own.folder().join(format!("lake-{shell}"));
        let mut command = Command::new(shell);
        command.args(["-c", script, shell]).arg(&variables).arg(env!("CARGO_BIN_EXE_fedilake")).arg(folder);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FEDILAKE_")) {
            command.env_remove(name);
        }
        command.env("XDG_CONFIG_HOME", "/nonexistent");
        // As above: a slow broker does not make the variables wrong.
        let attempts = (0..5).map(|_| Said::from(command.output().unwrap()));
        let said = attempts.into_iter().find(|said| !said.stderr.contains(" of Kafka ")).expect("Kafka answers");
        let said = said.done();
        assert!(said.stdout.contains("mastodon.social,public,"), "{shell}: {said:#?}");
    }
}
