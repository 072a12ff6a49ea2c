//! One question and its answer, in the lake's process.

use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use fedilake_query::answer::sql::SqlErrorKind;
use fedilake_query::{Cancel, Chunk, Lake, LakeError, Rows, Snapshot, SqlError, SqlLimits, check};
use tokio::runtime::Handle;

use super::bound::{Begun, Running};
use super::child::Notices;
use super::database::Database;
use super::protocol::{self, Asker, ComparisonStep, Ending, OtherSide, Piece, Question, SnapshotQuestion};

/// Interval at which an answer that nobody takes looks whether somebody still wants it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Niceness of the threads that answer people: a thread of takes has ten times their share of a busy core.
#[cfg(target_os = "linux")]
const PEOPLES_NICENESS: i32 = 10;
/// Size of a block of an answer.
const BLOCK_BYTES: usize = 64 << 10;

/// The database, and the watch over its questions.
pub struct Work {
    pub database: Database,
    /// Threads for people's questions, which give way to all others.
    pub people: Handle,
    pub running: Arc<Running>,
    pub notices: Notices,
}

/// Answers the question that comes on `socket`. A failed write means that nobody waits for the answer any more.
pub fn answer(work: Arc<Work>, socket: UnixStream) {
    let Ok(Some(question)) = protocol::receive::<Question>(&socket) else { return };
    let running = Arc::clone(&work.running);
    let cancel = (question.asker() == Asker::People).then(Cancel::default);
    let until = match &question {
        Question::Sql { time, .. } => Instant::now().checked_add(*time),
        _ => None,
    };
    let begun = running.begin(cancel.clone(), until);
    // Nobody waits for it any more.
    let _ = work.answer(question, &socket, &begun, cancel.unwrap_or_default());
    // In this order: who waits for the end of all questions has the database alone then.
    drop(work);
    drop(begun);
}

impl Work {
    fn answer(&self, question: Question, socket: &UnixStream, begun: &Begun<'_>, cancel: Cancel) -> io::Result<()> {
        match question {
            Question::Positions => protocol::send_end(socket, &self.database.lake().and_then(Lake::positions)),
            Question::Take(chunks) => self.take(&chunks, socket),
            Question::Seal => protocol::send_end(socket, &self.database.lake().and_then(Lake::seal)),
            Question::TellMissed(missed) => {
                protocol::send_end(socket, &self.database.lake().and_then(|lake| lake.tell_missed(&missed)))
            }
            Question::Held { holders, limit } => {
                protocol::send_end(socket, &self.database.lake().and_then(|lake| lake.held(&holders, limit)))
            }
            Question::Completeness(span) => {
                protocol::send_end(socket, &self.database.lake().and_then(|lake| lake.completeness(&span)))
            }
            Question::Report(question) => {
                self.rows(socket, begun, &cancel, |lake| lake.report_until(&question, &cancel))
            }
            Question::LookUp(lookup) => self.rows(socket, begun, &cancel, |lake| lake.look_up(&lookup, &cancel)),
            Question::Sql { text, time, memory_bytes_max, rows_max } => {
                let limits = SqlLimits { time, memory_bytes_max, rows_max, cancel };
                self.sql(&text, &limits, socket, begun)
            }
            Question::Snapshot => self.snapshot(socket, begun, &cancel),
        }
    }

    fn take(&self, chunks: &[Chunk], socket: &UnixStream) -> io::Result<()> {
        if self.database.is_replaced() {
            self.notices.end(Ending::Replaced);
        }
        let taken = self.database.lake().and_then(|lake| {
            lake.take(chunks, &mut |taken| {
                let progress = serde_json::to_vec(&taken).unwrap_or_default();
                // Nobody looks at how far it is; it goes on.
                let _ = protocol::send_piece(socket, &Piece::Progress(progress));
            })
        });
        if let Err(LakeError::Fatal(_)) = taken {
            self.notices.end(Ending::Invalidated);
        }
        protocol::send_end(socket, &taken)
    }

