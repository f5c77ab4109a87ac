//! `authshield mail`: what was sent, what waits, what was kept, and what became of it.

use clap::Subcommand;
use serde_json::json;

use super::suppressions::{self, Suppressions};
use super::{Failure, Global, context};
use crate::admin::mail::{canaries, cells, resend};
use crate::kernel::{EmailAddress, MailId, Place};
use crate::mail::{self, Entry, Search, Shown, State, Story};

/// What to do with mail.
#[derive(Subcommand)]
pub(super) enum Mail {
    /// Lists messages, newest first.
    List {
        /// Only in this state: queued, sending, accepted, unknown, delivered, confirmed, bounced, …
        #[arg(long, value_parser = state)]
        state: Option<State>,
        /// Only of this kind, as in `verify_email`.
        #[arg(long)]
        kind: Option<String>,
        /// Only to this address.
        #[arg(long, value_name = "EMAIL")]
        to: Option<EmailAddress>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Shows one message and its timeline; in development with its text.
    Show {
        /// Its id, as `list` prints it.
        id: MailId,
    },
    /// Shows whether mail to ourselves arrives: how each mailbox does, and the newest mails.
    Canary {
        /// How many mails.
        #[arg(long, default_value_t = 10)]
        limit: u32,
    },
    /// Shows what becomes of mail, cell by cell: by mailbox provider, kind of letter and sender.
    Cells {
        /// Of mail written in so many hours.
        #[arg(long, default_value_t = cells::HOURS.1, value_parser = clap::value_parser!(u64).range(cells::HOURS.0..=cells::HOURS.2))]
        hours: u64,
    },
    /// Shows what of the last day's mail somebody should know: what is not as usual, new answers, and mail
    /// of which nothing is known.
    Digest,
    /// Sends one again: at once if it waits, as another message if it is settled.
    Resend {
        /// Its id, as `list` prints it.
        id: MailId,
    },
    /// Addresses that get no mail, because it came back, was unwanted, or somebody says so.
    #[command(subcommand)]
    Suppressions(Suppressions),
}

fn state(name: &str) -> Result<State, String> {
    State::by_name(name).ok_or_else(|| {
        let names: Vec<_> = State::ALL.iter().map(|state| state.as_str()).collect();
        format!("it is one of {}", names.join(", "))
    })
}

pub(super) async fn run(global: &Global, command: Mail) -> Result<(), Failure> {
    let (app, ctx) = context::open(global).await?;
    match command {
        Mail::Suppressions(command) => {
            suppressions::run((app, ctx), global.json, command).await?;
        }
        Mail::List { state, kind, to, limit } => {
            let recipient = to.map(|to| to.as_str().to_owned());
            let search = Search { recipient, state, kind };
            let limit = i64::from(limit);
            let rows = mail::list(&app.store, &search, Place::start(), limit, ctx.now).await?;
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
            let Some(shown) = mail::show(&app.store, &app.outbox, id, ctx.now).await? else {
                return Err(Failure::Failed(format!("there is no mail {id}")));
            };
            if global.json {
                let mut story = serde_json::to_value(&shown.story)?;
                if let Some(letter) = shown.rendered {
                    story["subject"] = letter.subject.into();
                    story["text"] = letter.text.as_str().into();
                }
                println!("{story}");
            } else {
                tell(&shown);
            }
        }
        Mail::Canary { limit } => {
            let report = canaries::report(&app, ctx.now, i64::from(limit)).await?;
            if global.json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                super::canaries::tell(&report);
            }
        }
        Mail::Cells { hours } => {
            let report = cells::report(&app, ctx.now, hours).await?;
            if global.json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                super::cells::tell(&report);
            }
        }
        Mail::Digest => {
            let digest = mail::outcome::digest(&app, ctx.now).await?;
            if global.json {
                println!("{}", serde_json::to_string(&digest)?);
            } else {
                super::cells::tell_digest(&digest);
            }
        }
        Mail::Resend { id } => {
            let sent = resend(&app, &ctx, None, id).await?;
            if global.json {
                println!("{}", json!({ "id": sent }));
            } else if sent == id {
                println!("It was waiting, and goes out at once.");
            } else {
                println!("Another one goes out in its place: {sent}");
            }
        }
    }
    Ok(())
}

/// Tells a message's story to a person.
fn tell(Shown { story, rendered }: &Shown) {
    let Story { row, false_bounce, timeline } = story;
    println!("{} to {} ({}): {}", row.kind, row.recipient, row.locale, row.state);
    println!("  id          {}", row.id);
    println!("  Message-ID  {}", row.message_id);
    if let Some(user) = row.user_id {
        println!("  account     {user}");
    }
    println!("  worth it    until {}", row.expires_at);
    if row.state == "queued" {
        println!("  next try    {}, after {} so far", row.next_attempt_at, row.attempts);
    }
    if row.state == "unknown" {
        println!("  The relay took it, and nobody has heard of it since.");
    }
    if *false_bounce {
        println!("  It was reported as returned, yet its link was used: the report was false.");
    }
    println!();
    for Entry { at, source, kind, class, reply, remote_mta, .. } in timeline {
        let mut line = format!("{at}  {source:<8}  {kind}");
        for more in [class, remote_mta, reply].into_iter().flatten() {
            line += "  ";
            line += more;
        }
        println!("{line}");
    }
    if let Some(letter) = rendered {
        println!("\n{}\n\n{}", letter.subject, *letter.text);
    }
}
