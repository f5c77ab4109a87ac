//! A list of domains in a file: one to a line, `#` begins a comment.

use std::collections::HashSet;
use std::path::Path;

use crate::kernel::EmailAddress;
use crate::watched::{FromFile, Unread};

/// How long a file may be, in bytes: lists that go round have less than a tenth of that.
const AT_MOST: u64 = 32 * 1024 * 1024;

/// Domains, in the form in which addresses have theirs.
#[derive(Debug)]
pub struct List {
    domains: HashSet<Box<str>>,
    about: About,
}

/// What a list says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// How many domains it has.
    pub domains: usize,
    /// How many lines are none, and do not count.
    pub skipped: usize,
    /// The first of those.
    pub first_skipped: Option<usize>,
}

impl List {
    /// Reads a list; why not, if it holds no domain at all: then it is not one, or was cut off.
    fn parse(text: &str) -> Result<Self, String> {
        let mut domains = HashSet::new();
        let mut about = About { domains: 0, skipped: 0, first_skipped: None };
        let text = text.trim_start_matches('\u{feff}');
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            // As an address has it: in ASCII, lower case, with a dot.
            match format!("a@{}", line.trim_end_matches('.')).parse::<EmailAddress>() {
                _ if line.is_empty() => {}
                Ok(address) => {
                    domains.insert(address.domain().into());
                }
                Err(_) => {
                    about.skipped += 1;
                    about.first_skipped.get_or_insert(number);
                }
            }
        }
        if domains.is_empty() {
            return Err("there is no domain in it".to_owned());
        }
        about.domains = domains.len();
        Ok(Self { domains, about })
    }

    /// Whether it holds `domain`, or one above it.
    #[must_use]
    pub fn holds(&self, domain: &str) -> bool {
        let mut rest = Some(domain);
        while let Some(here) = rest {
            if self.domains.contains(here) {
                return true;
            }
            rest = here.split_once('.').map(|(_, above)| above);
        }
        false
    }
}

impl FromFile for List {
    type About = About;

    fn read(file: &Path) -> Result<Self, Unread> {
        let unreadable = |error: std::io::Error| Unread {
            why: format!("it cannot be read: {error}"),
            may_pass: true,
        };
        let broken = |why: String| Unread { why, may_pass: false };
        if std::fs::metadata(file).map_err(unreadable)?.len() > AT_MOST {
            return Err(broken("it is too long".to_owned()));
        }
        let bytes = std::fs::read(file).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|_| broken("it is no text".to_owned()))?;
        Self::parse(&text).map_err(broken)
    }

    fn about(&self) -> About {
        self.about
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_domain_counts_with_all_below_it_however_it_is_written() {
        let text = "\u{feff}# of mailboxes that nobody keeps\r\nMailinator.com\r\n\r\n  trash.example # ours\n\
                    bücher.example.\nnot a domain\nlocalhost\nco.uk\n";
        let list = List::parse(text).unwrap();
        let about = About { domains: 4, skipped: 2, first_skipped: Some(6) };
        assert_eq!(list.about(), about);
        for (domain, held) in [
            ("mailinator.com", true),
            ("a.b.mailinator.com", true),
            ("trash.example", true),
            ("xn--bcher-kva.example", true),
            ("notmailinator.com", false),
            ("mailinator.com.example", false),
            ("com", false),
            ("example", false),
            ("bbc.co.uk", true),
            ("", false),
        ] {
            assert_eq!(list.holds(domain), held, "{domain}");
        }
    }

    #[test]
    fn what_has_no_domain_in_it_is_no_list() {
        for text in ["", "\n\n", "# nothing\n", "<!DOCTYPE html>\n<p>sign in</p>\n"] {
            assert!(List::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), domain in "[a-z.]{0,40}") {
            if let Ok(list) = List::parse(&text) {
                let _ = list.holds(&domain);
            }
        }
    }
}
