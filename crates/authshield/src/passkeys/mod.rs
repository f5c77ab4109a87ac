//! Passkeys (Web Authentication Level 3): signing in without a password and without a user name, and in the
//! place of a code where a second factor is asked for.
//!
//! ```text
//! POST /auth/passkeys/registration   a challenge, for who proved not long ago who they are
//! POST /auth/passkeys                what the authenticator made of it: a passkey
//! POST /auth/passkeys/challenge      a challenge for anybody
//! POST /auth/passkeys/sign-in        what an authenticator made of it: a session ─ prove
//!     client_data   the right ceremony, origin and challenge?  (pure)
//!     sql::take     the challenge: once, for what it was made, in time
//!     authenticate  the right domain, somebody there and verified, the signature  (pure)
//!     sql::used     the counter goes on, or there are two of it
//! ```
//!
//! A passkey asks its owner for a finger or a PIN before it signs, so it is two factors by itself.
//!
//! Signatures are checked by aws-lc-rs and CBOR is read by minicbor; what is here compares. The crate that does all
//! of it, webauthn-rs 0.6, has no Ed25519, makes passkeys that need a user name unless their maker is attested, and
//! brings a second implementation of ECDSA and RSA, the latter a release candidate: see
//! `docs/src/adr/0005-own-webauthn-checks.md`.

mod cbor;
mod cose;
pub mod http;
mod rules;
mod sql;

use std::time::Duration;

use onesql::{Json, Tx};

pub(crate) use rules::is_shown_in;
#[cfg(any(test, fuzzing))]
pub(crate) use rules::read_anything;
pub use sql::{Passkey, delete_all, delete_since, has_any, of};

use crate::access::Caller;
use crate::accounts;
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::guessing;
use crate::kernel::{FullName, PasskeyId, SessionId, UserId};
use crate::limits::Exceeded;
use crate::limits::rules::NOTICE_PER_ACCOUNT;
use crate::login;
use crate::mail::Letter;
use crate::risk::{self, First, Ruling};
use crate::sessions::Carrier;
use crate::{second_factor, sessions, trusted_devices};
use rules::{Ceremony, Known, Party};

/// How long a challenge works.
const CHALLENGE: Duration = Duration::from_mins(5);
/// How many passkeys an account may have.
const AT_MOST: usize = 20;

/// Why a passkey was not added, or nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// What the authenticator says is not believed.
    #[error("the passkey is refused: {0}")]
    Refused(&'static str),

    /// An administrator disabled the account.
    #[error("the account is disabled")]
    AccountDisabled,

    /// There is no such passkey, or it is somebody else's.
    #[error("there is no such passkey")]
    NotFound,

    /// There are as many as there may be.
    #[error("there are too many passkeys")]
    TooMany,

    /// Nobody could sign in to the account any more.
    #[error("the passkey is the last way in")]
    LastWayIn,
    /// There were too many.
    #[error("too many new passkeys")]
    Limited(Exceeded),

    /// We could not find out.
    #[error("the store failed")]
    Store(#[from] onesql::Error),
}

/// What a challenge is made for, and by whom it may be used.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// Adding a passkey, in a session.
    Registration(SessionId),
    /// Signing in, whoever it is.
    SignIn,
    /// Signing in where the password was right: what is stored of the ticket.
    SecondFactor(Vec<u8>),
    /// Proving again who one is, in a session.
    StepUp(SessionId),
}

impl Purpose {
    fn name(&self) -> &'static str {
        match self {
            Self::Registration(_) => "registration",
            Self::SignIn => "sign_in",
            Self::SecondFactor(_) => "second_factor",
            Self::StepUp(_) => "step_up",
        }
    }

    fn bound_to(&self) -> Vec<u8> {
        match self {
            Self::Registration(session) | Self::StepUp(session) => {
                session.as_uuid().as_bytes().to_vec()
            }
            Self::SecondFactor(ticket) => ticket.clone(),
            Self::SignIn => Vec::new(),
        }
    }
}

