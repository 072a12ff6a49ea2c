//! Costs of work, and the machine on which it ran.

use std::fmt;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;

/// Wall time, and user and system time of all of the process's threads.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: Duration,
    pub cpu: Duration,
}

impl Cost {
    /// Units a second of CPU.
    pub fn rate(&self, units: u64) -> f64 {
        units as f64 / self.cpu.as_secs_f64()
    }

    /// Units a second of wall time.
    pub fn wall_rate(&self, units: u64) -> f64 {
        units as f64 / self.wall.as_secs_f64()
    }
}

impl std::ops::Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// Runs `work` once and measures it.
pub fn cost_of<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Cost)> {
    let (wall, cpu) = (Instant::now(), ProcessTime::now());
    let done = work()?;
    Ok((done, Cost { wall: wall.elapsed(), cpu: cpu.elapsed() }))
}

/// Wall times of repeated work, sorted, and its CPU time a round.
#[derive(Clone, Debug)]
pub struct Times {
    walls: Vec<Duration>,
    cpu: Duration,
}

impl Times {
    /// Runs `work` once unmeasured, then `rounds` times.
    pub fn of<T>(rounds: usize, mut work: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Times> {
        work()?;
        let mut walls = Vec::with_capacity(rounds);
        let cpu = ProcessTime::now();
        for _ in 0..rounds {
            let began = Instant::now();
            work()?;
            walls.push(began.elapsed());
        }
        let cpu = cpu.elapsed() / u32::try_from(rounds)?;
        Ok(Times { cpu, ..Times::from(walls) })
    }

    /// The time that a share of the rounds (0 to 1) did not exceed: the nearest rank.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.walls.len() as f64).ceil() as usize;
        self.walls[rank.clamp(1, self.walls.len()) - 1]
    }

    /// The median of the rounds.
    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    /// CPU time of a round, by all threads, on average; zero where only wall times were taken.
    pub fn cpu(&self) -> Duration {
        self.cpu
    }

    /// The longest round.
    pub fn max(&self) -> Duration {
        self.quantile(1.0)
    }
}

impl From<Vec<Duration>> for Times {
    fn from(mut walls: Vec<Duration>) -> Times {
        assert!(!walls.is_empty(), "something was timed");
        walls.sort_unstable();
        Times { walls, cpu: Duration::ZERO }
    }
}

/// The machine on which figures were measured.
pub struct Machine {
    cores: usize,
    cpu: String,
}

impl Machine {
    /// This machine, as far as the system describes it.
    pub fn here() -> Machine {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: model.unwrap_or(std::env::consts::ARCH).to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores, {}, {}", self.cores, self.cpu, std::env::consts::OS)
    }
}
