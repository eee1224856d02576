//! Text of any encoding as UTF-8. UTF-8 and UTF-16 with a byte order mark are known; every other
//! encoding must be named, for a wrong guess would change names without a word.

use std::io::{self, Read};

use anyhow::{Context as _, Result};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{TableError, source::Stream};

/// Bytes that are looked at before the first row is read.
const HEAD: usize = 64 << 10;

/// The encoding of a name such as `windows-1252`, `latin1` or `utf-16le`.
pub(crate) fn encoding(name: &str) -> Result<&'static Encoding, String> {
    let name = match name.trim().to_ascii_lowercase().as_str() {
        "cp1252" | "ansi" => "windows-1252".to_owned(),
        "latin-1" => "latin1".to_owned(),
        other => other.to_owned(),
    };
    Encoding::for_label(name.as_bytes())
        .ok_or_else(|| format!("`{name}` is no known encoding; try utf-8 or windows-1252"))
}

/// A text and what was found out about it.
pub(super) struct Decoded {
    pub(super) reader: Text,
    pub(super) note: Option<String>,
}

/// Reads UTF-8, whatever the file holds. What should be UTF-8 and is not comes as it is: the rows
/// that hold it are known then.
pub(super) struct Text {
    source: Source,
    head: Vec<u8>,
    /// Bytes of the head that were taken.
    taken: usize,
}

enum Source {
    Plain(Stream),
    Decoded {
        stream: Stream,
        decoder: Box<Decoder>,
        raw: Vec<u8>,
        ready: Vec<u8>,
        at: usize,
        ended: bool,
    },
}

/// Begins to read `stream`.
pub(super) fn decode(
    name: &str,
    mut stream: Stream,
    named: Option<&'static Encoding>,
) -> Result<Decoded> {
    let reading = || format!("reading {name}");
    let mut mark = vec![0; 3];
    let mut length = 0;
    while length < mark.len() {
        match stream.read(&mut mark[length..]).with_context(reading)? {
            0 => break,
            read => length += read,
        }
    }
    mark.truncate(length);
    let (encoding, marked) = match Encoding::for_bom(&mark) {
        Some((encoding, bytes)) => {
            mark.drain(..bytes);
            (encoding, true)
        }
        None => (named.unwrap_or(UTF_8), false),
    };
    let stream: Stream = Box::new(io::Cursor::new(mark).chain(stream));
    let note = (encoding != UTF_8).then(|| format!("text is read as {}", encoding.name()));
    let is_wide = encoding == UTF_16LE || encoding == UTF_16BE;
    let source = if encoding == UTF_8 {
        Source::Plain(stream)
    } else {
        let decoder = Box::new(encoding.new_decoder_without_bom_handling());
        let raw = vec![0; 64 << 10];
        Source::Decoded { stream, decoder, raw, ready: Vec::new(), at: 0, ended: false }
    };
    let mut reader = Text { source, head: Vec::new(), taken: 0 };
    let head = reader.head().with_context(reading)?;
    if let Some(reason) = zero_bytes(head).filter(|_| !is_wide && !marked) {
        return Err(TableError::NotCsv { name: name.to_owned(), reason }.into());
    }
    if is_wide && marked && head.starts_with(&[0]) {
        let reason = "it looks like UTF-32, which is not read; save it as UTF-8".into();
        return Err(TableError::NotCsv { name: name.to_owned(), reason }.into());
    }
    Ok(Decoded { reader, note })
}

/// What a text of one byte a letter is that holds many zero bytes. A few are damage of single rows.
fn zero_bytes(head: &[u8]) -> Option<String> {
    let zeros = head.iter().filter(|&&byte| byte == 0).count();
    if zeros == 0 || zeros * 10 < head.len() {
        return None;
    }
    let first = head.iter().step_by(2).filter(|&&byte| byte == 0).count();
    // The high byte of Latin letters is zero, and stands first or second.
    let named = if first * 2 > zeros { "utf-16be" } else { "utf-16le" };
    Some(format!(
        "it holds zero bytes; is it UTF-16 without a byte order mark? Then say --encoding {named}"
    ))
}

impl Text {
    /// The first 64 KiB of the text, which stay to be read.
    pub(super) fn head(&mut self) -> io::Result<&[u8]> {
        if self.head.is_empty() {
            let mut head = vec![0; HEAD];
            let mut length = 0;
            while length < HEAD {
                match self.source.read(&mut head[length..])? {
                    0 => break,
                    read => length += read,
                }
            }
            head.truncate(length);
            self.head = head;
        }
        Ok(&self.head)
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.head[self.taken..];
        if rest.is_empty() {
            return self.source.read(buffer);
        }
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (stream, decoder, raw, ready, at, ended) = match self {
            Self::Plain(stream) => return stream.read(buffer),
            Self::Decoded { stream, decoder, raw, ready, at, ended } => {
                (stream, decoder, raw, ready, at, ended)
            }
        };
        while *at == ready.len() && !*ended {
            let length = stream.read(raw)?;
            *ended = length == 0;
            ready.resize(decoder.max_utf8_buffer_length(length).unwrap_or(1 << 20), 0);
            let (result, _, written, _) = decoder.decode_to_utf8(&raw[..length], ready, *ended);
            debug_assert_eq!(result, CoderResult::InputEmpty);
            ready.truncate(written);
            *at = 0;
        }
        let rest = &ready[*at..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        *at += length;
        Ok(length)
    }
}
