//! The manifest: which runs there are and which segments they cover. One number, one file, never
//! changed. Publishing a run and moving the position on are one and the same creation of a file, so
//! that after a crash a row is either in the write-ahead record or in a run, never in both.
//!
//! A file is one line of JSON and one line with its crc32c. The newest that reads is valid; one
//! above it that does not read is what a crash left of a publication that never was.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use model::{CallId, MacKey, Timestamp};

use crate::disk;
use crate::refusal::OpenRefused;

/// Size and SHA-256 of a file that never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub bytes: u64,
    pub sha256: String,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    pub number: u64,
    /// Disclosures, whatever their outcome.
    pub rows: u64,
    pub calls: u64,
    pub episodes: u64,
    /// The least and the greatest id of an intent.
    pub first_call: Option<CallId>,
    pub last_call: Option<CallId>,
    pub log_file: FileEntry,
    pub episodes_file: FileEntry,
}

/// What is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub number: u64,
    pub sealed_at: Timestamp,
    /// Random, so that no two manifests ever have the same bytes.
    pub nonce: String,
    /// A keyed hash that only the right identifier key gives.
    pub key_check: String,
    /// The first segment that is not in the runs.
    pub first_segment: u64,
    /// The state as of that segment's start; the first manifest has none.
    pub state: Option<FileEntry>,
    pub runs: Vec<RunEntry>,
}

const DIR: &str = "manifest";
const EXTENSION: &str = "json";

/// The keyed hash that a manifest keeps of an identifier key.
pub fn key_check(key: &MacKey) -> String {
    model::crypto::to_hex(&key.mac(&[b"ledger key check"])[..8])
}

impl Manifest {
    /// Creates its file; fails when there is one of this number.
    pub fn publish(&self, dir: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string(self).context("writing a manifest as JSON")?;
        let text = format!("{json}\n{:08x}\n", crc32c::crc32c(json.as_bytes()));
        disk::write_new(&path(dir, self.number), text.as_bytes()).context("publishing a manifest")
    }

    /// The newest manifest of a ledger, if it has any. Removes what a crash left above it.
    pub fn load(dir: &Path) -> anyhow::Result<Option<Self>> {
        let numbers = disk::numbered(&dir.join(DIR), EXTENSION).context("listing manifests")?;
        let read = numbers.iter().rev().find_map(|&number| Self::read(dir, number));
        let newest = read.as_ref().map_or(0, |manifest| manifest.number);
        if read.is_none() {
            refuse_remains(dir, numbers.last().copied())?;
        }
        for &number in numbers.iter().filter(|&&number| number > newest) {
            disk::remove(&path(dir, number)).context("removing a torn manifest")?;
        }
        if let Some(manifest) = &read {
            manifest.check_files(dir)?;
        }
        Ok(read)
    }

    fn read(dir: &Path, number: u64) -> Option<Self> {
        let text = fs::read_to_string(path(dir, number)).ok()?;
        let (json, rest) = text.split_once('\n')?;
        let expected = u32::from_str_radix(rest.strip_suffix('\n')?, 16).ok()?;
        let manifest: Self = serde_json::from_str(json).ok()?;
        (crc32c::crc32c(json.as_bytes()) == expected && manifest.number == number)
            .then_some(manifest)
    }

    /// Every file that it names is there and has its size. Digests are for audits.
    fn check_files(&self, dir: &Path) -> anyhow::Result<()> {
        let state = self.state.iter().map(|file| (state_file(self.number), file));
        let runs = self.runs.iter().flat_map(|run| {
            let name = disk::name(run.number, "parquet");
            [
                (format!("log/{name}"), &run.log_file),
                (format!("episodes/{name}"), &run.episodes_file),
            ]
        });
        for (file, entry) in state.chain(runs) {
            let bytes = fs::metadata(dir.join(&file)).map(|metadata| metadata.len());
            if bytes.ok() != Some(entry.bytes) {
                let what = "a file that the manifest names is missing or has another size";
                return Err(OpenRefused::Damaged { file, offset: 0, what }.into());
            }
        }
        Ok(())
    }

    /// Removes every file that this manifest replaces or never named.
    pub fn clean(&self, dir: &Path) -> std::io::Result<()> {
        let run = |number: u64| self.runs.iter().any(|run| run.number == number);
        clean(dir, "log", "parquet", &run)?;
        clean(dir, "episodes", "parquet", &run)?;
        clean(dir, "state", "state", &|number| number == self.number)?;
        clean(dir, DIR, EXTENSION, &|number| number >= self.number)?;
        clean(dir, "wal", "wal", &|number| number >= self.first_segment)
    }
}

fn clean(
    dir: &Path,
    folder: &str,
    extension: &str,
    keep: &dyn Fn(u64) -> bool,
) -> std::io::Result<()> {
    let folder = dir.join(folder);
    let numbers = disk::numbered(&folder, extension)?;
    let gone: Vec<_> = numbers.into_iter().filter(|&number| !keep(number)).collect();
    for &number in &gone {
        disk::remove(&folder.join(disk::name(number, extension)))?;
    }
    if gone.is_empty() { Ok(()) } else { disk::sync_dir(&folder) }
}

/// Without a manifest there may be nothing sealed: else the next seal would remove it.
fn refuse_remains(dir: &Path, last: Option<u64>) -> anyhow::Result<()> {
    let runs = disk::numbered(&dir.join("log"), "parquet").context("listing runs")?;
    let number = last.unwrap_or(1);
    if number > 1 || !runs.is_empty() {
        let file = format!("{DIR}/{}", disk::name(number, EXTENSION));
        return Err(OpenRefused::Damaged { file, offset: 0, what: "no manifest reads" }.into());
    }
    Ok(())
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(DIR).join(disk::name(number, EXTENSION))
}

/// The state file of a manifest, relative to the ledger.
pub fn state_file(number: u64) -> String {
    format!("state/{}", disk::name(number, "state"))
}
