//! stdout: data for the caller, and whether the reader is still there.
//!
//! Data goes unchanged to a pipe or a file, and through the [`door`](crate::door) to a terminal. Output for people
//! ([`page`]) always goes through the door.

use std::io::{Error, ErrorKind, IsTerminal, Result, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::door::{Codes, Door};

static READER_IS_GONE: AtomicBool = AtomicBool::new(false);

/// stdout; remembers when its reader is gone, however callers wrap the error.
pub struct Output {
    stdout: StdoutLock<'static>,
    door: Option<Door>,
}

/// Locks stdout for data: unchanged in a pipe or file, through the door in a terminal.
pub fn stdout() -> Output {
    Output { stdout: std::io::stdout().lock(), door: is_terminal().then(|| Door::new(Codes::Refused)) }
}

/// Locks stdout for tables and reports: always through the door, with the codes of [`Style`](crate::render::Style).
pub fn page() -> Output {
    Output { stdout: std::io::stdout().lock(), door: Some(Door::new(Codes::Own)) }
}

/// True if stdout is a terminal.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// True if a write failed because the reader is gone, as with `fedilake sql … | head`. Not a failure.
pub fn reader_is_gone() -> bool {
    READER_IS_GONE.load(Relaxed)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match &mut self.door {
            None => self.stdout.write(bytes).map_err(named),
            Some(door) => {
                self.stdout.write_all(door.pass(bytes).as_bytes()).map_err(named)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.stdout.flush().map_err(named)
    }
}

/// Adds "write to standard output" to an error: callers that pass it on do not know the target.
pub fn named(error: Error) -> Error {
    if error.kind() == ErrorKind::BrokenPipe {
        READER_IS_GONE.store(true, Relaxed);
    }
    // `write_all` tries again after this kind of error.
    if error.kind() == ErrorKind::Interrupted {
        return error;
    }
    Error::new(error.kind(), format!("write to standard output: {error}"))
}
