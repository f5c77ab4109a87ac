//! Whether mail to ourselves arrives, in words.

use std::time::Duration;

use crate::admin::mail::canaries::Report;

/// Tells a person whether mail arrives.
pub(super) fn tell(report: &Report) {
    if !report.enabled {
        println!(
            "No mail is sent to ourselves: set AUTHSHIELD_CANARY_ADDRESSES, and where their mailboxes are read."
        );
        return;
    }
    for one in &report.mailboxes {
        let standing = match (one.since, one.last_success_at) {
            (None, _) => "none was sent so far".to_owned(),
            (_, None) if one.stale => format!("NONE ARRIVED of {}", one.missing),
            (_, Some(at)) if one.stale => {
                format!("STALE: the last that arrived was sent at {at}; {} missing", one.missing)
            }
            (_, None) => format!("{} under way", one.missing),
            (_, Some(at)) => format!("arrives; the last was sent at {at}"),
        };
        println!("{}  {standing}", one.address);
    }
    println!();
    for canary in &report.mails {
        let seconds = |leg: Option<Duration>| {
            leg.map_or_else(|| "-".to_owned(), |leg| format!("{:.1}s", leg.as_secs_f64()))
        };
        let (accept, arrive, total) = canary.legs();
        let [spf, dkim, dmarc] = canary.verdicts().map(|(_, verdict)| verdict);
        println!(
            "{} {} {:<9} to the relay {}, to the mailbox {}, in all {}  {}  spf={spf} dkim={dkim} dmarc={dmarc}",
            canary.sent_at,
            canary.address,
            canary.state,
            seconds(accept),
            seconds(arrive),
            seconds(total),
            canary.folder.as_deref().unwrap_or("-"),
        );
        if let Some(receiver) = &canary.receiver {
            println!("  the receiver wrote: {receiver}");
        }
    }
}
