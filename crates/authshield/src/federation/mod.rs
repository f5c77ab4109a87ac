//! Signing in with an account somewhere else: at a provider of OpenID Connect, or at GitHub.
//!
//! ```text
//! GET  /auth/oauth/{provider}           the browser is sent there ─ begin
//! GET  /auth/oauth/{provider}/callback  it comes back ─ come_back; from Apple with a POST
//!     Flow::find           did this browser leave for this provider?  (a sealed cookie)
//!     sql::take_state      for the first time?
//!     Provider::vouch      code against ID token: signature and claims  (rules::judge, pure)
//!     sql::vouch           a code of our own, for the application
//! GET  /sign-in/continue                the same, from our own pages ─ handover.rs
//! POST /auth/oauth/redeem               the application exchanges it ─ redeem
//!     sql::redeem          once, in time, with the verifier of the application's challenge
//!     account_of           whose identity is it?  (rules::arrive, pure)
//!     login::begin         the session; or a ticket, where there is a second factor
//! GET, POST /users/me/identities, DELETE …/{id}    the own ones ─ identities.rs
//! ```
//!
//! Nothing about accounts happens before an application exchanges the code: it alone has the verifier
//! (RFC 7636), so a code that somebody else's browser brings is worth nothing, neither to sign in nor to
//! link. Tokens stand in no address.
//!
//! Somebody is who they are by issuer and subject, never by an address. An address counts once, when an
//! identity comes for the first time: proved on both sides, it finds its account; an account that nobody
//! proved goes, with all that somebody put into it, when the owner of the address comes.

mod apple;
mod flow;
mod github;
mod handover;
pub mod http;
mod identities;
mod microsoft;
mod provider;
mod rules;
mod sql;
mod stake;
mod wire;

use std::time::Duration;

use axum::http::HeaderMap;
use onesql::Tx;
use url::Url;

pub use handover::{WishRefused, accept, hand_over, is_young};
pub use identities::{IdentityError, has_usable, link, list, remove, remove_all};
pub use provider::{Failure, Provider, Providers, SetupError};
pub use rules::Refusal;
pub use sql::{Identity, delete_since, of};

use crate::accounts::{self, Account};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::guessing;
use crate::kernel::{EmailAddress, FederationToken, Timestamp, TrustToken, UserId};
use crate::login::{self, Proven};
use crate::registration::{self, Proved};
use crate::risk::{self, First, Ruling};
use crate::second_factor::{self, Next, Ticket};
use crate::sessions::Carrier;
use flow::Flow;
use rules::{Arrival, Person, Vouched};
use stake::Stake;

/// Where browsers come back to our own pages, which are one more application.
pub const OWN_RETURN: &str = "/sign-in/return";
/// How long an application may take to exchange a code.
const CODE: Duration = Duration::from_mins(1);
/// How often it is looked for an account that somebody else opens or deletes meanwhile.
const ROUNDS: usize = 4;

/// Why a browser is not sent to a provider.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// There is no such provider.
    #[error("there is no such provider")]
    NoSuchProvider,
    /// The application's address is not on the list.
    #[error("the address to go back to is not allowed")]
    ReturnTo,
    /// The challenge is none.
    #[error("the code challenge is not 32 bytes in base64url")]
    Challenge,
    /// The provider does not say where it is.
    #[error("the provider is not available: {}", .0.reason)]
    Unavailable(Failure),
    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// What an application wants.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where the browser goes back to.
    pub return_to: String,
    /// What the application's verifier will fit (RFC 7636, S256).
    pub challenge: String,
    /// What the application wants to know again.
    pub state: Option<String>,
    /// How long ago whoever it is may have signed in at the provider, in seconds.
    pub max_age: Option<u32>,
}

/// Where a browser goes, and what it takes along.
pub struct Journey {
    /// Where.
    pub to: String,
    /// The cookies that are set.
    pub cookies: Vec<String>,
}

/// Returns the address at which browsers come back to our own pages.
#[must_use]
pub fn own_return(app: &App) -> String {
    format!("{}{OWN_RETURN}", app.config.issuer())
}

/// Makes a verifier, and the challenge that it fits (RFC 7636, 4).
#[must_use]
pub fn new_challenge(ctx: &Ctx) -> (String, String) {
    let verifier = flow::random(ctx.world());
    let challenge = rules::challenge_of(&verifier);
    (verifier, challenge)
}

