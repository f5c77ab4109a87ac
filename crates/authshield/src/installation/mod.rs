//! Which installation a database is, and whether it is the one that should be there.
//!
//! To start on an empty database is the dearest success there is: everything is green, and nobody has
//! an account any more. So an installation has an id, made when it is set up and kept in the database;
//! production does not start without one, nor on another one's.
//!
//! ```text
//! every start, and every command that opens the database
//!     look            what is in the database?
//!     rules::admit    is it the one that is expected?  (pure)
//!     found           development, and a database from before there were ids: make the id
//!     history         what it was started with, and what changed since the last good start
//! authshield init     the same with rules::set_up: production's only way to make one
//! ```

pub mod history;
mod rules;
mod sql;

use onesql::{Result, Store, Tx};

pub use rules::{Admission, Misplaced, NotSetUp, Seen, admit, set_up};
pub use sql::{Installation, note_verified_backup};

use crate::config::Config;
use crate::kernel::InstallationId;
use crate::world::World;

/// Why a database was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// It is not the one that should be there.
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    /// We could not find out.
    #[error("the database failed while it was asked which installation it is")]
    Store(#[from] onesql::Error),
}

/// The migrations that made the table of accounts, and that of the installation.
const TABLES: [i64; 2] = [1, 4];

/// Looks which installation the database is, and whether anybody has an account there; it need not
/// have a schema.
pub async fn look(store: &Store) -> Result<Seen> {
    let applied = store.applied_migrations().await?;
    let [accounts, installation] = TABLES.map(|version| applied.contains(&version));
    let mut tx = store.glance().await?;
    Ok(Seen {
        installation: if installation { sql::find(&mut tx).await? } else { None },
        accounts: accounts && sql::has_users(&mut tx).await?,
    })
}

/// Finds which installation the database is, as `tx` sees it.
pub async fn in_database(tx: &mut Tx) -> Result<Option<Installation>> {
    sql::find(tx).await
}

/// Accepts the database as the one that the configuration means, or says what to do.
pub async fn accept(
    store: &Store,
    config: &Config,
    world: &dyn World,
) -> Result<Installation, AdmitError> {
    let seen = look(store).await?;
    match rules::admit(config.installation_id, &seen, config.is_production())? {
        Admission::Known(installation) => Ok(installation),
        Admission::New => Ok(found(store, world).await?),
    }
}

/// Makes the id of the database, unless it has one; of several who try at once, all get the same.
pub async fn found(store: &Store, world: &dyn World) -> Result<Installation> {
    let mut tx: Tx = store.write().await?;
    sql::insert(&mut tx, InstallationId::new(world), world.now()).await?;
    let installation = sql::find(&mut tx).await?.expect("it is there now");
    tx.commit().await?;
    Ok(installation)
}
