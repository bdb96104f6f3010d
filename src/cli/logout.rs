//! `rpod logout`: a login is forgotten.
use std::path::PathBuf;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::host::Host;
use crate::ops::access::Asked;
use crate::ops::login::Server;
use crate::ops::logout;

/// Log out of a registry
#[derive(Debug, Parser)]
pub struct Args {
    /// Log out of every registry
    #[arg(short, long)]
    all: bool,
    /// Logins are in this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    authfile: Option<PathBuf>,
    /// Registry; Docker Hub without one
    #[arg(value_name = "REGISTRY")]
    server: Option<String>,
}

impl Act for Args {
    fn act(self, _: &Door) -> Result<u8> {
        let host = Host::read()?;
        let asked = Asked {
            authfile: self.authfile,
            ..Asked::default()
        };
        if self.all {
            if let Some(server) = self.server {
                return Err(usage(format!(
                    "--all is every registry, and \"{server}\" is one"
                )));
            }
            logout::all(&host, &asked)?;
            terminal::line("Removed login credentials for all registries")?;
            return Ok(0);
        }
        let server = Server::parse(self.server.as_deref())?;
        let shown = server.shown();
        let line = if logout::logout(&host, &server, &asked)? {
            format!("Removing login credentials for {shown}")
        } else {
            format!("Not logged in to {shown}")
        };
        terminal::line(&line)?;
        Ok(0)
    }
}
