//! What people are called, and which language they read.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unic_langid::LanguageIdentifier;
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

/// A name for people: 1 to 200 characters, NFC, without control or direction-changing characters.
///
/// ```
/// # use authshield::kernel::FullName;
/// assert_eq!("  Zoë  ".parse::<FullName>().unwrap().as_str(), "Zoë");
/// assert!("a\u{202e}b".parse::<FullName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(try_from = "String")]
#[sqlx(transparent)]
#[schema(description = "A name, 1 to 200 characters.", min_length = 1, max_length = 200)]
pub struct FullName(String);

/// The text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 200 characters and no control characters")]
pub struct NotAName;

impl FullName {
    /// Returns it as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FullName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let text: String = text.trim().nfc().collect();
        let length = text.chars().count();
        if length == 0 || length > 200 || text.chars().any(super::invisible::is_invisible) {
            return Err(NotAName);
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for FullName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

/// A language tag (BCP 47), such as `de-AT`; mails and pages use the nearest language they have.
///
/// ```
/// # use authshield::kernel::Locale;
/// assert_eq!("de_at".parse::<Locale>().unwrap().as_str(), "de-AT");
/// assert!("not a language".parse::<Locale>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(try_from = "String")]
#[sqlx(transparent)]
#[schema(description = "A language tag (BCP 47).", example = "en")]
pub struct Locale(String);

/// The text is no language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language tag looks like `en` or `de-AT` (BCP 47)")]
pub struct NotALocale;

impl Locale {
    /// Returns it as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Locale {
    type Err = NotALocale;

    fn from_str(text: &str) -> Result<Self, NotALocale> {
        if text.is_empty() || text.len() > 35 {
            return Err(NotALocale);
        }
        let tag: LanguageIdentifier = text.parse().map_err(|_| NotALocale)?;
        Ok(Self(tag.to_string()))
    }
}

impl TryFrom<String> for Locale {
    type Error = NotALocale;

    fn try_from(text: String) -> Result<Self, NotALocale> {
        text.parse()
    }
}
