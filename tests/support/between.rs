//! What may stand before a registry: a proxy that breaks connections, forbids large
//! requests, loses a part, or sends elsewhere, as the test says.
//!
//!     let between = Between::before(&registry, |request| match request.method.as_str() {
//!         "PATCH" if request.earlier == 0 => Treatment::CutAfter(100_000),
//!         _ => Treatment::Honest,
//!     });
//!
//! Where a part of a body was passed on, the registry behind waits for the rest, as
//! the specification has it: Debian's `docker-registry` does only when it is asked with
//! the address it gave for that part, which the proxy remembers.
//!
//! What must not live here: expectations. Always true: it listens on 127.0.0.1 only;
//! what it passes on is passed on unchanged but for the host's name.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::registry::{Registry, exchange, read_headers, read_line};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Passing {
    /// `PATCH`, `PUT` …
    pub method: String,
    /// With the query.
    pub path: String,
    /// By names in lower case.
    pub headers: HashMap<String, String>,
    /// Bytes of its body that were read.
    pub length: usize,
    /// How many requests of this method came before.
    pub earlier: usize,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Treatment {
    /// It is passed on.
    Honest,
    /// So many bytes of its body are passed on; then the connection is cut.
    CutAfter(usize),
    /// So many bytes of its body are passed on, as if they were all.
    OnlyFirst(usize),
    /// It is answered so, unread, and the connection closed.
    Status(u16, String),
    /// It is read, and answered so.
    Refused(u16, String),
    /// It is passed on, and the answer's `Location` is at this address.
    Elsewhere(String),
}

type Decide = dyn Fn(&Passing) -> Treatment + Send + Sync;

/// Stands before a registry.
pub struct Between {
    address: String,
    passed: Arc<Mutex<Vec<Passing>>>,
}

struct Door {
    own: String,
    registry: String,
    decide: Box<Decide>,
    passed: Arc<Mutex<Vec<Passing>>>,
    /// The newest address of each upload, by its path.
    uploads: Mutex<HashMap<String, String>>,
}

impl Between {
    /// Stands before a registry; the function is asked what becomes of each request.
    pub fn before(
        registry: &Registry,
        decide: impl Fn(&Passing) -> Treatment + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let passed = Arc::default();
        let door = Arc::new(Door {
            own: address.clone(),
            registry: registry.address().to_owned(),
            decide: Box::new(decide),
            passed: Arc::clone(&passed),
            uploads: Mutex::default(),
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let door = Arc::clone(&door);
                // A client that goes away is no fault of the test's.
                std::thread::spawn(move || door.serve(stream).ok());
            }
        });
        Between { address, passed }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What came so far.
    pub fn passed(&self) -> Vec<Passing> {
        self.passed.lock().unwrap().clone()
    }

    /// What came so far by a method.
    pub fn of(&self, method: &str) -> Vec<Passing> {
        let mut all = self.passed();
        all.retain(|passing| passing.method == method);
        all
    }
}

