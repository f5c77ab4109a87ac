//! The audit trail, for administrators.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::ListProblems;
use crate::access::{Can, SeeEvents};
use crate::app::{App, Params};
use crate::audit::{self, By, Entry, Search};
use crate::kernel::{EmailAddress, Page, Paging, Place, Timestamp, UserId};
use crate::problem::Problem;

/// Which events to list. Rotations of refresh tokens are left out unless `user_id` and their code are
/// given.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those about this account.
    user_id: Option<UserId>,
    /// Only what this account did to others, or to the service.
    actor_id: Option<UserId>,
    /// Only those in which somebody typed this address, in full; it need not be anybody's.
    email: Option<EmailAddress>,
    /// Only those from this network address.
    #[param(value_type = Option<String>)]
    ip_address: Option<IpAddr>,
    /// Only this code, as in `LOGIN_FAILED`.
    code: Option<String>,
    /// Only with this reason, as in `wrong_password`.
    reason: Option<String>,
    /// Only of the request with this id, as answers and the log have it. Say `since` as well where there
    /// are many events.
    request_id: Option<String>,
    /// Only from then on.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only before then.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// How many items, 1 to 200; 50 unless said.
    limit: Option<u16>,
    /// `next_cursor` of the piece before.
    cursor: Option<String>,
}

/// List what happened, newest first, with its true reasons.
#[utoipa::path(
    get, path = "/api/v1/admin/events", tag = "administration", security(("access_token" = [])),
    params(Filter), responses((status = OK, body = Page<Entry>), ListProblems),
)]
pub async fn list_events(
    State(app): State<App>,
    _: Can<SeeEvents>,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Entry>>, Problem> {
    let Filter {
        user_id,
        actor_id,
        email,
        ip_address,
        code,
        reason,
        request_id,
        since,
        until,
        limit,
        cursor,
    } = filter;
    let (after, at_most) = Paging::new(limit, cursor).read()?;
    let wrong = |pointer, words: String| Problem::invalid_field(pointer, "invalid_filter", words);
    let email = email.map(|email| app.secrets.email_hash.hash(email.as_str()).to_vec());
    let mut given = user_id
        .map(By::User)
        .into_iter()
        .chain(actor_id.map(By::Actor))
        .chain(email.map(By::Email))
        .chain(ip_address.map(|address| By::Address(address.to_string())));
    let by = given.next().unwrap_or_default();
    if given.next().is_some() {
        let words = "Give one of `user_id`, `actor_id`, `email` and `ip_address`.";
        return Err(wrong("", words.to_owned()));
    }
    let code = code.map(|code| {
        let words = || wrong("/code", "There is no such code; the docs list them.".to_owned());
        audit::CODES.iter().copied().find(|known| *known == code).ok_or_else(words)
    });
    let search = Search {
        by,
        code: code.transpose()?,
        // What is not the name of a reason is the name of none.
        reason: reason.map(|reason| reason.replace('\0', " ")),
        request: request_id.map(|request| request.replace('\0', " ")),
        since: since.unwrap_or(Timestamp::from_microsecond(0)),
        until: until.unwrap_or(Timestamp::from_microsecond(i64::MAX)),
    };
    search.check().map_err(|words| wrong("/code", words.to_owned()))?;
    let mut tx = app.store.glance().await?;
    let entries = audit::find(&mut tx, &search, after.id, at_most).await?;
    let place = |entry: &Entry| Place { at: entry.at, id: entry.id.as_uuid() };
    Ok(Json(Page::cut(entries, at_most, place)))
}
