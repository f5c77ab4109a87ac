//! `/account/trusted-devices`, `/account/identities`: what lets somebody in with less, or elsewhere, and is taken
//! away on the page of the account.

use axum::extract::State;
use axum::response::Response;
use minijinja::{Value, context};
use secrecy::SecretString;
use serde::Deserialize;

use super::account;
use super::page::{Message, Next};
use super::prove::{self, Then};
use super::signed_in::{Guarded, Own};
use super::visit::Visit;
use super::wrong::Wrong;
use crate::app::{App, Ctx};
use crate::browser::Browser;
use crate::federation::{self, IdentityError};
use crate::kernel::{IdentityId, Timestamp, TrustedDeviceId};
use crate::problem::Problem;
use crate::{second_factor, trusted_devices};

pub(super) const UNTRUST: &str = "/account/trusted-devices/end";
pub(super) const UNLINK: &str = "/account/identities/remove";

/// Returns what the page of the account shows of both.
pub(super) async fn shown(
    app: &App,
    ctx: &Ctx,
    visit: &Visit,
    browser: &Browser,
) -> Result<Value, Problem> {
    let devices = trusted_devices::list(app, ctx, browser.caller.user.id).await?;
    let devices: Vec<Value> = devices
        .iter()
        .map(|device| {
            context! {
                id => device.id.to_string(),
                device => &device.device,
                address => &device.ip_address,
                since => device.created_at.to_minute(),
                last => device.last_used_at.unwrap_or(device.created_at).to_minute(),
                until => device.expires_at.to_minute(),
            }
        })
        .collect();
    let identities = federation::list(app, &browser.caller).await?;
    let identities: Vec<Value> = identities
        .iter()
        .map(|identity| {
            let provider = app.providers.get(&identity.provider);
            context! {
                id => identity.id.to_string(),
                provider => provider.map_or(identity.provider.as_str(), |it| it.title()),
                email => &identity.email,
                since => identity.created_at.to_minute(),
                last => identity.last_used_at.map(Timestamp::to_minute),
            }
        })
        .collect();
    Ok(context! {
        trusted => devices,
        untrust => visit.action(app, UNTRUST),
        identities => identities,
        unlink => visit.action(app, UNLINK),
    })
}

/// A device to trust no more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    guard: SecretString,
    device: TrustedDeviceId,
}

impl Guarded for Device {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Trusts a device no more; one that is not trusted any more is as good.
pub(super) async fn untrust(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, Device { device, .. }): Own<Device>,
) -> Result<Response, Problem> {
    trusted_devices::remove(&app, &ctx, browser.caller.user.id, device).await?;
    Ok(account::done(&app, &visit, "untrusted"))
}

/// An identity to remove.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Linked {
    guard: SecretString,
    identity: IdentityId,
}

impl Guarded for Linked {
    fn guard(&self) -> &SecretString {
        &self.guard
    }
}

/// Removes an identity, where the owner proved not long ago who they are; one that is gone is as good.
pub(super) async fn unlink(
    State(app): State<App>,
    ctx: Ctx,
    visit: Visit,
    Own(browser, Linked { identity, .. }): Own<Linked>,
) -> Result<Response, Problem> {
    let visit = visit.answered();
    if let Err(why) = second_factor::fresh(&app, &ctx, &browser.caller).await {
        return prove::ask(&app, &visit, &browser, Then::Account, why);
    }
    match federation::remove(&app, &ctx, &browser.caller, identity).await {
        Ok(()) | Err(IdentityError::NotFound) => Ok(account::done(&app, &visit, "unlinked")),
        Err(error @ IdentityError::LastWayIn) => {
            let link = visit.action(&app, account::PATH);
            let words = app.pages.say(&visit, "page-account", &[]);
            let message = Message {
                mood: "bad",
                title: app.pages.say(&visit, "page-account.identities", &[]),
                lead: app.pages.say(&visit, "page-account.last-identity", &[]),
                reference: None,
                next: Some(Next { link, words }),
            };
            let wrong = Wrong::of(error);
            Ok(wrong.mark(&app, app.pages.tell(wrong.status(), &visit, &message)))
        }
        Err(error) => Err(error.into()),
    }
}
