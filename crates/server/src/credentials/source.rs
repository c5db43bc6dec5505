//! From where a vendor's credential is read: a file, the environment, or a vault; and why that did
//! not work. Values are never part of a refusal.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use model::{Blame, Coded, Secret, limits};

use crate::config;

/// A place to read a credential from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The text of a file.
    File(PathBuf),
    /// A variable of the environment, as it was when the program started.
    Environment(String),
    /// A key of a secret in a vault.
    Vault(VaultPath),
}

/// A secret of the vault's KV engine, version 2, and the key in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPath {
    /// `<mount>/data/<path>`, as it stands in the vault's API after `/v1/`.
    pub path: String,
    /// Which of its values; without it, the only one.
    pub key: Option<String>,
}

/// A credential as a source gave it.
#[derive(Debug)]
pub struct Fetched {
    /// The credential.
    pub value: Secret<String>,
    /// The source's own version of it, where it has such.
    pub version: Option<u64>,
}

/// Why a source gave no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceRefused {
    /// It is not written as a source.
    #[error("a source is `file:/…`, `env:NAME` or `vault:MOUNT/data/PATH#KEY`")]
    Malformed,
    /// The configuration does not allow this file or variable.
    #[error("`{0}` is not among what credentials may be read from")]
    NotAllowed(String),
    /// There is no vault in the configuration.
    #[error("no vault is configured")]
    NoVault,
    /// The file cannot be read.
    #[error("the file `{0}` cannot be read")]
    FileUnreadable(String),
    /// The variable is not set.
    #[error("the environment has no variable `{0}`")]
    NotSet(String),
    /// There is nothing in it, or no text, or too much.
    #[error("what the source holds is empty, no text, or over {} bytes", limits::TOKEN_BYTES)]
    NoText,
    /// It is not of the vendor's shape.
    #[error("what the source holds is no credential of this vendor's shape")]
    Shape,
    /// It is the one that was revoked at the vendor.
    #[error("the source still holds the credential that was revoked")]
    Revoked,
    /// The vault is not reached, or does not answer in time.
    #[error("the vault does not answer")]
    VaultUnreachable,
    /// Its certificate is not valid for its address.
    #[error("no TLS connection to the vault came about")]
    VaultTls,
    /// It is sealed or in maintenance.
    #[error("the vault is sealed or in maintenance")]
    VaultSealed,
    /// It sends us to another of its servers.
    #[error("this server of the vault is a standby that sends callers elsewhere")]
    VaultStandby,
    /// It wants to be asked less often.
    #[error("the vault has no room for this request now")]
    VaultBusy {
        /// After how many seconds to ask again, if it said.
        after_seconds: Option<u64>,
    },
    /// The file with the vault's token or the role's secret cannot be read.
    #[error("the vault's token or the role's secret cannot be read from its file")]
    VaultToken,
    /// It did not take the role and its secret.
    #[error("the vault does not take the role and its secret")]
    VaultLogin,
    /// Our token may not read this secret.
    #[error("the vault does not let us read this secret")]
    VaultForbidden,
    /// There is no such secret, or we may not know.
    #[error("the vault has no such secret, or does not say so")]
    VaultNotFound,
    /// The newest version of the secret was deleted.
    #[error("the secret was deleted in the vault")]
    VaultDeleted,
    /// The secret has no such key, or several and none was named.
    #[error("the secret has no such key, or several and none was named")]
    VaultKey,
    /// Something else than its API promises.
    #[error("the vault answered with status {0}, or with something that its API does not promise")]
    VaultAnswer(u16),
}

impl SourceRefused {
    /// Whether the source says that there is no credential any more, rather than nothing.
    pub const fn withdraws(&self) -> bool {
        matches!(self, Self::VaultDeleted | Self::Revoked)
    }

