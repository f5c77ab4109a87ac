//! What other rules would have decided of the sign-ins that there were.
//!
//! The signals are worked out anew from the events, so it does not matter whether rules counted then. A place is
//! where the file of countries says today; the country, what it said then.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::REFUSED;
use super::rules::{self, Before, Decision, Here, RULES, Seen, Signal};
use crate::audit::Entry;
use crate::config::{Risk, RiskAction, RiskMode};
use crate::geoip::{Country, Place};
use crate::guessing;
use crate::kernel::{ClientAddress, Device, Timestamp, UserId};

/// How many places of an account are remembered, as at a sign-in.
const PLACES: usize = 100;

/// How long after a password that was stolen a sign-in may be that was begun with it: while a ticket lasts.
const STOLEN: Duration = Duration::from_mins(5);

/// An event of before, from the database or from an export in JSON.
#[derive(Debug, Deserialize)]
pub struct Past {
    at: Timestamp,
    code: String,
    reason: Option<String>,
    user_id: Option<UserId>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    data: Value,
}

impl From<Entry> for Past {
    fn from(entry: Entry) -> Self {
        let Entry { at, code, reason, user_id, ip_address, user_agent, data, .. } = entry;
        Self { at, code, reason, user_id, ip_address, user_agent, data: data.0 }
    }
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many sign-ins were looked at.
    pub sign_ins: u64,
    /// Of how many accounts.
    pub accounts: u64,
    /// How many would be decided otherwise.
    pub otherwise: u64,
    /// By rule: all signals, and what is decided by it, at present and by the other rules.
    pub rules: BTreeMap<&'static str, Tally>,
    /// Some of those that would be decided otherwise, the first of them.
    pub examples: Vec<Example>,
}

/// What a rule did.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    /// How many sign-ins it spoke against.
    pub signals: u64,
    /// Of how many it would demand a second factor, or refuse them, by the rules that count at present.
    pub now: Decided,
    /// The same by the other rules, as if they counted.
    pub then: Decided,
    /// How many would be decided otherwise, for which this is the rule that decides, or decided before.
    pub otherwise: u64,
}

/// What was decided.
#[derive(Debug, Default, Serialize)]
pub struct Decided {
    /// A second factor.
    pub step_up: u64,
    /// Nobody is signed in.
    pub refuse: u64,
}

/// A sign-in that would be decided otherwise.
#[derive(Debug, Serialize)]
pub struct Example {
    /// When it was.
    pub at: Timestamp,
    /// Whose.
    pub user: UserId,
    /// From where.
    pub ip_address: Option<String>,
    /// What speaks against it, with the numbers.
    pub signals: Value,
    /// What is decided at present; nothing if nothing follows.
    pub now: Option<Chosen>,
    /// What would be decided.
    pub then: Option<Chosen>,
}

/// What a rule asks for, in words.
#[derive(Debug, Serialize)]
pub struct Chosen {
    /// The rule that decides.
    pub rule: &'static str,
    /// `step_up` or `refuse`.
    pub action: &'static str,
}

impl From<Decision> for Chosen {
    fn from(Decision { rule, action }: Decision) -> Self {
        Self { rule, action: action.as_str() }
    }
}

/// Events of before, in their order.
pub struct Replay<P> {
    place: P,
    now: Risk,
    then: Risk,
    since: Timestamp,
    examples: usize,
    people: HashMap<UserId, Person>,
    attacks: HashMap<String, Timestamp>,
    stolen: HashMap<UserId, Timestamp>,
    report: Report,
}

#[derive(Default)]
struct Person {
    is_counted: bool,
    seen: HashMap<(String, String), Seen>,
}

impl<P: Fn(IpAddr) -> Place> Replay<P> {
    /// Begins, with the rules that count at present and others; `place` says where an address is. What was before
    /// `since` is remembered and not counted.
    #[must_use]
    pub fn new(place: P, now: Risk, then: Risk, since: Timestamp, examples: usize) -> Self {
        let rules = RULES.into_iter().map(|rule| (rule, Tally::default())).collect();
        let report = Report { rules, ..Report::default() };
        let (people, attacks, stolen) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { place, now, then, since, examples, people, attacks, stolen, report }
    }

