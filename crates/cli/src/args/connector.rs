//! `cordon connector …` as it is typed.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Subcommand)]
pub enum ConnectorCommand {
    /// List the connectors of a running server
    List,
    /// Read a connector file and say what it describes, or the line that is wrong
    Check { file: PathBuf },
    /// Try a connector on recorded requests: whom each concerns, what it says of them, what leaves
    Test {
        /// A connector file, or the name of a connector that Cordon has
        connector: PathBuf,
        /// Requests as JSON, in the form of docs/connector-files.md
        #[arg(required = true)]
        recordings: Vec<PathBuf>,
    },
}
