//! The protocol between the lake's process and its parent: messages, and their bytes on the wire.
//!
//! The child's standard input is one end of a socket, the **control socket**. On it the parent sends an [`Opening`], then one byte a
//! message ([`Order`]), some with a file descriptor; the child sends [`Notice`]s. A question travels on a socket of its own, whose other
//! end comes with [`Order::Answer`]: so questions do not wait for each other, a slow reader holds up nobody else, and a question ends
//! with whoever asked it. An answer is any number of [`Piece`]s, the last of which is the end.
//!
//! A message is its length, 4 bytes, and JSON. A piece is its kind, 1 byte, its length, 4 bytes, and its bytes.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use fedilake_query::{Chunk, DirectOptions, Holder, LakeOptions, Lookup, Missed, S3Secret, Span};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// No message and no piece is longer.
const BYTES_MAX: u32 = 1 << 30;

/// The database that the child opens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Opening {
    /// The lake of a data folder.
    Lake { path: PathBuf, options: LakeOptions },
    /// A DuckDB over plain files, which answers [`Question::Sql`] alone.
    Files { options: DirectOptions, pattern: String, secret: Option<S3Secret> },
}

impl Opening {
    /// DuckDB's memory limit for each of the child's databases: bytes.
    pub fn memory_bytes_max(&self) -> u64 {
        match self {
            Opening::Lake { options, .. } => options.memory_bytes_max,
            Opening::Files { options, .. } => options.memory_bytes_max,
        }
    }
}

/// An order of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Keep the descriptor open until the database is closed: the data folder's lock.
    Keep,
    /// Answer the question on the socket that comes with it.
    Answer(Asker),
    /// Close the database and end.
    Close,
}

/// Who asks a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The program itself, such as a take.
    Program,
    /// Somebody who waits for the answer, and may go before it comes.
    People,
}

/// A notice of the child on the control socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// The database is open: questions may come. `rebuilt` says why a lake that lay there was deleted first.
    Opened { rebuilt: Option<String> },
    /// The database cannot be opened, and why.
    Refused(String),
    /// The child is about to end itself.
    Ending(Ending),
}

/// Why the child ends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The child held more memory than so many bytes.
    Memory { bytes_max: u64 },
    /// A statement did not hear that it was to stop.
    Unheard,
    /// DuckDB gave the database up.
    Invalidated,
    /// The lake's file is no longer the one that was opened.
    Replaced,
}

/// A question, on a socket of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Question {
    Positions,
    Take(Vec<Chunk>),
    Seal,
    TellMissed(Vec<Missed>),
    Report(Box<fedilake_query::Question>),
    LookUp(Lookup),
    Held {
        holders: Vec<Holder>,
        limit: u32,
    },
    Completeness(Span),
    Sql {
        text: String,
        time: Duration,
        memory_bytes_max: Option<u64>,
        rows_max: Option<u64>,
    },
    /// The lake at this moment, for the questions of a snapshot that follow on the same socket.
    Snapshot,
}

impl Question {
    /// Who asks it.
    pub fn asker(&self) -> Asker {
        match self {
            Question::Sql { .. } | Question::Snapshot | Question::Report(_) | Question::LookUp(_) => Asker::People,
            Question::Positions
            | Question::Take(_)
            | Question::Seal
            | Question::TellMissed(_)
            | Question::Held { .. }
            | Question::Completeness(_) => Asker::Program,
        }
    }
}

/// A question to a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SnapshotQuestion {
    /// Checks every row of the files, and the snapshot against them. The files are here once they are [`SnapshotQuestion::Brought`].
    Compare(Vec<Chunk>),
    /// The files for which the comparison waits are here.
    Brought,
    /// How many posts it shows.
    Posts,
}

/// A message of a comparison before its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ComparisonStep {
    /// The share that is done, 0 to 1.
    Done(f64),
    /// The comparison reads the files of these chunks next, and waits for [`SnapshotQuestion::Brought`]. It no longer needs those before.
    Needs(Range<usize>),
}

/// A part of an answer.
#[derive(Debug)]
pub enum Piece {
    /// Bytes of an Arrow IPC stream.
    Block(Vec<u8>),
    /// How far a take or a comparison is: JSON.
    Progress(Vec<u8>),
    /// The result, after which nothing comes: JSON.
    End(Vec<u8>),
}

