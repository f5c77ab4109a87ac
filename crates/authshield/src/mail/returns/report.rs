//! What a report says that came back: a delivery status (RFC 3464) or a complaint (RFC 5965). Pure.
//!
//! Anyone can write to the address that reports come to. So nothing here is believed, and everything
//! has a bound; whether it is about a mail of ours is decided elsewhere, by its token.

use mail_parser::{Message, MimeHeaders};

use super::super::mime;
use super::super::reply::{self, Class, Step, one_line};
use super::super::timeline::EventKind;

/// The largest report that is read, in bytes: some servers return the whole message with it.
pub(super) const AT_MOST: usize = 256 * 1024;

/// How many recipients of one report are looked at: our mails have one.
const VERDICTS: usize = 4;

/// How many groups of fields, and fields, a report may have.
const GROUPS: usize = 16;
const FIELDS: usize = 64;

/// Why there is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAReport {
    /// It is larger than any report.
    TooLarge,
    /// It is something else: a reply of a person or of a machine, or broken.
    Other,
}

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Addresses that it came back to, by its own account.
    pub(super) addressees: Vec<String>,
    /// The envelope id that the mail left with.
    pub(super) envelope_id: Option<String>,
    /// What became of the mail.
    pub(super) verdicts: Vec<Verdict>,
}

/// What became of a mail, by the account of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: EventKind,
    /// Whose affair it is, if something is wrong.
    pub(super) class: Option<Class>,
    /// The code of the last answer.
    pub(super) smtp_code: Option<u16>,
    /// The enhanced status (RFC 3463).
    pub(super) status: Option<String>,
    /// The last answer, on one line.
    pub(super) diagnostic: Option<String>,
    /// The server that gave it.
    pub(super) remote_mta: Option<String>,
}

/// Reads a message that may be a report.
pub(super) fn read(raw: &[u8]) -> Result<Report, NotAReport> {
    if raw.len() > AT_MOST {
        return Err(NotAReport::TooLarge);
    }
    let message = mime::parse(raw).ok_or(NotAReport::Other)?;
    let is_report = message.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case("multipart")
            && kind.subtype().is_some_and(|subtype| subtype.eq_ignore_ascii_case("report"))
    });
    if !is_report {
        return Err(NotAReport::Other);
    }
    let mut report = Report { addressees: addressees(&message), ..Report::default() };
    for part in message.parts.iter().skip(1) {
        let Some(kind) = part.content_type() else { continue };
        let is_message = kind.ctype().eq_ignore_ascii_case("message");
        let subtype = kind.subtype().unwrap_or_default().to_ascii_lowercase();
        let words = || String::from_utf8_lossy(part.contents()).into_owned();
        match (is_message, subtype.as_str()) {
            (true, "delivery-status" | "global-delivery-status") => {
                delivery_status(&words(), &mut report);
            }
            (true, "feedback-report") => feedback(&words(), &mut report),
            _ => {}
        }
    }
    if report.verdicts.is_empty() { Err(NotAReport::Other) } else { Ok(report) }
}

/// Returns where the report was sent to, by its own header.
fn addressees(message: &Message<'_>) -> Vec<String> {
    const NAMES: [&str; 5] =
        ["To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"];
    let named = |(name, value): (&str, &str)| {
        NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)).then(|| value.to_owned())
    };
    let values = message.headers_raw().filter_map(named).take(FIELDS);
    values.flat_map(|value| addresses(&value)).take(FIELDS).collect()
}

/// Returns the words of a header value that may be addresses.
fn addresses(value: &str) -> Vec<String> {
    let words = value.split([',', ';', ' ', '\t', '\r', '\n', '<', '>', '"']);
    words.filter(|word| word.contains('@') && word.len() <= 320).map(ToOwned::to_owned).collect()
}

/// Reads what a server says became of a mail.
fn delivery_status(text: &str, report: &mut Report) {
    for group in groups(text) {
        if let Some(id) = field(&group, "Original-Envelope-Id") {
            report.envelope_id.get_or_insert_with(|| unquoted(id));
        }
        let action = field(&group, "Action").map(|action| action.trim().to_ascii_lowercase());
        let kind = match action.as_deref() {
            Some("failed") => EventKind::Bounced,
            Some("delayed") => EventKind::Deferred,
            Some("delivered") => EventKind::Delivered,
            Some("relayed" | "expanded") => EventKind::Relayed,
            _ => continue,
        };
        if report.verdicts.len() < VERDICTS {
            report.verdicts.push(verdict(kind, &group));
        }
    }
}

fn verdict(kind: EventKind, group: &[(String, String)]) -> Verdict {
    let status = field(group, "Status").and_then(|status| reply::enhanced_code(status.trim()));
    let answer = field(group, "Diagnostic-Code").map(typed);
    let (code, rest) = answer.and_then(|answer| answer.split_once([' ', '-'])).unwrap_or_default();
    let smtp_code = code.parse().ok().filter(|code| (200..600).contains(code));
    let failed = matches!(kind, EventKind::Bounced | EventKind::Deferred);
    let class = failed.then(|| {
        let fallback = if kind == EventKind::Bounced { 550 } else { 450 };
        // A code that other words come after says more than the summary of it.
        let text = if reply::enhanced_code(rest.trim()).is_some() {
            rest.trim().to_owned()
        } else {
            format!("{} {rest}", status.as_deref().unwrap_or_default())
        };
        reply::classify(Step::Rcpt, smtp_code.unwrap_or(fallback), text.trim())
    });
    Verdict {
        kind,
        class,
        smtp_code,
        status,
        diagnostic: answer.map(one_line).filter(|answer| !answer.is_empty()),
        remote_mta: field(group, "Remote-MTA").map(typed).map(one_line).map(|mta| cut(&mta)),
    }
}

