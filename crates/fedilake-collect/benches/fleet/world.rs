//! The simulated servers, in processes of their own: this program once more, told what to do by lines on its stdin.
//!
//! A process answers each line on stdout, ends an answer with `.`, and ends itself when its stdin does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_collect::{ServerConfig, Timeline, address};
use fedilake_sim::serve::RateLimits;
use fedilake_sim::{Config, Fault, Simulation};
use tokio_util::sync::CancellationToken;

use crate::lags::{self, Shown};

/// The flag before the number of servers, the posts a second over all servers, and the posts before the start.
pub(crate) const FLAG: &str = "--world";

const END: &str = ".";

/// The servers to be started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) servers: usize,
    /// Posts a second over all servers; each is shown by one.
    pub(crate) rate: f64,
    /// Posts that are there before.
    pub(crate) history: u64,
}

/// The servers: in several processes, because each may open only so many files. They end when it is dropped.
pub(crate) struct World {
    parts: Vec<Part>,
    pub(crate) servers: Vec<ServerConfig>,
}

/// Servers of a process: each takes a file for itself, for its stream, and for a connection that waits for a request.
const SERVERS_MAX: usize = 5_000;

impl World {
    /// Starts the servers; they stream.
    pub(crate) fn start(size: &Size) -> anyhow::Result<World> {
        let count = size.servers.div_ceil(SERVERS_MAX);
        let share = Size {
            servers: size.servers.div_ceil(count),
            rate: size.rate / count as f64,
            history: size.history / count as u64,
        };
        let mut world = World { parts: Vec::new(), servers: Vec::new() };
        for _ in 0..count {
            let (part, addresses) = Part::start(&share)?;
            let config = |address: &String| Ok(ServerConfig::new(address::parse(address)?, Timeline::Public));
            world.servers.extend(addresses.iter().map(config).collect::<anyhow::Result<Vec<_>>>()?);
            world.parts.push(part);
        }
        Ok(world)
    }

    /// All servers reset every connection for so long.
    pub(crate) fn storm(&mut self, lasts: Duration) -> anyhow::Result<()> {
        self.ask(&format!("storm {}", lasts.as_millis())).map(drop)
    }

    /// The requests so far: of all servers, and of the one with the most.
    pub(crate) fn requests(&mut self) -> anyhow::Result<(u64, u64)> {
        let answer = self.ask("requests")?;
        let numbers: Vec<u64> = answer.iter().filter_map(|line| line.parse().ok()).collect();
        Ok((numbers.iter().step_by(2).sum(), numbers.iter().skip(1).step_by(2).copied().max().unwrap_or(0)))
    }

    /// No post is shown any more.
    pub(crate) fn end_flow(&mut self) -> anyhow::Result<()> {
        self.ask("end").map(drop)
    }

    /// The posts that are shown and not deleted.
    pub(crate) fn shown(&mut self) -> anyhow::Result<Vec<Shown>> {
        let shown = |line: &String| {
            let (key, at_ms) = line.split_once(' ')?;
            Some(Shown { key: u64::from_str_radix(key, 16).ok()?, at_ms: at_ms.parse().ok()? })
        };
        Ok(self.ask("shown")?.iter().filter_map(shown).collect())
    }

    fn ask(&mut self, line: &str) -> anyhow::Result<Vec<String>> {
        for part in &mut self.parts {
            writeln!(part.ask.as_mut().context("it runs")?, "{line}").context("ask the simulated servers")?;
        }
        let answers: Vec<Vec<String>> = self.parts.iter_mut().map(Part::answer).collect::<anyhow::Result<_>>()?;
        Ok(answers.concat())
    }
}

/// A process of servers.
struct Part {
    process: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Part {
    /// Starts it. Returns its servers' addresses too.
    fn start(size: &Size) -> anyhow::Result<(Part, Vec<String>)> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([FLAG, &format!("{} {} {}", size.servers, size.rate, size.history)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the simulated servers")?;
        let answers = BufReader::new(process.stdout.take().context("stdout is piped")?);
        let mut part = Part { ask: process.stdin.take(), process, answers };
        let addresses = part.answer()?;
        Ok((part, addresses))
    }

    fn answer(&mut self) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        for line in (&mut self.answers).lines() {
            match line? {
                line if line == END => return Ok(lines),
                line => lines.push(line),
            }
        }
        bail!("the simulated servers ended")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.ask.take();
        // Its end frees its ports; how it ended does not matter any more.
        let _ = self.process.wait();
    }
}

/// Serves until stdin ends.
pub(crate) fn serve(size: &str) -> anyhow::Result<()> {
    let mut words = size.split(' ');
    let mut next = || words.next().context("a size has three numbers");
    let config = Config {
        servers: next()?.parse()?,
        rate: next()?.parse()?,
        history: next()?.parse()?,
        reach: 1,
        delay: Duration::ZERO,
        backdated: 0.0,
        recent_max: 4_000_000,
        limits: RateLimits::default(),
        ..Config::default()
    };
    // A busy server makes its posts on one thread and sends them on another.
    let threads = if config.servers == 1 { 2 } else { 1 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let simulation = runtime.block_on(fedilake_sim::serve(config, CancellationToken::new()))?;
    answer(simulation.addresses().iter().map(|address| format!("http://{address}")))?;
    for line in std::io::stdin().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("storm", ms) => {
                let lasts = Duration::from_millis(ms.parse()?);
                (0..simulation.addresses().len())
                    .for_each(|server| simulation.set_fault(server, Some(Fault::Reset), Some(lasts)));
                answer([])?;
            }
            ("requests", _) => {
                let requests = (0..simulation.addresses().len()).map(|server| simulation.requests(server));
                let (all, most) = requests.fold((0, 0), |(all, most), one| (all + one, one.max(most)));
                answer([all.to_string(), most.to_string()])?;
            }
            ("end", _) => {
                simulation.end_flow();
                answer([])?;
            }
            ("shown", _) => answer(shown(&simulation))?,
            _ => bail!("unknown: {line}"),
        }
    }
    // Ends every task at once; nobody reads the servers any more.
    std::process::exit(0);
}

fn shown(simulation: &Simulation) -> impl Iterator<Item = String> {
    let there = simulation.truth().into_iter().filter(|post| post.deleted_at_ms.is_none());
    there.map(|post| format!("{:x} {}", lags::key(&post.server, &post.id), post.shown_at_ms))
}

fn answer(lines: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{END}")?;
    Ok(out.flush()?)
}
