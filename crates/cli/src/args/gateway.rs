//! `cordon gateway …` as it is typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::{VendorName, WorkloadName};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Gateway {
    #[command(flatten)]
    pub sidecar: Sidecar,
    #[command(subcommand)]
    pub command: Option<GatewayCommand>,
}

/// A sidecar for a program that speaks only plain HTTP: needs no data folder.
#[derive(Args)]
pub struct Sidecar {
    /// Carry `/v/<vendor>/…` from this machine to a gateway elsewhere, over TLS
    #[arg(long, requires = "upstream")]
    pub sidecar: bool,
    /// The gateway's https URL
    #[arg(long, value_name = "URL", requires = "sidecar")]
    pub upstream: Option<String>,
    /// Where programs of this machine call; loopback alone
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8025", requires = "sidecar")]
    pub listen: SocketAddr,
    /// A Unix socket, in the place of that address
    #[arg(long, value_name = "PATH", requires = "sidecar")]
    pub socket: Option<PathBuf>,
    /// Authorities of the gateway's certificate, PEM; without it the machine's own
    #[arg(long, value_name = "FILE", requires = "sidecar")]
    pub ca: Option<PathBuf>,
    /// The client certificate, PEM
    #[arg(long, value_name = "FILE", requires_all = ["sidecar", "key"])]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// Workload tokens: a line for each vendor, its name and the token
    #[arg(long, value_name = "FILE", requires = "sidecar")]
    pub tokens: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum GatewayCommand {
    /// Show traffic, latency, limits and switch per workload and vendor
    Status,
    /// Follow calls live, until Ctrl-C
    Tail(Tail),
    /// Print the certificates that callers of the `CONNECT` door are to believe, one for each host
    Ca {
        /// Only this host's
        #[arg(long)]
        host: Option<String>,
    },
}

#[derive(Args)]
pub struct Tail {
    /// Only of this workload
    #[arg(long)]
    pub workload: Option<WorkloadName>,
    /// Only to this vendor
    #[arg(long)]
    pub vendor: Option<VendorName>,
    /// Only what was refused or failed
    #[arg(long)]
    pub refused: bool,
    /// Show the last few and end
    #[arg(long)]
    pub once: bool,
}
