//! What a code stands for: somebody, and the browser in which they are.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::rules::Vouched;
use crate::app::Ctx;

/// What a code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stake {
    #[serde(flatten)]
    pub(super) vouched: Vouched,
    /// Whose browser got the code: who exchanges it may be the server of an application. Codes of the previous
    /// release do not say.
    #[serde(default)]
    pub(super) browser: Option<Browser>,
}

/// A browser, as it looked when it came back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Browser {
    pub(super) ip: IpAddr,
    pub(super) user_agent: Option<String>,
}

impl Stake {
    /// Returns what `ctx`, which is the browser's, gets a code for.
    pub(super) fn of(vouched: Vouched, ctx: &Ctx) -> Self {
        let browser = Browser { ip: ctx.client.ip, user_agent: ctx.device.user_agent.clone() };
        Self { vouched, browser: Some(browser) }
    }

    /// Returns `ctx` as if the browser had exchanged the code itself.
    pub(super) fn seen_from(&self, ctx: &Ctx) -> Ctx {
        self.browser.as_ref().map_or_else(
            || ctx.clone(),
            |browser| ctx.on_behalf_of(browser.ip, browser.user_agent.as_deref()),
        )
    }
}
