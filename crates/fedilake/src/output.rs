//! stdout, which is data, and whether anybody still reads it.
//!
//! A pipe or a file gets data to the byte. A terminal gets it through the [`door`](crate::door), and so does whatever reads what
//! is meant for people ([`page`]).

use std::io::{Error, ErrorKind, IsTerminal, Result, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::door::{Codes, Door};

static READER_IS_GONE: AtomicBool = AtomicBool::new(false);

/// stdout; notes when its reader went away, however the error is wrapped on its way up.
pub struct Output {
    stdout: StdoutLock<'static>,
    door: Option<Door>,
}

/// Locks stdout for data: as it is in a pipe, through the door in a terminal.
pub fn stdout() -> Output {
    Output { stdout: std::io::stdout().lock(), door: is_terminal().then(|| Door::new(Codes::Refused)) }
}

/// Locks stdout for tables and reports: through the door wherever they go, with the weights of [`Style`](crate::render::Style).
pub fn page() -> Output {
    Output { stdout: std::io::stdout().lock(), door: Some(Door::new(Codes::Own)) }
}

/// True if stdout is a terminal.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether a write failed because nobody reads: `fedilake sql … | head` is a normal thing to do.
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

/// The error with what failed; whoever passes it on knows only that something was written.
fn named(error: Error) -> Error {
    if error.kind() == ErrorKind::BrokenPipe {
        READER_IS_GONE.store(true, Relaxed);
    }
    // `write_all` goes on after this one.
    if error.kind() == ErrorKind::Interrupted {
        return error;
    }
    Error::new(error.kind(), format!("write to standard output: {error}"))
}
