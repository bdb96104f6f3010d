//! One question to systemd: a transient scope with us in it, delegated to us.
//!
//! systemd hears D-Bus messages at its private socket, without a bus between; the
//! form is D-Bus's (its specification, "Message Protocol" and "Authentication Protocol").
//! A library for it would be larger than the rest of rpod's cgroups; this is one message.
//!
//! Lives here: that message, and the answer.
//! Must not: wait until the scope is there (`cgroup`).
//! Called by: `cgroup`.
//! Always true: a systemd that does not answer is an error after a few seconds.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Context, Error, Result};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of the longest answer that is read.
const LONGEST: usize = 64 << 10;

/// Starts a scope of this process.
pub fn start_scope(name: &str, slice: Option<&str>) -> Result<()> {
    let path = socket();
    let what = || format!("cannot ask systemd at \"{}\"", path.display());
    let stream = UnixStream::connect(&path).what(what)?;
    stream.set_read_timeout(Some(PATIENCE)).what(what)?;
    stream.set_write_timeout(Some(PATIENCE)).what(what)?;
    let message = question(name, slice, std::process::id());
    talk(&stream, &message).what(what)
}

fn socket() -> PathBuf {
    let uid = rustix::process::getuid();
    if uid.is_root() {
        return PathBuf::from("/run/systemd/private");
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
    runtime
        .map_or_else(
            || PathBuf::from(format!("/run/user/{}", uid.as_raw())),
            PathBuf::from,
        )
        .join("systemd/private")
}

fn talk(mut stream: &UnixStream, message: &[u8]) -> Result<()> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
    stream.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.by_ref().take(1024).read_line(&mut line)?;
    if !line.starts_with("OK ") {
        return Err(Error::new(format!(
            "it does not let us in: {}",
            line.trim()
        )));
    }
    stream.write_all(b"BEGIN\r\n")?;
    stream.write_all(message)?;
    loop {
        let mut head = [0; 16];
        reader.read_exact(&mut head)?;
        let number = |at: usize| {
            let bytes: [u8; 4] = head[at..at + 4].try_into().unwrap_or_default();
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(LONGEST)
        };
        let (body, fields) = (number(4), number(12));
        let rest = fields.next_multiple_of(8).saturating_add(body);
        if head[0] != b'l' || rest > LONGEST {
            return Err(Error::new("its answer is not understood"));
        }
        let mut bytes = vec![0; rest];
        reader.read_exact(&mut bytes)?;
        match head[1] {
            RETURN => return Ok(()),
            ERROR => return Err(Error::new(text(&bytes[rest - body..]))),
            // Signals to whoever listens.
            _ => {}
        }
    }
}

/// The text an error begins with.
fn text(body: &[u8]) -> String {
    let words = body.get(4..).unwrap_or_default();
    let end = words
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(words.len());
    String::from_utf8_lossy(&words[..end]).into_owned()
}

const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;

/// `StartTransientUnit(name, "fail", properties, [])`.
fn question(name: &str, slice: Option<&str>, pid: u32) -> Vec<u8> {
    let mut body = Message::default();
    body.string(name);
    body.string("fail");
    body.array(8, |body| {
        body.property("Description", "s", |body| body.string("rpod build"));
        body.property("PIDs", "au", |body| body.array(4, |body| body.number(pid)));
        body.property("Delegate", "b", |body| body.number(1));
        if let Some(slice) = slice {
            body.property("Slice", "s", |body| body.string(slice));
        }
    });
    body.array(8, |_| {});
    let mut head = Message(vec![b'l', CALL, 0, 1]);
    head.number(u32::try_from(body.0.len()).unwrap_or(u32::MAX));
    head.number(1);
    head.array(8, |head| {
        head.field(1, "o", "/org/freedesktop/systemd1");
        head.field(2, "s", "org.freedesktop.systemd1.Manager");
        head.field(3, "s", "StartTransientUnit");
        head.field(6, "s", "org.freedesktop.systemd1");
        head.align(8);
        head.0.push(8);
        head.signature("g");
        head.signature("ssa(sv)a(sa(sv))");
    });
    head.align(8);
    head.0.extend(body.0);
    head.0
}

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.extend(text.bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.bytes());
        self.0.push(0);
    }

    fn property(&mut self, name: &str, signature: &str, value: impl FnOnce(&mut Self)) {
        self.align(8);
        self.string(name);
        self.signature(signature);
        value(self);
    }

    fn field(&mut self, code: u8, signature: &str, value: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(signature);
        self.string(value);
    }

    /// Its length goes before it, without what aligns its first element.
    fn array(&mut self, align: usize, elements: impl FnOnce(&mut Self)) {
        self.number(0);
        let at = self.0.len();
        self.align(align);
        let begin = self.0.len();
        elements(self);
        let length = u32::try_from(self.0.len() - begin).unwrap_or(u32::MAX);
        self.0[at - 4..at].copy_from_slice(&length.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, question, text};

    #[test]
    fn values_are_aligned_and_arrays_tell_their_length() {
        let mut message = Message::default();
        message.string("ab");
        message.array(8, |message| {
            message.property("P", "b", |message| message.number(1));
        });
        assert_eq!(
            message.0,
            [
                2, 0, 0, 0, b'a', b'b', 0, 0, // the string, and what aligns the length
                16, 0, 0, 0, 0, 0, 0, 0, // the length, and what aligns the struct
                1, 0, 0, 0, b'P', 0, 1, b'b', 0, 0, 0, 0, 1, 0, 0, 0,
            ]
        );
    }

    #[test]
    fn a_question_tells_its_lengths_and_an_answer_may_be_cut() {
        let message = question("a.scope", Some("b.slice"), 7);
        let number = |at: usize| {
            u32::from_le_bytes(message[at..at + 4].try_into().expect("four bytes")) as usize
        };
        let (body, fields) = (number(4), number(12));
        assert_eq!(16 + fields.next_multiple_of(8) + body, message.len());
        assert_eq!(text(b"\x02\0\0\0no\0"), "no");
        assert_eq!(text(b"\x02\0"), "");
    }
}
