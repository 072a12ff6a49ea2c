//! The lake in a process of its own, so that no question can take down who collects.
//!
//! DuckDB runs whatever SQL people give it, and what it then holds in memory has no limit that can be trusted. So it lives in a child
//! process of this same program ([`child`]), which owns `lake.duckdb`, watches what it holds ([`bound`]) and ends itself beyond that;
//! a crash of DuckDB is no more than that either. [`LakeProcess`] is the parent's side: questions go to the child ([`protocol`]), a
//! child that ended is followed by another ([`supervisor`]). What was committed is on disk; what only reads is asked again once; a take
//! is lost as a whole, and its caller goes on from the lake's own position.
//!
//! The child holds the data folder's lock too, so the folder has an owner until the database is closed, also when the parent was killed.
//! A child without a parent ends at once.
//!
//! Everything here blocks; async callers use `spawn_blocking`.

mod answering;
mod bound;
pub mod child;
mod database;
mod protocol;
mod supervisor;

use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fedilake_query::answer::sql::SqlErrorKind;
use fedilake_query::{
    Cancel, Chunk, Completeness, Held, Holder, LakeError, LakePosition, Lookup, Missed, Rows, Span, SqlError,
    SqlLimits, SqlSummary, TakeProgress,
};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use self::protocol::{ComparisonStep, Ending, Question, SnapshotQuestion};
pub use self::protocol::{Opening, Piece, receive_piece, send_piece};
use self::supervisor::{Channel, Supervised};
use crate::owner::Ownership;
use crate::temporary::Scratch;

/// The verb that is the lake's process.
pub const VERB: &str = "lake-process";
/// Interval at which a waiting asker looks whether the answer is still wanted.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The lake's own failure.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The lake's process ended while it worked on the question; another one is there, or comes.
    #[error("{0}")]
    Ended(Ended),
    /// There is no such process any more.
    #[error("{0}")]
    Gone(String),
}

/// Why a process of the lake ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The process held more than so many bytes.
    #[error("{}", bound::out_of_memory(*bytes_max))]
    Memory { bytes_max: u64 },
    /// A statement did not stop when its time was over, or when nobody waited for it any more.
    #[error("stopped: it did not end when it was told to")]
    Unheard,
    /// DuckDB refused everything after an error.
    #[error("DuckDB gave the lake up after an error")]
    Invalidated,
    /// Somebody deleted or replaced the lake's file.
    #[error("the lake's file was deleted or replaced")]
    Replaced,
    /// A crash, or a kill from outside.
    #[error("the lake's process ended: {0}")]
    Crashed(String),
}

impl From<Ending> for Ended {
    fn from(ending: Ending) -> Ended {
        match ending {
            Ending::Memory { bytes_max } => Ended::Memory { bytes_max },
            Ending::Unheard => Ended::Unheard,
            Ending::Invalidated => Ended::Invalidated,
            Ending::Replaced => Ended::Replaced,
        }
    }
}

/// The lake, or a DuckDB over files, in a process of its own. Dropped, it closes the database and waits for the end of the process.
pub struct LakeProcess {
    supervised: Arc<Supervised>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    /// Removed after the end of the process.
    scratch: Option<Scratch>,
}

impl LakeProcess {
    /// Starts the process, which keeps the folder's lock; does not wait until the database is open.
    pub fn start(opening: Opening, ownership: Option<Arc<Ownership>>) -> LakeProcess {
        let supervised = Arc::<Supervised>::default();
        let supervisor = std::thread::spawn({
            let supervised = Arc::clone(&supervised);
            move || supervisor::run(&supervised, &opening, ownership)
        });
        LakeProcess { supervised, supervisor: Mutex::new(Some(supervisor)), scratch: None }
    }

    /// Removes `scratch`, into which the process may write, after its end, however it ends.
    pub fn with_scratch(mut self, scratch: Scratch) -> LakeProcess {
        self.scratch = Some(scratch);
        self
    }

    /// Returns when the database is open, or cannot be opened.
    pub fn opened(&self) -> Result<(), AskError> {
        self.supervised.channel().map(drop)
    }

    /// True if questions are answered now; false while a process opens the database. Does not block.
    pub fn is_open(&self) -> bool {
        self.supervised.is_open()
    }

