//! Compressed forms of layers that were made here: what a registry has been given.
//!
//! ```text
//! compressed/<digest of the plain tar>.json   { "gzip-6": { "digest": …, "size": … } }
//! ```
//!
//! Lives here: remembering a form's digest, so that a second push need not make it
//! to know whether it is there.
//! Must not: keep the form itself.
//! Called by: `image::push`.
//! Always true: what is lost here costs time and nothing else; what belongs to a
//! layer that has gone is forgotten when the next is remembered.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::spec::digest::Digest;
use crate::store::Store;

/// A compressed form of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Store {
    /// Returns the form of a blob that has a name such as `gzip-6`, if it is remembered.
    pub fn compressed_form(&self, blob: &Digest, name: &str) -> Option<Form> {
        self.forms(blob).remove(name)
    }

    /// Remembers a form of a blob.
    pub fn remember_form(&self, blob: &Digest, name: &str, form: Form) -> Result<()> {
        let directory = self.root().join("compressed");
        fs::create_dir_all(&directory)
            .what(|| format!("cannot make \"{}\"", directory.display()))?;
        let mut forms = self.forms(blob);
        forms.insert(name.to_owned(), form);
        self.write(&self.forms_path(blob), &serde_json::to_vec(&forms)?, false)?;
        self.forget_forms();
        Ok(())
    }

    fn forms(&self, blob: &Digest) -> BTreeMap<String, Form> {
        let bytes = fs::read(self.forms_path(blob)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    fn forms_path(&self, blob: &Digest) -> PathBuf {
        let name = format!("{}.json", blob.hex());
        self.root().join("compressed").join(name)
    }

    fn forget_forms(&self) {
        let all = fs::read_dir(self.root().join("compressed"));
        for path in all.into_iter().flatten().flatten().map(|e| e.path()) {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let blob = stem.and_then(|hex| format!("sha256:{hex}").parse::<Digest>().ok());
            if blob.is_none_or(|blob| !self.has_blob(&blob)) {
                drop(fs::remove_file(path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Form;
    use crate::spec::digest::Digest;
    use crate::store::Store;

    #[test]
    fn a_form_is_remembered_as_long_as_its_layer_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        let form = |text: &[u8]| Form {
            digest: Digest::of(text),
            size: 1,
        };
        let (one, two) = (
            store.add_blob(b"1").expect("added"),
            store.add_blob(b"2").expect("added"),
        );
        store
            .remember_form(&one, "gzip-6", form(b"a"))
            .expect("kept");
        store
            .remember_form(&one, "zstd-3", form(b"b"))
            .expect("kept");
        assert_eq!(store.compressed_form(&one, "gzip-6"), Some(form(b"a")));
        assert_eq!(store.compressed_form(&one, "gzip-9"), None);
        std::fs::remove_file(store.blob_path(&one)).expect("removed");
        store
            .remember_form(&two, "gzip-6", form(b"c"))
            .expect("kept");
        assert_eq!(store.compressed_form(&one, "gzip-6"), None);
    }
}
