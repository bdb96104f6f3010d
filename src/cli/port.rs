//! `rpod port`: which ports of this machine lead to a container's.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::render::{ports, terminal};
use crate::cli::verbs::Act;
use crate::error::{Error, Kind, Result};
use crate::ops;
use crate::spec::container::Status;
use crate::spec::port::Port;

/// List the published ports of a container
#[derive(Debug, Parser)]
pub struct Args {
    /// Container
    #[arg(value_name = "CONTAINER")]
    name: String,
    /// Show only where this port is published
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let wanted = self.port.as_deref().map(str::parse::<Port>).transpose()?;
        let session = door.session()?;
        let id = session.store.find_container(&self.name)?;
        let state = ops::state::load(&session.host, &session.store, &id)?;
        let mut out = String::new();
        for mapping in &state.ports {
            if state.status != Status::Running || wanted.is_some_and(|p| p != mapping.container) {
                continue;
            }
            for address in ports::addresses(mapping) {
                match wanted {
                    Some(_) => out.push_str(&format!("{address}\n")),
                    None => out.push_str(&format!("{} -> {address}\n", mapping.container)),
                }
            }
        }
        if let (Some(port), true) = (wanted, out.is_empty()) {
            return Err(Error::of(
                Kind::NotFound,
                format!("container \"{}\" does not publish port {port}", self.name),
            ));
        }
        terminal::answer(&out)?;
        Ok(0)
    }
}
