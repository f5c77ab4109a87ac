//! ADM-3: whether anybody can sign in, and who comes first.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use super::sql::{self, Holders};
use crate::federation::Providers;

/// Ways to sign in.
pub(super) struct WaysIn;

impl Check for WaysIn {
    const ABOUT: About = About {
        id: "ADM-3",
        title: "Ways to sign in",
        verifies: "Where passwords are switched off, people can sign in in another way: by mail, at a provider, or with \
                   passkeys that they have already; and so can whoever opens the link to make the first \
                   administrator, which leaves an account that has no passkey yet.",
        expected: "a way to sign in, for newcomers and for the first administrator, too",
        remedy: "Switch signing in by mail on (magic_link.enabled), configure a provider, or let people have \
                 passwords (password.enabled).",
        settings: &["password.enabled", "magic_link.enabled"],
        parents: &["DB-2"],
        effect: Effect::Network,
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Page },
        every: Some(Duration::from_mins(10)),
        scope: Scope::Service,
        ..About::BASE
    };

    async fn look(at: &Round) -> Verdict {
        match ways_in(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn ways_in(at: &Round) -> Result<Verdict, Verdict> {
    let config = at.config();
    // What the running service does now, where there is one.
    let live = at.app().map(|app| app.live.load_full());
    let (password, magic_link) = live.as_ref().map_or_else(
        || (config.password.enabled, config.magic_link.enabled),
        |live| (live.password.enabled, live.magic_link.enabled),
    );
    let providers = match Providers::from_config(config) {
        Ok(providers) => providers,
        Err(error) => return Err(Verdict::skip(error.to_string())),
    };
    let mut ways: Vec<_> =
        [("with a password", password), ("by mail", magic_link)].into_iter().collect();
    ways.retain(|(_, is_on)| *is_on);
    let mut ways: Vec<_> = ways.into_iter().map(|(way, _)| way.to_owned()).collect();
    ways.extend(providers.all().iter().map(|provider| format!("at {}", provider.name())));
    // Before the first start there is no account, and so no passkey.
    let holders = match super::database::has_tables(at).await {
        Ok(()) => sql::passkey_holders(at.store().await?).await?,
        Err(_) => Holders { people: 0, admins: 0 },
    };
    Ok(judge(&ways, holders))
}

/// Decides from the ways that are open to everybody, and who has a passkey.
fn judge(ways: &[String], holders: Holders) -> Verdict {
    match (ways.is_empty(), holders) {
        (false, _) => Verdict::pass(format!("people sign in {}", ways.join(", "))),
        (true, Holders { people: 0, .. }) => Verdict::fail(
            "nobody can sign in, the first administrator neither: nobody has a password, mail signs nobody in, there \
             is no provider, and no account has a passkey",
        ),
        (true, Holders { admins: 0, people }) => Verdict::fail(format!(
            "no administrator can sign in, nor whoever opens the link to make the first: only the {people} who have \
             a passkey can, and none of them is one"
        )),
        (true, Holders { people, .. }) => Verdict::warn(format!(
            "only the {people} who have a passkey can sign in: nobody new, and nobody who lost theirs"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn nobody_is_locked_out_unseen() {
        let ways = |ways: &[&str]| ways.iter().map(|way| (*way).to_owned()).collect::<Vec<_>>();
        for (open, people, admins, status) in [
            (ways(&["with a password"]), 0, 0, Status::Pass),
            (ways(&["by mail", "at google"]), 0, 0, Status::Pass),
            (ways(&[]), 0, 0, Status::Fail),
            (ways(&[]), 7, 0, Status::Fail),
            (ways(&[]), 7, 1, Status::Warn),
        ] {
            let verdict = judge(&open, Holders { people, admins });
            assert_eq!(verdict.status, status, "{open:?} {people} {admins}");
        }
    }
}
