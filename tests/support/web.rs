//! A web server that gives away the files of a directory.
//!
//! What must not live here: anything a registry does. Always true: it listens on
//! loopback, and ends with the test's process.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

/// Serves a directory below a path; returns where.
pub fn serve(directory: &Path, below: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (directory, below) = (directory.to_owned(), below.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is no failure of the test.
            drop(answer(stream, &directory, &below));
        }
    });
    address
}

fn answer(mut stream: TcpStream, directory: &Path, below: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut headers = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    let known = headers.any(|line| line.to_lowercase().starts_with("if-none-match"));
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let file: PathBuf = match path.strip_prefix(below) {
        Some(rest) => directory.join(rest.trim_start_matches('/')),
        None => directory.join("not there"),
    };
    let (status, body) = match std::fs::read(file) {
        Ok(_) if known => ("304 Not Modified", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"it\"\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}
