//! The dependencies of the crates: each is a stage, and only one depends on each heavy library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Our crates and the crates of ours that they depend on. The program depends on all but those for tests.
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

/// A folder of a crate's `src`, or a file beside it, by name; and those that its code names.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_parts_of_a_crate_build_on_each_other_and_never_in_a_circle() {
    for (name, _) in GRAPH {
        let mut left = imports(&root().join("crates").join(name).join("src"));
        // Takes away what builds on nothing that is left, again and again.
        loop {
            let parts: BTreeSet<String> = left.keys().cloned().collect();
            let is_free = |on: &BTreeSet<String>| on.is_disjoint(&parts);
            let free: Vec<String> = left.iter().filter(|(_, on)| is_free(on)).map(|(part, _)| part.clone()).collect();
            if free.is_empty() {
                break;
            }
            free.iter().for_each(|part| drop(left.remove(part)));
        }
        assert!(left.is_empty(), "{name}: in a circle, or on one: {left:?}");
    }
}

#[test]
fn nothing_of_the_program_builds_on_its_verbs() {
    let imports = imports(&root().join("crates/fedilake/src"));
    let on_verbs: Vec<_> = imports.iter().filter(|(_, on)| on.contains("command")).map(|(part, _)| part).collect();
    assert!(on_verbs.is_empty(), "{on_verbs:?}");
    assert!(!imports["wire"].contains("process") && !imports["serve"].contains("process"), "{imports:?}");
    assert!(imports["process"].contains("wire") && imports["command"].contains("process"), "the sources are read");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The parts of a crate, without its root, and what their code outside of tests and comments names of each other.
fn imports(sources: &Path) -> Imports {
    let mut imports = Imports::new();
    for entry in std::fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "main" || name == "lib" {
            continue;
        }
        let mut texts = Vec::new();
        read_sources(&path, &mut texts);
        let named = texts.iter().flat_map(|text| parts_named(text)).filter(|part| *part != name);
        imports.entry(name.clone()).or_default().extend(named);
    }
    let parts: BTreeSet<String> = imports.keys().cloned().collect();
    imports.values_mut().for_each(|on| on.retain(|part| parts.contains(part)));
    imports
}

/// The texts of a source file or of all below a folder, without comments and what comes after the beginning of its tests.
fn read_sources(path: &Path, texts: &mut Vec<String>) {
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| read_sources(&entry.unwrap().path(), texts));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        texts.push(code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n"));
    }
}

/// The first names of paths that begin with `crate::`, and of those in `use crate::{…}`.
fn parts_named(code: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => named.push(name(rest)),
            Some(list) => {
                let (mut depth, mut item) = (0, String::new());
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => named.push(name(std::mem::take(&mut item).trim())),
                        c if depth == 0 => item.push(c),
                        _ => {}
                    }
                }
                named.push(name(item.trim()));
            }
        }
    }
    named
}
