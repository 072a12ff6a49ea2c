//! `fedilake servers` on a data folder: the table, a look at one server, and changes of a running process.

use std::net::TcpListener;

use fedilake_sim::serve::Software;
use fedilake_sim::{Config, Fault};
use serde_json::Value;

use crate::beside::{get, metrics};
use crate::live::Servers;
use crate::program::{Data, Running, Said, fedilake, wait_until};

fn quiet(servers: usize) -> (Servers, Vec<String>) {
    let servers = Servers::start(Config { servers, rate: 0.0, deletes: 0.0, edits: 0.0, ..Config::default() });
    let urls = servers.simulation.addresses().iter().map(|address| format!("http://{address}")).collect();
    (servers, urls)
}

/// The table, by server.
fn table(data: &Data) -> Vec<Value> {
    data.run(["servers", "--format", "json"]).done().json().as_array().unwrap().clone()
}

fn state<'a>(table: &'a [Value], url: &str) -> Option<&'a str> {
    table.iter().find(|row| url.ends_with(row["server"].as_str().unwrap()))?["state"].as_str()
}

fn sightings(data: &Data, url: &str) -> i64 {
    let host = url.trim_start_matches("http://");
    data.number(&format!("select count(*) from sightings where server = '{host}'"))
}

#[test]
fn servers_are_added_to_a_running_process_and_removed_from_it() {
    let ((servers, urls), data) = (quiet(3), Data::new());
    // Before the first start: the folder is made.
    let said = data.run(["servers", "add", &urls[0]]).done();
    assert!(said.stderr.starts_with("1 server listed in ") && said.stderr.contains("hint: `fedilake run"), "{said:#?}");
    assert_eq!(state(&table(&data), &urls[0]), Some("not read"));
    let start = || Running::answering(fedilake(["run", "--listen", "127.0.0.1:0"]).arg("--data").arg(data.path()));
    let shows_a_post = |url: &str, server: usize| {
        let before = sightings(&data, url);
        wait_until(&format!("a post of {url}"), || {
            servers.simulation.publish(server);
            sightings(&data, url) > before
        });
    };
    let running = start();
    shows_a_post(&urls[0], 0);
    let said = data.run(["servers", "add", &urls[1], &urls[2]]).done();
    assert!(said.stderr.contains("3 servers read by process"), "{said:#?}");
    shows_a_post(&urls[1], 1);
    shows_a_post(&urls[2], 2);
    wait_until("all are live", || table(&data).iter().all(|row| row["state"] == "live"));
    let rows = table(&data);
    assert_eq!(rows.len(), 3);
    for (column, value) in [("software", "mastodon"), ("version", "4.5.0"), ("streams", "yes"), ("readers", "anyone")] {
        assert!(rows.iter().all(|row| row[column] == value), "{column}: {rows:#?}");
    }
    assert!(rows.iter().all(|row| row["rules"] == 2 && row["robots"] == "allow" && row["token"] == false));
    assert!(rows.iter().all(|row| row["requests_left"].is_u64() && row["posts_a_minute"].is_f64()), "{rows:#?}");

    let said = data.run(["servers", "remove", &urls[1], "c.example"]).done();
    assert!(said.stderr.contains("c.example was not read") && said.stderr.contains("2 servers read"), "{said:#?}");
    wait_until("it is read no longer", || state(&table(&data), &urls[1]).is_none());
    // What is wrong changes nothing.
    let wrong = data.run(["servers", "add", "d.example", "a b"]);
    assert_eq!(wrong.code(), Some(2), "{wrong:#?}");
    assert_eq!(table(&data).len(), 2);
    running.interrupt().done();

    // The next start reads the same servers.
    let rows = table(&data);
    let is_told = |state: &str| state.starts_with("last read ") || state == "never whole";
    assert!(rows.iter().all(|row| is_told(row["state"].as_str().unwrap())), "{rows:#?}");
    let running = start();
    shows_a_post(&urls[2], 2);
    assert_eq!(table(&data).len(), 2);
    running.interrupt().done();
    servers.stop();
}

#[test]
fn a_server_of_the_settings_is_removed_until_they_are_read_again() {
    let ((servers, urls), data) = (quiet(2), Data::new());
    let running = Running::answering(&mut servers.run(&data));
    wait_until("both are live", || table(&data).iter().filter(|row| row["state"] == "live").count() == 2);
    let said = data.run(["servers", "remove", &urls[0]]).done();
    assert!(said.stderr.contains("is named in collect.servers") && said.stderr.contains("1 server read"), "{said:#?}");
    wait_until("one is read", || table(&data).len() == 1);
    running.interrupt().done();
    servers.stop();
}