/// A challenge, with what the browser has to know besides.
pub struct Challenge {
    /// 32 random bytes.
    pub bytes: [u8; 32],
    /// The domain that passkeys are for.
    pub rp_id: String,
    /// The passkeys of who asks, where that is known.
    pub known: Vec<Passkey>,
}

/// What a browser brings of a new passkey.
pub struct Made {
    /// What the browser says.
    pub client_data: Vec<u8>,
    /// What the authenticator says.
    pub attestation: Vec<u8>,
    /// How it is reached.
    pub transports: Vec<String>,
}

/// What a browser brings of a passkey that was used.
pub struct Shown {
    /// Which.
    pub credential_id: Vec<u8>,
    /// What the browser says.
    pub client_data: Vec<u8>,
    /// What the authenticator says.
    pub authenticator_data: Vec<u8>,
    /// That it says so.
    pub signature: Vec<u8>,
    /// Whose it says that it is; it must, where nothing else does.
    pub user_handle: Option<Vec<u8>>,
}

/// A passkey that was used as it should be.
pub struct Proof {
    /// Whose.
    pub user: UserId,
    /// The ways of proof that a token names (RFC 8176).
    pub methods: [&'static str; 3],
}

/// Why a passkey proves nothing.
pub struct Unproven {
    user: Option<UserId>,
    passkey: Option<PasskeyId>,
    /// For the audit trail.
    pub reason: &'static str,
}

/// The origins of the pages that may use passkeys: that of `public_url`, and those that are set.
#[must_use]
pub fn origins(app: &App) -> Vec<String> {
    party(app).origins
}

fn party(app: &App) -> Party {
    let url = &app.config.public_url;
    let host = url.host_str().unwrap_or_default();
    let passkeys = &app.config.passkeys;
    let mut origins = vec![url.origin().ascii_serialization()];
    origins.extend(passkeys.origins.iter().cloned());
    Party { rp_id: passkeys.rp_id.clone().unwrap_or_else(|| host.to_owned()), origins }
}

/// Makes a challenge for a new passkey of the caller.
pub async fn begin(app: &App, ctx: &Ctx, caller: &Caller) -> Result<Challenge, PasskeyError> {
    let mut tx = app.store.write().await?;
    let purpose = Purpose::Registration(caller.session);
    let challenge = challenge(&mut tx, app, ctx, &purpose, Some(caller.user.id)).await?;
    if challenge.known.len() >= AT_MOST {
        return Err(PasskeyError::TooMany);
    }
    tx.commit().await?;
    Ok(challenge)
}

/// Adds the passkey that an authenticator made.
pub async fn add(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    made: Made,
    name: FullName,
) -> Result<Passkey, PasskeyError> {
    let (user, party) = (&caller.user, party(app));
    let spent = app.limits.spend(&NOTICE_PER_ACCOUNT, &user.id.to_string(), ctx.now).await;
    spent.map_err(PasskeyError::Limited)?;
    let unproven = |reason| Unproven { user: Some(user.id), passkey: None, reason };
    let challenge = rules::client_data(&made.client_data, Ceremony::Registration, &party);
    let registered = rules::register(&made.attestation, &party, true);
    let mut tx = app.store.write().await?;
    // Held, so that of many at once no more are added than there may be.
    accounts::lock(&mut tx, user.id).await?;
    let (challenge, registered) = match (challenge, registered) {
        (Ok(challenge), Ok(registered)) => (challenge, registered),
        (Err(reason), _) | (_, Err(reason)) => {
            return Err(refuse(tx, app, ctx, unproven(reason)).await?);
        }
    };
    let purpose = Purpose::Registration(caller.session);
    if !sql::take(&mut tx, challenge, &purpose, ctx.now).await? {
        return Err(refuse(tx, app, ctx, unproven("unknown_challenge")).await?);
    }
    if sql::of(&mut tx, user.id).await?.len() >= AT_MOST {
        return Err(PasskeyError::TooMany);
    }
    let passkey = Passkey {
        id: PasskeyId::new(ctx.world()),
        user_id: user.id,
        credential_id: registered.credential_id,
        public_key: registered.public_key,
        sign_count: i64::from(registered.sign_count),
        backup_eligible: registered.backup_eligible,
        backed_up: registered.backed_up,
        transports: Json(made.transports),
        name,
        created_at: ctx.now,
        last_used_at: None,
    };
    if !sql::insert(&mut tx, &passkey).await? {
        return Err(refuse(tx, app, ctx, unproven("credential_known")).await?);
    }
    app.outbox.put(&mut tx, &user.recipient(), &Letter::PasskeyAdded, ctx.now).await?;
    let added = Event::PasskeyAdded { user: user.id, passkey: passkey.id };
    audit::record(&mut tx, app, ctx, &added).await?;
    tx.commit().await?;
    Ok(passkey)
}

/// Makes a challenge for a sign-in: it says nothing of anybody.
pub async fn ask(app: &App, ctx: &Ctx) -> Result<Challenge, PasskeyError> {
    let mut tx = app.store.write().await?;
    let challenge = challenge(&mut tx, app, ctx, &Purpose::SignIn, None).await?;
    tx.commit().await?;
    Ok(challenge)
}

/// Makes a challenge for `purpose`, with the passkeys of `owner`.
pub async fn challenge(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    purpose: &Purpose,
    owner: Option<UserId>,
) -> onesql::Result<Challenge> {
    let mut bytes = [0; 32];
    ctx.world().fill(&mut bytes);
    sql::challenge(tx, bytes.to_vec(), purpose, ctx.now + CHALLENGE).await?;
    let known = match owner {
        Some(owner) => sql::of(tx, owner).await?,
        None => Vec::new(),
    };
    Ok(Challenge { bytes, rp_id: party(app).rp_id, known })
}

/// Signs in whoever's passkey it is.
pub async fn sign_in<C: Carrier>(app: &App, ctx: &Ctx, shown: &Shown) -> Result<C, PasskeyError> {
    let mut tx = app.store.write().await?;
    let Proof { user, methods } =
        match prove(&mut tx, app, ctx, &Purpose::SignIn, None, shown).await? {
            Ok(proof) => proof,
            Err(unproven) => return Err(refuse(tx, app, ctx, unproven).await?),
        };
    let unproven = |reason| Unproven { user: Some(user), passkey: None, reason };
    let Some(account) = accounts::by_id(&mut tx, user).await? else {
        return Err(refuse(tx, app, ctx, unproven("account_changed")).await?);
    };
    if account.user.disabled_at.is_some() {
        refuse(tx, app, ctx, unproven("account_disabled")).await?;
        return Err(PasskeyError::AccountDisabled);
    }
    if risk::judge(&mut tx, app, ctx, &account.user, First::Passkey).await? == Ruling::Refuse {
        return Err(refuse(tx, app, ctx, unproven(risk::REFUSED)).await?);
    }
    let password = account.password_hash.as_deref();
    let email = account.user.email.clone();
    let proven = login::Proven { amr: &methods, at: ctx.now, is_enough: true, from_known: false };
    let begun = login::begin(&mut tx, app, ctx, account.user, password, proven).await?;
    let Some(carrier) = begun else {
        return Err(refuse(tx, app, ctx, unproven("account_changed")).await?);
    };
    guessing::completed(&mut tx, app, ctx, &email).await?;
    tx.commit().await?;
    Ok(carrier)
}

/// Uses a passkey for `purpose`, and with it the challenge. Of an `owner` who is known the account must be
/// held; without one, that of the passkey is from then on. What a refusal leaves behind is in `tx`, too, and
/// must last.
pub async fn prove(
    tx: &mut Tx,
    app: &App,
    ctx: &Ctx,
    purpose: &Purpose,
    owner: Option<UserId>,
    shown: &Shown,
) -> onesql::Result<Result<Proof, Unproven>> {
    let party = party(app);
    let unproven = |reason| Ok(Err(Unproven { user: owner, passkey: None, reason }));
    let challenge = rules::client_data(&shown.client_data, Ceremony::Authentication, &party);
    let challenge = match challenge {
        Ok(challenge) => challenge,
        Err(reason) => return unproven(reason),
    };
    if !sql::take(tx, challenge, purpose, ctx.now).await? {
        return unproven("unknown_challenge");
    }
    if owner.is_none() {
        sql::hold(tx, shown.credential_id.clone()).await?;
    }
    let Some(passkey) = sql::find(tx, shown.credential_id.clone()).await? else {
        return unproven("unknown_credential");
    };
    if owner.is_some_and(|owner| owner != passkey.user_id) {
        return unproven("credential_of_another");
    }
    let user = passkey.user_id;
    let unproven =
        |reason| Ok(Err(Unproven { user: Some(user), passkey: Some(passkey.id), reason }));
    let handle = shown.user_handle.as_deref();
    if !handle.map_or(owner.is_some(), |handle| handle == user.as_uuid().as_bytes()) {
        return unproven("wrong_user_handle");
    }
    let known = Known {
        public_key: &passkey.public_key,
        sign_count: passkey.sign_count,
        backup_eligible: passkey.backup_eligible,
    };
    let (data, client, signature) =
        (&shown.authenticator_data, &shown.client_data, &shown.signature);
    let used = match rules::authenticate(data, client, signature, &known, &party, true) {
        Ok(used) => used,
        Err(reason) => return unproven(reason),
    };
    let count = i64::from(used.sign_count);
    if !sql::used(tx, passkey.id, count, used.backed_up, ctx.now).await? {
        return unproven(rules::COUNTER_WENT_BACK);
    }
    Ok(Ok(Proof { user, methods: rules::methods(passkey.backup_eligible) }))
}

/// Lists the caller's passkeys, newest first.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Passkey>, PasskeyError> {
    Ok(sql::of(&mut app.store.glance().await?, caller.user.id).await?)
}

