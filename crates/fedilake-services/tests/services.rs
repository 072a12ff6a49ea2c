//! The services themselves, on which other tests build.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use fedilake_services::{Own, S3, Services, Stream, Toxic, Toxics};

#[test]
fn what_a_killed_set_had_is_there_when_it_starts_again() {
    let Some(own) = Own::start(&["kafka", "pg", "registry", "s3", "proxy"]) else { return };
    let services = own.services();
    assert_eq!(create_topic(&services.kafka, "kept"), 0, "created");
    assert_eq!(create_topic(&services.kafka_proxied, "kept-too"), 0, "created through the proxy");
    let schema = r#"{"schema": "\"string\""}"#;
    let registered = curl(&["-X", "POST", "-d", schema, &format!("{}/subjects/s/versions", services.registry)]);
    assert!(registered.contains("\"id\""), "{registered}");
    put(&services.s3, "kept.txt", "words");

    for name in ["kafka", "registry", "pg", "s3", "proxy"] {
        own.kill9(name);
    }
    assert!(TcpStream::connect(&services.kafka).is_err(), "the broker is gone");
    for name in ["kafka", "pg", "registry", "s3", "proxy"] {
        own.start_again(name);
    }

    const ALREADY_EXISTS: i16 = 36;
    assert_eq!(create_topic(&services.kafka, "kept"), ALREADY_EXISTS);
    assert_eq!(create_topic(&services.kafka_proxied, "kept-too"), ALREADY_EXISTS);
    assert_eq!(curl(&[&format!("{}/subjects", services.registry)]).trim(), r#"["s"]"#);
    assert_eq!(get(&services.s3, "kept.txt"), "words");
}

#[test]
fn a_paused_service_answers_when_it_goes_on() {
    let Some(own) = Own::start(&["s3"]) else { return };
    let endpoint = own.services().s3.endpoint;
    let health = format!("{endpoint}/health");
    own.pause("s3");
    let answered = Command::new("curl").args(["-s", "-m", "0.3", &health]).status().expect("curl runs").success();
    assert!(!answered);
    own.resume("s3");
    own.wait("s3");
    curl(&[&health]);
}

#[test]
fn sets_run_side_by_side_and_end_when_dropped() {
    let Some(one) = Own::start(&["s3", "proxy"]) else { return };
    let two = Own::start(&["s3", "proxy"]).expect("the first one started");
    put(&one.services().s3, "of-one.txt", "1");
    assert!(get(&two.services().s3, "of-one.txt").contains("NoSuchKey"), "each has its own data");
    let (folder, api) = (one.folder().to_owned(), one.services().proxy);
    drop(one);
    assert!(!folder.exists());
    assert!(TcpStream::connect(api.trim_start_matches("http://")).is_err());
    curl(&[&format!("{}/version", two.services().proxy)]);
}

#[test]
fn a_network_is_bad_until_it_is_cleared() {
    let Some(own) = Own::start(&["s3", "proxy"]) else { return };
    let services = own.services();
    let toxics = Toxics::at(&services.proxy);
    let proxy = toxics.through("mine", &services.s3.endpoint);
    let health = format!("http://{}/health", proxy.address());
    let took = || {
        let began = Instant::now();
        curl(&[&health]);
        began.elapsed()
    };
    took();
    proxy.add(Stream::Down, Toxic::Latency { ms: 400, jitter_ms: 0 });
    assert!(took() >= Duration::from_millis(400));
    proxy.clear();
    proxy.add(Stream::Down, Toxic::LimitData { bytes: 10 });
    assert!(!Command::new("curl").args(["-sf", &health]).output().expect("curl runs").status.success(), "cut short");
    proxy.clear();
    took();

    proxy.down();
    assert!(TcpStream::connect(proxy.address()).is_err());
    proxy.up();
    took();
    let address = proxy.address().to_owned();
    drop(proxy);
    assert!(TcpStream::connect(address).is_err(), "a proxy of a test's own goes with it");
    assert!(toxics.proxy("s3").address().starts_with("127.0.0.1:"));
}

#[test]
fn the_shared_set_answers() {
    let Some(services) = Services::shared("the_shared_set_answers") else { return };
    create_topic(&services.kafka, "fedilake-services");
    create_topic(&services.kafka_proxied, "fedilake-services");
    curl(&[&format!("{}/subjects", services.registry)]);
    curl(&[&format!("{}/version", services.proxy)]);
    put(&services.s3, "fedilake-services.txt", "words");
    assert_eq!(get(&services.s3, "fedilake-services.txt"), "words");
}

/// Makes a topic of one partition. Returns the broker's error code: 0, or 36 if the topic exists.
fn create_topic(broker: &str, topic: &str) -> i16 {
    let text = |text: &str| [&(text.len() as i16).to_be_bytes()[..], text.as_bytes()].concat();
    // CreateTopics, version 2, correlation 7, no client id; one topic, 1 partition, 1 replica, no assignment and configuration.
    let mut request = vec![0, 19, 0, 2, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 1];
    request.extend(text(topic));
    request.extend([0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    request.extend(10_000_i32.to_be_bytes());
    request.push(0);
    let mut connection = TcpStream::connect(broker).expect("the broker takes connections");
    connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    connection.write_all(&(request.len() as i32).to_be_bytes()).expect("sent");
    connection.write_all(&request).expect("sent");
    let mut length = [0; 4];
    connection.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    connection.read_exact(&mut answer).expect("an answer");
    // Correlation, throttle time, number of topics, the topic's name, its error.
    let error = 12 + 2 + topic.len();
    i16::from_be_bytes([answer[error], answer[error + 1]])
}

fn put(s3: &S3, key: &str, text: &str) {
    let empty = signed(s3, key, &["-X", "PUT", "-d", text]);
    assert_eq!(empty, "", "put {key}");
}

fn get(s3: &S3, key: &str) -> String {
    signed(s3, key, &[])
}

fn signed(s3: &S3, key: &str, args: &[&str]) -> String {
    let user = format!("{}:{}", s3.key, s3.secret);
    let (signature, url) = (format!("aws:amz:{}:s3", s3.region), format!("{}/{}/{key}", s3.endpoint, s3.bucket));
    let output = Command::new("curl")
        .args([
            "-s",
            "-m",
            "20",
            "--user",
            &user,
            "--aws-sigv4",
            &signature,
            "-H",
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
        ])
        .args(args)
        .arg(url)
        .output()
        .expect("curl runs");
    assert!(output.status.success(), "{args:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

fn curl(args: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "-f", "-m", "20"]).args(args).output().expect("curl runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
