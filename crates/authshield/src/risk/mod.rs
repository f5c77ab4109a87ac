//! What follows when a sign-in does not look like those before it.
//!
//! ```text
//! judge       in the transaction of a sign-in whose first proof is right
//!   devices     where was the account used before?
//!   geoip       where on Earth is that?  (what is not known says nothing)
//!   guessing    are many accounts tried from here?
//!   rules       what speaks against it, and what does the strictest rule decide?  (pure)
//!   audit       the decision, with all that led to it; in `shadow` nothing follows
//! replay      the same over events of before, with other rules: `authshield risk replay`
//! ```
//!
//! A second factor is asked for of who has one; nobody adds one because of a rule, or the thief would. Whoever
//! has none shows a code that goes to their address by mail; who came by mail has shown as much.

pub mod replay;
mod rules;

use onesql::Tx;

use crate::accounts::User;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::config::{Risk, RiskAction, RiskMode};
use crate::{devices, passkeys};
use rules::{Before, Here, Seen, Signal};

/// What somebody showed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// A password, which may have been stolen elsewhere.
    Password {
        /// Whether it was.
        is_stolen: bool,
        /// Whether it is already known that the account was used before from there.
        from_known: bool,
    },
    /// A provider vouched for them.
    Provider,
    /// What came by mail to their address.
    Mail,
    /// A passkey, which is as good as two factors.
    Passkey,
}

/// What becomes of a sign-in whose first proof is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// What would become of it anyway.
    Pass,
    /// A second factor is asked for, and the account has one; or a code by mail.
    StepUp,
    /// Nobody is signed in.
    Refuse,
}

/// Why nobody was signed in, in the audit trail.
pub const REFUSED: &str = "risk_refused";

/// Judges a sign-in by the rules of risk, and writes the decision down.
pub async fn judge(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    first: First,
) -> onesql::Result<Ruling> {
    let rules = &app.live.load().risk.clone();
    if rules.mode == RiskMode::Off {
        return Ok(Ruling::Pass);
    }
    let signals = signals(tx, app, ctx, user, first, rules).await?;
    let Some(decision) = rules::decide(&signals, rules) else { return Ok(Ruling::Pass) };

    let (ruling, outcome) = match decision.action {
        _ if rules.mode == RiskMode::Shadow => (Ruling::Pass, "shadow"),
        RiskAction::Record => (Ruling::Pass, "recorded"),
        RiskAction::StepUp if first == First::Passkey => (Ruling::Pass, "proved"),
        RiskAction::StepUp
            if user.second_factor_at.is_some() || passkeys::has_any(tx, user.id).await? =>
        {
            (Ruling::StepUp, "second_factor_asked")
        }
        // Who came by mail has shown the mailbox already.
        RiskAction::StepUp if first != First::Mail && user.email_verified_at.is_some() => {
            (Ruling::StepUp, "mail_code_asked")
        }
        RiskAction::StepUp => (Ruling::Pass, "no_second_factor"),
        RiskAction::Refuse => (Ruling::Refuse, "refused"),
    };
    if rules::is_told(decision, &signals) {
        let told = Event::RiskSignal {
            user: user.id,
            reason: decision.rule,
            action: decision.action.as_str(),
            outcome,
            signals: serde_json::to_value(&signals).expect("signals are plain data"),
        };
        audit::record(tx, app, ctx, &told).await?;
    }
    Ok(ruling)
}

/// Whether the rules refuse a sign-in by what is known now; nothing is written down, and [`judge`] decides.
pub async fn refuses(app: &App, ctx: &Ctx, user: &User, first: First) -> onesql::Result<bool> {
    let rules = &app.live.load().risk.clone();
    if rules.mode != RiskMode::Enforce {
        return Ok(false);
    }
    let signals = signals(&mut app.store.glance().await?, app, ctx, user, first, rules).await?;
    let decision = rules::decide(&signals, rules);
    Ok(decision.is_some_and(|decision| decision.action == RiskAction::Refuse))
}

/// Finds what speaks against a sign-in.
async fn signals(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    user: &User,
    first: First,
    rules: &Risk,
) -> onesql::Result<Vec<Signal>> {
    let here = Here {
        place: app.geoip.place(ctx.client.ip),
        at: ctx.now,
        is_attacked: app.patterns.is_slowed(&ctx.client, ctx.now),
        is_stolen: matches!(first, First::Password { is_stolen: true, .. }),
    };
    let before = match first {
        First::Password { from_known: true, .. } => Before { is_known: true, seen: Vec::new() },
        _ => before(tx, app, ctx, user).await?,
    };
    Ok(rules::signals(&here, &before, rules))
}

/// Finds where an account was used before. Of a device that is known nothing else is asked.
async fn before(tx: &mut Tx, app: &App, ctx: &Ctx, user: &User) -> onesql::Result<Before> {
    let networks = devices::networks(tx, app, ctx, user.id).await?;
    if networks.iter().any(|network| network.is_here) {
        return Ok(Before { is_known: true, seen: Vec::new() });
    }
    let seen = networks.into_iter().map(|network| Seen {
        place: network.address().map(|ip| app.geoip.place(ip)).unwrap_or_default(),
        at: network.last_seen_at,
    });
    Ok(Before { is_known: false, seen: seen.collect() })
}