    /// The next offset that the lake needs, for each log partition that it has taken from.
    pub fn positions(&self) -> Result<Vec<LakePosition>, AskError> {
        self.twice(|| self.ask(&Question::Positions)?.end(&mut |_| {}))
    }

    /// Takes the rows that the lake does not have yet. After [`AskError::Ended`] the lake has all of them, none, or the first ones.
    pub fn take(&self, chunks: &[Chunk], progress: &mut dyn FnMut(TakeProgress)) -> Result<(), AskError> {
        self.ask(&Question::Take(chunks.to_vec()))?.end::<()>(progress)?;
        self.supervised.note_progress();
        Ok(())
    }

    /// Seals the oldest open days; false if none was open. See [`Lake::seal`](fedilake_query::Lake::seal).
    pub fn seal(&self) -> Result<bool, AskError> {
        self.twice(|| self.ask(&Question::Seal)?.end(&mut |_| {}))
    }

    /// Tells the lake gaps and skips of servers. See [`Lake::tell_missed`](fedilake_query::Lake::tell_missed).
    pub fn tell_missed(&self, missed: &[Missed]) -> Result<(), AskError> {
        self.twice(|| self.ask(&Question::TellMissed(missed.to_vec()))?.end(&mut |_| {}))
    }

    /// The sightings that are held of authors and domains. See [`Lake::held`](fedilake_query::Lake::held).
    pub fn held(&self, holders: &[Holder], limit: u32) -> Result<Vec<Held>, AskError> {
        self.twice(|| self.ask(&Question::Held { holders: holders.to_vec(), limit })?.end(&mut |_| {}))
    }

    /// How complete servers are. See [`Lake::completeness`](fedilake_query::Lake::completeness).
    pub fn completeness(&self, span: &Span) -> Result<Vec<Completeness>, AskError> {
        self.twice(|| self.ask(&Question::Completeness(span.clone()))?.end(&mut |_| {}))
    }

    /// Answers a report.
    pub fn report(&self, question: &fedilake_query::Question) -> Result<Rows, AskError> {
        self.report_until(question, &Cancel::default())
    }

    /// Answers a report until `cancel` stops it.
    pub fn report_until(&self, question: &fedilake_query::Question, cancel: &Cancel) -> Result<Rows, AskError> {
        self.rows(&Question::Report(Box::new(question.clone())), cancel)
    }

    /// Answers a look-up until `cancel` stops it.
    pub fn look_up(&self, lookup: &Lookup, cancel: &Cancel) -> Result<Rows, AskError> {
        self.rows(&Question::LookUp(lookup.clone()), cancel)
    }

    fn rows(&self, question: &Question, cancel: &Cancel) -> Result<Rows, AskError> {
        let _asking = self.supervised.asking();
        self.twice(|| {
            let mut ipc = Vec::new();
            let answer = self.ask(question)?.cancelled_by(cancel)?;
            let answered = answer.stream::<Result<Option<String>, LakeError>>(&mut ipc);
            let note = answered.map_err(StreamError::never_written)??;
            Ok(Rows { ipc, note })
        })
    }

    /// Runs one statement and writes its rows as an Arrow IPC stream while they come. After an error the stream is cut.
    pub fn sql(&self, text: &str, limits: &SqlLimits, out: &mut dyn Write) -> Result<SqlSummary, SqlError> {
        let question = Question::Sql {
            text: text.to_owned(),
            time: limits.time,
            memory_bytes_max: limits.memory_bytes_max,
            rows_max: limits.rows_max,
        };
        let _asking = self.supervised.asking();
        let began = Instant::now();
        let answer = self.ask(&question).map_err(of_statement)?.cancelled_by(&limits.cancel).map_err(of_statement)?;
        match answer.stream::<Result<SqlSummary, SqlError>>(out) {
            Ok(answered) => answered,
            // The child gave up on a reader who took nothing until the time was over.
            Err(StreamError::Ask(AskError::Gone(_))) if began.elapsed() >= limits.time => Err(SqlError {
                kind: SqlErrorKind::Time,
                ..engine(format!("stopped after {:?}, the time limit", limits.time))
            }),
            Err(StreamError::Ask(error)) => Err(of_statement(error)),
            Err(StreamError::Write(error)) => {
                Err(SqlError { kind: SqlErrorKind::Output, ..engine(format!("write the answer: {error}")) })
            }
        }
    }

