//! `--ssh NAME=KEYFILE`: an SSH agent of the build's own, with these keys.
//!
//! What a step sees is a socket, as it does of an agent that runs on the machine: a
//! program inside can have things signed, and never gets the key. It speaks what ssh(1)
//! needs of the protocol (draft-miller-ssh-agent): which keys there are, and a signature.
//!
//! ```text
//! request   length u32 | 11                          → 12 | count | blob, comment, …
//!                        13 | blob | data | flags    → 14 | signature
//!                        anything else               → 5
//! ```
//!
//! Lives here: private keys read from OpenSSH's files, answers, and starting the process.
//! Must not: write a key anywhere, or ask for a passphrase: ssh-add(1) does that.
//! Called by: `cli::build` reads keys; `ops::build` starts it; `role::agent` answers.
//! Always true: a request that is not understood is answered with a failure.

use std::fmt;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding,
};

use crate::error::{Context, Error, Result};
use crate::image::credentials::base64;
use crate::ops::Session;
use crate::store::atomic::Staged;
use crate::sys::process;

/// What `--ssh` passes on.
#[derive(Clone, Debug)]
pub enum Agent {
    /// An agent that runs, by its socket.
    Socket(PathBuf),
    /// Keys, for one of the build's own.
    Keys(Arc<Vec<Key>>),
}

/// A private key.
pub struct Key {
    /// Its public half, in SSH's form.
    blob: Vec<u8>,
    comment: String,
    signer: Signer,
}

enum Signer {
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaPair>),
    Ecdsa(EcdsaKeyPair, &'static str),
}

impl fmt::Debug for Key {
    /// Says which it is, and nothing of what it is made of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.comment)
    }
}

/// What the process does.
pub struct AgentJob {
    /// Where it is asked.
    pub listener: UnixListener,
    /// Its keys.
    pub keys: Arc<Vec<Key>>,
}

/// An agent of ours, until it is dropped.
pub struct Running {
    pid: i32,
    place: Staged,
}

const SOCKET: &str = "agent";

impl Running {
    /// Starts one.
    pub fn start(session: &Session, keys: &Arc<Vec<Key>>) -> Result<Self> {
        let what = || "cannot start an SSH agent for the build";
        let place = session.store.stage("agent").what(what)?;
        let directory = fs::File::open(place.path()).what(what)?;
        // However long the directory's name is: a socket's has room for 108 bytes.
        let path = format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd());
        let listener = UnixListener::bind(&path).what(what)?;
        // Whatever the caller's umask is: who may write to it may have things signed.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).what(what)?;
        let job = AgentJob {
            listener,
            keys: Arc::clone(keys),
        };
        let role = session.roles.agent;
        let pid = process::fork(|| role(job)).what(what)?;
        Ok(Self { pid, place })
    }

    /// Where it is asked.
    pub fn socket(&self) -> PathBuf {
        self.place.path().join(SOCKET)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(process::kill(self.pid, 9));
        drop(process::wait(self.pid, true));
    }
}

impl Key {
    /// Reads a file that ssh-keygen(1) made.
    ///
    /// # Errors
    /// When it is no such file, or is protected by a passphrase.
    pub fn read(text: &str) -> Result<Self> {
        const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
        const END: &str = "-----END OPENSSH PRIVATE KEY-----";
        let inner = text
            .trim()
            .strip_prefix(BEGIN)
            .and_then(|text| text.strip_suffix(END));
        let inner = inner.ok_or_else(|| {
            if text.contains("PRIVATE KEY-----") {
                Error::new("it is a private key, but not in OpenSSH's form")
            } else {
                Error::new(
                    "it is no private key; a public one has the name of the private one and .pub",
                )
            }
        })?;
        let packed: String = inner.split_whitespace().collect();
        let bytes = base64::decode(&packed).ok_or_else(cut)?;
        Self::unpack(&bytes)
    }

    fn unpack(bytes: &[u8]) -> Result<Self> {
        let rest = bytes.strip_prefix(b"openssh-key-v1\0").ok_or_else(cut)?;
        let mut all = Fields(rest);
        let (cipher, _, _) = (all.bytes()?, all.bytes()?, all.bytes()?);
        if cipher != b"none" {
            return Err(Error::new("it is protected by a passphrase"));
        }
        if all.number()? != 1 {
            return Err(Error::new("it has more than one key"));
        }
        let blob = all.bytes()?.to_vec();
        let mut fields = Fields(all.bytes()?);
        if fields.number()? != fields.number()? {
            return Err(cut());
        }
        let kind = String::from_utf8_lossy(fields.bytes()?).into_owned();
        let signer = Signer::read(&kind, &mut fields)?;
        let comment = String::from_utf8_lossy(fields.bytes()?).into_owned();
        Ok(Self {
            blob,
            comment,
            signer,
        })
    }
}

