//! The canaries: whether mail arrives, where, and as whose.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::round::Round;
use crate::app::App;
use crate::mail::canary::{self, Canary, Standing};

const BASE: About = About {
    settings: &["canary.addresses", "canary.mailboxes"],
    parents: &["DB-2"],
    timeout: Duration::from_secs(20),
    every: Some(Duration::from_mins(1)),
    scope: Scope::Service,
    ..About::BASE
};

/// What is told while a service runs: before that, nobody sends any.
const RUNNING: Policy = Policy { gate: Act::Nothing, start: Act::Nothing, running: Act::Degrade };

/// Returns the service, if it sends canaries.
fn service(at: &Round) -> Result<&App, Verdict> {
    is_on(at)?;
    at.app().ok_or_else(|| Verdict::skip("only a service that runs sends any"))
}

fn is_on(at: &Round) -> Result<(), Verdict> {
    if at.config().canary.is_on() {
        return Ok(());
    }
    Err(Verdict::skip(
        "no mail is sent to ourselves (canary.addresses is not set), so nobody looks whether mail \
         arrives",
    ))
}

/// Whether their mailboxes can be read.
pub(super) struct Mailboxes;

impl Check for Mailboxes {
    const ABOUT: About = About {
        id: "CAN-1",
        title: "Canary mailboxes",
        verifies: "Each mailbox of canary.mailboxes lets us in and shows its folders. Nothing in them is \
                   changed but what we sent ourselves.",
        expected: "every mailbox can be read",
        remedy: "Check host, user and password in canary.mailboxes; some providers want a password for \
                 this application alone.",
        parents: &["CFG-1", "CFG-2"],
        effect: Effect::Network,
        timeout: Duration::from_mins(1),
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        every: Some(Duration::from_mins(5)),
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        if let Err(verdict) = is_on(at) {
            return verdict;
        }
        let mailboxes = at.config().canary.read_at();
        if mailboxes.is_empty() {
            return Verdict::pass("arrivals are told to /api/v1/webhooks/mail/inbound");
        }
        match canary::open_all(at.config()).await {
            Ok(()) => Verdict::pass(format!("{} can be read", mailboxes.len())),
            Err(why) => Verdict::fail(why),
        }
    }
}

/// Whether they arrive.
pub(super) struct Arrives;

impl Check for Arrives {
    const ABOUT: About = About {
        id: "CAN-2",
        title: "Canaries arrive",
        verifies: "Of the mails that we send to ourselves, one has arrived at each mailbox within the last \
                   three intervals, and not in the folder for junk.",
        expected: "every mailbox has a recent one, in its inbox",
        remedy: "Look at `authshield mail canary`. If the relay took them, ask its operator, with the queue \
                 id in its last words (`authshield mail show ID`).",
        policy: RUNNING,
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        arrives(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn arrives(at: &Round) -> Result<Verdict, Verdict> {
    let all = canary::standing(service(at)?, at.now()).await?;
    if all.iter().all(|one| one.since.is_none()) {
        return Ok(Verdict::skip("none was sent so far"));
    }
    let stale: Vec<_> = all.iter().filter(|one| one.stale).collect();
    if !stale.is_empty() {
        let words: Vec<_> = stale.iter().map(|one| missing(one)).collect();
        return Ok(Verdict::fail(words.join("; ")));
    }
    let in_junk = |one: &&Standing| {
        one.last.as_ref().is_some_and(|last| last.folder.as_deref() == Some("junk"))
    };
    let junk: Vec<_> = all.iter().filter(in_junk).map(|one| one.address.as_str()).collect();
    if !junk.is_empty() {
        let words = format!("the last to {} lay in the folder for junk", junk.join(", "));
        return Ok(Verdict::warn(words).remedy(
            "See what CAN-3 and DNS-1 to DNS-3 say; then look at the sender's reputation with that \
             mailbox provider.",
        ));
    }
    let newest = all.iter().filter_map(|one| one.last.as_ref()).map(Canary::legs);
    let slowest = newest.filter_map(|(_, _, total)| total).max().unwrap_or_default();
    Ok(Verdict::pass(format!("they arrive; the slowest of the last took {slowest:.1?}")))
}

fn missing(Standing { address, last_success_at, missing, .. }: &Standing) -> String {
    match last_success_at {
        Some(at) => format!(
            "the last that arrived at {address} was sent at {}; {missing} since are missing",
            at.to_minute()
        ),
        None => format!("none of {missing} arrived at {address}"),
    }
}

/// Whether receivers can tell that they are ours.
pub(super) struct Authentic;

impl Check for Authentic {
    const ABOUT: About = About {
        id: "CAN-3",
        title: "Canaries are authentic",
        verifies: "The newest mail to ourselves that arrived passes DMARC, and DKIM where \
                   mail.dkim_selectors says that the relay signs, by our own reckoning from the mail and \
                   the name servers.",
        expected: "SPF or DKIM passes for the sender's domain, and DKIM where it is used",
        remedy: "See what DNS-1 to DNS-3 say, and whether the relay signs as it should.",
        settings: &["mail.from", "mail.dkim_selectors", "canary.addresses"],
        policy: RUNNING,
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        authentic(at).await.unwrap_or_else(|verdict| verdict)
    }
}

async fn authentic(at: &Round) -> Result<Verdict, Verdict> {
    let all = canary::standing(service(at)?, at.now()).await?;
    let last: Vec<_> = all.iter().filter_map(|one| one.last.as_ref()).collect();
    if last.is_empty() {
        return Ok(Verdict::skip("none has arrived so far"));
    }
    let signs = !at.config().mail.dkim_selectors.is_empty();
    let (mut bad, mut doubtful, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
    for canary in last {
        let [spf, dkim, dmarc] = canary.verdicts().map(|(_, verdict)| verdict);
        let words = format!("{}: SPF {spf}, DKIM {dkim}, DMARC {dmarc}", canary.address);
        let told = canary.receiver.as_deref().unwrap_or("nothing");
        evidence.push(format!("{words}; the receiver wrote: {told}"));
        if [spf, dkim, dmarc].contains(&"temperror") || dmarc == "unknown" {
            doubtful.push(words);
        } else if !["pass", "none"].contains(&dmarc) || (signs && dkim != "pass") {
            bad.push(words);
        } else if dmarc == "none" && spf != "pass" && dkim != "pass" {
            doubtful.push(words);
        }
    }
    let verdict = match (bad.is_empty(), doubtful.is_empty()) {
        (false, _) => Verdict::fail(bad.join("; ")),
        (_, false) => Verdict::warn(doubtful.join("; ")),
        _ => Verdict::pass("they are"),
    };
    Ok(evidence.into_iter().fold(verdict, Verdict::evidence))
}
