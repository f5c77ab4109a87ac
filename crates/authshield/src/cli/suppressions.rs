//! `authshield mail suppressions`: addresses that get no mail.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::Failure;
use crate::admin::mail::suppressions::{add, export, import, lift, read};
use crate::app::{App, Ctx};
use crate::kernel::{EmailAddress, Place, Timestamp};
use crate::mail::{self, Suppression, SuppressionScope};

/// How much of a list is taken at once: others wait for that.
const PIECE: usize = 500;

/// What to do with addresses that get no mail.
#[derive(Subcommand)]
pub(super) enum Suppressions {
    /// Lists them, newest first.
    List {
        /// Only those of this address.
        #[arg(long, value_name = "EMAIL")]
        to: Option<EmailAddress>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Suppresses mail to an address.
    Add {
        /// The address.
        email: EmailAddress,
        /// Which mails: all, or `non_security`, which is all that does not protect the account.
        #[arg(long, value_parser = scope, default_value = "all")]
        scope: SuppressionScope,
        /// Until when (RFC 3339); until it is lifted unless said.
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
    },
    /// Lets mail go to an address again.
    Lift {
        /// The address.
        email: EmailAddress,
    },
    /// Suppresses mail to every address of a list: one to a line, or the first column of CSV.
    Import {
        /// The file; `-` reads standard input.
        file: PathBuf,
        /// Which mails: all, or `non_security`.
        #[arg(long, value_parser = scope, default_value = "all")]
        scope: SuppressionScope,
    },
    /// Prints every suppression as CSV.
    Export,
}

fn scope(name: &str) -> Result<SuppressionScope, String> {
    SuppressionScope::by_name(name).ok_or_else(|| "it is one of all, non_security".to_owned())
}

pub(super) async fn run(
    (app, ctx): (App, Ctx),
    as_json: bool,
    command: Suppressions,
) -> Result<(), Failure> {
    match command {
        Suppressions::List { to, limit } => {
            let to = to.as_ref().map(EmailAddress::as_str);
            let mut tx = app.store.glance().await?;
            let limit = i64::from(limit);
            let rows = mail::suppressions(&mut tx, &app.outbox, to, Place::start(), limit).await?;
            if as_json {
                println!("{}", serde_json::to_string(&rows)?);
            } else {
                rows.iter().for_each(tell);
            }
        }
        Suppressions::Add { email, scope, until } => {
            let added = add(&app, &ctx, None, &email, scope, until).await?;
            if as_json {
                println!("{}", serde_json::to_string(&added)?);
            } else {
                tell(&added);
            }
        }
        Suppressions::Lift { email } => {
            let mut tx = app.store.glance().await?;
            let (to, all) = (Some(email.as_str()), i64::from(u8::MAX));
            let rows = mail::suppressions(&mut tx, &app.outbox, to, Place::start(), all).await?;
            drop(tx);
            if rows.is_empty() {
                return Err(Failure::Failed(format!("mail to {email} is not suppressed")));
            }
            for row in rows {
                lift(&app, &ctx, None, row.id).await?;
            }
            if as_json {
                println!("{}", json!({ "lifted": email }));
            } else {
                println!("Mail goes to {email} again.");
            }
        }
        Suppressions::Import { file, scope } => {
            let mut text = String::new();
            if file.as_os_str() == "-" {
                std::io::stdin().read_to_string(&mut text)?;
            } else {
                text = std::fs::read_to_string(&file)?;
            }
            let addresses = read(&text).map_err(Failure::Failed)?;
            let mut added = 0;
            for piece in addresses.chunks(PIECE) {
                added += import(&app, &ctx, None, piece, scope).await?;
            }
            if as_json {
                println!("{}", json!({ "read": addresses.len(), "added": added }));
            } else {
                println!("{added} of {} addresses were not suppressed before.", addresses.len());
            }
        }
        Suppressions::Export => print!("{}", export(&app, &ctx, None).await?),
    }
    Ok(())
}

fn tell(Suppression { address, scope, reason, since, until, .. }: &Suppression) {
    let address = address.as_deref().unwrap_or("(sealed under a key that is gone)");
    let until = until.map_or_else(|| "until lifted".to_owned(), |until| format!("until {until}"));
    println!("{since} {until:<32} {reason:<11} {scope:<12} {address}");
}
