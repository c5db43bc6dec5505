//! What we say that others wrote equals what other parsers say, or we refuse it: over the inputs
//! that fuzzing keeps, and over thousands made from them by small changes.
//!
//! The properties are those of the fuzz targets; Python's and Node's parsers read what we accepted,
//! as it came and as we would write it again.

#[path = "../../../fuzz/src/lib.rs"]
mod properties;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use connectors::parsers;
use serde_json::{Value, json};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parsers");

/// Changed inputs for each kept one.
const CHANGES: u64 = 200;

/// Pieces that readers are known to take differently.
const PIECES: [&str; 32] = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "%00",
    "%",
    "%ff",
    "+",
    "&",
    "=",
    ";",
    ":",
    " ",
    "\t",
    ",",
    "--x",
    "\r\n--x",
    "\r\n--x--\r\n",
    "name=",
    "charset=utf-7",
    "{",
    "[",
    "}",
    "1e999",
    "\u{feff}",
    "\u{85}",
    "0",
];

/// The kept inputs of a target, by name.
fn kept(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(CORPUS).join(target);
    let entries = std::fs::read_dir(folder).expect("the kept inputs").flatten();
    let input = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, std::fs::read(entry.path()).expect("an input"))
    };
    entries.map(input).collect()
}

/// Numbers that follow from a seed, so that a failure comes again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).expect("below a usize")
    }
}

/// The kept inputs, and others made from them.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let kept: Vec<Vec<u8>> = kept(target).into_values().collect();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut all = kept.clone();
    for input in &kept {
        for _ in 0..CHANGES {
            let mut changed = input.clone();
            for _ in 0..=chance.below(3) {
                change(&mut changed, &kept, &mut chance);
            }
            all.push(changed);
        }
    }
    all
}

fn change(input: &mut Vec<u8>, others: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    let until = (at + chance.below(9)).min(input.len());
    match chance.below(5) {
        0 => drop(input.drain(at..until)),
        1 => {
            let piece = PIECES[chance.below(PIECES.len())].bytes();
            drop(input.splice(at..at, piece));
        }
        2 => {
            let again = input[at..until].to_vec();
            drop(input.splice(at..at, again));
        }
        3 => {
            let other = &others[chance.below(others.len())];
            let from = chance.below(other.len() + 1);
            let piece = other[from..(from + chance.below(20)).min(other.len())].to_vec();
            drop(input.splice(at..at, piece));
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
    }
}

fn hold(target: &str, property: fn(&[u8])) {
    for input in inputs(target) {
        let held = std::panic::catch_unwind(|| property(&input));
        assert!(held.is_ok(), "{target}: {}", input.escape_ascii());
    }
}

#[test]
fn requests_are_cut_as_a_second_parser_cuts_them() {
    hold("head", properties::head);
}

#[test]
fn json_and_forms_are_read_as_second_parsers_read_them() {
    hold("json", properties::json);
    hold("form", properties::form);
}

#[test]
fn multipart_forms_and_mail_are_written_as_they_were_read() {
    hold("multipart", properties::multipart);
    hold("mime", properties::mime);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes all");
        text
    })
}

/// What we accepted, with what we say of it, for other parsers to read.
fn accepted() -> Vec<Value> {
    let mut cases = Vec::new();
    for input in inputs("json") {
        if let Ok(written) = parsers::json(&input) {
            cases.push(json!({ "kind": "json", "raw": hex(&input), "written": hex(&written) }));
        }
    }
    for input in inputs("form") {
        if let Ok(pairs) = parsers::form(&input) {
            let written = hex(&parsers::form_written(&pairs));
            let raw = hex(&input);
            let ours = json!({ "kind": "form", "raw": raw, "written": written, "pairs": pairs });
            cases.push(ours);
        }
    }
    for input in inputs("multipart") {
        let Some((boundary, body)) = properties::boundary_and_body(&input) else { continue };
        let Ok(parts) = parsers::multipart(body, boundary) else { continue };
        let written = parsers::multipart_written(body, boundary).expect("it is written");
        let part = |part: &parsers::Part| json!([part.name, part.is_text, hex(&part.content)]);
        cases.push(json!({
            "kind": "multipart", "boundary": boundary, "raw": hex(body), "written": hex(&written),
            "parts": parts.iter().map(part).collect::<Vec<_>>(),
        }));
    }
    cases
}

/// Has a script read all of it; it prints what it reads differently.
fn read_by(program: &str, script: &str, environment: (&str, PathBuf)) {
    let cases = accepted();
    for kind in ["json", "form", "multipart"] {
        let count = cases.iter().filter(|case| case["kind"] == kind).count();
        assert!(count > 100, "only {count} inputs of {kind} were accepted at all");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cases.json");
    std::fs::write(&file, Value::from(cases).to_string()).expect("written");
    let (name, value) = environment;
    let mut reader = Command::new(program);
    reader.arg(Path::new(SCRIPTS).join(script)).arg(&file).env(name, value);
    let said = reader.stdin(Stdio::null()).output().expect("it runs");
    let (heard, wrong) =
        (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && heard.is_empty(), "read differently:\n{heard}\n{wrong}");
}

/// Installs packages once; where they cannot be had at all, the test says so.
fn installed(folder: &Path, there: impl Fn() -> bool, install: &mut Command) -> bool {
    std::fs::create_dir_all(folder).expect("a folder");
    there() || install.output().is_ok_and(|output| output.status.success()) && there()
}

#[test]
fn python_reads_the_same_out_of_every_body_that_is_accepted() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("py-parsers");
    let there = || {
        let mut python = Command::new("python3");
        python.args(["-c", "import multipart"]).env("PYTHONPATH", &folder);
        python.output().is_ok_and(|output| output.status.success())
    };
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "multipart==2.0.1", "--target"]).arg(&folder);
    if !installed(&folder, there, &mut pip) {
        eprintln!("SKIPPED: Python's package `multipart` cannot be installed here");
        return;
    }
    read_by("python3", "read.py", ("PYTHONPATH", folder));
}

#[test]
fn node_reads_the_same_out_of_every_body_that_is_accepted() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("node-parsers");
    let there = || folder.join("node_modules/busboy/package.json").exists();
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-save", "busboy@1.6.0", "--prefix"]).arg(&folder);
    if !installed(&folder, there, &mut npm) {
        eprintln!("SKIPPED: Node's package `busboy` cannot be installed here");
        return;
    }
    read_by("node", "read.mjs", ("CORDON_MODULES", folder));
}