    /// Takes the next event.
    pub fn take(&mut self, past: &Past) {
        let Past { at, code, reason, user_id, .. } = past;
        let is_refused = reason.as_deref() == Some(REFUSED);
        match (code.as_str(), *user_id) {
            ("SIGN_IN_ATTACK_SEEN", _) => {
                if let Some(network) = past.data["network"].as_str() {
                    self.attacks.insert(network.to_owned(), *at + guessing::SLOWED);
                }
            }
            ("BREACHED_PASSWORD_USED", Some(user)) => {
                self.stolen.insert(user, *at + STOLEN);
            }
            ("LOGIN_SUCCEEDED", Some(user)) => self.judge(past, user, true),
            (
                "LOGIN_FAILED" | "PASSKEY_REFUSED" | "FEDERATION_REFUSED" | "MAGIC_LINK_REFUSED",
                Some(user),
            ) if is_refused => {
                self.judge(past, user, false);
            }
            ("USER_DELETED", Some(user)) => {
                self.people.remove(&user);
            }
            _ => {}
        }
    }

    /// Returns what came of it.
    #[must_use]
    pub fn end(self) -> Report {
        self.report
    }

    fn judge(&mut self, past: &Past, user: UserId, got_in: bool) {
        let ip = past.ip_address.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
        let client = ip.map(|ip| ClientAddress { ip, https: None });
        let (network, neighbourhood) = client
            .map(|client| (client.network(), guessing::neighbourhood(&client)))
            .unwrap_or_default();
        let mut place = ip.map(|ip| (self.place)(ip)).unwrap_or_default();
        if let Some(country) = past.data["country"].as_str() {
            place.country = Country::parse(country);
        }
        let uses_password = match past.data["amr"].as_array() {
            Some(amr) => amr.iter().any(|method| method == "pwd"),
            None => past.code == "LOGIN_FAILED",
        };
        let here = Here {
            place,
            at: past.at,
            is_attacked: self.attacks.get(&neighbourhood).is_some_and(|until| *until > past.at),
            is_stolen: uses_password
                && self.stolen.remove(&user).is_some_and(|until| until >= past.at),
        };
        let label = Device { user_agent: past.user_agent.clone() }.label();
        let person = self.people.entry(user).or_default();
        let device = (label, network);
        let is_known = person.seen.contains_key(&device);
        let before = Before { is_known, seen: person.seen.values().copied().collect() };
        if got_in {
            person.see(device, Seen { place, at: past.at });
        }
        if past.at < self.since {
            return;
        }
        self.report.sign_ins += 1;
        if !std::mem::replace(&mut person.is_counted, true) {
            self.report.accounts += 1;
        }
        // What is impossible depends on the rules, too.
        let [(_, now), (signals, then)] = [&self.now, &self.then].map(|rules| {
            let signals = rules::signals(&here, &before, rules);
            let decision = rules::decide(&signals, rules);
            (signals, decision.filter(|decision| decision.action != RiskAction::Record))
        });
        let now = now.filter(|_| self.now.mode == RiskMode::Enforce);
        self.count(past, user, &signals, now, then);
    }

    fn count(
        &mut self,
        past: &Past,
        user: UserId,
        signals: &[Signal],
        now: Option<Decision>,
        then: Option<Decision>,
    ) {
        for signal in signals {
            self.report.rules.entry(signal.rule()).or_default().signals += 1;
        }
        for (decision, is_then) in [(now, false), (then, true)] {
            let Some(Decision { rule, action }) = decision else { continue };
            let tally = self.report.rules.entry(rule).or_default();
            let decided = if is_then { &mut tally.then } else { &mut tally.now };
            match action {
                RiskAction::Refuse => decided.refuse += 1,
                _ => decided.step_up += 1,
            }
        }
        if now.map(|it| it.action) == then.map(|it| it.action) {
            return;
        }
        self.report.otherwise += 1;
        if let Some(decides) = then.or(now) {
            self.report.rules.entry(decides.rule).or_default().otherwise += 1;
        }
        if self.report.examples.len() < self.examples {
            self.report.examples.push(Example {
                at: past.at,
                user,
                ip_address: past.ip_address.clone(),
                signals: serde_json::to_value(signals).expect("signals are plain data"),
                now: now.map(Chosen::from),
                then: then.map(Chosen::from),
            });
        }
    }
}