#[test]
fn the_table_tells_of_a_server_that_cannot_be_read_and_why() {
    let ((servers, urls), data) = (quiet(2), Data::new());
    servers.simulation.set_fault(1, Some(Fault::ServerError), None);
    let running = Running::answering(&mut servers.run(&data));
    let trouble = || table(&data).into_iter().find(|row| urls[1].ends_with(row["server"].as_str().unwrap())).unwrap();
    wait_until("it is tried again", || trouble()["state"] == "trying again");
    assert!(trouble()["last_error"].as_str().unwrap().contains("500"), "{}", trouble());
    let said = data.run(["servers"]).done();
    assert!(said.stdout.contains("last error") && said.stdout.contains("trying again"), "{}", said.stdout);
    assert!(said.stdout.lines().all(|line| line.len() <= 120), "{}", said.stdout);
    running.interrupt().done();
    servers.stop();
}

#[test]
fn a_blind_server_is_named_by_the_table_the_metrics_and_the_page() {
    let ((servers, urls), data) = (quiet(2), Data::new());
    let mut command = servers.run(&data);
    let mut running = Running::start(command.env("FEDILAKE_LAKE_COMPLETENESS_SECONDS", "1"));
    let address = running.address();
    let host = urls[0].trim_start_matches("http://").to_owned();
    let row = |url: &str| table(&data).into_iter().find(|row| url.ends_with(row["server"].as_str().unwrap())).unwrap();
    let share = |url: &str| row(url)["completeness"].as_f64();
    wait_until("both are complete", || {
        (0..6).for_each(|n| drop(servers.simulation.publish(n % 2)));
        urls.iter().all(|url| share(url).is_some_and(|share| share > 0.9) && row(url)["blind"] == false)
    });
    servers.simulation.set_fault(0, Some(Fault::Blind), None);
    wait_until("the first is blind", || {
        (0..6).for_each(|n| drop(servers.simulation.publish(n % 2)));
        row(&urls[0])["blind"] == true
    });
    let told = row(&urls[0]);
    assert!(matches!(told["state"].as_str(), Some("live" | "polling")), "it is read all the same: {told}");
    assert!(share(&urls[0]).unwrap() < 0.95 && share(&urls[1]).unwrap() > 0.9 && row(&urls[1])["blind"] == false);
    let said = data.run(["servers"]).done();
    assert!(said.stderr.contains(&format!("blind: {host}: read, and lately")), "{}", said.stderr);
    assert!(said.stdout.contains(", blind") && said.stdout.contains("complete %"), "{}", said.stdout);
    let page = metrics(address);
    for part in [
        format!("fedilake_lake_server_blind{{server=\"{host}\"}} 1\n"),
        format!("fedilake_lake_server_completeness_ratio{{server=\"{host}\"}} 0."),
    ] {
        assert!(page.contains(&part), "{part}: {page}");
    }
    let api = get(address, "/api/v1/collector");
    assert!(api.contains("\"blind\":true") && api.contains("\"completeness\":0."), "{api}");
    let said = running.interrupt().done();
    assert!(said.stderr.contains("server is blind"), "{}", said.stderr);
    // The lake of a folder that nobody owns knows it too, for a server of its list.
    data.run(["servers", "add", &urls[0]]).done();
    let mut command = fedilake(["servers", "--format", "json", "--data"]);
    command.arg(data.path()).env("FEDILAKE_LAKE_COMPLETENESS_SECONDS", "1");
    let rows = Said::from(command.output().unwrap()).done().json();
    let row = rows.as_array().unwrap().iter().find(|row| row["server"] == host.as_str()).unwrap();
    assert!(row["completeness"].is_f64() && row["blind"] == false, "{row}");
    servers.stop();
}