    /// Whether the vault would say the same of any other secret now.
    pub const fn is_of_the_whole_vault(&self) -> bool {
        use SourceRefused as R;
        matches!(self, R::VaultUnreachable | R::VaultTls | R::VaultSealed | R::VaultStandby)
            || matches!(self, R::VaultBusy { .. } | R::VaultToken | R::VaultLogin | R::NoVault)
    }

    /// After how many seconds to ask again, if the source said.
    pub const fn after_seconds(&self) -> Option<u64> {
        match self {
            Self::VaultBusy { after_seconds } => *after_seconds,
            _ => None,
        }
    }
}

impl Coded for SourceRefused {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "source-malformed",
            Self::NotAllowed(_) => "source-not-allowed",
            Self::NoVault => "vault-none",
            Self::FileUnreadable(_) | Self::NotSet(_) => "source-unreadable",
            Self::NoText => "source-empty",
            Self::Shape => "source-shape",
            Self::Revoked => "source-revoked",
            Self::VaultUnreachable => "vault-unreachable",
            Self::VaultTls => "vault-tls",
            Self::VaultSealed => "vault-sealed",
            Self::VaultStandby => "vault-standby",
            Self::VaultBusy { .. } => "vault-busy",
            Self::VaultToken => "vault-token",
            Self::VaultLogin => "vault-login",
            Self::VaultForbidden => "vault-forbidden",
            Self::VaultNotFound => "vault-not-found",
            Self::VaultDeleted => "vault-deleted",
            Self::VaultKey => "vault-key",
            Self::VaultAnswer(_) => "vault-answer",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::VaultUnreachable
            | Self::VaultTls
            | Self::VaultSealed
            | Self::VaultBusy { .. } => Blame::Ours,
            _ => Blame::Caller,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotAllowed(_) => {
                "name its folder in `credentials.files`, or the variable in \
                                    `credentials.environment`, of cordon.toml"
            }
            Self::NoVault => "set `vault.address` and how to log in, in cordon.toml",
            Self::VaultTls => "set `vault.ca_file` if its certificate is from your own authority",
            Self::VaultStandby => "set `vault.address` to the active server or the load balancer",
            Self::VaultForbidden => "its policy needs `read` on this path",
            Self::VaultNotFound => {
                "the path has `/data/` after the mount, as in `vault:secret/data/x#key`"
            }
            Self::Revoked => "put the new credential there",
            _ => return None,
        };
        Some(hint.into())
    }
}

impl FromStr for Source {
    type Err = SourceRefused;