/// Gives one of the caller's passkeys another name.
pub async fn rename(
    app: &App,
    caller: &Caller,
    passkey: PasskeyId,
    name: FullName,
) -> Result<Passkey, PasskeyError> {
    let mut tx = app.store.write().await?;
    let renamed = sql::rename(&mut tx, caller.user.id, passkey, name).await?;
    tx.commit().await?;
    renamed.ok_or(PasskeyError::NotFound)
}

/// Removes one of the caller's passkeys.
pub async fn remove(
    app: &App,
    ctx: &Ctx,
    caller: &Caller,
    passkey: PasskeyId,
) -> Result<(), PasskeyError> {
    let user = &caller.user;
    let mut tx = app.store.write().await?;
    // Held, so that of two ways in that go at once one stays.
    accounts::lock(&mut tx, user.id).await?;
    if !sql::delete(&mut tx, user.id, passkey).await? {
        return Err(PasskeyError::NotFound);
    }
    if !login::has_way_in(&mut tx, app, user.id).await? {
        return Err(PasskeyError::LastWayIn);
    }
    // It may have been lost, and a device trusted with it.
    let actor = Some(user.id);
    trusted_devices::end_all(&mut tx, app, ctx, actor, user.id, "passkey_removed").await?;
    let has_factor = user.second_factor_at.is_some() || sql::has_any(&mut tx, user.id).await?;
    if !has_factor && second_factor::is_asked(app, user) {
        // Where the policy asks for a second factor, no session goes on that had this one for it.
        let reason = "second_factor_missing";
        let count = sessions::end_all(&mut tx, app, ctx, user.id, None, reason).await?;
        let user = user.id;
        let revoked = Event::SessionsRevoked { actor, user, session: None, count, reason };
        audit::record(&mut tx, app, ctx, &revoked).await?;
    }
    app.outbox.put(&mut tx, &user.recipient(), &Letter::PasskeyRemoved, ctx.now).await?;
    audit::record(&mut tx, app, ctx, &Event::PasskeyRemoved { user: user.id, passkey }).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes a refusal down; a challenge that was taken stays taken.
async fn refuse(
    mut tx: Tx,
    app: &App,
    ctx: &Ctx,
    unproven: Unproven,
) -> onesql::Result<PasskeyError> {
    let Unproven { user, passkey, reason } = unproven;
    audit::record(&mut tx, app, ctx, &Event::PasskeyRefused { user, passkey, reason }).await?;
    tx.commit().await?;
    Ok(PasskeyError::Refused(reason))
}
