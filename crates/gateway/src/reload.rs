//! Something made from files, and made anew when they change, without a restart.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use arc_swap::ArcSwap;
use model::{crypto, limits};

type Make<T> = Box<dyn Fn(&[Vec<u8>]) -> Result<T> + Send + Sync>;

/// The value that the files make. A change that makes none is reported, and the present one stays:
/// a certificate that is being written must not close a door.
pub(crate) struct Reloaded<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    current: ArcSwap<T>,
    state: Mutex<State>,
}

struct State {
    /// Of what was looked at last.
    digest: [u8; 32],
    /// Why the files as they are now are not used.
    trouble: Option<String>,
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Reads the files, and hands `make` their contents in the same order.
    pub fn open(
        files: Vec<PathBuf>,
        make: impl Fn(&[Vec<u8>]) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Arc<Self>> {
        let contents = read(&files)?;
        let current = ArcSwap::from_pointee(make(&contents)?);
        let state = Mutex::new(State { digest: digest(&contents), trouble: None });
        Ok(Arc::new(Self { files, make: Box::new(make), current, state }))
    }

    /// The value as the files made it last.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Why the files as they are now are not used, if so.
    pub fn trouble(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    /// Looks whether the files have changed, and if so makes the value anew.
    pub fn look(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let made = read(&self.files).and_then(|contents| {
            let found = digest(&contents);
            if found == state.digest && state.trouble.is_none() {
                return Ok(None);
            }
            state.digest = found;
            (self.make)(&contents).map(Some)
        });
        match made {
            Ok(None) => {}
            Ok(Some(value)) => {
                self.current.store(Arc::new(value));
                state.trouble = None;
                tracing::info!(files = ?self.files, "files of certificates were read anew");
            }
            Err(why) => {
                let why = format!("{why:#}");
                if state.trouble.as_ref() != Some(&why) {
                    tracing::error!(%why, "changed files of certificates are not used");
                }
                state.trouble = Some(why);
            }
        }
    }

    /// Looks again and again, until dropped.
    pub async fn keep(self: Arc<Self>) {
        let mut every = tokio::time::interval(Duration::from_secs(limits::TLS_FILES_SECONDS));
        loop {
            every.tick().await;
            let this = self.clone();
            if let Err(why) = tokio::task::spawn_blocking(move || this.look()).await {
                tracing::error!(%why, "files of certificates could not be looked at");
            }
        }
    }
}

fn read(files: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
    let read = |file: &PathBuf| {
        let shown = file.display();
        let length = fs::metadata(file).with_context(|| format!("reading `{shown}`"))?.len();
        ensure!(length <= limits::TLS_FILE_BYTES, "`{shown}` is too large");
        fs::read(file).with_context(|| format!("reading `{shown}`"))
    };
    files.iter().map(read).collect()
}

/// Of all contents; what was a key is not kept to compare with.
fn digest(contents: &[Vec<u8>]) -> [u8; 32] {
    let each: Vec<u8> = contents.iter().flat_map(|content| crypto::sha256(content)).collect();
    crypto::sha256(&each)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(contents: &[Vec<u8>]) -> Result<String> {
        let text = String::from_utf8(contents.concat())?;
        ensure!(!text.is_empty(), "nothing in it");
        Ok(text)
    }

    #[test]
    fn a_changed_file_is_read_anew_and_a_broken_one_changes_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a");
        fs::write(&file, "one").expect("written");
        let reloaded = Reloaded::open(vec![file.clone()], text).expect("made");
        fs::write(&file, "two").expect("written");
        reloaded.look();
        assert_eq!(*reloaded.current(), "two");
        fs::write(&file, "").expect("written");
        reloaded.look();
        assert_eq!(
            (reloaded.current().as_str(), reloaded.trouble().as_deref()),
            ("two", Some("nothing in it"))
        );
        fs::remove_file(&file).expect("removed");
        reloaded.look();
        assert_eq!(*reloaded.current(), "two");
        fs::write(&file, "two").expect("written");
        reloaded.look();
        assert_eq!((reloaded.current().as_str(), reloaded.trouble()), ("two", None));
    }

    #[test]
    fn what_cannot_be_made_at_first_is_an_error() {
        assert!(Reloaded::open(vec!["/does/not/exist".into()], text).is_err());
    }
}
