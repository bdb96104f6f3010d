//! How a registry lets us in: challenges, tokens, passwords.
//!
//! ```text
//! us        GET /v2/x/manifests/latest
//! registry  401  WWW-Authenticate: Bearer realm="https://auth…/token",service="…",scope="…"
//! us        GET https://auth…/token?service=…&scope=…     Basic, when we have a password
//!           POST …  grant_type=refresh_token              when we have an identity token
//! realm     { "token": "…" }
//! us        GET /v2/x/manifests/latest                    Bearer …
//! ```
//!
//! Lives here: reading challenges (RFC 9110, 11.6.1) and answering them
//! (distribution's "Token Authentication").
//! Must not: decide when to ask again; that is `registry`.
//! Called by: `registry`.
//! Always true: a password goes to the realm the registry names, over TLS if the
//! registry was reached over TLS, and nowhere else.

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;

use crate::error::{Context, Error, Result};
use crate::image::credentials::{Credential, Secret, basic};
use crate::image::registry::http::{Call, Client};
use crate::image::registry::url::{Origin, Url, escape};

/// Bytes of a token's document at most.
const LIMIT: u64 = 1 << 20;

/// What a registry wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A user and a password.
    Basic,
    /// A token, which `realm` gives.
    Bearer {
        /// Address of who gives it.
        realm: String,
        /// Whom it is for.
        service: Option<String>,
        /// What it allows.
        scope: Option<String>,
    },
}

/// Returns the challenges of a 401 that we can answer.
pub fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .flat_map(parse)
        .collect()
}

/// Reads `Scheme name=value, name="value", Scheme …`.
fn parse(text: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text.trim_start_matches([',', ' ']);
    while !rest.is_empty() {
        let end = rest.find([' ', '=', ',']).unwrap_or(rest.len());
        let word = &rest[..end];
        let after = rest[end..].trim_start();
        if let Some(value) = after.strip_prefix('=') {
            let (value, tail) = parameter(value.trim_start());
            if let Some((_, parameters)) = found.last_mut() {
                parameters.push((word.to_ascii_lowercase(), value));
            }
            rest = tail;
        } else {
            found.push((word.to_ascii_lowercase(), Vec::new()));
            rest = after;
        }
        rest = rest.trim_start_matches([',', ' ']);
    }
    found
        .into_iter()
        .filter_map(|(scheme, parameters)| {
            let get = |name: &str| {
                let found = parameters.iter().find(|(n, _)| n == name);
                found.map(|(_, value)| value.clone())
            };
            match scheme.as_str() {
                "basic" => Some(Challenge::Basic),
                "bearer" => Some(Challenge::Bearer {
                    realm: get("realm")?,
                    service: get("service"),
                    scope: get("scope"),
                }),
                _ => None,
            }
        })
        .collect()
}

/// Reads a token or a quoted string; returns it and what follows.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

/// What is wanted of a registry.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// What is to be done: `repository:a/b:pull,push`, several parted by spaces; empty for nothing.
    pub scope: &'a str,
    /// An identity token as well, to be kept instead of the password.
    pub identity: bool,
}

/// What lets us in.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Its `Authorization`.
    pub header: HeaderValue,
    /// The identity token that came with it.
    pub identity: Option<Secret>,
}

/// Returns what answers a challenge; none when it wants a password and we have none.
pub async fn answer(
    client: &Client,
    registry: &Origin,
    challenge: &Challenge,
    credential: Option<&Credential>,
    wish: Wish<'_>,
) -> Result<Option<Pass>> {
    match challenge {
        Challenge::Basic => match credential {
            Some(Credential::Password { user, password }) => Ok(Some(Pass {
                header: sensitive(&basic(user, password))?,
                identity: None,
            })),
            _ => Ok(None),
        },
        Challenge::Bearer {
            realm,
            service,
            scope: wanted,
        } => {
            let order = Order {
                service: service.as_deref(),
                scope: joined(wish.scope, wanted.as_deref().unwrap_or_default()),
                identity: wish.identity,
            };
            let url = Url::parse(realm)
                .and_then(|url| {
                    if registry.tls && !url.origin.tls {
                        return Err(Error::new("it is not over TLS"));
                    }
                    Ok(url)
                })
                .what(|| "the registry names a realm that cannot be used")?;
            let (token, identity) = token(client, url, &order, credential)
                .await
                .what(|| "cannot get a token for it")?;
            let text = Secret::new(format!("Bearer {}", token.reveal()));
            let header = sensitive(&text)?;
            Ok(Some(Pass { header, identity }))
        }
    }
}

