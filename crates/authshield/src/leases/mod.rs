//! Who does what one node does for all.

mod sql;

use std::time::Duration;

use onesql::Result;

use crate::app::App;

/// Whether this node does `what` for all, for `length` from now on: it takes the lease, or keeps it.
/// Of several nodes that try at once, one gets it; when it is gone, another one does after `length`.
pub async fn take(app: &App, what: &'static str, length: Duration) -> Result<bool> {
    sql::take(&app.store, what, app.checks.node, app.world.now(), length).await
}
