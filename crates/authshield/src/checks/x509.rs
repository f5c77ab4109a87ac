//! When a certificate ends. Whether it is valid is rustls' business; this reads one date of one that
//! rustls accepted.

use crate::kernel::Timestamp;

/// From when until when a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// Returns the `notAfter` of a DER certificate (RFC 5280, 4.1.2.5), if it can be read.
#[must_use]
pub fn not_after(der: &[u8]) -> Option<Timestamp> {
    validity(der).map(|validity| validity.until)
}

/// Returns the `validity` of a DER certificate (RFC 5280, 4.1.2.5), if it can be read.
pub(super) fn validity(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = element(der, 0x30)?;
    let (mut fields, _) = element(certificate, 0x30)?;
    // The version is there for everything but version 1.
    if fields.first() == Some(&0xa0) {
        fields = element(fields, 0xa0)?.1;
    }
    // serialNumber, signature, issuer
    for tag in [0x02, 0x30, 0x30] {
        fields = element(fields, tag)?.1;
    }
    let (validity, _) = element(fields, 0x30)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// Takes one time off `bytes`, in either form.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let tag = *bytes.first()?;
    let (text, rest) = element(bytes, tag)?;
    let read = match tag {
        0x17 => utc_time(text)?,
        0x18 => parse(std::str::from_utf8(text).ok()?)?,
        _ => return None,
    };
    Some((read, rest))
}

/// Takes one element of `tag` off `bytes`: what is in it, and what comes behind it.
pub(super) fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        ..=0x7f => (usize::from(length), rest),
        long @ 0x81..=0x84 => {
            let count = usize::from(long & 0x7f);
            let (bytes, rest) = rest.split_at_checked(count)?;
            (bytes.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        // 0x80 is a length that comes later, which DER has not.
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Two digits of the year: 50 and above are of the last century.
fn utc_time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let year: u8 = text.get(..2)?.parse().ok()?;
    parse(&format!("{}{text}", if year >= 50 { "19" } else { "20" }))
}

/// Reads `YYYYMMDDHHMMSSZ`.
fn parse(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z').filter(|it| it.len() == 14 && it.is_ascii())?;
    let part = |range: std::ops::Range<usize>| &digits[range];
    let (date, time) = (
        format!("{}-{}-{}", part(0..4), part(4..6), part(6..8)),
        format!("{}:{}:{}", part(8..10), part(10..12), part(12..14)),
    );
    format!("{date}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_date_is_read_in_both_forms() {
        assert_eq!(utc_time(b"261231235959Z").unwrap().to_string(), "2026-12-31T23:59:59.000000Z");
        assert_eq!(utc_time(b"991231000000Z").unwrap().to_string(), "1999-12-31T00:00:00.000000Z");
        assert_eq!(parse("20500101000000Z").unwrap().to_string(), "2050-01-01T00:00:00.000000Z");
        for wrong in ["20500101000000", "2050010100000Z", "20501301000000Z", "ä0500101000000Z"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn noise_is_no_certificate_and_no_panic(noise: Vec<u8>) {
            let _ = not_after(&noise);
            let mut nested = vec![0x30, 0x82, 0x7f, 0xff, 0x30, 0x81, 0xff];
            nested.extend(noise);
            let _ = not_after(&nested);
        }
    }
}
