//! Disks that lose power, fail, turn read-only and fill: ext4 on a loop device, broken while the program runs.
//!
//! Linux and root only. Elsewhere the tests print `skipped`, or fail if `FEDILAKE_REQUIRE_DISKS=1` is set.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rand::{Rng, SeedableRng};

use crate::program::{Running, Said, fedilake, wait_until};
use crate::replay::status;

/// The number of power cuts in `make test`; `make chaos` sets more.
const CUTS: u32 = 4;
/// Cuts happen within this time after a start.
const LIFE_MAX: Duration = Duration::from_millis(1_500);

/// A file system that can be broken. Unmounted when dropped.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Makes a file system of `megabytes`. `None`, after printing why, if loop devices cannot be mounted.
    fn new(test: &str, megabytes: u64) -> Option<Disk> {
        let disk = Disk { folder: tempfile::tempdir().unwrap() };
        fs::File::create(disk.image()).unwrap().set_len(megabytes << 20).unwrap();
        fs::create_dir(disk.mount()).unwrap();
        let made = try_run("mkfs.ext4", &["-q", "-F", disk.image().to_str().unwrap()]).and_then(|()| disk.attach());
        match made {
            Ok(()) => Some(disk),
            Err(why) if std::env::var_os("FEDILAKE_REQUIRE_DISKS").is_some() => panic!("{test}: {why}"),
            Err(why) => {
                fedilake_services::skipped(test, &format!("no disk to break: {why}"));
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn data(&self) -> PathBuf {
        self.mount().join("data")
    }

    /// Mounts the file system. Without a sync, the kernel writes nothing back for ten minutes.
    fn attach(&self) -> Result<(), String> {
        let (image, mount) = (self.image(), self.mount());
        try_run("mount", &["-o", "loop,commit=600", image.to_str().unwrap(), mount.to_str().unwrap()])
    }

    /// Loses all data that was not synced; every access fails with an I/O error from now on.
    fn cut_power(&self) {
        // FS_IOC_SHUTDOWN with FSOP_GOING_FLAGS_NOLOGFLUSH.
        let shutdown = "import fcntl, os, struct, sys\n\
            fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";
        try_run("python3", &["-c", shutdown, self.mount().to_str().unwrap()]).unwrap();
    }

    /// Makes the file system read-only, as the kernel does after an error.
    fn turn_read_only(&self) {
        try_run("mount", &["-o", "remount,abort", self.mount().to_str().unwrap()]).unwrap();
    }

    /// Mounts the file system again, as after a restart of the machine.
    fn restore(&self) {
        // The lake's process ends a moment after its parent.
        wait_until("the disk's last user", || try_run("umount", &[self.mount().to_str().unwrap()]).is_ok());
        self.attach().unwrap();
    }

    /// A command on the data folder on this disk, with a data file every second.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = fedilake(arguments);
        command.arg("--data").arg(self.data());
        command.env("FEDILAKE_SINK_BUFFER_BYTES_MAX", "60000").env("FEDILAKE_SINK_BUFFER_AGE_SECONDS_MAX", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    fn number(&self, sql: &str) -> u64 {
        let said = self.run(&["sql", sql, "--format", "csv"]).done();
        said.stdout.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("{sql}: {said:#?}"))
    }

    /// The offset up to which the log acknowledged appends: the first 8 bytes of its end mark. 0 if there is no mark.
    fn answered(&self) -> u64 {
        let mark = fs::read(self.data().join("log/end")).unwrap_or_default();
        mark.first_chunk().map_or(0, |end| u64::from_be_bytes(*end))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The file system was never mounted if the test was skipped.
        let _ = Command::new("umount").arg("--lazy").arg(self.mount()).output();
    }
}

fn try_run(program: &str, arguments: &[&str]) -> Result<(), String> {
    // System administration tools are not on every PATH.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(()).ok_or_else(|| format!("{program}: {}", said.trim()))
}

/// Frames of `posts` posts, a thousand a second at their own pace.
fn frames(file: &Path, posts: u64) {
    let mut lines = String::new();
    for n in 0..posts {
        let observed_at = 1_700_000_000_000 + n;
        let observed_at = chrono::DateTime::from_timestamp_millis(observed_at as i64).unwrap().to_rfc3339();
        let payload = status(n, &format!("{} words", n * 7_919));
        let frame = serde_json::json!({
            "server": "home.example", "observed_at": observed_at, "event": "update", "payload": payload,
        });
        writeln!(lines, "{frame}").unwrap();
    }
    fs::write(file, lines).unwrap();
}

#[test]
fn what_was_accepted_survives_a_power_cut() {
    let Some(disk) = Disk::new("what_was_accepted_survives_a_power_cut", 512) else { return };
    let rounds = std::env::var("FEDILAKE_CHAOS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(CUTS);
    let posts = 3_000 * u64::from(rounds);
    let file = disk.folder.path().join("frames.jsonl");
    frames(&file, posts);
    let file = file.to_str().unwrap();
    let mut dice = rand::rngs::StdRng::seed_from_u64(7);
    let mut cuts_at_work = 0;
    for _ in 0..rounds {
        let before = disk.answered();
        let running = Running::start(&mut disk.command(&["replay", file, "--pace", "real"]));
        wait_until("an accepted record", || disk.answered() > before || !running.is_running());
        // The test varies the moment of the cut.
        std::thread::sleep(LIFE_MAX.mul_f64(dice.random_range(0.0..1.0)));
        let answered = disk.answered();
        disk.cut_power();
        let said = running.end();
        if said.code() == Some(2) {
            cuts_at_work += 1;
            assert!(said.stderr.contains("error: ") && said.stderr.contains("Input/output error"), "{said:#?}");
        }
        disk.restore();
        let there = disk.number("select coalesce(max(log_offset) + 1, 0) from posts");
        assert!(there >= answered, "{answered} records were accepted, {there} are there");
    }
    assert!(cuts_at_work > rounds / 2, "only {cuts_at_work} of {rounds} cuts fell into work");
    disk.run(&["replay", file]).done();
    assert_eq!(disk.number("select count(*) from posts"), posts);
    disk.run(&["check"]).done();
}

/// Breaks the disk under a replay, which ends with `error`, mends it, and looks whether all that was accepted is there.
fn replay_meets(test: &str, error: &str, break_it: impl FnOnce(&Disk), mend: impl FnOnce(&Disk)) {
    const POSTS: u64 = 20_000;
    let Some(disk) = Disk::new(test, 256) else { return };
    let file = disk.folder.path().join("frames.jsonl");
    frames(&file, POSTS);
    let file = file.to_str().unwrap();
    let running = Running::start(&mut disk.command(&["replay", file, "--pace", "real"]));
    wait_until("an accepted record", || disk.answered() > 0);
    let answered = disk.answered();
    break_it(&disk);
    let said = running.end();
    assert_eq!(said.code(), Some(2), "{said:#?}");
    assert!(said.stderr.contains("error: ") && said.stderr.contains(error), "{said:#?}");

    mend(&disk);
    let there = disk.number("select coalesce(max(log_offset) + 1, 0) from posts");
    assert!(there >= answered, "{answered} records were accepted, {there} are there");
    disk.run(&["replay", file]).done();
    assert_eq!(disk.number("select count(*) from posts"), POSTS);
    disk.run(&["check"]).done();
}

#[test]
fn a_disk_that_turns_read_only_ends_the_program_with_its_name_and_costs_nothing_that_was_accepted() {
    let name = "a_disk_that_turns_read_only_ends_the_program_with_its_name_and_costs_nothing_that_was_accepted";
    replay_meets(name, "Read-only file system", Disk::turn_read_only, Disk::restore);
}

#[test]
fn a_disk_that_is_full_ends_the_program_with_its_name_and_goes_on_when_there_is_room() {
    let name = "a_disk_that_is_full_ends_the_program_with_its_name_and_goes_on_when_there_is_room";
    let balloon = |disk: &Disk| disk.mount().join("balloon");
    let fill = |disk: &Disk| {
        // In pieces, until no room is left.
        let mut file = fs::File::create(balloon(disk)).unwrap();
        while std::io::Write::write_all(&mut file, &vec![1; 1 << 20]).is_ok() {}
    };
    replay_meets(name, "No space left on device", fill, |disk| fs::remove_file(balloon(disk)).unwrap());
}
