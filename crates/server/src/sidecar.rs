//! Runs a sidecar: no data folder, no API, one listener. What it does is in the gateway's crate.

use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use gateway::{Sidecar, check_loopback};
use tokio::net::{TcpListener, UnixListener};

pub use gateway::SidecarFiles;

/// Where a sidecar takes its callers in.
#[derive(Debug, Clone)]
pub enum Place {
    /// An address of loopback.
    Address(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

/// A sidecar that is ready to serve.
pub struct Ready {
    sidecar: Sidecar,
    listener: Listener,
    /// Where it listens: a URL, or the path of a socket.
    pub at: String,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Reads the files and opens the door.
///
/// # Errors
/// When a file does not fit, the address is not one of loopback, or cannot be listened on.
pub async fn open(upstream: &str, files: SidecarFiles, place: Place) -> Result<Ready> {
    let (listener, at) = match place {
        Place::Address(at) => {
            check_loopback(at)?;
            let bound = TcpListener::bind(at).await;
            let bound = bound.with_context(|| format!("listening on {at}"))?;
            let at = format!("http://{}", bound.local_addr()?);
            (Listener::Tcp(bound), at)
        }
        Place::Socket(path) => {
            remove_stale(&path)?;
            let bound = UnixListener::bind(&path);
            let bound = bound.with_context(|| format!("listening on `{}`", path.display()))?;
            (Listener::Unix(bound), path.display().to_string())
        }
    };
    Ok(Ready { sidecar: Sidecar::open(upstream, files)?, listener, at })
}

/// Removes the socket of a sidecar that is no more. Anything but a socket stays.
fn remove_stale(path: &Path) -> Result<()> {
    let shown = path.display();
    match std::fs::symlink_metadata(path) {
        Ok(found) => {
            ensure!(found.file_type().is_socket(), "`{shown}` is there, and is no socket");
            let is_served = std::os::unix::net::UnixStream::connect(path).is_ok();
            ensure!(!is_served, "another process listens on `{shown}`");
            std::fs::remove_file(path).with_context(|| format!("removing `{shown}`"))
        }
        Err(_) => Ok(()),
    }
}

impl Ready {
    /// Serves until `stop`, then lets what is under way come to its end.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let sidecar = self.sidecar.clone();
        let serving = async {
            match self.listener {
                Listener::Tcp(listener) => self.sidecar.serve(listener, stop).await,
                Listener::Unix(listener) => self.sidecar.serve(listener, stop).await,
            }
        };
        tokio::select! {
            () = serving => {}
            () = sidecar.keep() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_socket_of_a_dead_process_is_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        std::fs::write(&file, "kept").expect("written");
        assert!(remove_stale(&file).is_err() && file.exists());
        let socket = dir.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        assert!(remove_stale(&socket).is_err() && socket.exists());
        drop(listener);
        remove_stale(&socket).expect("removed");
        assert!(!socket.exists());
        remove_stale(&socket).expect("there is none");
    }
}