/// Joins two lists of scopes, so that each thing stands once with all its actions. A
/// registry asks for what one request needs, and we know what comes after it.
fn joined(ours: &str, theirs: &str) -> String {
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    for scope in ours.split(' ').chain(theirs.split(' ')) {
        let Some((thing, actions)) = scope.rsplit_once(':') else {
            continue;
        };
        let place = match all.iter().position(|(known, _)| *known == thing) {
            Some(place) => place,
            None => {
                all.push((thing, Vec::new()));
                all.len() - 1
            }
        };
        for action in actions.split(',') {
            if !all[place].1.contains(&action) {
                all[place].1.push(action);
            }
        }
    }
    let scopes: Vec<String> = all
        .iter()
        .map(|(thing, actions)| format!("{thing}:{}", actions.join(",")))
        .collect();
    scopes.join(" ")
}

struct Order<'a> {
    service: Option<&'a str>,
    scope: String,
    identity: bool,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
}

async fn token(
    client: &Client,
    realm: Url,
    order: &Order<'_>,
    credential: Option<&Credential>,
) -> Result<(Secret, Option<Secret>)> {
    let origin = realm.origin.clone();
    let (call, authorization) = match credential {
        Some(Credential::Identity(token)) => (by_identity(realm, order, token), None),
        Some(Credential::Password { user, password }) => {
            let authorization = sensitive(&basic(user, password))?;
            (by_password(realm, order, Some(user)), Some(authorization))
        }
        None => (by_password(realm, order, None), None),
    };
    let mut answer = client.exchange(&call, authorization.as_ref()).await?;
    let status = answer.status.as_u16();
    if matches!(status, 401 | 403 | 400) && credential.is_some() {
        return Err(Error::new(format!(
            "the user name or the password is not right ({status} from {origin})"
        )));
    }
    if status != 200 {
        return Err(Error::new(format!("{origin} answered {status}")));
    }
    let bytes = answer.bytes(LIMIT).await?;
    let unclear = || Error::new(format!("the answer of {origin} holds no token"));
    let answer: Token = serde_json::from_slice(&bytes).map_err(|_| unclear())?;
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Secret::new);
    let token = filled(answer.token).or_else(|| filled(answer.access_token));
    let identity = filled(answer.refresh_token).filter(|_| order.identity);
    Ok((token.ok_or_else(unclear)?, identity))
}

fn by_password(mut realm: Url, order: &Order<'_>, user: Option<&str>) -> Call {
    let mut words = Vec::new();
    words.extend(order.service.map(|s| format!("service={}", escape(s))));
    let scopes = order.scope.split(' ').filter(|scope| !scope.is_empty());
    words.extend(scopes.map(|s| format!("scope={}", escape(s))));
    words.extend(user.map(|u| format!("account={}", escape(u))));
    if order.identity {
        words.push("client_id=rpod&offline_token=true".to_owned());
    }
    if !words.is_empty() {
        let joint = if realm.path.contains('?') { '&' } else { '?' };
        realm.path = format!("{}{joint}{}", realm.path, words.join("&"));
    }
    Call::get(realm)
}

fn by_identity(realm: Url, order: &Order<'_>, token: &Secret) -> Call {
    let mut form = format!(
        "grant_type=refresh_token&client_id=rpod&refresh_token={}",
        escape(token.reveal())
    );
    if !order.scope.is_empty() {
        form.push_str(&format!("&scope={}", escape(&order.scope)));
    }
    if let Some(service) = order.service {
        form.push_str(&format!("&service={}", escape(service)));
    }
    let mut call = Call::get(realm);
    call.method = Method::POST;
    call.body = Bytes::from(form);
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    call.headers.insert(CONTENT_TYPE, kind);
    call
}

/// Makes a header whose value hyper does not show either.
fn sensitive(secret: &Secret) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(secret.reveal())
        .map_err(|_| Error::new("a token or password has letters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{Challenge, joined, parse};

    #[test]
    fn scopes_are_joined_thing_by_thing() {
        for (ours, theirs, all) in [
            ("repository:a/b:pull", "", "repository:a/b:pull"),
            ("", "registry:catalog:*", "registry:catalog:*"),
            (
                "repository:a:pull,push repository:b:pull",
                "repository:a:pull repository:h:5000/c:delete",
                "repository:a:pull,push repository:b:pull repository:h:5000/c:delete",
            ),
            ("", "nonsense", ""),
        ] {
            assert_eq!(joined(ours, theirs), all);
        }
    }

    #[test]
    fn challenges_are_read_as_servers_write_them() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        };
        for (text, expected) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull,push""#,
                vec![bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/busybox:pull,push"),
                )],
            ),
            (r#"Basic realm="Registry Realm""#, vec![Challenge::Basic]),
            (
                r#"Negotiate, bearer realm=https://a/t , basic realm="a \"b\", c""#,
                vec![bearer("https://a/t", None, None), Challenge::Basic],
            ),
            ("Bearer service=x", vec![]),
            ("Basic", vec![Challenge::Basic]),
            (r#"Bearer realm="x"#, vec![bearer("x", None, None)]),
            ("", vec![]),
            ("=,=,\"", vec![]),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
