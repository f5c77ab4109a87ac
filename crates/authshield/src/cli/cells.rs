//! What becomes of mail, cell by cell, in words.

use crate::mail::outcome::{CellReport, Digest, Report, Share, Span};

/// Tells a person what becomes of mail.
pub(super) fn tell(report: &Report) {
    if report.cells.is_empty() {
        println!("No mail was written between {} and {}.", report.from, report.to);
        return;
    }
    for cell in &report.cells {
        let of = &cell.cell;
        println!(
            "{} of {} to {} by {}: {} written",
            of.kind, of.sender, of.mailbox_provider, of.provider, cell.messages
        );
        for (name, share) in shares(cell) {
            if share.of > 0 && (share.count > 0 || share.usual.is_some_and(|usual| usual > 0.0)) {
                println!("  {name:<11}{}", words(share));
            }
        }
        for (name, span) in [
            ("to the relay", cell.to_accept),
            ("to the mailbox", cell.to_deliver),
            ("to the click", cell.to_confirm),
        ] {
            if span.p50.is_some() {
                println!("  {name:<15}{}", times(span));
            }
        }
        for step in &cell.degraded {
            let first = step.first_mail.map_or_else(String::new, |mail| format!(", first {mail}"));
            println!(
                "  WORSE THAN IT SHOULD BE: {} since {}, {} instead of {}{first}",
                step.step, step.since, step.observed, step.normal
            );
        }
        println!();
    }
    let named: Vec<_> = report
        .factors
        .iter()
        .map(|factor| format!("{} {:.0} %", factor.factor, factor.share * 100.0))
        .collect();
    println!(
        "Of the differences in time ({}) lie between values of: {}",
        report.time,
        named.join(", ")
    );
}

/// Tells a person what of a day's mail they should know.
pub(super) fn tell_digest(digest: &Digest) {
    let Digest { from, to, deviations, new_replies, unknown } = digest;
    println!("Mail from {from} to {to}");
    println!("Not as usual:");
    for deviation in deviations {
        let of = &deviation.cell;
        println!(
            "  {} of {} to {} by {}: {} {:.1} % of {} instead of {:.1} %",
            of.kind,
            of.sender,
            of.mailbox_provider,
            of.provider,
            deviation.share,
            deviation.now * 100.0,
            deviation.of,
            deviation.usual * 100.0
        );
    }
    println!("Answers that are new:");
    for new in new_replies {
        println!("  {} times, first to {}: {}", new.count, new.first_mail, new.reply);
    }
    println!("Nothing known after a day:");
    for dark in unknown {
        println!(
            "  {} to {} by {}, since {}",
            dark.count, dark.mailbox_provider, dark.provider, dark.oldest
        );
    }
    let empty = deviations.is_empty() && new_replies.is_empty() && unknown.is_empty();
    println!("{}", if empty { "Nothing of all that." } else { "" });
}

fn shares(cell: &CellReport) -> [(&'static str, Share); 10] {
    [
        ("accepted", cell.accepted),
        ("delivered", cell.delivered),
        ("confirmed", cell.confirmed),
        ("bounced", cell.bounced),
        ("deferred", cell.deferred),
        ("complained", cell.complained),
        ("unknown", cell.unknown),
        ("failed", cell.failed),
        ("expired", cell.expired),
        ("held", cell.held),
    ]
}

/// As in `3 of 4: 75 % (30 to 95)`.
fn words(share: Share) -> String {
    let Share { count, of, share, low, high, usual, unusual, .. } = share;
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    let mut words = format!(
        "{count} of {of}: {} % ({} to {})",
        percent(share.unwrap_or(0.0)),
        percent(low),
        percent(high)
    );
    if let Some(usual) = usual {
        words += ", usually ";
        words += &percent(usual);
        words += " %";
    }
    if unusual {
        words += ", UNUSUAL";
    }
    words
}

fn times(span: Span) -> String {
    let seconds =
        |time: Option<f64>| time.map_or_else(|| "never".to_owned(), |time| format!("{time:.1}s"));
    format!(
        "half within {}, 9 of 10 {}, 99 of 100 {}",
        seconds(span.p50),
        seconds(span.p90),
        seconds(span.p99)
    )
}
