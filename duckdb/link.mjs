// Points duckdb/lib at the folder that holds libduckdb for this platform, for the linker and the rpath.
import { existsSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const musl = process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime;
const name = `@duckdb/node-bindings-${process.platform}-${process.arch}${musl ? "-musl" : ""}`;
const folder = join("node_modules", name);
const library = process.platform === "darwin" ? "libduckdb.dylib" : "libduckdb.so";

if (!existsSync(join(here, folder, library))) {
  console.error(`error: no DuckDB library for ${process.platform}-${process.arch}: ${join("duckdb", folder, library)} is not there`);
  console.error("hint: Linux (x64, arm64) and macOS are supported; run npm without --omit=optional");
  process.exit(1);
}
rmSync(join(here, "lib"), { force: true, recursive: false });
symlinkSync(folder, join(here, "lib"), "dir");
const { version } = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
console.log(`DuckDB ${version} for ${process.platform}-${process.arch}`);