    /// The lake as it is now.
    pub fn snapshot(&self) -> Result<Snapshot, AskError> {
        self.twice(|| {
            let mut answer = self.ask(&Question::Snapshot)?;
            let positions = answer.next_end(&mut |_: IgnoredAny| {})?;
            Ok(Snapshot { answer, positions })
        })
    }

    fn ask(&self, question: &Question) -> Result<Answer, AskError> {
        let channel = self.supervised.channel()?;
        let (ours, theirs) = UnixStream::pair().map_err(broken)?;
        let answer = Answer { socket: ours, cancel: None, channel, supervised: Arc::clone(&self.supervised) };
        if answer.channel.pass(&theirs, question.asker()).is_err() {
            return Err(answer.ended());
        }
        drop(theirs);
        answer.send(question)?;
        Ok(answer)
    }

    /// Asks what only reads once more where the process ended meanwhile.
    fn twice<T>(&self, ask: impl Fn() -> Result<T, AskError>) -> Result<T, AskError> {
        match ask() {
            Err(AskError::Ended(_)) => ask(),
            answered => answered,
        }
    }
}

impl Drop for LakeProcess {
    fn drop(&mut self) {
        self.supervised.close();
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(supervisor) = supervisor {
            supervisor.join().expect("the supervisor does not panic");
        }
        drop(self.scratch.take());
    }
}

/// The lake at one moment, for as long as this is there.
pub struct Snapshot {
    answer: Answer,
    positions: Vec<LakePosition>,
}

impl Snapshot {
    /// Where the lake stood in each log partition that it had taken from.
    pub fn positions(&self) -> &[LakePosition] {
        &self.positions
    }

    /// Checks every row of the files, and this moment of the lake against them: what is wrong, a sentence each. `bring` makes the files
    /// of some chunks readable before they are read; those of its last call may go then. `progress` is told the share that is done, 0
    /// to 1.
    pub fn compare(
        &mut self,
        chunks: &[Chunk],
        bring: &mut dyn FnMut(Range<usize>) -> anyhow::Result<()>,
        cancel: &Cancel,
        progress: &mut dyn FnMut(f64),
    ) -> anyhow::Result<Vec<String>> {
        let _asking = self.answer.supervised.asking();
        self.answer.cancel = Some(cancel.clone());
        self.answer.socket.set_read_timeout(Some(LOOK_AGAIN)).map_err(broken)?;
        self.answer.send(&SnapshotQuestion::Compare(chunks.to_vec()))?;
        loop {
            match self.answer.piece()? {
                Piece::Progress(json) => match read(&json)? {
                    ComparisonStep::Done(share) => progress(share),
                    ComparisonStep::Needs(window) => {
                        bring(window)?;
                        self.answer.send(&SnapshotQuestion::Brought)?;
                    }
                },
                Piece::Block(_) => {}
                Piece::End(json) => return Ok(read::<Result<_, LakeError>>(&json)?.map_err(AskError::from)?),
            }
        }
    }

    /// How many posts it shows.
    pub fn posts(&mut self) -> Result<u64, AskError> {
        self.answer.send(&SnapshotQuestion::Posts)?;
        self.answer.next_end(&mut |_: IgnoredAny| {})
    }
}

/// An answer that comes.
struct Answer {
    socket: UnixStream,
    cancel: Option<Cancel>,
    channel: Arc<Channel>,
    supervised: Arc<Supervised>,
}

/// Why an answer did not arrive at whoever it was for.
enum StreamError {
    Ask(AskError),
    Write(io::Error),
}

impl StreamError {
    /// The error where the answer was for memory.
    fn never_written(self) -> AskError {
        match self {
            StreamError::Ask(error) => error,
            StreamError::Write(error) => broken(error),
        }
    }
}

impl Answer {
    /// Gives up the question when `cancel` says so.
    fn cancelled_by(mut self, cancel: &Cancel) -> Result<Answer, AskError> {
        self.socket.set_read_timeout(Some(LOOK_AGAIN)).map_err(broken)?;
        self.cancel = Some(cancel.clone());
        Ok(self)
    }

