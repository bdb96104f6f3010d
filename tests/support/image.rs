//! Images made in code, entry by entry, and where the images from Debian are.
//!
//!     let layer = Layer::new().file("etc/hello", "hi").link("etc/hi", "hello");
//!     let image = Image::new("tiny").layer(layer.gzip()).cmd(&["/bin/sh"]);
//!     image.write_docker_archive(&path);
//!
//! An entry can be hostile: its header is written byte by byte, so that names
//! such as `../x`, links that point outside and broken sizes are what they say.
//!
//! What must not live here: expectations; and the `tar` crate, which refuses to
//! write what a hostile layer needs. Always true: the same calls give the same
//! bytes, so digests are stable.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::probe;

/// Returns the archive of an image that `tests/images/build` made.
pub fn built(name: &str) -> PathBuf {
    built_directory().join(name).join("docker.tar")
}

/// Returns the OCI layout of an image that `tests/images/build` made.
pub fn built_layout(name: &str) -> PathBuf {
    built_directory().join(name).join("oci")
}

/// Returns the directory of what `tests/images/build` made.
pub fn built_directory() -> PathBuf {
    let home = std::env::var("HOME").unwrap_or_default();
    let candidates = [
        std::env::var("RPOD_TEST_IMAGES").unwrap_or_default(),
        "/var/cache/rpod-test/images".into(),
        format!("{home}/.cache/rpod-test/images"),
    ];
    let found = candidates
        .iter()
        .map(PathBuf::from)
        .find(|dir| dir.join("complete").exists());
    found.expect("the images are missing: run tests/images/build, or tests/run")
}

/// Returns the image `busybox` by another name, as an archive in a directory:
/// for tests which need several names, or a configuration of their own.
pub fn busybox(name: &str) -> Image {
    Image::new(name).layer(busybox_layer()).cmd(&["sh"])
}

/// Returns a layer with a static busybox under the names tests use.
pub fn busybox_layer() -> Layer {
    let program = probe::program("busybox").expect("install busybox-static");
    let mut layer = Layer::new()
        .directory("bin")
        .executable("bin/busybox", std::fs::read(program).unwrap())
        .directory("etc")
        .file(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
        )
        .file("etc/group", "root:x:0:\napp:x:1000:\n")
        .entry(Entry::directory("tmp").mode(0o1777));
    let names = [
        "sh", "cat", "echo", "ls", "true", "false", "id", "sleep", "touch", "mkdir", "rm", "stat",
        "httpd", "hostname", "env", "mount", "chown", "chmod", "test", "wget", "kill", "ps", "tr",
    ];
    for name in names {
        layer = layer.link(&format!("bin/{name}"), "busybox");
    }
    layer
}

/// How a layer is compressed in the image.
#[derive(Clone, Copy, PartialEq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// As most registries have it.
    Gzip,
    /// As newer ones have it.
    Zstd,
}

/// A layer: a tar archive, written entry by entry.
#[derive(Clone)]
pub struct Layer {
    archive: Vec<u8>,
    compression: Compression,
}

impl Layer {
    /// Returns a layer without entries.
    pub fn new() -> Self {
        Layer {
            archive: Vec::new(),
            compression: Compression::Plain,
        }
    }

    /// Adds any entry.
    pub fn entry(mut self, entry: Entry) -> Self {
        entry.write(&mut self.archive);
        self
    }