fn cut() -> Error {
    Error::new("it is damaged")
}

impl Signer {
    fn read(kind: &str, fields: &mut Fields<'_>) -> Result<Self> {
        let refused =
            |why: &dyn fmt::Display| Error::new(format!("its {kind} key is refused: {why}"));
        match kind {
            "ssh-ed25519" => {
                let public = fields.bytes()?;
                let seed = fields.bytes()?.get(..32).ok_or_else(cut)?;
                let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public);
                pair.map(Self::Ed25519).map_err(|why| refused(&why))
            }
            "ssh-rsa" => {
                let mut next = || fields.bytes().map(without_sign);
                let (n, e, d) = (next()?, next()?, next()?);
                let (q_inv, p, q) = (next()?, next()?, next()?);
                let pair = RsaPair::from_components(&KeyPairComponents {
                    public_key: PublicKeyComponents { n, e },
                    d,
                    p,
                    q,
                    dP: &remainder(d, &less_one(p)),
                    dQ: &remainder(d, &less_one(q)),
                    qInv: q_inv,
                });
                pair.map(|pair| Self::Rsa(Box::new(pair)))
                    .map_err(|why| refused(&why))
            }
            "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" => {
                let (name, algorithm, length) = match kind {
                    "ecdsa-sha2-nistp256" => {
                        ("ecdsa-sha2-nistp256", &ECDSA_P256_SHA256_FIXED_SIGNING, 32)
                    }
                    _ => ("ecdsa-sha2-nistp384", &ECDSA_P384_SHA384_FIXED_SIGNING, 48),
                };
                let (_curve, point) = (fields.bytes()?, fields.bytes()?);
                let private = without_sign(fields.bytes()?);
                let mut padded = vec![0; usize::saturating_sub(length, private.len())];
                padded.extend(private);
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    algorithm,
                    &padded,
                    point,
                    &SystemRandom::new(),
                );
                pair.map(|pair| Self::Ecdsa(pair, name))
                    .map_err(|why| refused(&why))
            }
            other => Err(Error::new(format!(
                "a key of type \"{other}\" is not known"
            ))),
        }
    }

    /// Returns the name of the algorithm and the signature; none where it cannot be made.
    fn sign(&self, data: &[u8], flags: u32) -> Option<(&'static str, Vec<u8>)> {
        let rsa = |pair: &RsaPair, how: &'static dyn RsaEncoding| {
            let mut signature = vec![0; pair.public().modulus_len()];
            let signed = pair.sign(how, &SystemRandom::new(), data, &mut signature);
            signed.ok().map(|()| signature)
        };
        match self {
            Self::Ed25519(pair) => Some(("ssh-ed25519", pair.sign(data).as_ref().to_vec())),
            // Without a flag SHA-1 is meant, which nobody accepts any more.
            Self::Rsa(pair) if flags & 4 != 0 => {
                Some(("rsa-sha2-512", rsa(pair, &RSA_PKCS1_SHA512)?))
            }
            Self::Rsa(pair) if flags & 2 != 0 => {
                Some(("rsa-sha2-256", rsa(pair, &RSA_PKCS1_SHA256)?))
            }
            Self::Rsa(_) => None,
            Self::Ecdsa(pair, name) => {
                let signed = pair.sign(&SystemRandom::new(), data).ok()?;
                let (r, s) = signed.as_ref().split_at(signed.as_ref().len() / 2);
                let mut both = Vec::new();
                for number in [r, s] {
                    put(&mut both, &with_sign(number));
                }
                Some((name, both))
            }
        }
    }
}

/// Answers one request, both without their length.
pub fn answer(keys: &[Key], request: &[u8]) -> Vec<u8> {
    match request.split_first() {
        Some((&LIST, _)) => {
            let mut answer = vec![LISTED];
            answer.extend(length(keys.len()));
            for key in keys {
                put(&mut answer, &key.blob);
                put(&mut answer, key.comment.as_bytes());
            }
            answer
        }
        Some((&SIGN, rest)) => signed(keys, rest).unwrap_or_else(|| vec![FAILURE]),
        _ => vec![FAILURE],
    }
}

