//! `rename`: a container's name changes, nothing else.
use crate::error::{Context, Error, Kind, Result};
use crate::ops::{Session, network};
use crate::spec::id::ContainerName;

/// Renames a container.
pub fn rename(session: &Session, old: &str, new: &str) -> Result<()> {
    let what = || format!("cannot rename container \"{old}\"");
    let name: ContainerName = new.parse().what(what)?;
    let id = session.store.find_container(old).what(what)?;
    let _lock = session.store.lock_container(&id).what(what)?;
    let record = session.store.load_record(&id).what(what)?;
    if record.name == name {
        return Err(Error::of(
            Kind::Conflict,
            format!("it has the name \"{name}\" already"),
        )
        .what(what()));
    }
    session
        .store
        .rename_container(&record, name.clone())
        .what(what)?;
    // A container that does not run has nobody to tell; one whose monitor is gone keeps
    // the old name on its networks until it is started again.
    drop(network::renamed(session, &record, &name));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::rename;
    use crate::ops::ps::tests::{put, record, session};
    use crate::spec::container::Status;

    #[test]
    fn a_name_moves_and_a_taken_one_does_not() {
        let (_dir, session) = session();
        let web = record(&session, "web", json!({}));
        put(&session, &web, Status::Created);
        put(
            &session,
            &record(&session, "db", json!({})),
            Status::Created,
        );
        rename(&session, "web", "shop").expect("renamed");
        assert_eq!(session.store.find_container("shop").ok(), Some(web.id));
        assert!(session.store.find_container("web").is_err());
        for (new, why) in [
            ("db", "is in use by container"),
            ("shop", "already"),
            ("a/b", "cannot name a container"),
        ] {
            let error = rename(&session, "shop", new).expect_err(why).to_string();
            assert!(
                error.starts_with("cannot rename container \"shop\": "),
                "{error}"
            );
            assert!(error.contains(why), "{error}");
        }
    }
}
