//! One entry of the spool as a file: what it is, its body, then a note each time a part of it moves
//! on. Every piece is sealed. Knows neither order nor limits.
//!
//! `<number>.entry` is `[magic][frame: sheet][frame: about][frame: body][frame: note]…`; a frame is
//! a length and a sealed text. A file gets this name only once it is durable, so that one that does
//! not open is damaged; a note at the end that does not open was never acknowledged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::{CallId, SealKey, Secret, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::Lane;

const MAGIC: [u8; 4] = *b"CSP1";
const EXTENSION: &str = "entry";
/// A file that is being written.
const UNFINISHED: &str = "part";
/// Nonce and tag of AES-256-GCM.
const SEAL_BYTES: usize = 12 + 16;
/// The length before each sealed text.
const LENGTH_BYTES: usize = 4;
/// More than a sheet has with as many parts as there may be.
const SHEET_BYTES: usize = 64 * 1024;

const SHEET: &str = "sheet";
const ABOUT: &str = "about";
const BODY: &str = "body";
const NOTE: &str = "note";

/// What the spool itself has to know of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    pub lane: Lane,
    pub at: Timestamp,
    /// One for each part.
    pub calls: Vec<CallId>,
}

/// How a part stands from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// It left, or never will.
    Ended { part: usize },
    /// It is to be tried again under another id.
    Deferred { part: usize, call: CallId, attempts: u32, due: Timestamp },
}

/// What was read back of an entry.
pub struct Loaded {
    pub sheet: Sheet,
    pub notes: Vec<Note>,
    /// Where its last note ends.
    pub end: u64,
}

/// An entry's file and the key that it alone is sealed with.
pub struct Entry {
    dir: PathBuf,
    number: u64,
    key: SealKey,
}

impl Entry {
    pub fn new(dir: &Path, number: u64, key: &SealKey) -> Self {
        Self { dir: dir.to_owned(), number, key: key.derived(&name(number, EXTENSION)) }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(name(self.number, EXTENSION))
    }

    /// Writes it whole and durable, or not at all. Gives back its size.
    pub fn write(
        &self,
        nonce: &dyn Fn() -> [u8; 12],
        sheet: &Sheet,
        about: &str,
        body: &[u8],
    ) -> io::Result<u64> {
        let unfinished = self.dir.join(name(self.number, UNFINISHED));
        let written = self.write_to(&unfinished, nonce, sheet, about, body).and_then(|size| {
            fs::rename(&unfinished, self.path())?;
            sync_dir(&self.dir)?;
            Ok(size)
        });
        if written.is_err() {
            // It was not acknowledged: it must not come back as if it had been.
            remove(&unfinished)?;
            remove(&self.path())?;
        }
        written
    }

    fn write_to(
        &self,
        path: &Path,
        nonce: &dyn Fn() -> [u8; 12],
        sheet: &Sheet,
        about: &str,
        body: &[u8],
    ) -> io::Result<u64> {
        let mut anew = OpenOptions::new();
        let mut file = anew.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let sheet = serde_json::to_vec(sheet)?;
        file.write_all(&MAGIC)?;
        file.write_all(&self.frame(nonce(), SHEET, &sheet))?;
        file.write_all(&self.frame(nonce(), ABOUT, about.as_bytes()))?;
        file.write_all(&self.frame(nonce(), BODY, body))?;
        file.sync_all()?;
        file.stream_position()
    }

    /// Reads it back, but for its body; a note that was never acknowledged is dropped.
    pub fn load(&self) -> io::Result<Loaded> {
        let mut file = self.open()?;
        let sheet = serde_json::from_slice(self.next(&mut file, SHEET, SHEET_BYTES)?.expose())?;
        for _ in [ABOUT, BODY] {
            let length = length(&mut file)?;
            file.seek_relative(length as i64)?;
        }
        let mut end = file.stream_position()?;
        let size = file.metadata()?.len();
        if end > size {
            return Err(damaged("it ends within its body"));
        }
        let mut notes = Vec::new();
        while let Ok(note) = self.next(&mut file, NOTE, SHEET_BYTES) {
            notes.push(serde_json::from_slice(note.expose())?);
            end = file.stream_position()?;
        }
        Ok(Loaded { sheet, notes, end })
    }

