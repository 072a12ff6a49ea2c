//! kill -9 at any moment: nothing is lost, nothing is there twice.

use std::collections::HashSet;
use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::program::{Data, fedilake, run, says_no};

/// The number of kills in `make test`; `make chaos` sets more.
const ROUNDS: u32 = 50;
/// Kills happen within this time after a start: while opening, appending, committing and following.
const LIFE_MAX: Duration = Duration::from_millis(900);

/// The uris of a file of frames that were created and not deleted.
fn uris_left(file: &Path) -> HashSet<String> {
    let lines = std::io::BufReader::new(std::fs::File::open(file).unwrap()).lines();
    let (mut uris, mut ids, mut deleted) = (HashSet::new(), Vec::new(), HashSet::new());
    for line in lines {
        let frame: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let (server, payload) = (frame["server"].to_string(), &frame["payload"]);
        match frame["event"].as_str().unwrap() {
            "delete" => drop(deleted.insert((server, payload.as_str().unwrap().to_owned()))),
            _ if admitted(payload) => {
                let (id, uri) =
                    (payload["id"].as_str().unwrap().to_owned(), payload["uri"].as_str().unwrap().to_owned());
                uris.insert(uri.clone());
                ids.push(((server, id), uri));
            }
            _ => {}
        }
    }
    for (sighting, uri) in ids {
        if deleted.contains(&sighting) {
            uris.remove(&uri);
        }
    }
    uris
}

fn admitted(status: &Value) -> bool {
    status["visibility"] == "public" && status["reblog"].is_null() && !says_no(status)
}

/// The end that the log acknowledged: the first 8 bytes of its end mark. 0 if there is no mark.
fn log_end(data: &Data) -> u64 {
    let mark = std::fs::read(data.path().join("log/end")).unwrap_or_default();
    mark.first_chunk().map_or(0, |end| u64::from_be_bytes(*end))
}

#[test]
fn chaos_of_kills_loses_nothing_and_doubles_nothing() {
    let rounds: u32 =
        std::env::var("FEDILAKE_CHAOS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let data = Data::new();
    let file = data.beside("talk.jsonl");
    let posts = (400 * rounds).to_string();
    run(["simulate", "--preset", "talk", "--posts", posts.as_str(), "--seed", "11", "--out", file.to_str().unwrap()])
        .done();
    let expected = uris_left(&file);

    // Plays the ten days in about the time of all kills; small files, so that commits are under way most of the time.
    let pace = format!("{}x", 864_000 / (rounds / 4 + 1));
    let mut dice = rand::rngs::StdRng::seed_from_u64(5);
    let mut ends = vec![0];
    for _ in 0..rounds {
        let mut command = fedilake([
            "replay",
            file.to_str().unwrap(),
            "--pace",
            pace.as_str(),
            "--data",
            data.path().to_str().unwrap(),
        ]);
        command.env("FEDILAKE_SINK_BUFFER_BYTES_MAX", "60000").env("FEDILAKE_SINK_BUFFER_AGE_SECONDS_MAX", "1");
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        // The test varies the moment of the kill.
        std::thread::sleep(LIFE_MAX.mul_f64(dice.random_range(0.0..1.0)));
        child.kill().unwrap();
        child.wait().unwrap();
        ends.push(log_end(&data));
    }
    assert!(ends.is_sorted(), "the log lost what it had answered for: {ends:?}");
    let at_work = ends.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(at_work >= rounds as usize / 5, "only {at_work} of {rounds} kills fell into work: {ends:?}");
    data.run(["replay", file.to_str().unwrap()]).done();

    let rows = data.run(["sql", "select uri from posts", "--format", "json"]).done().json();
    let kept: Vec<String> =
        rows.as_array().unwrap().iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kept.len(), kept.iter().collect::<HashSet<_>>().len(), "a post stands twice");
    let kept: HashSet<String> = kept.into_iter().collect();
    assert_eq!(expected.difference(&kept).count(), 0, "posts are lost");
    assert_eq!(kept.difference(&expected).count(), 0, "posts are too many");
    let checked = data.run(["check"]).done();
    println!("{rounds} kills, {at_work} of them at work, {} posts\n{}", kept.len(), checked.stdout);
}