/// Reads what a mailbox provider says of a recipient's complaint.
fn feedback(text: &str, report: &mut Report) {
    for group in groups(text) {
        if let Some(id) = field(&group, "Original-Envelope-Id") {
            report.envelope_id.get_or_insert_with(|| unquoted(id));
        }
        if let Some(from) = field(&group, "Original-Mail-From") {
            report.addressees.extend(addresses(from));
        }
        let Some(kind) = field(&group, "Feedback-Type") else { continue };
        // `not-spam` and what else there may be is no complaint.
        let complaint =
            ["abuse", "fraud", "virus"].contains(&kind.trim().to_ascii_lowercase().as_str());
        if complaint && report.verdicts.len() < VERDICTS {
            let agent = field(&group, "User-Agent").map(one_line);
            report.verdicts.push(Verdict {
                kind: EventKind::Complained,
                class: None,
                smtp_code: None,
                status: None,
                diagnostic: Some(one_line(kind)),
                remote_mta: field(&group, "Reporting-MTA")
                    .map(typed)
                    .map(one_line)
                    .or(agent)
                    .map(|mta| cut(&mta)),
            });
        }
    }
}

/// Reads groups of header fields with empty lines between them, unfolded.
fn groups(text: &str) -> Vec<Vec<(String, String)>> {
    let mut groups: Vec<Vec<(String, String)>> = vec![Vec::new()];
    let mut fields = 0;
    for line in text.lines() {
        let group = groups.last_mut().expect("there is always one");
        if line.trim().is_empty() {
            if !group.is_empty() {
                if groups.len() == GROUPS {
                    break;
                }
                groups.push(Vec::new());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.last_mut()
                && value.len() < 2000
            {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields += 1;
            if fields > FIELDS {
                break;
            }
            group.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    groups
}

fn field<'g>(group: &'g [(String, String)], name: &str) -> Option<&'g str> {
    let found = group.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// Takes the type off a value, as in `smtp; 550 5.1.1 no` or `dns; mx.example.net`.
fn typed(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, rest)) if !kind.contains(' ') => rest.trim(),
        _ => value.trim(),
    }
}

fn unquoted(value: &str) -> String {
    let value = value.trim().trim_matches(['<', '>', '"']);
    value.chars().take(200).collect()
}

fn cut(value: &str) -> String {
    value.chars().take(120).collect()
}

/// What must hold whatever comes in.
#[cfg(any(test, fuzzing))]
pub(crate) fn is_bounded(raw: &[u8]) {
    if let Ok(report) = read(raw) {
        assert!((1..=VERDICTS).contains(&report.verdicts.len()));
        assert!(report.addressees.len() <= 2 * FIELDS);
        assert!(report.envelope_id.is_none_or(|id| id.chars().count() <= 200));
        for verdict in report.verdicts {
            let lines = [verdict.diagnostic, verdict.remote_mta, verdict.status];
            for line in lines.into_iter().flatten() {
                assert!(line.chars().count() <= 300 && !line.chars().any(char::is_control));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reports as servers send them, and what is no report; kept as they were found.
    const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/reports");

    fn corpus() -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(CORPUS)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read(&path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn the_corpus_is_read_as_it_always_was() {
        let mut read_so = String::new();
        for (name, raw) in corpus() {
            use std::fmt::Write;
            writeln!(read_so, "{name}: {:#?}", read(&raw)).unwrap();
        }
        insta::assert_snapshot!(read_so);
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        assert_eq!(read(&vec![b'x'; AT_MOST + 1]), Err(NotAReport::TooLarge));
        assert_eq!(read(b""), Err(NotAReport::Other));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn random_bytes_are_looked_at_without_harm(raw in prop::collection::vec(any::<u8>(), 0..2000)) {
            is_bounded(&raw);
        }

        /// Real reports, cut, repeated and with bytes changed.
        #[test]
        fn damaged_reports_are_looked_at_without_harm(
            which in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
            repeat in 1..4_usize,
        ) {
            let corpus = corpus();
            let mut raw = which.get(&corpus).1.repeat(repeat);
            for (at, byte) in changes {
                let at = at.index(raw.len());
                raw[at] = byte;
            }
            raw.truncate(cut.index(raw.len()) + 1);
            is_bounded(&raw);
        }

        #[test]
        fn fields_of_any_length_and_number_have_bounds(
            names in prop::collection::vec("[A-Za-z-]{1,30}|Action|Status|Diagnostic-Code", 0..200),
            value in "\\PC{0,400}",
        ) {
            let mut raw = String::from(
                "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\
                 Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n\r\n",
            );
            for (at, name) in names.iter().enumerate() {
                raw.extend([name.as_str(), ": ", &value]);
                raw.push_str(if at % 7 == 0 { "\r\n\r\n" } else { "\r\n x\r\n" });
            }
            is_bounded((raw + "--b--\r\n").as_bytes());
        }
    }
}
