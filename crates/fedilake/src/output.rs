//! stdout, which is data, and whether anybody still reads it.

use std::io::{Error, ErrorKind, Result, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static READER_IS_GONE: AtomicBool = AtomicBool::new(false);

/// stdout; notes when its reader went away, however the error is wrapped on its way up.
pub struct Output(StdoutLock<'static>);

/// Locks stdout.
pub fn stdout() -> Output {
    Output(std::io::stdout().lock())
}

/// Whether a write failed because nobody reads: `fedilake sql … | head` is a normal thing to do.
pub fn reader_is_gone() -> bool {
    READER_IS_GONE.load(Relaxed)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(named)
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