    /// Answers with rows that are held whole, unless nobody waits for them any more.
    fn rows(
        &self,
        socket: &UnixStream,
        begun: &Begun<'_>,
        cancel: &Cancel,
        ask: impl FnOnce(&Lake) -> Result<Rows, LakeError>,
    ) -> io::Result<()> {
        self.cancel_when_gone(socket, cancel)?;
        let answered = self.database.lake().and_then(ask).map_err(|error| match begun.is_out_of_memory() {
            true => LakeError::OutOfMemory(begun.out_of_memory()),
            false => error,
        });
        match answered {
            Ok(rows) => {
                for block in rows.ipc.chunks(BLOCK_BYTES) {
                    protocol::send_piece(socket, &Piece::Block(block.to_vec()))?;
                }
                protocol::send_end(socket, &Ok::<_, LakeError>(rows.note))
            }
            Err(error) => protocol::send_end(socket, &Err::<(), _>(error)),
        }
    }

    fn sql(&self, text: &str, limits: &SqlLimits, socket: &UnixStream, begun: &Begun<'_>) -> io::Result<()> {
        self.cancel_when_gone(socket, &limits.cancel)?;
        let until = Instant::now().checked_add(limits.time);
        let mut out = Blocks::new(Patient { socket, cancel: &limits.cancel, until }.begin()?);
        let asked = self.database.sql(text, limits, &mut out).map_err(|error| match begun.is_out_of_memory() {
            true => SqlError { kind: SqlErrorKind::Memory, message: begun.out_of_memory(), ..error },
            false => error,
        });
        if asked.is_ok() {
            out.flush()?;
        }
        let is_engines = |error: &SqlError| matches!(error.kind, SqlErrorKind::Engine | SqlErrorKind::Memory);
        let is_engines = asked.as_ref().is_err_and(is_engines);
        let answered = protocol::send_piece(out.into_inner(), &Piece::End(serde_json::to_vec(&asked)?));
        if is_engines && self.database.is_invalidated() {
            self.notices.end(Ending::Invalidated);
        }
        answered
    }

    /// Cancels the question when the other side of its socket goes.
    fn cancel_when_gone(&self, socket: &UnixStream, cancel: &Cancel) -> io::Result<()> {
        let (socket, cancel) = (socket.try_clone()?, cancel.clone());
        self.people.spawn_blocking(move || {
            if let Ok(OtherSide::Gone) = protocol::wait_for_other_side(&socket) {
                cancel.cancel();
            }
        });
        Ok(())
    }

    /// Holds one moment of the lake, and answers what is asked of it until the other side goes.
    fn snapshot(&self, socket: &UnixStream, begun: &Begun<'_>, cancel: &Cancel) -> io::Result<()> {
        let lake = match self.database.lake() {
            Ok(lake) => lake,
            Err(error) => return protocol::send_end(socket, &Err::<(), _>(error)),
        };
        let snapshot = match lake.snapshot() {
            Ok(snapshot) => snapshot,
            Err(error) => return protocol::send_end(socket, &Err::<(), _>(error)),
        };
        protocol::send_end(socket, &Ok::<_, LakeError>(snapshot.positions()))?;
        let questions = Questions::begin(socket, cancel)?;
        while let Some(question) = questions.next() {
            match question {
                SnapshotQuestion::Compare(chunks) => {
                    let mut progress = |share: f64| {
                        // Nobody looks at how far it is; it goes on.
                        let _ = send_step(socket, &ComparisonStep::Done(share));
                    };
                    let mut bring = |window: Range<usize>| {
                        let asked = send_step(socket, &ComparisonStep::Needs(window));
                        match asked.is_ok().then(|| questions.next()).flatten() {
                            Some(SnapshotQuestion::Brought) => Ok(()),
                            _ => Err(LakeError::Interrupted),
                        }
                    };
                    let found = compare(lake, &snapshot, &chunks, &mut bring, cancel, &mut progress);
                    let found = found.map_err(|error| match begun.is_out_of_memory() {
                        true => LakeError::OutOfMemory(begun.out_of_memory()),
                        false => error,
                    });
                    protocol::send_end(socket, &found)?;
                }
                SnapshotQuestion::Brought => {}
                SnapshotQuestion::Posts => protocol::send_end(socket, &snapshot.posts())?,
            }
        }
        Ok(())
    }
}