    /// Adds bytes that are no entry.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.archive.extend(bytes);
        self
    }

    /// Adds a file that anyone may read.
    pub fn file(self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entry(Entry::file(name, content))
    }

    /// Adds a file that anyone may run.
    pub fn executable(self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entry(Entry::file(name, content).mode(0o755))
    }

    /// Adds a directory.
    pub fn directory(self, name: &str) -> Self {
        self.entry(Entry::directory(name))
    }

    /// Adds a symbolic link.
    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(Entry::new(name, b'2').target(target).mode(0o777))
    }

    /// Adds a second name of an earlier entry.
    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(Entry::new(name, b'1').target(target))
    }

    /// Removes something of a lower layer.
    pub fn whiteout(self, name: &str) -> Self {
        let (dir, file) = name.rsplit_once('/').unwrap_or(("", name));
        let slash = if dir.is_empty() { "" } else { "/" };
        self.file(&format!("{dir}{slash}.wh.{file}"), "")
    }

    /// Hides what lower layers have in a directory.
    pub fn opaque(self, directory: &str) -> Self {
        self.file(&format!("{directory}/.wh..wh..opq"), "")
    }

    /// Has the layer compressed.
    pub fn gzip(mut self) -> Self {
        self.compression = Compression::Gzip;
        self
    }

    /// Has the layer compressed.
    pub fn zstd(mut self) -> Self {
        self.compression = Compression::Zstd;
        self
    }

    /// The archive with its two blocks of zeros at the end.
    pub fn tar(&self) -> Vec<u8> {
        let mut tar = self.archive.clone();
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    /// The archive as the image has it.
    pub fn blob(&self) -> Vec<u8> {
        use std::io::Write;
        let tar = self.tar();
        match self.compression {
            Compression::Plain => tar,
            Compression::Gzip => {
                let level = flate2::Compression::fast();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(&tar).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(&tar[..], 1).unwrap(),
        }
    }

    fn media_type(&self) -> &'static str {
        match self.compression {
            Compression::Plain => "application/vnd.oci.image.layer.v1.tar",
            Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// One entry of a layer, with any name and kind.
#[derive(Clone)]
pub struct Entry {
    name: Vec<u8>,
    kind: u8,
    mode: u32,
    uid: u32,
    gid: u32,
    size: Option<u64>,
    target: Vec<u8>,
    device: (u32, u32),
    content: Vec<u8>,
    /// Records of an extended header before the entry.
    records: Vec<(String, Vec<u8>)>,
}

impl Entry {
    /// Returns an entry of a kind: the byte of the tar format.
    pub fn new(name: impl AsRef<[u8]>, kind: u8) -> Self {
        Entry {
            name: name.as_ref().to_vec(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: None,
            target: Vec::new(),
            device: (0, 0),
            content: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Returns a regular file.
    pub fn file(name: impl AsRef<[u8]>, content: impl Into<Vec<u8>>) -> Self {
        let mut entry = Entry::new(name, b'0');
        entry.content = content.into();
        entry
    }

    /// Returns a directory.
    pub fn directory(name: &str) -> Self {
        Entry::new(format!("{}/", name.trim_end_matches('/')), b'5').mode(0o755)
    }

    /// Returns a character device.
    pub fn device(name: &str, major: u32, minor: u32) -> Self {
        let mut entry = Entry::new(name, b'3');
        entry.device = (major, minor);
        entry
    }

    /// Sets the permissions.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the owner.
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    /// Sets what a link points to.
    pub fn target(mut self, target: &str) -> Self {
        self.target = target.into();
        self
    }

    /// Lies about the size.
    pub fn claims_size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    /// Adds a PAX record before the entry.
    pub fn record(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.records.push((name.into(), value.as_ref().to_vec()));
        self
    }

    fn write(&self, archive: &mut Vec<u8>) {
        if !self.records.is_empty() {
            let mut text = Vec::new();
            for (name, value) in &self.records {
                text.extend(pax_record(name, value));
            }
            let mut header = Entry::file("PaxHeaders/entry", text);
            header.kind = b'x';
            header.write(archive);
        }
        // Names that do not fit are preceded by GNU's entry for them.
        for (text, kind) in [(&self.name, b'L'), (&self.target, b'K')] {
            if text.len() > 100 {
                let mut content = text.clone();
                content.push(0);
                let mut header = Entry::file("././@LongLink", content);
                header.kind = kind;
                header.write(archive);
            }
        }
        archive.extend(self.header());
        archive.extend(&self.content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }

    fn header(&self) -> [u8; 512] {
        let mut header = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        let octal = |value: u64, width: usize| format!("{value:0width$o}\0").into_bytes();
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, &octal(self.mode.into(), 7));
        put(108, &octal(self.uid.into(), 7));
        put(116, &octal(self.gid.into(), 7));
        let size = self.size.unwrap_or(self.content.len() as u64);
        put(124, &octal(size, 11));
        put(136, &octal(1_700_000_000, 11));
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.target[..self.target.len().min(100)]);
        put(257, b"ustar\x0000");
        put(329, &octal(self.device.0.into(), 7));
        put(337, &octal(self.device.1.into(), 7));
        let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    }
}

/// `LENGTH NAME=VALUE\n`, where the length counts its own digits.
fn pax_record(name: &str, value: &[u8]) -> Vec<u8> {
    let rest = 1 + name.len() + 1 + value.len() + 1;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut record = format!("{length} {name}=").into_bytes();
    record.extend(value);
    record.push(b'\n');
    record
}

/// An image: layers and a configuration.
#[derive(Clone)]
pub struct Image {
    /// `NAME[:TAG]`.
    pub name: String,
    layers: Vec<Layer>,
    config: Value,
    /// What is said beside the settings, instead of what usually is.
    beside: Vec<(String, Value)>,
    platform: (String, String),
}

impl Image {
    /// Returns an image without layers.
    pub fn new(name: &str) -> Self {
        let name = match name.contains(':') {
            true => name.to_owned(),
            false => format!("{name}:latest"),
        };
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        Image {
            name,
            layers: Vec::new(),
            config: json!({ "Env": [path] }),
            beside: Vec::new(),
            platform: (architecture().into(), "linux".into()),
        }
    }

    /// Adds a layer on top.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Sets the command.
    pub fn cmd(self, words: &[&str]) -> Self {
        self.config("Cmd", json!(words))
    }

    /// Sets a field of the configuration: `User`, `WorkingDir`, `Volumes` …
    pub fn config(mut self, field: &str, value: Value) -> Self {
        self.config[field] = value;
        self
    }

    /// Sets a field beside the settings: `created`, `history`, `author` …
    pub fn beside(mut self, field: &str, value: Value) -> Self {
        self.beside.push((field.to_owned(), value));
        self
    }

    /// Adds a variable.
    pub fn env(mut self, setting: &str) -> Self {
        self.config["Env"]
            .as_array_mut()
            .unwrap()
            .push(json!(setting));
        self
    }

    /// Says for which machine it is.
    pub fn platform(mut self, architecture: &str, system: &str) -> Self {
        self.platform = (architecture.into(), system.into());
        self
    }

    /// The image's configuration, as its blob.
    pub fn config_blob(&self) -> Vec<u8> {
        let diff_ids: Vec<_> = self
            .layers
            .iter()
            .map(|layer| digest(&layer.tar()))
            .collect();
        let history: Vec<_> = (1..=self.layers.len())
            .map(|n| json!({ "created": "2024-01-02T03:04:05Z", "created_by": format!("layer {n}") }))
            .collect();
        let mut config = json!({
            "architecture": self.platform.0, "os": self.platform.1,
            "created": "2024-01-02T03:04:05Z", "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": history,
        });
        for (field, value) in &self.beside {
            config[field] = value.clone();
        }
        config.to_string().into_bytes()
    }

    /// The image's id: the digest of its configuration.
    pub fn id(&self) -> String {
        digest(&self.config_blob())
    }

    /// The image's manifest, as its blob.
    pub fn manifest_blob(&self) -> Vec<u8> {
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|layer| descriptor(layer.media_type(), &layer.blob()))
            .collect();
        let config = "application/vnd.oci.image.config.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(config, &self.config_blob()), "layers": layers,
        });
        manifest.to_string().into_bytes()
    }

    /// The digest a registry knows the image by.
    pub fn digest(&self) -> String {
        digest(&self.manifest_blob())
    }

    /// All the image's blobs but its manifest.
    pub fn blobs(&self) -> Vec<Vec<u8>> {
        let layers = self.layers.iter().map(Layer::blob);
        layers.chain([self.config_blob()]).collect()
    }

    /// Writes the image as `docker save` does.
    pub fn write_docker_archive(&self, path: &Path) {
        std::fs::write(path, self.docker_archive()).unwrap();
    }

    /// The image as `docker save` writes it.
    pub fn docker_archive(&self) -> Vec<u8> {
        let config = format!("{}.json", &self.id()[7..]);
        let mut archive = Layer::new().file(&config, self.config_blob());
        let mut names = Vec::new();
        for layer in &self.layers {
            let name = format!("{}/layer.tar", &digest(&layer.tar())[7..]);
            if !names.contains(&name) {
                archive = archive.file(&name, layer.blob());
            }
            names.push(name);
        }
        let manifest = json!([{ "Config": config, "RepoTags": [self.name], "Layers": names }]);
        archive.file("manifest.json", manifest.to_string()).tar()
    }

    /// Writes the image as an OCI image layout.
    pub fn write_layout(&self, dir: &Path) {
        let write = |name: &str, content: &[u8]| {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        for (name, content) in self.layout() {
            write(&name, &content);
        }
    }

    /// The image's OCI image layout as an archive.
    pub fn layout_archive(&self) -> Vec<u8> {
        let mut archive = Layer::new();
        for (name, content) in self.layout() {
            archive = archive.file(&name, content);
        }
        archive.tar()
    }

    fn layout(&self) -> Vec<(String, Vec<u8>)> {
        let manifest = self.manifest_blob();
        let mut described = descriptor(MANIFEST, &manifest);
        let tag = self.name.rsplit_once(':').unwrap().1;
        described["annotations"] = json!({
            "io.containerd.image.name": format!("docker.io/library/{}", self.name),
            "org.opencontainers.image.ref.name": tag,
        });
        let index = json!({ "schemaVersion": 2, "manifests": [described] });
        let mut files = vec![
            (
                "oci-layout".to_owned(),
                br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
            ),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ];
        for blob in self.blobs().into_iter().chain([manifest]) {
            files.push((format!("blobs/{}", digest(&blob).replace(':', "/")), blob));
        }
        files
    }
}

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index of manifests.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Returns `sha256:…` of the bytes.
pub fn digest(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// Returns a descriptor of the blob.
pub fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

/// This machine's architecture in the words of images.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

#[test]
fn image_is_read_by_other_tools() {
    let program = probe::program("tar").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let long = "d/".repeat(80) + "file";
    let layer = Layer::new()
        .file("plain", "text")
        .link("link", "plain")
        .file(&long, "deep")
        .entry(Entry::file("short", "").record("path", "from-pax"));
    let path = dir.path().join("layer.tar");
    std::fs::write(&path, layer.tar()).unwrap();
    let listed = std::process::Command::new(program)
        .arg("-tf")
        .arg(&path)
        .output()
        .unwrap();
    assert!(listed.status.success());
    let expected = format!("plain\nlink\n{long}\nfrom-pax\n");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), expected);
}
