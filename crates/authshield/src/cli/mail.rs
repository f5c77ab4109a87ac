//! `authshield mail`: what was sent, what waits, what was kept.

use clap::Subcommand;

use super::{Failure, Global, context};
use crate::kernel::MailId;
use crate::mail;

/// What to do with mail.
#[derive(Subcommand)]
pub(super) enum Mail {
    /// Lists messages, newest first.
    List {
        /// Only in this state: queued, sending, accepted, kept, failed or expired.
        #[arg(long)]
        state: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one message and what became of it; in development with its text.
    Show {
        /// Its id, as `list` prints it.
        id: MailId,
    },
}

pub(super) async fn run(global: &Global, command: Mail) -> Result<(), Failure> {
    let (app, _) = context::open(global).await?;
    match command {
        Mail::List { state, limit } => {
            let rows = mail::list(&app.store, state.as_deref(), limit).await?;
            if global.json {
                println!("{}", serde_json::to_string(&rows)?);
            } else {
                for row in rows {
                    println!(
                        "{} {} {:<9} {:<18} {}",
                        row.id, row.created_at, row.state, row.kind, row.recipient
                    );
                }
            }
        }
        Mail::Show { id } => {
            let Some(shown) = mail::show(&app.store, &app.outbox, id).await? else {
                return Err(Failure::Failed(format!("there is no mail {id}")));
            };
            if global.json {
                let mut row = serde_json::to_value(&shown.row)?;
                if let Some(letter) = shown.rendered {
                    row["subject"] = letter.subject.into();
                    row["text"] = letter.text.as_str().into();
                }
                println!("{row}");
                return Ok(());
            }
            println!("{}", serde_json::to_string_pretty(&shown.row)?);
            if let Some(letter) = shown.rendered {
                println!("\n{}\n\n{}", letter.subject, *letter.text);
            }
        }
    }
    Ok(())
}
