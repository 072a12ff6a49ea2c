//! The dependencies of the crates: each is a stage, and only one depends on each heavy library.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Our crates and the crates of ours that they depend on. The program depends on all.
const GRAPH: &[(&str, &[&str])] = &[
    (
        "fedilake",
        &[
            "fedilake-collect",
            "fedilake-kafka",
            "fedilake-log",
            "fedilake-model",
            "fedilake-query",
            "fedilake-sim",
            "fedilake-table",
        ],
    ),
    ("fedilake-collect", &["fedilake-log", "fedilake-model"]),
    ("fedilake-kafka", &["fedilake-log"]),
    ("fedilake-log", &[]),
    ("fedilake-model", &[]),
    ("fedilake-query", &[]),
    ("fedilake-services", &[]),
    ("fedilake-sim", &[]),
    ("fedilake-table", &["fedilake-log", "fedilake-model"]),
];

/// Libraries on which only the named crate of ours may depend.
const DOORS: &[(&str, &str)] = &[
    ("libduckdb-sys", "fedilake-query"),
    ("rdkafka-sys", "fedilake-kafka"),
    ("fjall", "fedilake-log"),
    ("html5gum", "fedilake-model"),
    // This parser recurses to any depth, so only the model, which checks the depth before, may use it.
    ("sonic-rs", "fedilake-model"),
];

/// Libraries that would make the model impure: runtimes, sockets, files. (Arrow's hash maps need getrandom for their
/// seeds, and its Avro crate rand for the markers of container files, which the model does not write.)
const NOT_IN_THE_MODEL: &[&str] = &["tokio", "mio", "socket2", "reqwest", "hyper", "object_store", "fjall", "tempfile"];

#[test]
fn our_crates_build_on_each_other_as_drawn() {
    let metadata = metadata();
    let drawn: BTreeMap<&str, BTreeSet<&str>> =
        GRAPH.iter().map(|(name, on)| (*name, on.iter().copied().collect())).collect();
    let built: BTreeMap<&str, BTreeSet<&str>> =
        metadata.ours.iter().map(|(name, id)| (name.as_str(), metadata.direct(id))).collect();
    assert_eq!(built, drawn);
}

#[test]
fn each_heavy_library_has_one_door() {
    let metadata = metadata();
    for (library, door) in DOORS {
        let through = metadata.ours.iter().filter(|(_, id)| metadata.closure(id, Ours::Without).contains(library));
        let through: Vec<&str> = through.map(|(name, _)| name.as_str()).collect();
        assert_eq!(through, [*door], "{library}");
    }
}

#[test]
fn no_parser_of_foreign_json_goes_to_any_depth() {
    let metadata = metadata();
    let features = &metadata.features["serde_json"];
    assert!(!features.contains("unbounded_depth"), "{features:?}");
}

#[test]
fn the_model_is_pure() {
    let metadata = metadata();
    let reached = metadata.closure(&metadata.ours["fedilake-model"], Ours::With);
    let impure: Vec<_> = NOT_IN_THE_MODEL.iter().filter(|name| reached.contains(*name)).collect();
    assert!(impure.is_empty(), "{impure:?}");
}

#[derive(Clone, Copy, PartialEq)]
enum Ours {
    With,
    /// Without the dependencies of our own crates, which are checked themselves.
    Without,
}

/// The parts of `cargo metadata` that are used here.
struct Metadata {
    /// Names by package id.
    names: BTreeMap<String, String>,
    /// Ids of a package's normal dependencies, by its id; without those of its tests and build scripts.
    normal: BTreeMap<String, Vec<String>>,
    /// Ids of our crates, by name.
    ours: BTreeMap<String, String>,
    /// Features with which a package is built, by its name.
    features: BTreeMap<String, BTreeSet<String>>,
}

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--manifest-path", manifest])
        .output();
    let metadata: Value = serde_json::from_slice(&output.expect("cargo runs").stdout).expect("cargo metadata");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let names: BTreeMap<String, String> =
        list(&metadata["packages"]).iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
    let is_normal = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
    let normal =
        |node: &Value| list(&node["deps"]).iter().filter(|dep| is_normal(dep)).map(|dep| text(&dep["pkg"])).collect();
    let features = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| (names[&text(&node["id"])].clone(), list(&node["features"]).iter().map(text).collect()))
        .collect();
    let normal = list(&metadata["resolve"]["nodes"]).iter().map(|node| (text(&node["id"]), normal(node))).collect();
    let ours = list(&metadata["workspace_members"]).iter().map(|id| (names[&text(id)].clone(), text(id))).collect();
    Metadata { names, normal, ours, features }
}

impl Metadata {
    /// Names of the crates of ours on which one of ours depends directly.
    fn direct(&self, id: &str) -> BTreeSet<&str> {
        let names = self.normal[id].iter().map(|id| self.names[id].as_str());
        names.filter(|name| self.ours.contains_key(*name)).collect()
    }

    /// Names of all packages on which a package depends, directly or not.
    fn closure(&self, id: &str, ours: Ours) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            for dependency in &self.normal[next] {
                let is_ours = self.ours.contains_key(&self.names[dependency]);
                if (ours == Ours::With || !is_ours) && reached.insert(dependency.as_str()) {
                    open.push(dependency);
                }
            }
        }
        reached.into_iter().map(|id| self.names[id].as_str()).collect()
    }
}
