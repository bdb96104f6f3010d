//! Flags that scripts written for docker and podman pass, and to which a build of
//! rpod's has one answer only.
//!
//! Lives here: which of their values ask for what is done in any case.
//! Must not: let a value pass that asks for something else: it is refused, with the way on.
//! Called by: `cli::build`.
//! Always true: what is let pass changes nothing of the image.

use super::outputs::{pairs_of, truth};
use crate::cli::flags::usage;
use crate::error::{Error, Result};

/// `--attest`, `--provenance` and `--sbom`, where they say that there is none.
pub fn attestations(attest: &[String], provenance: Option<&str>, sbom: Option<&str>) -> Result<()> {
    for (flag, value) in [("--provenance", provenance), ("--sbom", sbom)] {
        if let Some(value) = value
            && !is_off(value)
        {
            return Err(no_attestations(&format!("{flag} {value}")).hint(format!(
                "leave it out, or write {flag}=false: the image is the same"
            )));
        }
    }
    for text in attest {
        if !pairs_of(text)
            .iter()
            .any(|field| field == "type=sbom" || field == "type=provenance")
        {
            return Err(usage(format!(
                "--attest \"{text}\" is of no type: type=provenance and type=sbom are"
            )));
        }
        if !is_off(text) {
            return Err(no_attestations(&format!("--attest {text}")).hint(format!(
                "leave it out, or write --attest {text},disabled=true"
            )));
        }
    }
    Ok(())
}

fn no_attestations(what: &str) -> Error {
    usage(format!(
        "an image of rpod's has no attestations, and {what} asks for one"
    ))
}

fn is_off(text: &str) -> bool {
    truth(text) == Some(false)
        || pairs_of(text).iter().any(|field| {
            matches!(field.split_once('='), Some(("disabled", value)) if truth(value) == Some(true))
        })
}

/// `--builder`: there is one.
pub fn builder(name: Option<&str>) -> Result<()> {
    match name {
        None | Some("" | "default" | "rpod") => Ok(()),
        Some(other) => Err(usage(format!("there is no builder \"{other}\""))
            .hint("rpod builds by itself: leave --builder out")),
    }
}

/// `--isolation`: podman's say how a step is kept apart, and are kept apart the same way.
pub fn isolation(how: Option<&str>) -> Result<()> {
    match how {
        None | Some("" | "default" | "oci" | "rootless" | "chroot") => Ok(()),
        Some(other) => Err(usage(format!(
            "--isolation cannot be \"{other}\": steps run in containers, as with default, oci and rootless"
        ))),
    }
}

/// `--call`: says whether the Dockerfile is only checked.
pub fn call(method: Option<&str>) -> Result<bool> {
    match method {
        None | Some("" | "build") => Ok(false),
        Some("check" | "lint") => Ok(true),
        Some(other) => Err(usage(format!(
            "--call cannot be \"{other}\": build or check"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{attestations, builder, call, isolation};

    #[test]
    fn what_asks_for_what_is_done_in_any_case_passes_and_nothing_else() {
        let attest = |text: &str| attestations(&[text.to_owned()], None, None);
        assert!(attestations(&[], Some("false"), Some("0")).is_ok());
        assert!(attestations(&[], Some("mode=max,disabled=true"), None).is_ok());
        assert!(attest("type=provenance,disabled=true").is_ok());
        assert!(attest("type=sbom,disabled=1").is_ok());
        for bad in [
            "type=sbom",
            "type=provenance,mode=max",
            "type=sbom,disabled=false",
            "disabled=true",
        ] {
            assert!(attest(bad).is_err(), "{bad}");
        }
        for bad in ["true", "mode=max", "disabled"] {
            assert!(attestations(&[], Some(bad), None).is_err(), "{bad}");
            assert!(attestations(&[], None, Some(bad)).is_err(), "{bad}");
        }
        assert!(builder(Some("default")).is_ok() && builder(Some("other")).is_err());
        assert!(isolation(Some("rootless")).is_ok() && isolation(Some("hyperv")).is_err());
        assert!(call(Some("check")).expect("known") && !call(None).expect("known"));
        assert!(call(Some("outline")).is_err());
    }
}