/// Sends a browser to a provider. Nothing is stored.
pub async fn begin(
    app: &App,
    ctx: &Ctx,
    headers: &HeaderMap,
    name: &str,
    wish: Wish,
) -> Result<Journey, BeginError> {
    let provider = app.providers.get(name).ok_or(BeginError::NoSuchProvider)?;
    if !app.config.oauth.return_to.contains(&wish.return_to) && wish.return_to != own_return(app) {
        return Err(BeginError::ReturnTo);
    }
    if !rules::is_challenge(&wish.challenge) {
        return Err(BeginError::Challenge);
    }
    let place = match provider.place(ctx.now).await {
        Ok(place) => place,
        Err(failure) => {
            refused(app, ctx, name, None, failure).await?;
            return Err(BeginError::Unavailable(failure));
        }
    };
    let flow = Flow {
        provider: name.to_owned(),
        state: flow::random(ctx.world()),
        nonce: flow::random(ctx.world()),
        verifier: flow::random(ctx.world()),
        return_to: wish.return_to,
        app_state: wish.state,
        challenge: wish.challenge,
        max_age: wish.max_age,
        ends: ctx.now.as_second() + flow::LASTS,
    };
    let mut cookies = Vec::new();
    if flow::is_page(headers) {
        cookies = flow::abandoned(app, headers, &flow.state);
        cookies.push(flow.to_cookie(app, provider.posts_back()));
    }
    Ok(Journey { to: provider.authorization(&place, &flow), cookies })
}

/// What a provider sends a browser back with.
pub struct Callback {
    /// The state that it was sent with.
    pub state: Option<String>,
    /// What is exchanged for tokens.
    pub code: Option<String>,
    /// Who says so (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// What Apple tells the browser of its owner; it comes in a form.
    pub user: Option<String>,
    /// Whether it came in a form.
    pub posted: bool,
}

/// Why a browser that came back is sent nowhere.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// There is no such provider.
    #[error("there is no such provider")]
    NoSuchProvider,
    /// It did not leave from here, or came back before.
    #[error("the sign-in did not begin here: {0}")]
    Unsolicited(&'static str),
    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// Takes a browser back, and sends it on to the application, with a code or with what went wrong.
pub async fn come_back(
    app: &App,
    ctx: &Ctx,
    name: &str,
    callback: Callback,
    headers: &HeaderMap,
) -> Result<Journey, CallbackError> {
    let provider = app.providers.get(name).ok_or(CallbackError::NoSuchProvider)?;
    let solicited = if callback.posted && !provider.posts_back() {
        Err("posted")
    } else {
        solicited(app, ctx, name, &callback, headers).await?
    };
    let flow = match solicited {
        Ok(flow) => flow,
        Err(reason) => {
            refused(app, ctx, name, None, Failure { stage: "state", reason }).await?;
            return Err(CallbackError::Unsolicited(reason));
        }
    };
    let outcome = vouched(provider, &flow, &callback, ctx.now).await;
    let (key, value) = match outcome {
        Ok(person) => {
            let token = FederationToken::new(ctx.world());
            let code = sql::Code {
                hash: token.hash(&app.secrets.token_hash).to_vec(),
                challenge: flow.challenge.clone(),
                expires_at: ctx.now + CODE,
            };
            let mut tx = app.store.write().await?;
            let stake = Stake::of(Vouched::Person(person), ctx);
            sql::vouch(&mut tx, flow::hash(&flow.state), code, stake).await?;
            tx.commit().await?;
            ("code", token.reveal().to_owned())
        }
        Err(failure) => {
            refused(app, ctx, name, None, failure).await?;
            let error = match failure.stage {
                "authorization" if failure.reason == "access_denied" => "access_denied",
                "discovery" | "keys" | "token" | "userinfo" => "temporarily_unavailable",
                _ => "server_error",
            };
            ("error", error.to_owned())
        }
    };
    let to = back(&flow.return_to, flow.app_state.as_deref(), key, &value);
    // Those that were begun at once knew nothing of each other.
    let mut cookies = flow::abandoned(app, headers, &flow.state);
    cookies.push(flow.no_cookie(app));
    Ok(Journey { to, cookies })
}

/// Finds out whether this browser left for this provider, and comes back for the first time.
async fn solicited(
    app: &App,
    ctx: &Ctx,
    name: &str,
    callback: &Callback,
    headers: &HeaderMap,
) -> onesql::Result<Result<Flow, &'static str>> {
    let Some(state) = &callback.state else { return Ok(Err("no_state")) };
    let flow = match Flow::find(app, ctx, headers, state) {
        Ok(flow) => flow,
        Err(reason) => return Ok(Err(reason)),
    };
    if flow.provider != name {
        return Ok(Err("other_provider"));
    }
    // Kept until the cookie is worth nothing.
    let end = Timestamp::from_microsecond(flow.ends.saturating_mul(1_000_000)) + CODE;
    let mut tx = app.store.write().await?;
    if !sql::take_state(&mut tx, flow::hash(state), end).await? {
        return Ok(Err("replayed"));
    }
    tx.commit().await?;
    Ok(Ok(flow))
}

