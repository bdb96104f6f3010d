//! `rpod image exists` and `image tree`: podman's verbs about one image.
use clap::Parser;

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::spec::size;

/// Say by the exit status whether there is such an image
#[derive(Debug, Parser)]
pub struct Exists {
    /// Image
    #[arg(value_name = "IMAGE")]
    image: String,
}

impl Act for Exists {
    fn act(self, door: &Door) -> Result<u8> {
        let exists = ops::image_tree::exists(&door.session()?, &self.image)?;
        Ok(u8::from(!exists))
    }
}

/// Show an image's layers as a tree
#[derive(Debug, Parser)]
pub struct Tree {
    /// Show what other images have upon it
    #[arg(long)]
    whatrequires: bool,
    /// Image
    #[arg(value_name = "IMAGE")]
    image: String,
}

impl Act for Tree {
    fn act(self, door: &Door) -> Result<u8> {
        let tree = ops::image_tree::tree(&door.session()?, &self.image, self.whatrequires)?;
        let mut out = format!(
            "Image ID: {}\nTags:     [{}]\nSize:     {}\nImage Layers\n",
            tree.id.short(),
            tree.tags.join(" "),
            size::decimal(tree.size)
        );
        // Where a line from a layer further below goes on, for each depth.
        let mut open: Vec<bool> = Vec::new();
        for layer in &tree.layers {
            open.truncate(layer.depth);
            let lines = open
                .iter()
                .map(|goes_on| if *goes_on { "│   " } else { "    " });
            let before: String = lines.collect();
            open.push(!layer.last);
            let branch = if layer.last { "└──" } else { "├──" };
            let top = match layer.top_of.as_slice() {
                [] => String::new(),
                names => format!(" Top Layer of: [{}]", names.join(" ")),
            };
            out.push_str(&format!(
                "{before}{branch} ID: {} Size: {:>7}{top}\n",
                layer.diff_id.short(),
                size::decimal(layer.size)
            ));
        }
        terminal::answer(&out)?;
        Ok(0)
    }
}
