//! A file of a web server, into the store's `tmp/`.
//!
//! Lives here: `import URL`.
//! Must not: know what is in the file.
//! Called by: `ops::import`.
//! Always true: redirects, proxies and time limits are those of the registry client;
//! no credentials are sent. The caller may have a runtime, and must not fork later.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use crate::error::{Context, Error, Result};
use crate::image::registry::http::{Call, Client, Limits, Trust};
use crate::image::registry::proxy::Proxies;
use crate::image::registry::url::Url;
use crate::progress::Progress;
use crate::store::Store;

/// Returns the file that a URL leads to, at its beginning. It has no name, and goes when it is closed.
pub fn download(store: &Store, text: &str, progress: &dyn Progress) -> Result<File> {
    let url = Url::parse(text)?;
    let (path, file) = store.stage_file("download")?;
    // Whatever becomes of us, nothing is left of it.
    drop(std::fs::remove_file(&path));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .what(|| "cannot start the client")?;
    let proxies = Proxies::from_environment(&|name| std::env::var(name).ok());
    let client = Client::new(Limits::default(), Trust::default(), proxies);
    let done = runtime.block_on(fetch(&client, url, file, progress));
    runtime.shutdown_background();
    let mut file = done.what(|| format!("cannot download \"{text}\""))?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

async fn fetch(client: &Client, url: Url, mut file: File, progress: &dyn Progress) -> Result<File> {
    let shown = url.origin.to_string();
    let mut answer = client
        .exchange(&Call::get(url), None)
        .await
        .map_err(|fault| fault.error)?;
    if !answer.status.is_success() {
        return Err(Error::new(format!("{shown} answers {}", answer.status)));
    }
    let length = answer.length();
    let step = progress.begin(&shown, "Downloading", length);
    let mut received = 0;
    while let Some(bytes) = answer.chunk().await.map_err(|fault| fault.error)? {
        file.write_all(&bytes)?;
        received += bytes.len() as u64;
        progress.advance(step, bytes.len() as u64);
    }
    progress.end(step, "Download complete");
    match length {
        Some(length) if length != received => Err(Error::new(format!(
            "{shown} sent {received} bytes of {length}"
        ))),
        _ => Ok(file),
    }
}
