//! Questions to a person at the terminal.
//!
//! Lives here: asking for a line, and for a line that is not shown.
//! Must not: know what the answer is for.
//! Called by: `login`, and flags that want a password.
//! Always true: where standard input is no terminal nothing is asked; the terminal
//! is as before when a question was answered or given up.

use std::io::{self, BufRead, Read};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::cli::render::terminal;
use crate::error::{Context, Error, Kind, Result};
use crate::image::credentials::Secret;

/// Bytes of an answer at most.
const LIMIT: usize = 64 << 10;

/// Asks for a line.
pub fn line(question: &str) -> Result<String> {
    check_terminal()?;
    terminal::complain(question);
    let mut text = String::new();
    let what = || "cannot read the answer";
    let count = io::stdin().lock().read_line(&mut text).what(what)?;
    if count == 0 {
        return Err(given_up());
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line that is not shown while it is typed.
pub fn secret(question: &str) -> Result<Secret> {
    check_terminal()?;
    terminal::complain(question);
    let answer = {
        let _hidden = Hidden::enter()?;
        typed()
    };
    terminal::complain("\n");
    answer.map(Secret::new)
}

fn check_terminal() -> Result<()> {
    if terminal::stdin_is_terminal() {
        return Ok(());
    }
    Err(Error::of(
        Kind::Usage,
        "a password can only be asked for at a terminal, and standard input is none",
    )
    .hint("give it on standard input: `rpod login -u USER --password-stdin REGISTRY < FILE`"))
}

/// Reads what is typed, key by key: the terminal neither shows it nor makes signals
/// of it, so that it is given its mode back also after ctrl-c.
fn typed() -> Result<String> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut stdin = io::stdin().lock();
    loop {
        let mut key = [0];
        if stdin.read(&mut key).what(|| "cannot read the password")? == 0 {
            return Err(given_up());
        }
        match key[0] {
            b'\r' | b'\n' => break,
            0x03 | 0x1c => return Err(given_up()),
            // ctrl-d ends an answer, and gives up where there is none.
            0x04 if bytes.is_empty() => return Err(given_up()),
            0x04 => break,
            0x08 | 0x7f => {
                // A letter of several bytes goes as a whole.
                while bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            0x15 => bytes.clear(),
            _ if bytes.len() == LIMIT => return Err(Error::new("the answer is too long")),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::new("the password is not in UTF-8"))
}

fn given_up() -> Error {
    Error::new("it was given up")
}

/// The terminal without echo, for as long as this lives.
struct Hidden(Termios);

impl Hidden {
    fn enter() -> Result<Self> {
        let what = || "cannot change the terminal's mode";
        let before = tcgetattr(rustix::stdio::stdin()).what(what)?;
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &hidden).what(what)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.0).ok();
    }
}
