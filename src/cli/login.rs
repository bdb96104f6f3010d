//! `rpod login`: a login to a registry, proved and kept.
use std::io::Read;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::registry::Reach;
use crate::cli::flags::usage;
use crate::cli::render::{prompt, terminal};
use crate::cli::verbs::Act;
use crate::error::{Context, Error, Kind, Result};
use crate::host::Host;
use crate::image::credentials::{Credential, Kept, Secret};
use crate::ops::access::Asked;
use crate::ops::login::{self, Server};

/// Bytes of a password on standard input at most.
const LIMIT: u64 = 64 << 10;

/// Log in to a registry
#[derive(Debug, Parser)]
pub struct Args {
    /// User's name
    #[arg(short, long, value_name = "USER")]
    username: Option<String>,
    /// Password; others on this machine can see it
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Print the user who is logged in, and do nothing else
    #[arg(long)]
    get_login: bool,
    #[command(flatten)]
    reach: Reach,
    /// Registry; Docker Hub without one
    #[arg(value_name = "REGISTRY")]
    server: Option<String>,
}

impl Act for Args {
    fn act(self, _: &Door) -> Result<u8> {
        let server = Server::parse(self.server.as_deref())?;
        let host = Host::read()?;
        self.check()?;
        let asked = self.reach.asked();
        if self.get_login {
            return show(&host, &server, &asked);
        }
        if self.password.is_some() {
            terminal::complain(
                "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n",
            );
        }
        let kept = login::kept(&host, &server, &asked);
        let given = match (self.password, self.password_stdin) {
            (Some(password), _) => Some(Secret::new(password)),
            (None, true) => Some(from_stdin()?),
            (None, false) => None,
        };
        if self.username.is_none()
            && given.is_none()
            && let Some(credential) = &kept
            && again(&host, &server, &asked, credential.clone())
        {
            return said();
        }
        let user = match self.username {
            Some(user) => user,
            None => ask_user(kept.as_ref())?,
        };
        let password = match given {
            Some(password) => password,
            None => prompt::secret("Password: ")?,
        };
        if user.is_empty() || password.reveal().is_empty() {
            return Err(usage("a login has a user's name and a password".to_owned()));
        }
        let credential = Credential::Password {
            user: user.clone(),
            password,
        };
        match login::login(&host, &server, &asked, &user, credential)? {
            Kept::InFile(path) => terminal::warn(&format!(
                "the login is kept unencrypted in \"{}\"; a credential helper would keep it safer",
                path.display()
            )),
            Kept::ByHelper(_) => {}
        }
        said()
    }
}

impl Args {
    fn check(&self) -> Result<()> {
        if self.password_stdin && self.password.is_some() {
            return Err(usage(
                "--password and --password-stdin are mutually exclusive".to_owned(),
            ));
        }
        if self.password_stdin && self.username.is_none() {
            return Err(usage(
                "must provide --username with --password-stdin".to_owned(),
            ));
        }
        Ok(())
    }
}

fn said() -> Result<u8> {
    terminal::line("Login Succeeded")?;
    Ok(0)
}

/// Proves a login that is kept already, as docker does before it asks.
fn again(host: &Host, server: &Server, asked: &Asked, credential: Credential) -> bool {
    terminal::complain("Authenticating with existing credentials...\n");
    match login::check(host, server, asked, credential) {
        Ok(()) => true,
        Err(error) => {
            terminal::complain(&format!("Login did not succeed, error: {error}\n"));
            false
        }
    }
}

fn ask_user(kept: Option<&Credential>) -> Result<String> {
    match kept {
        Some(Credential::Password { user, .. }) => {
            let typed = prompt::line(&format!("Username ({user}): "))?;
            Ok(if typed.is_empty() {
                user.clone()
            } else {
                typed
            })
        }
        _ => prompt::line("Username: "),
    }
}

fn from_stdin() -> Result<Secret> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(LIMIT)
        .read_to_string(&mut text)
        .what(|| "cannot read the password from standard input")?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

fn show(host: &Host, server: &Server, asked: &Asked) -> Result<u8> {
    match login::kept(host, server, asked) {
        Some(Credential::Password { user, .. }) => terminal::line(&user)?,
        Some(Credential::Identity(_)) => terminal::line("<token>")?,
        None => {
            return Err(Error::of(
                Kind::NotFound,
                format!("not logged in to \"{}\"", server.key()),
            ));
        }
    }
    Ok(0)
}
