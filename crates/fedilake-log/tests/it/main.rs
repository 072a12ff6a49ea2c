//! Tests of the log from outside: its promises, and its state after a kill or on a full disk.

#![allow(clippy::unwrap_used)]

mod conforms;
mod full_disk;
mod kill;
mod life;

use std::env;
use std::path::Path;
use std::process::Command;

/// The variable that tells a child of a test which folder to work on.
const CHILD_FOLDER: &str = "FEDILAKE_LOG_TEST_FOLDER";

/// A command that runs the test `name` of this binary in a process of its own, on `folder`. The test is marked
/// `ignore`, so that nothing else runs it.
fn child(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(CHILD_FOLDER, folder);
    command
}
