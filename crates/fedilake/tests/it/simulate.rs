//! `fedilake simulate`: servers with a script of faults, and their own account of what they showed.

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::program::{Running, fedilake};

const MANY: [&str; 14] = [
    "simulate",
    "--serve",
    "127.0.0.1:0",
    "--servers=10",
    "--software=mastodon,pleroma,akkoma,gotosocial,pixelfed,friendica,hollo",
    "--rate=50",
    "--posts-max=10",
    "--token=a member's",
    "--closed",
    "--late",
    "--script=3",
    "--script-length=2s",
    "--seed=4",
    "--for=1h",
];

#[test]
fn servers_of_all_software_go_through_a_script_fall_quiet_and_know_what_they_showed() {
    let mut simulation = Running::start(&mut fedilake(MANY));
    let address = simulation.address();
    simulation.wait_for_line("faults to come:");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let runtime = Runtime::new().unwrap();
    let answer = |request: reqwest::RequestBuilder| {
        runtime.block_on(async { request.send().await.unwrap().text().await.unwrap() })
    };
    let json = |request| serde_json::from_str::<Value>(&answer(request)).unwrap();
    let state = || json(client.get(format!("http://{address}/_sim/state")));
    assert_eq!(state()["faults_over"], false);
    simulation.wait_for_line("the faults are over");
    simulation.wait_for_line("quiet: 10 posts");
    let quiet = state();
    assert_eq!((&quiet["quiet"], &quiet["posts"], &quiet["waiting"]), (&true.into(), &10.into(), &0.into()));
    let page = client.get(format!("http://{address}/api/v1/timelines/public")).bearer_auth("a member's");
    assert!(!json(page).as_array().unwrap().is_empty());
    let audit = json(client.post(format!("http://{address}/_sim/audit")));
    let missing = audit["missing"].as_array().unwrap().len() as u64;
    assert!(missing > 0 && audit["shown"] == missing, "nothing is held: {audit}");
    assert!(simulation.interrupt().status.success());
}
