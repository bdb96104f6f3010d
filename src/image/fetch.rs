//! One file from a web server, as `import`, `ADD` and a build's context have them.
//!
//! Lives here: asking for it, and for what is newer than the one that is there.
//! Must not: know what it is for.
//! Called by: `ops::build`, `ops::import`.
//! Always true: no credentials are sent; it starts no thread, so its caller may fork; it ends within the
//! limits of [`http::Limits`]; what comes is at most [`LARGEST`] bytes.

use std::fs::File;
use std::io::Write;

use hyper::header::{HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};

use crate::error::{Context, Error, Kind, Result};
use crate::image::registry::http::{Call, Client, Limits, Trust};
use crate::image::registry::proxy::Proxies;
use crate::image::registry::url::Url;
use crate::progress::Progress;
use crate::spec::digest::{Digest, Hasher};

/// Bytes of a file at most.
const LARGEST: u64 = 64 << 30;

/// What a server says of a file; kept to ask again later.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Said {
    /// `ETag`.
    #[serde(default)]
    pub tag: Option<String>,
    /// `Last-Modified`, as it was written.
    #[serde(default)]
    pub modified: Option<String>,
    /// The name in `Content-Disposition`.
    #[serde(default)]
    pub name: Option<String>,
}

/// What came.
#[derive(Clone, Debug)]
pub enum Came {
    /// The file: its digest, and what was said of it.
    File(Digest, Said),
    /// Nothing: it is the one that is known.
    Same,
}

/// Fetches a file. With `known`, only if it is another one by now.
pub fn fetch(
    url: &str,
    known: Option<&Said>,
    to: &mut File,
    progress: &dyn Progress,
) -> Result<Came> {
    let what = || format!("cannot fetch \"{url}\"");
    let variable = |name: &str| std::env::var(name).ok();
    let client = Client::new(
        Limits::default(),
        Trust::default(),
        Proxies::from_environment(&variable),
    );
    let mut call = Call::get(Url::parse(url).what(what)?);
    let mut ask = |name: HeaderName, value: &Option<String>| {
        if let Some(value) = value
            && let Ok(value) = HeaderValue::from_str(value)
        {
            call.headers.insert(name, value);
        }
    };
    if let Some(known) = known {
        ask(IF_NONE_MATCH, &known.tag);
        ask(IF_MODIFIED_SINCE, &known.modified);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .what(|| "cannot set up for the network")?;
    runtime
        .block_on(receive(&client, &call, to, progress))
        .what(what)
}

async fn receive(
    client: &Client,
    call: &Call,
    to: &mut File,
    progress: &dyn Progress,
) -> Result<Came> {
    let mut answer = client.exchange(call, None).await?;
    match answer.status.as_u16() {
        200 => {}
        304 => return Ok(Came::Same),
        404 | 410 => {
            let text = format!(
                "there is no such file ({} from {})",
                answer.status.as_u16(),
                answer.url.origin
            );
            return Err(Error::of(Kind::NotFound, text));
        }
        status => return Err(Error::new(format!("{status} from {}", answer.url.origin))),
    }
    let header = |name: &str| answer.header(name).map(str::to_owned);
    let said = Said {
        tag: header("etag"),
        modified: header("last-modified"),
        name: header("content-disposition").as_deref().and_then(name_in),
    };
    let length = answer.length();
    let step = progress.begin(&answer.url.origin.to_string(), "Downloading", length);
    let mut hasher = Hasher::default();
    let mut count = 0;
    while let Some(bytes) = answer.chunk().await? {
        count += bytes.len() as u64;
        if count > LARGEST {
            return Err(Error::new("it is larger than 64 GiB"));
        }
        hasher.update(&bytes);
        to.write_all(&bytes)?;
        progress.advance(step, bytes.len() as u64);
    }
    progress.end(step, "Download complete");
    if length.is_some_and(|length| length != count) {
        return Err(Error::new(format!(
            "it ended after {count} bytes, before its end"
        )));
    }
    Ok(Came::File(hasher.finish(), said))
}

/// `attachment; filename="x.tar"` (RFC 6266), without directories.
fn name_in(text: &str) -> Option<String> {
    let value = text
        .split(';')
        .map(str::trim)
        .find_map(|field| field.strip_prefix("filename="))?;
    let name = value.trim_matches('"').rsplit('/').next()?;
    (!name.is_empty() && name != "." && name != "..").then(|| name.to_owned())
}

/// Reads the time of `Last-Modified` (RFC 9110, "IMF-fixdate"), in seconds since 1970.
pub fn time(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut fields = text.split_once(", ")?.1.split(' ');
    let day: u32 = fields.next()?.parse().ok()?;
    let month = fields.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let (year, clock) = (fields.next()?, fields.next()?);
    let text = format!("{year}-{month:02}-{day:02}T{clock}Z");
    Some(text.parse::<crate::spec::time::Time>().ok()?.unix())
}

#[cfg(test)]
mod tests {
    use super::{name_in, time};

    #[test]
    fn headers_are_read() {
        assert_eq!(time("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60));
        assert_eq!(time("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(time("yesterday"), None);
        assert_eq!(
            name_in("attachment; filename=\"../a.tar\""),
            Some("a.tar".to_owned())
        );
        assert_eq!(name_in("attachment; filename=\"..\""), None);
        assert_eq!(name_in("inline"), None);
    }
}