#[test]
fn a_listed_server_is_read_in_all_of_its_timelines() {
    let ((servers, urls), data) = (quiet(1), Data::new());
    data.run(["servers", "add", "--local", "--hashtag", "rust", &urls[0]]).done();
    let timelines = |rows: &[Value]| {
        let mut names: Vec<String> = rows.iter().map(|row| row["timeline"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let listed = || data.run(["servers", "list", "--format", "json"]).done().json().as_array().unwrap().clone();
    assert_eq!(timelines(&listed()), ["hashtag:rust", "local"]);
    let running = Running::answering(fedilake(["run", "--listen", "127.0.0.1:0"]).arg("--data").arg(data.path()));
    wait_until("both are live", || {
        let rows = table(&data);
        timelines(&rows) == ["hashtag:rust", "local"] && rows.iter().all(|row| row["state"] == "live")
    });
    // Other timelines take the place of those.
    data.run(["servers", "add", "--public", "--hashtag", "rust", &urls[0]]).done();
    wait_until("others are live", || timelines(&table(&data)) == ["hashtag:rust", "public"]);
    data.run(["servers", "remove", &urls[0]]).done();
    assert!(table(&data).is_empty());
    running.interrupt().done();
    servers.stop();
}

#[test]
fn a_server_that_sends_on_to_another_is_named_with_what_to_do() {
    let ((servers, urls), data) = (quiet(2), Data::new());
    data.run(["servers", "add", &urls[0], &urls[1]]).done();
    servers.simulation.set_fault(0, Some(Fault::Redirected), None);
    let (_, port) = urls[0].rsplit_once(':').unwrap();
    let to = format!("localhost:{port}");
    let moved: Vec<Value> = table(&data).iter().map(|row| row["moved_to"].clone()).collect();
    assert!(moved.contains(&Value::Null) && moved.contains(&to.clone().into()), "{moved:?}");
    let said = data.run(["servers"]).done();
    assert!(said.stderr.contains(&format!("hint: read it as {to}: `fedilake servers add {to}")), "{}", said.stderr);
    let said = data.run(["doctor"]);
    assert!(said.stdout.contains(&format!("sends requests on to {to}")), "{}", said.stdout);
    servers.stop();
}

#[test]
fn a_server_is_looked_at_before_it_is_added() {
    let (servers, urls) = quiet(1);
    let probe = |server: &str| Said::from(fedilake(["servers", "--probe", server]).output().unwrap());
    let said = probe(&urls[0]).done();
    for part in ["mastodon 4.5.0", "a private network", "shown without a token", "allows the API", "1. Be kind."] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    let told =
        Said::from(fedilake(["servers", "--format", "json", "--probe", &urls[0]]).output().unwrap()).done().json();
    assert_eq!((&told["software"], &told["timeline_without_token"]), (&"mastodon".into(), &true.into()));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (server, part) in [
        ("there-is-no-such-host.invalid", "there is no host of this name"),
        ("a b", "invalid server"),
        (&format!("http://{nobody}"), "Connection refused"),
        (&urls[0].replace("http:", "https:"), "does not speak TLS"),
    ] {
        let said = probe(server);
        assert!(said.code() == Some(2) && said.stderr.contains(part), "{server}: {said:#?}");
    }
    servers.stop();
}

#[test]
fn a_server_whose_robots_txt_says_no_is_asked_for_nothing_that_it_forbids() {
    let data = Data::new();
    let config = Config { servers: 1, rate: 0.0, visits_max: 1_000, ..Config::default() };
    let servers = Servers::start(Config { software: vec![Software::GoToSocial], ..config });
    let url = format!("http://{}", servers.simulation.addresses()[0]);
    let said = Said::from(fedilake(["servers", "--probe", &url]).output().unwrap()).done();
    for part in ["gotosocial 0.16.0", "disallows the API (Disallow: /api/)", "not asked for", "--own-server"] {
        assert!(said.stdout.contains(part) || said.stderr.contains(part), "{part}: {said:#?}");
    }
    data.run(["servers", "add", &url]).done();
    let rows = table(&data);
    assert_eq!((&rows[0]["robots"], &rows[0]["software"]), (&"disallow".into(), &"gotosocial".into()), "{rows:#?}");
    let said = data.run(["doctor"]);
    assert!(said.stdout.contains("its robots.txt does not allow"), "{said:#?}");
    let visits = servers.simulation.visits(0);
    let asked: Vec<&str> = visits.iter().map(|visit| visit.path.as_str()).collect();
    assert!(asked.contains(&"/robots.txt") && asked.contains(&"/.well-known/nodeinfo"), "{asked:?}");
    assert!(asked.iter().all(|path| !path.starts_with("/api/")), "{asked:?}");
    servers.stop();
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let data = Data::new();
    std::fs::create_dir(data.path()).unwrap();
    std::fs::write(data.path().join("letter.txt"), "dear").unwrap();
    let said = data.run(["servers", "add", "a.example"]);
    assert!(said.code() == Some(2) && said.stderr.contains("is not a data folder"), "{said:#?}");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1);
    let said = data.run(["servers"]);
    assert!(said.code() == Some(2) || said.stderr.contains("no server is read"), "{said:#?}");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1);
}