    fn from_str(text: &str) -> Result<Self, SourceRefused> {
        let (kind, rest) = text.split_once(':').ok_or(SourceRefused::Malformed)?;
        let source = match kind {
            "file" => Some(PathBuf::from(rest)).filter(|path| path.is_absolute()).map(Self::File),
            "env" => Some(rest.to_owned()).filter(|name| is_variable(name)).map(Self::Environment),
            "vault" => vault_path(rest).map(Self::Vault),
            _ => None,
        };
        source.ok_or(SourceRefused::Malformed)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::Vault(VaultPath { path, key: None }) => write!(f, "vault:{path}"),
            Self::Vault(VaultPath { path, key: Some(key) }) => write!(f, "vault:{path}#{key}"),
        }
    }
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `<mount>/data/<path>`, without segments that a URL or the vault takes for something else.
fn vault_path(text: &str) -> Option<VaultPath> {
    let (path, key) = match text.split_once('#') {
        Some((path, key)) => (path, Some(key.to_owned())),
        None => (text, None),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_segment = |part: &str| {
        !part.is_empty() && part.bytes().all(letter) && !part.bytes().all(|byte| byte == b'.')
    };
    let mut parts = path.split('/');
    let has_data = parts.clone().skip(1).position(|part| part == "data");
    let below = has_data.is_some_and(|at| parts.clone().count() > at + 2);
    let sound = parts.all(is_segment) && !path.ends_with('.');
    let keyed = key.as_deref().is_none_or(|key| !key.is_empty());
    (sound && below && keyed).then(|| VaultPath { path: path.to_owned(), key })
}

/// The text of a file that lies in one of the allowed folders, wherever its links lead.
///
/// # Errors
/// When it lies elsewhere, or cannot be read.
pub fn read_file(path: &Path, allowed: &[PathBuf]) -> Result<Fetched, SourceRefused> {
    let shown = || path.display().to_string();
    let real = path.canonicalize().map_err(|_| SourceRefused::FileUnreadable(shown()))?;
    let inside =
        |folder: &PathBuf| folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
    if !allowed.iter().any(inside) {
        return Err(SourceRefused::NotAllowed(shown()));
    }
    let size = real.metadata().map_err(|_| SourceRefused::FileUnreadable(shown()))?.len();
    if size > limits::TOKEN_BYTES as u64 {
        return Err(SourceRefused::NoText);
    }
    let bytes = std::fs::read(&real).map_err(|_| SourceRefused::FileUnreadable(shown()))?;
    text(Secret::new(bytes))
}

/// The value of a variable that the configuration names.
///
/// # Errors
/// When it is not named there, or not set.
pub fn read_variable(name: &str, allowed: &[String]) -> Result<Fetched, SourceRefused> {
    if !allowed.iter().any(|known| known == name) {
        return Err(SourceRefused::NotAllowed(name.to_owned()));
    }
    let value = config::credential_from_environment(name);
    let value = value.ok_or_else(|| SourceRefused::NotSet(name.to_owned()))?;
    text(Secret::new(value.expose().clone().into_bytes()))
}

/// A credential out of what was read: text without the line's end.
fn text(bytes: Secret<Vec<u8>>) -> Result<Fetched, SourceRefused> {
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| SourceRefused::NoText)?.trim();
    if text.is_empty() || text.len() > limits::TOKEN_BYTES {
        return Err(SourceRefused::NoText);
    }
    Ok(Fetched { value: Secret::new(text.to_owned()), version: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_back_as_it_is_written() {
        for text in [
            "file:/run/secrets/sendgrid",
            "env:SENDGRID_API_KEY",
            "vault:secret/data/sendgrid#key",
            "vault:team/kv/data/mail/sendgrid",
        ] {
            assert_eq!(text.parse::<Source>().expect(text).to_string(), text);
        }
        for bad in [
            "SG.key",
            "file:relative",
            "env:",
            "env:A B",
            "env:1A",
            "vault:secret/sendgrid#key",
            "vault:data/sendgrid",
            "vault:secret/data",
            "vault:secret/data/",
            "vault:secret/data/../x",
            "vault:secret/data/a?b",
            "vault:secret/data/a.",
            "vault:secret/data/a#",
            "s3:x",
        ] {
            assert_eq!(bad.parse::<Source>(), Err(SourceRefused::Malformed), "{bad}");
        }
    }

    #[test]
    fn a_file_is_read_where_it_may_be_and_followed_no_further() {
        let dir = tempfile::tempdir().expect("a folder");
        let (allowed, other) = (dir.path().join("in"), dir.path().join("out"));
        std::fs::create_dir(&allowed).expect("a folder");
        std::fs::create_dir(&other).expect("a folder");
        std::fs::write(allowed.join("key"), "SG.key\n").expect("written");
        std::fs::write(other.join("key"), "SG.other\n").expect("written");
        std::os::unix::fs::symlink(other.join("key"), allowed.join("link")).expect("a link");
        let read = |path: PathBuf| read_file(&path, std::slice::from_ref(&allowed));
        assert_eq!(read(allowed.join("key")).expect("reads").value.expose(), "SG.key");
        for path in [other.join("key"), allowed.join("link"), allowed.join("../out/key")] {
            assert!(matches!(read(path), Err(SourceRefused::NotAllowed(_))));
        }
        assert!(matches!(read(allowed.join("none")), Err(SourceRefused::FileUnreadable(_))));
        std::fs::write(allowed.join("key"), " \n").expect("written");
        assert!(matches!(read(allowed.join("key")), Err(SourceRefused::NoText)));
    }
}