    fn send(&self, message: &impl Serialize) -> Result<(), AskError> {
        protocol::send(&self.socket, message).map_err(|error| self.failed(error))
    }

    /// The result of a question that has no rows.
    fn end<T: DeserializeOwned>(mut self, progress: &mut dyn FnMut(TakeProgress)) -> Result<T, AskError> {
        self.next_end(progress)
    }

    fn next_end<T: DeserializeOwned, P: DeserializeOwned>(
        &mut self,
        progress: &mut dyn FnMut(P),
    ) -> Result<T, AskError> {
        loop {
            match self.piece()? {
                Piece::Progress(json) => progress(read(&json)?),
                Piece::Block(_) => {}
                Piece::End(json) => return Ok(read::<Result<T, LakeError>>(&json)??),
            }
        }
    }

    /// Writes the rows to `out`, and returns the result.
    fn stream<T: DeserializeOwned>(mut self, out: &mut dyn Write) -> Result<T, StreamError> {
        loop {
            match self.piece().map_err(StreamError::Ask)? {
                Piece::Block(bytes) => out.write_all(&bytes).map_err(StreamError::Write)?,
                Piece::Progress(_) => {}
                Piece::End(json) => return read(&json).map_err(StreamError::Ask),
            }
        }
    }

    fn piece(&mut self) -> Result<Piece, AskError> {
        // Nobody wants the rows on their way any more, and the child may have given up in the middle of them.
        if self.is_cancelled() {
            return Err(AskError::Lake(LakeError::Interrupted));
        }
        match protocol::receive_piece(&mut *self) {
            Ok(Some(piece)) => Ok(piece),
            Ok(None) => Err(self.ended()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: io::Error) -> AskError {
        match error.kind() {
            ErrorKind::TimedOut if self.is_cancelled() => AskError::Lake(LakeError::Interrupted),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => self.ended(),
            _ => broken(error),
        }
    }

    /// The reason for the end of the other side.
    fn ended(&self) -> AskError {
        self.supervised.why_ended(&self.channel)
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(Cancel::is_cancelled)
    }
}

/// Waits for the child, and no longer than the answer is wanted.
impl Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.socket).read(buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.is_cancelled() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                read => return read,
            }
        }
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, AskError> {
    serde_json::from_slice(json).map_err(|error| broken(error.into()))
}

fn broken(error: io::Error) -> AskError {
    AskError::Gone(format!("ask the lake's process: {error}"))
}

/// The error of a statement that has no answer.
fn of_statement(error: AskError) -> SqlError {
    match error {
        AskError::Lake(error) => error.into(),
        AskError::Ended(ended) => {
            let kind = match ended {
                Ended::Memory { .. } => SqlErrorKind::Memory,
                Ended::Unheard => SqlErrorKind::Time,
                Ended::Invalidated | Ended::Replaced | Ended::Crashed(_) => SqlErrorKind::Engine,
            };
            SqlError { kind, ..engine(ended.to_string()) }
        }
        AskError::Gone(why) => engine(why),
    }
}

fn engine(message: String) -> SqlError {
    SqlError { kind: SqlErrorKind::Engine, message, line: None, column: None, excerpt: None }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use rustix::process::Signal;

    /// Not a test: the process of the lakes that the program's unit tests open.
    #[test]
    #[ignore = "the lake's process of other tests"]
    fn the_lakes_process() {
        super::child::run().unwrap();
    }

    /// Not a test: a process that a thread of it ends by a panic.
    #[test]
    #[ignore = "a process of another test"]
    fn a_process_with_a_panic() {
        std::panic::set_hook(Box::new(super::child::end_by_panic));
        let _ = std::thread::spawn(|| panic!("no such page")).join();
    }

    #[test]
    fn a_panic_ends_the_process_and_says_why() -> anyhow::Result<()> {
        let name = "lake_process::tests::a_process_with_a_panic";
        let ended =
            Command::new(std::env::current_exe()?).args([name, "--exact", "--ignored", "--nocapture"]).output()?;
        assert_eq!(ended.status.signal(), Some(Signal::ABORT.as_raw()), "{ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains("no such page"), "{ended:?}");
        Ok(())
    }
}
