//! DB-3: what the database lets this program do, and what it must not.

use super::check::{About, Check, Effect};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use super::sql;
use crate::kernel::AuditId;

/// What we may and may not do.
pub(super) struct Privileges;

impl Check for Privileges {
    const ABOUT: About = About {
        id: "DB-3",
        title: "Database privileges",
        verifies: "This program can write an audit event, and nobody can change or delete one: proven by \
                   trying each in a transaction that is rolled back. In production on PostgreSQL its \
                   role is no superuser, cannot change the schema, and has no right to change or delete \
                   an audit event either.",
        expected: "audit events can be written, and neither changed nor deleted",
        remedy: "Put the triggers of table audit_events back: somebody who can change what happened may \
                 already have done so.",
        settings: &["database.url"],
        parents: &["DB-2"],
        effect: Effect::RollsBack,
        policy: Policy { gate: Act::Fail, start: Act::Fail, running: Act::Nothing },
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match attempt(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn attempt(at: &Round) -> Result<Verdict, Verdict> {
    super::database::has_tables(at).await?;
    let store = at.store().await?;
    let (event, now) = (AuditId::new(&*at.shared_world()), at.now());
    for (what, harm) in [("changed", sql::CHANGE_EVENT), ("deleted", sql::DELETE_EVENT)] {
        // Dropped without a commit, it never happened.
        let mut tx = store.write().await?;
        if let Err(error) = sql::insert_probe(&mut tx, event, now).await {
            if error.is_unavailable() {
                return Err(error.into());
            }
            let words = crate::problem::chain(&error);
            return Ok(Verdict::fail(format!("no audit event can be written: {words}")).remedy(
                "Grant the role of database.url SELECT, INSERT, UPDATE and DELETE on all \
                         tables, and SELECT and INSERT on audit_events.",
            ));
        }
        match tx.query(harm).bind(event).execute().await {
            Ok(_) => return Ok(Verdict::fail(format!("an audit event can be {what}"))),
            Err(error) if error.is_unavailable() => return Err(error.into()),
            Err(_) => {}
        }
    }
    let fine = "audit events can be written, and neither changed nor deleted";
    if store.kind() == "sqlite" || !at.config().is_production() {
        return Ok(Verdict::pass(fine));
    }
    let role = sql::role(store).await?;
    let excess = match (role.superuser, role.may_create, role.may_rewrite) {
        (true, ..) => format!("the role {} is a superuser", role.name),
        (false, true, _) => format!("the role {} may change the schema", role.name),
        (false, false, true) => {
            format!("only triggers keep the role {} from changing the audit trail", role.name)
        }
        (false, false, false) => {
            return Ok(Verdict::pass(format!("{fine}; {} may no more than that", role.name)));
        }
    };
    Ok(Verdict::warn(format!("{excess}, and the service needs no such role")).remedy(
        "Let a role of its own run `authshield migrate run` and own the tables, and give the service \
         one that may only read and write rows, and of the audit trail only add some: \
         `deploy/postgres` has the SQL.",
    ))
}
