//! A rendered letter as it goes over the wire (RFC 5322, MIME).

use std::time::{Duration, UNIX_EPOCH};

use lettre::Address;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use zeroize::Zeroizing;

use super::name::presentable;
use super::render::Rendered;
use super::reply::one_line;
use crate::kernel::Timestamp;

/// What the header says.
pub(super) struct Head<'a> {
    pub(super) from: &'a Mailbox,
    pub(super) to: &'a Address,
    pub(super) name: Option<&'a str>,
    pub(super) message_id: &'a str,
    pub(super) language: &'a str,
    pub(super) date: Timestamp,
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
#[error("the message could not be put together")]
pub(super) struct Unwritable(#[from] lettre::error::Error);

/// Puts a message together: text and HTML, all of it ASCII on the wire.
pub(super) fn write(head: &Head<'_>, letter: &Rendered) -> Result<Zeroizing<Vec<u8>>, Unwritable> {
    let field = |name, value: &str| {
        HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
    };
    let seconds = u64::try_from(head.date.as_second()).unwrap_or(0);
    let message = Message::builder()
        .from(head.from.clone())
        .to(Mailbox::new(head.name.and_then(presentable), head.to.clone()))
        .subject(one_line(&letter.subject))
        .date(UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(head.message_id.to_owned()))
        .raw_header(field("Auto-Submitted", "auto-generated"))
        .raw_header(field("X-Auto-Response-Suppress", "All"))
        .raw_header(field("Content-Language", head.language))
        .multipart(
            // The boundary needs no chance: a line of a quoted-printable part can be like it only
            // if a letter quotes its own Message-ID.
            MultiPart::alternative()
                .boundary(boundary(head.message_id))
                .singlepart(SinglePart::plain(letter.text.as_str().to_owned()))
                .singlepart(SinglePart::html(letter.html.as_str().to_owned())),
        )?;
    Ok(Zeroizing::new(message.formatted()))
}

fn boundary(message_id: &str) -> String {
    let id: String = message_id.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    format!("part-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    fn written(name: Option<&str>, subject: &str) -> String {
        let head = Head {
            from: &"\"Example, Inc.\" <accounts@example.org>".parse().unwrap(),
            to: &"ann@example.net".parse().unwrap(),
            name,
            message_id: "<0199-abcd@example.org>",
            language: "de",
            date: Sandbox::default().now(),
        };
        let letter = Rendered {
            subject: subject.to_owned(),
            text: Zeroizing::new("Guten Tag,\n.\nGrüße\n".to_owned()),
            html: Zeroizing::new("<p>Grüße</p>".to_owned()),
        };
        String::from_utf8(write(&head, &letter).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_message_is_plain_ascii_with_both_parts() {
        let message = written(Some("Lee, Ann"), "Bestätigen Sie Ihre Adresse");
        assert!(message.is_ascii());
        insta::assert_snapshot!(message.replace('\r', ""));
    }

    #[test]
    fn nothing_given_starts_a_header() {
        for lure in [
            "Ann\r\nBcc: eve@example.com",
            "Ann\nX-Evil: 1",
            "Ann\rX-Evil: 1",
            "Ann\0",
            "Ann\" <eve@example.com>, \"",
            "Ann, Eve (comment) ; group: x",
            "Ann\u{2028}X-Evil: 1",
        ] {
            let message = written(Some(lure), &format!("Hi {lure}"));
            let (header, _) = message.split_once("\r\n\r\n").unwrap();
            let mut names: Vec<_> = header
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            names.sort_unstable();
            assert_eq!(
                names,
                [
                    "Auto-Submitted",
                    "Content-Language",
                    "Content-Type",
                    "Date",
                    "From",
                    "MIME-Version",
                    "Message-ID",
                    "Subject",
                    "To",
                    "X-Auto-Response-Suppress",
                ],
                "{lure:?}"
            );
            let to = header.split("\r\n").find(|line| line.starts_with("To:")).unwrap();
            assert!(to.ends_with("<ann@example.net>") || to == "To: ann@example.net", "{to}");
            assert!(!header.replace("\r\n", "").contains(['\r', '\n', '\0']), "{header:?}");
        }
    }
}
