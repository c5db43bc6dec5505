//! `cordon workload …` as it is typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::{Field, FoundAt, Identity, Mode, Network, Purpose, TokenId, VendorName, WorkloadName};

#[derive(Subcommand)]
pub enum WorkloadCommand {
    /// Register a workload; prints its tokens once
    Add {
        name: WorkloadName,
        /// A vendor that it may use; may be given again
        #[arg(long = "vendor", required = true)]
        vendors: Vec<VendorName>,
        /// A purpose; may be given again, the first one holds when a call names none
        #[arg(long = "purpose", required = true)]
        purposes: Vec<Purpose>,
        /// Fields that it may give, parted by commas
        #[arg(long, value_delimiter = ',', required = true)]
        fields: Vec<Field>,
        /// A mode of its own
        #[arg(long)]
        mode: Option<Mode>,
        #[command(flatten)]
        terms: TokenTerms,
        #[command(flatten)]
        identities: Identities,
    },
    /// Say what a workload's certificates prove, in the place of what was said before
    Identify {
        name: WorkloadName,
        #[command(flatten)]
        identities: Identities,
    },
    /// Let a workload give these fields to a vendor; replaces what it might before
    Grant {
        name: WorkloadName,
        vendor: VendorName,
        /// A purpose; may be given again, the first one holds when a call names none
        #[arg(long = "purpose", required = true)]
        purposes: Vec<Purpose>,
        /// Fields that it may give, parted by commas
        #[arg(long, value_delimiter = ',', required = true)]
        fields: Vec<Field>,
    },
    /// Take a workload's grant for a vendor away
    Revoke { name: WorkloadName, vendor: VendorName },
    /// List workloads
    List,
    /// Show a workload's tokens: until when, from where, how often and when last used
    Tokens { name: WorkloadName },
    /// Make a new token for a vendor, printed once; the old ones end after a grace
    RotateToken {
        name: WorkloadName,
        #[arg(long)]
        vendor: VendorName,
        /// How long the old tokens go on: `24h`, `30m`, `7d`, `0s`
        #[arg(long, value_parser = seconds, default_value = "24h", value_name = "TIME")]
        grace: u32,
        #[command(flatten)]
        terms: TokenTerms,
    },
    /// Let a token open nothing from now on
    RevokeToken { name: WorkloadName, token: TokenId },
    /// Hand in a token, or a text that may hold one, that was found outside Cordon
    TokenSeen(TokenSeen),
    /// Limit what a workload may give a vendor; what is not named is not limited
    Limit {
        workload: WorkloadName,
        vendor: VendorName,
        /// Calls within a second
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        per_second: Option<u32>,
        /// People within an hour
        #[arg(long, value_name = "N")]
        people_per_hour: Option<u64>,
        /// People within a day
        #[arg(long, value_name = "N")]
        people_per_day: Option<u64>,
        /// Hold what is beyond so many times the usual hour; 0 never calls anything a burst
        #[arg(long, value_name = "N")]
        burst_factor: Option<u32>,
    },
    /// List bursts that were held
    Bursts,
    /// Let a workload give a vendor far more than usual for some hours
    ApproveBurst {
        workload: WorkloadName,
        vendor: VendorName,
        /// For how long
        #[arg(long, value_name = "N")]
        hours: u32,
    },
}

/// What certificates prove.
#[derive(Args)]
pub struct Identities {
    /// A SPIFFE ID, `spiffe://domain/path`; may be given again
    #[arg(long = "spiffe-id", value_parser = spiffe_id, value_name = "ID")]
    pub spiffe_ids: Vec<Identity>,
    /// A DNS name in certificates of your own authority; may be given again
    #[arg(long = "dns-name", value_parser = dns_name, value_name = "NAME")]
    pub dns_names: Vec<Identity>,
}

fn spiffe_id(text: &str) -> Result<Identity, String> {
    match Identity::parse(text) {
        Ok(identity @ Identity::Spiffe(_)) => Ok(identity),
        _ => Err("write it as spiffe://domain/path".to_owned()),
    }
}

fn dns_name(text: &str) -> Result<Identity, String> {
    Identity::dns(text).ok_or_else(|| "this is no DNS name".to_owned())
}

/// How long a token lives, and from where it may come.
#[derive(Args)]
pub struct TokenTerms {
    /// After this time it opens nothing: `90d`; without it, it is good until rotated or revoked
    #[arg(long, value_parser = seconds, value_name = "TIME")]
    pub expires: Option<u32>,
    /// A network that it may come from: `10.0.0.0/8`; may be given again, without it from anywhere
    #[arg(long = "from", value_name = "NETWORK")]
    pub networks: Vec<Network>,
}

#[derive(Args)]
pub struct TokenSeen {
    /// Where it was found: `vendor`, `public` (anybody can read it), `ours` (our own logs, tickets)
    #[arg(long = "at", value_name = "PLACE")]
    pub found_at: FoundAt,
    #[command(flatten)]
    pub find: Find,
}

/// What was found, in one of three ways.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Find {
    /// Read the token or the text from standard input
    #[arg(long)]
    pub stdin: bool,
    /// Read it from a file
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The SHA-256 of the token instead of the token, 64 hexadecimal digits
    #[arg(long, value_name = "SHA256")]
    pub hash: Option<String>,
}

/// A time such as `30m`, in seconds.
fn seconds(text: &str) -> Result<u32, String> {
    const HELP: &str = "write it as a number and `s`, `m`, `h` or `d`, such as `24h`";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(HELP)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(HELP.into()),
    };
    let number: u32 = number.parse().map_err(|_| HELP)?;
    number.checked_mul(unit).ok_or_else(|| "that is over a hundred years".into())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_time_is_a_number_with_its_unit() {
        assert_eq!(seconds("0s"), Ok(0));
        assert_eq!(seconds("30m"), Ok(1_800));
        assert_eq!(seconds("7d"), Ok(604_800));
        for bad in ["", "h", "24", "-1h", "1w", "99999999d", "1é"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
