//! The lake's process itself: it owns the database, answers what comes on the control socket, and ends with its parent.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::PanicHookInfo;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::fs::Mode;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::answering::{self, Work};
use super::bound::{self, Bound, Running};
use super::database::Database;
use super::protocol::{self, Asker, Ending, Notice, Opening, Order, OtherSide};
use crate::identity::Identity;
use crate::owner::LOCK_FILE;
use crate::telemetry;

/// How long questions may take to end when the database is to be closed.
const LAST_QUESTIONS: Duration = Duration::from_secs(10);

/// The most threads for people's questions, of which each takes two. The program admits far fewer questions at once.
const PEOPLES_THREADS_MAX: usize = 4096;

/// Stack of a question's thread: DuckDB parses and plans a nested statement on it.
const STACK_BYTES: usize = 16 << 20;

/// Opens what the parent names on the control socket, which is standard input, and answers until the parent orders the close. Without
/// a parent the process ends at once, as a kill ends it.
pub fn run() -> anyhow::Result<ExitCode> {
    std::panic::set_hook(Box::new(end_by_panic));
    let control = control_socket()?;
    ignore_signals()?;
    // The lake, its write-ahead log and what questions spill are for their user alone, also in a folder that is not.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let opening: Opening =
        protocol::receive(&control).context("hear from the parent")?.context("the parent is gone")?;
    // A machine whose memory runs out ends this process first, not the one that collects.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    let bound = Bound::of_databases(opening.memory_bytes_max());
    bound::limit_mappings(bound);
    let Some((Order::Keep, lock)) = protocol::receive_order(&control)? else { bail!("the parent is gone") };
    end_with_the_parent(control.try_clone()?);
    let notices = Notices::new(control.try_clone()?);
    if let (Opening::Lake { path, .. }, Some(lock)) = (&opening, &lock)
        && !is_of_the_folder(lock, path)?
    {
        notices.send(&Notice::Refused("the data folder or its lock file was moved, deleted or replaced".to_owned()))?;
        return Ok(ExitCode::from(2));
    }
    let database = match Database::open(&opening) {
        Ok(database) => database,
        Err(error) => {
            notices.send(&Notice::Refused(format!("{error:#}")))?;
            return Ok(ExitCode::from(2));
        }
    };
    let running = Arc::new(Running::new(bound));
    watch(Arc::clone(&running), notices.clone());
    notices.send(&Notice::Opened { rebuilt: database.rebuilt().map(str::to_owned) })?;
    let people = threads_for_people()?;
    let work = Arc::new(Work { database, people: people.handle().clone(), running: Arc::clone(&running), notices });
    loop {
        match protocol::receive_order(&control)? {
            Some((Order::Answer(asker), Some(socket))) => {
                let work = Arc::clone(&work);
                let question = move || answering::answer(work, UnixStream::from(socket));
                match asker {
                    Asker::People => drop(people.spawn_blocking(question)),
                    Asker::Program => {
                        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(question);
                        drop(thread.context("start a question's thread")?);
                    }
                }
            }
            Some((Order::Close, _)) => break,
            Some((Order::Keep | Order::Answer(_), _)) => bail!("an order came without what it needs"),
            None => end_at_once(),
        }
    }
    running.end_all(LAST_QUESTIONS);
    people.shutdown_background();
    match Arc::into_inner(work) {
        Some(work) => drop(work.database),
        // A question that does not end.
        None => end_at_once(),
    }
    drop(lock);
    Ok(ExitCode::SUCCESS)
}

/// Threads that wait a while for another question after they answered one: starting one takes longer than some answers.
fn threads_for_people() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .thread_stack_size(STACK_BYTES)
        .max_blocking_threads(PEOPLES_THREADS_MAX)
        .on_thread_start(answering::give_way)
        .build()
}

/// True while the locked file lies beside the lake at `path`: another folder at that path has other owners.
fn is_of_the_folder(lock: &OwnedFd, path: &Path) -> anyhow::Result<bool> {
    let identity = Identity::of(lock).context("look at the data folder's lock")?;
    Ok(identity.is_at(&path.with_file_name(LOCK_FILE)))
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
        // A listener, even a dropped one, replaces the signal's default action for good.
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

/// Ends the process by a panic of any thread: without the thread its question has no answer, and the parent would wait for one.
pub(super) fn end_by_panic(panic: &PanicHookInfo<'_>) {
    telemetry::say_panic(panic);
    std::process::abort();
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