    /// What it is about, and its body.
    pub fn read(&self) -> io::Result<(String, Bytes)> {
        let mut file = self.open()?;
        self.next(&mut file, SHEET, SHEET_BYTES)?;
        let about = self.next(&mut file, ABOUT, limits::SPOOL_ENTRY_BYTES)?;
        let about = String::from_utf8(about.expose().clone());
        let body = self.next(&mut file, BODY, limits::SPOOL_ENTRY_BYTES)?;
        let about = about.map_err(|_| damaged("what it is about is no text"))?;
        Ok((about, Bytes::copy_from_slice(body.expose())))
    }

    /// Makes a note durable at `end`, where the last one ended. Gives back where this one ends.
    pub fn append(&self, nonce: [u8; 12], end: u64, note: &Note) -> io::Result<u64> {
        let frame = self.frame(nonce, NOTE, &serde_json::to_vec(note)?);
        let mut file = OpenOptions::new().write(true).open(self.path())?;
        file.seek(SeekFrom::Start(end))?;
        file.write_all(&frame)?;
        let end = file.stream_position()?;
        file.set_len(end)?;
        file.sync_all()?;
        Ok(end)
    }

    /// Removes it for good.
    pub fn remove(&self) -> io::Result<()> {
        remove(&self.path())?;
        sync_dir(&self.dir)
    }

    fn open(&self) -> io::Result<File> {
        let mut file = File::open(self.path())?;
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic == MAGIC { Ok(file) } else { Err(damaged("it is no entry of a spool")) }
    }

    fn frame(&self, nonce: [u8; 12], label: &str, text: &[u8]) -> Vec<u8> {
        let sealed = self.key.seal(nonce, label, text);
        [(sealed.len() as u32).to_le_bytes().as_slice(), &sealed].concat()
    }

    fn next(&self, file: &mut File, label: &str, most: usize) -> io::Result<Secret<Vec<u8>>> {
        let length = length(file)?;
        if length > most + SEAL_BYTES {
            return Err(damaged("a piece of it is larger than may be"));
        }
        let mut sealed = vec![0; length];
        file.read_exact(&mut sealed)?;
        self.key.open(label, &sealed).map_err(|_| damaged("a piece of it does not open"))
    }
}

/// How large an entry is, but for its sheet and notes.
pub const fn bytes(about: usize, body: usize) -> u64 {
    (MAGIC.len() + about + body + 2 * (LENGTH_BYTES + SEAL_BYTES)) as u64
}

/// Makes a folder that only its owner may enter, unless it is there.
pub fn create_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// The numbers of all entries, in order.
pub fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> =
        files(dir, EXTENSION)?.into_iter().map(|(number, _)| number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes files that were being written when the process ended; how many there were.
pub fn remove_torn(dir: &Path) -> io::Result<usize> {
    let torn = files(dir, UNFINISHED)?;
    torn.iter().try_for_each(|(_, path)| remove(path))?;
    Ok(torn.len())
}

fn files(dir: &Path, extension: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let is_one = path.extension().is_some_and(|own| own == extension);
        let number = path.file_stem().and_then(|stem| u64::from_str_radix(stem.to_str()?, 16).ok());
        found.extend(number.filter(|_| is_one).map(|number| (number, path)));
    }
    Ok(found)
}

fn name(number: u64, extension: &str) -> String {
    format!("{number:016x}.{extension}")
}

fn length(file: &mut File) -> io::Result<usize> {
    let mut length = [0; LENGTH_BYTES];
    file.read_exact(&mut length)?;
    Ok(u32::from_le_bytes(length) as usize)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn damaged(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
