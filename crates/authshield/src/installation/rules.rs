//! Whether a database is the one that should be there.

use super::sql::Installation;
use crate::kernel::InstallationId;

/// What a database says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Which installation it is, if anybody set it up.
    pub installation: Option<Installation>,
    /// Whether anybody has an account.
    pub accounts: bool,
}

/// How a database is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is this one.
    Known(Installation),
    /// It gets an id now.
    New,
}

/// The database is not the one that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// It is empty where accounts should be.
    #[error(
        "the database is empty, and AUTHSHIELD_INSTALLATION_ID expects installation {0}. Name the \
         right database, restore a backup (`authshield restore FILE --installation-id {0}`), or give \
         {0} up and begin anew: `authshield init --new-installation {0}`"
    )]
    Empty(InstallationId),
    /// It is empty, and nobody said that it may be.
    #[error(
        "nobody set this database up, and production does not do it by itself: an empty database may \
         be one that was wiped. For a new installation run `authshield init`, once; for one that was \
         lost, restore a backup (`authshield restore FILE`)"
    )]
    NotSetUp,
    /// It is another installation's.
    #[error(
        "the database belongs to installation {found}, and AUTHSHIELD_INSTALLATION_ID expects \
         {expected}. Name the right database, or restore a backup into an empty one"
    )]
    Other {
        /// Whose it should be.
        expected: InstallationId,
        /// Whose it is.
        found: InstallationId,
    },
}

/// Decides whether to go on with a database.
///
/// One that has accounts and no id is from before there were ids. Development makes an id where
/// nothing is expected, so that it works with no configuration at all.
pub fn admit(
    expected: Option<InstallationId>,
    seen: &Seen,
    production: bool,
) -> Result<Admission, Misplaced> {
    match (seen.installation, expected) {
        (Some(found), Some(expected)) if found.id != expected => {
            Err(Misplaced::Other { expected, found: found.id })
        }
        (Some(found), _) => Ok(Admission::Known(found)),
        (None, Some(expected)) => Err(Misplaced::Empty(expected)),
        (None, None) if production && !seen.accounts => Err(Misplaced::NotSetUp),
        (None, None) => Ok(Admission::New),
    }
}

/// Why `init` did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSetUp {
    /// There is nothing left to do.
    #[error("this database is installation {0} already; nothing was changed")]
    Already(InstallationId),
    /// Another one is expected, and was not given up.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// What was typed is not what is expected.
    #[error(
        "--new-installation gives up the id that AUTHSHIELD_INSTALLATION_ID has, and {typed} is not \
         it; nothing was changed"
    )]
    WrongId {
        /// What was typed.
        typed: InstallationId,
    },
}

/// Decides whether a database may become a new installation, in place of the one that is given up.
pub fn set_up(
    expected: Option<InstallationId>,
    given_up: Option<InstallationId>,
    seen: &Seen,
) -> Result<(), NotSetUp> {
    if let Some(found) = seen.installation {
        return Err(match expected.filter(|expected| *expected != found.id) {
            Some(expected) => Misplaced::Other { expected, found: found.id }.into(),
            None => NotSetUp::Already(found.id),
        });
    }
    match (expected, given_up) {
        (Some(expected), None) => Err(Misplaced::Empty(expected).into()),
        (expected, Some(typed)) if expected != Some(typed) => Err(NotSetUp::WrongId { typed }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    fn installation(world: &Sandbox) -> Installation {
        Installation {
            id: InstallationId::new(world),
            token_epoch: 1,
            created_at: world.now(),
            restored_at: None,
            backup_made_at: None,
            backup_verified_at: None,
        }
    }

    #[test]
    fn an_empty_database_is_no_success_in_production() {
        let world = Sandbox::default();
        let (ours, other) = (installation(&world), installation(&world));
        let (id, elsewhere) = (Some(ours.id), Some(other.id));
        let empty = Seen { installation: None, accounts: false };
        let old = Seen { installation: None, accounts: true };
        let full = Seen { installation: Some(ours), accounts: true };
        let fresh = Seen { installation: Some(ours), accounts: false };
        let misplaced = Misplaced::Other { expected: other.id, found: ours.id };
        for (expected, seen, in_production, in_development) in [
            (None, empty, Err(Misplaced::NotSetUp), Ok(Admission::New)),
            (id, empty, Err(Misplaced::Empty(ours.id)), Err(Misplaced::Empty(ours.id))),
            (None, old, Ok(Admission::New), Ok(Admission::New)),
            (id, old, Err(Misplaced::Empty(ours.id)), Err(Misplaced::Empty(ours.id))),
            (None, full, Ok(Admission::Known(ours)), Ok(Admission::Known(ours))),
            (id, full, Ok(Admission::Known(ours)), Ok(Admission::Known(ours))),
            (id, fresh, Ok(Admission::Known(ours)), Ok(Admission::Known(ours))),
            (elsewhere, full, Err(misplaced), Err(misplaced)),
            (elsewhere, fresh, Err(misplaced), Err(misplaced)),
        ] {
            assert_eq!(admit(expected, &seen, true), in_production, "{expected:?} {seen:?}");
            assert_eq!(admit(expected, &seen, false), in_development, "{expected:?} {seen:?}");
        }
    }

    #[test]
    fn an_installation_is_given_up_by_its_full_name_only() {
        let world = Sandbox::default();
        let (ours, other) = (installation(&world), installation(&world));
        let (id, elsewhere) = (Some(ours.id), Some(other.id));
        let empty = Seen { installation: None, accounts: false };
        let full = Seen { installation: Some(ours), accounts: true };
        let wrong = Err(NotSetUp::WrongId { typed: other.id });
        let already = Err(NotSetUp::Already(ours.id));
        for (expected, given_up, seen, verdict) in [
            (None, None, empty, Ok(())),
            (id, None, empty, Err(Misplaced::Empty(ours.id).into())),
            (id, id, empty, Ok(())),
            (id, elsewhere, empty, wrong),
            (None, elsewhere, empty, wrong),
            (None, None, full, already),
            (id, id, full, already),
            (
                elsewhere,
                elsewhere,
                full,
                Err(Misplaced::Other { expected: other.id, found: ours.id }.into()),
            ),
        ] {
            let said = set_up(expected, given_up, &seen);
            assert_eq!(said, verdict, "{expected:?} {given_up:?} {seen:?}");
        }
    }
}
