//! What no compiler checks: headers, sizes, walls between crates, equal names. An ordinary test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

/// Which of our crates each crate may use. A new arrow is a decision, made here.
const WALLS: [(&str, &[&str]); 16] = [
    ("model", &[]),
    ("connectors", &["model"]),
    ("policy", &["model"]),
    ("ledger", &["model"]),
    ("gateway", &["model", "connectors", "policy", "ledger", "mail"]),
    ("watch", &["model", "connectors", "mail"]),
    ("detect", &["model"]),
    ("incident", &["model", "connectors"]),
    ("mail", &["model"]),
    ("notify", &["model", "mail"]),
    ("store", &["model"]),
    (
        "server",
        &[
            "model",
            "connectors",
            "policy",
            "ledger",
            "gateway",
            "watch",
            "detect",
            "incident",
            "mail",
            "notify",
            "store",
        ],
    ),
    ("drill", &["model", "mail", "server"]),
    ("cli", &["model", "connectors", "server", "drill"]),
    ("e2e", &["model", "connectors", "ledger", "mail", "server", "drill"]),
    ("xtask", &[]),
];

/// From where cargo runs the test: the build may be a copy of another tree.
fn root() -> PathBuf {
    Path::new("../..").to_owned()
}

fn rust_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("benches")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir()
                && !matches!(name, "target" | "node_modules" | "snapshots" | "fixtures")
            {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("readable");
                files.push((path, text));
            }
        }
    }
    files
}

/// The lines before the file's own tests.
fn without_tests(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).collect()
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "e2e")
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let without: Vec<_> = rust_files()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(without.is_empty(), "no `//!` header: {without:#?}");
}

#[test]
fn files_and_lines_stay_small() {
    let mut large = Vec::new();
    for (path, text) in rust_files() {
        let lines = without_tests(&text).len();
        if lines > FILE_LINES && !is_test_file(&path) {
            large.push(format!("{}: {lines} lines", path.display()));
        }
        for (number, line) in text.lines().enumerate() {
            let is_text = line.contains("http") || line.contains('"') || line.ends_with('\\');
            if line.chars().count() > COLUMNS && !is_text {
                large.push(format!("{}:{}: over {COLUMNS} columns", path.display(), number + 1));
            }
        }
    }
    assert!(large.is_empty(), "{large:#?}");
}

#[test]
fn functions_stay_small() {
    let mut large = Vec::new();
    for (path, text) in rust_files().into_iter().filter(|(path, _)| !is_test_file(path)) {
        let lines = without_tests(&text);
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start();
            let is_function = ["fn ", "pub fn ", "pub(crate) fn ", "async fn ", "pub async fn "]
                .iter()
                .any(|form| head.starts_with(form));
            if !is_function || head.ends_with(';') {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let length = lines[start..].iter().position(|line| *line == close).unwrap_or(0);
            if length > FUNCTION_LINES {
                large.push(format!("{}:{}: {length} lines", path.display(), start + 1));
            }
        }
    }
    assert!(large.is_empty(), "{large:#?}");
}

#[test]
fn the_walls_between_crates_stand() {
    let walls: BTreeMap<&str, BTreeSet<&str>> =
        WALLS.iter().map(|(name, may)| (*name, may.iter().copied().collect())).collect();
    for (name, may) in &walls {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).expect("a manifest");
        let manifest: toml::Table = text.parse().expect("valid TOML");
        let Some(uses) = manifest.get("dependencies").and_then(toml::Value::as_table) else {
            continue;
        };
        let ours: BTreeSet<&str> =
            uses.keys().map(String::as_str).filter(|used| walls.contains_key(used)).collect();
        let through: Vec<_> = ours.difference(may).collect();
        assert!(through.is_empty(), "`{name}` must not use {through:?}");
    }
}

#[test]
fn each_wall_is_said_in_the_first_lines_of_its_crate() {
    for (name, _) in WALLS.iter().filter(|(name, _)| !matches!(*name, "cli" | "e2e" | "xtask")) {
        let text = std::fs::read_to_string(root().join("crates").join(name).join("src/lib.rs"))
            .expect("a crate's first file");
        let head: String = text.lines().take(8).collect();
        assert!(head.contains("**Invariant:**"), "`{name}` does not say what it must not know");
    }
}

/// Every name in `folder` has a file, a test and a section of the document.
fn equal_names(folder: &str, ending: &str, skip: &[&str], document: &str) {
    let document = std::fs::read_to_string(root().join(document)).expect("a document");
    for entry in std::fs::read_dir(root().join(folder)).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let is_one = path.extension().is_some_and(|found| found == ending) && !skip.contains(&name);
        let heading = name.replace('_', "-");
        assert!(
            !is_one
                || document.lines().any(|line| {
                    line.starts_with('#') && line.to_lowercase().replace('`', "").contains(&heading)
                }),
            "`{name}` has no section in the documentation"
        );
    }
}

#[test]
fn connectors_detectors_and_scenarios_have_their_section() {
    equal_names("crates/connectors/vendors", "toml", &[], "docs/connectors.md");
    for entry in std::fs::read_dir(root().join("crates/connectors/vendors")).expect("a folder") {
        let name = entry.expect("an entry").path().with_extension("");
        let recordings = root().join("crates/connectors/tests/recordings");
        let recorded = recordings.join(name.file_name().expect("a name"));
        assert!(recorded.is_dir(), "{} has no recordings", name.display());
    }
    equal_names("crates/detect/src", "rs", &["lib", "sample", "token"], "docs/detectors.md");
    equal_names("scenarios", "toml", &[], "docs/drills.md");
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let section = text.split("# Others', each with its reason.").nth(1).expect("the section");
    for line in section.lines().take_while(|line| !line.starts_with('[')) {
        assert!(line.is_empty() || line.contains("# "), "no reason beside: {line}");
    }
}

#[test]
fn every_test_that_the_security_page_names_is_there() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).expect("the page");
    let tests: BTreeSet<String> = rust_files()
        .into_iter()
        .filter(|(path, _)| is_test_file(path))
        .flat_map(|(_, text)| {
            let name = |line: &str| Some(line.split_once("fn ")?.1.split_once('(')?.0.to_owned());
            text.lines().filter_map(name).collect::<Vec<_>>()
        })
        .collect();
    let named = page.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() > 3);
    let missing: Vec<_> =
        named.filter(|word| !tests.contains(word.rsplit("::").next().unwrap_or(word))).collect();
    assert!(missing.is_empty(), "tests that are not there: {missing:#?}");
}