/// Sends a message.
pub fn send(mut socket: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let mut bytes = length(json.len())?.to_vec();
    bytes.extend(json);
    socket.write_all(&bytes)
}

/// Receives a message; None where the other side is gone.
pub fn receive<T: DeserializeOwned>(mut socket: impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if !read_all_or_nothing(&mut socket, &mut length)? {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&read_bytes(&mut socket, length)?)?))
}

/// Sends a piece of an answer.
pub fn send_piece(mut socket: impl Write, piece: &Piece) -> io::Result<()> {
    let (kind, bytes) = match piece {
        Piece::Block(bytes) => (b'b', bytes),
        Piece::Progress(json) => (b'p', json),
        Piece::End(json) => (b'e', json),
    };
    let mut head = vec![kind];
    head.extend(length(bytes.len())?);
    // A short piece in one go.
    if bytes.len() < 4096 {
        head.extend(bytes);
        return socket.write_all(&head);
    }
    socket.write_all(&head)?;
    socket.write_all(bytes)
}

/// Sends the result of a question.
pub fn send_end(socket: &UnixStream, result: &impl Serialize) -> io::Result<()> {
    send_piece(socket, &Piece::End(serde_json::to_vec(result)?))
}

/// Receives a piece of an answer; None where the other side is gone.
pub fn receive_piece(mut socket: impl Read) -> io::Result<Option<Piece>> {
    let mut head = [0; 5];
    if !read_all_or_nothing(&mut socket, &mut head)? {
        return Ok(None);
    }
    let [kind, length @ ..] = head;
    let bytes = read_bytes(&mut socket, length)?;
    Ok(Some(match kind {
        b'b' => Piece::Block(bytes),
        b'p' => Piece::Progress(bytes),
        b'e' => Piece::End(bytes),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a piece of kind {kind}"))),
    }))
}

/// Sends an order, with a descriptor where it needs one.
pub fn send_order(socket: &UnixStream, order: Order, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        let fits = control.push(SendAncillaryMessage::ScmRights(&descriptors));
        assert!(fits, "there is space for one descriptor");
    }
    let byte = [match order {
        Order::Keep => b'k',
        Order::Answer(Asker::Program) => b'a',
        Order::Answer(Asker::People) => b'p',
        Order::Close => b'c',
    }];
    sendmsg(socket, &[IoSlice::new(&byte)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives an order and what came with it; None where the parent is gone.
pub fn receive_order(socket: &UnixStream) -> io::Result<Option<(Order, Option<OwnedFd>)>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let order = match byte {
        _ if received.bytes == 0 => return Ok(None),
        [b'k'] => Order::Keep,
        [b'a'] => Order::Answer(Asker::Program),
        [b'p'] => Order::Answer(Asker::People),
        [b'c'] => Order::Close,
        [other] => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("an order {other}"))),
    };
    Ok(Some((order, descriptor)))
}

/// Returns when the other side of a socket is gone, or says something, which stays to be read.
pub fn wait_for_other_side(socket: impl AsFd) -> io::Result<OtherSide> {
    loop {
        match rustix::net::recv(socket.as_fd(), &mut [0_u8; 1], RecvFlags::PEEK) {
            Ok((0, _)) => return Ok(OtherSide::Gone),
            Ok(_) => return Ok(OtherSide::Speaks),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(Errno::CONNRESET) => return Ok(OtherSide::Gone),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The other side of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherSide {
    Speaks,
    Gone,
}

fn length(bytes: usize) -> io::Result<[u8; 4]> {
    let length = u32::try_from(bytes).ok().filter(|length| *length <= BYTES_MAX);
    Ok(length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a message is too long"))?.to_be_bytes())
}

fn read_bytes(socket: &mut impl Read, length: [u8; 4]) -> io::Result<Vec<u8>> {
    let length = u32::from_be_bytes(length);
    if length > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
    }
    let mut bytes = vec![0; length as usize];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Fills `buffer`; false where the other side was gone before.
fn read_all_or_nothing(socket: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    loop {
        match socket.read(&mut buffer[..1]) {
            Ok(0) => return Ok(false),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A socket whose other side died with unread bytes in it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    socket.read_exact(&mut buffer[1..])?;
    Ok(true)
}
