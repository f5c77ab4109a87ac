//! Captchas: what makes it dear to ask by machine.
//!
//! ```text
//! registration::register, login::log_in, recovery::forgot, magic_link::ask, of programs and of pages
//!     captcha::pass        is one due?  (setting; suspicion: Limits::spend, Patterns)
//!         altcha           our own proof of work: signed, for this form, not over, shown once, right
//!         remote           others: their server is asked
//! ```
//!
//! Whether one is due hangs on what was typed and on who asks, never on whether there is such an account.
//! While a provider does not answer, our own proof of work takes its place: nobody is shut out by another
//! one's outage, and nobody gets in for nothing.

mod altcha;
pub mod http;
mod remote;
mod sql;

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

pub use remote::{Remote, SetupError};

use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::config::{CaptchaProvider, CaptchaWhen, Config};
use crate::kernel::EmailAddress;
use crate::limits::rules::{UNSUSPECTED_PER_ADDRESS, UNSUSPECTED_PER_CLIENT};
use crate::telemetry::metrics::Captcha as Label;
use remote::Answer;

/// Where challenges are; `at` names the form.
pub const CHALLENGE: &str = "/api/v1/auth/captcha";
/// How long one can be solved.
const LASTS: Duration = Duration::from_mins(10);

/// Where a captcha may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(description = "A form where a captcha may be asked for.")]
pub enum Door {
    /// Opening an account.
    Registration,
    /// Signing in with a password.
    Login,
    /// Asking for a link to set a new password, or for a mail to sign in with.
    Reset,
}

impl Door {
    /// Returns its name: `action` of providers that know one.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Login => "login",
            Self::Reset => "reset",
        }
    }

    fn when(self, config: &Config) -> CaptchaWhen {
        match self {
            Self::Registration => config.captcha.registration,
            Self::Login => config.captcha.login,
            Self::Reset => config.captcha.reset,
        }
    }
}

/// A captcha that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// Whose it is.
    pub provider: CaptchaProvider,
    /// Its key for pages, where it is somebody else's.
    pub site_key: Option<String>,
    /// Where the challenge is, if it is ours.
    pub challenge_url: Option<String>,
    /// At which form.
    pub door: Door,
    /// Whether one is due there whoever asks, and however seldom.
    pub always: bool,
    /// Why: `none` if there was no answer, else what was wrong with it.
    pub reason: &'static str,
}