/// Returns for whom the provider vouches.
async fn vouched(
    provider: &Provider,
    flow: &Flow,
    callback: &Callback,
    now: Timestamp,
) -> Result<Person, Failure> {
    let at = |reason| Failure { stage: "authorization", reason };
    let place = provider.place(now).await?;
    // RFC 9207, 2.4: before anything else that came back is believed.
    match &callback.iss {
        Some(iss) if !provider.is_called(iss) => return Err(at("other_issuer")),
        None if place.authorization_response_iss_parameter_supported => return Err(at("no_iss")),
        _ => {}
    }
    if let Some(error) = &callback.error {
        return Err(at(rules::known_error(error)));
    }
    let code = callback.code.as_deref().ok_or(at("no_code"))?;
    let mut person = provider.vouch(&place, flow, code, now).await?;
    if let Some(user) = callback.user.as_deref().filter(|_| provider.posts_back()) {
        person.name = person.name.or_else(|| apple::name(user));
    }
    Ok(person)
}

/// Returns the application's address with an answer.
fn back(return_to: &str, state: Option<&str>, key: &str, value: &str) -> String {
    let mut url = Url::parse(return_to).expect("the configuration names URLs");
    url.query_pairs_mut().append_pair(key, value);
    if let Some(state) = state {
        url.query_pairs_mut().append_pair("state", state);
    }
    url.into()
}

