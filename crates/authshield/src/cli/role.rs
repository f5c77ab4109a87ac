//! `authshield role`: roles that mean something to the applications behind.

use clap::Subcommand;

use super::{Failure, Global, context};
use crate::roles;

/// What to do with roles.
#[derive(Subcommand)]
pub(super) enum Role {
    /// Lists every role.
    List,
    /// Adds a role.
    Create {
        /// Its name, as it will stand in access tokens: lower case letters, digits, `-`, `_`, `:`.
        name: String,
        /// What it is for.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Removes a role that nobody holds.
    Delete {
        /// Its name.
        name: String,
    },
}

pub(super) async fn run(global: &Global, command: Role) -> Result<(), Failure> {
    let (app, ctx) = context::open(global).await?;
    match command {
        Role::List => {
            let all = roles::all(&mut app.store.glance().await?).await?;
            if global.json {
                let rows: Vec<_> = all
                    .iter()
                    .map(|role| {
                        serde_json::json!({
                            "name": role.name,
                            "description": role.description,
                            "built_in": role.built_in,
                        })
                    })
                    .collect();
                println!("{}", serde_json::Value::from(rows));
            } else {
                for role in all {
                    println!("{:<20} {}", role.name, role.description);
                }
            }
        }
        Role::Create { name, description } => {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_:".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
                return Err(Failure::Failed(format!(
                    "{name:?} is no name for a role: use 1 to 64 lower case letters, digits, -, _ or :"
                )));
            }
            let mut tx = app.store.write().await?;
            if !roles::create(&mut tx, &name, &description, ctx.now).await? {
                return Err(Failure::Failed(format!("there is a role {name:?} already")));
            }
            tx.commit().await?;
            tell(global, &name, &format!("Added the role {name}."));
        }
        Role::Delete { name } => {
            if app.config.second_factor.required_for.contains(&name) {
                return Err(Failure::Failed(format!(
                    "second_factor.required_for names the role {name}: nobody could start with that; take \
                     it out there first"
                )));
            }
            let mut tx = app.store.write().await?;
            // Whoever gives it to somebody at this instant comes before or after.
            roles::lock_admins(&mut tx).await?;
            if !roles::delete(&mut tx, &name).await? {
                return Err(Failure::Failed(format!(
                    "{name:?} is built in, or held by somebody, or does not exist"
                )));
            }
            tx.commit().await?;
            tell(global, &name, &format!("Removed the role {name}."));
        }
    }
    Ok(())
}

fn tell(global: &Global, name: &str, words: &str) {
    if global.json {
        println!("{}", serde_json::json!({ "name": name }));
    } else {
        println!("{words}");
    }
}
