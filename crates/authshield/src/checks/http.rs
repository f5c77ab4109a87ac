//! What operators see of all this.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::board::Row;
use super::finding::Finding;
use super::sql::{self, PastChange};
use super::standing::Standing;
use crate::access::{Can, SeeHealth};
use crate::app::App;
use crate::kernel::{NodeId, Timestamp};
use crate::problem::{Problem, problems};

/// How many changes are shown.
const HISTORY: i64 = 200;

problems!(
    /// What looking at the checks may answer.
    HealthProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions
);

/// What is believed of one check.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckState {
    /// Which; the reference page of checks has more about it.
    id: &'static str,
    /// What it is about.
    title: &'static str,
    /// What is believed, by its last two results.
    standing: Standing,
    /// Since when; nothing before the first result.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// When it was looked at last.
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Timestamp>,
    /// How often it is looked at, in seconds.
    interval_seconds: f64,
    /// Whether one node looks on behalf of all.
    for_all_nodes: bool,
    /// What was seen last.
    finding: Option<Finding>,
}

impl From<Row> for CheckState {
    fn from(row: Row) -> Self {
        let about = row.entry.about;
        Self {
            id: about.id,
            title: about.title,
            standing: row.track.standing,
            since: row.since,
            checked_at: row.checked_at,
            interval_seconds: row.every.as_secs_f64(),
            for_all_nodes: about.scope == super::check::Scope::Service,
            finding: row.finding,
        }
    }
}

/// Every check that is repeated, and what changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Outlook {
    /// `bad` if one is bad, else `unknown` if of one nobody knows, else `warned` or `good`.
    standing: Standing,
    /// The node that answers.
    node: NodeId,
    /// Every check that is repeated.
    checks: Vec<CheckState>,
    /// What changed on any node, newest first; the last 200.
    history: Vec<PastChange>,
}

/// Returns all that is believed, and what changed.
async fn all(app: &App) -> onesql::Result<Outlook> {
    let rows = app.checks.rows(app.world.now());
    let worst = [Standing::Bad, Standing::Unknown, Standing::Warned];
    let is = |standing: &Standing| rows.iter().any(|row| row.track.standing == *standing);
    let standing = worst.into_iter().find(is).unwrap_or(Standing::Good);
    let history = sql::changes(&app.store, HISTORY).await?;
    let checks = rows.into_iter().map(CheckState::from).collect();
    Ok(Outlook { standing, node: app.checks.node, checks, history })
}

/// Look at every check, with its evidence and what changed.
#[utoipa::path(
    get, path = "/api/v1/admin/health", tag = "administration", security(("access_token" = [])),
    responses((status = OK, body = Outlook), HealthProblems),
)]
pub async fn see_checks(
    State(app): State<App>,
    _: Can<SeeHealth>,
) -> Result<Json<Outlook>, Problem> {
    Ok(Json(all(&app).await?))
}