impl Door {
    fn serve(&self, stream: TcpStream) -> Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        loop {
            let first = read_line(&mut reader)?;
            let mut words = first.split(' ').map(str::to_owned);
            let (Some(method), Some(path)) = (words.next(), words.next()) else {
                return Ok(());
            };
            let headers = read_headers(&mut reader)?;
            let mut passing = Passing {
                method,
                path,
                headers,
                length: 0,
                earlier: 0,
            };
            let place = {
                let mut passed = self.passed.lock().unwrap();
                let same = passed.iter().filter(|p| p.method == passing.method);
                passing.earlier = same.count();
                passed.push(passing.clone());
                passed.len() - 1
            };
            let treatment = (self.decide)(&passing);
            let (limit, cut) = match treatment {
                Treatment::CutAfter(bytes) => (bytes, true),
                Treatment::Status(status, headers) => {
                    write!(
                        stream,
                        "HTTP/1.1 {status} No\r\n{headers}Content-Length: 0\r\n\r\n"
                    )?;
                    stream.shutdown(std::net::Shutdown::Write)?;
                    // As nginx does: what is on its way is read, so that the answer arrives.
                    std::io::copy(&mut reader, &mut std::io::sink())?;
                    return Ok(());
                }
                _ => (usize::MAX, false),
            };
            let mut body = read_body(&mut reader, &passing.headers, limit)?;
            self.passed.lock().unwrap()[place].length = body.len();
            if let Treatment::OnlyFirst(bytes) = treatment {
                body.truncate(bytes);
            }
            if let Treatment::Refused(status, headers) = &treatment {
                write!(
                    stream,
                    "HTTP/1.1 {status} No\r\n{headers}Content-Length: 0\r\n\r\n"
                )?;
                continue;
            }
            let answer = self.pass_on(
                &passing,
                &body,
                matches!(treatment, Treatment::OnlyFirst(_)),
            )?;
            if cut {
                return stream.shutdown(std::net::Shutdown::Both);
            }
            let mut head = format!("HTTP/1.1 {} Answer\r\n", answer.status);
            for (name, value) in &answer.headers {
                let host = match &treatment {
                    Treatment::Elsewhere(address) if name == "location" => address,
                    _ => &self.own,
                };
                let value = value.replace(&self.registry, host);
                if !matches!(
                    name.as_str(),
                    "content-length" | "connection" | "transfer-encoding"
                ) {
                    head += &format!("{name}: {value}\r\n");
                }
            }
            let length = match passing.method.as_str() {
                "HEAD" => answer.headers.get("content-length").cloned(),
                _ => Some(answer.body.len().to_string()),
            };
            head += &format!("Content-Length: {}\r\n\r\n", length.unwrap_or_default());
            stream.write_all(head.as_bytes())?;
            stream.write_all(&answer.body)?;
        }
    }

    fn pass_on(
        &self,
        passing: &Passing,
        body: &[u8],
        short: bool,
    ) -> Result<super::registry::Answer> {
        let mut headers = String::new();
        for (name, value) in &passing.headers {
            let own = ["host", "content-length", "transfer-encoding", "connection"];
            let false_now = short && name == "content-range";
            if !own.contains(&name.as_str()) && !false_now {
                headers += &format!("{name}: {value}\r\n");
            }
        }
        let (path, query) = passing.path.split_once('?').unwrap_or((&passing.path, ""));
        let mut whole = passing.path.clone();
        let newest = self.uploads.lock().unwrap().get(path).cloned();
        if let Some(newest) = newest {
            let digest = query.split('&').find(|word| word.starts_with("digest="));
            whole = match digest {
                Some(digest) => format!("{newest}&{digest}"),
                None => newest,
            };
        }
        let answer = exchange(&self.registry, &passing.method, &whole, &headers, body)?;
        if let Some(location) = answer.headers.get("location")
            && let Some((_, newest)) = location.split_once(&self.registry)
        {
            let path = newest.split('?').next().unwrap();
            let mut uploads = self.uploads.lock().unwrap();
            uploads.insert(path.to_owned(), newest.to_owned());
        }
        Ok(answer)
    }
}

fn read_body(
    reader: &mut impl BufRead,
    headers: &HashMap<String, String>,
    limit: usize,
) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if headers
        .get("transfer-encoding")
        .is_some_and(|v| v == "chunked")
    {
        while body.len() < limit {
            let size = usize::from_str_radix(&read_line(reader)?, 16).unwrap();
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk)?;
            body.extend(chunk);
            read_line(reader)?;
            if size == 0 {
                break;
            }
        }
        body.truncate(limit);
        return Ok(body);
    }
    let length = headers.get("content-length");
    let length: usize = length.and_then(|text| text.parse().ok()).unwrap_or(0);
    reader
        .take(length.min(limit) as u64)
        .read_to_end(&mut body)?;
    Ok(body)
}
