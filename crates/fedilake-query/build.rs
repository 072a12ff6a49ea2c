//! Lets this crate's tests find the DuckDB library without LD_LIBRARY_PATH: an rpath to DUCKDB_LIB_DIR.
//! A build script's link arguments reach only its own package, so the program's build script does the same.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Some(folder) = std::env::var_os("DUCKDB_LIB_DIR").map(PathBuf::from)
        && let Ok(folder) = folder.canonicalize()
    {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
}