/// What an application exchanges.
pub struct Redemption {
    /// The code, if it can be one.
    pub code: Option<FederationToken>,
    /// What the challenge was made of.
    pub verifier: String,
    /// What the device keeps, if it is trusted.
    pub trust: Option<TrustToken>,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// The code is not worth anything.
    #[error("the code is not valid: {0}")]
    Invalid(&'static str),
    /// They may not come in.
    #[error("sign-in refused")]
    Refused(#[from] Refusal),
    /// A second factor is due, or must be added.
    #[error("a second factor is due")]
    SecondFactorDue(Ticket),
    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// Signs in for whom the provider vouched, or who signed in on our pages.
pub async fn redeem<C: Carrier>(
    app: &App,
    ctx: &Ctx,
    redemption: &Redemption,
) -> Result<C, RedeemError> {
    let mut tx = app.store.write().await?;
    let stake = match take(&mut tx, app, ctx, redemption).await? {
        Ok(stake) => stake,
        Err(reason) => {
            tx.commit().await?;
            return Err(RedeemError::Invalid(reason));
        }
    };
    let ctx = &stake.seen_from(ctx);
    let person = match stake.vouched {
        Vouched::Person(person) => person,
        Vouched::Entered(entered) => return handover::enter(tx, app, ctx, &entered).await,
    };
    let (user, refusal) = match account_of(&mut tx, app, ctx, &person).await? {
        Ok(account) if account.user.disabled_at.is_some() => {
            (Some(account.user.id), Refusal::AccountDisabled)
        }
        Ok(account) => {
            return enter(tx, app, ctx, account, &person, redemption.trust.as_ref()).await;
        }
        Err(refusal) => refusal,
    };
    let failure = Failure { stage: "account", reason: refusal.reason() };
    note(&mut tx, app, ctx, &person.provider, user, failure).await?;
    tx.commit().await?;
    Err(refusal.into())
}

/// Takes a code. What a refusal leaves behind is in `tx`, too, and must last.
async fn take(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    redemption: &Redemption,
) -> onesql::Result<Result<Stake, &'static str>> {
    let (provider, reason) = match &redemption.code {
        None => (String::new(), "malformed_code"),
        Some(code) => {
            let hash = code.hash(&app.secrets.token_hash).to_vec();
            match sql::redeem(tx, hash.clone(), ctx.now).await? {
                Some((challenge, stake)) if rules::fits(&redemption.verifier, &challenge) => {
                    return Ok(Ok(stake.0));
                }
                Some((_, stake)) => (stake.0.vouched.by().to_owned(), "wrong_verifier"),
                None => (String::new(), sql::why_not(tx, hash).await?),
            }
        }
    };
    note(tx, app, ctx, &provider, None, Failure { stage: "code", reason }).await?;
    Ok(Err(reason))
}

/// Opens the session, or asks for the second factor.
async fn enter<C: Carrier>(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    account: Account,
    person: &Person,
    trust: Option<&TrustToken>,
) -> Result<C, RedeemError> {
    let Account { user, password_hash } = account;
    let (id, password) = (user.id, password_hash.as_deref());
    let ruling = risk::judge(&mut tx, app, ctx, &user, First::Provider).await?;
    if ruling == Ruling::Refuse {
        let failure = Failure { stage: "account", reason: risk::REFUSED };
        note(&mut tx, app, ctx, &person.provider, Some(id), failure).await?;
        tx.commit().await?;
        return Err(RedeemError::Invalid(failure.reason));
    }
    let next = second_factor::next(&mut tx, app, ctx, &user, ruling, trust).await?;
    let entered = if next == Next::Ask {
        let first = (password, "fed");
        let ticket = second_factor::ask(&mut tx, app, ctx, &user, first, ruling, None).await?;
        Some(Err(RedeemError::SecondFactorDue(ticket)))
    } else {
        guessing::completed(&mut tx, app, ctx, &user.email).await?;
        let at = person.auth_time.map_or(ctx.now, |seconds| {
            Timestamp::from_microsecond(seconds.saturating_mul(1_000_000)).min(ctx.now)
        });
        let proven =
            Proven { amr: &["fed"], at, is_enough: next == Next::Spared, from_known: false };
        login::begin(&mut tx, app, ctx, user, password, proven).await?.map(Ok)
    };
    let Some(entered) = entered else {
        // The account is held, so this does not happen; if it did, nobody would be let in.
        let failure = Failure { stage: "account", reason: "account_changed" };
        note(&mut tx, app, ctx, &person.provider, Some(id), failure).await?;
        tx.commit().await?;
        return Err(RedeemError::Invalid(failure.reason));
    };
    tx.commit().await?;
    entered
}

/// Finds the account of an identity, and holds it; or finds or opens the one that it belongs to from now on.
/// With a refusal comes whose account it is about.
async fn account_of(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    person: &Person,
) -> onesql::Result<Result<Account, (Option<UserId>, Refusal)>> {
    for _ in 0..ROUNDS {
        if let Some(identity) = sql::find(tx, &person.issuer, &person.subject).await? {
            accounts::lock(tx, identity.user_id).await?;
            if let Some(account) = accounts::by_id(tx, identity.user_id).await? {
                sql::used(tx, identity.id, person.email.clone(), ctx.now).await?;
                return Ok(Ok(account));
            }
            // It was deleted just now, and the identity with it.
            continue;
        }
        let Some(email) = &person.proved else {
            return Ok(Err((None, Refusal::EmailUnverified)));
        };
        let holder = accounts::hold_by_email(tx, email).await?.map(|account| account.user);
        let mut theirs = match &holder {
            Some(user) => sql::of(tx, user.id).await?,
            None => Vec::new(),
        };
        // A tenant that is another is the same provider: the address may have moved there.
        let provider = app.providers.get(&person.provider);
        theirs.retain(|identity| {
            identity.issuer == person.issuer
                || provider.is_some_and(|provider| provider.issues(&identity.issuer))
        });
        let is_it = |identity: &Identity| {
            identity.issuer == person.issuer && identity.subject == person.subject
        };
        if theirs.iter().any(is_it) {
            // It was linked just now.
            continue;
        }
        let has_other = !theirs.is_empty();
        let may_open = registration::may_open(app, email);
        let arrival = rules::arrive(holder.as_ref().map(|user| (user, has_other)), may_open);
        match (arrival, holder) {
            (Err(refusal), holder) => return Ok(Err((holder.map(|user| user.id), refusal))),
            (Ok(Arrival::Link), Some(user)) => {
                identities::attach(tx, app, ctx, &user, person).await?;
            }
            (Ok(_), _) => open(tx, app, ctx, person, email).await?,
        }
        // Found now; or somebody else was faster, and then theirs is.
    }
    Ok(Err((None, Refusal::OtherIdentity)))
}

/// Opens an account for who proved an address at a provider. One that somebody began with it and never
/// proved goes, with its password, its sessions and whatever opens it.
async fn open(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    person: &Person,
    email: &EmailAddress,
) -> onesql::Result<()> {
    let locale = person.locale.as_deref().and_then(|locale| locale.parse().ok());
    let proved = Proved {
        id: UserId::new(ctx.world()),
        email,
        full_name: person.name.as_deref().and_then(|name| name.parse().ok()),
        locale: locale.unwrap_or_else(|| registration::default_locale(app)),
        reason: "federated",
    };
    match registration::open_proved(tx, app, ctx, proved).await? {
        Some(user) => identities::attach(tx, app, ctx, &user, person).await,
        // Somebody else opened it just now.
        None => Ok(()),
    }
}

/// Writes down why somebody who came from a provider gets no further.
async fn note(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    provider: &str,
    user: Option<UserId>,
    Failure { stage, reason }: Failure,
) -> onesql::Result<()> {
    let provider = provider.to_owned();
    let refused = Event::FederationRefused { user, provider, stage, reason };
    audit::record(tx, app, ctx, &refused).await
}

/// The same, by itself.
async fn refused(
    app: &App,
    ctx: &Ctx,
    provider: &str,
    user: Option<UserId>,
    failure: Failure,
) -> onesql::Result<()> {
    let mut tx = app.store.write().await?;
    note(&mut tx, app, ctx, provider, user, failure).await?;
    tx.commit().await
}
