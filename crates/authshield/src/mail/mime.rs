//! Takes messages apart that anybody may have written.

use mail_parser::{Message, MessageParser};

/// Takes a message apart. There are messages on which the library panics (a message in a message whose
/// boundary comes too early): anybody can write one, and whoever reads must go on reading.
pub(super) fn parse(raw: &[u8]) -> Option<Message<'_>> {
    std::panic::catch_unwind(|| MessageParser::new().parse(raw)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_the_library_cannot_bear_is_none() {
        let raw =
            b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n\
                    Content-Type: message/rfc822\n\n\n--b--";
        assert!(parse(raw).is_none());
        assert!(parse(b"From: a@example.org\n\nb").is_some());
    }
}
