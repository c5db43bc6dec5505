//! A company's own connectors: files in a folder, read once as the program starts.

use std::path::Path;

use anyhow::{Context as _, Result};
use connectors::Described;

/// Adds every connector file of a folder, by name.
///
/// # Errors
/// When the folder or a file cannot be read, a file describes no connector, or two have one name.
pub fn load(folder: &Path) -> Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("reading the connectors in `{}`", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.context("reading the connectors")?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
    }
    files.sort();
    let mut own = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading `{}`", file.display()))?;
        let connector = Described::load(&text)
            .with_context(|| format!("`{}` is no connector", file.display()))?;
        own.push(connector);
    }
    connectors::add(own).context("adding the company's own connectors")
}
