//! A token server: distribution's "Token Authentication", as Docker Hub has one.
//!
//!     let tokens = TokenServer::start();
//!     let registry = Registry::with(Guard::Tokens(&tokens));
//!
//! It knows the user of `registry::USER`, and the identity token [`IDENTITY`]; to
//! others it gives tokens that allow nothing. Tokens are signed (ES256), so that
//! the real registry checks what they allow.
//!
//! What must not live here: expectations. Always true: it listens on 127.0.0.1
//! only; each request is kept.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;

use super::authority::Authority;
use super::registry::{PASSWORD, USER};

/// What it gives for a password, and takes in its place.
pub const IDENTITY: &str = "identity-of-the-user";

/// Gives tokens.
pub struct TokenServer {
    authority: Authority,
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    lifetime: Arc<AtomicU64>,
}

/// A request for a token.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET` or `POST`.
    pub method: String,
    /// Scopes, in the order asked.
    pub scopes: Vec<String>,
    /// The other words.
    pub words: HashMap<String, String>,
    /// Whether it was the user who asked.
    pub known: bool,
}

struct Signer {
    key: EcdsaKeyPair,
    certificate: String,
}

impl TokenServer {
    /// Whether this machine has what it needs.
    pub fn available() -> bool {
        Authority::available()
    }

    /// Starts one.
    pub fn start() -> Self {
        let authority = Authority::new();
        let pkcs8 = authority.der("pkcs8 -topk8 -nocrypt -in server.key");
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &random);
        let certificate = base64(&authority.der("x509 -in server.crt"), false);
        let signer = Signer {
            key: key.unwrap(),
            certificate,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = TokenServer {
            authority,
            address,
            asked: Arc::default(),
            lifetime: Arc::new(AtomicU64::new(300)),
        };
        let (asked, lifetime) = (Arc::clone(&server.asked), Arc::clone(&server.lifetime));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is no fault of the test's.
                let _served = serve(stream, &signer, &asked, &lifetime);
            }
        });
        server
    }

    /// The certificates it signs with.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where tokens are given.
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Gives tokens of so many seconds from now on.
    pub fn set_lifetime(&self, seconds: u64) {
        self.lifetime.store(seconds, Ordering::Relaxed);
    }
}

fn serve(
    mut stream: TcpStream,
    signer: &Signer,
    asked: &Mutex<Vec<Asked>>,
    lifetime: &AtomicU64,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut length, mut basic) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "authorization" => basic = value.trim_start_matches("Basic ").to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut parts = first.split(' ');
    let method = parts.next().unwrap_or_default().to_owned();
    let path = parts.next().unwrap_or_default();
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let form = String::from_utf8_lossy(&body).into_owned();
    let mut words = HashMap::new();
    let mut scopes = Vec::new();
    for (name, value) in query
        .split('&')
        .chain(form.split('&'))
        .filter_map(|w| w.split_once('='))
    {
        if name == "scope" {
            scopes.extend(unescaped(value).split(' ').map(str::to_owned));
        } else {
            words.insert(name.to_owned(), unescaped(value));
        }
    }
    let right = base64(format!("{USER}:{PASSWORD}").as_bytes(), false);
    let by_identity = words.get("refresh_token").map(String::as_str) == Some(IDENTITY);
    let known = basic == right || by_identity;
    let offline = words.contains_key("offline_token");
    let wrong = !known && (!basic.is_empty() || method == "POST");
    let seconds = lifetime.load(Ordering::Relaxed);
    let token = signer.token(&words, if known { &scopes } else { &[] }, seconds);
    let heard = Asked {
        method,
        scopes,
        words,
        known,
    };
    asked.lock().unwrap().push(heard);
    let (status, mut answer) = match wrong {
        true => ("401 Unauthorized", json!({ "details": "wrong" })),
        false if by_identity => (
            "200 OK",
            json!({ "access_token": token, "expires_in": seconds }),
        ),
        false => ("200 OK", json!({ "token": token, "expires_in": seconds })),
    };
    if offline && !wrong {
        answer["refresh_token"] = json!(IDENTITY);
    }
    let answer = answer.to_string();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
        answer.len()
    )
}

impl Signer {
    /// A JSON Web Token (RFC 7519) that allows what is asked.
    fn token(&self, words: &HashMap<String, String>, scopes: &[String], seconds: u64) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let access: Vec<_> = scopes
            .iter()
            .filter_map(|scope| {
                let (thing, actions) = scope.rsplit_once(':')?;
                let (kind, name) = thing.split_once(':')?;
                let actions: Vec<&str> = actions.split(',').collect();
                Some(json!({ "type": kind, "name": name, "actions": actions }))
            })
            .collect();
        let head = json!({ "typ": "JWT", "alg": "ES256", "x5c": [self.certificate] });
        let claims = json!({
            "iss": "rpod-tests", "sub": USER, "aud": words.get("service"),
            "iat": now - 1, "nbf": now - 1, "exp": now + seconds, "jti": "1", "access": access,
        });
        let head = base64(head.to_string().as_bytes(), true);
        let text = format!("{head}.{}", base64(claims.to_string().as_bytes(), true));
        let random = SystemRandom::new();
        let signature = self.key.sign(&random, text.as_bytes()).unwrap();
        format!("{text}.{}", base64(signature.as_ref(), true))
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap()
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// RFC 4648: with the letters of addresses and without padding, or plain.
pub fn base64(bytes: &[u8], for_addresses: bool) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..4 {
            let letter = letters[(word >> (18 - 6 * place)) as usize & 63].into();
            match (place <= chunk.len(), for_addresses, letter) {
                (true, true, '+') => out.push('-'),
                (true, true, '/') => out.push('_'),
                (true, _, letter) => out.push(letter),
                (false, true, _) => {}
                (false, false, _) => out.push('='),
            }
        }
    }
    out
}
