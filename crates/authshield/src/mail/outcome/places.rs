//! Where mail to a domain goes: found out beside the way of mail, and remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use onesql::Result;

use super::{provider, sql};
use crate::app::App;
use crate::dns::{Dns, Unanswered};
use crate::kernel::Timestamp;

/// How long an answer is good for, and how soon a question without one is asked again.
const GOOD_FOR: Duration = Duration::from_hours(6);
const AGAIN: Duration = Duration::from_mins(1);

/// How many domains are remembered.
const DOMAINS: usize = 20_000;

/// How many messages, and how many questions at once.
const BATCH: i64 = 500;
const AT_ONCE: usize = 8;

/// For how long after it was written a message is worth a question.
const WORTH: Duration = Duration::from_hours(24);

/// What is known of domains; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<Mutex<BTreeMap<String, Known>>>);

/// What is known of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// Missing where nobody answered lately.
    provider: Option<&'static str>,
    until: Timestamp,
}

impl Places {
    /// Returns who takes mail to an address, if that is known: nobody is asked.
    #[must_use]
    pub fn of(&self, address: &str, now: Timestamp) -> Option<&'static str> {
        self.look(domain(address), now)?.provider
    }

    fn look(&self, domain: &str, now: Timestamp) -> Option<Known> {
        let all = self.0.lock().expect("nobody panics while looking");
        all.get(domain).filter(|known| known.until > now).copied()
    }

    fn learn(&self, domain: String, provider: Option<&'static str>, now: Timestamp) {
        let mut known = self.0.lock().expect("nobody panics while looking");
        if known.len() >= DOMAINS && !known.contains_key(&domain) {
            known.retain(|_, known| known.until > now);
            if known.len() >= DOMAINS {
                known.clear();
            }
        }
        let until = now + if provider.is_some() { GOOD_FOR } else { AGAIN };
        known.insert(domain, Known { provider, until });
    }
}

fn domain(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or_default()
}

/// Finds out for messages of the last day where they go, and writes it down; what nobody answers about
/// is asked again. Returns how many were written down.
pub async fn attribute(app: &App) -> Result<u64> {
    let Some(Ok(dns)) = Dns::for_mail(&app.config) else { return Ok(0) };
    let (now, places) = (app.world.now(), app.outbox.places());
    let open = sql::unplaced(&mut app.store.glance().await?, now - WORTH, BATCH).await?;
    let unheard: BTreeSet<String> = open
        .iter()
        .map(|(_, address)| domain(address).to_owned())
        .filter(|domain| places.look(domain, now).is_none())
        .collect();
    let answers: Vec<_> = stream::iter(unheard)
        .map(|domain| {
            let dns = dns.clone();
            async move { (ask(&dns, &domain).await.ok(), domain) }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for (provider, domain) in answers {
        places.learn(domain, provider, now);
    }
    let placed: Vec<_> =
        open.iter().filter_map(|(id, address)| Some((*id, places.of(address, now)?))).collect();
    if placed.is_empty() {
        return Ok(0);
    }
    let mut tx = app.store.write().await?;
    for (id, provider) in &placed {
        sql::place(&mut tx, *id, provider).await?;
    }
    tx.commit().await?;
    Ok(placed.len() as u64)
}

async fn ask(dns: &Dns, domain: &str) -> Result<&'static str, Unanswered> {
    let servers = dns.mail_servers(domain).await?;
    let has_address = servers.is_empty() && !dns.addresses(domain).await?.is_empty();
    Ok(provider::of(&servers, has_address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    #[test]
    fn what_is_known_is_good_for_a_while_and_takes_so_much_room() {
        let (places, now) = (Places::default(), Sandbox::default().now());
        places.learn("example.org".to_owned(), Some("google"), now);
        places.learn("silent.example".to_owned(), None, now);
        assert_eq!(places.of("ann@example.org", now), Some("google"));
        assert_eq!(places.of("ann@example.org", now + GOOD_FOR), None);
        assert!(places.look("silent.example", now).is_some(), "asked a moment ago");
        assert_eq!(places.of("ann@silent.example", now), None);
        assert_eq!(places.look("silent.example", now + AGAIN), None);
        for number in 0..DOMAINS + 10 {
            places.learn(format!("d{number}.example"), Some("other"), now);
        }
        assert!(places.0.lock().unwrap().len() <= DOMAINS);
    }
}
