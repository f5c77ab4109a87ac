//! Single-use tokens that travel in mails. A GET never consumes one: mail scanners follow links.

use std::time::Duration;

use onesql::{Result, Sql, Tx};
use secrecy::SecretString;

use crate::app::{App, Ctx};
use crate::kernel::{EmailAddress, LinkToken, MailId, Timestamp, UserId};

/// What a link is for: one made for one thing does not work for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Prove the address of a new account.
    VerifyEmail,
    /// Prove the new address of an account, and take it.
    ChangeEmail,
    /// Set a new password.
    ResetPassword,
    /// Say that a sign-in was not one's own.
    NotMe,
    /// Make the first administrator of an empty installation.
    Setup,
}

impl Purpose {
    /// Returns its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
            Self::NotMe => "not_me",
            Self::Setup => "setup",
        }
    }
}

/// A link to be made.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// What for.
    pub purpose: Purpose,
    /// Whose; nobody's for a setup link.
    pub user: Option<UserId>,
    /// Which address it proves.
    pub email: Option<&'a EmailAddress>,
    /// The mail that carries it: who uses the one has the other.
    pub mail: Option<MailId>,
    /// For how long it works.
    pub lasts: Duration,
}

/// What a link is good for.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Link {
    /// `verify_email`, …
    pub purpose: String,
    /// Whose; nobody's for a setup link.
    pub user_id: Option<UserId>,
    /// Which address it proves.
    pub email: Option<EmailAddress>,
    /// The mail that carried it.
    pub mail_id: Option<MailId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Fills the token into a link's template.
#[must_use]
pub fn url(template: &str, token: &LinkToken) -> SecretString {
    SecretString::from(template.replace("{token}", token.reveal()))
}

/// Makes a link as part of `tx`; only a keyed hash of it is stored.
pub async fn issue(tx: &mut Tx, app: &App, ctx: &Ctx, new: New<'_>) -> Result<LinkToken> {
    let token = LinkToken::new(ctx.world());
    tx.query(
        "INSERT INTO link_tokens (token_hash, purpose, user_id, email, mail_id, created_at,
                                  expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(hash(app, &token))
    .bind(new.purpose.name())
    .bind(new.user)
    .bind(new.email.cloned())
    .bind(new.mail)
    .bind(ctx.now)
    .bind(ctx.now + new.lasts)
    .execute()
    .await?;
    Ok(token)
}

/// Looks at a link without using it up.
pub async fn peek(
    tx: &mut Tx,
    app: &App,
    token: &LinkToken,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<Link>> {
    tx.query(
        "SELECT purpose, user_id, email, mail_id, created_at FROM link_tokens
         WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3",
    )
    .bind(hash(app, token))
    .bind(purpose.name())
    .bind(now)
    .optional()
    .await
}

/// Uses a link up, at most once.
///
/// Checking and taking are one statement: of two requests with one link, one gets `None`. Before
/// that the account's row is locked, as by everything that withdraws links: PostgreSQL would end
/// one of two transactions that take account and links in different orders.
pub async fn redeem(
    tx: &mut Tx,
    app: &App,
    token: &LinkToken,
    purposes: [Purpose; 2],
    now: Timestamp,
) -> Result<Option<Link>> {
    const LOCK: Sql = Sql {
        sqlite: "",
        postgres: "SELECT id FROM users
                   WHERE id = (SELECT user_id FROM link_tokens WHERE token_hash = $1)
                   FOR NO KEY UPDATE",
    };
    tx.query(LOCK).bind(hash(app, token)).later().await?;
    tx.query(
        "UPDATE link_tokens SET used_at = $4
         WHERE token_hash = $1 AND purpose IN ($2, $3) AND used_at IS NULL AND expires_at > $4
         RETURNING purpose, user_id, email, mail_id, created_at",
    )
    .bind(hash(app, token))
    .bind(purposes[0].name())
    .bind(purposes[1].name())
    .bind(now)
    .optional()
    .await
}

/// Ends all of somebody's open links for one purpose.
pub async fn withdraw(tx: &mut Tx, user: UserId, purpose: Purpose) -> Result<u64> {
    tx.query("DELETE FROM link_tokens WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL")
        .bind(user)
        .bind(purpose.name())
        .execute()
        .await
}

/// Ends those of somebody's open links for one purpose that went to one address. Whoever reads its mail has no say
/// over what went to another: that may be the owner's, and this one a thief's.
pub async fn withdraw_at(
    tx: &mut Tx,
    user: UserId,
    purpose: Purpose,
    email: &EmailAddress,
) -> Result<u64> {
    tx.query(
        "DELETE FROM link_tokens
         WHERE user_id = $1 AND purpose = $2 AND email = $3 AND used_at IS NULL",
    )
    .bind(user)
    .bind(purpose.name())
    .bind(email.clone())
    .execute()
    .await
}

/// Ends everybody's open links to set a password, now that nobody has one; switched on again, they stay dead. One that
/// is used or withdrawn at this instant is left to who does that: PostgreSQL would end one of the two.
pub async fn end_resets(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    const END: Sql = Sql {
        sqlite: "UPDATE link_tokens SET used_at = $2, password_off = TRUE
                 WHERE purpose = $1 AND used_at IS NULL AND expires_at > $2",
        postgres: "UPDATE link_tokens SET used_at = $2, password_off = TRUE
                   WHERE token_hash IN
                   (SELECT token_hash FROM link_tokens
                    WHERE purpose = $1 AND used_at IS NULL AND expires_at > $2
                    FOR UPDATE SKIP LOCKED)",
    };
    tx.query(END).bind(Purpose::ResetPassword.name()).bind(now).execute().await
}

/// Ends all setup links: the first administrator exists.
pub async fn withdraw_setup(tx: &mut Tx) -> Result<u64> {
    tx.query("DELETE FROM link_tokens WHERE purpose = $1 AND used_at IS NULL")
        .bind(Purpose::Setup.name())
        .execute()
        .await
}

/// Why a link was not accepted, for the audit trail.
pub async fn why_not(tx: &mut Tx, app: &App, token: Option<&LinkToken>) -> Result<&'static str> {
    let Some(token) = token else { return Ok("malformed") };
    let row: Option<(Option<Timestamp>, bool)> = tx
        .query("SELECT used_at, password_off FROM link_tokens WHERE token_hash = $1")
        .bind(hash(app, token))
        .optional()
        .await?;
    Ok(match row {
        None => "unknown",
        Some((_, true)) => "password_off",
        Some((Some(_), false)) => "token_used",
        Some((None, false)) => "token_expired",
    })
}

fn hash(app: &App, token: &LinkToken) -> Vec<u8> {
    token.hash(&app.secrets.token_hash).to_vec()
}
