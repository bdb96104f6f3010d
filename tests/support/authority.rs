//! A private authority, made with openssl: its certificate, a server's for this
//! machine, and a guest's.
//!
//!     let authority = Authority::new();
//!     authority.path("ca.crt");                  // also server.crt, server.key, guest.cert, guest.key
//!
//! What must not live here: expectations. Always true: the files go with the value.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::probe;

/// Certificates in a directory.
pub struct Authority {
    directory: tempfile::TempDir,
}

impl Authority {
    /// Whether this machine has the program.
    pub fn available() -> bool {
        probe::program("openssl").is_some()
    }

    /// Makes one.
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("rt-authority.")
            .tempdir_in("/var/tmp")
            .unwrap();
        let authority = Authority { directory };
        let new_key = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -batch";
        authority.openssl(&format!(
            "{new_key} -x509 -days 2 -keyout ca.key -out ca.crt -subj /CN=rpod-tests"
        ));
        for (key, certificate, usage) in [
            ("server.key", "server.crt", "serverAuth"),
            ("guest.key", "guest.cert", "clientAuth"),
        ] {
            authority.openssl(&format!(
                "{new_key} -keyout {key} -out request -subj /CN=localhost"
            ));
            let extensions = format!(
                "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage={usage}\n\
                 basicConstraints=CA:FALSE\n"
            );
            std::fs::write(authority.path("extensions"), extensions).unwrap();
            authority.openssl(&format!(
                "x509 -req -days 2 -in request -CA ca.crt -CAkey ca.key -CAcreateserial \
                 -extfile extensions -out {certificate}"
            ));
        }
        authority
    }

    /// Returns where one of its files is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the bytes of a PEM file's first object in another form, by openssl's words.
    pub fn der(&self, words: &str) -> Vec<u8> {
        self.openssl(&format!("{words} -outform DER -out der"));
        std::fs::read(self.path("der")).unwrap()
    }

    fn openssl(&self, words: &str) {
        let done = Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "openssl {words}: {said}");
    }
}
