//! Lets this crate's tests find the DuckDB library without LD_LIBRARY_PATH: an rpath to DUCKDB_LIB_DIR.
//! A build script's link arguments reach only its own package, so the program's build script does the same.
//!
//! Also lists the files of src/reports, so that a file there is a report and nothing else names it.

#![allow(clippy::expect_used)]

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    list_reports();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Some(folder) = std::env::var_os("DUCKDB_LIB_DIR").map(PathBuf::from)
        && let Ok(folder) = folder.canonicalize()
    {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
}

/// Writes reports.rs: a slice of (name, text) for each .sql file, in the order of the names.
fn list_reports() {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("Cargo sets it")).join("src/answer/reports");
    println!("cargo:rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(&folder).expect("the folder of reports can be read");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let mut list = "&[\n".to_owned();
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = file.file_stem().and_then(|name| name.to_str()).expect("the name of a report is plain text");
        writeln!(list, "    ({name:?}, include_str!({:?})),", file.display().to_string()).expect("a String takes it");
    }
    list.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets it")).join("reports.rs");
    std::fs::write(out, list).expect("the list of reports is written");
}