fn signed(keys: &[Key], rest: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Fields(rest);
    let (blob, data) = (fields.bytes().ok()?, fields.bytes().ok()?);
    let flags = fields.number().unwrap_or(0);
    let key = keys.iter().find(|key| key.blob == blob)?;
    let (name, signature) = key.signer.sign(data, flags)?;
    let mut both = Vec::new();
    put(&mut both, name.as_bytes());
    put(&mut both, &signature);
    let mut answer = vec![SIGNED];
    put(&mut answer, &both);
    Some(answer)
}

const FAILURE: u8 = 5;
const LIST: u8 = 11;
const LISTED: u8 = 12;
const SIGN: u8 = 13;
const SIGNED: u8 = 14;

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend(length(bytes.len()));
    to.extend(bytes);
}

/// What is left of a row of SSH's fields.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Result<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>().ok_or_else(cut)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.number()?).map_err(|_| cut())?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(cut)?;
        self.0 = rest;
        Ok(bytes)
    }
}

/// A number without the zeros that tell that it is no negative one.
fn without_sign(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn with_sign(number: &[u8]) -> Vec<u8> {
    let number = without_sign(number);
    let mut all = vec![0; usize::from(number.first().is_some_and(|byte| byte & 0x80 != 0))];
    all.extend(number);
    all
}

/// An odd number less one.
fn less_one(number: &[u8]) -> Vec<u8> {
    let mut less = number.to_vec();
    if let Some(last) = less.last_mut() {
        *last &= !1;
    }
    less
}

/// The remainder of a division, bit by bit as on paper: done once a key.
fn remainder(number: &[u8], by: &[u8]) -> Vec<u8> {
    // One more byte for what is shifted out before it is taken away.
    let mut left = vec![0; by.len() + 1];
    let by: Vec<u8> = std::iter::once(0).chain(by.iter().copied()).collect();
    for bit in number
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| (byte >> at) & 1))
    {
        let mut carry = bit;
        for byte in left.iter_mut().rev() {
            let shifted = *byte >> 7;
            *byte = (*byte << 1) | carry;
            carry = shifted;
        }
        if left >= by {
            let mut borrow = false;
            for (one, other) in left.iter_mut().zip(&by).rev() {
                let (first, low) = one.overflowing_sub(*other);
                let (second, lower) = first.overflowing_sub(u8::from(borrow));
                *one = second;
                borrow = low || lower;
            }
        }
    }
    without_sign(&left).to_vec()
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
        RsaPublicKeyComponents, UnparsedPublicKey,
    };

    use super::{Fields, Key, answer, put, remainder, with_sign, without_sign};

    // Made for this test alone, by `ssh-keygen -N ""`; the last with a passphrase.
    const ED25519_KEY: &str = "\
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\
QyNTUxOQAAACCOcdmjGr8YVGtEEeg7NkiALNYmJMrRa+Ncl/hXuZETxQAAAJDaDGcv2gxn\
LwAAAAtzc2gtZWQyNTUxOQAAACCOcdmjGr8YVGtEEeg7NkiALNYmJMrRa+Ncl/hXuZETxQ\
AAAEB2ZHgd/SsZGWUZZX9SnFtqIDbPH+GhNgNgHyYAoDRv/Y5x2aMavxhUa0QR6Ds2SIAs\
1iYkytFr41yX+Fe5kRPFAAAADHRlc3QgZWQyNTUxOQE=";
    const RSA_KEY: &str = "\
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABFwAAAAdzc2gtcn\
NhAAAAAwEAAQAAAQEA3MA4k9Y2WgU3+lStr3CqgV88JcX7hD74HlDtzxzcBzLrFhlfZiqt\
vxTclAGX1k/WfGOgRl9yDpo0Fh21Pz6usK6Xbst6zNnhrUtWIXFKSqALN7+bcM2j2xPVHv\
3B5KZMK5Ryz2w7Ui/BE5PpZDXlCEpibB7jAbLAuE8qLLPup8ozzYE1QuJrXISHHf+lG+Fe\
4lT1SwUSd1nrUleMRP72nrRymsdYM9cZIMa1AhXZFZC0C+JtKnSGJAC7Mft5KiklJz627x\
F5wKdYzg4Cse3nomH0XJrg4QSEg/m71VT3+udUN0oK/99ebtOkoWKdjLZQ1aRmisaXRO8L\
THUM688uMQAAA8An+Xc8J/l3PAAAAAdzc2gtcnNhAAABAQDcwDiT1jZaBTf6VK2vcKqBXz\
wlxfuEPvgeUO3PHNwHMusWGV9mKq2/FNyUAZfWT9Z8Y6BGX3IOmjQWHbU/Pq6wrpduy3rM\
2eGtS1YhcUpKoAs3v5twzaPbE9Ue/cHkpkwrlHLPbDtSL8ETk+lkNeUISmJsHuMBssC4Ty\
oss+6nyjPNgTVC4mtchIcd/6Ub4V7iVPVLBRJ3WetSV4xE/vaetHKax1gz1xkgxrUCFdkV\
kLQL4m0qdIYkALsx+3kqKSUnPrbvEXnAp1jODgKx7eeiYfRcmuDhBISD+bvVVPf651Q3Sg\
r/315u06ShYp2MtlDVpGaKxpdE7wtMdQzrzy4xAAAAAwEAAQAAAQACzp1xkNHmXWZftCu0\
vUqnxD+iLdUz0m6qiQYrIe9w1n6LjIVMaerFcSUYazhEcQW11Xj8aBqN0btrlBNh02DajY\
/OqH7+Y59lah21ZWjHz+bwnarC+ZR1tNf7EchBSXWSwMugdFyBQCr0/iajv/UygKqlfBOQ\
KhceCOCtCpk0cD1iXsv7jiTyJCQOBXxb3sHMsgNN+FsteQZFa8jyLAWMW3q8uhkWWjGB+X\
kx4n3SND8ntrqG/4YxdUhGxbJgOn5zXK3Zvf0h80ktRzKWsGeO03/eY19+7puUWNgxIuWE\
5N5Vy4+XzaNm2LPO9orMnxb5j5cr7HMkQHahClhQr5cBAAAAgQCEwEa18x6nwMU5jdWSqk\
KSC2Qgh2bjgrxiff3tMZeILipJr3k08vnZLU+yEhhdSLo0bsBLvddTSHHPltk9IZdOnZaM\
LjROx/nla3D5s3EiEgxDTyt6BMztUDrcwORSSjUkS46ZFPaqsmXUc+QnavW777Jhg71UcD\
4KkKDU0FyO8wAAAIEA7wzZ42BzXiGJiVl1MfTVwgCjS4apg31+3dY1RuK1HB8+70U4Z1NK\
lej+yZzg5KVxX/RhxnrG6qAcNS4cRy2ImgkTuPXWtqOmZpfcyPXkloY0uOyzxVAPIypcdu\
yC9oZypPboYaEBL6WBLlIzjpp2k1Mm5Tkhnkd9NUHVGG2PF4EAAACBAOxnNQ3Pz2RiFNmM\
AaLFodnLrDXs201KgaAbAgTjbmEU+P9VwzgoxCfutxZoB4sg9o34SD8/u188U3+ppQPa9B\
6Sgz4LtcBUNO+8DFPXdGj2EXLrH+8fbAbcE3JNR+q19YQ72BPGZRbK03hyeqkQdsYGtpHw\
4ePsoeigAFcXBu6xAAAACHRlc3QgcnNhAQI=";
    const ECDSA_KEY: &str = "\
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS\
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQS4wyxhSYJZDaT4RGOlMGWa2+FmdiHf\
w+jOJcKIGi/zgTiiDbTk8NUY24DzVdAtPZNhCm1BeDLeLWHPG6V8SbJqAAAAqJDAvpSQwL\
6UAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLjDLGFJglkNpPhE\
Y6UwZZrb4WZ2Id/D6M4lwogaL/OBOKINtOTw1RjbgPNV0C09k2EKbUF4Mt4tYc8bpXxJsm\
oAAAAgOBLxbRCJYcW5slUw3Nm0D0sRieqJ8N/8MEAYAaFcwCYAAAAKdGVzdCBlY2RzYQEC\
AwQFBg==";
    const LOCKED_KEY: &str = "\
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBwdvgeA+\
NM3LkxnZgg0J65AAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIHpa97bswekfKY6v\
gnMcE1khvUEbBeYSdCy7rFa+0HXjAAAAkIVgVSgQGyQBUkHbTLGQQ8yc99uCQx2YIT/4qO\
qNbV7Twu+DcT+uxpqJR5sG5iv02aEVk5W1kHVxg/TPXZcN3tOR0qzPjxdYa1bF6LsMaFv7\
M/KWHks1OT/IE+p7SgUmuQb8wKiVs7vdTX0qqQjIAMNZEPnCQ7SdD6qN2NKT0/J3kT7Sbl\
1S2CeZX658gyxvpg==";

    fn file(inner: &str) -> String {
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{inner}\n-----END OPENSSH PRIVATE KEY-----\n")
    }

    /// Has a message signed, as ssh(1) does; returns the name of the algorithm and the
    /// signature.
    fn sign(keys: &[Key], which: usize, flags: u32) -> (String, Vec<u8>) {
        let mut request = vec![13];
        put(&mut request, &keys[which].blob);
        put(&mut request, b"message");
        request.extend(flags.to_be_bytes());
        let answer = answer(keys, &request);
        assert_eq!(answer[0], 14);
        let mut both = Fields(Fields(&answer[1..]).bytes().expect("one field"));
        let name = String::from_utf8(both.bytes().expect("a name").to_vec()).expect("text");
        (name, both.bytes().expect("a signature").to_vec())
    }

    #[test]
    fn signatures_of_all_kinds_of_keys_are_good() {
        let keys =
            [ED25519_KEY, RSA_KEY, ECDSA_KEY].map(|key| Key::read(&file(key)).expect("read"));
        let listed = answer(&keys, &[11]);
        assert_eq!(listed[..5], [12, 0, 0, 0, 3]);
        assert_eq!(Fields(&listed[5..]).bytes().expect("one"), keys[0].blob);

        let mut blob = Fields(&keys[0].blob);
        let (_, public) = (blob.bytes(), blob.bytes().expect("the key"));
        let (name, signature) = sign(&keys, 0, 0);
        assert_eq!(name, "ssh-ed25519");
        let good = UnparsedPublicKey::new(&ED25519, public).verify(b"message", &signature);
        good.expect("Ed25519");

        let mut blob = Fields(&keys[1].blob);
        let (_, e, n) = (
            blob.bytes(),
            blob.bytes().expect("e"),
            blob.bytes().expect("n"),
        );
        let (e, n) = (without_sign(e), without_sign(n));
        for (flags, how, wanted) in [
            (2, &RSA_PKCS1_2048_8192_SHA256, "rsa-sha2-256"),
            (4, &RSA_PKCS1_2048_8192_SHA512, "rsa-sha2-512"),
        ] {
            let (name, signature) = sign(&keys, 1, flags);
            assert_eq!(name, wanted);
            let public = RsaPublicKeyComponents { n, e };
            public.verify(how, b"message", &signature).expect("RSA");
        }

        let mut blob = Fields(&keys[2].blob);
        let (_, _, point) = (blob.bytes(), blob.bytes(), blob.bytes().expect("the point"));
        let (name, signature) = sign(&keys, 2, 0);
        assert_eq!(name, "ecdsa-sha2-nistp256");
        let mut both = Fields(&signature);
        let mut fixed = Vec::new();
        for _ in 0..2 {
            let number = without_sign(both.bytes().expect("a number"));
            fixed.extend(vec![0; 32 - number.len()]);
            fixed.extend(number);
        }
        let good =
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(b"message", &fixed);
        good.expect("ECDSA");
    }

    #[test]
    fn what_is_no_key_that_can_be_used_is_told() {
        let why = |text: &str| Key::read(text).expect_err("refused").to_string();
        assert!(why("ssh-ed25519 AAAA").starts_with("it is no private key"));
        assert_eq!(why(&file(LOCKED_KEY)), "it is protected by a passphrase");
        assert_eq!(why(&file(&ED25519_KEY[..160])), "it is damaged");
        assert!(why("-----BEGIN RSA PRIVATE KEY-----\n").contains("not in OpenSSH's form"));
    }

    #[test]
    fn a_remainder_is_what_division_leaves() {
        for (number, by) in [
            (1_000_003_u64, 97_u64),
            (u64::MAX, 255),
            (5, 7),
            (65_536, 256),
        ] {
            let left = remainder(&number.to_be_bytes(), without_sign(&by.to_be_bytes()));
            let value = left
                .iter()
                .fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
            assert_eq!(value, number % by, "{number} by {by}");
        }
        assert_eq!(with_sign(&[0, 0x80]), [0, 0x80]);
        assert_eq!(with_sign(&[0, 0x7f]), [0x7f]);
    }

    #[test]
    fn what_is_not_understood_is_a_failure() {
        for request in [&[][..], &[13], &[13, 0, 0, 0, 9, 1], &[17], &[255; 40]] {
            assert_eq!(answer(&[], request), [5]);
        }
        assert_eq!(answer(&[], &[11]), [12, 0, 0, 0, 0]);
    }
}
