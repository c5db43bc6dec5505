//! The write-ahead record: numbered segments of frames, one writer, one `fdatasync` per frame.
//! Does not know what records do.
//!
//! The segment that is written to is longer than its frames: blank bytes lie ahead, so that a
//! commit does not change the file's length, which would cost the file system a commit of its own.
//! They are cut off when the segment ends or the ledger is closed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::codec::Decoder;
use crate::record::Record;
use crate::refusal::OpenRefused;
use crate::{disk, frame};

const DIR: &str = "wal";
const EXTENSION: &str = "wal";
/// The segment with which a ledger starts.
pub const FIRST_SEGMENT: u64 = 1;

/// Blank bytes that are written ahead at a time: some thousand small frames.
const AHEAD: u64 = 1024 * 1024;

/// What a segment is written to. A trait only so that tests can let it fail.
pub trait Storage: Send {
    /// Writes the whole of it at `offset`, which is where the last one ended.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was written is durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Ends the segment at `offset`, durably.
    fn end(&mut self, offset: u64) -> io::Result<()>;
}

/// The file of a segment.
struct Segment {
    file: File,
    /// Its length, what is blank included.
    length: u64,
}

impl Storage for Segment {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        if end > self.length {
            // On a disk that is almost full there may be room for the frame alone.
            let blank = vec![0; (end + AHEAD - self.length) as usize];
            let ahead = self.file.write_all_at(&blank, self.length);
            self.length = if ahead.is_ok() { end + AHEAD } else { end };
        }
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn end(&mut self, offset: u64) -> io::Result<()> {
        self.file.set_len(offset)?;
        self.file.sync_all()
    }
}

/// The segment that is written to.
pub struct Wal {
    dir: PathBuf,
    number: u64,
    offset: u64,
    storage: Box<dyn Storage>,
}

/// What was read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    pub segments: u64,
    pub frames: u64,
    pub records: u64,
    /// Bytes of a torn frame that were dropped.
    pub torn_bytes: u64,
}

impl Wal {
    /// Makes the first segment of a new ledger. An empty one may be there: the ledger was being
    /// made when the machine stopped.
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        let path = segment(dir, FIRST_SEGMENT);
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == 0) {
            disk::remove(&path).context("removing an empty segment")?;
        }
        if !disk::numbered(&dir.join(DIR), EXTENSION)?.is_empty() {
            return Err(damaged(FIRST_SEGMENT, 0, "there is no manifest, but a segment").into());
        }
        let storage = create(dir, FIRST_SEGMENT).context("creating the first segment")?;
        Ok(Self { dir: dir.to_owned(), number: FIRST_SEGMENT, offset: 0, storage })
    }

    /// Hands every record from segment `first` on to `apply`, drops a torn frame at the very end,
    /// and goes on writing there.
    pub fn recover(
        dir: &Path,
        first: u64,
        apply: &mut dyn FnMut(Record),
    ) -> anyhow::Result<(Self, Replayed)> {
        let mut numbers = disk::numbered(&dir.join(DIR), EXTENSION).context("listing segments")?;
        numbers.retain(|&number| number >= first);
        if numbers.is_empty() || numbers.iter().zip(first..).any(|(&is, should)| is != should) {
            return Err(damaged(first, 0, "a segment is missing").into());
        }
        let last = first + numbers.len() as u64 - 1;
        let mut replayed = Replayed { segments: numbers.len() as u64, ..Replayed::default() };
        let mut offset = 0;
        for number in numbers {
            offset = replay(dir, number, number == last, apply, &mut replayed)?;
        }
        let path = segment(dir, last);
        let file = OpenOptions::new().write(true).open(&path).context("opening the segment")?;
        let length = file.metadata().context("opening the segment")?.len();
        let mut storage = Box::new(Segment { file, length });
        if replayed.torn_bytes > 0 {
            storage.end(offset).context("dropping a torn frame")?;
            storage.length = offset;
        }
        Ok((Self { dir: dir.to_owned(), number: last, offset, storage }, replayed))
    }

    /// Makes these records durable as one frame; at most [`frame::RECORD_BYTES`] of them.
    ///
    /// # Errors
    /// When that is not certain. Nothing may be committed any more after an error.
    pub fn commit(&mut self, records: &[u8]) -> io::Result<()> {
        if records.len() > frame::RECORD_BYTES {
            return Err(io::Error::other("the records do not fit a frame"));
        }
        let frame = frame::seal(self.number, self.offset, records);
        self.storage.write(self.offset, &frame)?;
        self.storage.sync()?;
        self.offset += frame.len() as u64;
        Ok(())
    }

    /// Cuts off what is blank. Nothing may be committed any more before a rotation.
    ///
    /// # Errors
    /// When that is not durable.
    pub fn end(&mut self) -> io::Result<()> {
        self.storage.end(self.offset)
    }

    /// Ends this segment and starts the next one. Gives back the number of the next.
    ///
    /// # Errors
    /// When its file or name is not durable. Nothing may be committed any more after an error.
    pub fn rotate(&mut self) -> io::Result<u64> {
        self.end()?;
        self.storage = create(&self.dir, self.number + 1)?;
        self.number += 1;
        self.offset = 0;
        Ok(self.number)
    }

    /// Bytes in the segment that is written to.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// Writes to something else, which tests let fail.
    #[cfg(test)]
    pub fn replace_storage(&mut self, storage: Box<dyn Storage>) {
        self.storage = storage;
    }
}

fn create(dir: &Path, number: u64) -> io::Result<Box<dyn Storage>> {
    let file = disk::create_new(&segment(dir, number))?;
    file.sync_all()?;
    disk::sync_dir(&dir.join(DIR))?;
    Ok(Box::new(Segment { file, length: 0 }))
}

fn segment(dir: &Path, number: u64) -> PathBuf {
    dir.join(DIR).join(disk::name(number, EXTENSION))
}

fn damaged(number: u64, offset: usize, what: &'static str) -> OpenRefused {
    let file = format!("{DIR}/{}", disk::name(number, EXTENSION));
    OpenRefused::Damaged { file, offset: offset as u64, what }
}

/// Replays one segment. Gives back where its last valid frame ends.
///
/// A frame that does not read is torn only at the end of the last segment: every earlier frame was
/// synced before the next one was begun, and so was every earlier segment. Only there are blank
/// bytes, after a crash.
fn replay(
    dir: &Path,
    number: u64,
    last: bool,
    apply: &mut dyn FnMut(Record),
    replayed: &mut Replayed,
) -> anyhow::Result<u64> {
    let bytes = fs::read(segment(dir, number)).context("reading a segment")?;
    let mut offset = 0;
    while offset < bytes.len() {
        let Some((records, next)) = frame::open(number, &bytes, offset) else {
            if last && bytes[offset..].iter().all(|byte| *byte == 0) {
                break;
            }
            if !last || frame::any_behind(number, &bytes, offset) {
                return Err(damaged(number, offset, "a frame does not read").into());
            }
            replayed.torn_bytes = (bytes.len() - offset) as u64;
            break;
        };
        let mut decoder = Decoder { bytes: records };
        while !decoder.bytes.is_empty() {
            let record = Record::decode(&mut decoder)
                .map_err(|_| damaged(number, offset, "a record does not read"))?;
            apply(record);
            replayed.records += 1;
        }
        replayed.frames += 1;
        offset = next;
    }
    Ok(offset as u64)
}
