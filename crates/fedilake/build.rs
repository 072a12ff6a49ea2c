//! Tells the linker where the program finds libduckdb: where `make setup` put it, or beside the program. Refuses to build without the
//! web page, which is a part of the program.

use std::path::Path;

/// The built page.
const PAGE: &str = "../../web/dist";

fn main() {
    println!("cargo:rerun-if-changed={PAGE}");
    if !Path::new(PAGE).join("index.html").is_file() {
        println!(
            "cargo::error=web/dist, the page, is not built: run `make setup`, or `npm ci && npm run build` in web/"
        );
    }
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Ok(folder) = std::env::var("DUCKDB_LIB_DIR") {
        // The folder itself, not the link to it: another checkout may re-point the link.
        let folder = Path::new(&folder).canonicalize().unwrap_or_else(|_| folder.clone().into());
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
    let beside =
        if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") { "@loader_path" } else { "$ORIGIN" };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{beside}");
}