/// Why somebody does not get further.
#[derive(Debug, thiserror::Error)]
pub enum CaptchaError {
    /// A captcha is due.
    #[error("a captcha is due")]
    Required(Required),
    /// We could not find out.
    #[error("the store failed while a captcha was judged")]
    Store(#[from] onesql::Error),
}

/// Lets somebody pass who need not solve a captcha, or has.
pub async fn pass(
    app: &App,
    ctx: &Ctx,
    door: Door,
    email: &EmailAddress,
    token: Option<&SecretString>,
) -> Result<(), CaptchaError> {
    let due = match door.when(&app.config) {
        CaptchaWhen::Never => false,
        CaptchaWhen::Suspicion => is_suspicious(app, ctx, email).await,
        CaptchaWhen::Always => true,
    };
    if !due {
        return Ok(());
    }
    let configured = app.config.captcha.provider;
    let Some(token) = token.map(ExposeSecret::expose_secret).filter(|token| !token.is_empty())
    else {
        count(app, door, "asked");
        // Who cannot reach the provider has no answer to send, and must not be asked for one for ever.
        let provider =
            if is_provider_down(app, ctx).await { CaptchaProvider::Altcha } else { configured };
        return Err(CaptchaError::Required(required(app, door, provider, "none")));
    };
    let Err((provider, reason)) = judge(app, ctx, door, token).await? else {
        count(app, door, "passed");
        return Ok(());
    };
    count(app, door, if reason == "provider_down" { reason } else { "refused" });
    let refused = Event::CaptchaRefused {
        email: email.as_str().to_owned(),
        reason,
        at: door.as_str(),
        provider: configured.as_str(),
    };
    audit::record_alone(app, ctx, &refused).await?;
    Err(CaptchaError::Required(required(app, door, provider, reason)))
}

/// Returns the captcha that a form shows before anybody is asked for one: because it is going to be due, or
/// because an answer came with the same form `before`. Nothing is spent.
#[must_use]
pub fn shown(app: &App, ctx: &Ctx, door: Door, before: bool) -> Option<Required> {
    let due = match door.when(&app.config) {
        CaptchaWhen::Never => false,
        CaptchaWhen::Suspicion => before || app.patterns.is_slowed(&ctx.client, ctx.now),
        CaptchaWhen::Always => true,
    };
    let down = app.captcha.as_ref().is_some_and(|remote| remote.is_known_down(ctx.now));
    let provider = if down { CaptchaProvider::Altcha } else { app.config.captcha.provider };
    due.then(|| required(app, door, provider, "none"))
}

/// Makes a proof of work to do at `door`.
pub async fn challenge(app: &App, ctx: &Ctx, door: Door) -> Value {
    let instead = is_provider_down(app, ctx).await;
    let (cost, until) = (app.config.captcha.cost, ctx.now + LASTS);
    let mut random = [0; 32];
    ctx.world().fill(&mut random);
    let new = altcha::New { at: door.as_str(), instead, cost, until };
    let made = altcha::challenge(&app.secrets.captcha, &random, new);
    serde_json::to_value(made).expect("a challenge is plain data")
}

/// Whether somebody else's captcha is configured that cannot be judged.
async fn is_provider_down(app: &App, ctx: &Ctx) -> bool {
    match &app.captcha {
        Some(remote) => remote.is_down(ctx.now, remote::UP).await,
        None => false,
    }
}

/// Whether something is not as usual. What is spent here hangs on what was typed and on who asks; of an
/// address that has no account, as much is spent.
async fn is_suspicious(app: &App, ctx: &Ctx, email: &EmailAddress) -> bool {
    let limits = &app.limits;
    let network = ctx.client.network();
    app.patterns.is_slowed(&ctx.client, ctx.now)
        || limits.spend(&UNSUSPECTED_PER_CLIENT, &network, ctx.now).await.is_err()
        || limits.spend(&UNSUSPECTED_PER_ADDRESS, email.as_str(), ctx.now).await.is_err()
}

/// Judges an answer; if it does not count, says whose captcha to solve next, and why.
async fn judge(
    app: &App,
    ctx: &Ctx,
    door: Door,
    token: &str,
) -> onesql::Result<Result<(), (CaptchaProvider, &'static str)>> {
    let configured = app.config.captcha.provider;
    let ours = CaptchaProvider::Altcha;
    let Some(remote) = &app.captcha else {
        return Ok(own(app, ctx, door, token, false).await?.map_err(|reason| (ours, reason)));
    };
    if altcha::is_meant(token) {
        let judged = own(app, ctx, door, token, true).await?;
        return Ok(match judged {
            Err(reason) if remote.is_known_down(ctx.now) => Err((ours, reason)),
            other => other.map_err(|reason| (configured, reason)),
        });
    }
    if remote.is_known_down(ctx.now) {
        return Ok(Err((ours, "provider_down")));
    }
    Ok(match remote.ask(token, door.as_str(), ctx.client.ip).await {
        Answer::Good => Ok(()),
        Answer::Bad(reason) => Err((configured, reason)),
        Answer::Unknown(_) if remote.is_down(ctx.now, remote::JUST_NOW).await => {
            Err((ours, "provider_down"))
        }
        Answer::Unknown(error) => {
            tracing::warn!(%error, "the provider of captchas did not judge an answer");
            Err((configured, "not_judged"))
        }
    })
}

/// Judges a proof of work. It is used up first: whoever shows one twice gets one try at most.
async fn own(
    app: &App,
    ctx: &Ctx,
    door: Door,
    token: &str,
    instead: bool,
) -> onesql::Result<Result<(), &'static str>> {
    let claimed = match altcha::claimed(&app.secrets.captcha, token, door.as_str(), ctx.now) {
        Ok(claimed) => Arc::new(claimed),
        Err(reason) => return Ok(Err(reason)),
    };
    // Made while the provider was up, so that the cheaper way could be chosen.
    if instead && !claimed.stands_in() {
        return Ok(Err("other_provider"));
    }
    let mut tx = app.store.write().await?;
    let first = sql::take(&mut tx, claimed.nonce.clone(), claimed.expires_at).await?;
    tx.commit().await?;
    if !first {
        return Ok(Err("used"));
    }
    let right = tokio::task::spawn_blocking(move || claimed.is_right()).await;
    Ok(if right.is_ok_and(|right| right) { Ok(()) } else { Err("solution") })
}

fn required(app: &App, door: Door, provider: CaptchaProvider, reason: &'static str) -> Required {
    let own = provider == CaptchaProvider::Altcha;
    let url = || format!("{}{CHALLENGE}?at={}", app.issuer(), door.as_str());
    Required {
        provider,
        site_key: app.config.captcha.site_key.clone().filter(|_| !own),
        challenge_url: own.then(url),
        door,
        always: door.when(&app.config) == CaptchaWhen::Always,
        reason,
    }
}

fn count(app: &App, door: Door, outcome: &'static str) {
    app.metrics.captchas.get_or_create(&Label { at: door.as_str(), outcome }).inc();
}

/// What the provider makes of our keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// There is no provider to ask.
    Own,
    /// It knows them.
    Known,
    /// They are keys for tests: it accepts every answer, or every one that it documents.
    ForTests,
    /// It does not answer, or not to these keys.
    Refused(String),
}

/// Asks the provider whether it knows our keys.
pub async fn prove(config: &Config) -> Result<Keys, SetupError> {
    let Some(remote) = Remote::from_config(config)? else { return Ok(Keys::Own) };
    if remote::are_for_tests(config) {
        return Ok(Keys::ForTests);
    }
    Ok(match remote.probe().await {
        Answer::Bad("refused") => Keys::Known,
        Answer::Good | Answer::Bad(_) => Keys::ForTests,
        Answer::Unknown(why) => Keys::Refused(why),
    })
}
