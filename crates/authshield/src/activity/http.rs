//! What happened to one's own account, over HTTP.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Caller;
use crate::app::{App, Params};
use crate::audit::{self, Entry};
use crate::kernel::{AuditId, Device, Page, Paging, Place, SessionId, Timestamp};
use crate::problem::{Problem, problems};

problems!(
    /// What listing what happened may answer.
    ListProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | ValidationFailed
);

/// Something that happened to an account, as its owner is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct Activity {
    id: AuditId,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// What happened, for programs.
    code: String,
    /// The same, in the language of the account.
    pub(crate) description: String,
    /// From where, if somebody on the network did it, and no administrator.
    pub(crate) ip_address: Option<String>,
    /// In which country that is, if known (ISO 3166-1, two letters).
    country: Option<String>,
    /// By what, for people.
    pub(crate) device: Option<String>,
    /// The session that it is about.
    session_id: Option<SessionId>,
    /// Whether that is the session that asks.
    pub(crate) is_current_session: bool,
    /// Whether somebody else did it, with the rights of an administrator.
    pub(crate) by_administrator: bool,
}

impl Activity {
    /// Puts an event into words for the caller, whose it is.
    pub(crate) fn new(app: &App, caller: &Caller, entry: Entry) -> Self {
        let country = entry.country().map(str::to_owned);
        let Entry { id, at, code, reason, actor_id, session_id, ip_address, user_agent, .. } =
            entry;
        let reason = reason.as_deref().unwrap_or_default();
        let words = format!("activity-{code}");
        let description =
            app.pages.words_for(caller.user.locale.as_str(), &words, &[("reason", reason)]);
        // A command has no address: it is not the network's. That of an administrator is the administrator's.
        let by_administrator = actor_id.is_some_and(|actor| actor != caller.user.id);
        let ip_address = ip_address.filter(|address| address != "0.0.0.0" && !by_administrator);
        let device = user_agent.map(|text| Device::from_user_agent(&text).label());
        Self {
            id,
            at,
            description,
            country: country.filter(|_| ip_address.is_some()),
            device: device.filter(|_| ip_address.is_some()),
            ip_address,
            session_id,
            is_current_session: session_id == Some(caller.session),
            by_administrator,
            code,
        }
    }
}

/// See what happened to the own account, newest first.
///
/// What is in this list and was not done by the owner is a reason to change the password and to end
/// all sessions.
#[utoipa::path(
    get, path = "/api/v1/users/me/events", tag = "account", security(("access_token" = [])),
    params(Paging), responses((status = OK, body = Page<Activity>), ListProblems),
)]
pub async fn list_activity(
    State(app): State<App>,
    caller: Caller,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<Activity>>, Problem> {
    page(&app, &caller, &paging).await.map(Json)
}

/// Reads a piece of what happened to the caller's account.
pub(crate) async fn page(
    app: &App,
    caller: &Caller,
    paging: &Paging,
) -> Result<Page<Activity>, Problem> {
    let (after, at_most) = paging.read()?;
    let mut tx = app.store.glance().await?;
    let entries = audit::of_owner(&mut tx, caller.user.id, after.id, at_most).await?;
    let place = |entry: &Entry| Place { at: entry.at, id: entry.id.as_uuid() };
    Ok(Page::cut(entries, at_most, place).map(|entry| Activity::new(app, caller, entry)))
}
