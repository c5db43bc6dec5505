//! What the tests need beside Rust: official SDKs, a real mail server, an independent verifier.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Environment for the tests: where the installed things are.
pub type Installed = Vec<(&'static str, PathBuf)>;

/// Debian packages of programs that stories run: the program to look for, and its package.
const PROGRAMS: [(&str, &str); 3] = [
    ("/usr/sbin/postfix", "postfix"),
    ("/usr/bin/strace", "strace"),
    ("/usr/bin/openssl", "openssl"),
];

/// Installs everything that is missing and says where it is.
pub fn all() -> Result<Installed> {
    let sdk = target_dir().join("sdk");
    std::fs::create_dir_all(&sdk).context("making the folder of SDKs")?;
    programs();
    Ok(vec![("CORDON_SDK_DIR", sdk)])
}

/// Where `cargo` builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from)
}

/// Debian's programs, where this is Debian and we may install. A test that lacks one says so.
fn programs() {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return;
    }
    if let Err(why) = apt_install(&missing) {
        println!(
            "could not install {}: {why:#}; the tests that need it say so",
            missing.join(", ")
        );
    }
}

/// Installs Debian packages.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages))
}

/// Runs a command; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("starting `{name}`"))?;
    ensure!(status.success(), "`{name}` ended with {status}");
    Ok(())
}
