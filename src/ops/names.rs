//! Names for containers that were given none: two words that go together.
//!
//! Lives here: the words and the draw.
//! Must not: look whether a name is taken.
//! Called by: `ops::create`.
//! Always true: a drawn name is a valid one.

use crate::error::Result;
use crate::spec::id::ContainerName;
use crate::store::atomic::random_bytes;

/// Draws a name: `quiet_heron`.
pub fn random() -> Result<ContainerName> {
    let bytes = random_bytes::<4>();
    let pick = |words: &[&'static str], high: u8, low: u8| {
        words[usize::from(u16::from_be_bytes([high, low])) % words.len()]
    };
    format!(
        "{}_{}",
        pick(QUALITIES, bytes[0], bytes[1]),
        pick(BIRDS, bytes[2], bytes[3])
    )
    .parse()
}

const QUALITIES: &[&str] = &[
    "able", "agile", "alert", "amber", "ample", "apt", "awake", "azure", "bold", "brave", "breezy",
    "bright", "brisk", "calm", "candid", "chipper", "civil", "clear", "clever", "coral", "cosy",
    "crisp", "curious", "dapper", "daring", "deft", "eager", "early", "earnest", "easy", "elated",
    "fair", "fancy", "fearless", "festive", "fleet", "fluent", "fond", "frank", "free", "fresh",
    "frosty", "gentle", "gifted", "glad", "golden", "grand", "happy", "hardy", "hearty", "honest",
    "humble", "ideal", "jaunty", "jolly", "keen", "kind", "lively", "loyal", "lucid", "lucky",
    "mellow", "merry", "mighty", "modest", "neat", "nimble", "noble", "olive", "patient", "peppy",
    "placid", "plucky", "polite", "prime", "proud", "quick", "quiet", "rapid", "ready", "robust",
    "rosy", "russet", "sage", "serene", "sharp", "silver", "sleek", "smart", "snug", "sober",
    "spry", "steady", "stout", "sunny", "sure", "swift", "tender", "tidy", "topaz", "trusty",
    "upbeat", "vivid", "warm", "wise", "witty", "young", "zesty",
];

const BIRDS: &[&str] = &[
    "albatross",
    "avocet",
    "bittern",
    "blackbird",
    "bluetit",
    "brambling",
    "bullfinch",
    "bunting",
    "bustard",
    "buzzard",
    "chaffinch",
    "chiffchaff",
    "chough",
    "condor",
    "coot",
    "cormorant",
    "crane",
    "crossbill",
    "cuckoo",
    "curlew",
    "dipper",
    "diver",
    "dotterel",
    "dove",
    "dunlin",
    "dunnock",
    "eagle",
    "egret",
    "eider",
    "falcon",
    "fieldfare",
    "finch",
    "flamingo",
    "fulmar",
    "gannet",
    "goldcrest",
    "goldfinch",
    "goosander",
    "goshawk",
    "grebe",
    "greenshank",
    "grouse",
    "guillemot",
    "gull",
    "harrier",
    "hawfinch",
    "heron",
    "hobby",
    "hoopoe",
    "ibis",
    "jackdaw",
    "jay",
    "kestrel",
    "kingfisher",
    "kite",
    "kittiwake",
    "knot",
    "lapwing",
    "lark",
    "linnet",
    "magpie",
    "mallard",
    "martin",
    "merlin",
    "moorhen",
    "nightjar",
    "nuthatch",
    "oriole",
    "osprey",
    "ouzel",
    "owl",
    "partridge",
    "pelican",
    "penguin",
    "petrel",
    "phalarope",
    "pheasant",
    "pintail",
    "pipit",
    "plover",
    "pochard",
    "ptarmigan",
    "puffin",
    "quail",
    "raven",
    "razorbill",
    "redpoll",
    "redshank",
    "redstart",
    "redwing",
    "robin",
    "roller",
    "rook",
    "ruff",
    "sanderling",
    "sandpiper",
    "serin",
    "shearwater",
    "shelduck",
    "shrike",
    "siskin",
    "skua",
    "smew",
    "snipe",
    "sparrow",
    "spoonbill",
    "starling",
    "stilt",
    "stint",
    "stonechat",
    "stork",
    "swallow",
    "swan",
    "swift",
    "teal",
    "tern",
    "thrush",
    "treecreeper",
    "turnstone",
    "wagtail",
    "warbler",
    "waxwing",
    "wheatear",
    "whimbrel",
    "whinchat",
    "wigeon",
    "woodcock",
    "woodlark",
    "woodpecker",
    "wren",
    "wryneck",
    "yellowhammer",
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_name_that_can_be_drawn_is_valid() {
        for quality in super::QUALITIES {
            for bird in super::BIRDS {
                let name = format!("{quality}_{bird}");
                assert!(
                    name.parse::<crate::spec::id::ContainerName>().is_ok(),
                    "{name}"
                );
            }
        }
    }
}
