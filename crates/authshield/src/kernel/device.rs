//! A few words for the device somebody uses, for the list of their sessions.

use axum::http::{HeaderMap, header};

use super::invisible::is_invisible;

/// How much of a user agent is kept, in characters.
const LONGEST: usize = 512;

/// What is said of a device of which nothing is known.
const UNKNOWN: &str = "Unknown device";

/// Programs that call themselves by name, which the table of browsers does not know.
const PROGRAMS: [(&str, &str); 6] = [
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("PostmanRuntime/", "Postman"),
    ("okhttp/", "Android app"),
    ("Dart/", "Mobile app"),
    ("python-", "Python script"),
];

/// What a client says of itself. It is shown and written down, never decided by: anybody can say
/// anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The `User-Agent`, at most 512 characters, with U+FFFD where there were control characters
    /// or such as turn the direction of text: one event stays one line in any log.
    pub user_agent: Option<String>,
}

impl Device {
    /// Reads `User-Agent`; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        match headers.get(header::USER_AGENT) {
            Some(value) => Self::from_user_agent(&String::from_utf8_lossy(value.as_bytes())),
            None => Self { user_agent: None },
        }
    }

    /// Cleans `text`.
    #[must_use]
    pub fn from_user_agent(text: &str) -> Self {
        let clean: String = text
            .chars()
            .take(LONGEST)
            .map(|c| if is_invisible(c) { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        Self { user_agent: (!clean.trim().is_empty()).then_some(clean) }
    }

    /// Finds a few words for people: `Chrome on Windows`.
    #[must_use]
    pub fn label(&self) -> String {
        self.user_agent.as_deref().map_or_else(|| UNKNOWN.to_owned(), label_of)
    }
}

fn label_of(user_agent: &str) -> String {
    if let Some((_, name)) = PROGRAMS.iter().find(|(start, _)| user_agent.starts_with(start)) {
        return (*name).to_owned();
    }
    let Some(found) = woothee::parser::Parser::new().parse(user_agent) else {
        return UNKNOWN.to_owned();
    };
    match (browser_of(found.name), system_of(found.os)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => system.to_owned(),
        (None, None) => UNKNOWN.to_owned(),
    }
}

fn browser_of(name: &str) -> Option<&str> {
    match name {
        "" | "UNKNOWN" => None,
        "SamsungBrowser" => Some("Samsung Internet"),
        "Webview" => Some("App"),
        "HTTP Library" => Some("Program"),
        "misc crawler" => Some("Crawler"),
        name => Some(name),
    }
}

fn system_of(name: &str) -> Option<&str> {
    match name {
        "" | "UNKNOWN" => None,
        "Mac OSX" => Some("macOS"),
        "Windows Phone OS" => Some("Windows Phone"),
        // browsers say "Windows 10" whatever it is
        name if name.starts_with("Windows") => Some("Windows"),
        name => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_recognise_their_devices() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, expected) in [
            (
                format!(
                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/141.0.0.0 \
                     Safari/537.36"
                ),
                "Chrome on Windows",
            ),
            (
                format!(
                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/141.0.0.0 \
                     Safari/537.36 Edg/141.0.0.0"
                ),
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0".into(),
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, \
                 like Gecko) Version/18.6 Safari/605.1.15"
                    .into(),
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
                    .into(),
                "Safari on iPhone",
            ),
            (
                format!(
                    "Mozilla/5.0 (Linux; Android 10; K) {webkit} Chrome/141.0.0.0 Mobile \
                     Safari/537.36"
                ),
                "Chrome on Android",
            ),
            ("curl/8.14.1".into(), "curl"),
            ("python-httpx/0.28.1".into(), "Python script"),
            ("Mozilla/5.0".into(), UNKNOWN),
            ("-".into(), UNKNOWN),
            (String::new(), UNKNOWN),
            ("'; DROP TABLE users; --".into(), UNKNOWN),
        ] {
            assert_eq!(Device::from_user_agent(&agent).label(), expected, "{agent}");
        }
        assert_eq!(Device::from_headers(&HeaderMap::new()).label(), UNKNOWN);
    }

    #[test]
    fn v16_4_1_a_user_agent_is_one_line_and_short() {
        let nasty = "a\r\nb\u{1b}[31m\u{202e}\0\u{2028}c";
        let device = Device::from_user_agent(nasty);
        assert_eq!(
            device.user_agent.as_deref(),
            Some("a\u{fffd}\u{fffd}b\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}c")
        );
        let long = Device::from_user_agent(&"ü".repeat(100_000));
        assert_eq!(long.user_agent.map(|kept| kept.chars().count()), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn no_user_agent_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
            let device = Device::from_user_agent(&String::from_utf8_lossy(&bytes));
            let label = device.label();
            prop_assert!(!label.is_empty() && label.len() < 64);
            prop_assert!(device.user_agent.is_none_or(|kept| !kept.chars().any(is_invisible)));
        }

        #[test]
        fn no_browser_is_too_strange(
            tail in "(Chrome|Safari|MSIE|Windows|Android|Firefox|Mac OS X|Version|iPhone|[ ;()/_.0-9])*"
        ) {
            let device = Device::from_user_agent(&format!("Mozilla/5.0 ({tail}"));
            prop_assert!(!device.label().is_empty());
        }
    }
}
