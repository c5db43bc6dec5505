//! `cordon policy …` and `cordon detokenise` as they are typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::{
    Consent, Field, ListName, Mode, OperationName, PolicyDigest, Purpose, Timestamp, VendorName,
    WorkloadName,
};

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Print the policy in force, whole; or one that was in force, by the digest in a record
    Show { digest: Option<PolicyDigest> },
    /// Print the schema: what policies speak of
    Schema,
    /// Say what is wrong with a policy, what is odd, and which grants nobody uses
    ///
    /// Without a file the policy in force is looked at. Where no server runs a file is checked by
    /// itself. Exit code 1 when it does not validate.
    Check { file: Option<PathBuf> },
    /// Store a policy in the place of the one stored before; an empty file takes it away
    Set { file: PathBuf },
    /// Read the file again that cordon.toml names
    Reload,
    /// Say which policies decide a call, and what happens to each field
    Explain(Explain),
    /// Run recorded calls against another policy: what it would refuse, let through or change
    Replay(Replay),
}

#[derive(Args)]
pub struct Explain {
    /// Whose call
    #[arg(long)]
    pub workload: WorkloadName,
    /// To whom
    #[arg(long)]
    pub vendor: VendorName,
    /// What it discloses, parted by commas
    #[arg(long, value_delimiter = ',', required = true)]
    pub fields: Vec<Field>,
    /// Why; the first purpose of the grant without it
    #[arg(long)]
    pub purpose: Option<Purpose>,
    /// By which operation, such as `mail.send`
    #[arg(long)]
    pub operation: Option<OperationName>,
    /// A list that it puts people in; may be given again
    #[arg(long = "list", value_name = "NAME")]
    pub lists: Vec<ListName>,
    /// Where the person lives, such as `DE` or `US-CA`
    #[arg(long)]
    pub region: Option<String>,
    /// What the person agreed to, parted by commas
    #[arg(long, value_delimiter = ',')]
    pub consent: Option<Vec<Consent>>,
    /// How many people it concerns
    #[arg(long, value_name = "N")]
    pub people: Option<usize>,
    /// In this mode instead of the workload's or vendor's
    #[arg(long)]
    pub mode: Option<Mode>,
    /// At this time instead of now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// By this policy in the place of your own
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

#[derive(Args)]
pub struct Replay {
    /// The policy, in the place of your own
    pub file: PathBuf,
    /// Calls since then: a time, or `30d`, `12h`
    #[arg(long, default_value = "30d", value_parser = since, value_name = "TIME")]
    pub since: Since,
}

/// A time, or so many seconds ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// A time.
    At(Timestamp),
    /// Seconds.
    Ago(i64),
}

fn since(text: &str) -> Result<Since, String> {
    const HOUR_SECONDS: i64 = 60 * 60;
    let unit = match text.chars().last() {
        Some('d') => Some(24 * HOUR_SECONDS),
        Some('h') => Some(HOUR_SECONDS),
        _ => None,
    };
    let number = unit.and_then(|_| text[..text.len() - 1].parse::<u32>().ok());
    match number.zip(unit) {
        Some((number, unit)) => Ok(Since::Ago(i64::from(number) * unit)),
        None => {
            Timestamp::parse(text).map(Since::At).map_err(|why| format!("{why}, `30d` or `12h`"))
        }
    }
}

#[derive(Args)]
pub struct Detokenise {
    /// The vendor at which the tokens stand
    pub vendor: VendorName,
    /// The tokens, such as `t-…`
    #[arg(required = true)]
    pub tokens: Vec<String>,
    /// Why they are turned back; goes into the audit log
    #[arg(long)]
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_as_a_time_or_as_so_long_ago() {
        assert_eq!(since("30d"), Ok(Since::Ago(30 * 86_400)));
        assert_eq!(since("12h"), Ok(Since::Ago(12 * 3_600)));
        let date = Timestamp::parse("2026-11-01").expect("a date");
        assert_eq!(since("2026-11-01"), Ok(Since::At(date)));
        for bad in ["", "d", "30", "-1d", "30ö", "yesterday"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
