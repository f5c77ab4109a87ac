//! `authshield user`: accounts, for operators.

use std::io::BufRead;

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Failure, Global, context};
use crate::accounts::{self, User as Found};
use crate::app::{App, Ctx};
use crate::audit::{self, Event};
use crate::kernel::{EmailAddress, FullName, Locale, Paging, UserId};
use crate::lockdown::Also;
use crate::passwords::{Off, Rejected};
use crate::{links, lockdown, recovery, registration, roles, second_factor, verification};

/// What to do with accounts.
#[derive(Subcommand)]
pub(super) enum User {
    /// Lists accounts, newest first.
    List {
        /// Only addresses that contain this.
        #[arg(long)]
        email: Option<String>,
        /// Only who holds this role.
        #[arg(long)]
        role: Option<String>,
        /// How many, at most 200.
        #[arg(long, default_value_t = 50)]
        limit: u16,
    },
    /// Opens an account.
    Create {
        /// Its address.
        email: EmailAddress,
        /// Reads the password from the first line of standard input. Without it, the owner gets a
        /// mail with a link to choose one; or, where nobody has one (`password.enabled`), to prove the
        /// address.
        #[arg(long)]
        password_stdin: bool,
        /// Reads a hash that another system made from the first line of standard input: bcrypt,
        /// scrypt, PBKDF2 or Argon2. It is hashed anew at the owner's first sign-in.
        #[arg(long, conflicts_with = "password_stdin")]
        password_hash_stdin: bool,
        /// Gives a role besides `user`; may be repeated.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Takes the address as proved.
        #[arg(long)]
        verified: bool,
        /// What its owner is called.
        #[arg(long)]
        full_name: Option<FullName>,
        /// Which language its owner reads.
        #[arg(long)]
        locale: Option<Locale>,
    },
    /// Shows an account.
    Show {
        /// Its address or id.
        who: String,
    },
    /// Gives a role.
    Grant {
        /// The account's address or id.
        who: String,
        /// Which role.
        role: String,
    },
    /// Takes a role.
    Revoke {
        /// The account's address or id.
        who: String,
        /// Which role.
        role: String,
    },
    /// Disables an account and signs it out everywhere.
    Disable {
        /// Its address or id.
        who: String,
    },
    /// Lets a disabled account be used again.
    Enable {
        /// Its address or id.
        who: String,
    },
    /// Closes an account at once: disables it, ends its sessions, tokens and open links. `user enable` lets
    /// it be used again.
    Lock {
        /// Its address or id.
        who: String,
        /// Takes the password, too: once it is enabled, its owner chooses one by mail, or proves the address where
        /// nobody has a password.
        #[arg(long)]
        reset_password: bool,
        /// Takes second factor and passkeys, too.
        #[arg(long = "reset-2fa")]
        reset_factors: bool,
    },
    /// Sends a link to choose a new password, or sets one from standard input.
    ResetPassword {
        /// The account's address or id.
        who: String,
        /// Reads the new password from the first line of standard input; every session ends.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Takes the second factor from an account whose owner lost it; every session ends.
    #[command(name = "reset-2fa")]
    ResetSecondFactor {
        /// The account's address or id.
        who: String,
    },
    /// Takes the address of an account as proved.
    Verify {
        /// Its address or id.
        who: String,
    },
    /// Deletes an account and all that belongs to it; the audit trail stays.
    Delete {
        /// Its address or id.
        who: String,
        /// Says that you mean it.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(global: &Global, command: User) -> Result<(), Failure> {
    let (app, ctx) = context::open(global).await?;
    let json = global.json;
    match command {
        User::List { email, role, limit } => list(&app, json, email, role, limit).await?,
        User::Create {
            email,
            password_stdin,
            password_hash_stdin,
            roles,
            verified,
            full_name,
            locale,
        } => {
            let credential = match (password_stdin, password_hash_stdin) {
                (true, _) => Credential::Password(read_line()?),
                (_, true) => Credential::Hash(read_line()?),
                _ => Credential::ByMail,
            };
            let locale = locale.unwrap_or_else(|| registration::default_locale(&app));
            let user = Found {
                email_verified_at: verified.then_some(ctx.now),
                roles,
                ..Found::new(UserId::new(ctx.world()), email, full_name, locale, ctx.now)
            };
            let user = create(&app, &ctx, user, credential).await?;
            let words = format!("Opened the account {} ({}).", user.email.as_str(), user.id);
            tell(json, &user, &words);
        }
        User::Show { who } => {
            let user = find(&app, &who).await?;
            println!("{:#}", describe(&user));
        }
        User::Grant { who, role } => {
            let user = find(&app, &who).await?;
            tell_roles(json, &roles::grant(&app, &ctx, user.id, role).await?);
        }
        User::Revoke { who, role } => {
            let user = find(&app, &who).await?;
            tell_roles(json, &roles::revoke(&app, &ctx, user.id, &role).await?);
        }
        User::Disable { who } => set_active(&app, &ctx, json, &who, false).await?,
        User::Enable { who } => set_active(&app, &ctx, json, &who, true).await?,
        User::Lock { who, reset_password, reset_factors } => {
            let user = find(&app, &who).await?;
            let also = Also { reset_password, reset_factors };
            let user = lockdown::lock(&app, &ctx, None, user.id, also).await?;
            tell(
                json,
                &user,
                &format!("{} is disabled, and all of it closed.", user.email.as_str()),
            );
        }
        User::ResetPassword { who, password_stdin } => {
            let user = find(&app, &who).await?;
            let words = reset_password(&app, &ctx, &user, password_stdin).await?;
            tell(json, &user, &words);
        }
        User::ResetSecondFactor { who } => {
            let user = find(&app, &who).await?;
            let user = second_factor::reset(&app, &ctx, None, user.id).await?;
            tell(json, &user, &format!("{} has no second factor now.", user.email.as_str()));
        }
        User::Verify { who } => {
            let user = find(&app, &who).await?;
            let mut tx = app.store.write().await?;
            accounts::hold_by_email(&mut tx, &user.email).await?;
            if !verification::prove_address(&mut tx, &app, &ctx, user.id, &user.email).await? {
                return Err(Failure::Failed("the account changed at this instant".into()));
            }
            tx.commit().await?;
            tell(json, &find(&app, &who).await?, &format!("{} is verified.", user.email.as_str()));
        }
        User::Delete { who, yes } => {
            let user = find(&app, &who).await?;
            if !yes {
                return Err(Failure::Failed(format!(
                    "this deletes {} for ever; say --yes to do it",
                    user.email.as_str()
                )));
            }
            roles::delete_user(&app, &ctx, user.id).await?;
            tell(json, &user, &format!("Deleted {}.", user.email.as_str()));
        }
    }
    Ok(())
}

async fn list(
    app: &App,
    json: bool,
    email: Option<String>,
    role: Option<String>,
    limit: u16,
) -> Result<(), Failure> {
    let (after, at_most) = Paging::new(Some(limit), None)
        .read()
        .map_err(|_| Failure::Failed("--limit is 1 to 200".into()))?;
    let pattern = email.as_deref().map(crate::admin::pattern);
    let mut tx = app.store.glance().await?;
    let users = accounts::members(&mut tx, pattern, role, None, after, at_most - 1).await?;
    if json {
        println!("{}", Value::from(users.iter().map(describe).collect::<Vec<_>>()));
    } else {
        for user in &users {
            println!("{}  {:<40} {}", user.id, user.email.as_str(), user.roles.join(","));
        }
    }
    Ok(())
}

async fn find(app: &App, who: &str) -> Result<Found, Failure> {
    let mut tx = app.store.glance().await?;
    let account = match who.parse::<UserId>() {
        Ok(id) => accounts::by_id(&mut tx, id).await?,
        Err(_) => accounts::by_email(&mut tx, &who.parse::<EmailAddress>()?).await?,
    };
    account
        .map(|account| account.user)
        .ok_or_else(|| Failure::Failed(format!("nobody has the address or id {who:?}")))
}

async fn create(
    app: &App,
    ctx: &Ctx,
    mut user: Found,
    credential: Credential,
) -> Result<Found, Failure> {
    let hash = match &credential {
        Credential::Password(password) => Some(
            crate::passwords::choose(app, ctx, password, user.chooser("command"))
                .await
                .map_err(explain)?,
        ),
        Credential::Hash(hash) => {
            crate::passwords::must_be_on(app).map_err(no_passwords)?;
            crate::passwords::recognise(hash.expose_secret())?;
            Some(hash.expose_secret().to_owned())
        }
        Credential::ByMail => None,
    };
    user.roles.push("user".to_owned());
    user.roles.sort();
    user.roles.dedup();
    let mut tx = app.store.write().await?;
    let known = roles::all(&mut tx).await?;
    if let Some(unknown) = user.roles.iter().find(|role| known.iter().all(|one| one.name != **role))
    {
        return Err(Failure::Failed(format!(
            "there is no role {unknown:?}; `authshield role create {unknown}` adds it"
        )));
    }
    if !accounts::create(&mut tx, &user, hash.as_deref()).await? {
        return Err(Failure::Failed(format!("{} has an account already", user.email.as_str())));
    }
    for role in &user.roles {
        accounts::give_role(&mut tx, user.id, role, None, ctx.now).await?;
        if role == roles::ADMIN {
            links::withdraw_setup(&mut tx).await?;
        }
    }
    if hash.is_none() && crate::passwords::are_on(app) {
        recovery::send_reset(&mut tx, app, ctx, &user).await?;
    } else if user.email_verified_at.is_none() {
        registration::send_verification(&mut tx, app, ctx, &user).await?;
    }
    let created = Event::UserCreated { user: user.id, roles: user.roles.clone() };
    audit::record(&mut tx, app, ctx, &created).await?;
    tx.commit().await?;
    Ok(user)
}

/// Sets a new password, or sends a link to choose one, and says which.
async fn reset_password(
    app: &App,
    ctx: &Ctx,
    user: &Found,
    password_stdin: bool,
) -> Result<String, Failure> {
    crate::passwords::must_be_on(app).map_err(no_passwords)?;
    let email = user.email.as_str().to_owned();
    if password_stdin {
        set_password(app, ctx, user, &read_line()?).await?;
        return Ok(format!("Set a new password for {email}."));
    }
    let words = format!("{email} gets a mail with a link.");
    let mut tx = app.store.write().await?;
    accounts::lock(&mut tx, user.id).await?;
    recovery::send_reset(&mut tx, app, ctx, user).await?;
    let requested = Event::PasswordResetRequested { user: Some(user.id), email, reason: None };
    audit::record(&mut tx, app, ctx, &requested).await?;
    tx.commit().await?;
    Ok(words)
}

async fn set_password(
    app: &App,
    ctx: &Ctx,
    user: &Found,
    password: &SecretString,
) -> Result<(), Failure> {
    let hash = crate::passwords::choose(app, ctx, password, user.chooser("command"))
        .await
        .map_err(explain)?;
    let mut tx = app.store.write().await?;
    accounts::set_password(&mut tx, user.id, &hash, ctx.now).await?;
    registration::forget(&mut tx, &user.email, ctx.now).await?;
    accounts::password_was_set(&mut tx, app, ctx, user, None, "operator_reset").await?;
    audit::record(&mut tx, app, ctx, &Event::PasswordResetCompleted { user: user.id }).await?;
    tx.commit().await?;
    Ok(())
}

fn tell_roles(json: bool, user: &Found) {
    tell(json, user, &format!("{} has the roles {}.", user.email.as_str(), user.roles.join(", ")));
}

async fn set_active(
    app: &App,
    ctx: &Ctx,
    json: bool,
    who: &str,
    is_active: bool,
) -> Result<(), Failure> {
    let user = find(app, who).await?;
    let user = roles::set_active(app, ctx, None, user.id, is_active).await?;
    let state = if is_active { "enabled" } else { "disabled, and signed out everywhere" };
    tell(json, &user, &format!("{} is {state}.", user.email.as_str()));
    Ok(())
}

/// How the owner of a new account will sign in.
enum Credential {
    /// With this password.
    Password(SecretString),
    /// With the password that another system hashed.
    Hash(SecretString),
    /// With the one they choose by the link of a mail; or, where nobody has one, by mail, with a passkey or at a
    /// provider.
    ByMail,
}

/// Reads a secret without showing it anywhere.
fn read_line() -> Result<SecretString, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::Failed("there is nothing on standard input".into()));
    }
    Ok(SecretString::from(password))
}

/// Says that a command about passwords is of no use.
fn no_passwords(off: Off) -> Failure {
    Failure::Failed(format!("{off} (password.enabled is false): nobody has one here"))
}

fn explain(rejected: Rejected) -> Failure {
    Failure::Failed(match rejected {
        Rejected::Weak(found) => {
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Rejected::Off(off) => return no_passwords(off),
        Rejected::Overloaded(overloaded) => overloaded.to_string(),
    })
}

fn describe(user: &Found) -> Value {
    json!({
        "id": user.id,
        "email": user.email.as_str(),
        "full_name": user.full_name.as_ref().map(FullName::as_str),
        "locale": user.locale.as_str(),
        "is_verified": user.email_verified_at.is_some(),
        "is_active": user.disabled_at.is_none(),
        "is_2fa_enabled": user.second_factor_at.is_some(),
        "roles": user.roles,
        "created_at": user.created_at.to_string(),
        "updated_at": user.updated_at.to_string(),
    })
}

fn tell(json: bool, user: &Found, words: &str) {
    if json {
        println!("{}", describe(user));
    } else {
        println!("{words}");
    }
}
