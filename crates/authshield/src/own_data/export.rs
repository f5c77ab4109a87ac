//! Everything that is kept of somebody, to take along.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::sql::{self, ExportedMail, ExportedRole, ExportedSession};
use crate::access::Caller;
use crate::accounts::http::UserBody;
use crate::activity::http::Activity;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::devices::{self, ExportedDevice};
use crate::federation::{self, http::IdentityBody};
use crate::kernel::Timestamp;
use crate::limits::Exceeded;
use crate::limits::rules::EXPORT_PER_ACCOUNT;
use crate::passkeys::{self, http::PasskeyBody};
use crate::second_factor;
use crate::trusted_devices::{self, http::TrustedDeviceBody};

/// How many events are told, the newest first.
const EVENTS_AT_MOST: i64 = 10_000;
/// How many sessions and how many mails are told, the newest first.
const ROWS_AT_MOST: i64 = 1000;

/// All that is kept of an account, but for secrets and for what protects it against strangers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Export {
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    /// Whether nothing was left out: the newest 10,000 events, 1,000 sessions and 1,000 mails are told.
    is_complete: bool,
    account: UserBody,
    /// When the password was chosen, if there is one.
    #[schema(value_type = Option<String>, format = DateTime)]
    password_changed_at: Option<Timestamp>,
    roles: Vec<ExportedRole>,
    second_factor: ExportedSecondFactor,
    passkeys: Vec<PasskeyBody>,
    identities: Vec<IdentityBody>,
    /// Devices on which a sign-in does without the second factor.
    trusted_devices: Vec<TrustedDeviceBody>,
    sessions: Vec<ExportedSession>,
    /// From where there were sign-ins; the last used 1,000.
    devices: Vec<ExportedDevice>,
    /// Mails to the present address of the account; their texts are not kept.
    mails: Vec<ExportedMail>,
    events: Vec<Activity>,
}

/// What is kept of a second factor, but for its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportedSecondFactor {
    /// Since when there is one.
    #[schema(value_type = Option<String>, format = DateTime)]
    enabled_at: Option<Timestamp>,
    recovery_codes_left: i64,
}

/// Why somebody takes nothing along.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// They did so too often.
    #[error("too many exports")]
    Limited(Exceeded),

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// Gathers all that is kept of the caller, as it is at one moment, and notes that they took it.
pub async fn gather(app: &App, ctx: &Ctx, caller: &Caller) -> Result<Export, ExportError> {
    let user = &caller.user;
    let spent = app.limits.spend(&EXPORT_PER_ACCOUNT, &user.id.to_string(), ctx.now).await;
    spent.map_err(ExportError::Limited)?;
    let standing = second_factor::standing(app, caller).await?;
    let mut tx = app.store.read().await?;
    let password_changed_at = sql::password_changed_at(&mut tx, user.id).await?;
    let roles = sql::roles(&mut tx, user.id).await?;
    let passkeys = passkeys::of(&mut tx, user.id).await?;
    let identities = federation::of(&mut tx, user.id).await?;
    let trusted = trusted_devices::of(&mut tx, app, user.id, ctx.now).await?;
    // One more than is told, to know whether that is all.
    let mut sessions = sql::sessions(&mut tx, user.id, ROWS_AT_MOST + 1).await?;
    let devices = devices::of(&mut tx, user.id, ROWS_AT_MOST).await?;
    let mut mails = sql::mails(&mut tx, user.id, user.email.as_str(), ROWS_AT_MOST + 1).await?;
    let mut entries = audit::of_owner(&mut tx, user.id, Uuid::max(), EVENTS_AT_MOST + 1).await?;
    drop(tx);
    let is_complete = [
        cut(&mut sessions, ROWS_AT_MOST),
        cut(&mut mails, ROWS_AT_MOST),
        cut(&mut entries, EVENTS_AT_MOST),
    ]
    .into_iter()
    .all(|whole| whole);
    let events = entries.into_iter().map(|entry| Activity::new(app, caller, entry)).collect();
    audit::record_alone(app, ctx, &Event::DataExported { user: user.id }).await?;
    Ok(Export {
        exported_at: ctx.now,
        is_complete,
        account: user.clone().into(),
        password_changed_at,
        roles,
        second_factor: ExportedSecondFactor {
            enabled_at: standing.since,
            recovery_codes_left: standing.codes_left,
        },
        passkeys: passkeys.into_iter().map(PasskeyBody::from).collect(),
        identities: identities.into_iter().map(IdentityBody::from).collect(),
        trusted_devices: trusted
            .into_iter()
            .map(|device| TrustedDeviceBody::new(app, device))
            .collect(),
        sessions,
        devices,
        mails,
        events,
    })
}

/// Takes away what is more than `at_most`; `false` if something was.
fn cut<T>(rows: &mut Vec<T>, at_most: i64) -> bool {
    let at_most = usize::try_from(at_most).unwrap_or(usize::MAX);
    let whole = rows.len() <= at_most;
    rows.truncate(at_most);
    whole
}
