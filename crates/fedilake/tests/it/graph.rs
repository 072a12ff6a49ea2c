//! Each crate is a stage, and each heavy library has one door.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Our crates and which of ours they build on. The program wires everything.
const GRAPH: &[(&str, &[&str])] = &[
    (
        "fedilake",
        &["fedilake-collect", "fedilake-log", "fedilake-model", "fedilake-query", "fedilake-sim", "fedilake-table"],
    ),
    ("fedilake-collect", &["fedilake-log", "fedilake-model"]),
    ("fedilake-log", &[]),
    ("fedilake-model", &[]),
    ("fedilake-query", &[]),
    ("fedilake-sim", &[]),
    ("fedilake-table", &["fedilake-log", "fedilake-model"]),
];

/// Libraries that only the named crate of ours may bring in.
const DOORS: &[(&str, &str)] =
    &[("libduckdb-sys", "fedilake-query"), ("fjall", "fedilake-log"), ("html5gum", "fedilake-model")];

/// What would make the model impure: runtimes, sockets, files. (Arrow's hash maps bring getrandom for their seeds.)
const NOT_IN_THE_MODEL: &[&str] =
    &["tokio", "mio", "socket2", "reqwest", "hyper", "object_store", "fjall", "tempfile", "rand"];

#[test]
fn our_crates_build_on_each_other_as_drawn() {
    let metadata = metadata();
    let ours = ours(&metadata);
    let drawn: BTreeMap<&str, BTreeSet<&str>> =
        GRAPH.iter().map(|(name, on)| (*name, on.iter().copied().collect())).collect();
    let built: BTreeMap<&str, BTreeSet<&str>> = ours
        .iter()
        .map(|(name, id)| {
            (*name, direct(&metadata, id).into_iter().filter(|dependency| ours.contains_key(dependency)).collect())
        })
        .collect();
    assert_eq!(built, drawn);
}

#[test]
fn each_heavy_library_has_one_door() {
    let metadata = metadata();
    for (library, door) in DOORS {
        let through: Vec<&str> = ours(&metadata)
            .into_iter()
            .filter(|(_, id)| closure(&metadata, id, Ours::Without).contains(library))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(through, [*door], "{library}");
    }
}

#[test]
fn the_model_is_pure() {
    let metadata = metadata();
    let reached = closure(&metadata, ours(&metadata)["fedilake-model"], Ours::With);
    let impure: Vec<_> = NOT_IN_THE_MODEL.iter().filter(|name| reached.contains(*name)).collect();
    assert!(impure.is_empty(), "{impure:?}");
}

#[derive(Clone, Copy, PartialEq)]
enum Ours {
    With,
    /// Stop at our own crates: they answer for themselves.
    Without,
}

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata")
}

fn ours(metadata: &Metadata) -> BTreeMap<&str, &PackageId> {
    metadata.workspace_packages().iter().map(|package| (package.name.as_str(), &package.id)).collect()
}

/// Names of what a package builds on, not counting what only its tests and build scripts use.
fn direct<'a>(metadata: &'a Metadata, id: &PackageId) -> BTreeSet<&'a str> {
    normal(metadata, id).into_iter().map(|id| metadata[id].name.as_str()).collect()
}

fn normal<'a>(metadata: &'a Metadata, id: &PackageId) -> Vec<&'a PackageId> {
    let resolve = metadata.resolve.as_ref().expect("metadata is resolved");
    let node = resolve.nodes.iter().find(|node| node.id == *id).expect("every package has a node");
    node.deps
        .iter()
        .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal))
        .map(|dep| &dep.pkg)
        .collect()
}

fn closure<'a>(metadata: &'a Metadata, id: &'a PackageId, ours: Ours) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        for dependency in normal(metadata, next) {
            let is_ours = metadata.workspace_members.contains(dependency);
            if (ours == Ours::With || !is_ours) && reached.insert(dependency) {
                open.push(dependency);
            }
        }
    }
    reached.into_iter().map(|id| metadata[id].name.as_str()).collect()
}
