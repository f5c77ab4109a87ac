//! Those who are given events, for administrators.

use axum::Json;
use axum::extract::State;
use onesql::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{DeadLetter, Sink, Standing};
use crate::access::{Can, ExportEvents, SeeEvents};
use crate::app::{App, Body, Ctx, Params};
use crate::kernel::{Page, Paging, Place};
use crate::problem::{Problem, problems};

problems!(
    /// What asking about exports may answer.
    AskProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions | ValidationFailed
);
problems!(
    /// What having events given again may answer.
    ReplayProblems = TokenMissing | TokenInvalid | TokenExpired | TokenRevoked | AccountDisabled
        | InsufficientPermissions | ValidationFailed | UnsupportedMediaType | BodyTooLarge
);

/// Those who are given events.
#[derive(Serialize, ToSchema)]
pub struct Exports {
    /// How each of them does.
    items: Vec<Standing>,
}

/// See who is given events, how far each is behind, and how much it did not take.
#[utoipa::path(
    get, path = "/api/v1/admin/exports", tag = "administration", security(("access_token" = [])),
    responses((status = OK, body = Exports), AskProblems),
)]
pub async fn see_exports(
    State(app): State<App>,
    _: Can<SeeEvents>,
) -> Result<Json<Exports>, Problem> {
    let items = super::standings(&app.config, &mut app.store.glance().await?).await?;
    Ok(Json(Exports { items }))
}

/// Whose dead letters to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// Who did not take them.
    #[param(inline)]
    sink: Sink,
    /// How many items, 1 to 200; 50 unless said.
    limit: Option<u16>,
    /// `next_cursor` of the piece before.
    cursor: Option<String>,
}

/// List events that somebody did not take, newest first, with what was said.
#[utoipa::path(
    get, path = "/api/v1/admin/exports/dead-letters", tag = "administration",
    security(("access_token" = [])), params(Whose),
    responses((status = OK, body = Page<DeadLetter>), AskProblems),
)]
pub async fn list_dead_letters(
    State(app): State<App>,
    _: Can<SeeEvents>,
    Params(Whose { sink, limit, cursor }): Params<Whose>,
) -> Result<Json<Page<DeadLetter>>, Problem> {
    let (after, at_most) = Paging::new(limit, cursor).read()?;
    let mut tx = app.store.glance().await?;
    let letters = super::dead_letters(&mut tx, sink, after.id, at_most).await?;
    let place = |letter: &DeadLetter| Place { at: letter.at, id: letter.event_id.as_uuid() };
    Ok(Json(Page::cut(letters, at_most, place)))
}

/// Whose dead letters to forget.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// Who did not take them.
    #[param(inline)]
    sink: Sink,
}

/// How many events something was about.
#[derive(Serialize, ToSchema)]
#[schema(as = ExportCount)]
pub struct Count {
    /// How many.
    events: u64,
}

/// Forget the events that somebody did not take; they stay in the audit trail.
#[utoipa::path(
    delete, path = "/api/v1/admin/exports/dead-letters", tag = "administration",
    security(("access_token" = [])), params(Dropped),
    responses((status = OK, body = Count), AskProblems),
)]
pub async fn drop_dead_letters(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<ExportEvents>,
    Params(Dropped { sink }): Params<Dropped>,
) -> Result<Json<Count>, Problem> {
    let events = super::drop_dead_letters(&app, &ctx, Some(caller.user.id), sink).await?;
    Ok(Json(Count { events }))
}

/// What to give again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayEvents {
    /// To whom.
    sink: Sink,
    /// Everything from then on; what was not taken unless said.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

/// Have somebody given events again, under the same ids.
#[utoipa::path(
    post, path = "/api/v1/admin/exports/replay", tag = "administration",
    security(("access_token" = [])), request_body = ReplayEvents,
    responses((status = OK, body = Count), ReplayProblems),
)]
pub async fn replay(
    State(app): State<App>,
    ctx: Ctx,
    Can(caller, _): Can<ExportEvents>,
    Body(ReplayEvents { sink, since }): Body<ReplayEvents>,
) -> Result<Json<Count>, Problem> {
    let events = super::replay(&app, &ctx, Some(caller.user.id), sink, since).await?;
    let events = events.ok_or_else(|| {
        Problem::invalid_field("/sink", "unknown_sink", "It was never given an event.")
    })?;
    Ok(Json(Count { events }))
}
