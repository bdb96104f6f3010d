//! `rpod pull`: images from their registries.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::failure;
use crate::cli::flags::registry::Registry;
use crate::cli::flags::{policy, usage};
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::pull::Pulled;
use crate::spec::container::PullPolicy;
use crate::spec::duration;
use crate::spec::platform::Platform;

/// Pull images from their registries
#[derive(Debug, Parser)]
pub struct Args {
    /// Pull every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Ask the registry: always, missing, never, newer
    #[arg(long, value_name = "POLICY", default_value = "always")]
    policy: String,
    /// Take the image of this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Print only the image's name when it is there
    #[arg(short, long)]
    quiet: bool,
    /// How often more something that failed is tried
    #[arg(long, value_name = "N")]
    retry: Option<u32>,
    /// How long before it is tried again; it doubles
    #[arg(long, value_name = "DURATION")]
    retry_delay: Option<String>,
    #[command(flatten)]
    registry: Registry,
    /// docker's; there is no such trust to disable
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    /// Image
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        if self.all_tags
            && let Some(image) = self.images.iter().find(|image| says_tag(image))
        {
            return Err(usage(format!(
                "\"{image}\" has a tag or a digest, and --all-tags means every tag"
            )));
        }
        let tells = !self.quiet && !self.all_tags;
        if tells && self.images.iter().any(|image| !says_tag(image)) {
            terminal::complain("Using default tag: latest\n");
        }
        let platform = self.platform.as_deref().map(str::parse::<Platform>);
        let request = ops::pull::Request {
            policy: policy("--policy", Some(&self.policy))?.unwrap_or(PullPolicy::Always),
            platform: platform.transpose()?,
            all_tags: self.all_tags,
            artifacts: true,
            nameless: false,
            quiet: self.quiet,
            asked: self.registry.asked()?,
            retries: self.retry,
            delay: self
                .retry_delay
                .as_deref()
                .map(duration::parse)
                .transpose()?,
        };
        let pulled = ops::pull::pull(&door.open(self.quiet)?, &request, &self.images)?;
        report(pulled, &self.images)
    }
}

/// Says the name of each image, and what failed.
fn report(pulled: Vec<Result<Pulled>>, typed: &[String]) -> Result<u8> {
    // The door says it if there is nothing else to say.
    if let ([_], [_]) = (typed, pulled.as_slice()) {
        for one in pulled {
            terminal::line(&one?.reference.to_string())?;
        }
        return Ok(0);
    }
    let mut status = 0;
    for one in pulled {
        match one {
            Ok(pulled) => terminal::line(&pulled.reference.to_string())?,
            Err(error) => {
                failure::say(&error);
                status = status.max(failure::status(&error, false));
            }
        }
    }
    Ok(status)
}

fn says_tag(typed: &str) -> bool {
    let last = typed.rsplit('/').next().unwrap_or(typed);
    typed.contains('@') || last.contains(':')
}
