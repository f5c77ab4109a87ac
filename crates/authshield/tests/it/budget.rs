//! What guessing costs: the page of the attack budget is what these attacks achieved.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::guessing::{HOME, PROXY, WRONG, log_in};
use crate::support::{PASSWORD, TestApp, on_postgres};

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);

/// Names the address of an attempt, by its number.
type Address = fn(usize) -> String;

/// An attack with one address as its client for each attempt, and an account for each guess.
struct Attack {
    from: Address,
    email: Address,
}

impl Attack {
    /// Guesses for `span`, waiting only when three in a row are refused, and no longer than told to; returns
    /// how many guesses were judged.
    async fn judged(&self, app: &TestApp, span: Duration) -> usize {
        let (mut judged, mut asked, mut spent) = (0, 0, Duration::ZERO);
        let mut waits = Vec::new();
        loop {
            let email = (self.email)(judged);
            let reply = log_in(app, &(self.from)(asked), &email, WRONG).await;
            asked += 1;
            match reply.status.as_u16() {
                401 => {
                    judged += 1;
                    waits.clear();
                }
                429 => waits.push(reply.header("retry-after").parse().unwrap()),
                _ => panic!("{reply:?}"),
            }
            if waits.len() == 3 {
                let wait = Duration::from_secs(*waits.iter().min().unwrap());
                waits.clear();
                spent += wait;
                if spent >= span {
                    return judged;
                }
                app.advance(wait);
            }
        }
    }
}

fn one(_: usize) -> String {
    "203.0.113.9".to_owned()
}

fn thousand(n: usize) -> String {
    format!("198.18.{}.{}", n % 1000 / 250, n % 250 + 1)
}

fn one_site(n: usize) -> String {
    format!("2001:db8:7:{n:x}::1")
}

fn ann(_: usize) -> String {
    "ann@example.org".to_owned()
}

fn another(n: usize) -> String {
    format!("user{n}@example.net")
}

/// Attack: A01, A03, A07
#[tokio::test]
async fn generated_attack_budget_is_what_attacks_achieve() {
    if on_postgres() {
        return; // the page is one; `guessing` plays on both
    }
    let mut rows = String::new();
    let guesses: [(&str, Address); 4] = [
        ("one IPv4 address", one),
        ("1,000 IPv4 addresses", thousand),
        ("a /48 of IPv6, a new /64 each time", one_site),
        ("the address from which its owner signed in", |_| HOME.to_owned()),
    ];
    for (from, addresses) in guesses {
        let app = TestApp::with(&[PROXY]).await;
        app.open_account("ann@example.org").await;
        log_in(&app, HOME, "ann@example.org", PASSWORD).await.ok(200);
        let attack = Attack { from: addresses, email: ann };
        let first = attack.judged(&app, DAY).await;
        let second = attack.judged(&app, DAY).await;
        writeln!(rows, "| one account, from {from} | {first} | {second} |").unwrap();
        assert!(first <= 25 && second <= 25, "{from}: {first}, {second}");
    }
    let mut lists = String::new();
    let places: [(&str, Address); 2] =
        [("one IPv4 address", one), ("a /48 of IPv6, a new /64 each time", one_site)];
    for (from, addresses) in places {
        let app = TestApp::with(&[PROXY]).await;
        let attack = Attack { from: addresses, email: another };
        let first = attack.judged(&app, HOUR).await;
        let second = attack.judged(&app, HOUR).await;
        writeln!(lists, "| one guess each at many accounts, from {from} | {first} | {second} |")
            .unwrap();
        assert!(first <= 1_000 && second <= 310, "{from}: {first}, {second}");
    }
    let page = format!("{HEAD}{rows}{BETWEEN}{lists}{TAIL}");
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/security/attack-budget.md");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "set UPDATE_GENERATED=1 and run this test to rewrite it:\n{page}");
}

const HEAD: &str = "\
# Attack budget

<!-- Written by `cargo xtask generate`, from what the attacks of `tests/it/budget.rs` achieve. -->

How many guesses are judged, right or wrong, with the defaults of every setting. The attacker knows the
limits, is told in `Retry-After` when to come back and does so at once, and loses no time otherwise: the
clock of the service is set forward by each wait. Every other attempt is refused before anything is compared.

| guessed at | first day | second day |
| --- | --- | --- |
";

const BETWEEN: &str = "
The number of addresses makes no difference to one account: strangers wait for each other. After 80 guesses of
strangers, or 100 altogether, no more are judged at all until the owner signs in or chooses a new password
([Guessing and limits](../guides/abuse.md)).

| guessed at | first hour | second hour |
| --- | --- | --- |
";

const TAIL: &str = "
The hour begins before the attack is seen; from then on, and on each further hour of a day, it is as in the second.
A thousand addresses that have nothing in common do a thousand times as much: what shows then are the alerts
[CredentialStuffing](../runbooks/credential-stuffing.md) and [PasswordSpray](../runbooks/password-spray.md).

What can be learnt from the time of an answer, and what a flood costs, depends on the machine:
`cargo xtask bench --only timing --only overload --only footprint` measures it, and
[Performance](../reference/performance.md) has what was measured last.
";
