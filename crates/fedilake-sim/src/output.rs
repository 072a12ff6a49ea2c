//! A file of recorded frames, compressed as its name says.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A file for recorded frames: compressed by zstd if the name ends in `.zst`, by gzip if in `.gz`, else plain.
pub enum Output {
    /// Not compressed.
    Plain(BufWriter<File>),
    /// Zstandard, level 3.
    Zstd(zstd::Encoder<'static, File>),
    /// Gzip, level 6.
    Gzip(GzEncoder<BufWriter<File>>),
}

impl Output {
    /// Creates the file, or empties it.
    pub fn create(path: &Path) -> io::Result<Output> {
        let file = File::create(path)?;
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("zst") => Output::Zstd(zstd::Encoder::new(file, 3)?),
            Some("gz") => Output::Gzip(GzEncoder::new(BufWriter::new(file), Compression::new(6))),
            _ => Output::Plain(BufWriter::new(file)),
        })
    }

    /// Writes the rest. A compressed file that was not finished is not whole.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Output::Plain(mut out) => out.flush(),
            Output::Zstd(out) => out.finish().map(drop),
            Output::Gzip(out) => out.finish()?.flush(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Plain(out) => out.write(bytes),
            Output::Zstd(out) => out.write(bytes),
            Output::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Plain(out) => out.flush(),
            Output::Zstd(out) => out.flush(),
            Output::Gzip(out) => out.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_name_says_how_a_file_is_compressed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.jsonl", "a.jsonl.zst", "a.jsonl.gz"] {
            let path = folder.path().join(name);
            let mut out = Output::create(&path).unwrap();
            out.write_all(b"{}\n").unwrap();
            out.finish().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let mut text = String::new();
            match name {
                "a.jsonl" => text = String::from_utf8(bytes).unwrap(),
                "a.jsonl.zst" => text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap(),
                _ => drop(flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap()),
            }
            assert_eq!(text, "{}\n", "{name}");
        }
    }
}