/// Lets this thread, which answers people, wait for those of takes, and so their next answers be of newer posts.
pub fn give_way() {
    // Elsewhere this is a property of the whole process.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, PEOPLES_NICENESS);
}

fn send_step(socket: &UnixStream, step: &ComparisonStep) -> io::Result<()> {
    protocol::send_piece(socket, &Piece::Progress(serde_json::to_vec(step)?))
}

/// The questions to a snapshot, received by a thread that cancels the one that is being answered when the other side goes.
struct Questions<'a> {
    socket: &'a UnixStream,
    cancel: &'a Cancel,
    received: Receiver<SnapshotQuestion>,
}

impl<'a> Questions<'a> {
    fn begin(socket: &'a UnixStream, cancel: &'a Cancel) -> io::Result<Questions<'a>> {
        let (sender, received) = mpsc::channel();
        let (from, gone) = (socket.try_clone()?, cancel.clone());
        std::thread::spawn(move || {
            while let Ok(Some(question)) = protocol::receive(&from) {
                if sender.send(question).is_err() {
                    return;
                }
            }
            gone.cancel();
        });
        Ok(Questions { socket, cancel, received })
    }

    /// The next question; `None` when the other side is gone or the snapshot is no longer wanted.
    fn next(&self) -> Option<SnapshotQuestion> {
        loop {
            match self.received.recv_timeout(LOOK_AGAIN) {
                Err(RecvTimeoutError::Timeout) if !self.cancel.is_cancelled() => {}
                received => return received.ok(),
            }
        }
    }
}

/// Ends the thread, which holds the socket too, so that the other side sees the end.
impl Drop for Questions<'_> {
    fn drop(&mut self) {
        // A socket whose other side is gone is as good as shut.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The findings, a sentence each.
fn compare(
    lake: &Lake,
    snapshot: &Snapshot,
    chunks: &[Chunk],
    bring: &mut check::Bring<'_>,
    cancel: &Cancel,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<String>, LakeError> {
    Ok(check::rows(lake, snapshot, chunks, bring, cancel, progress)?.iter().map(ToString::to_string).collect())
}

/// A question's socket that waits for the other side for as long as the question is wanted and its time is not over.
struct Patient<'a> {
    socket: &'a UnixStream,
    cancel: &'a Cancel,
    until: Option<Instant>,
}

impl<'a> Patient<'a> {
    fn begin(self) -> io::Result<Patient<'a>> {
        self.socket.set_read_timeout(Some(LOOK_AGAIN))?;
        self.socket.set_write_timeout(Some(LOOK_AGAIN))?;
        Ok(self)
    }

    fn patiently<T>(&self, mut attempt: impl FnMut(&UnixStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            match attempt(self.socket) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                done => return done,
            }
            if self.cancel.is_cancelled() || self.until.is_some_and(|until| Instant::now() > until) {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(|mut socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gathers an answer's bytes into blocks.
struct Blocks<'a> {
    socket: Patient<'a>,
    gathered: Vec<u8>,
}

impl<'a> Blocks<'a> {
    fn new(socket: Patient<'a>) -> Blocks<'a> {
        Blocks { socket, gathered: Vec::with_capacity(BLOCK_BYTES) }
    }

    fn into_inner(self) -> Patient<'a> {
        self.socket
    }
}

impl Write for Blocks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= BLOCK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        for block in self.gathered.chunks(BLOCK_BYTES) {
            protocol::send_piece(&mut self.socket, &Piece::Block(block.to_vec()))?;
        }
        self.gathered.clear();
        Ok(())
    }
}