impl Person {
    fn see(&mut self, device: (String, String), seen: Seen) {
        self.seen.insert(device, seen);
        if self.seen.len() > PLACES {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.at);
            if let Some(device) = oldest.map(|(device, _)| device.clone()) {
                self.seen.remove(&device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config;

    fn rules(settings: &[&str]) -> Risk {
        let set = settings.iter().map(|text| format!("risk.{text}"));
        config::load(&config::Sources::new().set(set)).expect("good settings").config.risk
    }

    fn past(minute: u32, code: &str, ip: &str, data: &Value) -> Past {
        serde_json::from_value(json!({
            "id": "019a0c1e-7b52-7cc3-98c4-dc0c0c07398f",
            "at": format!("2026-11-25T08:{minute:02}:00Z"),
            "code": code,
            "reason": null,
            "user_id": "019a0c1e-7b52-7cc3-98c4-dc0c0c073900",
            "ip_address": ip,
            "user_agent": "curl/8",
            "data": data,
        }))
        .expect("an event")
    }

    fn replay(now: &[&str], then: &[&str], since: &str) -> Report {
        let since = since.parse().expect("a time");
        let nowhere = |_| Place::default();
        let mut replay = Replay::new(nowhere, rules(now), rules(then), since, 2);
        let entered = |country: &str| json!({ "amr": ["pwd"], "country": country });
        for past in [
            past(0, "LOGIN_SUCCEEDED", "192.0.2.1", &entered("SE")),
            past(1, "LOGIN_SUCCEEDED", "192.0.2.2", &entered("SE")),
            past(2, "LOGIN_SUCCEEDED", "198.51.100.1", &entered("GB")),
            past(3, "LOGIN_SUCCEEDED", "198.51.100.1", &entered("GB")),
            past(4, "LOGIN_FAILED", "203.0.113.1", &entered("NO")),
            past(5, "BREACHED_PASSWORD_USED", "192.0.2.1", &json!({})),
            past(5, "LOGIN_SUCCEEDED", "192.0.2.1", &entered("SE")),
            past(6, "SIGN_IN_ATTACK_SEEN", "203.0.113.9", &json!({ "network": "203.0.113.9" })),
            past(7, "LOGIN_SUCCEEDED", "203.0.113.9", &json!({ "amr": ["hwk"], "country": "GB" })),
        ] {
            replay.take(&past);
        }
        replay.end()
    }

    #[test]
    fn other_rules_decide_otherwise_what_speaks_for_it() {
        let beginning = "2026-01-01T00:00:00Z";
        let shadow = replay(&[], &[], beginning);
        assert_eq!((shadow.sign_ins, shadow.accounts, shadow.otherwise), (6, 1, 2));
        let signals = |rule| shadow.rules[rule].signals;
        assert_eq!(RULES.map(signals), [0, 1, 1, 1, 3]);
        assert_eq!(shadow.rules["new_country"].then.step_up, 1);
        assert_eq!(shadow.examples.len(), 2);
        assert_eq!(shadow.examples[0].then.as_ref().expect("decided").rule, "new_country");
        assert_eq!(shadow.examples[0].ip_address.as_deref(), Some("198.51.100.1"));

        let same = replay(&["mode=enforce"], &[], beginning);
        assert_eq!((same.otherwise, same.rules["new_country"].now.step_up), (0, 1));
        let strict = replay(&["mode=enforce"], &["new_country=refuse"], beginning);
        assert_eq!((strict.otherwise, strict.rules["new_country"].otherwise), (1, 1));
        assert_eq!(strict.rules["new_country"].then.refuse, 1);
        let mild = replay(&["mode=enforce"], &["sign_in_attack=record"], beginning);
        assert_eq!((mild.otherwise, mild.rules["sign_in_attack"].otherwise), (1, 1));
        // What was before is remembered and not counted.
        let late = replay(&[], &["stolen_password=refuse"], "2026-11-25T08:03:00Z");
        assert_eq!((late.sign_ins, late.otherwise), (3, 2));
        assert_eq!(late.rules["stolen_password"].then.refuse, 1);
    }

    #[test]
    fn who_was_refused_is_looked_at_whichever_way_they_came() {
        for code in ["LOGIN_FAILED", "PASSKEY_REFUSED", "FEDERATION_REFUSED", "MAGIC_LINK_REFUSED"]
        {
            for (reason, looked_at) in [(REFUSED, 1), ("wrong_password", 0)] {
                let refused = Past {
                    reason: Some(reason.to_owned()),
                    ..past(0, code, "192.0.2.1", &json!({ "country": "SE" }))
                };
                let since = "2026-01-01T00:00:00Z".parse().expect("a time");
                let mut replay =
                    Replay::new(|_| Place::default(), rules(&[]), rules(&[]), since, 0);
                replay.take(&refused);
                assert_eq!(replay.end().sign_ins, looked_at, "{code} {reason}");
            }
        }
    }
}
