//! Our side of an attachment: this process's terminal and streams, and a
//! container's monitor (or an `exec`'s program) on the other end.
//!
//! ```text
//!  stdin ──▶ Stdin frames ──▶ monitor        Stdout, Stderr frames ──▶ stdout, stderr
//!  signals ─▶ Signal, Resize ─▶              Exit ──▶ the end
//! ```
//!
//! Lives here: the loop, the raw terminal, the keys that detach.
//! Must not: know whether it was `run`, `start`, `attach` or `exec`.
//! Called by: `ops::{run, start, attach, exec}`.
//! Always true: the terminal is as it was when the loop ends, however it ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use crate::error::{Context, Error, Kind as ErrorKind, Result};
use crate::process::frames::{self, Kind};
use crate::runtime::terminal;
use crate::sys::signal::{self, Signals};

/// What this process gives and takes.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Our input goes to the program.
    pub input: bool,
    /// The program has a terminal.
    pub tty: bool,
    /// Signals that reach us are the program's.
    pub sig_proxy: bool,
    /// The program runs for us alone: when nobody reads its output any more, it is
    /// told so. Otherwise we leave.
    pub owns: bool,
    /// The keys that detach, as docker writes them; none means `ctrl-p,ctrl-q`.
    pub detach_keys: Option<String>,
}

/// How an attachment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The program ended with this status.
    Exited(i32),
    /// The keys that detach were typed.
    Detached,
}

impl End {
    /// Returns the program's status, if it has ended.
    pub fn status(self) -> Option<i32> {
        match self {
            Self::Exited(status) => Some(status),
            Self::Detached => None,
        }
    }
}

const SIGPIPE: u8 = 13;
const SIGWINCH: i32 = 28;
/// What is passed on: everything a person or a script sends to end or wake a program.
const PROXIED: [i32; 7] = [1, 2, 3, 10, 12, 15, 18];

/// Relays until the program ends, the keys that detach are typed, or the other end has gone.
pub fn relay(socket: OwnedFd, options: &Options) -> Result<End> {
    let keys = DetachKeys::parse(options.detach_keys.as_deref())?;
    let input_is_terminal = isatty(rustix::stdio::stdin());
    let raw_mode = options.tty && options.input && input_is_terminal;
    let mut numbers = vec![SIGWINCH];
    if options.sig_proxy || raw_mode {
        // In raw mode also those that end us: the terminal has to be put right first.
        numbers.extend(PROXIED);
    }
    let signals = Signals::block(&numbers).what(|| "cannot read signals")?;
    let raw = raw_mode.then(Raw::enter).transpose()?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    let mut relay = Relay {
        socket: File::from(socket),
        reader: frames::Reader::default(),
        queue: Vec::new(),
        input_open: options.input,
        keys: (options.tty && input_is_terminal).then_some(keys),
        output_gone: false,
        owns: options.owns,
        sig_proxy: options.sig_proxy,
    };
    if options.tty {
        relay.resize();
    }
    let end = relay.run(&signals);
    drop(raw);
    end
}

struct Relay {
    socket: File,
    reader: frames::Reader,
    queue: Vec<u8>,
    input_open: bool,
    keys: Option<DetachKeys>,
    output_gone: bool,
    owns: bool,
    sig_proxy: bool,
}

