//! The lake's process itself: it owns the database, answers what comes on the control socket, and ends with its parent.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::answering::{self, Work};
use super::bound::{self, Bound, Running};
use super::database::Database;
use super::protocol::{self, Ending, Notice, Opening, Order, OtherSide};

/// How long questions may take to end when the database is to be closed.
const LAST_QUESTIONS: Duration = Duration::from_secs(10);

/// Opens what the parent names on the control socket, which is standard input, and answers until the parent orders the close. Without
/// a parent the process ends at once, as a kill ends it.
pub fn run() -> anyhow::Result<ExitCode> {
    let control = control_socket()?;
    ignore_signals()?;
    let opening: Opening =
        protocol::receive(&control).context("hear from the parent")?.context("the parent is gone")?;
    // A machine whose memory runs out ends this process first, not the one that collects.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    let bound = Bound::of_databases(opening.memory_bytes_max());
    bound::limit_mappings(bound);
    let Some((Order::Keep, lock)) = protocol::receive_order(&control)? else { bail!("the parent is gone") };
    end_with_the_parent(control.try_clone()?);
    let notices = Notices::new(control.try_clone()?);
    let database = match Database::open(&opening) {
        Ok(database) => database,
        Err(error) => {
            notices.send(&Notice::Refused(format!("{error:#}")))?;
            return Ok(ExitCode::from(2));
        }
    };
    let running = Arc::new(Running::new(bound));
    watch(Arc::clone(&running), notices.clone());
    notices.send(&Notice::Opened)?;
    let work = Arc::new(Work { database, running: Arc::clone(&running), notices });
    loop {
        match protocol::receive_order(&control)? {
            Some((Order::Answer, Some(socket))) => {
                let work = Arc::clone(&work);
                std::thread::spawn(move || answering::answer(work, UnixStream::from(socket)));
            }
            Some((Order::Close, _)) => break,
            Some((Order::Keep | Order::Answer, _)) => bail!("an order came without what it needs"),
            None => end_at_once(),
        }
    }
    running.end_all(LAST_QUESTIONS);
    match Arc::into_inner(work) {
        Some(work) => drop(work.database),
        // A question that does not end.
        None => end_at_once(),
    }
    drop(lock);
    Ok(ExitCode::SUCCESS)
}

fn control_socket() -> anyhow::Result<UnixStream> {
    let input = std::io::stdin();
    rustix::net::sockopt::socket_type(input.as_fd())
        .context("this verb is for fedilake's own use: it starts it with a socket as standard input")?;
    Ok(UnixStream::from(input.as_fd().try_clone_to_owned()?))
}

/// Leaves it to the parent to say when to stop: a service manager signals every process of a service.
fn ignore_signals() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        // Who has listened once has taken the default away for good.
        drop(signal(kind)?);
    }
    Ok(())
}

/// Ends the process when the parent goes before the database is open. Afterwards orders are received, which shows it too.
fn end_with_the_parent(control: UnixStream) {
    std::thread::spawn(move || {
        if let Ok(OtherSide::Gone) = protocol::wait_for_other_side(&control) {
            end_at_once();
        }
    });
}

/// Ends the process when the questions that run make it necessary.
fn watch(running: Arc<Running>, notices: Notices) {
    std::thread::spawn(move || notices.end(running.watch()));
}

/// Ends the process without closing anything, which is safe: what was committed is on disk.
fn end_at_once() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

/// Where notices to the parent go.
#[derive(Clone)]
pub struct Notices(Arc<Mutex<UnixStream>>);

impl Notices {
    fn new(control: UnixStream) -> Notices {
        Notices(Arc::new(Mutex::new(control)))
    }

    fn send(&self, notice: &Notice) -> io::Result<()> {
        protocol::send(&self.0.lock().unwrap_or_else(PoisonError::into_inner), notice)
    }

    /// Says why the process ends, and ends it.
    pub fn end(&self, why: Ending) -> ! {
        // A parent that is gone needs no reason.
        let _ = self.send(&Notice::Ending(why));
        end_at_once()
    }
}