impl Relay {
    fn run(&mut self, signals: &Signals) -> Result<End> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            self.flush()?;
            let take_input = self.input_open && self.queue.len() < frames::LIMIT;
            let mut socket_flags = PollFlags::IN;
            if !self.queue.is_empty() {
                socket_flags |= PollFlags::OUT;
            }
            let input = rustix::stdio::stdin();
            let mut waits = vec![
                PollFd::new(&self.socket, socket_flags),
                PollFd::new(signals, PollFlags::IN),
            ];
            if take_input {
                waits.push(PollFd::from_borrowed_fd(input, PollFlags::IN));
            }
            match poll(&mut waits, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let heard = !waits[0].revents().is_empty();
            let typed = take_input && !waits[2].revents().is_empty();
            drop(waits);
            while let Some(number) = signals.next()? {
                match number {
                    SIGWINCH => self.resize(),
                    number if !self.sig_proxy => {
                        return Err(Error::new(format!("ended by {}", signal::name(number))));
                    }
                    number => self.send(Kind::Signal, &[u8::try_from(number).unwrap_or(15)]),
                }
            }
            if typed && self.read_input(input, &mut buffer)? {
                return Ok(End::Detached);
            }
            if heard && let Some(end) = self.hear(&mut buffer)? {
                return Ok(end);
            }
        }
    }

    /// Takes what the other end says; some once the program has ended.
    fn hear(&mut self, buffer: &mut [u8]) -> Result<Option<End>> {
        match self.socket.read(buffer) {
            Ok(0) => {
                return Err(Error::new(
                    "the container's monitor has gone, and with it how the program ended",
                )
                .hint("`rpod ps -a` shows whether it still runs"));
            }
            Ok(count) => self.reader.feed(&buffer[..count]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error).what(|| "cannot hear the container's monitor"),
        }
        let mut broken = false;
        while let Some((kind, payload)) = self.reader.next()? {
            match kind {
                Kind::Stdout if !self.output_gone => {
                    broken |= !show(rustix::stdio::stdout(), payload)?
                }
                Kind::Stderr => drop(show(rustix::stdio::stderr(), payload)?),
                Kind::Exit => {
                    let status = payload.try_into().map_or(255, i32::from_le_bytes);
                    return Ok(Some(End::Exited(status)));
                }
                Kind::Failed => return Err(serde_json::from_slice(payload)?),
                _ => {}
            }
        }
        if broken && !self.owns {
            return Ok(Some(End::Detached));
        }
        if broken && !self.output_gone {
            // Whoever read our output has gone; the program learns it as it would on a pipe.
            self.output_gone = true;
            self.send(Kind::Signal, &[SIGPIPE]);
        }
        Ok(None)
    }

    /// Sends what was typed; true when it was the keys that detach.
    fn read_input(&mut self, input: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<bool> {
        match rustix::io::read(input, &mut buffer[..]) {
            Ok(0) | Err(rustix::io::Errno::IO) => {
                self.input_open = false;
                self.send(Kind::StdinEnd, &[]);
            }
            Ok(count) => {
                let typed = &buffer[..count];
                if self.keys.as_mut().is_some_and(|keys| keys.typed(typed)) {
                    return Ok(true);
                }
                let typed = typed.to_vec();
                self.send(Kind::Stdin, &typed);
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error).what(|| "cannot read standard input"),
        }
        Ok(false)
    }

    fn resize(&mut self) {
        let size = terminal::size_of(rustix::stdio::stdout())
            .or_else(|| terminal::size_of(rustix::stdio::stdin()));
        if let Some(size) = size {
            let [r0, r1] = size.rows.to_le_bytes();
            let [c0, c1] = size.columns.to_le_bytes();
            self.send(Kind::Resize, &[r0, r1, c0, c1]);
        }
    }

    fn send(&mut self, kind: Kind, payload: &[u8]) {
        frames::write(&mut self.queue, kind, payload);
    }

    fn flush(&mut self) -> Result<()> {
        while !self.queue.is_empty() {
            match self.socket.write(&self.queue) {
                Ok(count) => drop(self.queue.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // It has ended and said so: its last words are still to be read.
                Err(_) => self.queue.clear(),
            }
        }
        Ok(())
    }
}

/// Writes all of it; false when nobody reads it any more.
fn show(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<bool> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None).ok();
            }
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::IO) => return Ok(false),
            Err(error) => return Err(error).what(|| "cannot write the program's output"),
        }
    }
    Ok(true)
}

/// The terminal in raw mode, for as long as this lives.
struct Raw(Termios);

impl Raw {
    fn enter() -> Result<Self> {
        let what = || "cannot change the terminal's mode";
        let before = tcgetattr(rustix::stdio::stdin()).what(what)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw).what(what)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.0).ok();
    }
}

/// Keys that detach, and how many of them were typed in a row.
#[derive(Debug)]
struct DetachKeys {
    keys: Vec<u8>,
    matched: usize,
}

impl DetachKeys {
    /// docker's grammar: letters, or `ctrl-` and a letter or one of `@^[,_`, parted by commas; empty turns it off.
    fn parse(text: Option<&str>) -> Result<Self> {
        let text = text.unwrap_or("ctrl-p,ctrl-q");
        let bad = |part: &str| {
            Error::of(
                ErrorKind::Usage,
                format!("\"{part}\" is no key to detach by: write a letter, or for example ctrl-p"),
            )
        };
        let mut keys = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let key = match part.strip_prefix("ctrl-") {
                Some(rest) => match rest.as_bytes() {
                    [
                        letter @ (b'a'..=b'z'
                        | b'A'..=b'Z'
                        | b'@'
                        | b'['
                        | b'\\'
                        | b']'
                        | b'^'
                        | b'_'),
                    ] => letter & 0x1f,
                    _ => return Err(bad(part)),
                },
                None => match part.as_bytes() {
                    [letter] => *letter,
                    _ => return Err(bad(part)),
                },
            };
            keys.push(key);
        }
        Ok(Self { keys, matched: 0 })
    }

    /// Takes what was typed; true when the row is complete.
    fn typed(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.keys.get(self.matched) == Some(byte) {
                self.matched += 1;
            } else {
                self.matched = usize::from(self.keys.first() == Some(byte));
            }
            if self.matched > 0 && self.matched == self.keys.len() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::DetachKeys;

    #[test]
    fn keys_detach_when_typed_in_a_row() {
        let mut keys = DetachKeys::parse(None).expect("parsed");
        assert!(!keys.typed(b"abc\x10x"));
        assert!(!keys.typed(b"\x10"));
        assert!(keys.typed(b"\x11"));
        assert!(DetachKeys::parse(Some("ctrl-")).is_err());
        assert!(
            !DetachKeys::parse(Some(""))
                .expect("parsed")
                .typed(b"\x10\x11")
        );
    }
}
